//! Which checkpoints stay, and the removal of those that do not.

use super::{FileStorage, RegisterFile, restore::read_metadata};
use crate::{
    CheckpointMetadata, CompletedCheckpoint, LoadedCheckpoint, Removal, SnapshotKind, StorageError,
    files::FileSystem,
    location::{self, METADATA, REGISTER_TEMPORARY, TRASH, parse_checkpoint_name},
    register::Entry,
};
use flott_core::id::CheckpointId;
use std::{collections::BTreeSet, io, path::Path};

impl FileStorage {
    pub(super) fn claim_loaded(&self, epoch: u64, loaded: &LoadedCheckpoint) -> Result<CompletedCheckpoint, StorageError> {
        let folder = Path::new(&loaded.folder);
        let doing = format!("claim checkpoint {}", loaded.metadata.checkpoint);
        if folder.parent() != Some(self.folder()) {
            // First in the other register: if a crash comes between, nobody removes the files, rather than two.
            self.claim_from_other(folder)?;
        }
        let claimed = Entry {
            epoch,
            checkpoint: loaded.metadata.checkpoint,
            kind: loaded.metadata.kind,
            path: location::text(&location::relative(folder, self.folder()))?,
            completed_at_ms: loaded.metadata.completed_at_ms,
            bytes: loaded.bytes,
            metadata_crc: loaded.metadata_crc,
            owner: Some(self.job),
        };
        let changed = self.change_in_term(epoch, &doing, |register| {
            let known = register.entries.iter_mut().find(|entry| location::resolve(&entry.path, self.folder()) == folder);
            if let Some(entry) = known {
                // If it was not the job's, it is the savepoint that it stopped with.
                entry.owner = Some(self.job);
                return Ok(entry.clone());
            }
            match register.complete(claimed.clone()) {
                Ok(()) => Ok(claimed.clone()),
                Err(_) => Err(self.fenced(register, epoch, &doing)),
            }
        });
        self.register.completed(self.job, &changed.map_err(|error| self.register.replace_error(error))?)
    }

    /// Enters this job as the owner in the register of the job that took the checkpoint, if there is one beside it.
    fn claim_from_other(&self, folder: &Path) -> Result<(), StorageError> {
        let Some(other) = self.register_beside(folder) else { return Ok(()) };
        let changed = other.change(|register| {
            let origin = register.job;
            let entry = register.entries.iter_mut().find(|entry| location::resolve(&entry.path, other.folder()) == folder);
            let Some(entry) = entry else { return Ok(()) };
            match entry.owner {
                Some(owner) if owner != self.job && owner != origin => Err(StorageError::Claimed { path: folder.into(), owner }),
                _ => {
                    entry.owner = Some(self.job);
                    Ok(())
                }
            }
        });
        changed.map(|_| ()).map_err(|error| other.replace_error(error))
    }

    fn register_beside(&self, folder: &Path) -> Option<RegisterFile> {
        let beside = folder.parent()?;
        // Other folders than those of jobs have no register.
        beside.file_name()?.to_str().and_then(location::parse_job_name)?;
        Some(RegisterFile::new(self.directory.files.clone(), beside.into()))
    }

    pub(super) fn retain_newest(&self, epoch: u64, keep: usize) -> Result<Removal, StorageError> {
        let doing = "remove old checkpoints";
        if self.register_in_term(epoch, doing)?.entries.len() <= keep.max(1) {
            return Ok(Removal::default());
        }
        let subsumed = self.change_in_term(epoch, doing, |register| Ok(register.subsume(keep.max(1))));
        self.remove_entries(&subsumed.map_err(|error| self.register.replace_error(error))?)
    }

    pub(super) fn remove_all(&self, epoch: u64) -> Result<Removal, StorageError> {
        let subsumed = self.change_in_term(epoch, "remove its checkpoints", |register| Ok(register.subsume(0)));
        let mut removal = self.remove_entries(&subsumed.map_err(|error| self.register.replace_error(error))?)?;
        removal.failed.extend(self.sweep(epoch, CheckpointId(u64::MAX))?.failed);
        Ok(removal)
    }

    /// Removes the files of checkpoints that are no longer in the register.
    fn remove_entries(&self, entries: &[Entry]) -> Result<Removal, StorageError> {
        let mut removal = Removal::default();
        for entry in entries {
            let completed = self.register.completed(self.job, entry)?;
            if entry.owner == Some(self.job)
                && let Err(error) = self.remove_entry(entry, Path::new(&completed.folder))
            {
                removal.failed.push(error);
            }
            removal.subsumed.push(completed);
        }
        Ok(removal)
    }

    fn remove_entry(&self, entry: &Entry, folder: &Path) -> Result<(), StorageError> {
        if parse_checkpoint_name(&entry.path).is_some() {
            return self.move_to_trash(folder)?.map_or(Ok(()), |trash| remove_folder(self.files(), &trash));
        }
        // One that was claimed. Its own job must not find it in its register any more.
        if let Some(other) = self.register_beside(folder) {
            let forgotten = other.change(|register| {
                register.entries.retain(|entry| location::resolve(&entry.path, other.folder()) != folder);
                Ok(())
            });
            forgotten.map_err(|error| other.replace_error(error))?;
        }
        let (_, opened) = read_metadata(self.files(), &location::text(folder)?)?;
        remove_snapshot(self.files(), folder, &opened.content)
    }

    pub(super) fn sweep(&self, epoch: u64, below: CheckpointId) -> Result<Removal, StorageError> {
        let turn = self.turn();
        // Before the look at the register: see `move_to_trash`.
        let names = self.files().list(self.folder());
        let register = self.register_in_term(epoch, "remove unreferenced files")?;
        let names = names.map_err(|error| StorageError::io("list", self.folder(), error))?;
        let kept: BTreeSet<&str> = register.entries.iter().map(|entry| entry.path.as_str()).collect();
        let mut removal = Removal::default();
        let mut trash = Vec::new();
        for name in names {
            let folder = self.folder().join(&name);
            if name.starts_with(TRASH) {
                trash.push(folder);
            } else if name.starts_with(REGISTER_TEMPORARY) {
                // Should someone be about to make it a version of the register, it finds it gone and writes another one.
                match self.files().remove_file(&folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        removal.failed.push(StorageError::io("remove", folder, error));
                    }
                    _ => {}
                }
            } else if parse_checkpoint_name(&name).is_some_and(|checkpoint| checkpoint < below) && !kept.contains(name.as_str()) {
                match self.move_to_trash(&folder) {
                    Ok(moved) => trash.extend(moved),
                    Err(error) => removal.failed.push(error),
                }
            }
        }
        drop(turn);
        removal.failed.extend(trash.iter().filter_map(|folder| remove_folder(self.files(), folder).err()));
        Ok(removal)
    }
}

/// See [`crate::CheckpointStorage::dispose_savepoint`].
pub(crate) fn dispose_savepoint(files: &dyn FileSystem, path: &str) -> Result<(), StorageError> {
    let (folder, opened) = read_metadata(files, path)?;
    if opened.content.kind == SnapshotKind::Checkpoint {
        return Err(StorageError::Retained { path: folder, hint: "only savepoints are disposed of; a checkpoint belongs to its job" });
    }
    match remove_snapshot(files, &folder, &opened.content) {
        // What else is in it is not ours.
        Err(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed,
    }
}

/// Removes the files of a snapshot in a folder that is not the storage's own, where other files may be: those that it has, the
/// metadata first, so that what is left if this stops halfway passes for no checkpoint.
fn remove_snapshot(files: &dyn FileSystem, folder: &Path, metadata: &CheckpointMetadata) -> Result<(), StorageError> {
    for name in [METADATA].into_iter().chain(metadata.state_files().into_keys()) {
        let path = folder.join(name);
        match files.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StorageError::io("remove", path, error)),
            _ => {}
        }
    }
    files.remove_empty_folder(folder).map_err(|error| StorageError::io("remove", folder, error))
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove_folder(files: &dyn FileSystem, folder: &Path) -> Result<(), StorageError> {
    match files.remove_folder(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StorageError::io("remove", folder, error)),
        _ => Ok(()),
    }
}
