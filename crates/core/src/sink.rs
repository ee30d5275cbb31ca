//! Sinks: where records go, after Flink's Sink V2 shape.
//!
//! A [`Sink`] has a [`SinkWriter`] in each subtask. At a checkpoint the writer prepares what it wrote since the last one as
//! *committables*, which become part of the checkpoint. When the checkpoint is complete, and again after a recovery from
//! it, the [`Committer`] makes them visible; doing so twice must do no harm.

use crate::{batch::Batch, data::Data, error::BoxError, id::CheckpointId, metrics::MetricGroup, time::SharedClock};
use std::time::Duration;

/// A sink of records of `T`.
pub trait Sink<T: Data>: Send + Sync + 'static {
    /// What a checkpoint makes visible; `()` for a sink that writes through at once (at least once).
    type Committable: Data;
    /// What a writer remembers; `()` if nothing.
    type WriterState: Data;

    /// The writer of one subtask. `restored` holds the states that fall to it; more than one, or none, after rescaling.
    ///
    /// # Errors
    /// Fails the task.
    fn create_writer(
        &self,
        context: &WriterContext,
        restored: Vec<Self::WriterState>,
    ) -> Result<BoxWriter<T, Self::Committable, Self::WriterState>, BoxError>;

    /// The committer of one subtask; `None` for a sink that writes through at once.
    ///
    /// # Errors
    /// Fails the task.
    fn create_committer(&self, context: &WriterContext) -> Result<Option<Box<dyn Committer<Self::Committable>>>, BoxError>;
}

/// A writer of any type.
pub type BoxWriter<T, C, S> = Box<dyn SinkWriter<T, C, S>>;

/// What a writer is made with.
#[derive(Clone)]
pub struct WriterContext {
    /// The operator's name.
    pub operator: String,
    /// The index of the subtask.
    pub subtask: u32,
    /// The number of subtasks.
    pub parallelism: u32,
    /// The run of the subtask, from 0.
    pub attempt: u32,
    /// The checkpoint that the job was restored from.
    pub restored: Option<CheckpointId>,
    /// The clock to use.
    pub clock: SharedClock,
    /// Where the writer's metrics belong.
    pub metrics: MetricGroup,
    /// A seed for names that must differ between subtasks and attempts.
    pub seed: u64,
}

impl std::fmt::Debug for WriterContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriterContext").field("operator", &self.operator).field("subtask", &self.subtask).finish_non_exhaustive()
    }
}

/// Writes records.
pub trait SinkWriter<T, C, S> {
    /// Writes a batch.
    ///
    /// # Errors
    /// Fails the task.
    fn write(&mut self, batch: Batch<T>) -> Result<(), BoxError>;

    /// Brings everything written so far to where a committable or state can name it. Called before each snapshot and, with
    /// `end_of_input`, after the last record.
    ///
    /// # Errors
    /// Fails the task.
    fn flush(&mut self, end_of_input: bool) -> Result<(), BoxError>;

    /// What to make visible when the checkpoint that is being taken is complete.
    ///
    /// # Errors
    /// Fails the task.
    fn prepare_commit(&mut self, checkpoint: CheckpointId) -> Result<Vec<C>, BoxError> {
        let _ = checkpoint;
        Ok(Vec::new())
    }

    /// What to remember beside the committables.
    ///
    /// # Errors
    /// Fails the task.
    fn snapshot(&mut self, checkpoint: CheckpointId) -> Result<Vec<S>, BoxError> {
        let _ = checkpoint;
        Ok(Vec::new())
    }

    /// When, in monotonic time, [`SinkWriter::on_wake`] wants to be called.
    fn next_wake(&self) -> Option<Duration> {
        None
    }

    /// The time of [`SinkWriter::next_wake`] has come.
    ///
    /// # Errors
    /// Fails the task.
    fn on_wake(&mut self) -> Result<(), BoxError> {
        Ok(())
    }

    /// Gives back what was opened.
    ///
    /// # Errors
    /// Fails the task, if nothing else has.
    fn close(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// What became of a commit.
#[derive(Debug)]
pub enum CommitOutcome {
    /// It is visible.
    Committed,
    /// It had been visible before: a commit after a recovery.
    AlreadyCommitted,
    /// Not now; try again.
    Retry(BoxError),
    /// Never. Fails the task: data would be lost.
    Failed(BoxError),
}

/// Makes visible what checkpoints hold.
pub trait Committer<C> {
    /// Commits one committable. Called again for the same one after [`CommitOutcome::Retry`] and after a recovery.
    fn commit(&mut self, committable: &C) -> CommitOutcome;
}
