//! Copies of state files on the machine of the tasks that write them: a task that is started there again need not fetch its state from
//! storage that may be far away.
//!
//! A copy is never needed: one that cannot be written is given up, and what cannot be read from it is read from the storage. Blocks
//! have checksums, so that a wrong copy is found.

use crate::{
    BlockReader, SnapshotTarget, StateFile, StateFileWriter, StateFiles, StorageError,
    file_storage::restore,
    files::DiskFiles,
    location::{checkpoint_name, parse_checkpoint_name},
};
use flott_core::{
    id::CheckpointId,
    snapshot::{BlockData, BlockRef},
};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// Copies of so many checkpoints are kept: the last complete one, the one under way, and one for when that fails.
const KEPT: u64 = 3;

/// A storage with copies of what is written through it, in a folder. Processes of one job may share the folder.
#[derive(Debug)]
pub struct LocalCopies {
    storage: Arc<dyn StateFiles>,
    folder: PathBuf,
    /// Numbers files that have no name yet.
    begun: AtomicU64,
}

impl LocalCopies {
    /// Copies what is written to `storage` to `folder`, which is made when there is something to put there.
    pub fn new(storage: Arc<dyn StateFiles>, folder: impl Into<PathBuf>) -> Self {
        LocalCopies { storage, folder: folder.into(), begun: AtomicU64::new(0) }
    }

    /// Begins a copy; `None` if that is not possible.
    fn begin(&self, checkpoint: CheckpointId) -> Option<Copy> {
        self.remove_before(checkpoint.0.saturating_sub(KEPT - 1));
        let folder = self.folder.join(checkpoint_name(checkpoint));
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".{}-{number}.tmp", std::process::id()));
        let file = fs::create_dir_all(&folder).and_then(|()| fs::File::create(&path)).ok()?;
        Some(Copy { file, path, folder })
    }

    /// Removes the copies of older checkpoints. What cannot be removed is removed with the folder in the end.
    fn remove_before(&self, number: u64) {
        for name in fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.file_name()) {
            if name.to_str().and_then(parse_checkpoint_name).is_some_and(|checkpoint| checkpoint.0 < number) {
                let _ = fs::remove_dir_all(self.folder.join(name));
            }
        }
    }
}

impl StateFiles for LocalCopies {
    fn create_state_file(
        &self,
        checkpoint: CheckpointId,
        target: &SnapshotTarget,
        name_hint: &str,
    ) -> Result<Box<dyn StateFileWriter>, StorageError> {
        let writer = self.storage.create_state_file(checkpoint, target, name_hint)?;
        let copy = if *target == SnapshotTarget::Checkpoint { self.begin(checkpoint) } else { None };
        Ok(Box::new(Writer { writer: Some(writer), copy }))
    }

    fn open_blocks<'a>(&self, folder: &str, data: &'a BlockData) -> Result<Box<dyn BlockReader + 'a>, StorageError> {
        let name = Path::new(folder).file_name().and_then(|name| name.to_str()).filter(|name| parse_checkpoint_name(name).is_some());
        let (BlockData::File { .. }, Some(name)) = (data, name) else { return self.storage.open_blocks(folder, data) };
        // The one that is asked for may be of another job, which this one was started from: then checksums tell, and lengths before.
        match restore::open_blocks(&DiskFiles, &self.folder.join(name), data) {
            Ok(copy) => Ok(Box::new(Reader {
                copy,
                storage: self.storage.clone(),
                folder: folder.to_owned(),
                data,
                is_bad: AtomicBool::new(false),
            })),
            Err(_) => self.storage.open_blocks(folder, data),
        }
    }

    fn is_shared(&self, target: &SnapshotTarget) -> bool {
        self.storage.is_shared(target)
    }
}

/// A copy that is being written.
#[derive(Debug)]
struct Copy {
    file: fs::File,
    path: PathBuf,
    folder: PathBuf,
}

impl Copy {
    fn finish(mut self, name: &str) -> io::Result<()> {
        self.file.flush()?;
        fs::rename(&self.path, self.folder.join(name))
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // It is not there any more if it was finished.
        let _ = fs::remove_file(&self.path);
    }
}

#[derive(Debug)]
struct Writer {
    /// `None` once it is finished or abandoned.
    writer: Option<Box<dyn StateFileWriter>>,
    /// `None` once it has failed.
    copy: Option<Copy>,
}

impl StateFileWriter for Writer {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        if self.copy.as_mut().is_some_and(|copy| copy.file.write_all(bytes).is_err()) {
            self.copy = None;
        }
        self.writer.as_mut().map_or(Ok(()), |writer| writer.append(bytes))
    }

    fn position(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| writer.position())
    }

    fn finish(mut self: Box<Self>) -> Result<StateFile, StorageError> {
        let writer = self.writer.take().expect("a writer is finished or abandoned once, since that takes it");
        let file = writer.finish()?;
        // Without it, the storage is read.
        let _ = self.copy.take().map(|copy| copy.finish(&file.name));
        Ok(file)
    }

    fn abandon(mut self: Box<Self>) {
        self.copy = None;
        self.writer.take().into_iter().for_each(|writer| writer.abandon());
    }
}

/// Reads a copy, and from the first bad block on the storage.
#[derive(Debug)]
struct Reader<'a> {
    copy: Box<dyn BlockReader + 'a>,
    storage: Arc<dyn StateFiles>,
    folder: String,
    data: &'a BlockData,
    is_bad: AtomicBool,
}

impl BlockReader for Reader<'_> {
    fn read_block(&self, block: &BlockRef, into: &mut Vec<u8>) -> Result<(), StorageError> {
        if !self.is_bad.load(Ordering::Relaxed) && self.copy.read_block(block, into).is_ok() {
            return Ok(());
        }
        self.is_bad.store(true, Ordering::Relaxed);
        self.storage.open_blocks(&self.folder, self.data)?.read_block(block, into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CheckpointDirectory, CheckpointStorage, FileStorage, block_crc};
    use flott_core::id::JobId;

    struct Case {
        _folder: tempfile::TempDir,
        shared: PathBuf,
        local: PathBuf,
        storage: Arc<FileStorage>,
        copies: LocalCopies,
    }

    fn case() -> Case {
        let folder = tempfile::tempdir().unwrap();
        let (shared, local) = (folder.path().join("shared"), folder.path().join("local"));
        let storage = Arc::new(CheckpointDirectory::on_disk(shared.to_str().unwrap()).unwrap().storage(JobId(1)));
        storage.begin_term(1).unwrap();
        let copies = LocalCopies::new(storage.clone(), &local);
        Case { _folder: folder, shared, local, storage, copies }
    }

    /// Writes a state file of one block in a checkpoint; gives what is needed to read it.
    fn write(case: &Case, checkpoint: u64, content: &[u8]) -> (String, BlockData, BlockRef) {
        case.storage.begin(1, CheckpointId(checkpoint), &SnapshotTarget::Checkpoint).unwrap();
        let mut writer = case.copies.create_state_file(CheckpointId(checkpoint), &SnapshotTarget::Checkpoint, "state").unwrap();
        writer.append(content).unwrap();
        let file = writer.finish().unwrap();
        let block = BlockRef { state: 0, group: 0, offset: 0, len: content.len() as u32, crc: block_crc(content) };
        let folder = case.shared.join(JobId(1).to_string()).join(format!("chk-{checkpoint}"));
        (folder.to_str().unwrap().to_owned(), BlockData::File { name: file.name, bytes: file.bytes }, block)
    }

    fn read(case: &Case, (folder, data, block): &(String, BlockData, BlockRef)) -> Result<Vec<u8>, StorageError> {
        let mut bytes = Vec::new();
        case.copies.open_blocks(folder, data)?.read_block(block, &mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn what_was_written_here_is_read_from_here() {
        let case = case();
        let written = write(&case, 1, b"content");
        fs::remove_dir_all(&written.0).unwrap();
        assert_eq!(read(&case, &written).unwrap(), b"content");
    }

    #[test]
    fn a_copy_that_is_gone_or_damaged_or_of_something_else_is_not_needed() {
        let case = case();
        let written = write(&case, 1, b"content");
        let copy = case.local.join("chk-1/state");
        for wrong in [&b"CONTENT"[..], b"short", b""] {
            fs::write(&copy, wrong).unwrap();
            assert_eq!(read(&case, &written).unwrap(), b"content");
        }
        fs::remove_file(&copy).unwrap();
        assert_eq!(read(&case, &written).unwrap(), b"content");
    }

    #[test]
    fn a_copy_that_cannot_be_written_fails_nothing() {
        let case = case();
        fs::write(&case.local, b"a file where the folder should be").unwrap();
        let written = write(&case, 1, b"content");
        assert_eq!(read(&case, &written).unwrap(), b"content");
    }

    #[test]
    fn copies_of_the_last_checkpoints_are_kept_and_of_files_that_were_given_up_none() {
        let case = case();
        (1..=5).for_each(|number| drop(write(&case, number, b"content")));
        case.copies.create_state_file(CheckpointId(5), &SnapshotTarget::Checkpoint, "other").unwrap().abandon();
        let mut left: Vec<_> = fs::read_dir(&case.local).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["chk-3", "chk-4", "chk-5"]);
        assert_eq!(fs::read_dir(case.local.join("chk-5")).unwrap().count(), 1);
    }
}
