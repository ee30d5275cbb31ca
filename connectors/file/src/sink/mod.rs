//! The exactly-once file sink.

mod committer;
mod disk;
mod error;
mod naming;
mod part;
mod state;
#[cfg(test)]
mod tests;
mod writer;

pub use error::FileSinkError;
pub use state::{FileCommittable, FileWriterState, InProgressPart};

use committer::FileCommitter;
use flott_core::{
    BoxError, Data, Timestamp,
    sink::{Committer, Sink, SinkWriter, WriterContext},
};
use naming::PartNames;
use part::Part;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use writer::FileWriter;

type RowEncoder<T> = Arc<dyn Fn(&T, &mut Vec<u8>) -> Result<(), BoxError> + Send + Sync>;
type Bucket<T> = Arc<dyn Fn(&T, Option<Timestamp>) -> String + Send + Sync>;

/// How a record becomes a line.
enum Encoder<T> {
    Row(RowEncoder<T>),
    Text(fn(&T, &mut String) -> Result<(), BoxError>),
}

impl<T> Clone for Encoder<T> {
    fn clone(&self) -> Self {
        match self {
            Encoder::Row(encode) => Encoder::Row(encode.clone()),
            Encoder::Text(format) => Encoder::Text(*format),
        }
    }
}

impl<T> Encoder<T> {
    /// Appends `value` and a line's end; `text` is a scratch.
    fn encode(&self, value: &T, buffer: &mut Vec<u8>, text: &mut String) -> Result<(), BoxError> {
        match self {
            Encoder::Row(encode) => encode(value, buffer)?,
            Encoder::Text(format) => {
                text.clear();
                format(value, text)?;
                buffer.extend_from_slice(text.as_bytes());
            }
        }
        buffer.push(b'\n');
        Ok(())
    }
}

/// When a part file is complete.
#[derive(Debug, Clone, Copy)]
struct Rolling {
    part_bytes: u64,
    rollover_interval: Duration,
    inactivity_interval: Duration,
    on_checkpoint: bool,
}

impl Rolling {
    /// When `part` is complete for its age or its inactivity.
    fn due(&self, part: &Part) -> Duration {
        let age = part.created.saturating_add(self.rollover_interval);
        age.min(part.last_write.saturating_add(self.inactivity_interval))
    }
}

/// Writes records as lines to files in a directory, exactly once.
///
/// # Files
/// Each subtask writes a *part file* at a time (one for each bucket). It is *in progress* under a hidden name,
/// `.part-<subtask>-<counter>.inprogress.<unique>`. When it is long or old enough, or the input ends, it is closed and
/// *pending*. When the next checkpoint is complete, it is *finished*: renamed to `part-<subtask>-<counter>`, and never changed
/// again. So without checkpoints there are no results before the end of the input.
///
/// Several subtasks write to one directory; two sinks may only do so if their prefixes differ.
///
/// # Recovery
/// A checkpoint remembers how long the files in progress were. After a failure they are cut to that length and written on.
/// Finished files must stay in place until a later checkpoint is complete, or the recovery cannot tell them from lost ones.
/// A checkpoint older than the last one that made results visible cannot be restored into the same directory, since results
/// would be repeated: that is an error. Into another directory it can, and the files in progress are carried over.
///
/// In-progress files that no checkpoint knows, left by a failure or a cancelled job, stay as hidden files. They may be removed
/// when no job that writes to the directory runs and none will be restored from a checkpoint that knows them.
pub struct FileSink<T> {
    dir: PathBuf,
    encoder: Encoder<T>,
    bucket_of: Option<Bucket<T>>,
    rolling: Rolling,
    names: PartNames,
}

impl<T> fmt::Debug for FileSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSink")
            .field("dir", &self.dir)
            .field("rolling", &self.rolling)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl<T: Data> FileSink<T> {
    /// Writes what `encoder` appends for each record, with `\n` behind it, to files in `dir`, which is created.
    pub fn for_row_format<F>(dir: impl AsRef<Path>, encoder: F) -> Self
    where
        F: Fn(&T, &mut Vec<u8>) -> Result<(), BoxError> + Send + Sync + 'static,
    {
        FileSink::new(dir.as_ref(), Encoder::Row(Arc::new(encoder)))
    }

    /// Writes each record as text, as Flott prints records (see [`flott_core::format`]), to files in `dir`, which is created.
    pub fn text(dir: impl AsRef<Path>) -> Self {
        FileSink::new(dir.as_ref(), Encoder::Text(format_text))
    }

    fn new(dir: &Path, encoder: Encoder<T>) -> Self {
        let minute = Duration::from_secs(60);
        FileSink {
            dir: dir.to_owned(),
            encoder,
            bucket_of: None,
            rolling: Rolling {
                part_bytes: 128 * 1024 * 1024,
                rollover_interval: minute,
                inactivity_interval: minute,
                on_checkpoint: false,
            },
            names: PartNames { prefix: "part".to_owned(), suffix: String::new() },
        }
    }

    /// Divides records into sub-directories: `bucket` gives the relative path for a record and its timestamp, if it has one.
    /// Each bucket that was written to lately has an open file.
    pub fn bucket_by(mut self, bucket: impl Fn(&T, Option<Timestamp>) -> String + Send + Sync + 'static) -> Self {
        self.bucket_of = Some(Arc::new(bucket));
        self
    }

    /// Closes a file at this length in bytes, or a record above it; 128 MiB unless set.
    pub fn part_bytes(mut self, bytes: u64) -> Self {
        self.rolling.part_bytes = bytes;
        self
    }

    /// Closes a file this long after it was opened; 60 s unless set.
    pub fn rollover_interval(mut self, interval: Duration) -> Self {
        self.rolling.rollover_interval = interval;
        self
    }

    /// Closes a file this long after it was last written to; 60 s unless set.
    pub fn inactivity_interval(mut self, interval: Duration) -> Self {
        self.rolling.inactivity_interval = interval;
        self
    }

    /// Whether every checkpoint closes all files, so that results are visible as soon as it is complete; not unless set.
    pub fn roll_on_checkpoint(mut self, roll: bool) -> Self {
        self.rolling.on_checkpoint = roll;
        self
    }

    /// What the names of files begin with; `part` unless set.
    pub fn part_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.names.prefix = prefix.into();
        self
    }

    /// What the names of finished files end with, for instance `.txt`; nothing unless set.
    pub fn part_suffix(mut self, suffix: impl Into<String>) -> Self {
        self.names.suffix = suffix.into();
        self
    }
}

fn format_text<T: serde::Serialize>(value: &T, text: &mut String) -> Result<(), BoxError> {
    Ok(flott_core::format::format_into(value, text)?)
}

impl<T: Data> Sink<T> for FileSink<T> {
    type Committable = FileCommittable;
    type WriterState = FileWriterState;

    fn create_writer(
        &self,
        context: &WriterContext,
        restored: Vec<FileWriterState>,
    ) -> Result<Box<dyn SinkWriter<T, FileCommittable, FileWriterState>>, BoxError> {
        self.names.check()?;
        let path = std::path::absolute(&self.dir).map_err(FileSinkError::io("find the output directory", &self.dir))?;
        // Without a slash at its end, so that a checkpoint's name for it is always the same.
        let path: PathBuf = path.components().collect();
        let dir = path.into_os_string().into_string().map_err(|path| FileSinkError::NotUtf8Path { path: path.into() })?;
        let (encoding, parts) = ((self.encoder.clone(), self.bucket_of.clone()), (self.rolling, self.names.clone()));
        Ok(Box::new(FileWriter::new(dir, encoding, parts, context, restored)?))
    }

    fn create_committer(&self, _context: &WriterContext) -> Result<Option<Box<dyn Committer<FileCommittable>>>, BoxError> {
        Ok(Some(Box::new(FileCommitter)))
    }
}
