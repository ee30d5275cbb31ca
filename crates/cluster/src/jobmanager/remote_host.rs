//! The tasks of a job in worker processes, as its JobMaster's shell sees them.

use super::{SharedHistory, questions::Questions, worker_figures::WorkerFigures};
use crate::{
    control::Link,
    host::{AnswerTo, TaskHost, WorkerNotice},
};
use flott_core::{
    error::TaskFailure,
    id::{AttemptId, JobId, OperatorId, SubtaskId, VertexId},
};
use flott_graph::{JobTopology, VertexTopology, plan};
use flott_jobmanager::JobEvent;
use flott_rpc::{
    control::{FromWorker, ToWorker, WorkerInfo},
    inventory::WorkerInventory,
    task::{EnumeratorCommand, TaskCommand, TaskDeployment, TaskReport},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

/// Workers in a row that may fail to start before the job does: a program that crashes while it builds its graph always will.
const MOST_FAILED_STARTS: u32 = 3;

/// What a job asks of the cluster that it runs in.
pub(crate) trait Cluster: Send + Sync {
    /// The job wants so many slots more; they come as [`WorkerNotice::Granted`].
    fn request_slots(&self, job: JobId, count: u32);
    /// Of the slots that it wanted and was not given, the job has no use for so many.
    fn withdraw_slots(&self, job: JobId, count: u32);
    /// The job gives slots back.
    fn release_slots(&self, job: JobId, slots: &[u32]);
    /// The job gives back slots that do not suffice, and wants so many at once instead of what it wanted before.
    fn yield_slots(&self, job: JobId, held: &[u32], needed: u32);
    /// The worker was told to end: slots that the job gets where it was come with another one.
    fn retire_worker(&self, job: JobId, worker: u64);
    /// The worker must end, whatever it does.
    fn stop_worker(&self, job: JobId, worker: u64);
    /// The job knows again what runs where.
    fn recovered(&self, job: JobId);
}

#[derive(Debug, Default)]
struct Worker {
    slots: Vec<u32>,
    connection: Option<(Link<ToWorker>, SocketAddr)>,
    /// It was told to end, and its slots are no longer the job's.
    killed: bool,
}

/// The workers of a job.
pub(crate) struct RemoteHost {
    job: JobId,
    topology: JobTopology,
    cluster: Arc<dyn Cluster>,
    workers: BTreeMap<u64, Worker>,
    worker_of: HashMap<AttemptId, u64>,
    /// Where the enumerator of each source lives, and the number of the command that made it.
    enumerators: BTreeMap<VertexId, (u64, u64)>,
    killed: HashSet<AttemptId>,
    failed_starts: u32,
    figures: WorkerFigures,
    /// Where it is kept what attempts had counted.
    history: SharedHistory,
    questions: Questions,
}

impl RemoteHost {
    pub(crate) fn new(
        job: JobId,
        topology: JobTopology,
        cluster: Arc<dyn Cluster>,
        (figures, history): (WorkerFigures, SharedHistory),
    ) -> Self {
        RemoteHost {
            job,
            topology,
            cluster,
            workers: BTreeMap::new(),
            worker_of: HashMap::new(),
            enumerators: BTreeMap::new(),
            killed: HashSet::new(),
            failed_starts: 0,
            figures,
            history,
            questions: Questions::default(),
        }
    }

    /// The slots of each worker that was not told to end.
    #[cfg(feature = "stepped")]
    pub(super) fn slots_in_use(&self) -> impl Iterator<Item = (u64, u32)> {
        self.workers.iter().filter(|(_, worker)| !worker.killed).map(|(number, worker)| (*number, worker.slots.len() as u32))
    }

    fn connected(&mut self, info: &WorkerInfo, link: Link<ToWorker>) -> Vec<JobEvent> {
        if info.topology != self.topology {
            let reason = format!(
                "the program has built another graph in worker {} than where it was submitted: `main` must build the same graph whenever it \
                 runs with the same arguments; submitted was\n{}built was\n{}",
                info.worker,
                plan::text(&self.topology),
                plan::text(&info.topology)
            );
            return vec![JobEvent::Failed(unrecoverable(reason))];
        }
        self.failed_starts = 0;
        // What was said on an earlier connection may not have arrived.
        self.questions.forget();
        let worker = self.workers.entry(info.worker).or_default();
        worker.connection = Some((link, info.data_address));
        if let Some(inventory) = &info.inventory {
            worker.slots = slots_of(inventory);
            self.worker_of.extend(inventory.tasks.iter().map(|task| (task.attempt, info.worker)));
            for found in &inventory.enumerators {
                // Another worker may still have one that was there before.
                let newest = self.enumerators.entry(found.vertex).or_insert((found.created, info.worker));
                *newest = (*newest).max((found.created, info.worker));
            }
            return vec![JobEvent::Adopted(Box::new(inventory.clone()))];
        }
        if worker.slots.is_empty() { Vec::new() } else { vec![JobEvent::Slots(worker.slots.clone())] }
    }

    /// Keeps with their attempts what tasks have last said, of which nothing more is to come.
    fn keep_figures(&self, is_over: impl Fn(AttemptId, u64) -> bool) {
        let over: HashMap<SubtaskId, (AttemptId, u64)> = self
            .worker_of
            .iter()
            .filter(|(attempt, worker)| is_over(**attempt, **worker))
            .map(|(attempt, worker)| (attempt.subtask, (*attempt, *worker)))
            .collect();
        let kept = self.figures.said(|subtask, by| over.get(&subtask).filter(|(_, worker)| *worker == by).map(|(attempt, _)| *attempt));
        self.history.keep_figures(kept);
    }

    fn lost(&mut self, number: u64, reason: &str) -> Vec<JobEvent> {
        let Some(worker) = self.workers.remove(&number) else { return Vec::new() };
        self.keep_figures(|_, at| at == number);
        self.figures.worker_gone(number);
        self.worker_of.retain(|_, at| *at != number);
        self.questions.forget();
        self.cluster.release_slots(self.job, &worker.slots);
        if worker.connection.is_none() {
            self.failed_starts += 1;
            if self.failed_starts >= MOST_FAILED_STARTS {
                let reason = format!("{MOST_FAILED_STARTS} workers in a row could not be started; the last one: {reason}");
                return vec![JobEvent::Failed(unrecoverable(reason))];
            }
            tracing::warn!(job = %self.job, worker = number, reason, "a worker could not be started");
            self.cluster.request_slots(self.job, worker.slots.len() as u32);
            return Vec::new();
        }
        let hosted: Vec<VertexId> = self.enumerators.iter().filter(|(_, (_, at))| *at == number).map(|(vertex, _)| *vertex).collect();
        self.enumerators.retain(|_, (_, at)| *at != number);
        let mut events = Vec::new();
        if !worker.killed {
            tracing::warn!(job = %self.job, worker = number, reason, "a worker is gone");
            events.push(JobEvent::SlotsLost { slots: worker.slots, reason: reason.to_owned() });
        }
        events.extend(hosted.into_iter().map(|vertex| JobEvent::EnumeratorLost { vertex, reason: reason.to_owned() }));
        events
    }

    fn said(&mut self, worker: u64, message: FromWorker) -> Vec<JobEvent> {
        match message {
            FromWorker::Task(_, TaskReport::Answer { number, body }) => {
                self.questions.answer(number, body);
                Vec::new()
            }
            FromWorker::Task(attempt, report) => vec![JobEvent::Task(attempt, report)],
            FromWorker::TaskLost(attempt, reason) => vec![JobEvent::AttemptLost(attempt, reason)],
            FromWorker::Enumerator { vertex, after, report } if self.enumerators.get(&vertex).is_some_and(|(_, at)| *at == worker) => {
                vec![JobEvent::Enumerator { vertex, after, report }]
            }
            FromWorker::Enumerator { .. } => Vec::new(),
            // It was told to end, and says nothing new.
            FromWorker::Figures(_) if !self.workers.contains_key(&worker) => Vec::new(),
            FromWorker::Figures(mut figures) => {
                // A subtask that has moved stays in the figures of where it was.
                let here: HashSet<SubtaskId> =
                    self.worker_of.iter().filter(|(_, at)| **at == worker).map(|(attempt, _)| attempt.subtask).collect();
                let mut enumerators: Vec<_> = figures.iter_mut().flat_map(|task| std::mem::take(&mut task.enumerators)).collect();
                enumerators.retain(|one| self.enumerators.get(&one.vertex).is_some_and(|(_, at)| *at == worker));
                figures.retain(|task| here.contains(&task.subtask));
                self.figures.report(worker, figures, enumerators);
                Vec::new()
            }
            FromWorker::Failed(failure) => vec![JobEvent::Failed(failure)],
            // It is for those who have asked.
            FromWorker::Answer(..) => Vec::new(),
        }
    }

    fn forget_slots(&mut self, slots: &[u32]) {
        for worker in self.workers.values_mut() {
            worker.slots.retain(|slot| !slots.contains(slot));
        }
        // Before the slots are free: whoever gets them then must not get a worker that ends.
        self.retire_idle();
    }

    /// Ends workers that hold no slot and host no enumerator.
    fn retire_idle(&mut self) {
        let hosts: HashSet<u64> = self.enumerators.values().map(|(_, worker)| *worker).collect();
        let idle = |(number, worker): &(&u64, &Worker)| worker.slots.is_empty() && !worker.killed && !hosts.contains(number);
        let idle: Vec<u64> = self.workers.iter().filter(idle).map(|(number, _)| *number).collect();
        for number in idle {
            match self.workers.remove(&number).and_then(|worker| worker.connection) {
                Some((link, _)) => link.send(ToWorker::Stop),
                None => self.cluster.stop_worker(self.job, number),
            }
            self.cluster.retire_worker(self.job, number);
            self.keep_figures(|_, at| at == number);
            self.figures.worker_gone(number);
            self.worker_of.retain(|_, at| *at != number);
        }
    }

    /// The worker that holds a slot, if it is there.
    fn holder(&self, slot: u32) -> Option<(u64, &Link<ToWorker>, SocketAddr)> {
        let (number, worker) = self.workers.iter().find(|(_, worker)| worker.slots.contains(&slot) && !worker.killed)?;
        let (link, address) = worker.connection.as_ref()?;
        Some((*number, link, *address))
    }
}

impl TaskHost for RemoteHost {
    fn request_slots(&mut self, count: u32) -> Vec<JobEvent> {
        self.cluster.request_slots(self.job, count);
        Vec::new()
    }

    fn withdraw_slots(&mut self, count: u32) {
        self.cluster.withdraw_slots(self.job, count);
    }

    fn release_slots(&mut self, slots: Vec<u32>) {
        self.forget_slots(&slots);
        self.cluster.release_slots(self.job, &slots);
    }

    fn yield_slots(&mut self, held: Vec<u32>, needed: u32) -> Vec<JobEvent> {
        self.forget_slots(&held);
        self.cluster.yield_slots(self.job, &held, needed);
        Vec::new()
    }

    fn deploy(&mut self, deployments: Vec<TaskDeployment>) -> Vec<JobEvent> {
        let again: HashSet<SubtaskId> = deployments.iter().map(|deployment| deployment.attempt.subtask).collect();
        self.keep_figures(|attempt, _| again.contains(&attempt.subtask));
        self.figures.forget(|subtask| again.contains(&subtask));
        if let Some(parallelism) = deployments.first().map(|deployment| deployment.parallelism.clone()) {
            // Subtasks that the job does not have any more.
            let there =
                |subtask: SubtaskId| parallelism.get(subtask.vertex.0 as usize).is_none_or(|parallelism| subtask.index < *parallelism);
            self.worker_of.retain(|attempt, _| there(attempt.subtask));
            self.figures.forget(|subtask| !there(subtask));
        }
        let mut lost = Vec::new();
        let mut region = Vec::new();
        let mut by_worker: BTreeMap<u64, Vec<TaskDeployment>> = BTreeMap::new();
        for deployment in deployments {
            match self.holder(deployment.slot) {
                Some((worker, _, address)) => {
                    region.push((deployment.attempt, address));
                    by_worker.entry(worker).or_default().push(deployment);
                }
                None => lost.push(JobEvent::AttemptLost(deployment.attempt, format!("slot {} is gone", deployment.slot))),
            }
        }
        for (worker, here) in by_worker {
            self.worker_of.retain(|attempt, _| here.iter().all(|deployment| deployment.attempt.subtask != attempt.subtask));
            self.worker_of.extend(here.iter().map(|deployment| (deployment.attempt, worker)));
            if let Some((link, _)) = self.workers.get(&worker).and_then(|worker| worker.connection.as_ref()) {
                link.send(ToWorker::Deploy { here, region: region.clone() });
            }
        }
        lost
    }

    fn send(&mut self, attempt: AttemptId, command: TaskCommand) {
        let worker = self.worker_of.get(&attempt).and_then(|worker| self.workers.get(worker));
        if let Some((link, _)) = worker.and_then(|worker| worker.connection.as_ref()) {
            link.send(ToWorker::Command(attempt, command));
        }
    }

    fn enumerator(&mut self, vertex: VertexId, number: u64, command: EnumeratorCommand) -> Vec<JobEvent> {
        if let EnumeratorCommand::Create { .. } = command {
            // All in one place, the job's first worker that is there, and stays.
            let stays = |worker: &Worker| worker.connection.is_some() && !worker.killed && !worker.slots.is_empty();
            let first = self.workers.iter().find(|(_, worker)| stays(worker)).map(|(number, _)| *number);
            match first {
                Some(worker) => {
                    self.enumerators.insert(vertex, (number, worker));
                    self.retire_idle();
                }
                None => return vec![JobEvent::EnumeratorLost { vertex, reason: "no worker is there to host it".to_owned() }],
            }
        }
        let worker = self.enumerators.get(&vertex).and_then(|(_, worker)| self.workers.get(worker));
        if let Some((link, _)) = worker.and_then(|worker| worker.connection.as_ref()) {
            link.send(ToWorker::Enumerator { vertex, number, command });
        }
        Vec::new()
    }

    fn kill(&mut self, attempt: AttemptId) -> Result<Vec<JobEvent>, String> {
        self.killed.insert(attempt);
        let Some(number) = self.worker_of.get(&attempt).copied() else { return Ok(Vec::new()) };
        self.cluster.stop_worker(self.job, number);
        match self.workers.get_mut(&number) {
            Some(worker) if !worker.killed => {
                worker.killed = true;
                // Until the process is gone nothing else gets its slots.
                let reason = format!("worker {number} was killed, since task {attempt} did not end although it was told to");
                Ok(vec![JobEvent::SlotsLost { slots: worker.slots.clone(), reason }])
            }
            _ => Ok(Vec::new()),
        }
    }

    fn job_ended(&mut self) {
        for (link, _) in self.workers.values().filter_map(|worker| worker.connection.as_ref()) {
            link.send(ToWorker::Stop);
        }
    }

    fn recovered(&mut self) {
        // One that ran nothing for the job, or came too late, is not needed.
        for (link, _) in self.workers.values().filter(|worker| worker.slots.is_empty()).filter_map(|worker| worker.connection.as_ref()) {
            link.send(ToWorker::Stop);
        }
        self.cluster.recovered(self.job);
    }

    fn notice(&mut self, notice: WorkerNotice) -> Vec<JobEvent> {
        match notice {
            WorkerNotice::Granted { worker, slots } => {
                let known = self.workers.entry(worker).or_default();
                known.slots.extend(&slots);
                if known.connection.is_some() { vec![JobEvent::Slots(slots)] } else { Vec::new() }
            }
            WorkerNotice::Connected { info, link } => self.connected(&info, link),
            WorkerNotice::Said { worker, message } => self.said(worker, message),
            WorkerNotice::Ask { number, question, workers } => {
                let asked = workers.iter().filter_map(|worker| self.workers.get(worker)?.connection.as_ref());
                asked.for_each(|(link, _)| link.send(ToWorker::Ask(number, question.clone())));
                Vec::new()
            }
            WorkerNotice::Lost { worker, reason } => self.lost(worker, &reason),
        }
    }

    fn ask(&mut self, operator: OperatorId, body: Vec<u8>, reply: AnswerTo) {
        let of_operator = |vertex: &&VertexTopology| vertex.operators.iter().any(|other| other.id == operator);
        let Some(vertex) = self.topology.vertices.iter().find(of_operator).map(|vertex| vertex.id) else {
            // Whoever asked may be gone.
            let _ = reply.send(None);
            return;
        };
        let first = SubtaskId { vertex, index: 0 };
        let Some(attempt) = self.worker_of.keys().filter(|attempt| attempt.subtask == first).max().copied() else { return };
        if let Some(number) = self.questions.ask(operator, attempt, reply) {
            self.send(attempt, TaskCommand::Ask { operator, number, body });
        }
    }

    fn is_killed(&self, attempt: AttemptId) -> bool {
        self.killed.contains(&attempt)
    }
}

/// A failure of the job that a restart would meet again.
fn unrecoverable(reason: String) -> TaskFailure {
    TaskFailure { unrecoverable: true, ..TaskFailure::without_task("job", reason) }
}

/// The slots that a worker uses.
pub(super) fn slots_of(inventory: &WorkerInventory) -> Vec<u32> {
    let slots: BTreeSet<u32> = inventory.tasks.iter().map(|task| task.slot).collect();
    slots.into_iter().collect()
}
