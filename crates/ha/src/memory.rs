//! A coordination store in the memory of this process: for tests and simulations.

use crate::{CoordinationStore, Expected, Key, RemoveOutcome, StoreError, Version, Versioned, WriteOutcome};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is about to be done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of the methods of `CoordinationStore`")]
pub enum Operation {
    Read,
    Write,
    Remove,
    List,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Remove => "remove",
            Operation::List => "list",
        }
    }

    fn changes(self) -> bool {
        matches!(self, Operation::Write | Operation::Remove)
    }
}

/// How a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Well.
    None,
    /// Nothing is done, and the caller is told so.
    Before,
    /// It is done, but the answer is lost.
    After,
    /// Nothing is done, and the caller is not told so.
    Lost,
}

/// Decides how a call goes. Implemented by closures.
pub trait FaultInjection: Send + Sync {
    /// Called before each call.
    fn before(&self, operation: Operation, key: &Key) -> Fault;
}

impl<F: Fn(Operation, &Key) -> Fault + Send + Sync> FaultInjection for F {
    fn before(&self, operation: Operation, key: &Key) -> Fault {
        self(operation, key)
    }
}

#[derive(Debug, Default)]
struct Content {
    values: BTreeMap<Key, Versioned>,
    /// The number of writes so far, which numbers versions.
    writes: u64,
}

/// A store in memory. Clones share what is in it.
#[derive(Clone, Default)]
pub struct MemoryStore {
    content: Arc<Mutex<Content>>,
    faults: Option<Arc<dyn FaultInjection>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        MemoryStore::default()
    }

    /// The same store for one user of it, whose calls go as `faults` says.
    pub fn with_faults(&self, faults: impl FaultInjection + 'static) -> Self {
        MemoryStore { content: self.content.clone(), faults: Some(Arc::new(faults)) }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<T>(&self, operation: Operation, key: &Key, run: impl FnOnce(&mut Content) -> T) -> Result<T, StoreError> {
        let fault = self.faults.as_ref().map_or(Fault::None, |faults| faults.before(operation, key));
        let (action, key, store) = (operation.name(), key.to_string(), "memory".to_owned());
        match fault {
            Fault::None => return Ok(run(&mut self.content())),
            Fault::After => drop(run(&mut self.content())),
            Fault::Before | Fault::Lost => {}
        }
        if fault == Fault::Before || !operation.changes() {
            return Err(StoreError::NotDone { action, key, store, source: "a fault was injected".into() });
        }
        Err(StoreError::Unknown { action, key, store, source: "a fault was injected".into() })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("content", &self.content).finish_non_exhaustive()
    }
}

impl CoordinationStore for MemoryStore {
    fn read(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        self.run(Operation::Read, key, |content| content.values.get(key).cloned())
    }

    fn write(&self, key: &Key, bytes: &[u8], expected: &Expected) -> Result<WriteOutcome, StoreError> {
        self.run(Operation::Write, key, |content| {
            let fits = match (content.values.get(key), expected) {
                (None, Expected::Absent) => true,
                (Some(found), Expected::Version(version)) => found.version == *version,
                _ => false,
            };
            if !fits {
                return WriteOutcome::Conflict;
            }
            content.writes += 1;
            let version = Version::new(content.writes.to_string());
            content.values.insert(key.clone(), Versioned { bytes: bytes.to_vec(), version: version.clone() });
            WriteOutcome::Written(version)
        })
    }

    fn remove(&self, key: &Key, expected: &Version) -> Result<RemoveOutcome, StoreError> {
        self.run(Operation::Remove, key, |content| {
            if content.values.get(key).is_none_or(|found| found.version != *expected) {
                return RemoveOutcome::Conflict;
            }
            content.values.remove(key);
            RemoveOutcome::Removed
        })
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>, StoreError> {
        self.run(Operation::List, prefix, |content| content.values.keys().filter(|key| key.is_below(prefix)).cloned().collect())
    }
}
