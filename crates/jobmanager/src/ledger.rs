//! What a worker notes for the next leader: the state of its tasks, and what its readers and enumerators have said and been told.
//!
//! The counterpart of the JobMaster's recovery. A worker passes every command and every report by here, in the order in which they
//! come and go. [`Ledger::inventory`] and the switch to the next leader must be one step: what was noted before is in the
//! inventory, what follows goes to the new leader.

use flott_core::id::{AttemptId, SubtaskId, VertexId};
use flott_rpc::{
    inventory::{AssignedSplits, EnumeratorInventory, GivenSplits, ReaderInventory, TaskInventory, TaskState, WorkerInventory},
    task::{EnumeratorCommand, EnumeratorReport, TaskCommand, TaskDeployment, TaskReport},
};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
struct TaskAccount {
    inventory: TaskInventory,
    /// The last checkpoint that it was told to take.
    triggered: u64,
}

/// The account of one worker.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    tasks: BTreeMap<SubtaskId, TaskAccount>,
    enumerators: BTreeMap<VertexId, EnumeratorInventory>,
    last_checkpoint: u64,
}

impl Ledger {
    /// A task is being started, in place of any earlier attempt.
    pub fn deployed(&mut self, deployment: &TaskDeployment) {
        let restored_from = deployment.restore.as_ref().map(|restore| restore.checkpoint);
        let triggered = restored_from.map_or(0, |checkpoint| checkpoint.0);
        self.heard_of(triggered);
        let inventory = TaskInventory {
            attempt: deployment.attempt,
            slot: deployment.slot,
            restored_from,
            parallelism: deployment.parallelism.clone(),
            restored_finished: deployment.restore.as_ref().is_some_and(|restore| restore.finished),
            enumerator: deployment.enumerator,
            state: TaskState::Deploying,
            reader: ReaderInventory::default(),
        };
        self.tasks.insert(deployment.attempt.subtask, TaskAccount { inventory, triggered });
    }

    /// A task is about to be told something.
    pub fn command(&mut self, attempt: AttemptId, command: &TaskCommand) {
        if let TaskCommand::TriggerCheckpoint(barrier) = command {
            self.heard_of(barrier.checkpoint.0);
        }
        let Some(task) = self.task(attempt) else { return };
        let reader = &mut task.inventory.reader;
        match command {
            TaskCommand::TriggerCheckpoint(barrier) => task.triggered = barrier.checkpoint.0,
            TaskCommand::CheckpointCompleted(checkpoint) => reader.given.retain(|given| given.after >= checkpoint.0),
            TaskCommand::AddSplits(splits) => {
                reader.asked = false;
                reader.given.push(GivenSplits { after: task.triggered, splits: splits.clone() });
            }
            TaskCommand::NoMoreSplits => {
                reader.asked = false;
                reader.no_more_splits = true;
            }
            TaskCommand::Cancel if !matches!(task.inventory.state, TaskState::Ended(_)) => task.inventory.state = TaskState::Canceling,
            TaskCommand::Cancel | TaskCommand::CheckpointAborted(_) | TaskCommand::Fail(_) | TaskCommand::Ask { .. } => {}
        }
    }

    /// A task has said something.
    pub fn report(&mut self, attempt: AttemptId, report: &TaskReport) {
        if let TaskReport::CheckpointAcknowledged { checkpoint, .. } | TaskReport::CheckpointDeclined { checkpoint, .. } = report {
            self.heard_of(checkpoint.0);
        }
        let Some(task) = self.task(attempt).map(|task| &mut task.inventory) else { return };
        let canceling = task.state == TaskState::Canceling;
        match report {
            TaskReport::Running if !canceling => task.state = TaskState::Running,
            TaskReport::EndOfData if !canceling => task.state = TaskState::EndOfData,
            TaskReport::Finished { .. } | TaskReport::Canceled | TaskReport::Failed(_) => {
                task.state = TaskState::Ended(Some(Box::new(report.clone())));
            }
            TaskReport::RequestSplit => task.reader.asked = true,
            _ => {}
        }
    }

    /// A task is gone without a word.
    pub fn lost(&mut self, attempt: AttemptId) {
        if let Some(task) = self.task(attempt) {
            task.inventory.state = TaskState::Ended(None);
        }
    }

    /// An enumerator is about to be told something.
    pub fn enumerator_command(&mut self, vertex: VertexId, number: u64, command: &EnumeratorCommand) {
        if let EnumeratorCommand::Create { checkpoint, .. } = command {
            let made = EnumeratorInventory {
                vertex,
                created: number,
                last_command: number,
                last_snapshot: checkpoint.map_or(0, |checkpoint| checkpoint.0),
                assigned: Vec::new(),
                failed: None,
            };
            self.enumerators.insert(vertex, made);
            return;
        }
        if let EnumeratorCommand::Snapshot { checkpoint } = command {
            self.heard_of(checkpoint.0);
        }
        let Some(enumerator) = self.enumerators.get_mut(&vertex) else { return };
        enumerator.last_command = number;
        match command {
            // Others that it has assigned to this reader since, before it knew, go to the reader's next attempt.
            EnumeratorCommand::AddSplitsBack { subtask, splits } => take_back(&mut enumerator.assigned, *subtask, splits),
            EnumeratorCommand::CheckpointCompleted(checkpoint) => enumerator.assigned.retain(|assigned| assigned.after >= checkpoint.0),
            _ => {}
        }
    }

    /// An enumerator has said something, after it had handled the command of number `after`.
    pub fn enumerator_report(&mut self, vertex: VertexId, after: u64, report: &EnumeratorReport) {
        // What another one has said that was there before does not count.
        let Some(enumerator) = self.enumerators.get_mut(&vertex).filter(|enumerator| after >= enumerator.created) else { return };
        match report {
            EnumeratorReport::Assign { subtask, splits } => {
                enumerator.assigned.push(AssignedSplits { after: enumerator.last_snapshot, subtask: *subtask, splits: splits.clone() });
            }
            EnumeratorReport::Snapshot { checkpoint, .. } => enumerator.last_snapshot = checkpoint.0,
            EnumeratorReport::Failed(failure) => enumerator.failed = Some(failure.clone()),
            EnumeratorReport::NoMoreSplits { .. } | EnumeratorReport::SnapshotFailed { .. } => {}
        }
    }

    /// Adds the account of another worker.
    pub(crate) fn merge(&mut self, inventory: WorkerInventory) {
        self.heard_of(inventory.last_checkpoint);
        for inventory in inventory.tasks {
            // One worker may still know of an attempt that had been started again in another.
            let subtask = inventory.attempt.subtask;
            if self.tasks.get(&subtask).is_none_or(|known| known.inventory.attempt < inventory.attempt) {
                self.tasks.insert(subtask, TaskAccount { inventory, triggered: 0 });
            }
        }
        for enumerator in inventory.enumerators {
            if self.enumerators.get(&enumerator.vertex).is_none_or(|known| known.created < enumerator.created) {
                self.enumerators.insert(enumerator.vertex, enumerator);
            }
        }
    }

    /// Whatever ran in these slots is gone, with its slot.
    pub(crate) fn slots_lost(&mut self, slots: &[u32]) {
        self.tasks.retain(|_, task| !slots.contains(&task.inventory.slot));
    }

    /// An enumerator is gone with its process.
    pub(crate) fn enumerator_lost(&mut self, vertex: VertexId) {
        self.enumerators.remove(&vertex);
    }

    /// Whether there is something to say of a subtask.
    pub(crate) fn knows(&self, subtask: SubtaskId) -> bool {
        self.tasks.contains_key(&subtask)
    }

    /// Whether there is something to say of the enumerator of a source.
    pub(crate) fn knows_enumerator(&self, vertex: VertexId) -> bool {
        self.enumerators.contains_key(&vertex)
    }

    /// The number of subtasks of each vertex when the newest tasks were started: attempts are numbered on when it changes.
    pub(crate) fn parallelism(&self) -> Option<&[u32]> {
        let newest = self.tasks.values().map(|task| &task.inventory).max_by_key(|task| task.attempt.attempt)?;
        Some(&newest.parallelism).filter(|parallelism| !parallelism.is_empty()).map(Vec::as_slice)
    }

    /// The account as it stands.
    pub fn inventory(&self) -> WorkerInventory {
        WorkerInventory {
            tasks: self.tasks.values().map(|task| task.inventory.clone()).collect(),
            enumerators: self.enumerators.values().cloned().collect(),
            last_checkpoint: self.last_checkpoint,
        }
    }

    fn task(&mut self, attempt: AttemptId) -> Option<&mut TaskAccount> {
        self.tasks.get_mut(&attempt.subtask).filter(|task| task.inventory.attempt == attempt)
    }

    fn heard_of(&mut self, checkpoint: u64) {
        self.last_checkpoint = self.last_checkpoint.max(checkpoint);
    }
}

fn take_back(assigned: &mut Vec<AssignedSplits>, subtask: u32, splits: &[Vec<u8>]) {
    for split in splits {
        let mut of_reader = assigned.iter_mut().filter(|assigned| assigned.subtask == subtask);
        if let Some(holder) = of_reader.find(|assigned| assigned.splits.contains(split)) {
            holder.splits.retain(|other| other != split);
        }
    }
    assigned.retain(|assigned| !assigned.splits.is_empty());
}
