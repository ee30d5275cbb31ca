//! Jobs that have ended, in a folder, so that they are there after a restart of a JobManager that nobody succeeds. And those that run: if
//! it ends before they do, the next one that uses the folder tells of them.

use super::records::{self, BegunRecord, EndedRecord};
use flott_core::{Error, ErrorKind, id::JobId};
use serde::de::DeserializeOwned;
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// How the name of the file of a job ends that has ended, and of one that runs.
const SUFFIX: &str = "job";
const BEGUN: &str = "running";

/// A job that runs is noted in the archive, as that of this process while this lives: others leave it alone.
#[derive(Debug)]
pub(super) struct Begun {
    /// Locked.
    _file: fs::File,
}

/// A job that ran when its JobManager ended.
#[derive(Debug)]
pub(super) struct Abandoned {
    pub(super) id: JobId,
    pub(super) record: BegunRecord,
    /// No other JobManager that starts now finds it.
    _found: Begun,
}

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

    /// Notes that a job runs, until it is kept. `None` if that cannot be written, which is not worth failing for.
    pub(super) fn begin(&self, id: JobId, record: &BegunRecord) -> Option<Begun> {
        let new = self.0.join(format!("{id}.{BEGUN}.new"));
        let begin = || -> Result<Begun, Error> {
            let bytes = records::encode(record)?;
            let mut file = fs::File::create(&new).map_err(unwritable)?;
            // Before anybody can find it.
            file.lock().and_then(|()| file.write_all(&bytes)).map_err(unwritable)?;
            fs::rename(&new, self.begun_path(id)).map_err(unwritable)?;
            Ok(Begun { _file: file })
        };
        begin().inspect_err(|error| tracing::warn!(%error, job = %id, "nobody would know of this job if the JobManager ended now")).ok()
    }

    /// Takes note that a job does not run, or no more.
    pub(super) fn runs_no_more(&self, id: JobId) {
        match fs::remove_file(self.begun_path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, job = %id, "a job that runs no more will be taken for one that was abandoned");
            }
            _ => {}
        }
    }

    /// The jobs that ran when their JobManager ended.
    pub(super) fn abandoned(&self) -> Vec<Abandoned> {
        let files = fs::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok).map(|file| file.path());
        let begun = files.filter(|path| path.extension().is_some_and(|suffix| suffix == BEGUN));
        begun.filter_map(|path| self.abandoned_at(&path)).collect()
    }

    fn abandoned_at(&self, path: &Path) -> Option<Abandoned> {
        let file = fs::File::open(path).ok()?;
        // If not, the JobManager that runs it lives, or another one that starts is about to tell of it.
        file.try_lock().ok()?;
        let (id, record) = match read::<BegunRecord>(path) {
            Ok(read) => read,
            // Another one has told of it in between.
            Err(_) if !path.exists() => return None,
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "a job that ran when its JobManager ended is left out");
                return None;
            }
        };
        if self.path(id).exists() {
            // Its JobManager ended between the two.
            self.runs_no_more(id);
            return None;
        }
        Some(Abandoned { id, record, _found: Begun { _file: file } })
    }

    /// Keeps a job. The history of a job is not worth failing for.
    pub(super) fn keep(&self, id: JobId, record: &EndedRecord) {
        let (path, new) = (self.path(id), self.0.join(format!("{id}.new")));
        let written =
            records::encode(record).and_then(|bytes| fs::write(&new, bytes).and_then(|()| fs::rename(&new, &path)).map_err(unwritable));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "a job that has ended will not be known after a restart");
        }
        self.runs_no_more(id);
    }

    /// Forgets a job.
    pub(super) fn forget(&self, id: JobId) {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(%error, job = %id, "an old job stays in the archive"),
            _ => {}
        }
    }

    fn begun_path(&self, id: JobId) -> PathBuf {
        self.0.join(format!("{id}.{BEGUN}"))
    }

    fn path(&self, id: JobId) -> PathBuf {
        self.0.join(format!("{id}.{SUFFIX}"))
    }
}

fn unwritable(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "it cannot be written").with_source(error)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<(JobId, T), Error> {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let id = u128::from_str_radix(name, 16).map_err(|error| Error::invalid(format!("`{name}` is no job id")).with_source(error))?;
    let bytes = fs::read(path).map_err(|error| Error::new(ErrorKind::Unavailable, "it cannot be read").with_source(error))?;
    Ok((JobId(id), records::decode(&bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::{config::Configuration, context::RuntimeMode};
    use flott_graph::{JobTopology, settings::JobSettings};
    use flott_rpc::control::{ExecutableId, Program};

    fn record() -> BegunRecord {
        let topology = JobTopology { name: "job".to_owned(), mode: RuntimeMode::Streaming, vertices: Vec::new(), edges: Vec::new() };
        let executable = ExecutableId("00".to_owned());
        let program = Program { executable, arguments: Vec::new(), configuration: Configuration::new(), folder: "/".into() };
        BegunRecord { program, topology, settings: JobSettings::default(), started: 7 }
    }

    #[test]
    fn a_job_is_abandoned_when_nobody_runs_it_any_more_and_told_of_once() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Archive::open(folder.path()).unwrap(), Archive::open(folder.path()).unwrap());
        let begun = first.begin(JobId(1), &record()).unwrap();
        let another = first.begin(JobId(2), &record()).unwrap();
        assert!(second.abandoned().is_empty(), "they run");
        first.runs_no_more(JobId(2));
        drop((begun, another));
        let abandoned = second.abandoned();
        assert_eq!(abandoned.iter().map(|job| (job.id, job.record.started)).collect::<Vec<_>>(), [(JobId(1), 7)]);
        assert!(first.abandoned().is_empty(), "the other one is about to tell of it");
        second.runs_no_more(JobId(1));
        drop(abandoned);
        assert!(first.abandoned().is_empty());
    }
}
