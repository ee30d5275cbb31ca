//! A directory with the checkpoints of many jobs.

use crate::{
    CompletedCheckpoint, FileStorage, LoadedCheckpoint, StorageError,
    file_storage::{self, RegisterFile, VersionedRegister},
    files::{DiskFiles, FileSystem, MEMORY, MemoryOrDisk},
    location::{self, SAVEPOINT, parse_job_name, parse_path},
};
use flott_core::id::JobId;
use std::{collections::BTreeSet, io, path::PathBuf, sync::Arc};

/// A checkpoint directory: `execution.checkpointing.dir`.
#[derive(Debug, Clone)]
pub struct CheckpointDirectory {
    pub(crate) files: Arc<dyn FileSystem>,
    pub(crate) path: PathBuf,
}

/// The complete checkpoints of all jobs in a directory.
#[derive(Debug, Default)]
pub struct FoundCheckpoints {
    /// The checkpoints, newest first: by term, then by number.
    pub checkpoints: Vec<CompletedCheckpoint>,
    /// Why some registers could not be read. There may be newer checkpoints in them.
    pub unreadable: Vec<StorageError>,
    /// The newest term whose job took checkpoints and keeps none: it has ended.
    pub newest_ended: Option<u64>,
}

impl CheckpointDirectory {
    /// The directory at `path`, which is a path or a `file://` URL. It is made when the first job uses it.
    ///
    /// # Errors
    /// [`StorageError::InvalidPath`] if the path cannot be used.
    pub fn on_disk(path: &str) -> Result<Self, StorageError> {
        let parsed = parse_path(path)?;
        CheckpointDirectory::new(Arc::new(DiskFiles), location::absolute(&parsed, path)?)
    }

    /// For jobs without a directory: checkpoints are in the memory of this process, savepoints on disk.
    pub fn in_memory() -> Self {
        CheckpointDirectory { files: Arc::new(MemoryOrDisk::default()), path: MEMORY.into() }
    }

    /// The directory at `path` of a file system.
    ///
    /// # Errors
    /// [`StorageError::InvalidPath`] if the path is not UTF-8.
    pub fn new(files: Arc<dyn FileSystem>, path: impl Into<PathBuf>) -> Result<Self, StorageError> {
        let path = path.into();
        location::text(&path)?;
        Ok(CheckpointDirectory { files, path })
    }

    /// The storage of a job.
    pub fn storage(&self, job: JobId) -> FileStorage {
        FileStorage::new(self.clone(), job)
    }

    /// One more than the largest term that any register in the directory has. A damaged register does not count: one job's
    /// damage must not keep all others from starting, and each job is fenced by its own register.
    ///
    /// # Errors
    /// File system errors.
    pub fn next_epoch(&self) -> Result<u64, StorageError> {
        let mut latest = 0;
        for file in self.registers()? {
            match file.read() {
                Ok(register) => latest = latest.max(register.map_or(0, |found| found.register.epoch)),
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(latest + 1)
    }

    /// The complete checkpoints of all jobs, as their registers have them.
    ///
    /// # Errors
    /// File system errors of the directory; those of a register are in the result.
    pub fn completed(&self) -> Result<FoundCheckpoints, StorageError> {
        let mut found = FoundCheckpoints::default();
        for file in self.registers()? {
            match file.read() {
                Ok(None) => {}
                Ok(Some(VersionedRegister { register, .. })) => {
                    if register.entries.is_empty() && register.last.is_some() {
                        found.newest_ended = found.newest_ended.max(Some(register.epoch));
                    }
                    for entry in &register.entries {
                        found.checkpoints.push(file.completed(register.job, entry)?);
                    }
                }
                Err(error) => found.unreadable.push(error),
            }
        }
        found.checkpoints.sort_by_key(|completed| std::cmp::Reverse((completed.epoch, completed.checkpoint)));
        // A checkpoint that was claimed is in two registers.
        let mut seen = BTreeSet::new();
        found.checkpoints.retain(|completed| seen.insert(completed.folder.clone()));
        Ok(found)
    }

    /// The newest complete checkpoint in the directory.
    ///
    /// # Errors
    /// Damaged registers, since one of them may have a newer one; file system errors.
    pub fn latest(&self) -> Result<Option<CompletedCheckpoint>, StorageError> {
        let found = self.completed()?;
        match found.unreadable.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(found.checkpoints.into_iter().next()),
        }
    }

    /// As [`CheckpointStorage::load`](crate::CheckpointStorage::load).
    ///
    /// # Errors
    /// The same.
    pub fn load(&self, path: &str) -> Result<LoadedCheckpoint, StorageError> {
        file_storage::restore::load(self.files.as_ref(), path)
    }

    /// As [`CheckpointStorage::dispose_savepoint`](crate::CheckpointStorage::dispose_savepoint).
    ///
    /// # Errors
    /// The same.
    pub fn dispose_savepoint(&self, path: &str) -> Result<(), StorageError> {
        file_storage::retention::dispose_savepoint(self.files.as_ref(), path)
    }

    /// The folders below the directory that are named as savepoints are; whether they are complete is not looked at.
    ///
    /// # Errors
    /// File system errors.
    pub fn savepoints(&self) -> Result<Vec<String>, StorageError> {
        let names = match self.files.list(&self.path) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StorageError::io("list", &self.path, error)),
        };
        names.iter().filter(|name| name.starts_with(SAVEPOINT)).map(|name| location::text(&self.path.join(name))).collect()
    }

    /// Where registers may be: in the folders of jobs. A job without one has no checkpoint, whatever else is in its folder.
    fn registers(&self) -> Result<Vec<RegisterFile>, StorageError> {
        let names = match self.files.list(&self.path) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StorageError::io("list", &self.path, error)),
        };
        let jobs = names.into_iter().filter(|name| parse_job_name(name).is_some());
        Ok(jobs.map(|name| RegisterFile::new(self.files.clone(), self.path.join(name))).collect())
    }
}
