//! Emits what the thread has read.

use crate::{
    connection::Connection,
    enumerator::SocketSplit,
    error::SocketSourceError,
    queue::{LineQueue, QueueLimits, Taken},
    source::SocketSource,
};
use flott_core::{
    BoxError,
    batch::BATCH_RECORDS,
    id::CheckpointId,
    metrics::Counter,
    source::{ReadStatus, ReaderOutput, SourceReader, SourceSplit},
};
use std::{
    sync::Arc,
    task::{Context, Poll},
    thread,
};

const LIMITS: QueueLimits = QueueLimits { records: 16 * BATCH_RECORDS, bytes: 4 * 1024 * 1024 };

struct OpenSplit {
    split: SocketSplit,
    id: Arc<str>,
}

pub(crate) struct SocketReader {
    source: SocketSource,
    errors: Counter,
    queue: Arc<LineQueue>,
    split: Option<OpenSplit>,
    no_more_splits: bool,
}

impl SocketReader {
    pub(crate) fn new(source: SocketSource, errors: Counter) -> Self {
        SocketReader { source, errors, queue: LineQueue::new(LIMITS), split: None, no_more_splits: false }
    }

    #[cfg(test)]
    pub(crate) fn queue(&self) -> &Arc<LineQueue> {
        &self.queue
    }
}

impl SourceReader<String, SocketSplit> for SocketReader {
    fn poll_next(&mut self, cx: &mut Context<'_>, output: &mut ReaderOutput<String>) -> Poll<Result<ReadStatus, BoxError>> {
        let Some(open) = &self.split else {
            return if self.no_more_splits { Poll::Ready(Ok(ReadStatus::Finished)) } else { Poll::Pending };
        };
        output.start_split(&open.id);
        match self.queue.poll_take(cx, BATCH_RECORDS, |line| output.emit(line)) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Taken::Lines(bytes)) => {
                output.add_bytes(bytes);
                Poll::Ready(Ok(ReadStatus::More))
            }
            Poll::Ready(Taken::End(result)) => {
                result?;
                output.finish_split(&open.id);
                self.split = None;
                Poll::Ready(Ok(ReadStatus::More))
            }
        }
    }

    fn add_splits(&mut self, splits: Vec<SocketSplit>) -> Result<(), BoxError> {
        // There is one in the whole source.
        let Some(split) = splits.into_iter().next().filter(|_| self.split.is_none()) else { return Ok(()) };
        let connection = Connection { source: self.source.clone(), queue: self.queue.clone(), errors: self.errors.clone() };
        thread::Builder::new()
            .name("socket-source".to_owned())
            .spawn(|| connection.run())
            .map_err(|source| SocketSourceError::Thread { address: self.source.address(), source })?;
        self.split = Some(OpenSplit { id: Arc::from(split.split_id()), split });
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more_splits = true;
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId) -> Result<Vec<SocketSplit>, BoxError> {
        Ok(self.split.iter().map(|open| open.split.clone()).collect())
    }
}

impl Drop for SocketReader {
    fn drop(&mut self) {
        // The thread is not waited for: it may be resolving a name or connecting, which nothing can break off.
        self.queue.close();
    }
}
