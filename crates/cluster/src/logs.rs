//! The log files of a process: which they are, and parts of them. They are never read whole.

use flott_core::{Error, ErrorKind};
use flott_rpc::observe::LogInfo;
use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

/// Processes of one kind that may share a folder.
const MOST_NEIGHBOURS: u32 = 10_000;

/// The files of one process in a folder: `NAME.log` and `NAME.out`, and older ones with a number behind.
#[derive(Debug)]
pub struct LogFolder {
    folder: PathBuf,
    name: String,
    /// Held as long as the name is in use.
    _claim: File,
}

impl LogFolder {
    /// Takes a name for a process of this `kind`, such as `flott-taskmanager`: that, or with a number behind if another process that
    /// still runs has it.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn claim(folder: &Path, kind: &str) -> Result<Self, Error> {
        let unusable = |error: io::Error| {
            let text = format!("the folder of logs `{}` cannot be used: set `env.log.dir` to another one", folder.display());
            Error::new(ErrorKind::Invalid, text).with_source(error)
        };
        fs::create_dir_all(folder).map_err(unusable)?;
        for number in 1..MOST_NEIGHBOURS {
            let name = if number == 1 { kind.to_owned() } else { format!("{kind}-{number}") };
            let claim = File::create(folder.join(format!(".{name}.lock"))).map_err(unusable)?;
            match claim.try_lock() {
                Ok(()) => return Ok(LogFolder { folder: folder.to_owned(), name, _claim: claim }),
                Err(fs::TryLockError::WouldBlock) => {}
                Err(fs::TryLockError::Error(error)) => return Err(unusable(error)),
            }
        }
        Err(Error::invalid(format!("{MOST_NEIGHBOURS} processes write logs to `{}`: give them folders of their own", folder.display())))
    }

    /// The path of the log.
    pub fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// The path of what is printed.
    pub fn out(&self) -> PathBuf {
        self.folder.join(format!("{}.out", self.name))
    }

    /// Whether `file` is one of this process's.
    fn is_own(&self, file: &str) -> bool {
        let rest = file.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix(".log").or_else(|| rest.strip_prefix(".out")));
        let number = |rest: &str| rest.strip_prefix('.').is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()));
        rest.is_some_and(|rest| rest.is_empty() || number(rest))
    }

    /// The files that there are.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<LogInfo>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Not through links: nobody but this process makes these files.
            let Some(metadata) = entry.metadata().ok().filter(fs::Metadata::is_file).filter(|_| self.is_own(&name)) else { continue };
            let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            files.push(LogInfo { name, size: metadata.len(), modified_at: modified.map_or(0, flott_core::time::millis) });
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// Up to `length` bytes of a file from `offset` on; `None` if it is none that [`LogFolder::list`] names.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, name: &str, offset: u64, length: usize) -> io::Result<Option<Vec<u8>>> {
        // What is opened is named by the listing, not by whoever asks.
        let Some(listed) = self.list()?.into_iter().find(|file| file.name == name) else { return Ok(None) };
        let mut file = File::open(self.folder.join(listed.name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_shows_its_own_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = LogFolder::claim(folder.path(), "flott-taskmanager").unwrap();
        let second = LogFolder::claim(folder.path(), "flott-taskmanager").unwrap();
        let all = [
            "flott-taskmanager.log",
            "flott-taskmanager.log.1",
            "flott-taskmanager.out.12",
            "flott-taskmanager-2.log",
            "flott-taskmanager.log.bak",
            "flott-taskmanager.log.",
            "flott-taskmanager.pid",
            "flott-jobmanager.log",
            "secret",
        ];
        all.iter().for_each(|name| fs::write(folder.path().join(name), name).unwrap());
        fs::create_dir(folder.path().join("flott-taskmanager.log.2")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("flott-taskmanager.log.3")).unwrap();
        let names = |logs: &LogFolder| logs.list().unwrap().into_iter().map(|file| file.name).collect::<Vec<_>>();
        assert_eq!(names(&first), ["flott-taskmanager.log", "flott-taskmanager.log.1", "flott-taskmanager.out.12"]);
        assert_eq!(names(&second), ["flott-taskmanager-2.log"]);
        for strange in ["secret", "flott-taskmanager.log.3", "../x", "/etc/passwd", "./flott-taskmanager.log", ""] {
            assert_eq!(first.read(strange, 0, 10).unwrap(), None, "{strange}");
        }
        assert_eq!(first.read("flott-taskmanager.log", 6, 4).unwrap(), Some(b"task".to_vec()));
        assert_eq!(first.read("flott-taskmanager.log", 1000, 4).unwrap(), Some(Vec::new()));
    }

    #[test]
    fn a_name_is_free_again_when_its_process_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = LogFolder::claim(folder.path(), "flott-jobmanager").unwrap();
        let log = first.log();
        drop(first);
        assert_eq!(LogFolder::claim(folder.path(), "flott-jobmanager").unwrap().log(), log);
    }
}
