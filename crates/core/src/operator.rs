//! Operators: what a task runs. The runtime knows them by these traits alone.

use crate::{
    batch::AnyBatch,
    block_pool::BlockPool,
    context::OpenContext,
    error::BoxError,
    id::CheckpointId,
    key_group::KeyGroup,
    snapshot::{KeyedStateMeta, ListStateSnapshot},
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

/// Whether a stream currently has anything to say about time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum WatermarkStatus {
    /// Records or watermarks may come.
    Active,
    /// Nothing is coming for now: do not wait for its watermark.
    Idle,
}

/// Takes what an operator emits and hands it to the next ones.
pub trait Output {
    /// Emits records.
    ///
    /// # Errors
    /// An operator behind this one failed; give the error on.
    fn emit(&mut self, batch: AnyBatch) -> Result<(), BoxError>;

    /// Emits a watermark: no record with a smaller or equal timestamp follows, late ones aside.
    ///
    /// # Errors
    /// As [`Output::emit`].
    fn emit_watermark(&mut self, watermark: Timestamp) -> Result<(), BoxError>;

    /// Tells the next operators that the stream became idle or active.
    ///
    /// # Errors
    /// As [`Output::emit`].
    fn emit_status(&mut self, status: WatermarkStatus) -> Result<(), BoxError>;
}

/// How far a snapshot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotProgress {
    /// Everything was written.
    Done,
    /// Call [`Operator::snapshot_step`] again.
    More,
}

/// Takes what an operator stores in a snapshot.
pub trait SnapshotWriter {
    /// Stores a list of the operator's own state.
    fn list(&mut self, list: ListStateSnapshot);

    /// Announces a keyed state; blocks name it by its place in the order of announcements.
    fn keyed_state(&mut self, meta: KeyedStateMeta);

    /// Stores entries of keyed state number `state` that belong to `group`. A group may come in many blocks.
    fn keyed_block(&mut self, state: u16, group: KeyGroup, entries: Vec<u8>);

    /// Where to take the memory of blocks from.
    fn pool(&self) -> Arc<BlockPool> {
        Arc::default()
    }
}

/// An operator of a chain, one instance for each subtask. Made and used on the subtask's own thread.
///
/// Order of calls: `open`, then `process`, `watermark`, `status` and `on_wake` in the order of the stream, `snapshot`
/// between any two of them, `finish` once at the end of all input, further `snapshot`s, `close`. After a failure or a
/// cancellation only `close` is called. A restored operator that had finished is opened, since it may have something to
/// commit, but takes no input and is not finished again.
pub trait Operator {
    /// Prepares the operator, from restored state if there is any.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError> {
        let _ = context;
        Ok(())
    }

    /// Takes a batch from input number `input` (0 where there is one).
    ///
    /// # Errors
    /// Fails the task.
    fn process(&mut self, input: usize, batch: AnyBatch, output: &mut dyn Output) -> Result<(), BoxError>;

    /// Event time has reached `watermark`.
    ///
    /// # Errors
    /// Fails the task.
    fn watermark(&mut self, watermark: Timestamp, output: &mut dyn Output) -> Result<(), BoxError> {
        output.emit_watermark(watermark)
    }

    /// The input became idle or active.
    ///
    /// # Errors
    /// Fails the task.
    fn status(&mut self, status: WatermarkStatus, output: &mut dyn Output) -> Result<(), BoxError> {
        output.emit_status(status)
    }

    /// Whether it takes more input now. While an operator of a task does not, the task reads nothing. It may come to take more in
    /// [`Operator::request`], [`Operator::on_wake`] and [`Operator::checkpoint_completed`].
    fn is_ready(&self) -> bool {
        true
    }

    /// Answers somebody who asks this operator from outside of the job; `None`: nothing that it knows. Called in the order of the stream,
    /// also behind its end.
    fn request(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let _ = body;
        None
    }

    /// When, in monotonic time, [`Operator::on_wake`] wants to be called; asked after every other call.
    fn next_wake(&self) -> Option<Duration> {
        None
    }

    /// The time of [`Operator::next_wake`] has come.
    ///
    /// # Errors
    /// Fails the task.
    fn on_wake(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        let _ = output;
        Ok(())
    }

    /// Takes the state as it is now. What can be put off is put off: the operator goes on with new records while
    /// [`Operator::snapshot_step`] writes the state of this moment. Never called while an earlier snapshot is unfinished.
    ///
    /// # Errors
    /// Declines the checkpoint.
    fn snapshot(&mut self, checkpoint: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        let _ = (checkpoint, writer);
        Ok(SnapshotProgress::Done)
    }

    /// Writes about `entries` more entries of the snapshot.
    ///
    /// # Errors
    /// Declines the checkpoint.
    fn snapshot_step(&mut self, entries: usize, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        let _ = (entries, writer);
        Ok(SnapshotProgress::Done)
    }

    /// Forgets an unfinished snapshot.
    fn snapshot_cancel(&mut self) {}

    /// The checkpoint is complete, and all earlier ones with it: what was prepared up to it may be made visible outside.
    ///
    /// # Errors
    /// Fails the task.
    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) -> Result<(), BoxError> {
        let _ = checkpoint;
        Ok(())
    }

    /// The checkpoint will never be complete. What was prepared for it belongs to the next one.
    fn checkpoint_aborted(&mut self, checkpoint: CheckpointId) {
        let _ = checkpoint;
    }

    /// Whether everything that completed checkpoints allow has been made visible outside; a task does not end before.
    fn is_settled(&self) -> bool {
        true
    }

    /// All input has ended: emit what is left. Followed by the last checkpoint.
    ///
    /// # Errors
    /// Fails the task.
    fn finish(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        let _ = output;
        Ok(())
    }

    /// Gives back what was opened. Called on every path.
    ///
    /// # Errors
    /// Fails the task, if nothing else has.
    fn close(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Makes the operator of each subtask.
pub trait OperatorFactory: Send + Sync {
    /// A new operator, not opened.
    fn create(&self) -> Box<dyn Operator>;
}

impl<F> OperatorFactory for F
where
    F: Fn() -> Box<dyn Operator> + Send + Sync,
{
    fn create(&self) -> Box<dyn Operator> {
        self()
    }
}

/// A shared [`OperatorFactory`].
pub type SharedOperatorFactory = Arc<dyn OperatorFactory>;
