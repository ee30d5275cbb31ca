//! The register of a job as files: each version is one, and whoever makes the next has changed the register. Nobody waits for anybody.
//!
//! A version is written under a name of its own, made durable, and then linked to the name of its number, which succeeds for one
//! writer alone. The highest number is the register. The writer of a version removes those before it, and a reader whose file is
//! removed under its eyes looks again. A process that is stopped in the middle of this, for however long, keeps nobody from going on.

use crate::{
    CompletedCheckpoint, StorageError,
    files::{FileSystem, write_file},
    frame,
    location::{self, REGISTER, REGISTER_TEMPORARY, parse_job_name, parse_register_name, register_name},
    register::{Entry, REGISTER_FRAME, Register},
};
use flott_core::id::JobId;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How often to look or write again because others were faster, each time by a whole version.
pub(super) const ATTEMPTS: u32 = 1000;

/// Where a register is.
#[derive(Debug, Clone)]
pub(crate) struct RegisterFile {
    files: Arc<dyn FileSystem>,
    folder: PathBuf,
}

/// A version of the register.
#[derive(Debug, Clone)]
pub(crate) struct VersionedRegister {
    /// 0 if there was none, or one of the first release.
    pub(crate) version: u64,
    pub(crate) register: Register,
}

/// How it went to write a version.
#[derive(Debug)]
pub(crate) enum Replaced {
    /// It is the register, or was until others went on from it.
    Done,
    /// Others have changed the register before; nothing was done.
    Taken,
    /// Others have gone on since, perhaps from it, perhaps from another one of the same number.
    Overtaken,
}

/// What became of a file that was to be a version, when there was an error.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It is none.
    NotDone(StorageError),
    /// It may be one, now or after a power failure.
    Unknown(io::Error),
}

impl RegisterFile {
    /// The register in `folder`, the folder of a job.
    pub(crate) fn new(files: Arc<dyn FileSystem>, folder: PathBuf) -> Self {
        RegisterFile { files, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What stands for the register in messages.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(REGISTER)
    }

    /// The numbers of the versions that are there, in order.
    fn versions(&self) -> Result<Vec<u64>, StorageError> {
        let names = match self.files.list(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            names => names.map_err(|error| StorageError::io("list", &self.folder, error))?,
        };
        let mut versions: Vec<u64> = names.iter().filter_map(|name| parse_register_name(name)).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    fn version_path(&self, version: u64) -> PathBuf {
        if version == 0 { self.path() } else { self.folder.join(register_name(version)) }
    }

    /// The register; `None` if there is none.
    pub(crate) fn read(&self) -> Result<Option<VersionedRegister>, StorageError> {
        for _ in 0..ATTEMPTS {
            let Some(version) = self.versions()?.pop() else { return Ok(None) };
            let path = self.version_path(version);
            let opened = match frame::open_as(&REGISTER_FRAME, self.files.as_ref(), &path, Register::decode) {
                Ok(None) => continue,
                // Removed by another machine while it was read.
                Err(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::StaleNetworkFileHandle => continue,
                Ok(Some(opened)) => opened,
                Err(error) => return Err(error),
            };
            let owner = self.folder.file_name().and_then(|name| name.to_str()).and_then(parse_job_name);
            if owner != Some(opened.content.job) {
                return Err(StorageError::damaged(path, format!("it is the register of job {}", opened.content.job)));
            }
            return Ok(Some(VersionedRegister { version, register: opened.content }));
        }
        Err(self.contended("read"))
    }

    /// Changes the register as `decide` says, which is called again if others have changed it meanwhile; `None` if there is none.
    pub(crate) fn change<T>(&self, mut decide: impl FnMut(&mut Register) -> Result<T, StorageError>) -> Result<Option<T>, Failed> {
        let mut overtaken = false;
        for _ in 0..ATTEMPTS {
            let failed = |error| if overtaken { Failed::Unknown(io::Error::other(error)) } else { Failed::NotDone(error) };
            let Some(VersionedRegister { version, register }) = self.read().map_err(failed)? else { return Ok(None) };
            let mut changed = register.clone();
            let decided = decide(&mut changed).map_err(failed)?;
            if changed == register {
                // An attempt before may have made it so without making it durable.
                return self.confirm().map(|()| Some(decided)).map_err(Failed::Unknown);
            }
            match self.replace(version, &changed)? {
                Replaced::Done => return Ok(Some(decided)),
                Replaced::Taken => {}
                Replaced::Overtaken => overtaken = true,
            }
        }
        Err(Failed::NotDone(self.contended("change")))
    }

    /// Makes `register` the version that follows `version`.
    pub(crate) fn replace(&self, version: u64, register: &Register) -> Result<Replaced, Failed> {
        let sealed = frame::seal(&REGISTER_FRAME, register)
            .map_err(|error| Failed::NotDone(StorageError::damaged(self.path(), format!("its content does not encode: {error}"))))?;
        let temporary = self.folder.join(format!("{REGISTER_TEMPORARY}{}", self.files.unique_suffix()));
        write_file(self.files.as_ref(), &temporary, &sealed.bytes)
            .map_err(|error| Failed::NotDone(StorageError::io("write", &temporary, error)))?;
        let replaced = self.publish(&temporary, version + 1);
        // What is left of it is removed together with what crashes have left.
        let _ = self.files.remove_file(&temporary);
        replaced
    }

    fn publish(&self, temporary: &Path, version: u64) -> Result<Replaced, Failed> {
        let path = self.version_path(version);
        if let Err(error) = self.files.link(temporary, &path)
            // Over a network, an answer may be lost and the request made again.
            && !self.files.is_same_file(temporary, &path).map_err(Failed::Unknown)?
        {
            return match error.kind() {
                // The second: someone has cleaned up after processes that are gone, as this one seemed to be.
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound => Ok(Replaced::Taken),
                _ => Err(Failed::Unknown(error)),
            };
        }
        let versions = self.versions().map_err(|error| Failed::Unknown(io::Error::other(error)))?;
        if versions.last() != Some(&version) {
            // If the one before was removed long ago, and with it one of this number, then this one follows nothing, and others do not
            // look at it. It is in nobody's way: the next writer removes it.
            return Ok(Replaced::Overtaken);
        }
        self.confirm().map_err(Failed::Unknown)?;
        // In this order, so that what is there has no gap. What stays is removed after the next change.
        let _ = versions.iter().filter(|old| **old < version).try_for_each(|old| self.files.remove_file(&self.version_path(*old)));
        Ok(Replaced::Done)
    }

    /// Makes the register that is visible durable.
    pub(crate) fn confirm(&self) -> io::Result<()> {
        self.files.sync_folder(&self.folder)
    }

    /// The error of a change for whoever makes no difference.
    pub(crate) fn replace_error(&self, error: Failed) -> StorageError {
        match error {
            Failed::NotDone(error) => error,
            Failed::Unknown(error) => StorageError::io("replace", self.path(), error),
        }
    }

    /// Others change the register all the time.
    pub(crate) fn contended(&self, doing: &'static str) -> StorageError {
        let text = format!("others have changed it {ATTEMPTS} times meanwhile");
        StorageError::io(doing, self.path(), io::Error::new(io::ErrorKind::WouldBlock, text))
    }

    /// A register's entry, for whoever does not know the folder.
    pub(crate) fn completed(&self, job: JobId, entry: &Entry) -> Result<CompletedCheckpoint, StorageError> {
        Ok(CompletedCheckpoint {
            job,
            epoch: entry.epoch,
            checkpoint: entry.checkpoint,
            kind: entry.kind,
            folder: location::text(&location::resolve(&entry.path, &self.folder))?,
            completed_at_ms: entry.completed_at_ms,
            bytes: entry.bytes,
            metadata_crc: entry.metadata_crc,
            owner: entry.owner,
        })
    }
}
