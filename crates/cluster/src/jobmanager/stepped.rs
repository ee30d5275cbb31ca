//! A JobManager without threads, sockets and clocks: whoever simulates a cluster brings it messages, and decides when each of its
//! jobs does something, when its storage answers, and when it leads.

use super::{
    Registered, SharedHistory, State, Term,
    connections::{has_come_again, register, task_manager_lost},
    decisions,
    jobs::{Job, JobParts},
    leadership::RECONCILIATION,
    records::{self, EndedRecord, RunningRecord},
    remote_host::{Cluster, RemoteHost},
    starting::{first_worker, store_new},
    worker_figures::WorkerFigures,
};
use crate::{
    control::Link,
    host::{TaskHost, WorkerNotice},
    job::{Ended, JobThread, KeepEnd, Message, Over},
    launch::{Launch, Term as StorageTerm, launch_in},
    storage_thread::{StorageAction, perform},
};
use flott_core::{
    Error, Timestamp,
    id::{CheckpointId, JobId},
    time::SharedClock,
};
use flott_graph::{JobTopology, settings::JobSettings};
use flott_ha::{
    JobStore,
    job_store::{EndedJob, RunningJob},
};
use flott_jobmanager::JobEvent;
use flott_rpc::{
    client::{JobOutcome, JobReply, JobRequest},
    control::{FromTaskManager, FromWorker, Program, TaskManagerInfo, ToTaskManager, ToWorker, Welcome, WorkerInfo},
    status::TaskStatus,
};
use flott_storage::{CheckpointDirectory, CheckpointMetadata, FileStorage};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

/// Makes sure that a job is not run again: where the jobs of its leader are, its number, what is kept of it, when it ended. `false`: another leads.
pub type JobEnding = Arc<dyn Fn(&JobStore, JobId, &[u8], Timestamp) -> bool + Send + Sync>;

/// Something that goes out over a connection.
#[derive(Debug)]
pub enum Sent {
    /// To a TaskManager.
    TaskManager(ToTaskManager),
    /// To a worker.
    Worker(Box<ToWorker>),
    /// Nothing follows: the connection is closed.
    Closed,
}

/// A job to run.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its number.
    pub id: JobId,
    /// The program.
    pub program: Program,
    /// Its graph.
    pub topology: JobTopology,
    /// What it is run with.
    pub settings: JobSettings,
    /// Decides what is random in it.
    pub seed: u64,
}

/// A job of the leader before that is ready to be taken over.
pub struct Prepared {
    id: JobId,
    record: RunningRecord,
    launch: Launch,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Prepared {
    /// The checkpoint that it starts from.
    pub fn from(&self) -> Option<CheckpointId> {
        self.launch.master.checkpoints().latest().map(|latest| latest.metadata.checkpoint)
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.id
    }

    /// Its term in its storage.
    pub fn storage_epoch(&self) -> u64 {
        self.launch.epoch
    }
}

/// What a job's thread has done.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It goes on.
    Went,
    /// It has taken over: so many of all its tasks go on.
    Recovered {
        /// Those that go on.
        going_on: usize,
        /// All.
        all: usize,
    },
    /// It has ended.
    Ended(Box<JobOutcome>),
    /// It is another's.
    Suspended,
}

/// What a job wants of its storage.
#[derive(Debug)]
pub struct StorageStep {
    /// The thread that hears the answers.
    pub thread: u64,
    /// Its job.
    pub job: JobId,
    /// Its term in its storage.
    pub epoch: u64,
    storage: Arc<FileStorage>,
    action: StorageAction,
}

impl StorageStep {
    /// The same in another term.
    pub fn in_term(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        if let StorageAction::Complete { metadata, .. } = &mut self.action {
            *metadata = Arc::new(CheckpointMetadata { epoch, ..(**metadata).clone() });
        }
        self
    }

    /// Does it, and gives the answers.
    pub fn perform(self) -> Vec<JobEvent> {
        perform(self.storage.as_ref(), self.epoch, self.action).into_iter().map(JobEvent::Storage).collect()
    }
}

/// A job's thread, and what it would wait for.
struct Thread {
    job: JobId,
    thread: JobThread<RemoteHost>,
    begin: Option<JobEvent>,
    messages: mpsc::Sender<Message>,
    inbox: mpsc::Receiver<Message>,
    waiting: VecDeque<Message>,
    wanted: Wanted,
}

/// What a job wants of its storage, which outlives its thread.
struct Wanted {
    thread: u64,
    job: JobId,
    epoch: u64,
    storage: Arc<FileStorage>,
    actions: mpsc::Receiver<StorageAction>,
}

impl Wanted {
    fn take(&self) -> impl Iterator<Item = StorageStep> {
        let step = |action| StorageStep { thread: self.thread, job: self.job, epoch: self.epoch, storage: self.storage.clone(), action };
        self.actions.try_iter().map(step)
    }
}

/// What jobs share with the JobManager.
struct Shared {
    state: Mutex<State>,
    clock: SharedClock,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster for Shared {
    fn request_slots(&self, job: JobId, count: u32) {
        let state = &mut *self.lock();
        let grants = state.resources.request(job, count);
        state.grant(grants);
    }

    fn withdraw_slots(&self, job: JobId, count: u32) {
        self.lock().resources.withdraw(job, count);
    }

    fn retire_worker(&self, job: JobId, worker: u64) {
        if let Some(job) = self.lock().jobs.get_mut(&job) {
            job.retire_worker(worker);
        }
    }

    fn release_slots(&self, job: JobId, slots: &[u32]) {
        let state = &mut *self.lock();
        let grants = state.resources.release(job, slots);
        state.grant(grants);
    }

    fn yield_slots(&self, job: JobId, held: &[u32], needed: u32) {
        let state = &mut *self.lock();
        let grants = state.resources.yield_slots(job, held, needed);
        state.grant(grants);
    }

    fn stop_worker(&self, job: JobId, worker: u64) {
        self.lock().stop_worker(job, worker);
    }

    fn recovered(&self, job: JobId) {
        self.lock().recovered(job);
    }
}

enum Outbox {
    TaskManager(mpsc::Receiver<ToTaskManager>),
    Worker(mpsc::Receiver<ToWorker>),
}

/// A JobManager whose every step somebody else takes.
pub struct SteppedJobManager {
    shared: Arc<Shared>,
    directory: CheckpointDirectory,
    keep_end: JobEnding,
    outboxes: BTreeMap<u64, Outbox>,
    threads: BTreeMap<u64, Thread>,
    next_thread: u64,
    /// Of threads that have ended.
    wanted: Vec<Wanted>,
}

impl fmt::Debug for SteppedJobManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteppedJobManager").field("threads", &self.threads.keys()).finish_non_exhaustive()
    }
}

impl SteppedJobManager {
    /// One that does not lead. All jobs keep their checkpoints in `directory`.
    pub fn new(clock: SharedClock, directory: CheckpointDirectory, keep_end: JobEnding) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), clock });
        SteppedJobManager {
            shared,
            directory,
            keep_end,
            outboxes: BTreeMap::new(),
            threads: BTreeMap::new(),
            next_thread: 0,
            wanted: Vec::new(),
        }
    }

    /// Its term, if it lets others in.
    pub fn epoch(&self) -> Option<u64> {
        self.shared.lock().term.as_ref().map(|term| term.epoch)
    }

    /// Prepares a job to be taken over in the term `epoch`.
    ///
    /// # Errors
    /// It cannot go on, or its storage does not answer.
    pub fn prepare(&self, epoch: u64, job: &RunningJob, seed: u64) -> Result<Prepared, Error> {
        let record: RunningRecord = records::decode(&job.bytes)?;
        let term = StorageTerm::Later(record.storage_epoch_of(epoch));
        let mut launch = launch_in(&self.directory, job.id, record.topology.clone(), record.settings.clone(), term, seed)?;
        record.hand_over(&mut launch.master);
        Ok(Prepared { id: job.id, record, launch })
    }

    /// Leads from now on, unless the term is over already. Returns the threads of the jobs that it takes over.
    pub fn lead(&mut self, store: JobStore, prepared: Vec<Prepared>, ended: Vec<EndedJob>, valid: bool) -> Vec<u64> {
        let epoch = store.epoch();
        {
            let state = &mut *self.shared.lock();
            state.resources.hold();
            state.recovering = prepared.iter().map(|prepared| prepared.id).collect();
            for job in ended {
                if let Ok(record) = records::decode::<EndedRecord>(&job.bytes) {
                    state.jobs.insert(job.id, Job::ended(record));
                }
            }
        }
        let mut threads = Vec::new();
        for Prepared { id, record, launch } in prepared.into_iter().filter(|_| valid) {
            let begin = JobEvent::Recover { last_checkpoint: launch.last_checkpoint, wait: RECONCILIATION };
            threads.push(self.run_job(&store, id, record, launch, begin));
        }
        let state = &mut *self.shared.lock();
        state.term = valid.then_some(Term { epoch, store: Some(store), leadership: None });
        state.serve_if_recovered();
        threads
    }

    /// Forgets everything: it is another's by now.
    pub fn step_down(&mut self) {
        let state = std::mem::take(&mut *self.shared.lock());
        state.jobs.values().for_each(Job::suspend);
    }

    /// Starts a job.
    ///
    /// # Errors
    /// As of production.
    pub fn submit(&mut self, submission: Submission) -> Result<u64, Error> {
        let Submission { id, program, topology, mut settings, seed } = submission;
        let (epoch, store) = {
            let state = self.shared.lock();
            let term = state.term.clone().ok_or_else(|| Error::invalid("it does not lead"))?;
            if state.jobs.contains_key(&id) {
                return Err(Error::invalid(format!("there is a job {id} already")));
            }
            (term.epoch, term.store.ok_or_else(|| Error::invalid("it has no job store"))?)
        };
        let launch = launch_in(&self.directory, id, topology.clone(), settings.clone(), StorageTerm::First, seed)?;
        if let (Some(restore), Some(from)) = (&mut settings.restore, &launch.restored_from) {
            restore.path.clone_from(from);
        }
        let token = String::new();
        let started = self.shared.clock.wall();
        let record = RunningRecord {
            program,
            topology,
            settings,
            started,
            token,
            storage_epoch: launch.epoch,
            leader_epoch: epoch,
            bounds: None,
            end: None,
        };
        store_new(&store, id, &record)?;
        let begin = JobEvent::Start { last_checkpoint: launch.last_checkpoint };
        Ok(self.run_job(&store, id, record, launch, begin))
    }

    fn run_job(&mut self, store: &JobStore, id: JobId, record: RunningRecord, launch: Launch, begin: JobEvent) -> u64 {
        let keep_decisions = decisions::keep(store.clone(), id, record.clone(), || false);
        let RunningRecord { program, topology, settings, started, token, .. } = record;
        let history = SharedHistory::default();
        let (messages, inbox) = mpsc::channel();
        let (storage, actions) = mpsc::channel();
        let ended = Arc::new(Ended::default());
        let figures = WorkerFigures::default();
        let keep_end: KeepEnd = {
            let (shared, keep_end) = (self.shared.clone(), self.keep_end.clone());
            let store = store.clone();
            Arc::new(move |outcome, overview| {
                let at = shared.clock.wall();
                let record = shared.lock().record_of_end(id, at, outcome, overview);
                let Some(record) = record.map(EndedRecord::into_stored) else { return false };
                keep_end(&store, id, &records::encode(&record).unwrap_or_default(), at)
            })
        };
        let thread = JobThread {
            host: RemoteHost::new(id, topology.clone(), self.shared.clone(), (figures.clone(), history.clone())),
            storage,
            master: launch.master,
            clock: self.shared.clock.clone(),
            ended: ended.clone(),
            requests: HashMap::new(),
            next_request: 0,
            history: Some(history.clone()),
            keep_end: Some(keep_end),
            decisions: Some(keep_decisions),
            end_decided: false,
        };
        history.created(started);
        history.found(&launch.completed, topology.parallelism().iter().sum());
        let parts = JobParts {
            topology,
            settings,
            program,
            token,
            started,
            messages: messages.clone(),
            ended,
            figures,
            history,
            first: thread.master.overview(),
            first_worker: first_worker(store.epoch()),
        };
        self.shared.lock().jobs.insert(id, Job::new(parts));
        self.next_thread += 1;
        let wanted = Wanted { thread: self.next_thread, job: id, epoch: launch.epoch, storage: launch.storage, actions };
        let thread = Thread { job: id, thread, begin: Some(begin), messages, inbox, waiting: VecDeque::new(), wanted };
        self.threads.insert(self.next_thread, thread);
        self.next_thread
    }

    /// The threads that have something to do at `now`.
    pub fn ready(&mut self, now: Duration) -> Vec<u64> {
        let mut ready = Vec::new();
        for (number, thread) in &mut self.threads {
            thread.waiting.extend(thread.inbox.try_iter());
            let due = thread.thread.master.next_wake().is_some_and(|at| at <= now);
            if thread.begin.is_some() || !thread.waiting.is_empty() || due {
                ready.push(*number);
            }
        }
        ready
    }

    /// When the next thread has something to do, if nothing comes.
    pub fn next_wake(&self) -> Option<Duration> {
        self.threads.values().filter_map(|thread| thread.thread.master.next_wake()).min()
    }

    /// The job of a thread.
    pub fn job_of(&self, thread: u64) -> Option<JobId> {
        self.threads.get(&thread).map(|thread| thread.job)
    }

    /// Lets a thread do one thing.
    pub fn run(&mut self, number: u64) -> Step {
        let Some(Thread { job, thread, begin, waiting, .. }) = self.threads.get_mut(&number) else { return Step::Suspended };
        let job = *job;
        let recovering = self.shared.lock().recovering.contains(&job);
        let over = match (begin.take(), waiting.pop_front()) {
            (Some(event), message) => {
                message.into_iter().for_each(|message| waiting.push_front(message));
                thread.handle(event)
            }
            (None, Some(message)) => thread.take(message),
            (None, None) => thread.handle(JobEvent::Tick),
        };
        match over {
            None if recovering && !self.shared.lock().recovering.contains(&job) => {
                let tasks = thread.master.overview().tasks;
                let goes_on = |status: &TaskStatus| matches!(status, TaskStatus::Running | TaskStatus::Deploying | TaskStatus::Finished);
                Step::Recovered { going_on: tasks.iter().filter(|(_, status)| goes_on(status)).count(), all: tasks.len() }
            }
            None => Step::Went,
            Some(Over::Suspended) => {
                thread.ended.suspend();
                self.wanted.extend(self.threads.remove(&number).map(|thread| thread.wanted));
                Step::Suspended
            }
            Some(Over::Ended(outcome)) => {
                thread.host.job_ended();
                let overview = thread.master.overview();
                thread.ended.set((*outcome).clone(), overview);
                self.wanted.extend(self.threads.remove(&number).map(|thread| thread.wanted));
                self.job_ended(job);
                Step::Ended(outcome)
            }
        }
    }

    fn job_ended(&mut self, id: JobId) {
        let state = &mut *self.shared.lock();
        let grants = state.resources.job_ended(id);
        state.grant(grants);
        state.recovering.remove(&id);
        state.serve_if_recovered();
    }

    /// Some time after a job's end: its workers were told to end, and must have by now.
    pub fn stop_workers(&mut self, id: JobId) {
        let state = &mut *self.shared.lock();
        let workers = state.jobs.get_mut(&id).map(Job::take_workers).unwrap_or_default();
        for (worker, task_manager) in workers {
            state.tell(&task_manager, ToTaskManager::StopWorker { job: id, worker });
        }
    }

    /// What its jobs want of their storage.
    pub fn take_storage(&mut self) -> Vec<StorageStep> {
        let mut steps: Vec<StorageStep> = self.wanted.drain(..).flat_map(|wanted| wanted.take().collect::<Vec<_>>()).collect();
        steps.extend(self.threads.values().flat_map(|thread| thread.wanted.take()));
        steps
    }

    /// The term of a thread's job in its storage.
    pub fn storage_epoch(&self, thread: u64) -> Option<u64> {
        self.threads.get(&thread).map(|thread| thread.wanted.epoch)
    }

    /// Something has happened for a thread.
    pub fn tell(&mut self, number: u64, event: JobEvent) {
        if let Some(thread) = self.threads.get(&number) {
            // It holds the receiver itself.
            let _ = thread.messages.send(Message::Event(event));
        }
    }

    /// Asks something of a job; the answer comes later. `None`: there is no such job.
    pub fn request(&self, job: JobId, body: JobRequest) -> Option<mpsc::Receiver<JobReply>> {
        let (reply, answer) = mpsc::channel();
        let thread = self.threads.values().find(|thread| thread.job == job)?;
        thread.messages.send(Message::Request(body, reply)).ok().map(|()| answer)
    }

    /// Whether it knows a job, and how that one has ended, if it has.
    pub fn outcome(&self, job: JobId) -> Option<Option<JobOutcome>> {
        self.shared.lock().jobs.get(&job).map(Job::outcome)
    }

    /// A TaskManager introduces itself.
    pub fn task_manager(&mut self, connection: u64, info: TaskManagerInfo) -> Welcome {
        let state = &mut *self.shared.lock();
        if state.task_managers.get(&info.id).is_some_and(|known| known.info.incarnation != info.incarnation) {
            return Welcome::Refused(format!("there is a TaskManager `{}` already", info.id));
        }
        task_manager_lost(state, &info.id, None, &has_come_again(&info.id));
        if state.term.is_none() {
            return Welcome::NotLeader(None);
        }
        let (sender, sent) = mpsc::channel();
        self.outboxes.insert(connection, Outbox::TaskManager(sent));
        register(state, info, Link::to(sender), connection, None);
        Welcome::Accepted
    }

    /// A TaskManager says something.
    pub fn task_manager_said(&mut self, message: FromTaskManager) {
        if let FromTaskManager::WorkerEnded { job, worker, reason } = message
            && let Some(job) = self.shared.lock().jobs.get_mut(&job)
        {
            job.worker_lost(worker, &reason);
        }
    }

    /// The connection of a TaskManager is over.
    pub fn task_manager_gone(&mut self, id: &str, connection: u64, reason: &str) {
        task_manager_lost(&mut self.shared.lock(), id, Some(connection), reason);
    }

    /// A worker introduces itself.
    pub fn worker(&mut self, connection: u64, info: WorkerInfo) -> Welcome {
        let state = &mut *self.shared.lock();
        match state.refusal(&info) {
            Some(_) if state.term.is_none() => return Welcome::NotLeader(None),
            Some(reason) => return Welcome::Refused(reason),
            None if state.term.is_none() => return Welcome::NotLeader(None),
            None => {}
        }
        let (sender, sent) = mpsc::channel();
        self.outboxes.insert(connection, Outbox::Worker(sent));
        state.worker_connected(info, Link::to(sender));
        Welcome::Accepted
    }

    /// A worker says something.
    pub fn worker_said(&mut self, job: JobId, worker: u64, message: FromWorker) {
        if let Some(job) = self.shared.lock().jobs.get(&job) {
            job.notice(WorkerNotice::Said { worker, message });
        }
    }

    /// The connection of a worker is over: it must end, if it has not.
    pub fn worker_gone(&mut self, job: JobId, worker: u64) {
        self.shared.lock().stop_worker(job, worker);
    }

    /// A little later: nobody knows better why it is gone.
    pub fn worker_lost(&mut self, job: JobId, worker: u64, reason: &str) {
        if let Some(job) = self.shared.lock().jobs.get_mut(&job) {
            job.worker_lost(worker, reason);
        }
    }

    /// What is to be sent, by connection.
    pub fn take_sent(&mut self) -> Vec<(u64, Sent)> {
        let mut all = Vec::new();
        self.outboxes.retain(|connection, outbox| {
            let mut next = || match outbox {
                Outbox::TaskManager(sent) => sent.try_recv().map(Sent::TaskManager),
                Outbox::Worker(sent) => sent.try_recv().map(|message| Sent::Worker(Box::new(message))),
            };
            let over = loop {
                match next() {
                    Ok(sent) => all.push((*connection, sent)),
                    Err(error) => break error == mpsc::TryRecvError::Disconnected,
                }
            };
            if over {
                all.push((*connection, Sent::Closed));
            }
            !over
        });
        all
    }

    /// The TaskManagers with their slots: all of them, and those that jobs use.
    pub fn slots(&self) -> Vec<(String, u32, u32)> {
        let state = self.shared.lock();
        let of = |registered: &Registered| {
            let id = &registered.info.id;
            let of_thread = |thread: &Thread| -> u32 {
                let Some(job) = state.jobs.get(&thread.job) else { return 0 };
                let here = thread.thread.host.slots_in_use().filter(|(worker, _)| job.task_manager_of(*worker) == Some(id.as_str()));
                here.map(|(_, slots)| slots).sum()
            };
            (id.clone(), registered.info.slots, self.threads.values().map(of_thread).sum())
        };
        state.task_managers.values().map(of).collect()
    }

    /// For faults that are planted: slots are given away although it is not known which are free.
    pub fn serve_early(&mut self) {
        let state = &mut *self.shared.lock();
        let grants = state.resources.resume();
        state.grant(grants);
    }
}
