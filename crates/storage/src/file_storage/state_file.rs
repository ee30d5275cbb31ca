//! Writing state files.

use crate::{StateFile, StateFileWriter, StorageError, files::FileSystem, files::WriteFile, location::state_file_name};
use flott_core::id::CheckpointId;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Smaller appends are collected until they are so many bytes.
const BUFFER: usize = 256 << 10;
/// How many files of one hint a folder may have.
const ATTEMPTS: u32 = 100_000;

#[derive(Debug)]
struct Writer {
    files: Arc<dyn FileSystem>,
    path: PathBuf,
    name: String,
    /// `None` once it has failed or is finished.
    file: Option<Box<dyn WriteFile>>,
    buffer: Vec<u8>,
    /// The bytes that were appended, buffered ones included.
    bytes: u64,
}

/// A new file in `folder` with a name of its own.
pub(crate) fn create(
    files: &Arc<dyn FileSystem>,
    folder: &Path,
    checkpoint: CheckpointId,
    hint: &str,
) -> Result<Box<dyn StateFileWriter>, StorageError> {
    for attempt in 0..ATTEMPTS {
        let name = state_file_name(hint, attempt);
        let path = folder.join(&name);
        match files.create_file(&path) {
            Ok(file) => return Ok(Box::new(Writer { files: files.clone(), path, name, file: Some(file), buffer: Vec::new(), bytes: 0 })),
            Err(error) => match error.kind() {
                io::ErrorKind::AlreadyExists => {}
                io::ErrorKind::NotFound => return Err(StorageError::NotPending { checkpoint, path: folder.into() }),
                _ => return Err(StorageError::io("create", path, error)),
            },
        }
    }
    Err(StorageError::io("find a name for a state file in", folder, io::ErrorKind::AlreadyExists.into()))
}

impl Writer {
    fn run(&mut self, step: impl FnOnce(&mut dyn WriteFile) -> io::Result<()>) -> Result<(), StorageError> {
        let Some(file) = &mut self.file else {
            return Err(StorageError::io("go on to write", &self.path, io::Error::other("it has failed before")));
        };
        let result = step(file.as_mut());
        result.map_err(|error| {
            // After a failed write or sync nobody knows what of the file is on disk: it is not tried again.
            self.remove();
            StorageError::io("write", &self.path, error)
        })
    }

    fn remove(&mut self) {
        if self.file.take().is_some() {
            // If that fails, the folder's removal takes it along: no metadata names it.
            let _ = self.files.remove_file(&self.path);
        }
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        if !buffer.is_empty() {
            self.run(|file| file.write_all(&buffer))?;
            buffer.clear();
        }
        self.buffer = buffer;
        Ok(())
    }
}

impl StateFileWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER || self.file.is_none() {
            self.run(|file| file.write_all(bytes))?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn position(&self) -> u64 {
        self.bytes
    }

    fn finish(mut self: Box<Self>) -> Result<StateFile, StorageError> {
        self.flush()?;
        self.run(|file| file.sync())?;
        self.file = None;
        Ok(StateFile { name: std::mem::take(&mut self.name), bytes: self.bytes })
    }

    fn abandon(mut self: Box<Self>) {
        self.remove();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.remove();
    }
}
