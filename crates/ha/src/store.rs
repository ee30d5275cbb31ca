//! The store that everything here rests on: small values, written on a condition only.

use crate::{Key, StoreError};
use std::fmt::{self, Debug};

/// A place for small values that several processes share. Every call blocks until it is answered or given up.
///
/// The contract, which the suite in `testing` checks:
/// - A write and a removal happen at once or not at all, and only if the key is as expected.
/// - What was written before a call began is seen by it, whoever wrote it. (A read may be answered from an older moment where the
///   storage below caches; a write on a condition never is.)
/// - A [`Version`] stands for one write of one key and never comes again, not even after the key was removed.
/// - An error that is not [`StoreError::Unknown`] means that nothing was done or ever will be. After an unknown outcome the write may
///   take effect at any later time: whoever needs to know reads again, and writes again on the version that it then sees.
pub trait CoordinationStore: Send + Sync + Debug {
    /// The value of `key`; `None` if there is none.
    ///
    /// # Errors
    /// The store does not answer, or what is there is damaged.
    fn read(&self, key: &Key) -> Result<Option<Versioned>, StoreError>;

    /// Gives `key` the value `bytes` if it is as `expected`.
    ///
    /// # Errors
    /// The store does not answer, or what is there is damaged; see the contract for whether it may have been done.
    fn write(&self, key: &Key, bytes: &[u8], expected: &Expected) -> Result<WriteOutcome, StoreError>;

    /// Removes `key` if its version is `expected`.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    fn remove(&self, key: &Key, expected: &Version) -> Result<RemoveOutcome, StoreError>;

    /// The keys below `prefix`, in order.
    ///
    /// # Errors
    /// The store does not answer.
    fn list(&self, prefix: &Key) -> Result<Vec<Key>, StoreError>;
}

/// Which write of a key a value comes from. Only the store that made it knows what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(Box<str>);

impl Version {
    /// A version, for whoever implements a store.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Version(text.into())
    }

    /// What it was made of, for whoever implements a store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The value.
    pub bytes: Vec<u8>,
    /// The write that it comes from.
    pub version: Version,
}

/// What a key must be for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Not there.
    Absent,
    /// At this version.
    Version(Version),
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum WriteOutcome {
    /// It was done, and the key has this version now.
    Written(Version),
    /// The key was not as expected; nothing was done.
    Conflict,
}

/// How a removal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum RemoveOutcome {
    /// It was done.
    Removed,
    /// The key was not as expected, or not there; nothing was done.
    Conflict,
}
