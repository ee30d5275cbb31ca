//! Errors of checkpoint storage.

use flott_core::{
    ErrorKind,
    id::{CheckpointId, JobId},
};
use std::{io, path::PathBuf};

/// Why an operation on checkpoint storage failed: what happened, on which file, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The file system failed.
    #[error("cannot {doing} `{}`", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// There is no space left. Nothing of the file stays behind.
    #[error("cannot {doing} `{}`: no space left; free some, or point `execution.checkpointing.dir` at a larger disk", path.display())]
    Full {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The content of a file is not what was written.
    #[error("`{}` is damaged: {what}; restore an older checkpoint, or put an undamaged copy of the file in its place", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        what: String,
    },
    /// A file of a checkpoint is gone.
    #[error(
        "`{}` is missing, but the checkpoint needs it; restore an older checkpoint, or bring the file back: a checkpoint is moved or copied \
         as a whole folder", path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The path does not lead to a checkpoint.
    #[error("`{path}` is no checkpoint: {what}; give the folder of a checkpoint or savepoint, or its `_metadata` file")]
    NotACheckpoint {
        /// The path that was given.
        path: String,
        /// Why not.
        what: String,
    },
    /// The file was written by a later release.
    #[error("`{}` has format version {found}, but this release reads up to {supported}; use the release that wrote it, or a later one", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The latest version that this release reads.
        supported: u32,
    },
    /// Another leader of the job has taken over, or has completed a checkpoint of this number.
    #[error(
        "term {epoch} of job {job} may not {doing}: the register `{}` is at {recorded}; another JobManager has taken over the job, stop this one",
        path.display()
    )]
    Fenced {
        /// The job.
        job: JobId,
        /// The term of whoever asked.
        epoch: u64,
        /// What was asked for.
        doing: String,
        /// The register.
        path: PathBuf,
        /// The term and checkpoint that it has.
        recorded: String,
    },
    /// A term was not announced.
    #[error("term {epoch} of job {job} has not begun; call `begin_term` first")]
    TermNotBegun {
        /// The job.
        job: JobId,
        /// The term of whoever asked.
        epoch: u64,
    },
    /// The checkpoint may or may not be complete: the answer to the last step was lost.
    #[error(
        "cannot tell whether checkpoint {checkpoint} is complete: `{}` may not be on disk yet; complete it again, and do not discard it",
        path.display()
    )]
    Unconfirmed {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The file that the last step was about.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// The folder of a pending checkpoint is not there.
    #[error(
        "`{}` does not exist: checkpoint {checkpoint} was aborted, or the directory is not the same one on all machines; use a directory \
         that every process of the job shares", path.display()
    )]
    NotPending {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Its folder.
        path: PathBuf,
    },
    /// A complete checkpoint was to be discarded or overwritten.
    #[error("`{}` holds a complete checkpoint and stays; {hint}", path.display())]
    Retained {
        /// Its folder.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// A checkpoint belongs to another job.
    #[error("`{}` was claimed by job {owner}; restore it without claiming it", path.display())]
    Claimed {
        /// The folder of the checkpoint.
        path: PathBuf,
        /// The job that owns it.
        owner: JobId,
    },
    /// A path or name cannot be used.
    #[error("`{path}` cannot be used: {what}")]
    InvalidPath {
        /// The path or name.
        path: String,
        /// Why not, and what would do.
        what: String,
    },
    /// What was to be stored contradicts itself: a bug in whoever made it.
    #[error("checkpoint {checkpoint} cannot be stored: {what}")]
    Invalid {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The contradiction.
        what: String,
    },
}

impl StorageError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StorageError::Full { doing, path, source },
            _ => StorageError::Io { doing, path, source },
        }
    }

    pub(crate) fn damaged(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        StorageError::Damaged { path: path.into(), what: what.into() }
    }

    /// Whether the stored checkpoint itself is bad, so that an older one may be tried instead.
    pub fn is_damage(&self) -> bool {
        matches!(self, StorageError::Damaged { .. } | StorageError::Missing { .. })
    }

    /// Whether another leader has taken over: whoever gets this must stop.
    pub fn is_fenced(&self) -> bool {
        matches!(self, StorageError::Fenced { .. })
    }

    /// What whoever meets the error can do about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            StorageError::Io { .. } | StorageError::Full { .. } | StorageError::Unconfirmed { .. } => ErrorKind::Unavailable,
            StorageError::Damaged { .. } | StorageError::Missing { .. } | StorageError::NewerFormat { .. } => ErrorKind::Data,
            StorageError::Fenced { .. } => ErrorKind::Fenced,
            StorageError::NotACheckpoint { .. }
            | StorageError::NotPending { .. }
            | StorageError::Retained { .. }
            | StorageError::Claimed { .. }
            | StorageError::InvalidPath { .. } => ErrorKind::Invalid,
            StorageError::Invalid { .. } | StorageError::TermNotBegun { .. } => ErrorKind::Internal,
        }
    }
}

impl From<StorageError> for flott_core::Error {
    fn from(error: StorageError) -> Self {
        let converted = flott_core::Error::new(error.kind(), error.to_string());
        match error {
            StorageError::Io { source, .. } | StorageError::Full { source, .. } | StorageError::Unconfirmed { source, .. } => {
                converted.with_source(source)
            }
            _ => converted,
        }
    }
}
