//! Sources: where records come from, after Flink's FLIP-27 shape.
//!
//! A [`Source`] is divided into *splits* (a range of a file, a partition of a topic). One [`SplitEnumerator`] for the whole
//! source finds splits and hands them out; a [`SourceReader`] in each subtask reads them. A checkpoint holds the
//! enumerator's state and of each reader the splits with the position that it has reached.
//!
//! Connectors implement these typed traits. The runtime sees [`SourceOperator`] and [`ErasedEnumerator`], which the
//! operators crate makes from them.

use crate::{
    batch::{Batch, Timestamps},
    context::OpenContext,
    data::Data,
    error::BoxError,
    id::CheckpointId,
    metrics::{Counter, MetricGroup},
    operator::{Output, SnapshotWriter},
    time::{SharedClock, Timestamp},
};
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// Whether a source ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Boundedness {
    /// It ends by itself.
    Bounded,
    /// It goes on until it is stopped.
    ContinuousUnbounded,
}

/// A part of a source's input, with the position up to which it has been read.
pub trait SourceSplit: Data {
    /// The name of the split, unique in the source.
    fn split_id(&self) -> String;
}

/// A source of records.
pub trait Source: Send + Sync + 'static {
    /// What it emits.
    type Out: Data;
    /// Its splits.
    type Split: SourceSplit;
    /// What the enumerator remembers.
    type EnumeratorState: Data;

    /// Whether it ends.
    fn boundedness(&self) -> Boundedness;

    /// The enumerator, from its state at a checkpoint if there is one.
    ///
    /// # Errors
    /// The input is missing or cannot be listed; fails the job.
    fn create_enumerator(
        &self,
        context: &EnumeratorContext,
        restored: Option<Self::EnumeratorState>,
    ) -> Result<Box<dyn SplitEnumerator<Self::Split, Self::EnumeratorState>>, BoxError>;

    /// A reader, without splits: restored ones come by [`SourceReader::add_splits`] as new ones do.
    ///
    /// # Errors
    /// Fails the task.
    fn create_reader(&self, context: &ReaderContext) -> Result<Box<dyn SourceReader<Self::Out, Self::Split>>, BoxError>;
}

/// What an enumerator is made with.
#[derive(Clone)]
pub struct EnumeratorContext {
    /// The number of readers.
    pub parallelism: u32,
    /// The clock to use.
    pub clock: SharedClock,
}

impl std::fmt::Debug for EnumeratorContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnumeratorContext").field("parallelism", &self.parallelism).finish_non_exhaustive()
    }
}

/// What a reader is made with.
#[derive(Clone)]
pub struct ReaderContext {
    /// The index of the subtask.
    pub subtask: u32,
    /// The number of readers.
    pub parallelism: u32,
    /// The clock to use.
    pub clock: SharedClock,
    /// Where the reader's metrics belong.
    pub metrics: MetricGroup,
}

impl std::fmt::Debug for ReaderContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReaderContext").field("subtask", &self.subtask).field("parallelism", &self.parallelism).finish_non_exhaustive()
    }
}

/// What an enumerator wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Assignment<S> {
    /// Give these splits to a reader.
    Splits {
        /// The reader.
        subtask: u32,
        /// The splits.
        splits: Vec<S>,
    },
    /// No more splits will come for a reader: it ends when it has read those that it has.
    NoMoreSplits {
        /// The reader.
        subtask: u32,
    },
    /// Call [`SplitEnumerator::wake`] after this time.
    WakeAfter(Duration),
}

/// Finds splits and hands them out. All methods are called one at a time; none may block for long.
pub trait SplitEnumerator<S, C>: Send {
    /// A reader is there and may be given splits. Called again for a subtask that was restarted.
    ///
    /// # Errors
    /// Fails the job.
    fn add_reader(&mut self, subtask: u32, out: &mut Vec<Assignment<S>>) -> Result<(), BoxError>;

    /// A reader has nothing left to read.
    ///
    /// # Errors
    /// Fails the job.
    fn request_split(&mut self, subtask: u32, out: &mut Vec<Assignment<S>>) -> Result<(), BoxError>;

    /// Splits that had been given to a reader after the checkpoint that it was restarted from: they are unread again.
    ///
    /// # Errors
    /// Fails the job.
    fn add_splits_back(&mut self, subtask: u32, splits: Vec<S>, out: &mut Vec<Assignment<S>>) -> Result<(), BoxError>;

    /// The time of an [`Assignment::WakeAfter`] has come, for instance to look for new files.
    ///
    /// # Errors
    /// Fails the job.
    fn wake(&mut self, out: &mut Vec<Assignment<S>>) -> Result<(), BoxError> {
        let _ = out;
        Ok(())
    }

    /// What to remember: everything that has not been handed out.
    ///
    /// # Errors
    /// Fails the checkpoint.
    fn snapshot(&mut self, checkpoint: CheckpointId) -> Result<C, BoxError>;

    /// A checkpoint is complete.
    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) {
        let _ = checkpoint;
    }

    /// How many splits are known that no reader has been given, for people; `None`: it cannot tell. Asked after every other call.
    fn unassigned_splits(&self) -> Option<u64> {
        None
    }
}

/// What a reader has to say after a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadStatus {
    /// There may be more at once.
    More,
    /// There is nothing more, ever.
    Finished,
}

/// Reads splits.
pub trait SourceReader<T, S> {
    /// Reads about a batch of records into `output`. Returns [`Poll::Pending`] with the waker of `cx` registered (or a time
    /// from [`SourceReader::next_wake`]) if nothing is there; may block for the time of a local disk's read, not longer.
    ///
    /// # Errors
    /// Fails the task.
    fn poll_next(&mut self, cx: &mut Context<'_>, output: &mut ReaderOutput<T>) -> Poll<Result<ReadStatus, BoxError>>;

    /// When, in monotonic time, to poll again although nobody woke the task.
    fn next_wake(&self) -> Option<Duration> {
        None
    }

    /// More splits to read, new or restored ones.
    ///
    /// # Errors
    /// Fails the task.
    fn add_splits(&mut self, splits: Vec<S>) -> Result<(), BoxError>;

    /// No more splits will come.
    fn no_more_splits(&mut self);

    /// Whether the reader wants [`SplitEnumerator::request_split`] to be called for it; asked after each poll, and true only
    /// once for each split that is wanted.
    fn take_split_request(&mut self) -> bool {
        false
    }

    /// The splits that are not fully read, with the position behind the last record that was emitted.
    ///
    /// # Errors
    /// Declines the checkpoint.
    fn snapshot(&mut self, checkpoint: CheckpointId) -> Result<Vec<S>, BoxError>;

    /// A checkpoint is complete: positions up to it may be confirmed outside.
    ///
    /// # Errors
    /// Fails the task.
    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) -> Result<(), BoxError> {
        let _ = checkpoint;
        Ok(())
    }
}

/// Takes what a reader reads.
#[derive(Debug)]
pub struct ReaderOutput<T> {
    batch: Batch<T>,
    /// From which record on which split is read.
    splits: Vec<(usize, Arc<str>)>,
    finished: Vec<Arc<str>>,
    bytes: u64,
    bytes_in: Counter,
}

impl<T> ReaderOutput<T> {
    /// An output that counts bytes by `bytes_in`.
    pub fn new(bytes_in: Counter) -> Self {
        ReaderOutput { batch: Batch::default(), splits: Vec::new(), finished: Vec::new(), bytes: 0, bytes_in }
    }

    /// Emits a record without a timestamp of its own.
    #[inline]
    pub fn emit(&mut self, value: T) {
        if matches!(self.batch.timestamps, Timestamps::None) {
            self.batch.values.push(value);
        } else {
            self.batch.push(value, None);
        }
    }

    /// Emits a record with the timestamp that the outside system gave it, in ms since the epoch.
    pub fn emit_at(&mut self, value: T, timestamp: Timestamp) {
        self.batch.push(value, Some(timestamp));
    }

    /// The records that follow are of this split. Watermarks are kept for each split.
    pub fn start_split(&mut self, split: &Arc<str>) {
        if self.splits.last().is_none_or(|(_, last)| last != split) {
            self.splits.push((self.batch.len(), split.clone()));
        }
    }

    /// The split has been read to its end: it holds back no watermark any more.
    pub fn finish_split(&mut self, split: &Arc<str>) {
        self.finished.push(split.clone());
    }

    /// Counts bytes that were read.
    pub fn add_bytes(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// The number of records that are waiting to be taken.
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether none are.
    pub fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Takes what was read.
    pub fn take(&mut self) -> ReadRecords<T> {
        self.bytes_in.add(std::mem::take(&mut self.bytes));
        let capacity = self.batch.values.capacity();
        let batch = std::mem::replace(&mut self.batch, Batch::with_capacity(capacity));
        ReadRecords { batch, starts: std::mem::take(&mut self.splits), finished: std::mem::take(&mut self.finished) }
    }
}

/// What a reader has read.
#[derive(Debug)]
pub struct ReadRecords<T> {
    /// The records.
    pub batch: Batch<T>,
    /// From which record on which split was read.
    pub starts: Vec<(usize, Arc<str>)>,
    /// The splits that ended.
    pub finished: Vec<Arc<str>>,
}

/// What a source task tells its enumerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceRequest {
    /// Give me a split.
    Split,
}

/// The head of a source task: a reader with its watermarks, types erased.
pub trait SourceOperator {
    /// Prepares the reader, with restored splits if there are any.
    ///
    /// # Errors
    /// Fails the task.
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError>;

    /// Reads a batch and emits it, and watermarks with it.
    ///
    /// # Errors
    /// Fails the task.
    fn poll(&mut self, cx: &mut Context<'_>, output: &mut dyn Output) -> Poll<Result<ReadStatus, BoxError>>;

    /// When, in monotonic time, to poll again although nobody woke the task.
    fn next_wake(&self) -> Option<Duration>;

    /// Splits from the enumerator, encoded.
    ///
    /// # Errors
    /// Fails the task.
    fn add_splits(&mut self, splits: &[Vec<u8>]) -> Result<(), BoxError>;

    /// No more splits will come.
    fn no_more_splits(&mut self);

    /// What the reader wants from its enumerator; asked after each poll.
    fn take_request(&mut self) -> Option<SourceRequest>;

    /// Stores the reader's splits.
    ///
    /// # Errors
    /// Declines the checkpoint.
    fn snapshot(&mut self, checkpoint: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<(), BoxError>;

    /// A checkpoint is complete.
    ///
    /// # Errors
    /// Fails the task.
    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) -> Result<(), BoxError>;
}

/// An enumerator with its types erased; splits and state are encoded.
pub trait ErasedEnumerator: Send {
    /// As [`SplitEnumerator::add_reader`].
    ///
    /// # Errors
    /// Fails the job.
    fn add_reader(&mut self, subtask: u32) -> Result<Vec<Assignment<Vec<u8>>>, BoxError>;
    /// As [`SplitEnumerator::request_split`].
    ///
    /// # Errors
    /// Fails the job.
    fn request_split(&mut self, subtask: u32) -> Result<Vec<Assignment<Vec<u8>>>, BoxError>;
    /// As [`SplitEnumerator::add_splits_back`].
    ///
    /// # Errors
    /// Fails the job.
    fn add_splits_back(&mut self, subtask: u32, splits: &[Vec<u8>]) -> Result<Vec<Assignment<Vec<u8>>>, BoxError>;
    /// As [`SplitEnumerator::wake`].
    ///
    /// # Errors
    /// Fails the job.
    fn wake(&mut self) -> Result<Vec<Assignment<Vec<u8>>>, BoxError>;
    /// As [`SplitEnumerator::snapshot`].
    ///
    /// # Errors
    /// Fails the checkpoint.
    fn snapshot(&mut self, checkpoint: CheckpointId) -> Result<Vec<u8>, BoxError>;
    /// As [`SplitEnumerator::checkpoint_completed`].
    fn checkpoint_completed(&mut self, checkpoint: CheckpointId);
    /// As [`SplitEnumerator::unassigned_splits`].
    fn unassigned_splits(&self) -> Option<u64>;
}

/// Makes the parts of a source.
pub trait SourceFactory: Send + Sync {
    /// Whether the source ends.
    fn boundedness(&self) -> Boundedness;

    /// A new reader for one subtask, not opened.
    fn create_operator(&self) -> Box<dyn SourceOperator>;

    /// The enumerator, from its encoded state if there is one.
    ///
    /// # Errors
    /// The state cannot be read, or the source refused.
    fn create_enumerator(&self, context: &EnumeratorContext, restored: Option<&[u8]>) -> Result<Box<dyn ErasedEnumerator>, BoxError>;
}
