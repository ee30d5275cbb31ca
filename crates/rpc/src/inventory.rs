//! What a worker tells a JobManager that has become the leader: what it runs, and what the leader before may not have heard of.
//!
//! A leader that ends takes its knowledge with it, and some messages are lost on their way to and from it. Tasks do not stop for
//! that. Each worker therefore keeps account of its own tasks and enumerators, and the next leader draws its picture from these
//! accounts and the last complete checkpoint: whatever is in neither is started again from that checkpoint.

use crate::task::TaskReport;
use flott_core::{
    error::TaskFailure,
    id::{AttemptId, CheckpointId, VertexId},
};
use serde::{Deserialize, Serialize};

/// Everything in a worker that a leader must know.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkerInventory {
    /// The newest attempt of each subtask that was deployed here.
    pub tasks: Vec<TaskInventory>,
    /// The enumerators that live here.
    pub enumerators: Vec<EnumeratorInventory>,
    /// The highest number of a checkpoint that was heard of here; 0: of none.
    pub last_checkpoint: u64,
}

/// A task, running or ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskInventory {
    /// Which run of which subtask.
    pub attempt: AttemptId,
    /// The slot that it was put into.
    pub slot: u32,
    /// The snapshot that it was started from.
    pub restored_from: Option<CheckpointId>,
    /// The number of subtasks of each vertex when it was started; empty: as in the graph.
    #[serde(default)]
    pub parallelism: Vec<u32>,
    /// Whether it was deployed as finished.
    pub restored_finished: bool,
    /// Of a source: the number of the command that made its enumerator.
    pub enumerator: u64,
    /// How far it is.
    pub state: TaskState,
    /// What its reader was given, if it is a source.
    pub reader: ReaderInventory,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskState {
    /// It restores its state.
    Deploying,
    /// It works.
    Running,
    /// All its input has ended; it waits for the last checkpoint.
    EndOfData,
    /// It was told to end.
    Canceling,
    /// It has ended: its last word, or none if it is gone without one.
    Ended(Option<Box<TaskReport>>),
}

/// What the reader of a source was told, as far as no complete checkpoint holds it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReaderInventory {
    /// The splits that it was given, each with the checkpoint whose barrier went out before.
    pub given: Vec<GivenSplits>,
    /// Whether it was told that no more splits come.
    pub no_more_splits: bool,
    /// Whether it has asked for a split and got no answer.
    pub asked: bool,
}

/// Splits that a reader was given together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenSplits {
    /// The last checkpoint that the reader had been told to take before; 0: none.
    pub after: u64,
    /// The encoded splits.
    pub splits: Vec<Vec<u8>>,
}

/// An enumerator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnumeratorInventory {
    /// Its source.
    pub vertex: VertexId,
    /// The number of the command that made it.
    pub created: u64,
    /// The number of the last command that has come for it.
    pub last_command: u64,
    /// The last checkpoint that it has given its state for; 0: none.
    pub last_snapshot: u64,
    /// What it has assigned and no complete checkpoint holds.
    pub assigned: Vec<AssignedSplits>,
    /// Why it failed, if it did.
    pub failed: Option<TaskFailure>,
}

/// Splits that an enumerator has assigned together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignedSplits {
    /// The last checkpoint for which the enumerator had given its state before; 0: none.
    pub after: u64,
    /// The reader.
    pub subtask: u32,
    /// The encoded splits.
    pub splits: Vec<Vec<u8>>,
}
