//! A coordination store in a directory that all JobManagers reach: on one machine, or on shared storage such as NFS.
//!
//! A value is one file, `<key>.value`: see `value_file.rs` for what is in it. It is replaced as a whole: written beside, made durable,
//! and renamed into place, so that whoever reads, without any lock, finds either the old value or the new one, also when a process is
//! killed or the power fails at any point. Writers take turns by an advisory lock on a file for each first segment (`.<segment>.lock`),
//! so that who holds it can compare versions. The kernel lets go of the locks of a process that dies.
//!
//! The lock is held for as little as a comparison and a rename take, because a process that is stopped while it holds one keeps all
//! others from writing until it goes on or dies. What is slow happens before and after.
//!
//! Versions are random for each opened store, and counted within it, so that none comes again after a removal.

mod folders;
#[cfg(test)]
mod tests;
mod value_file;

use crate::{CoordinationStore, Expected, Key, RemoveOutcome, StoreError, Version, Versioned, WriteOutcome, id::random_u128};
use folders::{NotFoundAsNone, create_folders, lock, sync_folder};
use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use value_file::{Stamp, VALUE, decode, encode};

/// How the name of a file ends that becomes a value.
const TEMPORARY: &str = "tmp";
/// The age at which such a file is one that a killed process has left.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// A store in a directory. Clones are the same store.
#[derive(Clone)]
pub struct FileStore {
    inner: Arc<Inner>,
}

struct Inner {
    directory: PathBuf,
    /// Tells the versions and temporary files of this opened store from all others'.
    opened: u128,
    /// Counts the writes of this opened store.
    writes: AtomicU64,
    /// Called before each step of a change; an error is what the file system might have answered.
    #[cfg(test)]
    faults: Option<Box<dyn Fn(Step) -> io::Result<()> + Send + Sync>>,
}

/// The steps of a change, after each of which a process may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    CreateTemporary,
    WriteTemporary,
    SyncTemporary,
    Lock,
    Prepare,
    Compare,
    Replace,
    SyncFolder,
    Remove,
}

/// How far a change came before it failed.
enum Failed {
    /// Nothing of it is, or will be, visible.
    NotDone(io::Error),
    /// It is visible, but may not last.
    Unknown(io::Error),
    /// What is there is damaged.
    Damaged(StoreError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::NotDone(error)
    }
}

impl FileStore {
    /// The store in `directory`, which is made if it is not there.
    ///
    /// # Errors
    /// The directory cannot be made or written to.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = FileStore::in_directory(std::path::absolute(directory.into()).map_err(|error| unusable(Path::new(""), error))?);
        let directory = &store.inner.directory;
        create_folders(directory).map_err(|error| unusable(directory, error))?;
        store.remove_leftovers(directory).map_err(|error| unusable(directory, error))?;
        Ok(store)
    }

    fn in_directory(directory: PathBuf) -> Self {
        let inner = Inner {
            directory,
            opened: random_u128(),
            writes: AtomicU64::new(0),
            #[cfg(test)]
            faults: None,
        };
        FileStore { inner: Arc::new(inner) }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }

    /// Removes what writers that were killed have left. Should one of them still be at work, it finds its file gone and says so.
    fn remove_leftovers(&self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.remove_leftovers(&path)?;
            } else if path.extension().is_some_and(|extension| extension == TEMPORARY) && is_old(&path)? {
                fs::remove_file(&path).not_found_as_none()?;
            }
        }
        Ok(())
    }

    fn step(&self, step: Step) -> io::Result<()> {
        #[cfg(test)]
        if let Some(faults) = &self.inner.faults {
            return faults(step);
        }
        let _ = step;
        Ok(())
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.inner.directory.join(format!("{key}.{VALUE}"))
    }

    fn error(&self, action: &'static str, key: &Key, error: Failed) -> StoreError {
        let (key, store) = (key.to_string(), self.inner.directory.display().to_string());
        match error {
            Failed::NotDone(source) => StoreError::NotDone { action, key, store, source: source.into() },
            Failed::Unknown(source) => StoreError::Unknown { action, key, store, source: source.into() },
            Failed::Damaged(error) => error,
        }
    }

    fn load(&self, path: &Path) -> Result<Option<Versioned>, Failed> {
        let Some(bytes) = fs::read(path).not_found_as_none()? else { return Ok(None) };
        let (stamp, bytes) =
            decode(&bytes).map_err(|problem| Failed::Damaged(StoreError::Damaged { place: path.display().to_string(), problem }))?;
        Ok(Some(Versioned { bytes: bytes.to_vec(), version: stamp.version() }))
    }

    /// Lets nobody else change a key with the first segment of `key` until the result is dropped.
    fn lock(&self, key: &Key) -> io::Result<fs::File> {
        self.step(Step::Lock)?;
        let first = key.segments().next().unwrap_or_default();
        lock(&self.inner.directory.join(format!(".{first}.lock")))
    }

    /// Writes a file that can become the value of `key`.
    fn write_temporary(&self, path: &Path, stamp: Stamp, bytes: &[u8]) -> io::Result<Temporary> {
        let path = path.with_extension(format!("{:032x}-{}.{TEMPORARY}", stamp.opened, stamp.number));
        self.step(Step::CreateTemporary)?;
        let mut attempts = 0;
        let mut file = loop {
            match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
                // Its folder is not there yet, or somebody has removed the last value in it just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempts < 3 => {
                    attempts += 1;
                    create_folders(path.parent().unwrap_or(&self.inner.directory))?;
                }
                opened => break opened?,
            }
        };
        let temporary = Temporary(Some(path));
        self.step(Step::WriteTemporary)?;
        file.write_all(&encode(stamp, bytes))?;
        self.step(Step::SyncTemporary)?;
        file.sync_all()?;
        Ok(temporary)
    }

    fn try_write(&self, key: &Key, bytes: &[u8], expected: &Expected) -> Result<WriteOutcome, Failed> {
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.inner.directory);
        let stamp = Stamp { opened: self.inner.opened, number: self.inner.writes.fetch_add(1, Ordering::Relaxed) };
        let mut temporary = self.write_temporary(&path, stamp, bytes)?;
        let lock = self.lock(key)?;
        // A change of the folder of our own, under the lock: an NFS client forgets by it what it remembers of the folder, so that the
        // comparison sees what others have written.
        self.step(Step::Prepare)?;
        temporary.rename(path.with_extension(format!("{:032x}-{}-new.{TEMPORARY}", stamp.opened, stamp.number)))?;
        self.step(Step::Compare)?;
        let fits = match (self.load(&path)?, expected) {
            (None, Expected::Absent) => true,
            (Some(found), Expected::Version(version)) => found.version == *version,
            _ => false,
        };
        if !fits {
            return Ok(WriteOutcome::Conflict);
        }
        self.step(Step::Replace)?;
        // Over NFS, an answer may be lost after the file was renamed.
        temporary.rename(path.clone()).map_err(Failed::Unknown)?;
        temporary.keep();
        drop(lock);
        self.step(Step::SyncFolder).and_then(|()| sync_folder(folder)).map_err(Failed::Unknown)?;
        Ok(WriteOutcome::Written(stamp.version()))
    }

    fn try_remove(&self, key: &Key, expected: &Version) -> Result<RemoveOutcome, Failed> {
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.inner.directory);
        let lock = self.lock(key)?;
        self.step(Step::Compare)?;
        if self.load(&path)?.is_none_or(|found| found.version != *expected) {
            return Ok(RemoveOutcome::Conflict);
        }
        self.step(Step::Remove)?;
        fs::remove_file(&path).map_err(Failed::Unknown)?;
        drop(lock);
        self.step(Step::SyncFolder).and_then(|()| sync_folder(folder)).map_err(Failed::Unknown)?;
        if folder != self.inner.directory {
            // Mostly it has other values. An empty folder that stays behind harms nobody.
            let _ = fs::remove_dir(folder);
        }
        Ok(RemoveOutcome::Removed)
    }

    fn collect(&self, folder: &Path, prefix: &str, keys: &mut Vec<Key>) -> io::Result<()> {
        let Some(entries) = fs::read_dir(folder).not_found_as_none()? else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            // Names that are not text are none of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if entry.file_type().not_found_as_none()?.is_some_and(|kind| kind.is_dir()) {
                self.collect(&entry.path(), &format!("{prefix}/{name}"), keys)?;
            } else if let Some((name, VALUE)) = name.rsplit_once('.') {
                keys.extend(Key::new(format!("{prefix}/{name}")));
            }
        }
        Ok(())
    }
}

impl CoordinationStore for FileStore {
    fn read(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        self.load(&self.path(key)).map_err(|error| self.error("read", key, error))
    }

    fn write(&self, key: &Key, bytes: &[u8], expected: &Expected) -> Result<WriteOutcome, StoreError> {
        self.try_write(key, bytes, expected).map_err(|error| self.error("write", key, error))
    }

    fn remove(&self, key: &Key, expected: &Version) -> Result<RemoveOutcome, StoreError> {
        self.try_remove(key, expected).map_err(|error| self.error("remove", key, error))
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>, StoreError> {
        let mut keys = Vec::new();
        self.collect(&self.inner.directory.join(prefix.as_str()), prefix.as_str(), &mut keys)
            .map_err(|error| self.error("list", prefix, Failed::NotDone(error)))?;
        keys.sort();
        Ok(keys)
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("directory", &self.inner.directory).finish_non_exhaustive()
    }
}

/// Whether nobody can be writing the file any more.
fn is_old(path: &Path) -> io::Result<bool> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).not_found_as_none()?;
    // A time in the future is no reason to keep a file for ever, but one to keep it for now.
    Ok(modified.and_then(|modified| modified.elapsed().ok()).is_some_and(|age| age > LEFT_BEHIND))
}

/// A file that is removed unless it becomes a value.
struct Temporary(Option<PathBuf>);

impl Temporary {
    fn rename(&mut self, to: PathBuf) -> io::Result<()> {
        let Some(from) = &self.0 else { return Err(io::ErrorKind::NotFound.into()) };
        fs::rename(from, &to)?;
        self.0 = Some(to);
        Ok(())
    }

    fn keep(&mut self) {
        self.0 = None;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What stays behind is removed when the store is opened again.
            let _ = fs::remove_file(path);
        }
    }
}

fn unusable(directory: &Path, error: io::Error) -> StoreError {
    StoreError::Invalid {
        message: format!(
            "the directory `{}` cannot be used for high availability: {error}; see `high-availability.storageDir`",
            directory.display()
        ),
    }
}
