//! The error of a task: what happened, where, and what to do.

use std::path::{Path, PathBuf};

/// Result of a task.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file or directory could not be read or written.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    /// A program could not be started or waited for.
    #[error("cannot run `{program}`: {source}; is it installed and on the PATH?")]
    Start { program: String, source: std::io::Error },
    /// A program ended with a failure.
    #[error("`{program}` failed ({status}){detail}")]
    Failed { program: String, status: std::process::ExitStatus, detail: String },
    /// Anything else, in words.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// For `map_err` on a file operation.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// An error in words.
    pub(crate) fn other(message: impl Into<String>) -> Error {
        Error::Other(message.into())
    }
}
