//! What can go wrong with a coordination store.

use flott_core::{Error, ErrorKind, error::BoxError};

/// Why a call of a store, or of what rests on it, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Certainly not done: it may be tried again as it is.
    #[error("cannot {action} `{key}` in the coordination store ({store})")]
    NotDone {
        /// `read`, `write`, `remove`, `list`.
        action: &'static str,
        /// The key.
        key: String,
        /// Which store: a directory, an address.
        store: String,
        /// The cause.
        source: BoxError,
    },
    /// Nobody knows whether it was done, or still will be: the answer was lost. Read, then decide anew.
    #[error("cannot tell whether the coordination store ({store}) did {action} `{key}`")]
    Unknown {
        /// `write` or `remove`.
        action: &'static str,
        /// The key.
        key: String,
        /// Which store: a directory, an address.
        store: String,
        /// The cause.
        source: BoxError,
    },
    /// What is stored is not what was written.
    #[error(
        "the coordination store holds a damaged value at `{place}`: {problem}; restore it from a copy, or remove it while no JobManager runs"
    )]
    Damaged {
        /// The file or address.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Another leader has taken over.
    #[error("this JobManager leads no more: its epoch is {epoch}, the current one {}", or_none(.current))]
    Fenced {
        /// The epoch of whoever asked.
        epoch: u64,
        /// The epoch that there is; `None` if there is no leader.
        current: Option<u64>,
    },
    /// The store cannot be used as it is configured.
    #[error("{message}")]
    Invalid {
        /// What is wrong, and what to do about it.
        message: String,
    },
}

fn or_none(epoch: &Option<u64>) -> String {
    epoch.map_or_else(|| "none".to_owned(), |epoch| epoch.to_string())
}

impl StoreError {
    /// Whether the call may have been done nevertheless, or still be done later.
    pub fn is_unknown(&self) -> bool {
        matches!(self, StoreError::Unknown { .. })
    }

    /// Whether another leader has taken over.
    pub fn is_fenced(&self) -> bool {
        matches!(self, StoreError::Fenced { .. })
    }

    /// What can be done about it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            StoreError::NotDone { .. } | StoreError::Unknown { .. } => ErrorKind::Unavailable,
            StoreError::Damaged { .. } => ErrorKind::Data,
            StoreError::Fenced { .. } => ErrorKind::Fenced,
            StoreError::Invalid { .. } => ErrorKind::Invalid,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let (kind, message) = (error.kind(), error.to_string());
        let shown = Error::new(kind, message);
        match error {
            StoreError::NotDone { source, .. } | StoreError::Unknown { source, .. } => shown.with_source(source),
            _ => shown,
        }
    }
}
