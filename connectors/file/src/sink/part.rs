//! A part file that is being written.

use super::{error::FileSinkError as Error, state::InProgressPart};
use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// Bytes that are collected before they are written.
pub(super) const BUFFER: usize = 128 * 1024;

/// An open part file.
pub(super) struct Part {
    file: File,
    /// The file's names; `length` counts what has been written to the file.
    names: InProgressPart,
    pub(super) buffer: Vec<u8>,
    /// Whether bytes were written that may not be on disk.
    dirty: bool,
    /// When the file was opened, and last written to, in monotonic time.
    pub(super) created: Duration,
    pub(super) last_write: Duration,
}

impl Part {
    /// Creates the file that `names` say.
    pub(super) fn create(names: InProgressPart, now: Duration) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(names.from())?;
        Ok(Part { file, names, buffer: Vec::new(), dirty: false, created: now, last_write: now })
    }

    /// Opens a file of a checkpoint and cuts off what was written after it.
    pub(super) fn restore(names: InProgressPart, now: Duration) -> Result<Self, Error> {
        let (path, length) = (names.from(), names.length);
        let mut file = match File::options().write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::MissingPart { path, length }),
            Err(error) => return Err(Error::io("open the in-progress file", path)(error)),
        };
        let found = file.metadata().map_err(Error::io("look at", &path))?.len();
        if found < length {
            return Err(Error::ShortPart { path, expected: length, found });
        }
        let dirty = found > length;
        if dirty {
            file.set_len(length).map_err(Error::io("truncate the in-progress file", &path))?;
        }
        file.seek(SeekFrom::Start(length)).map_err(Error::io("open the in-progress file", &path))?;
        Ok(Part { file, names, buffer: Vec::new(), dirty, created: now, last_write: now })
    }

    /// Appends the first `length` bytes of the file at `source`.
    pub(super) fn copy_from(&mut self, source: &Path, length: u64) -> Result<(), Error> {
        let file = File::open(source).map_err(Error::io("open the in-progress file", source))?;
        let copied = io::copy(&mut file.take(length), &mut self.file).map_err(Error::io("copy to the output directory", source))?;
        if copied < length {
            return Err(Error::ShortPart { path: source.to_owned(), expected: length, found: copied });
        }
        self.names.length += copied;
        self.dirty = true;
        Ok(())
    }

    /// The length with what is still in the buffer.
    pub(super) fn length(&self) -> u64 {
        self.names.length + self.buffer.len() as u64
    }

    /// Hands the buffer to the system.
    pub(super) fn write_buffer(&mut self) -> Result<(), Error> {
        if !self.buffer.is_empty() {
            self.dirty = true;
            self.file.write_all(&self.buffer).map_err(Error::io("write to", self.names.from()))?;
            self.names.length += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Makes everything durable that was written.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.write_buffer()?;
        if self.dirty {
            self.file.sync_data().map_err(Error::io("write to disk", self.names.from()))?;
            self.dirty = false;
        }
        Ok(())
    }

    /// The names, with the length that has been written.
    pub(super) fn names(&self) -> &InProgressPart {
        &self.names
    }

    /// The directory of the file.
    pub(super) fn dir(&self) -> Option<PathBuf> {
        self.names.from().parent().map(Path::to_owned)
    }
}
