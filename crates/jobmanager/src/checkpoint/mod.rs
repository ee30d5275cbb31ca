//! Checkpoints: when they are taken, what belongs to them, when they are complete, and what happens if they fail.

mod completed;
mod coordinator;
mod metadata;
mod outcome;
mod pending;
mod savepoint;

pub use completed::CompletedCheckpoints;
pub(crate) use coordinator::{CheckpointCoordinator, Context};
pub(crate) use outcome::without_files;

use flott_core::id::{AttemptId, CheckpointId, VertexId};

/// Why a checkpoint will not be complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFailure {
    /// Not all have answered in time.
    #[error("it was not complete in time; {missing} tasks or enumerators had not answered, first `{first}`")]
    Expired {
        /// How many had not answered.
        missing: usize,
        /// One of them.
        first: String,
    },
    /// A task could not take part.
    #[error("task {attempt} declined: {reason}")]
    Declined {
        /// The task.
        attempt: AttemptId,
        /// Why.
        reason: String,
    },
    /// The enumerator of a source could not give its state.
    #[error("the enumerator of {vertex} could not give its state: {reason}")]
    Enumerator {
        /// The vertex of the source.
        vertex: VertexId,
        /// Why.
        reason: String,
    },
    /// The storage failed.
    #[error("the storage failed: {0}")]
    Storage(String),
    /// A task failed.
    #[error("a task that took part in it failed")]
    TaskFailed,
    /// A task finished that was to take part; it is taken again at once.
    #[error("task {0} finished before it took part")]
    TaskFinished(AttemptId),
    /// A later one was complete first.
    #[error("checkpoint {0} was complete first")]
    Subsumed(CheckpointId),
    /// The job ended.
    #[error("the job has ended")]
    JobEnded,
}

impl CheckpointFailure {
    /// Whether it counts against `execution.checkpointing.tolerable-failed-checkpoints`: only what the checkpoint itself is to
    /// blame for does.
    pub fn counts(&self) -> bool {
        use CheckpointFailure::*;
        matches!(self, Expired { .. } | Declined { .. } | Enumerator { .. } | Storage(_))
    }
}

#[cfg(test)]
mod tests;
