//! Executables on a TaskManager: fetched from the JobManager once, kept by their content.

use crate::control::{ask, connect, greet};
use flott_core::{Error, ErrorKind};
use flott_rpc::control::{ClientReply, ClientRequest, ExecutableId, Role};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

/// Executables that were fetched.
#[derive(Debug, Clone)]
pub(super) struct Executables {
    folder: PathBuf,
    job_manager: String,
    /// Held while one is fetched, so that two workers do not fetch the same.
    fetching: Arc<Mutex<()>>,
}

impl Executables {
    pub(super) fn open(folder: &Path, job_manager: String) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|error| unusable(folder, error))?;
        Ok(Executables { folder: folder.to_owned(), job_manager, fetching: Arc::default() })
    }

    /// The path of an executable, which is fetched if it is not there.
    ///
    /// # Errors
    /// The JobManager does not have it, or it cannot be written.
    pub(super) fn get(&self, id: &ExecutableId) -> Result<PathBuf, Error> {
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(&id.0);
        if path.exists() {
            return Ok(path);
        }
        let unfinished = self.folder.join(format!("{id}.tmp"));
        self.fetch(id, &unfinished)?;
        fs::rename(&unfinished, &path).map_err(|error| unusable(&path, error))?;
        Ok(path)
    }

    fn fetch(&self, id: &ExecutableId, into: &Path) -> Result<(), Error> {
        let stream = connect(&self.job_manager)?;
        greet(&stream, Role::Client)?;
        let mut file = new_executable(into).map_err(|error| unusable(into, error))?;
        let (mut hasher, mut offset) = (Sha256::new(), 0);
        loop {
            let ClientReply::Bytes(bytes) = ask(&stream, &ClientRequest::GetExecutable(id.clone(), offset))? else {
                return Err(Error::new(ErrorKind::Internal, "the JobManager answered something else than was asked"));
            };
            if bytes.is_empty() {
                break;
            }
            offset += bytes.len() as u64;
            hasher.update(&bytes);
            file.write_all(&bytes).map_err(|error| unusable(into, error))?;
        }
        if format!("{:x}", hasher.finalize()) != id.0 {
            return Err(Error::new(ErrorKind::Data, format!("executable {id} arrived damaged")));
        }
        file.flush().map_err(|error| unusable(into, error))
    }
}

/// A file that its owner alone may read, write and execute.
pub(crate) fn new_executable(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o700).open(path)
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot use `{}`", path.display())).with_source(error)
}
