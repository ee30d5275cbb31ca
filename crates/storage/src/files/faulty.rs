//! A file system around another one, on which operations fail when a hook says so: for simulations and tests.

use super::{FileSystem, ReadFile, Stat, WriteFile};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of the methods of `FileSystem`, `WriteFile` and `ReadFile`")]
pub enum Operation {
    CreateFolder,
    CreateFile,
    Open,
    Stat,
    List,
    Rename,
    SyncFolder,
    RemoveFile,
    RemoveEmptyFolder,
    RemoveFolder,
    Link,
    IsSameFile,
    Write,
    Sync,
    Read,
}

/// How an operation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Well.
    None,
    /// Nothing is done, and it fails.
    Fail(io::ErrorKind),
    /// A write puts down the first half of its bytes and fails; anything else is not done and fails.
    Half(io::ErrorKind),
    /// It is done, but reported as failed: the answer was lost.
    Lost(io::ErrorKind),
}

/// Decides how an operation goes. Implemented by closures.
pub trait FaultInjection: Send + Sync {
    /// Called before each operation on the file or folder at `path`.
    fn before(&self, operation: Operation, path: &Path) -> Fault;
}

impl<F: Fn(Operation, &Path) -> Fault + Send + Sync> FaultInjection for F {
    fn before(&self, operation: Operation, path: &Path) -> Fault {
        self(operation, path)
    }
}

/// A file system with faults.
#[derive(Clone)]
pub struct Faulty<F> {
    inner: F,
    hook: Arc<dyn FaultInjection>,
}

impl<F> Faulty<F> {
    /// `inner`, whose operations go as `hook` says.
    pub fn new(inner: F, hook: impl FaultInjection + 'static) -> Self {
        Faulty { inner, hook: Arc::new(hook) }
    }

    fn run<T>(&self, operation: Operation, path: &Path, run: impl FnOnce(&F) -> io::Result<T>) -> io::Result<T> {
        apply(self.hook.as_ref(), operation, path, || run(&self.inner))
    }
}

fn apply<T>(hook: &dyn FaultInjection, operation: Operation, path: &Path, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match hook.before(operation, path) {
        Fault::None => run(),
        Fault::Fail(kind) | Fault::Half(kind) => Err(kind.into()),
        Fault::Lost(kind) => run().and_then(|_| Err(kind.into())),
    }
}

impl<F: fmt::Debug> fmt::Debug for Faulty<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("inner", &self.inner).finish_non_exhaustive()
    }
}

struct FaultyFile<T> {
    inner: T,
    path: PathBuf,
    hook: Arc<dyn FaultInjection>,
}

impl<T: fmt::Debug> fmt::Debug for FaultyFile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyFile").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F: FileSystem> FileSystem for Faulty<F> {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::CreateFolder, path, |files| files.create_folder(path))
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let inner = self.run(Operation::CreateFile, path, |files| files.create_file(path))?;
        Ok(Box::new(FaultyFile { inner, path: path.to_owned(), hook: self.hook.clone() }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        let inner = self.run(Operation::Open, path, |files| files.open(path))?;
        Ok(Box::new(FaultyFile { inner, path: path.to_owned(), hook: self.hook.clone() }))
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.run(Operation::Stat, path, |files| files.stat(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.run(Operation::List, path, |files| files.list(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(Operation::Rename, to, |files| files.rename(from, to))
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::SyncFolder, path, |files| files.sync_folder(path))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::RemoveFile, path, |files| files.remove_file(path))
    }

    fn remove_empty_folder(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::RemoveEmptyFolder, path, |files| files.remove_empty_folder(path))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.run(Operation::RemoveFolder, path, |files| files.remove_folder(path))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.run(Operation::Link, to, |files| files.link(from, to))
    }

    fn is_same_file(&self, one: &Path, other: &Path) -> io::Result<bool> {
        self.run(Operation::IsSameFile, other, |files| files.is_same_file(one, other))
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        self.inner.absolute(path)
    }

    fn unique_suffix(&self) -> String {
        self.inner.unique_suffix()
    }

    fn is_shared(&self, path: &Path) -> bool {
        self.inner.is_shared(path)
    }
}

impl WriteFile for FaultyFile<Box<dyn WriteFile>> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.hook.before(Operation::Write, &self.path) {
            Fault::None => self.inner.write_all(bytes),
            Fault::Fail(kind) => Err(kind.into()),
            Fault::Half(kind) => self.inner.write_all(&bytes[..bytes.len() / 2]).and_then(|()| Err(kind.into())),
            Fault::Lost(kind) => self.inner.write_all(bytes).and_then(|()| Err(kind.into())),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        apply(self.hook.as_ref(), Operation::Sync, &self.path, || self.inner.sync())
    }
}

impl ReadFile for FaultyFile<Box<dyn ReadFile>> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        apply(self.hook.as_ref(), Operation::Read, &self.path, || self.inner.read_exact_at(into, offset))
    }
}
