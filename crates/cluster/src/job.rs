//! The thread of a job: gives events to its JobMaster and performs the actions.

use crate::{
    host::{TaskHost, WorkerNotice},
    jobmanager::SharedHistory,
    storage_thread::StorageAction,
};
use flott_core::{
    error::TaskFailure,
    id::{AttemptId, OperatorId},
    time::SharedClock,
};
use flott_jobmanager::{JobAction, JobEvent, JobMaster, JobNote, Now, checkpoint::CheckpointFailure};
use flott_rpc::{
    client::{JobEnd, JobOutcome, JobOverview, JobReply, ParallelismBounds, RequestId},
    status::JobStatus,
    task::TaskReport,
};
use flott_runtime::{TaskReporter, panics::CaughtPanic};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc},
    time::Duration,
};

/// To the job's thread.
pub(crate) enum Message {
    Event(JobEvent),
    Request(flott_rpc::client::JobRequest, mpsc::Sender<JobReply>),
    Overview(mpsc::Sender<JobOverview>),
    /// To the first subtask of an operator. If it cannot answer, the sender is dropped.
    Ask {
        operator: OperatorId,
        body: Vec<u8>,
        reply: mpsc::Sender<Option<Vec<u8>>>,
    },
    /// Of the job's workers, if its tasks are not in this process.
    Worker(WorkerNotice),
    /// Another JobManager leads: the job is its business now. Nothing that runs is touched.
    Suspend,
}

/// Makes sure that a job that has ended is not run again, before its checkpoints are removed and anyone learns of it. Returns `false` if
/// another JobManager leads: then the job has not ended here.
pub(crate) type KeepEnd = Arc<dyn Fn(&JobOutcome, &JobOverview) -> bool + Send + Sync>;

/// What the next leader has to know of a job.
pub(crate) enum Decision {
    /// What its parallelism may be from now on.
    Bounds(Vec<ParallelismBounds>),
    /// How it ends, although it has not yet.
    End(JobEnd),
    /// To be answered when all before this is stored. If that cannot be, since another JobManager leads, the sender is dropped.
    Answer(mpsc::Sender<JobReply>, JobReply),
}

/// Keeps what is decided of a job, in the order in which it is told. Whoever tells it does not wait: the store may not answer for a while.
pub(crate) type KeepDecisions = Box<dyn Fn(Decision) + Send>;

/// How a job ended, for whoever waits.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Runs,
    Ended(Box<(JobOutcome, JobOverview)>),
    /// It goes on under another JobManager.
    Suspended,
}

impl Ended {
    /// Of a job that has ended.
    pub(crate) fn already(outcome: JobOutcome, overview: JobOverview) -> Self {
        Ended { state: Mutex::new(State::Ended(Box::new((outcome, overview)))), changed: Condvar::new() }
    }

    fn enter(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.changed.notify_all();
    }

    pub(crate) fn set(&self, outcome: JobOutcome, overview: JobOverview) {
        self.enter(State::Ended(Box::new((outcome, overview))));
    }

    /// It goes on under another JobManager.
    pub(crate) fn suspend(&self) {
        self.enter(State::Suspended);
    }

    /// The job's own thread has panicked, which is a bug in Flott; `overview` is the job as it was at the start.
    pub(crate) fn set_panicked(&self, panic: &CaughtPanic, overview: JobOverview) {
        let at = panic.location.as_deref().unwrap_or("an unknown place");
        self.set_failed(&format!("the job's own thread panicked at {at}, which is a bug in Flott: {}", panic.message), overview);
    }

    /// The job cannot go on; `overview` is the job as it was.
    pub(crate) fn set_failed(&self, reason: &str, mut overview: JobOverview) {
        let outcome = failed(reason);
        overview.status = JobStatus::Failed;
        if let JobEnd::Failed(failure) = &outcome.end {
            overview.failures.push(failure.clone());
        }
        self.set(outcome, overview);
    }

    pub(crate) fn overview(&self) -> Option<JobOverview> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Ended(end) => Some(end.1.clone()),
            State::Runs | State::Suspended => None,
        }
    }

    /// How it ended, if it has.
    #[cfg(feature = "stepped")]
    pub(crate) fn outcome(&self) -> Option<JobOutcome> {
        match &*self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Ended(end) => Some(end.0.clone()),
            State::Runs | State::Suspended => None,
        }
    }

    /// Whether it goes on under another JobManager.
    pub(crate) fn is_suspended(&self) -> bool {
        matches!(&*self.state.lock().unwrap_or_else(PoisonError::into_inner), State::Suspended)
    }

    /// Waits for the end; `None` if the job goes on under another JobManager.
    pub(crate) fn wait(&self) -> Option<JobOutcome> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &*state {
                State::Runs => {}
                State::Ended(end) => return Some(end.0.clone()),
                State::Suspended => return None,
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Reports of tasks become events of the job.
pub(crate) struct ReportToJob(pub(crate) Mutex<mpsc::Sender<Message>>);

impl TaskReporter for ReportToJob {
    fn report(&self, attempt: AttemptId, report: TaskReport) {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A job that has ended hears no more.
        let _ = events.send(Message::Event(JobEvent::Task(attempt, report)));
    }
}

/// What the job's thread owns.
pub(crate) struct JobThread<H> {
    pub(crate) master: JobMaster,
    pub(crate) clock: SharedClock,
    pub(crate) host: H,
    pub(crate) storage: mpsc::Sender<StorageAction>,
    pub(crate) ended: Arc<Ended>,
    pub(crate) requests: HashMap<RequestId, mpsc::Sender<JobReply>>,
    pub(crate) next_request: RequestId,
    /// Where somebody wants to know what happens.
    pub(crate) history: Option<SharedHistory>,
    pub(crate) keep_end: Option<KeepEnd>,
    /// Where another JobManager may lead.
    pub(crate) decisions: Option<KeepDecisions>,
    /// Whether it was told how the job ends.
    pub(crate) end_decided: bool,
}

/// Why the thread of a job ends.
pub(crate) enum Over {
    Ended(Box<JobOutcome>),
    Suspended,
}

impl<H: TaskHost> JobThread<H> {
    /// Runs the job to its end, or until another JobManager leads. `begin` is the first event.
    pub(crate) fn run(mut self, messages: &mpsc::Receiver<Message>, begin: JobEvent) {
        let mut over = self.handle(begin);
        while over.is_none() {
            let now = self.clock.monotonic();
            let received = match self.master.next_wake() {
                None => messages.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                Some(at) if at <= now => messages.try_recv().map_err(|_| mpsc::RecvTimeoutError::Timeout),
                Some(at) => messages.recv_timeout((at - now).min(Duration::from_secs(3600))),
            };
            over = match received {
                Ok(message) => self.take(message),
                Err(mpsc::RecvTimeoutError::Timeout) => self.handle(JobEvent::Tick),
                // The job itself keeps a sender for its tasks: this does not happen while they live.
                Err(mpsc::RecvTimeoutError::Disconnected) => Some(Over::Ended(Box::new(failed("the job lost the link to its tasks")))),
            };
        }
        let Some(Over::Ended(outcome)) = over else { return self.ended.suspend() };
        self.host.job_ended();
        self.finish_storage();
        let overview = self.master.overview();
        self.ended.set(*outcome, overview);
    }

    /// Does what a message asks for.
    pub(crate) fn take(&mut self, message: Message) -> Option<Over> {
        match message {
            Message::Event(event) => self.handle(event),
            Message::Request(body, reply) => {
                self.next_request += 1;
                self.requests.insert(self.next_request, reply);
                self.handle(JobEvent::Client { request: self.next_request, body })
            }
            Message::Overview(reply) => {
                // Whoever asked may be gone.
                let _ = reply.send(self.master.overview());
                None
            }
            Message::Ask { operator, body, reply } => {
                self.host.ask(operator, body, reply);
                None
            }
            Message::Worker(notice) => {
                let events = self.host.notice(notice);
                self.handle_all(events.into())
            }
            Message::Suspend => Some(Over::Suspended),
        }
    }

    /// Waits until files that the job does not need any more are removed, so that they are gone when the program ends.
    fn finish_storage(&self) {
        let (done, wait) = mpsc::channel();
        if self.storage.send(StorageAction::Flush(done)).is_ok() {
            // The thread ends only with its sender, which is here.
            let _ = wait.recv();
        }
    }

    pub(crate) fn handle(&mut self, event: JobEvent) -> Option<Over> {
        self.handle_all([event].into())
    }

    fn handle_all(&mut self, mut events: VecDeque<JobEvent>) -> Option<Over> {
        while let Some(event) = events.pop_front() {
            if let JobEvent::Task(attempt, _) = &event
                && self.host.is_killed(*attempt)
            {
                continue;
            }
            let now = Now { monotonic: self.clock.monotonic(), wall: self.clock.wall() };
            if let Some(history) = &self.history {
                history.event(&event, now.wall);
            }
            let actions = self.master.handle(now, event);
            if let Some(history) = &self.history {
                actions.iter().for_each(|action| history.action(action, now.wall));
            }
            if let (false, Some(end)) = (self.end_decided, self.master.decided_end()) {
                self.decided(|| Decision::End(end.clone()));
                self.end_decided = true;
            }
            let ended = actions.iter().find_map(|action| if let JobAction::Ended(outcome) = action { Some(outcome) } else { None });
            if let (Some(outcome), Some(keep_end)) = (ended, &self.keep_end)
                && !keep_end(outcome, &self.master.overview())
            {
                return Some(Over::Suspended);
            }
            for action in actions {
                if let Some(over) = self.perform(action, &mut events) {
                    return Some(over);
                }
            }
        }
        None
    }

    /// Performs an action. What it leads to at once is added to `events`. Returns whether that was all.
    fn perform(&mut self, action: JobAction, events: &mut VecDeque<JobEvent>) -> Option<Over> {
        match action {
            JobAction::RequestSlots(count) => events.extend(self.host.request_slots(count)),
            JobAction::WithdrawSlots(count) => self.host.withdraw_slots(count),
            JobAction::ReleaseSlots(slots) => self.host.release_slots(slots),
            JobAction::YieldSlots { held, needed } => events.extend(self.host.yield_slots(held, needed)),
            JobAction::Deploy(deployments) => events.extend(self.host.deploy(deployments)),
            JobAction::Send(attempt, command) => self.host.send(attempt, command),
            JobAction::Kill(attempt) => match self.host.kill(attempt) {
                Ok(led_to) => events.extend(led_to),
                Err(reason) => return Some(Over::Ended(Box::new(failed(&reason)))),
            },
            JobAction::Enumerator { vertex, number, command } => events.extend(self.host.enumerator(vertex, number, command)),
            JobAction::BeginCheckpoint { checkpoint, kind } => self.store(StorageAction::Begin { checkpoint, kind }),
            JobAction::CompleteCheckpoint { metadata, kind } => self.store(StorageAction::Complete { metadata, kind }),
            JobAction::DiscardCheckpoint { checkpoint, kind } => self.store(StorageAction::Discard { checkpoint, kind }),
            JobAction::RetainCheckpoints(keep) => self.store(StorageAction::Retain(keep)),
            JobAction::DiscardAllCheckpoints => self.store(StorageAction::DiscardAll),
            JobAction::Reply(request, reply) => self.reply(request, reply),
            JobAction::StatusChanged(status) => tracing::info!(%status, "job status"),
            JobAction::Recovered => self.host.recovered(),
            JobAction::Ended(outcome) => return Some(Over::Ended(outcome)),
            JobAction::Note(note) => {
                if let JobNote::Required(bounds) = &note {
                    self.decided(|| Decision::Bounds(bounds.clone()));
                }
                log(&note);
            }
        }
        None
    }

    /// Answers a request. Who is told that something will be done relies on it, whoever leads.
    fn reply(&mut self, request: RequestId, reply: JobReply) {
        match self.requests.remove(&request) {
            Some(client) if reply == JobReply::Accepted && self.decisions.is_some() => self.decided(|| Decision::Answer(client, reply)),
            // Whoever asked may be gone.
            Some(client) => _ = client.send(reply),
            None => {}
        }
    }

    /// The next leader has to know it, if there can be one.
    fn decided(&self, decision: impl FnOnce() -> Decision) {
        if let Some(decisions) = &self.decisions {
            decisions(decision());
        }
    }

    fn store(&self, action: StorageAction) {
        // The thread ends with this sender.
        let _ = self.storage.send(action);
    }
}

fn failed(reason: &str) -> JobOutcome {
    let failure = TaskFailure::without_task("job", reason);
    JobOutcome { end: JobEnd::Failed(failure), accumulators: Default::default(), restarts: 0, checkpoints: Default::default() }
}

fn log(note: &JobNote) {
    match note {
        // A task that came to its end in between: another checkpoint follows at once.
        JobNote::CheckpointFailed { checkpoint, reason: reason @ CheckpointFailure::TaskFinished(_), .. } => {
            tracing::info!(%checkpoint, %reason, "checkpoint overtaken");
        }
        JobNote::CheckpointFailed { checkpoint, reason, after } => {
            tracing::warn!(%checkpoint, %reason, after_ms = after.as_millis() as u64, "checkpoint failed");
        }
        JobNote::CheckpointUnconfirmed { .. } | JobNote::DiscardFailed(_) | JobNote::Killed(_) | JobNote::StopFailed { .. } => {
            tracing::warn!(?note, "job");
        }
        // What follows names it: the restart, or the end of the job.
        JobNote::Failed { along: false, .. } => {}
        JobNote::Failed { failure, along: true, .. } => tracing::info!(%failure, "failed along with what failed before"),
        JobNote::Restarting { tasks, whole_job, delay, cause } => {
            tracing::warn!(tasks, whole_job, delay_ms = delay.as_millis() as u64, %cause, "restarting");
        }
        JobNote::CheckpointCompleted(summary) => tracing::info!(
            checkpoint = %summary.checkpoint,
            duration_ms = summary.duration.as_millis() as u64,
            bytes = summary.bytes,
            location = summary.location,
            "checkpoint completed"
        ),
        note => tracing::info!(?note, "job"),
    }
}
