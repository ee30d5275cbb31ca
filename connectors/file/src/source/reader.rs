//! The reader of one subtask.

use super::{
    lines::{LineReader, LineRules},
    split::FileSplit,
};
use flott_core::{
    BoxError,
    id::CheckpointId,
    source::{ReadStatus, ReaderOutput, SourceReader},
};
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};

pub(super) struct FileReader {
    lines: LineReader,
    /// The id of the split that is being read.
    current: Arc<str>,
    queue: VecDeque<FileSplit>,
    no_more_splits: bool,
    /// A split has been asked for, or is about to be.
    requested: bool,
    /// The request has not been taken yet.
    wants_split: bool,
}

impl FileReader {
    pub(super) fn new(rules: LineRules) -> Self {
        FileReader {
            lines: LineReader::new(rules),
            current: Arc::from(""),
            queue: VecDeque::new(),
            no_more_splits: false,
            requested: false,
            wants_split: false,
        }
    }

    fn request_split(&mut self) {
        if self.queue.is_empty() && !self.no_more_splits && !self.requested {
            self.requested = true;
            self.wants_split = true;
        }
    }
}

impl SourceReader<String, FileSplit> for FileReader {
    fn poll_next(&mut self, _cx: &mut Context<'_>, output: &mut ReaderOutput<String>) -> Poll<Result<ReadStatus, BoxError>> {
        if self.lines.split().is_none() {
            let Some(split) = self.queue.front() else {
                if self.no_more_splits {
                    return Poll::Ready(Ok(ReadStatus::Finished));
                }
                self.request_split();
                return Poll::Pending;
            };
            self.lines.open(split.clone())?;
            self.current = Arc::from(split.id.as_str());
            self.queue.pop_front();
        }
        output.start_split(&self.current);
        if self.lines.advance(output)? {
            output.finish_split(&self.current);
            // Asked for at once, so that it is on its way while the lines are processed.
            self.request_split();
        }
        Poll::Ready(Ok(ReadStatus::More))
    }

    fn add_splits(&mut self, splits: Vec<FileSplit>) -> Result<(), BoxError> {
        self.requested = false;
        self.wants_split = false;
        self.queue.extend(splits);
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more_splits = true;
        self.wants_split = false;
    }

    fn take_split_request(&mut self) -> bool {
        std::mem::take(&mut self.wants_split)
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId) -> Result<Vec<FileSplit>, BoxError> {
        Ok(self.lines.split().into_iter().chain(&self.queue).cloned().collect())
    }
}
