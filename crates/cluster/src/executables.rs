//! Executables on a machine, kept by their content. All processes of a user share them.

use flott_core::{Error, ErrorKind};
use flott_rpc::control::ExecutableId;
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// Bytes of an executable that are sent at once.
const CHUNK_BYTES: u64 = 1 << 20;
/// Bytes that are read at once for a digest.
const DIGEST_BUFFER_BYTES: usize = 256 << 10;
/// How long an executable is kept that nobody asks for.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// The largest executable, bytes.
pub(crate) const MOST_BYTES: u64 = 2 << 30;

/// Executables.
#[derive(Debug, Clone)]
pub(crate) struct ExecutableStore {
    folder: PathBuf,
}

impl ExecutableStore {
    /// Opens the folder, which is made if it is not there. What nobody has asked for in a week is removed.
    ///
    /// # Errors
    /// It cannot be used, or others may write into it or are its owner.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| unusable(folder, error))?;
        let mode = fs::metadata(folder).map_err(|error| unusable(folder, error))?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(Error::invalid(format!(
                "others may write into `{}`, from which programs are run: take that from them (`chmod 700`), or set `io.tmp.dirs`",
                folder.display()
            )));
        }
        check_owner(folder)?;
        let store = ExecutableStore { folder: folder.to_owned() };
        if let Err(error) = store.remove_old() {
            tracing::warn!(%error, folder = %folder.display(), "old executables cannot be removed");
        }
        Ok(store)
    }

    fn remove_old(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.metadata()?.modified()?.elapsed().is_ok_and(|age| age > KEPT) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Where an executable is. Its name comes from outside: it is a digest, or there is none.
    fn path(&self, id: &ExecutableId) -> Result<PathBuf, Error> {
        if id.0.len() == 64 && id.0.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            Ok(self.folder.join(&id.0))
        } else {
            Err(Error::invalid("the name of an executable is not the SHA-256 of its content"))
        }
    }

    pub(crate) fn has(&self, id: &ExecutableId) -> bool {
        self.find(id).is_ok_and(|path| path.is_some())
    }

    /// Where an executable is, if it is there. It is kept for another week.
    ///
    /// # Errors
    /// The name is no digest.
    pub(crate) fn find(&self, id: &ExecutableId) -> Result<Option<PathBuf>, Error> {
        let path = self.path(id)?;
        let Ok(file) = fs::File::open(&path) else { return Ok(None) };
        if let Err(error) = file.set_modified(SystemTime::now()) {
            tracing::debug!(%error, "the age of an executable cannot be set");
        }
        Ok(Some(path))
    }

    /// Takes a file in.
    ///
    /// # Errors
    /// It cannot be read or kept.
    pub(crate) fn add(&self, path: &Path) -> Result<ExecutableId, Error> {
        let id = digest(path)?;
        if !self.has(&id) {
            let mut incoming = self.begin(&id)?;
            let mut file = fs::File::open(path).map_err(|error| unusable(path, error))?;
            loop {
                let mut bytes = Vec::new();
                (&mut file).take(CHUNK_BYTES).read_to_end(&mut bytes).map_err(|error| unusable(path, error))?;
                if bytes.is_empty() {
                    break;
                }
                incoming.take(&bytes)?;
            }
            incoming.finish()?;
        }
        Ok(id)
    }

    /// Begins to take an executable.
    ///
    /// # Errors
    /// The folder cannot be written, or the name is no digest.
    pub(crate) fn begin(&self, id: &ExecutableId) -> Result<Incoming, Error> {
        let path = self.path(id)?;
        let unfinished = self.folder.join(format!("{id}.{:x}.tmp", crate::launch::random_u128()));
        let file = new_executable(&unfinished).map_err(|error| unusable(&unfinished, error))?;
        Ok(Incoming { id: id.clone(), path, unfinished, file: Some(file), hasher: Sha256::new(), bytes: 0 })
    }

    /// Bytes of an executable, from `offset` on; none behind its end.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub(crate) fn read(&self, id: &ExecutableId, offset: u64) -> Result<Vec<u8>, Error> {
        let path = self.path(id)?;
        let mut file = fs::File::open(&path).map_err(|error| unusable(&path, error))?;
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.take(CHUNK_BYTES).read_to_end(&mut bytes))
            .map_err(|error| unusable(&path, error))?;
        Ok(bytes)
    }
}

/// The name of a file by its content.
///
/// # Errors
/// It cannot be read.
pub(crate) fn digest(path: &Path) -> Result<ExecutableId, Error> {
    let mut hasher = Sha256::new();
    // `io::copy` would take 8 KiB at a time.
    fs::File::open(path)
        .and_then(|file| io::copy(&mut BufReader::with_capacity(DIGEST_BUFFER_BYTES, file), &mut hasher))
        .map_err(|error| unusable(path, error))?;
    Ok(ExecutableId(format!("{:x}", hasher.finalize())))
}

/// An executable that is being brought. What is not finished is removed.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) id: ExecutableId,
    path: PathBuf,
    unfinished: PathBuf,
    file: Option<fs::File>,
    hasher: Sha256,
    bytes: u64,
}

impl Incoming {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// It is too large, or cannot be written.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MOST_BYTES {
            return Err(Error::invalid(format!("the executable is larger than {MOST_BYTES} bytes")));
        }
        self.hasher.update(bytes);
        let Some(file) = &mut self.file else { return Ok(()) };
        file.write_all(bytes).map_err(|error| unusable(&self.unfinished, error))
    }

    /// How many have come.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// All of it is there.
    ///
    /// # Errors
    /// Its content is not what its name says, or it cannot be kept.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        if format!("{:x}", self.hasher.clone().finalize()) != self.id.0 {
            return Err(Error::new(ErrorKind::Data, "the executable arrived damaged: its content is not what its name says"));
        }
        // Closed before it is run: a file that is open for writing cannot be.
        self.file = None;
        fs::rename(&self.unfinished, &self.path).map_err(|error| unusable(&self.path, error))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // It is not there any more if it was finished.
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// Refuses a folder that somebody else has made in this user's name: they could exchange what is in it.
fn check_owner(folder: &Path) -> Result<(), Error> {
    let unusable = |error| unusable(folder, error);
    let probe = folder.join(format!("{:x}.tmp", crate::launch::random_u128()));
    let own = new_executable(&probe).and_then(|file| file.metadata()).map_err(unusable)?.uid();
    fs::remove_file(&probe).map_err(unusable)?;
    let owner = fs::metadata(folder).map_err(unusable)?.uid();
    let parent = folder
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map(fs::metadata)
        .transpose()
        .map_err(unusable)?
        .map(|parent| parent.uid());
    if owner != own || parent.is_some_and(|parent| parent != own && parent != 0) {
        return Err(Error::invalid(format!(
            "`{}`, from which programs are run, or the folder that it is in belongs to another user, who could exchange them: remove it, or \
             set `io.tmp.dirs`",
            folder.display()
        )));
    }
    Ok(())
}

/// A file that its owner alone may read, write and execute.
fn new_executable(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o700).open(path)
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot use `{}`", path.display())).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_of(content: &[u8]) -> ExecutableId {
        ExecutableId(format!("{:x}", Sha256::digest(content)))
    }

    #[test]
    fn an_executable_is_there_when_all_of_it_arrived_undamaged() {
        let folder = tempfile::tempdir().unwrap();
        let store = ExecutableStore::open(folder.path()).unwrap();
        let content: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7) as u8).collect();
        let id = id_of(&content);
        let mut incoming = store.begin(&id).unwrap();
        content.chunks(700_000).for_each(|chunk| incoming.take(chunk).unwrap());
        assert!(!store.has(&id));
        incoming.finish().unwrap();
        assert!(store.has(&id));
        let mut read = Vec::new();
        loop {
            let bytes = store.read(&id, read.len() as u64).unwrap();
            if bytes.is_empty() {
                break;
            }
            read.extend(bytes);
        }
        assert_eq!(read, content);
    }

    #[test]
    fn a_folder_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("theirs");
        fs::create_dir_all(theirs.join("executables")).unwrap();
        ExecutableStore::open(&theirs.join("executables")).unwrap();
        // Only root may give files away.
        if std::os::unix::fs::chown(&theirs, Some(12345), None).is_ok() {
            let error = ExecutableStore::open(&theirs.join("executables")).unwrap_err().to_string();
            assert!(error.contains("belongs to another user") && error.contains("`io.tmp.dirs`"), "{error}");
            assert!(ExecutableStore::open(&theirs).is_err());
        }
    }

    #[test]
    fn a_damaged_or_unfinished_one_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = ExecutableStore::open(folder.path()).unwrap();
        let id = id_of(b"right");
        let mut incoming = store.begin(&id).unwrap();
        incoming.take(b"wrong").unwrap();
        assert_eq!(incoming.finish().unwrap_err().kind(), ErrorKind::Data);
        drop(store.begin(&id).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_nobody_asked_for_in_a_week_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        for (name, days) in [("old", 8), ("young", 6)] {
            let file = fs::File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(days * 24 * 3600)).unwrap();
        }
        ExecutableStore::open(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["young"]);
    }

    #[test]
    fn a_folder_that_others_may_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(ExecutableStore::open(folder.path()).unwrap_err().to_string().contains("chmod 700"));
    }

    #[test]
    fn a_name_is_a_digest_and_never_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let store = ExecutableStore::open(folder.path()).unwrap();
        for name in ["../../etc/passwd", "", "ABCDEF", &"/".repeat(64), &"A".repeat(64)] {
            let id = ExecutableId(name.to_owned());
            assert!(!store.has(&id) && store.begin(&id).is_err() && store.read(&id, 0).is_err());
        }
    }
}
