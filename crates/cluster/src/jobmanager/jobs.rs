//! A job of a JobManager, from outside its thread.

use super::{history::SharedHistory, rates::TaskRates, records::EndedRecord, worker_figures::WorkerFigures};
use crate::{
    host::WorkerNotice,
    job::{Ended, Message},
};
use flott_core::{
    Error, ErrorKind, Timestamp,
    id::{JobId, OperatorId, SubtaskId, VertexId},
};
use flott_graph::{JobTopology, settings::JobSettings};
use flott_rpc::{
    client::{JobOutcome, JobOverview, JobReply, JobRequest, OperatorReply},
    control::Program,
    figures::EnumeratorFigures,
    gateway::TaskFigures,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

/// How long an operator may take to answer: the batch that its task is at.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// A job, running or ended.
pub(super) struct Job {
    pub(super) topology: Arc<JobTopology>,
    pub(super) settings: Arc<JobSettings>,
    pub(super) history: SharedHistory,
    pub(super) program: Program,
    /// The secret that its workers share.
    pub(super) token: String,
    /// When it was submitted, ms since 1970.
    pub(super) started: Timestamp,
    /// When it ended, ms since 1970.
    pub(super) ended_at: Option<Timestamp>,
    messages: mpsc::Sender<Message>,
    ended: Arc<Ended>,
    figures: WorkerFigures,
    /// Its TaskManager for each worker.
    workers: BTreeMap<u64, String>,
    /// Those of which nothing is heard any more, with what became of them.
    silent: BTreeMap<u64, String>,
    /// Those of its workers that have connected, and whether they answer questions.
    connected: BTreeMap<u64, bool>,
    next_worker: u64,
    /// The TaskManager of each slot that it has had.
    slots: BTreeMap<u32, String>,
    /// As it was before it ran.
    first: JobOverview,
}

/// What a job is made from.
pub(super) struct JobParts {
    pub(super) topology: JobTopology,
    pub(super) settings: JobSettings,
    pub(super) program: Program,
    pub(super) token: String,
    pub(super) started: Timestamp,
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) ended: Arc<Ended>,
    pub(super) figures: WorkerFigures,
    pub(super) history: SharedHistory,
    /// As it is before it runs.
    pub(super) first: JobOverview,
    /// The number of its first worker: above those of all leaders before.
    pub(super) first_worker: u64,
}

/// A way to ask a job something, without holding up anyone else.
pub(super) struct JobHandle {
    messages: mpsc::Sender<Message>,
    ended: Arc<Ended>,
    figures: WorkerFigures,
    first: JobOverview,
}

impl Job {
    pub(super) fn new(parts: JobParts) -> Self {
        let JobParts { topology, settings, program, token, started, messages, ended, figures, history, first, first_worker } = parts;
        Job {
            topology: Arc::new(topology),
            settings: Arc::new(settings),
            history,
            program,
            token,
            started,
            ended_at: None,
            messages,
            ended,
            figures,
            workers: BTreeMap::new(),
            silent: BTreeMap::new(),
            connected: BTreeMap::new(),
            next_worker: first_worker,
            slots: BTreeMap::new(),
            first,
        }
    }

    /// One that has ended before this JobManager began to lead.
    pub(super) fn ended(record: EndedRecord) -> Self {
        let EndedRecord { program, topology, settings, started, ended, history, overview, outcome, slots, figures } = record;
        // Nobody receives: a job that has ended hears nothing.
        let (messages, _) = mpsc::channel();
        Job {
            topology: Arc::new(topology),
            settings: Arc::new(settings),
            history: SharedHistory::of(history),
            program,
            token: String::new(),
            started,
            ended_at: Some(ended),
            messages,
            first: overview.clone(),
            ended: Arc::new(Ended::already(outcome, overview)),
            figures: WorkerFigures::of(figures),
            workers: BTreeMap::new(),
            silent: BTreeMap::new(),
            connected: BTreeMap::new(),
            next_worker: 0,
            slots,
        }
    }

    /// Another JobManager leads.
    pub(super) fn suspend(&self) {
        // One that has ended stays so.
        let _ = self.messages.send(Message::Suspend);
    }

    /// A worker that the leader before has started lives on a TaskManager.
    pub(super) fn found_worker(&mut self, worker: u64, task_manager: &str) {
        self.workers.insert(worker, task_manager.to_owned());
    }

    /// How it ended, if it has.
    #[cfg(feature = "stepped")]
    pub(super) fn outcome(&self) -> Option<JobOutcome> {
        self.ended.outcome()
    }

    pub(super) fn worker_connected(&mut self, worker: u64, answers: bool) {
        self.connected.insert(worker, answers);
    }

    /// Those of its workers that can be asked something, and the number of those that cannot: their program is too old.
    pub(super) fn answering(&self) -> (Vec<u64>, usize) {
        let there = self.connected.iter().filter(|(worker, _)| self.workers.contains_key(worker));
        let (able, unable): (Vec<_>, Vec<_>) = there.partition(|(_, answers)| **answers);
        (able.into_iter().map(|(worker, _)| *worker).collect(), unable.len())
    }

    /// Slots that a worker used under the leader before.
    pub(super) fn adopted(&mut self, worker: u64, slots: &[u32]) {
        if let Some(task_manager) = self.workers.get(&worker) {
            self.slots.extend(slots.iter().map(|slot| (*slot, task_manager.clone())));
        }
    }

    /// Forgets workers that have not connected, of which no more is expected. Returns them with their TaskManagers.
    pub(super) fn forget_missing_workers(&mut self) -> Vec<(u64, String)> {
        let missing: Vec<(u64, String)> = self
            .workers
            .iter()
            .filter(|(worker, _)| !self.connected.contains_key(worker))
            .map(|(worker, at)| (*worker, at.clone()))
            .collect();
        missing.iter().for_each(|(worker, _)| drop(self.workers.remove(worker)));
        missing
    }

    pub(super) fn handle(&self) -> JobHandle {
        JobHandle { messages: self.messages.clone(), ended: self.ended.clone(), figures: self.figures.clone(), first: self.first.clone() }
    }

    /// What its tasks have last said of themselves.
    pub(super) fn figures(&self) -> Vec<TaskFigures> {
        self.figures.read()
    }

    /// Where its tasks run: the worker and the thread.
    pub(super) fn threads(&self) -> BTreeMap<SubtaskId, (u64, u32)> {
        self.figures.threads()
    }

    pub(super) fn set_ended(&mut self, at: Timestamp) {
        self.ended_at = Some(at);
    }

    /// The job's worker on a TaskManager, and whether it is to be started.
    pub(super) fn worker_on(&mut self, task_manager: &str) -> (u64, bool) {
        if let Some((worker, _)) = self.workers.iter().find(|(_, at)| *at == task_manager) {
            return (*worker, false);
        }
        let worker = self.next_worker;
        self.next_worker += 1;
        self.workers.insert(worker, task_manager.to_owned());
        (worker, true)
    }

    pub(super) fn task_manager_of(&self, worker: u64) -> Option<&str> {
        self.workers.get(&worker).map(String::as_str)
    }

    pub(super) fn slots_by_task_manager(&self) -> &BTreeMap<u32, String> {
        &self.slots
    }

    pub(super) fn granted(&mut self, worker: u64, slots: Vec<u32>) {
        if let Some(task_manager) = self.workers.get(&worker) {
            self.slots.extend(slots.iter().map(|slot| (*slot, task_manager.clone())));
        }
        self.notice(WorkerNotice::Granted { worker, slots });
    }

    /// Tells the job's thread something. A job that has ended hears no more.
    pub(super) fn notice(&self, notice: WorkerNotice) {
        let _ = self.messages.send(Message::Worker(notice));
    }

    /// A worker was told to end; nobody waits for that.
    pub(super) fn retire_worker(&mut self, worker: u64) {
        self.workers.remove(&worker);
    }

    /// A worker is about to be lost, whatever its TaskManager says of its end.
    pub(super) fn worker_silent(&mut self, worker: u64, reason: String) {
        self.silent.insert(worker, reason);
    }

    /// A worker is gone. The reason says what became of it: `was killed`.
    pub(super) fn worker_lost(&mut self, worker: u64, reason: &str) {
        let silent = self.silent.remove(&worker);
        let reason = silent.as_deref().unwrap_or(reason);
        if let Some(task_manager) = self.workers.remove(&worker) {
            self.notice(WorkerNotice::Lost { worker, reason: format!("worker {worker} on TaskManager `{task_manager}` {reason}") });
        }
    }

    /// All workers on a TaskManager are gone, for a reason that names it.
    pub(super) fn task_manager_lost(&mut self, task_manager: &str, reason: &str) {
        let gone: Vec<u64> = self.workers.extract_if(.., |_, at| at == task_manager).map(|(worker, _)| worker).collect();
        gone.into_iter().for_each(|worker| self.notice(WorkerNotice::Lost { worker, reason: reason.to_owned() }));
    }

    /// Its workers and their TaskManagers; afterwards it has none.
    pub(super) fn take_workers(&mut self) -> BTreeMap<u64, String> {
        std::mem::take(&mut self.workers)
    }
}

impl JobHandle {
    pub(super) fn overview(&self) -> JobOverview {
        if let Some(overview) = self.ended.overview() {
            return overview;
        }
        let (reply, answer) = mpsc::channel();
        let sent = self.messages.send(Message::Overview(reply)).is_ok();
        let answer = if sent { answer.recv().ok() } else { None };
        // No answer: it has ended in between, or its thread is about to say that it panicked.
        answer.or_else(|| self.ended.overview()).unwrap_or_else(|| self.first.clone())
    }

    pub(super) fn request(&self, id: JobId, request: JobRequest) -> Result<JobReply, Error> {
        let (reply, answer) = mpsc::channel();
        let ended = || Error::new(ErrorKind::Unavailable, format!("job {id} has ended"));
        self.messages.send(Message::Request(request, reply)).map_err(|_| ended())?;
        let lost =
            || Error::new(ErrorKind::Unavailable, format!("the JobManager that was asked leads no more, and did not answer for job {id}"));
        answer.recv().map_err(|_| if self.ended.overview().is_some() { ended() } else { lost() })
    }

    /// Asks the first subtask of an operator; `None`: another JobManager leads.
    pub(super) fn ask_operator(&self, operator: OperatorId, body: Vec<u8>) -> Result<Option<OperatorReply>, Error> {
        let (reply, answer) = mpsc::channel();
        // One that has ended hears nothing.
        let _ = self.messages.send(Message::Ask { operator, body, reply });
        match answer.recv_timeout(ANSWER_TIMEOUT) {
            Ok(Some(answer)) => Ok(Some(OperatorReply::Answer(answer))),
            Ok(None) => Err(Error::invalid("the operator does not understand what it is asked")),
            Err(_) if self.ended.is_suspended() => Ok(None),
            Err(_) if self.ended.overview().is_some() => Ok(Some(OperatorReply::Ended)),
            Err(_) => Ok(Some(OperatorReply::NotThere)),
        }
    }

    /// `None`: another JobManager leads.
    pub(super) fn wait(&self) -> Option<JobOutcome> {
        self.ended.wait()
    }

    pub(super) fn rates(&self) -> BTreeMap<SubtaskId, TaskRates> {
        self.figures.rates()
    }

    pub(super) fn enumerators(&self) -> BTreeMap<VertexId, EnumeratorFigures> {
        self.figures.enumerators()
    }

    pub(super) fn figures(&self) -> Vec<TaskFigures> {
        self.figures.read()
    }
}
