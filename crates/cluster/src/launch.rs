//! What every cluster does before a job runs: opens its storage, finds what it starts from, makes its JobMaster.

use crate::restore;
use flott_core::{
    Error, ErrorKind,
    id::{CheckpointId, JobId},
};
use flott_graph::{JobTopology, settings::JobSettings};
use flott_jobmanager::JobMaster;
use flott_storage::{CheckpointDirectory, CheckpointStorage, CompletedCheckpoint, FileStorage, StorageError};
use std::{
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A job that is about to run.
pub(crate) struct Launch {
    pub(crate) job: JobId,
    /// The term in which it runs.
    pub(crate) epoch: u64,
    pub(crate) master: JobMaster,
    pub(crate) storage: Arc<FileStorage>,
    /// The highest number that a checkpoint of the job has had in an earlier term.
    pub(crate) last_checkpoint: Option<CheckpointId>,
    /// From which the job's random decisions are derived.
    pub(crate) seed: u64,
    /// What it starts from, if it does not start from nothing.
    pub(crate) restored_from: Option<String>,
    /// What is complete of earlier terms, oldest first.
    pub(crate) completed: Vec<CompletedCheckpoint>,
}

/// The lowest bits of a job's term, which count the leaders that it has had. A job that is taken over stays as old as it is compared
/// with others under the same directory.
const LEADER_BITS: u32 = 24;

/// How often a job tries to begin a term.
const BEGINNINGS: u32 = 3;

/// In which term of its checkpoint storage a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Term {
    /// The next, of a JobManager that nobody will succeed.
    Only,
    /// The first of a job that others may take over.
    First,
    /// That of a job that was taken over. It goes on from its own latest checkpoint, if it has one.
    Later(u64),
}

/// Prepares a job.
///
/// # Errors
/// Its checkpoint directory cannot be used, or what it is to start from is not there, damaged, or does not fit.
pub(crate) fn launch(job: JobId, topology: JobTopology, settings: JobSettings, term: Term) -> Result<Launch, Error> {
    launch_in(&directory(&settings)?, job, topology, settings, term, random_u128() as u64)
}

/// As [`launch`], in a directory; `seed` decides what is random.
///
/// # Errors
/// As of [`launch`].
pub(crate) fn launch_in(
    directory: &CheckpointDirectory,
    job: JobId,
    topology: JobTopology,
    settings: JobSettings,
    term: Term,
    seed: u64,
) -> Result<Launch, Error> {
    let storage = Arc::new(directory.storage(job));
    let find = || settings.restore.as_ref().map(|settings| restore::find(settings, directory, storage.as_ref())).transpose();
    let found = if let Term::Later(_) = term { None } else { find()? };
    let (epoch, first_checkpoint) = begin(storage.as_ref(), term)?;
    let mut completed = if let Term::Later(_) = term { storage.completed()? } else { Vec::new() };
    completed.sort_unstable_by_key(|completed| completed.checkpoint);
    let own = completed.last().map(|latest| restore::own(storage.as_ref(), latest)).transpose()?;
    // The leader before may have ended before the job had any of its own.
    let found = if let (Term::Later(_), None) = (term, &own) { find()? } else { found };
    let restored = match (&settings.restore, found) {
        _ if own.is_some() => own,
        (Some(settings), Some(loaded)) => Some(restore::take(settings, storage.as_ref(), epoch, loaded)?),
        _ => None,
    };
    if let Some(restored) = &restored {
        tracing::info!(checkpoint = %restored.metadata.checkpoint, location = restored.location, "starting from a snapshot");
    }
    let restored_from = restored.as_ref().map(|restored| restored.location.clone());
    let master = JobMaster::new(job, epoch, topology, settings, restored, seed).map_err(|error| Error::invalid(error.to_string()))?;
    let last_checkpoint = first_checkpoint.0.checked_sub(1).map(CheckpointId);
    Ok(Launch { job, epoch, master, storage, last_checkpoint, seed, restored_from, completed })
}

/// Begins the term of a job in its storage; gives its number and that of the first checkpoint.
fn begin(storage: &dyn CheckpointStorage, term: Term) -> Result<(u64, CheckpointId), StorageError> {
    let mut attempts = 1;
    loop {
        let epoch = match term {
            Term::Only => storage.next_epoch()?,
            Term::First => ((storage.next_epoch()? >> LEADER_BITS) + 1) << LEADER_BITS,
            // This leader's number is nobody else's, and an earlier attempt of it may have come so far.
            Term::Later(epoch) => return Ok((epoch, storage.resume_term(epoch)?)),
        };
        match storage.begin_term(epoch) {
            // Perhaps by itself: where another job claims a checkpoint of this one at the same time, the storage cannot tell whether it
            // was this caller that has begun the term. The next number is nobody's.
            Err(error) if error.is_fenced() && attempts < BEGINNINGS => attempts += 1,
            begun => return Ok((epoch, begun?)),
        }
    }
}

/// The directory that a job keeps its checkpoints in.
///
/// # Errors
/// It cannot be used.
pub(crate) fn directory(settings: &JobSettings) -> Result<CheckpointDirectory, Error> {
    Ok(match &settings.checkpoints.dir {
        Some(dir) => CheckpointDirectory::on_disk(&dir.to_string_lossy())?,
        None => CheckpointDirectory::in_memory(),
    })
}

/// Makes the paths of the settings mean the same in every process: relative ones are relative to `folder`.
pub(crate) fn root_paths(settings: &mut JobSettings, folder: &Path) {
    for dir in [&mut settings.checkpoints.dir, &mut settings.checkpoints.savepoint_dir].into_iter().flatten() {
        *dir = rooted(dir, folder);
    }
    if let Some(restore) = settings.restore.as_mut().filter(|restore| restore.path != restore::LATEST) {
        restore.path = rooted(Path::new(&restore.path), folder).to_string_lossy().into_owned();
    }
}

fn rooted(path: &Path, folder: &Path) -> PathBuf {
    // What begins with a scheme is no path of a machine.
    if path.to_string_lossy().contains("://") { path.to_owned() } else { folder.join(path) }
}

/// A panic must not end the process: it is to fail one task.
///
/// # Errors
/// The program was built to do that.
pub(crate) fn refuse_abort() -> Result<(), Error> {
    if cfg!(panic = "abort") {
        return Err(Error::invalid(
            "this program was built with `panic = \"abort\"`, so that a panic in one operator would end all tasks; remove that line from the \
             profile in its Cargo.toml, or set `panic = \"unwind\"`",
        ));
    }
    Ok(())
}

/// The operating system did not give a thread.
pub(crate) fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(error)
}

/// The standard library's hasher is seeded by the operating system: that is all the randomness that an id needs.
pub(crate) fn random_u128() -> u128 {
    let half = || u128::from(RandomState::new().hash_one(std::time::SystemTime::now()));
    (half() << 64) | half()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_graph::settings::{ClaimMode, RestoreSettings};
    use flott_storage::files::{DiskFiles, Fault, Faulty, Operation};
    use std::{
        fs,
        sync::{
            Mutex,
            atomic::{AtomicU32, Ordering},
        },
    };

    #[test]
    fn relative_paths_are_those_of_the_folder_of_submission() {
        let mut settings = JobSettings::default();
        settings.checkpoints.dir = Some("checkpoints".into());
        settings.checkpoints.savepoint_dir = Some("/savepoints".into());
        let restore = |path: &str| RestoreSettings { path: path.to_owned(), claim: ClaimMode::NoClaim, allow_non_restored_state: false };
        for (path, expected) in [("a/b", "/home/a/b"), ("/a", "/a"), ("latest", "latest"), ("file:///a", "file:///a")] {
            settings.restore = Some(restore(path));
            root_paths(&mut settings, Path::new("/home"));
            assert_eq!(settings.restore, Some(restore(expected)));
        }
        assert_eq!(settings.checkpoints.dir, Some("/home/checkpoints".into()));
        assert_eq!(settings.checkpoints.savepoint_dir, Some("/savepoints".into()));
    }

    #[test]
    fn a_term_begins_although_others_go_on_from_its_register_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (linked, overtaken) = (Mutex::<Option<PathBuf>>::default(), Arc::new(AtomicU32::new(0)));
        let count = overtaken.clone();
        let hook = move |operation: Operation, path: &Path| {
            let mut linked = linked.lock().unwrap();
            match operation {
                Operation::Link => *linked = Some(path.to_owned()),
                Operation::List if count.load(Ordering::Relaxed) < 2 => {
                    if let Some(version) = linked.take().filter(|path| path.exists()) {
                        let number: u64 = version.extension().unwrap().to_str().unwrap().parse().unwrap();
                        fs::copy(&version, version.with_extension((number + 1).to_string())).unwrap();
                        fs::remove_file(&version).unwrap();
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                }
                _ => {}
            }
            Fault::None
        };
        let directory = CheckpointDirectory::new(Arc::new(Faulty::new(DiskFiles, hook)), folder.path()).unwrap();
        let (epoch, first) = begin(&directory.storage(JobId(1)), Term::Only).unwrap();
        assert_eq!((epoch, first, overtaken.load(Ordering::Relaxed)), (3, CheckpointId(1), 2));
        assert!(directory.storage(JobId(1)).begin_term(2).unwrap_err().is_fenced(), "the earlier ones are over");
    }
}
