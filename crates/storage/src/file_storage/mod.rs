//! The storage of one job on a file system.

mod pending;
mod register_file;
pub(crate) mod restore;
pub(crate) mod retention;
mod state_file;

pub(crate) use register_file::{RegisterFile, VersionedRegister};

use crate::{
    BlockReader, CheckpointDirectory, CheckpointMetadata, CheckpointStorage, CompletedCheckpoint, LoadedCheckpoint, Removal,
    SnapshotTarget, StateFileWriter, StateFiles, StorageError, files::FileSystem, location::checkpoint_name, register::Register,
};
use flott_core::{
    id::{CheckpointId, JobId},
    snapshot::BlockData,
};
use register_file::Failed;
use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// The storage of one job: a folder of a [`CheckpointDirectory`].
#[derive(Debug)]
pub struct FileStorage {
    directory: CheckpointDirectory,
    job: JobId,
    register: RegisterFile,
    /// From then on there is a register; if it is gone, so are the checkpoints, which must not pass for there being none.
    term_begun: AtomicBool,
    /// Held from a look at the register until what follows from it for files is done. So at most one such step is under way when
    /// another term begins: that of a number whose files are there, so that the next terms begin none of this number.
    turn: Mutex<()>,
}

impl FileStorage {
    pub(crate) fn new(directory: CheckpointDirectory, job: JobId) -> Self {
        let register = RegisterFile::new(directory.files.clone(), directory.path.join(job.to_string()));
        FileStorage { directory, job, register, term_begun: AtomicBool::new(false), turn: Mutex::new(()) }
    }

    fn files(&self) -> &dyn FileSystem {
        self.directory.files.as_ref()
    }

    /// The folder of the job.
    fn folder(&self) -> &Path {
        self.register.folder()
    }

    /// The folder of a snapshot.
    fn folder_of(&self, checkpoint: CheckpointId, target: &SnapshotTarget) -> PathBuf {
        match target {
            SnapshotTarget::Checkpoint => self.folder().join(checkpoint_name(checkpoint)),
            SnapshotTarget::Savepoint { folder } => folder.into(),
        }
    }

    /// The register as it is, or an empty one if the job has none yet.
    fn read_register(&self) -> Result<VersionedRegister, StorageError> {
        match self.register.read()? {
            Some(found) => Ok(found),
            None if self.term_begun.load(Ordering::Acquire) => Err(StorageError::Missing { path: self.register.path() }),
            None => Ok(VersionedRegister { version: 0, register: Register::new(self.job) }),
        }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        // It guards no data.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The register, if `epoch` is the current term.
    fn register_in_term(&self, epoch: u64, doing: &str) -> Result<Register, StorageError> {
        let register = self.read_register()?.register;
        self.admit(&register, epoch, doing)?;
        Ok(register)
    }

    fn admit(&self, register: &Register, epoch: u64, doing: &str) -> Result<(), StorageError> {
        if register.epoch < epoch {
            return Err(StorageError::TermNotBegun { job: self.job, epoch });
        }
        register.admit(epoch).map_err(|_| self.fenced(register, epoch, doing))
    }

    /// Changes the register as `decide` says, if `epoch` is the current term.
    fn change_in_term<T>(
        &self,
        epoch: u64,
        doing: &str,
        mut decide: impl FnMut(&mut Register) -> Result<T, StorageError>,
    ) -> Result<T, Failed> {
        let changed = self.register.change(|register| {
            self.admit(register, epoch, doing)?;
            decide(register)
        });
        match changed? {
            Some(decided) => Ok(decided),
            None if self.term_begun.load(Ordering::Acquire) => Err(Failed::NotDone(StorageError::Missing { path: self.register.path() })),
            None => Err(Failed::NotDone(StorageError::TermNotBegun { job: self.job, epoch })),
        }
    }

    fn fenced(&self, register: &Register, epoch: u64, doing: &str) -> StorageError {
        StorageError::Fenced { job: self.job, epoch, doing: doing.to_owned(), path: self.register.path(), recorded: register.position() }
    }
}

impl StateFiles for FileStorage {
    fn create_state_file(
        &self,
        checkpoint: CheckpointId,
        target: &SnapshotTarget,
        name_hint: &str,
    ) -> Result<Box<dyn StateFileWriter>, StorageError> {
        state_file::create(&self.directory.files, &self.folder_of(checkpoint, target), checkpoint, name_hint)
    }

    fn open_blocks<'a>(&self, folder: &str, data: &'a BlockData) -> Result<Box<dyn BlockReader + 'a>, StorageError> {
        restore::open_blocks(self.files(), Path::new(folder), data)
    }

    fn is_shared(&self, target: &SnapshotTarget) -> bool {
        self.files().is_shared(&self.folder_of(CheckpointId(0), target))
    }
}

impl CheckpointStorage for FileStorage {
    fn next_epoch(&self) -> Result<u64, StorageError> {
        self.directory.next_epoch()
    }

    fn begin_term(&self, epoch: u64) -> Result<CheckpointId, StorageError> {
        self.begin_job_term(epoch, false)
    }

    fn resume_term(&self, epoch: u64) -> Result<CheckpointId, StorageError> {
        self.begin_job_term(epoch, true)
    }

    fn begin(&self, epoch: u64, checkpoint: CheckpointId, target: &SnapshotTarget) -> Result<(), StorageError> {
        self.begin_snapshot(epoch, checkpoint, target)
    }

    fn complete(&self, target: &SnapshotTarget, metadata: &CheckpointMetadata) -> Result<CompletedCheckpoint, StorageError> {
        self.complete_snapshot(target, metadata)
    }

    fn discard(&self, epoch: u64, checkpoint: CheckpointId, target: &SnapshotTarget) -> Result<(), StorageError> {
        self.discard_snapshot(epoch, checkpoint, target)
    }

    fn completed(&self) -> Result<Vec<CompletedCheckpoint>, StorageError> {
        let register = self.read_register()?.register;
        register.entries.iter().rev().map(|entry| self.register.completed(self.job, entry)).collect()
    }

    fn load(&self, path: &str) -> Result<LoadedCheckpoint, StorageError> {
        restore::load(self.files(), path)
    }

    fn load_completed(&self, completed: &CompletedCheckpoint) -> Result<LoadedCheckpoint, StorageError> {
        restore::load_completed(self.files(), completed)
    }

    fn claim(&self, epoch: u64, loaded: &LoadedCheckpoint) -> Result<CompletedCheckpoint, StorageError> {
        self.claim_loaded(epoch, loaded)
    }

    fn retain(&self, epoch: u64, keep: usize) -> Result<Removal, StorageError> {
        self.retain_newest(epoch, keep)
    }

    fn discard_all(&self, epoch: u64) -> Result<Removal, StorageError> {
        self.remove_all(epoch)
    }

    fn remove_unreferenced(&self, epoch: u64, below: CheckpointId) -> Result<Removal, StorageError> {
        self.sweep(epoch, below)
    }

    fn dispose_savepoint(&self, path: &str) -> Result<(), StorageError> {
        retention::dispose_savepoint(self.files(), path)
    }
}
