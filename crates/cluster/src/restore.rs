//! Finds and checks what a job starts from, before anything runs.

use crate::launch::root_paths;
use flott_core::{Error, ErrorKind, id::JobId};
use flott_graph::{
    JobTopology,
    settings::{ClaimMode, JobSettings, RestoreSettings},
};
use flott_jobmanager::{JobMaster, RestoredSnapshot};
use flott_storage::{CheckpointDirectory, CheckpointStorage, CompletedCheckpoint, LoadedCheckpoint, SnapshotKind, StorageError};
use std::{path::Path, sync::Arc};

/// The path that stands for the newest complete checkpoint under the checkpoint directory.
pub const LATEST: &str = "latest";

/// What the job starts from. Reads all of its files once: damage is found here, by name, and not by a task that fails.
///
/// # Errors
/// The snapshot is not there or damaged. Of `latest`, damaged ones are passed over with a warning, as long as there is another.
pub(crate) fn find(
    settings: &RestoreSettings,
    directory: &CheckpointDirectory,
    storage: &dyn CheckpointStorage,
) -> Result<LoadedCheckpoint, Error> {
    if settings.path != LATEST {
        let loaded = storage.load(&settings.path)?;
        verify(storage, &loaded)?;
        return Ok(loaded);
    }
    let found = directory.completed()?;
    for error in &found.unreadable {
        tracing::warn!(%error, "the register of a job is damaged: a newer checkpoint may be in it");
    }
    if let Some(newest) = found.checkpoints.first()
        && found.newest_ended.is_some_and(|ended| ended > newest.epoch)
    {
        return Err(Error::invalid(format!(
            "the newest job under the checkpoint directory has ended and keeps no checkpoint; what is left is older: name its path to start \
             from it all the same: {}",
            newest.folder
        )));
    }
    let mut damaged = None;
    for completed in &found.checkpoints {
        let checked = storage.load_completed(completed).and_then(|loaded| verify(storage, &loaded).map(|()| loaded));
        match checked {
            Ok(loaded) => return Ok(loaded),
            Err(error) if error.is_damage() => {
                tracing::warn!(%error, checkpoint = %completed.folder, "a damaged checkpoint is passed over for the one before");
                damaged.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let unreadable = found.unreadable.into_iter().next();
    match damaged.or(unreadable) {
        Some(error) => {
            Err(Error::new(ErrorKind::Data, "no checkpoint under the checkpoint directory can be read; name the path of another")
                .with_source(error))
        }
        None => Err(Error::invalid(
            "there is no complete checkpoint under the checkpoint directory to start from; start without `execution.state-recovery.path`, \
             or check `execution.checkpointing.dir`",
        )),
    }
}

/// Checks, without starting anything, that a job of `topology` could start from the snapshot at `path`, which is relative to `folder`:
/// that it is there, whole as far as its metadata and the lengths of its files tell, and fits. What [`LATEST`] stands for depends on the
/// checkpoint directory, and is not looked at.
///
/// # Errors
/// It could not, and why.
pub fn check_start(path: &str, folder: &Path, topology: JobTopology, allow_non_restored_state: bool) -> Result<(), Error> {
    if path == LATEST {
        return Ok(());
    }
    let mut settings = JobSettings {
        restore: Some(RestoreSettings { path: path.to_owned(), claim: ClaimMode::NoClaim, allow_non_restored_state }),
        ..JobSettings::default()
    };
    root_paths(&mut settings, folder);
    let path = settings.restore.as_ref().map_or(path, |restore| &restore.path);
    let loaded = CheckpointDirectory::on_disk(&folder.to_string_lossy())?.load(path)?;
    let restored = RestoredSnapshot { metadata: Arc::new(loaded.metadata), location: loaded.folder, owned: false };
    let fits = JobMaster::new(JobId(0), 0, topology, settings, Some(restored), 0);
    fits.map(drop).map_err(|error| Error::invalid(error.to_string()))
}

/// The newest complete checkpoint of the job itself.
///
/// # Errors
/// It is damaged, or the storage does not answer.
pub(crate) fn own(storage: &dyn CheckpointStorage, latest: &CompletedCheckpoint) -> Result<RestoredSnapshot, Error> {
    let loaded = storage.load_completed(latest)?;
    let owned = latest.kind == SnapshotKind::Checkpoint;
    Ok(RestoredSnapshot { metadata: Arc::new(loaded.metadata), location: loaded.folder, owned })
}

/// Reads every block once and compares its checksum.
fn verify(storage: &dyn CheckpointStorage, loaded: &LoadedCheckpoint) -> Result<(), StorageError> {
    let subtasks = loaded.metadata.operators.iter().flat_map(|operator| operator.subtasks.values());
    let mut bytes = Vec::new();
    for keyed in subtasks.filter_map(|subtask| subtask.snapshot.keyed.as_ref()) {
        let blocks = storage.open_blocks(&loaded.folder, &keyed.data)?;
        for block in &keyed.blocks {
            blocks.read_block(block, &mut bytes)?;
        }
    }
    Ok(())
}

/// Makes the snapshot what the JobMaster starts from; with claim mode CLAIM it becomes the job's own.
///
/// # Errors
/// It cannot be claimed.
pub(crate) fn take(
    settings: &RestoreSettings,
    storage: &dyn CheckpointStorage,
    epoch: u64,
    loaded: LoadedCheckpoint,
) -> Result<RestoredSnapshot, Error> {
    let owned = settings.claim == ClaimMode::Claim;
    if owned {
        storage.claim(epoch, &loaded)?;
    }
    Ok(RestoredSnapshot { metadata: Arc::new(loaded.metadata), location: loaded.folder, owned })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::context::RuntimeMode;

    #[test]
    fn a_start_from_what_is_not_there_is_refused_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let topology = || JobTopology { name: "job".to_owned(), mode: RuntimeMode::Streaming, vertices: Vec::new(), edges: Vec::new() };
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        for path in ["nowhere", "empty", "file:///no/such/folder"] {
            let error = check_start(path, folder.path(), topology(), false).unwrap_err().to_string();
            assert!(error.contains(path.trim_start_matches("file://")), "{error}");
        }
        check_start(LATEST, folder.path(), topology(), false).unwrap();
    }
}
