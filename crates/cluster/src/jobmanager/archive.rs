//! Jobs that have ended, in a folder, so that they are there after a restart of a JobManager that nobody succeeds.

use super::records::{self, EndedRecord};
use flott_core::{Error, ErrorKind, id::JobId};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How the name of a file ends.
const SUFFIX: &str = "job";

/// A folder with a file for each job.
#[derive(Debug, Clone)]
pub(super) struct Archive(PathBuf);

impl Archive {
    /// In `folder`, which is made if need be.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|error| {
            let text = format!("the folder `{}` for jobs that have ended cannot be used (`jobmanager.archive.fs.dir`)", folder.display());
            Error::new(ErrorKind::Unavailable, text).with_source(error)
        })?;
        Ok(Archive(folder.to_owned()))
    }

    /// All that are there and can be read; damaged ones are named in the log.
    pub(super) fn load(&self) -> Vec<(JobId, EndedRecord)> {
        let files = fs::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok).map(|file| file.path());
        let jobs = files.filter(|path| path.extension().is_some_and(|suffix| suffix == SUFFIX));
        jobs.filter_map(|path| match read(&path) {
            Ok(job) => Some(job),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a job that has ended is left out");
                None
            }
        })
        .collect()
    }

    /// Keeps a job. The history of a job is not worth failing for.
    pub(super) fn keep(&self, id: JobId, record: &EndedRecord) {
        let (path, new) = (self.path(id), self.0.join(format!("{id}.new")));
        let written =
            records::encode(record).and_then(|bytes| fs::write(&new, bytes).and_then(|()| fs::rename(&new, &path)).map_err(unwritable));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "a job that has ended will not be known after a restart");
        }
    }

    /// Forgets a job.
    pub(super) fn forget(&self, id: JobId) {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(%error, job = %id, "an old job stays in the archive"),
            _ => {}
        }
    }

    fn path(&self, id: JobId) -> PathBuf {
        self.0.join(format!("{id}.{SUFFIX}"))
    }
}

fn unwritable(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "it cannot be written").with_source(error)
}

fn read(path: &Path) -> Result<(JobId, EndedRecord), Error> {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let id = u128::from_str_radix(name, 16).map_err(|error| Error::invalid(format!("`{name}` is no job id")).with_source(error))?;
    let bytes = fs::read(path).map_err(|error| Error::new(ErrorKind::Unavailable, "it cannot be read").with_source(error))?;
    Ok((JobId(id), records::decode(&bytes)?))
}
