//! The register of a job as a file: read without a lock, replaced as a whole under one.

use crate::{
    CompletedCheckpoint, StorageError,
    files::{FileSystem, Lock, write_file},
    frame,
    location::{self, REGISTER, REGISTER_LOCK, parse_job_name},
    register::{Entry, REGISTER_FRAME, Register},
};
use flott_core::id::JobId;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where a register is.
#[derive(Debug, Clone)]
pub(crate) struct RegisterFile {
    files: Arc<dyn FileSystem>,
    folder: PathBuf,
}

/// A register that nobody else can change meanwhile.
#[derive(Debug)]
pub(crate) struct LockedRegister<'a> {
    pub(crate) file: &'a RegisterFile,
    pub(crate) register: Register,
    pub(crate) _lock: Box<dyn Lock>,
}

impl RegisterFile {
    /// The register in `folder`, the folder of a job.
    pub(crate) fn new(files: Arc<dyn FileSystem>, folder: PathBuf) -> Self {
        RegisterFile { files, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(REGISTER)
    }

    /// The register; `None` if there is none.
    pub(crate) fn read(&self) -> Result<Option<Register>, StorageError> {
        let path = self.path();
        let Some(opened) = frame::open::<Register>(&REGISTER_FRAME, self.files.as_ref(), &path)? else { return Ok(None) };
        let owner = self.folder.file_name().and_then(|name| name.to_str()).and_then(parse_job_name);
        if owner != Some(opened.content.job) {
            return Err(StorageError::damaged(path, format!("it is the register of job {}", opened.content.job)));
        }
        Ok(Some(opened.content))
    }

    pub(crate) fn lock(&self) -> Result<Box<dyn Lock>, StorageError> {
        let path = self.folder.join(REGISTER_LOCK);
        self.files.lock(&path).map_err(|error| StorageError::io("lock", path, error))
    }

    /// The register, locked; `None` if there is none.
    pub(crate) fn lock_existing(&self) -> Result<Option<LockedRegister<'_>>, StorageError> {
        if self.read()?.is_none() {
            return Ok(None);
        }
        let lock = self.lock()?;
        Ok(self.read()?.map(|register| LockedRegister { file: self, register, _lock: lock }))
    }

    /// A register's entry, for whoever does not know the folder.
    pub(crate) fn completed(&self, job: JobId, entry: &Entry) -> Result<CompletedCheckpoint, StorageError> {
        Ok(CompletedCheckpoint {
            job,
            epoch: entry.epoch,
            checkpoint: entry.checkpoint,
            kind: entry.kind,
            folder: location::text(&location::resolve(&entry.path, &self.folder))?,
            completed_at_ms: entry.completed_at_ms,
            bytes: entry.bytes,
            metadata_crc: entry.metadata_crc,
            owner: entry.owner,
        })
    }
}

impl LockedRegister<'_> {
    /// Replaces the file by what `self.register` now has.
    pub(crate) fn write(&self) -> Result<(), StorageError> {
        let temporary = self.prepare()?;
        self.publish(&temporary).map_err(|error| StorageError::io("replace", self.file.path(), error))
    }

    /// Writes the new register to a temporary file.
    pub(crate) fn prepare(&self) -> Result<PathBuf, StorageError> {
        let sealed = frame::seal(&REGISTER_FRAME, &self.register)
            .map_err(|error| StorageError::damaged(self.file.path(), format!("its content does not encode: {error}")))?;
        let files = self.file.files.as_ref();
        let path = self.file.folder.join(format!("{REGISTER}.tmp"));
        // Whoever holds the lock is the only one to write this file: if it is there, a crash has left it.
        match files.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StorageError::io("remove", path, error)),
            _ => {}
        }
        write_file(files, &path, &sealed.bytes).map_err(|error| StorageError::io("write", &path, error))?;
        Ok(path)
    }

    /// Puts the temporary file in the register's place. If this fails, either of the two may be there.
    pub(crate) fn publish(&self, temporary: &Path) -> io::Result<()> {
        self.file.files.rename(temporary, &self.file.path())?;
        self.file.files.sync_folder(&self.file.folder)
    }
}
