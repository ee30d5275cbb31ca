//! Between the JobManager and tasks.

use flott_core::{
    accumulator::AccumulatorValue,
    error::TaskFailure,
    id::{AttemptId, CheckpointId, OperatorId},
    snapshot::{KeyedSnapshot, ListStateSnapshot, SubtaskSnapshot},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a snapshot is taken, and what follows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SnapshotKind {
    /// To recover from a failure.
    Checkpoint,
    /// Asked for by the user, kept in `folder`.
    Savepoint {
        /// The savepoint's own folder, chosen by the JobManager; empty for one that is kept in memory.
        folder: String,
    },
    /// Asked for by the user, kept in `folder`; the job ends with it. Sources emit nothing behind the barrier.
    StopWithSavepoint {
        /// As of [`SnapshotKind::Savepoint`].
        folder: String,
        /// Whether event time is driven to its end first, which fires all timers; such a savepoint must not be resumed.
        drain: bool,
    },
}

impl SnapshotKind {
    /// Whether the job ends with this snapshot.
    pub fn stops(&self) -> bool {
        matches!(self, SnapshotKind::StopWithSavepoint { .. })
    }

    /// Whether this is a savepoint.
    pub fn is_savepoint(&self) -> bool {
        !matches!(self, SnapshotKind::Checkpoint)
    }
}

/// What travels with a barrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// The checkpoint.
    pub checkpoint: CheckpointId,
    /// Why it is taken.
    pub kind: SnapshotKind,
}

/// The state that one operator of a subtask starts from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OperatorRestore {
    /// Its share of list states.
    pub lists: Vec<ListStateSnapshot>,
    /// Keyed state of all old subtasks whose key groups overlap with its own.
    pub keyed: Vec<KeyedSnapshot>,
}

/// What a subtask starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskRestore {
    /// The snapshot.
    pub checkpoint: CheckpointId,
    /// The folder in which its files are, as its storage names it.
    pub location: String,
    /// The state of each operator that has any.
    pub operators: BTreeMap<OperatorId, OperatorRestore>,
    /// Whether the subtask had finished: its operators take no input again, it only commits what they had prepared and tells the
    /// next tasks that input has ended.
    pub finished: bool,
}

/// A task to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDeployment {
    /// Which run of which subtask.
    pub attempt: AttemptId,
    /// The number of the slot that it runs in.
    pub slot: u32,
    /// What it starts from; `None`: from nothing.
    pub restore: Option<TaskRestore>,
    /// The number of subtasks of each vertex of the job, the same for all tasks that start together. Empty: as in the graph.
    #[serde(default)]
    pub parallelism: Vec<u32>,
    /// Of a source: the number of the command that made the enumerator that it gets splits from; else 0.
    #[serde(default)]
    pub enumerator: u64,
}

/// To a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskCommand {
    /// Take a snapshot and send the barrier on. Only for tasks without running inputs.
    TriggerCheckpoint(Barrier),
    /// The checkpoint and all earlier ones are complete.
    CheckpointCompleted(CheckpointId),
    /// The checkpoint will never be complete.
    CheckpointAborted(CheckpointId),
    /// Splits for the source.
    AddSplits(Vec<Vec<u8>>),
    /// No more splits will come.
    NoMoreSplits,
    /// End without finishing anything.
    Cancel,
    /// Fail, for this reason: what connects the task with others broke.
    Fail(String),
    /// A question to one of its operators.
    Ask {
        /// The operator.
        operator: OperatorId,
        /// What its answer is known by.
        number: u64,
        /// What the operator understands.
        #[serde(with = "serde_bytes")]
        body: Vec<u8>,
    },
}

/// Figures of a task's part in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SubtaskCheckpointStats {
    /// From the first barrier to the last, µs.
    pub alignment_us: u64,
    /// The part for which the task stood still, µs.
    pub sync_us: u64,
    /// The longest turn of the task's loop, a batch with what was written before and between, while the snapshot was under way, µs.
    pub longest_step_us: u64,
    /// From the barrier until everything was stored, µs.
    pub total_us: u64,
    /// Bytes of state.
    pub bytes: u64,
}

/// From a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskReport {
    /// Its operators are open, restored state is loaded; a source's reader may be given splits.
    Running,
    /// All its input has ended and its operators have finished; it waits for the last checkpoint.
    EndOfData,
    /// Its last checkpoint is complete, everything is committed, the task is gone.
    Finished {
        /// The task's accumulators.
        accumulators: BTreeMap<String, AccumulatorValue>,
    },
    /// It has ended because it was told to.
    Canceled,
    /// It has failed and is gone.
    Failed(TaskFailure),
    /// Its state is stored.
    CheckpointAcknowledged {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The state.
        snapshot: Box<SubtaskSnapshot>,
        /// Figures.
        stats: SubtaskCheckpointStats,
    },
    /// It could not take part in the checkpoint; the task goes on.
    CheckpointDeclined {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Why.
        reason: String,
    },
    /// The source's reader wants a split.
    RequestSplit,
    /// The answer of one of its operators.
    Answer {
        /// The number of the question.
        number: u64,
        /// The answer; `None`: it has none.
        #[serde(default, with = "serde_bytes")]
        body: Option<Vec<u8>>,
    },
}

/// To the enumerator of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EnumeratorCommand {
    /// Make it, in place of any earlier one, from its state if there is one.
    Create {
        /// The snapshot that the state is from.
        #[serde(default)]
        checkpoint: Option<CheckpointId>,
        /// The encoded state.
        #[serde(default, with = "serde_bytes")]
        restored: Option<Vec<u8>>,
        /// The number of its readers; 0: as in the graph.
        #[serde(default)]
        readers: u32,
    },
    /// A reader is there.
    AddReader {
        /// Its subtask.
        subtask: u32,
    },
    /// A reader wants a split.
    RequestSplit {
        /// Its subtask.
        subtask: u32,
    },
    /// Splits that a lost reader had been given after the checkpoint from which it restarts.
    AddSplitsBack {
        /// Its subtask.
        subtask: u32,
        /// The encoded splits.
        splits: Vec<Vec<u8>>,
    },
    /// Report the state.
    Snapshot {
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// The checkpoint is complete.
    CheckpointCompleted(CheckpointId),
}

/// From the enumerator of a source. Reports keep their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum EnumeratorReport {
    /// Give these splits to a reader.
    Assign {
        /// The reader.
        subtask: u32,
        /// The encoded splits.
        splits: Vec<Vec<u8>>,
    },
    /// No more splits come for a reader.
    NoMoreSplits {
        /// The reader.
        subtask: u32,
    },
    /// The state that was asked for.
    Snapshot {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The encoded state.
        #[serde(with = "serde_bytes")]
        state: Vec<u8>,
    },
    /// The state cannot be had: the checkpoint fails, the job goes on.
    SnapshotFailed {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Why.
        reason: String,
    },
    /// The enumerator failed: the job does.
    Failed(TaskFailure),
}
