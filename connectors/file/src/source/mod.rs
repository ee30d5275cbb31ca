//! The file source.

mod compression;
mod enumerator;
mod error;
mod input;
mod lines;
mod listing;
mod reader;
mod split;
#[cfg(test)]
mod tests;

pub use compression::Compression;
pub use enumerator::{FileEnumeratorState, PendingFile};
pub use error::FileSourceError;
pub use split::FileSplit;

use enumerator::FileEnumerator;
use flott_core::{
    BoxError,
    metrics::names,
    source::{Boundedness, EnumeratorContext, ReaderContext, Source, SourceReader, SplitEnumerator},
};
use lines::LineRules;
use reader::FileReader;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What happens to a line that is not valid UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidUtf8 {
    /// The task fails, with an error that names the file and the byte.
    #[default]
    Fail,
    /// The line is left out and counted by the metric `numRecordsInErrors`.
    Skip,
    /// What is invalid becomes U+FFFD; the line is counted by the metric `numRecordsInErrors`.
    Replace,
}

/// Reads the lines of text files.
///
/// Each path is a file, a directory (with everything below it), or a glob. Within directories and globs, names that start
/// with `.` or `_` are passed over. Files whose names end in `.gz` or `.zst` are read uncompressed; each is one split, while
/// plain files are divided. Files are handed out in the order of their paths, one split at a time to each reader.
///
/// A line ends with `\n` or `\r\n`; the last one of a file needs no end. A byte order mark is not part of the text.
///
/// Files must not change while they are read, and must be there under the same absolute path on every machine that reads.
/// A file that grows is read up to the length at which it was found, and to the end of the line that lies there.
#[derive(Debug, Clone)]
pub struct FileSource {
    paths: Vec<PathBuf>,
    split_bytes: u64,
    max_line_bytes: u64,
    invalid_utf8: InvalidUtf8,
    interval: Option<Duration>,
}

impl FileSource {
    /// The lines of a file, of the files in a directory, or of those that a glob matches.
    pub fn text_lines(path: impl AsRef<Path>) -> Self {
        FileSource::text_lines_of([path])
    }

    /// The lines of several files, directories or globs. A file that several of them name is read once.
    pub fn text_lines_of<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        FileSource {
            paths: paths.into_iter().map(|path| path.as_ref().to_owned()).collect(),
            split_bytes: 16 * 1024 * 1024,
            max_line_bytes: 256 * 1024 * 1024,
            invalid_utf8: InvalidUtf8::Fail,
            interval: None,
        }
    }

    /// How long a split of a plain file is, in bytes; 16 MiB unless set, at least 1.
    pub fn split_bytes(mut self, bytes: u64) -> Self {
        self.split_bytes = bytes.max(1);
        self
    }

    /// How long a line may be, in bytes without its end; 256 MiB unless set. A longer one fails the task.
    pub fn max_line_bytes(mut self, bytes: u64) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    /// What happens to a line that is not valid UTF-8; it fails the task unless set.
    pub fn invalid_utf8(mut self, policy: InvalidUtf8) -> Self {
        self.invalid_utf8 = policy;
        self
    }

    /// Never ends, and looks for new files after each `interval`.
    ///
    /// Every file is read once: what is appended to it, or written in its place, is not seen. So a file should be written
    /// elsewhere, or under a hidden name, and renamed when it is complete. Empty files are looked at again. The paths of all
    /// files ever read are part of the state. A glob may match nothing yet.
    pub fn monitor_continuously(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }
}

impl Source for FileSource {
    type Out = String;
    type Split = FileSplit;
    type EnumeratorState = FileEnumeratorState;

    fn boundedness(&self) -> Boundedness {
        if self.interval.is_some() { Boundedness::ContinuousUnbounded } else { Boundedness::Bounded }
    }

    fn create_enumerator(
        &self,
        _context: &EnumeratorContext,
        restored: Option<FileEnumeratorState>,
    ) -> Result<Box<dyn SplitEnumerator<FileSplit, FileEnumeratorState>>, BoxError> {
        Ok(Box::new(FileEnumerator::new(self.paths.clone(), self.split_bytes, self.interval, restored)?))
    }

    fn create_reader(&self, context: &ReaderContext) -> Result<Box<dyn SourceReader<String, FileSplit>>, BoxError> {
        Ok(Box::new(FileReader::new(LineRules {
            invalid_utf8: self.invalid_utf8,
            max_line_bytes: self.max_line_bytes,
            errors: context.metrics.counter(names::NUM_RECORDS_IN_ERRORS),
        })))
    }
}
