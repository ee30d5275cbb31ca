//! A coordination store in a directory that all JobManagers reach: on one machine, or on shared storage such as NFS.
//!
//! A value is a folder, `<key>.value`, which is empty or has one folder in it: a chain, of a name that none other ever has. In the chain,
//! each version of the value is a file whose name is a number, and the largest one is the value; see `value_file.rs` for what is in it.
//! Nothing is locked, so that a process that is stopped in the middle of a change, for however long, keeps nobody from making others:
//! - A value is made by renaming a folder with its first version to `<key>.value`, which fails if there is something in a folder there.
//! - It is replaced by writing a file, making it durable, and linking it to the next number, which fails if another writer was faster.
//!   Who has made a version removes those before it. A writer that comes so late that its number has been there and gone succeeds to
//!   link, but then it is not the largest: each writer looks, and if there is a larger one, finds in it whom that one followed.
//! - It is removed by a version that says so. Then the chain is renamed, so that no late writer finds it, and removed: any process that
//!   comes by does this.
//!
//! Readers take the largest number, and look again if it is removed under their eyes.
//!
//! Versions are random for each opened store, and counted within it, so that none comes again after a removal.

mod chain;
mod folders;
#[cfg(test)]
mod tests;
mod value_file;

use crate::{CoordinationStore, Expected, Key, RemoveOutcome, StoreError, Version, Versioned, WriteOutcome, id::random_u128};
use chain::{Found, Link, VALUE};
use folders::{NotFoundAsNone, create_folders, sync_folder};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use value_file::{Record, Stamp};

/// How the name of a file or folder ends that becomes a value, or was one.
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
    Find,
    CreateTemporary,
    WriteTemporary,
    SyncTemporary,
    Publish,
    Verify,
    SyncFolder,
    CleanUp,
    Bury,
}

/// How far a change came before it failed.
#[derive(Debug)]
enum Failed {
    /// Nothing of it is, or will be, visible.
    NotDone(io::Error),
    /// It is visible, but may not last, or may have been.
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
    /// The directory cannot be made or written to, or its file system has no hard links.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let store = FileStore::in_directory(std::path::absolute(directory.into()).map_err(|error| unusable(Path::new(""), error))?);
        let directory = &store.inner.directory;
        create_folders(directory).map_err(|error| unusable(directory, error))?;
        store.remove_leftovers(directory).map_err(|error| unusable(directory, error))?;
        store.try_link().map_err(|error| unusable(directory, error))?;
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
        let Some(entries) = fs::read_dir(folder).not_found_as_none()? else { return Ok(()) };
        for entry in entries {
            let path = entry?.path();
            let is_temporary = path.extension().is_some_and(|extension| extension == TEMPORARY);
            if is_temporary && is_old(&path)? {
                if path.is_dir() {
                    self.remove_folder(&path)?;
                } else {
                    fs::remove_file(&path).not_found_as_none()?;
                }
            } else if !is_temporary && path.is_dir() {
                self.remove_leftovers(&path)?;
            }
        }
        Ok(())
    }

    /// Fails where a file cannot have two names.
    fn try_link(&self) -> io::Result<()> {
        let [one, other] = [self.own_path(), self.own_path()];
        fs::write(&one, b"")?;
        let linked = fs::hard_link(&one, &other)
            .map_err(|error| io::Error::new(error.kind(), format!("its file system has no hard links ({error})")));
        fs::remove_file(&one)?;
        linked.and_then(|()| fs::remove_file(&other))
    }

    fn step(&self, step: Step) -> io::Result<()> {
        #[cfg(test)]
        if let Some(faults) = &self.inner.faults {
            return faults(step);
        }
        let _ = step;
        Ok(())
    }

    fn stamp(&self) -> Stamp {
        Stamp { opened: self.inner.opened, number: self.inner.writes.fetch_add(1, Ordering::Relaxed) }
    }

    /// A path in the directory that nobody else has.
    fn own_path(&self) -> PathBuf {
        self.inner.directory.join(format!(".{}.{TEMPORARY}", self.stamp()))
    }

    /// The folder of a value.
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

    /// Removes a folder that no name is looked for in: first it gets another name, so that nobody makes half of it something.
    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        let trash = self.own_path();
        if fs::rename(folder, &trash).not_found_as_none()?.is_some() {
            fs::remove_dir_all(&trash).not_found_as_none()?;
        }
        Ok(())
    }

    fn try_write(&self, key: &Key, bytes: &[u8], expected: &Expected) -> Result<WriteOutcome, Failed> {
        let folder = self.path(key);
        self.step(Step::Find)?;
        let value = Some(bytes.to_vec());
        match (chain::find(&folder)?, expected) {
            (None, Expected::Absent) => self.create(&folder, value),
            (Some(found), Expected::Absent) if found.record.value.is_none() => {
                self.bury(&folder, &found)?;
                self.create(&folder, value)
            }
            (Some(found), Expected::Version(version)) if found.is_at(version) => self.replace(&found, value),
            _ => Ok(WriteOutcome::Conflict),
        }
    }

    fn try_remove(&self, key: &Key, expected: &Version) -> Result<RemoveOutcome, Failed> {
        let folder = self.path(key);
        self.step(Step::Find)?;
        let Some(found) = chain::find(&folder)?.filter(|found| found.is_at(expected)) else { return Ok(RemoveOutcome::Conflict) };
        if self.replace(&found, None)? == WriteOutcome::Conflict {
            return Ok(RemoveOutcome::Conflict);
        }
        // It is removed. What is left of it takes up space until a value of this key is made again.
        let _ = self.step(Step::Bury).and_then(|()| self.bury(&folder, &found));
        let parent = folder.parent().unwrap_or(&self.inner.directory);
        if parent != self.inner.directory {
            // Mostly it has other values. An empty folder that stays behind harms nobody.
            let _ = fs::remove_dir(parent);
        }
        Ok(RemoveOutcome::Removed)
    }

    /// Makes a value where there is none.
    fn create(&self, folder: &Path, value: Option<Vec<u8>>) -> Result<WriteOutcome, Failed> {
        let record = Record { stamp: self.stamp(), before: Vec::new(), value };
        self.step(Step::CreateTemporary)?;
        let mut temporary = Temporary { path: self.own_path(), store: self, is_folder: true };
        let chain = temporary.path.join(record.stamp.to_string());
        fs::create_dir(&temporary.path)?;
        fs::create_dir(&chain)?;
        self.write_file(&chain.join("1"), &record)?;
        sync_folder(&chain)?;
        sync_folder(&temporary.path)?;
        self.step(Step::Publish)?;
        let parent = folder.parent().unwrap_or(&self.inner.directory);
        let mut attempts = 0;
        while let Err(error) = fs::rename(&temporary.path, folder) {
            match error.kind() {
                // Over NFS, an answer may be lost after the folder was renamed.
                _ if folder.join(record.stamp.to_string()).is_dir() => break,
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => return Ok(WriteOutcome::Conflict),
                // The folder above is not there yet, or somebody has removed the last value in it just now.
                io::ErrorKind::NotFound if attempts < 3 && temporary.path.is_dir() => {
                    attempts += 1;
                    create_folders(parent)?;
                }
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied => return Err(error.into()),
                _ => return Err(Failed::Unknown(error)),
            }
        }
        temporary.keep();
        self.step(Step::SyncFolder).and_then(|()| sync_folder(parent)).map_err(Failed::Unknown)?;
        Ok(WriteOutcome::Written(record.stamp.version()))
    }

    /// Makes the version that follows `found`: a value, or `None` for its removal.
    fn replace(&self, found: &Found, value: Option<Vec<u8>>) -> Result<WriteOutcome, Failed> {
        let record = Record { stamp: self.stamp(), before: found.record.followed_by(), value };
        let temporary = Temporary { path: found.chain.join(format!("{}.{TEMPORARY}", record.stamp)), store: self, is_folder: false };
        self.step(Step::CreateTemporary)?;
        match self.write_file(&temporary.path, &record) {
            // Others have removed the value.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(WriteOutcome::Conflict),
            written => written?,
        }
        self.step(Step::Publish)?;
        let number = found.number + 1;
        match chain::link(&temporary.path, &found.chain, number)? {
            Link::Made => {}
            Link::Taken => return Ok(WriteOutcome::Conflict),
        }
        self.step(Step::Verify).map_err(Failed::Unknown)?;
        if !chain::is_part(&found.chain, number, record.stamp)? {
            // It is in nobody's way.
            let _ = fs::remove_file(found.chain.join(number.to_string()));
            return Ok(WriteOutcome::Conflict);
        }
        self.step(Step::SyncFolder).and_then(|()| sync_folder(&found.chain)).map_err(Failed::Unknown)?;
        // What stays is removed after the next change.
        let _ = self.step(Step::CleanUp).and_then(|()| chain::remove_before(&found.chain, number));
        Ok(WriteOutcome::Written(record.stamp.version()))
    }

    fn write_file(&self, path: &Path, record: &Record) -> io::Result<()> {
        use io::Write;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        self.step(Step::WriteTemporary)?;
        file.write_all(&record.encode())?;
        self.step(Step::SyncTemporary)?;
        file.sync_all()
    }

    /// Takes away the chain of a value that was removed, and its folder unless there is another one by now.
    fn bury(&self, folder: &Path, found: &Found) -> io::Result<()> {
        self.remove_folder(&found.chain)?;
        match fs::remove_dir(folder) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => Err(error),
            _ => Ok(()),
        }
    }

    fn collect(&self, folder: &Path, prefix: &str, keys: &mut Vec<Key>) -> Result<(), Failed> {
        let Some(entries) = fs::read_dir(folder).not_found_as_none()? else { return Ok(()) };
        for entry in entries {
            let entry = entry?;
            // Names that are not text are none of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !entry.file_type().not_found_as_none()?.is_some_and(|kind| kind.is_dir()) {
                continue;
            }
            match name.rsplit_once('.') {
                None => self.collect(&entry.path(), &format!("{prefix}/{name}"), keys)?,
                Some((name, VALUE)) if chain::find(&entry.path())?.is_some_and(|found| found.record.value.is_some()) => {
                    keys.extend(Key::new(format!("{prefix}/{name}")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

impl CoordinationStore for FileStore {
    fn read(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        let found = chain::find(&self.path(key)).map_err(|error| self.error("read", key, error))?;
        Ok(found.and_then(|found| {
            let version = found.record.stamp.version();
            found.record.value.map(|bytes| Versioned { bytes, version })
        }))
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
            .map_err(|error| self.error("list", prefix, error))?;
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

/// A file or folder that is removed in the end, unless it becomes something that stays.
struct Temporary<'a> {
    path: PathBuf,
    store: &'a FileStore,
    is_folder: bool,
}

impl Temporary<'_> {
    fn keep(&mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // What stays behind is removed when the store is opened again.
        let _ = match self {
            Temporary { path, .. } if path == Path::new("") => Ok(()),
            Temporary { path, store, is_folder: true } => store.remove_folder(path),
            Temporary { path, .. } => fs::remove_file(path),
        };
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
