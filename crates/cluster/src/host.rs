//! Where the tasks of a job run: in this process, or in workers.

use crate::{control::Link, enumerators, tasks::Tasks};
use flott_core::id::{AttemptId, OperatorId, VertexId};
use flott_jobmanager::JobEvent;
use flott_rpc::{
    control::{FromWorker, ToWorker, WorkerInfo},
    tap::WorkerQuestion,
    task::{EnumeratorCommand, TaskCommand, TaskDeployment},
};
use std::{collections::HashSet, sync::mpsc};

/// Takes the answer of an operator; `None`: it has none.
pub(crate) type AnswerTo = mpsc::Sender<Option<Vec<u8>>>;

/// What happens to the workers of a job.
#[derive(Debug)]
pub(crate) enum WorkerNotice {
    /// The job may use slots in it; it is there already, or is being started.
    Granted { worker: u64, slots: Vec<u32> },
    /// It is there.
    Connected { info: Box<WorkerInfo>, link: Link<ToWorker> },
    /// It says something.
    Said { worker: u64, message: FromWorker },
    /// Those that answer are to be asked this.
    Ask { number: u64, question: WorkerQuestion, workers: Vec<u64> },
    /// It is gone, or could not be started: why, in words that say what is gone.
    Lost { worker: u64, reason: String },
}

/// Performs what a job wants done to its tasks. What a call leads to at once is returned.
pub(crate) trait TaskHost: Send {
    /// The job wants slots; they may come later.
    fn request_slots(&mut self, count: u32) -> Vec<JobEvent>;

    /// Of the slots that were requested and did not come, the job has no use for so many.
    fn withdraw_slots(&mut self, count: u32);
    /// The job needs these slots no more.
    fn release_slots(&mut self, slots: Vec<u32>);
    /// The job gives back slots that do not suffice, and wants so many at once instead of what it has requested.
    fn yield_slots(&mut self, held: Vec<u32>, needed: u32) -> Vec<JobEvent> {
        self.release_slots(held);
        self.request_slots(needed)
    }

    /// Starts tasks that are connected with each other.
    fn deploy(&mut self, deployments: Vec<TaskDeployment>) -> Vec<JobEvent>;

    /// Hands a command to a task. One for an attempt that has ended is dropped.
    fn send(&mut self, attempt: AttemptId, command: TaskCommand);

    /// Hands a command to the enumerator of a source.
    fn enumerator(&mut self, vertex: VertexId, number: u64, command: EnumeratorCommand) -> Vec<JobEvent>;

    /// Ends an attempt that does not end by itself.
    ///
    /// # Errors
    /// It cannot be ended: the job is to be given up, for this reason.
    fn kill(&mut self, attempt: AttemptId) -> Result<Vec<JobEvent>, String>;

    /// The job has ended.
    fn job_ended(&mut self);

    /// Workers of the leader before are no longer waited for.
    fn recovered(&mut self);

    /// Something has happened to a worker.
    fn notice(&mut self, notice: WorkerNotice) -> Vec<JobEvent>;

    /// Asks the first subtask of an operator. If there is no answer, `reply` is dropped.
    fn ask(&mut self, operator: OperatorId, body: Vec<u8>, reply: AnswerTo) {
        let _ = (operator, body, reply);
    }

    /// Whether nothing that comes from an attempt is to be heard any more.
    fn is_killed(&self, attempt: AttemptId) -> bool;
}

/// Tasks in this process.
pub(crate) struct LocalHost {
    pub(crate) tasks: Tasks,
    pub(crate) enumerators: mpsc::Sender<enumerators::Command>,
    /// The slots of this process: as many as jobs ask for.
    pub(crate) next_slot: u32,
    /// Attempts that did not end when they were told to. A thread cannot be killed.
    pub(crate) stuck: HashSet<AttemptId>,
}

impl TaskHost for LocalHost {
    fn request_slots(&mut self, count: u32) -> Vec<JobEvent> {
        let slots = (self.next_slot..self.next_slot + count).collect();
        self.next_slot += count;
        vec![JobEvent::Slots(slots)]
    }

    fn withdraw_slots(&mut self, _: u32) {}

    fn release_slots(&mut self, _: Vec<u32>) {}

    fn deploy(&mut self, deployments: Vec<TaskDeployment>) -> Vec<JobEvent> {
        let failed = self.tasks.deploy(deployments, None);
        failed.into_iter().map(|(attempt, reason)| JobEvent::AttemptLost(attempt, reason)).collect()
    }

    fn send(&mut self, attempt: AttemptId, command: TaskCommand) {
        self.tasks.send(attempt, command);
    }

    fn enumerator(&mut self, vertex: VertexId, number: u64, command: EnumeratorCommand) -> Vec<JobEvent> {
        // The thread ends with this sender.
        let _ = self.enumerators.send(enumerators::Command { vertex, number, command });
        Vec::new()
    }

    fn kill(&mut self, attempt: AttemptId) -> Result<Vec<JobEvent>, String> {
        self.stuck.insert(attempt);
        // Its thread may still write somewhere: nothing may be started in its place.
        tracing::error!(%attempt, "a task does not end; the job is given up, since a thread cannot be killed");
        Err(format!(
            "task {attempt} does not end although it was told to: its user code blocks; the job is given up, since its thread cannot be killed"
        ))
    }

    fn job_ended(&mut self) {}

    fn recovered(&mut self) {}

    fn notice(&mut self, _: WorkerNotice) -> Vec<JobEvent> {
        // There are none.
        Vec::new()
    }

    fn is_killed(&self, attempt: AttemptId) -> bool {
        self.stuck.contains(&attempt)
    }
}
