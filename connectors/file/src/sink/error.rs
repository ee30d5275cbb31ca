//! What can go wrong when files are written.

use std::{io, path::PathBuf};

/// A file sink could not write or commit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileSinkError {
    /// The directory's name cannot be stored in a checkpoint.
    #[error("the name of output directory `{}` is not valid UTF-8: choose another", path.display())]
    NotUtf8Path {
        /// The directory, with replacement characters.
        path: PathBuf,
    },
    /// What should be a directory is something else.
    #[error("output `{}` is not a directory", path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// A prefix or suffix would lead out of the directory.
    #[error("`{part}` cannot be a part of file names: it must not hold a `/`")]
    InvalidName {
        /// The prefix or suffix.
        part: String,
    },
    /// A bucket is no path below the output directory.
    #[error("bucket `{bucket}` is no path below the output directory: it must be relative and without `.` and `..`")]
    InvalidBucket {
        /// The bucket.
        bucket: String,
    },
    /// An operation on a file or directory failed.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The encoder refused a record.
    #[error("a record for bucket `{bucket}` cannot be encoded")]
    Encode {
        /// The bucket that the record belongs to; empty for the output directory itself.
        bucket: String,
        /// What the encoder said.
        source: flott_core::BoxError,
    },
    /// The writer is used after an error: what it holds may be incomplete.
    #[error("the file writer has failed before and must be restarted from a checkpoint: {message}")]
    Failed {
        /// The first error.
        message: String,
    },
    /// A restored in-progress file is not there.
    #[error(
        "in-progress file `{}` of the restored checkpoint is missing (its first {length} bytes belong to the results): \
         restore another checkpoint, or bring the file back", path.display()
    )]
    MissingPart {
        /// The file.
        path: PathBuf,
        /// The bytes that the checkpoint counts on.
        length: u64,
    },
    /// A restored in-progress file has lost bytes.
    #[error("in-progress file `{}` has {found} bytes, but the restored checkpoint counts on {expected}: results are lost", path.display())]
    ShortPart {
        /// The file.
        path: PathBuf,
        /// The bytes that the checkpoint counts on.
        expected: u64,
        /// Its bytes.
        found: u64,
    },
    /// The restored checkpoint is older than one whose results are visible.
    #[error(
        "the results of a newer checkpoint than the restored one are already visible: `{}` was in progress at the restored checkpoint and is \
         finished now; restore the newer checkpoint, or choose another output directory", path.display()
    )]
    NewerResultsVisible {
        /// The finished file.
        path: PathBuf,
    },
    /// A finished file has the name that an in-progress file is to get.
    #[error(
        "`{}` cannot become `{}`, which exists and is another file: only one sink may write to a directory, unless the prefixes differ",
        from.display(), to.display()
    )]
    Occupied {
        /// The in-progress file.
        from: PathBuf,
        /// The finished file.
        to: PathBuf,
    },
    /// Neither the in-progress nor the finished file of a committable is there.
    #[error(
        "results are lost: neither the pending file `{}` nor the finished file `{}` exists; finished files must stay in place until a \
         later checkpoint is complete", from.display(), to.display()
    )]
    Lost {
        /// The pending file.
        from: PathBuf,
        /// The finished file.
        to: PathBuf,
    },
    /// The file of a committable has another length than when it was closed.
    #[error("file `{}` has {found} bytes, but {expected} were written to it: it was changed from outside", path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// The bytes that were written.
        expected: u64,
        /// Its bytes.
        found: u64,
    },
}

impl FileSinkError {
    /// For `map_err`: the error of trying to `action` a path.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| FileSinkError::Io { action, path, source }
    }
}
