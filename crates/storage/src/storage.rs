//! The interface of checkpoint storage: what tasks use ([`StateFiles`]) and what the job's coordinator uses ([`CheckpointStorage`]).
//! All calls block on I/O.

use crate::{
    StorageError,
    location::SnapshotTarget,
    metadata::{CheckpointMetadata, SnapshotKind},
};
use flott_core::{
    id::{CheckpointId, JobId},
    snapshot::{BlockData, BlockRef},
};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// What tasks need of a job's storage: to write state files, and to read them at restore.
pub trait StateFiles: Send + Sync + Debug {
    /// A new file in the folder of a pending checkpoint. Its name begins with `name_hint` and is unlike any other there.
    ///
    /// # Errors
    /// [`StorageError::NotPending`] if the coordinator has not begun the checkpoint, or has discarded it; file system errors.
    fn create_state_file(
        &self,
        checkpoint: CheckpointId,
        target: &SnapshotTarget,
        name_hint: &str,
    ) -> Result<Box<dyn StateFileWriter>, StorageError>;

    /// A reader of blocks: from memory, or from a file in a checkpoint's `folder`, as [`LoadedCheckpoint::folder`] says it.
    ///
    /// # Errors
    /// [`StorageError::Missing`] or [`StorageError::Damaged`] if the file is not there in full; file system errors.
    fn open_blocks<'a>(&self, folder: &str, data: &'a BlockData) -> Result<Box<dyn BlockReader + 'a>, StorageError>;

    /// Whether a state file that another process writes for `target` can be read here. If not, its tasks send all state inline.
    fn is_shared(&self, target: &SnapshotTarget) -> bool;
}

/// What the job's coordinator needs of a job's storage.
///
/// The order of calls: [`begin_term`](Self::begin_term) once; then, for each snapshot, [`begin`](Self::begin), the tasks'
/// state files, and either [`complete`](Self::complete) or [`discard`](Self::discard). `epoch` is always the caller's term; a call of a
/// term that is over is [`StorageError::Fenced`], one of a term that has not begun [`StorageError::TermNotBegun`].
pub trait CheckpointStorage: StateFiles {
    /// One more than the largest term that is recorded below the checkpoint directory, by whatever job.
    ///
    /// # Errors
    /// Damaged registers; file system errors.
    fn next_epoch(&self) -> Result<u64, StorageError>;

    /// Records that term `epoch` of the job has begun. From then on every call of an older term is refused, so that nobody else
    /// completes a checkpoint behind the back of the caller, who may now decide where to restore from. Returns the number to go
    /// on with: above those of all checkpoints that are complete, or were begun and left.
    ///
    /// # Errors
    /// [`StorageError::Fenced`] if a term of this number, or a later one, has begun before; file system errors.
    fn begin_term(&self, epoch: u64) -> Result<CheckpointId, StorageError>;

    /// As [`begin_term`](Self::begin_term), or goes on with the term if it has begun already: for callers whose number is nobody
    /// else's, and who do not know whether an earlier attempt of theirs has succeeded.
    ///
    /// # Errors
    /// [`StorageError::Fenced`] if a later term has begun before; file system errors.
    fn resume_term(&self, epoch: u64) -> Result<CheckpointId, StorageError>;

    /// Makes an empty folder for a snapshot. What an earlier attempt at a checkpoint of the same number has left behind goes away.
    ///
    /// # Errors
    /// [`StorageError::Fenced`] if the term is over, a checkpoint of this number, or a later one, is complete, or an earlier term
    /// has begun one;
    /// [`StorageError::Retained`] if the folder for a savepoint is there and not empty; file system errors.
    fn begin(&self, epoch: u64, checkpoint: CheckpointId, target: &SnapshotTarget) -> Result<(), StorageError>;

    /// Publishes the metadata of a snapshot: durably, then visibly, both at once or not at all. A checkpoint, or the savepoint
    /// that a job stops with, is entered into the register, if its term is not over and its number is above all before.
    ///
    /// # Errors
    /// [`StorageError::Unconfirmed`] if it may have been completed or not: call again with the same metadata, and do not discard
    /// it. With any other error it is not complete: [`StorageError::Fenced`], [`StorageError::Missing`] if a state file is not
    /// there in full, [`StorageError::NotPending`], [`StorageError::Invalid`]; file system errors.
    fn complete(&self, target: &SnapshotTarget, metadata: &CheckpointMetadata) -> Result<CompletedCheckpoint, StorageError>;

    /// Removes the folder of a snapshot that was aborted. Not being there is no error. Writers that come late find no folder.
    ///
    /// # Errors
    /// [`StorageError::Retained`] if it is complete after all; [`StorageError::Fenced`]; file system errors.
    fn discard(&self, epoch: u64, checkpoint: CheckpointId, target: &SnapshotTarget) -> Result<(), StorageError>;

    /// The complete checkpoints of the job that are kept, newest first, as the register has them.
    ///
    /// # Errors
    /// A damaged register, or, once a term has begun, a missing one; file system errors.
    fn completed(&self) -> Result<Vec<CompletedCheckpoint>, StorageError>;

    /// Reads and checks the metadata of a checkpoint or savepoint, and that all its state files are there with their lengths.
    /// `path` is its folder or its `_metadata` file, as a path or a `file://` URL.
    ///
    /// # Errors
    /// [`StorageError::NotACheckpoint`], [`StorageError::Damaged`], [`StorageError::Missing`], [`StorageError::NewerFormat`];
    /// file system errors.
    fn load(&self, path: &str) -> Result<LoadedCheckpoint, StorageError>;

    /// Like [`load`](Self::load), and checks that it is the very checkpoint that was completed.
    ///
    /// # Errors
    /// As [`load`](Self::load), but a folder that is gone is [`StorageError::Missing`].
    fn load_completed(&self, completed: &CompletedCheckpoint) -> Result<LoadedCheckpoint, StorageError>;

    /// Makes a checkpoint or savepoint that the job restores from its own: it is in the register, and is removed as the job's own
    /// checkpoints are. Call it after [`begin_term`](Self::begin_term), before the first checkpoint. Doing it again changes nothing.
    ///
    /// # Errors
    /// [`StorageError::Claimed`] if another job has claimed it; [`StorageError::Fenced`]; file system errors.
    fn claim(&self, epoch: u64, loaded: &LoadedCheckpoint) -> Result<CompletedCheckpoint, StorageError>;

    /// Keeps the newest `keep` complete checkpoints, at least one: takes the others out of the register, and then removes their
    /// files. Savepoints that were not claimed keep theirs.
    ///
    /// # Errors
    /// [`StorageError::Fenced`]; errors of the register. Those of removing files are in the result.
    fn retain(&self, epoch: u64, keep: usize) -> Result<Removal, StorageError>;

    /// Removes all checkpoints, for a job that has ended and keeps none. The register stays, so that a JobManager that was
    /// presumed dead cannot begin anew.
    ///
    /// # Errors
    /// As [`retain`](Self::retain).
    fn discard_all(&self, epoch: u64) -> Result<Removal, StorageError>;

    /// Removes what crashes have left in the job's folder: folders of checkpoints with numbers less than `below` that are not in
    /// the register. Call it a grace time after the term began, with the lowest number that is pending or the next one.
    ///
    /// # Errors
    /// As [`retain`](Self::retain).
    fn remove_unreferenced(&self, epoch: u64, below: CheckpointId) -> Result<Removal, StorageError>;

    /// Removes a savepoint that the user does not need any more: its files, and the folder if nothing else is in it.
    ///
    /// # Errors
    /// As [`load`](Self::load), but state files may be missing; [`StorageError::Retained`] if it is a checkpoint.
    fn dispose_savepoint(&self, path: &str) -> Result<(), StorageError>;
}

/// Writes a state file. Dropping it unfinished abandons it.
pub trait StateFileWriter: Send + Debug {
    /// Appends bytes.
    ///
    /// # Errors
    /// File system errors. The file is removed then, and every later call fails too.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError>;

    /// The number of bytes so far: the offset of the next block.
    fn position(&self) -> u64;

    /// Makes the bytes durable. Only then may the file be acknowledged.
    ///
    /// # Errors
    /// File system errors. The file is removed then.
    fn finish(self: Box<Self>) -> Result<StateFile, StorageError>;

    /// Removes the file.
    fn abandon(self: Box<Self>);
}

/// A state file that is complete and durable: what [`BlockData::File`] says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFile {
    /// Its name in the checkpoint's folder.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
}

/// Reads blocks. Any number of threads may share it.
pub trait BlockReader: Send + Sync + Debug {
    /// Puts the bytes of `block` into `into`, in place of what it has.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] if they are not those that were written; file system errors.
    fn read_block(&self, block: &BlockRef, into: &mut Vec<u8>) -> Result<(), StorageError>;
}

/// The checksum of a block, as [`BlockRef::crc`] holds it.
pub fn block_crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The checksum of a block that begins with `length` bytes whose checksum is `crc`, and ends with `bytes`.
pub fn extended_block_crc(crc: u32, length: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial_len(crc, length);
    hasher.update(bytes);
    hasher.finalize()
}

/// A complete checkpoint, as a register has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedCheckpoint {
    /// The job in whose register it is.
    pub job: JobId,
    /// The term in which it was entered.
    pub epoch: u64,
    /// Its number.
    pub checkpoint: CheckpointId,
    /// What it was taken for.
    pub kind: SnapshotKind,
    /// The full path of its folder: what a user restores from.
    pub folder: String,
    /// When it was completed, in ms since 1970.
    pub completed_at_ms: u64,
    /// The bytes of all its files.
    pub bytes: u64,
    /// The checksum of its metadata.
    pub metadata_crc: u32,
    /// The job that removes it in the end, if any does.
    pub owner: Option<JobId>,
}

/// A checkpoint that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedCheckpoint {
    /// The full path of its folder, for [`StateFiles::open_blocks`].
    pub folder: String,
    /// Its content.
    pub metadata: CheckpointMetadata,
    /// The checksum of its metadata.
    pub metadata_crc: u32,
    /// The bytes of all its files.
    pub bytes: u64,
}

/// What was removed, and what could not be.
#[derive(Debug, Default)]
#[must_use = "files that could not be removed take space until somebody does"]
pub struct Removal {
    /// The checkpoints that are no longer in the register.
    pub subsumed: Vec<CompletedCheckpoint>,
    /// Why files are still there. The checkpoints do not count any more for all that.
    pub failed: Vec<StorageError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_extended_by_what_follows() {
        let bytes: Vec<u8> = (0..1000u32).map(|n| (n * 7) as u8).collect();
        for middle in [0, 1, 500, 1000] {
            let (front, back) = bytes.split_at(middle);
            assert_eq!(extended_block_crc(block_crc(front), middle as u64, back), block_crc(&bytes));
        }
    }
}
