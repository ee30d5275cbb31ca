//! From the beginning of a snapshot to its completion.

use super::{
    FileStorage,
    register_file::{ATTEMPTS as REGISTER_ATTEMPTS, Failed, Replaced},
    restore::check_state_files,
    retention::remove_folder,
};
use crate::{
    CheckpointMetadata, CompletedCheckpoint, SnapshotKind, SnapshotTarget, StorageError,
    files::{create_folders, write_file},
    frame::{self, Sealed},
    location::{self, METADATA, TRASH, parse_checkpoint_name},
    metadata::METADATA_FRAME,
    register::Entry,
};
use flott_core::id::CheckpointId;
use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

/// How many names are tried for a file or folder that must have its own.
const ATTEMPTS: u32 = 10_000;

impl FileStorage {
    pub(super) fn begin_job_term(&self, epoch: u64, again: bool) -> Result<CheckpointId, StorageError> {
        self.create_folders(self.folder())?;
        let _turn = self.turn();
        // Numbers go on above whatever has a folder, so that tasks of the term before do not meet those of this one.
        let (mut again, mut used) = (again, self.largest_with_folder()?);
        for _ in 0..REGISTER_ATTEMPTS {
            let found = self.read_register()?;
            let mut register = found.register.clone();
            let resumed = again && register.epoch == epoch;
            if !resumed && register.begin_term(epoch).is_err() {
                return Err(self.fenced(&register, epoch, "begin"));
            }
            register.note_used(used);
            if register == found.register {
                // An attempt before may have made it so without making it durable.
                self.register.confirm().map_err(|error| StorageError::io("sync", self.folder(), error))?;
            } else {
                match self.register.replace(found.version, &register) {
                    Ok(Replaced::Done) => {}
                    Ok(Replaced::Taken | Replaced::Overtaken) => continue,
                    Err(error) => return Err(self.register.replace_error(error)),
                }
            }
            self.term_begun.store(true, Ordering::Release);
            // From now on, who led before begins nothing that it does not lose at once. What it began before is to be seen now.
            used = self.largest_with_folder()?;
            if used.is_none_or(|used| used < register.next()) {
                return Ok(register.next());
            }
            again = true;
        }
        Err(self.register.contended("change"))
    }

    fn largest_with_folder(&self) -> Result<Option<CheckpointId>, StorageError> {
        let names = self.files().list(self.folder()).map_err(|error| StorageError::io("list", self.folder(), error))?;
        Ok(names.iter().filter_map(|name| parse_checkpoint_name(name)).max())
    }

    pub(super) fn begin_snapshot(&self, epoch: u64, checkpoint: CheckpointId, target: &SnapshotTarget) -> Result<(), StorageError> {
        let doing = format!("begin checkpoint {checkpoint}");
        let turn = self.turn();
        let folder = self.folder_of(checkpoint, target);
        let mut trash = Vec::new();
        for _ in 0..ATTEMPTS {
            // Before the look at the register: see `move_to_trash`.
            let left_behind = self.is_there(&folder)?;
            let register = self.register_in_term(epoch, &doing)?;
            if let SnapshotTarget::Savepoint { .. } = target {
                return self.begin_savepoint(&folder);
            }
            if checkpoint < register.next() {
                return Err(self.fenced(&register, epoch, &doing));
            }
            if left_behind {
                trash.extend(self.move_to_trash(&folder)?);
            }
            match self.files().create_folder(&folder) {
                // By a leader before that was slow, or one that comes after.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => {
                    drop(turn);
                    // The new folder is clean all the same; what stays is removed with the next unreferenced folders.
                    trash.iter().for_each(|trash| drop(self.files().remove_folder(trash)));
                    return created.map_err(|error| StorageError::io("create", &folder, error));
                }
            }
        }
        Err(StorageError::io("create", folder, io::ErrorKind::AlreadyExists.into()))
    }

    fn is_there(&self, folder: &Path) -> Result<bool, StorageError> {
        self.files().stat(folder).map(|found| found.is_some()).map_err(|error| StorageError::io("look at", folder, error))
    }

    fn begin_savepoint(&self, folder: &Path) -> Result<(), StorageError> {
        if let Some(parent) = folder.parent() {
            self.create_folders(parent)?;
        }
        match self.files().create_folder(folder) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let names = self.files().list(folder).map_err(|error| StorageError::io("list", folder, error))?;
                if names.is_empty() {
                    return Ok(());
                }
                Err(StorageError::Retained { path: folder.into(), hint: "choose another folder for the savepoint" })
            }
            Err(error) => Err(StorageError::io("create", folder, error)),
        }
    }

    pub(super) fn complete_snapshot(
        &self,
        target: &SnapshotTarget,
        metadata: &CheckpointMetadata,
    ) -> Result<CompletedCheckpoint, StorageError> {
        let checkpoint = metadata.checkpoint;
        let sealed = self.seal(target, metadata)?;
        let folder = self.folder_of(checkpoint, target);
        let temporary = self.write_temporary(&folder, checkpoint, &sealed.bytes)?;
        let published = self.publish(target, metadata, &folder, &temporary, &sealed);
        if published.is_err() {
            // It may have been renamed, so that it is not there. A leftover goes with the folder.
            let _ = self.files().remove_file(&temporary);
        }
        published
    }

    fn seal(&self, target: &SnapshotTarget, metadata: &CheckpointMetadata) -> Result<Sealed, StorageError> {
        let invalid = |what: String| StorageError::Invalid { checkpoint: metadata.checkpoint, what };
        if metadata.job != self.job {
            return Err(invalid(format!("it is of job {} and was given to the storage of job {}", metadata.job, self.job)));
        }
        if (metadata.kind == SnapshotKind::Checkpoint) != (*target == SnapshotTarget::Checkpoint) {
            return Err(invalid(format!("a snapshot of kind {:?} does not go to {target:?}", metadata.kind)));
        }
        metadata.check().map_err(invalid)?;
        frame::seal(&METADATA_FRAME, metadata).map_err(|error| invalid(format!("it does not encode: {error}")))
    }

    /// The steps that decide, in their order: each is durable before the next one makes it visible.
    fn publish(
        &self,
        target: &SnapshotTarget,
        metadata: &CheckpointMetadata,
        folder: &Path,
        temporary: &Path,
        sealed: &Sealed,
    ) -> Result<CompletedCheckpoint, StorageError> {
        let CheckpointMetadata { epoch, checkpoint, kind, .. } = *metadata;
        let doing = format!("complete checkpoint {checkpoint}");
        let path = folder.join(METADATA);
        let unconfirmed = |path: PathBuf| move |source| StorageError::Unconfirmed { checkpoint, path, source };
        // No removal of this term comes between the steps. If a successor does, the last one fails, and it does not look at this number.
        let _turn = self.turn();
        let mut register = self.register_in_term(epoch, &doing)?;
        let state_bytes = check_state_files(self.files(), folder, metadata)?;
        let entry = Entry {
            epoch,
            checkpoint,
            kind,
            path: location::text(&location::relative(folder, self.folder()))?,
            completed_at_ms: metadata.completed_at_ms,
            bytes: sealed.bytes.len() as u64 + state_bytes,
            metadata_crc: sealed.crc,
            owner: (kind == SnapshotKind::Checkpoint).then_some(self.job),
        };
        if kind != SnapshotKind::Savepoint && register.complete(entry.clone()).is_err() {
            return Err(self.fenced(&register, epoch, &doing));
        }
        let parent = folder.parent().unwrap_or(Path::new(""));
        let renamed = self.files().rename(temporary, &path).and_then(|()| {
            self.files().sync_folder(folder)?;
            self.files().sync_folder(parent)
        });
        if kind == SnapshotKind::Savepoint {
            renamed.map_err(unconfirmed(path))?;
        } else {
            // What was not renamed, or only so far, is not in the register: it does not count.
            renamed.map_err(|error| StorageError::io("publish", path, error))?;
            let entered = self.change_in_term(epoch, &doing, |register| {
                register.complete(entry.clone()).map_err(|_| self.fenced(register, epoch, &doing))
            });
            entered.map_err(|error| match error {
                Failed::NotDone(error) => error,
                Failed::Unknown(error) => match self.register.read() {
                    // The largest number only goes up, and a register of a later term does not become one of this term again.
                    Ok(Some(found)) if found.register.epoch > epoch && found.register.last < Some(checkpoint) => {
                        self.fenced(&found.register, epoch, &doing)
                    }
                    _ => unconfirmed(self.register.path())(error),
                },
            })?;
        }
        self.register.completed(self.job, &entry).map(|completed| match target {
            SnapshotTarget::Checkpoint => completed,
            SnapshotTarget::Savepoint { folder } => CompletedCheckpoint { folder: folder.clone(), ..completed },
        })
    }

    pub(super) fn discard_snapshot(&self, epoch: u64, checkpoint: CheckpointId, target: &SnapshotTarget) -> Result<(), StorageError> {
        let turn = self.turn();
        let folder = self.folder_of(checkpoint, target);
        let is_there = self.is_there(&folder)?;
        let register = self.register_in_term(epoch, &format!("discard checkpoint {checkpoint}"))?;
        if let SnapshotTarget::Savepoint { .. } = target {
            let metadata = folder.join(METADATA);
            if self.files().stat(&metadata).map_err(|error| StorageError::io("look at", metadata, error))?.is_some() {
                return Err(StorageError::Retained { path: folder, hint: "dispose of the savepoint if nobody needs it" });
            }
        } else if register.entries.iter().any(|entry| location::resolve(&entry.path, self.folder()) == folder) {
            return Err(StorageError::Retained { path: folder, hint: "it goes when newer ones take its place" });
        }
        // Renamed first, so that whoever still writes there finds no folder, and so that others do not wait for long.
        let trash = if is_there { self.move_to_trash(&folder)? } else { None };
        drop(turn);
        trash.map_or(Ok(()), |trash| remove_folder(self.files(), &trash))
    }

    /// Gives a folder a name that nobody looks for, which is one step, whereas its removal is many. `None` if it is not there.
    ///
    /// It must have been there before a look at the register that found the term to be the current one. Then the folder is seen by
    /// whoever begins a later term, and none of its number is made again that could be removed in its place.
    pub(super) fn move_to_trash(&self, folder: &Path) -> Result<Option<PathBuf>, StorageError> {
        let io_error = |error| StorageError::io("rename", folder, error);
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        for attempt in 0..ATTEMPTS {
            let trash = folder.with_file_name(format!("{TRASH}{attempt}-{name}"));
            if self.files().stat(&trash).map_err(io_error)?.is_some() {
                continue;
            }
            return match self.files().rename(folder, &trash) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                renamed => renamed.map(|()| Some(trash)).map_err(io_error),
            };
        }
        Err(io_error(io::ErrorKind::AlreadyExists.into()))
    }

    /// Writes a file under a name of its own in the folder of a pending checkpoint.
    fn write_temporary(&self, folder: &Path, checkpoint: CheckpointId, bytes: &[u8]) -> Result<PathBuf, StorageError> {
        let mut last = io::ErrorKind::AlreadyExists.into();
        for attempt in 0..ATTEMPTS {
            let path = folder.join(format!("{METADATA}.tmp{attempt}"));
            match write_file(self.files(), &path, bytes) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(StorageError::NotPending { checkpoint, path: folder.into() });
                }
                Err(error) => return Err(StorageError::io("write", path, error)),
            }
        }
        Err(StorageError::io("write", folder.join(METADATA), last))
    }

    fn create_folders(&self, folder: &Path) -> Result<(), StorageError> {
        create_folders(self.files(), folder).map_err(|error| StorageError::io("create", folder, error))
    }
}
