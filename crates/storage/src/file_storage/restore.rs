//! Reading checkpoints.

use crate::{
    BlockReader, CheckpointMetadata, CompletedCheckpoint, LoadedCheckpoint, StorageError,
    files::{FileSystem, ReadFile, Stat},
    frame::{self, Opened},
    location::{self, METADATA, is_state_file_name, parse_path, parse_register_name},
    metadata::METADATA_FRAME,
    storage::block_crc,
};
use flott_core::snapshot::{BlockData, BlockRef};
use std::{
    io,
    path::{Path, PathBuf},
};

/// See [`crate::CheckpointStorage::load`].
pub(crate) fn load(files: &dyn FileSystem, given: &str) -> Result<LoadedCheckpoint, StorageError> {
    let (folder, opened) = read_metadata(files, given)?;
    let state_bytes = check_state_files(files, &folder, &opened.content)?;
    Ok(LoadedCheckpoint {
        folder: location::text(&folder)?,
        metadata: opened.content,
        metadata_crc: opened.crc,
        bytes: opened.bytes + state_bytes,
    })
}

/// See [`crate::CheckpointStorage::load_completed`].
pub(crate) fn load_completed(files: &dyn FileSystem, completed: &CompletedCheckpoint) -> Result<LoadedCheckpoint, StorageError> {
    let metadata = Path::new(&completed.folder).join(METADATA);
    let loaded = load(files, &completed.folder).map_err(|error| match error {
        StorageError::NotACheckpoint { .. } => StorageError::Missing { path: metadata.clone() },
        error => error,
    })?;
    if loaded.metadata_crc != completed.metadata_crc {
        return Err(StorageError::damaged(
            metadata,
            format!("it is not that of checkpoint {} which the register names", completed.checkpoint),
        ));
    }
    Ok(loaded)
}

/// The folder that a user means, and the metadata there.
pub(crate) fn read_metadata(files: &dyn FileSystem, given: &str) -> Result<(PathBuf, Opened<CheckpointMetadata>), StorageError> {
    let not = |what: &str| StorageError::NotACheckpoint { path: given.to_owned(), what: what.to_owned() };
    let path = parse_path(given)?;
    let path = files.absolute(&path).map_err(|error| StorageError::io("resolve", &path, error))?;
    let folder = match files.stat(&path).map_err(|error| StorageError::io("look at", &path, error))? {
        Some(Stat::Folder) => path,
        Some(Stat::File(_)) if path.file_name().is_some_and(|name| name == METADATA) => match path.parent() {
            Some(parent) => parent.to_owned(),
            None => return Err(not("it is in no folder")),
        },
        Some(Stat::File(_)) => return Err(not("it is a file of another name than `_metadata`")),
        None => return Err(not("there is nothing of this name")),
    };
    let path = folder.join(METADATA);
    let Some(opened) = frame::open::<CheckpointMetadata>(&METADATA_FRAME, files, &path)? else {
        let is_job = files.list(&folder).is_ok_and(|names| names.iter().any(|name| parse_register_name(name).is_some()));
        return Err(not(if is_job {
            "it is the folder of a job, its checkpoints are in the folders `chk-…` below"
        } else {
            "it has no `_metadata` file, so it was never complete"
        }));
    };
    opened.content.check().map_err(|what| StorageError::damaged(path, what))?;
    Ok((folder, opened))
}

/// Checks that all state files are there with their lengths, and says how many bytes that is.
pub(crate) fn check_state_files(files: &dyn FileSystem, folder: &Path, metadata: &CheckpointMetadata) -> Result<u64, StorageError> {
    let mut total = 0;
    for (name, bytes) in metadata.state_files() {
        let path = folder.join(name);
        match files.stat(&path).map_err(|error| StorageError::io("look at", &path, error))? {
            Some(Stat::File(actual)) if actual == bytes => total += bytes,
            Some(Stat::File(actual)) => return Err(wrong_length(&path, bytes, actual)),
            Some(Stat::Folder) => return Err(StorageError::damaged(path, "it is a folder")),
            None => return Err(StorageError::Missing { path }),
        }
    }
    Ok(total)
}

fn wrong_length(path: &Path, expected: u64, actual: u64) -> StorageError {
    StorageError::damaged(path, format!("it has {actual} bytes instead of {expected}"))
}

#[derive(Debug)]
struct FileBlocks {
    file: Box<dyn ReadFile>,
    path: PathBuf,
    bytes: u64,
}

#[derive(Debug)]
struct InlineBlocks<'a> {
    bytes: &'a [u8],
    /// The metadata file that they came in, for messages.
    path: PathBuf,
}

/// See [`crate::StateFiles::open_blocks`].
pub(crate) fn open_blocks<'a>(
    files: &dyn FileSystem,
    folder: &Path,
    data: &'a BlockData,
) -> Result<Box<dyn BlockReader + 'a>, StorageError> {
    let (name, bytes) = match data {
        BlockData::Inline(bytes) => return Ok(Box::new(InlineBlocks { bytes, path: folder.join(METADATA) })),
        BlockData::File { name, bytes } => (name, *bytes),
    };
    if !is_state_file_name(name) {
        return Err(StorageError::InvalidPath { path: name.clone(), what: "it is no name of a state file".into() });
    }
    let path = folder.join(name);
    let file = files.open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => StorageError::Missing { path: path.clone() },
        _ => StorageError::io("open", &path, error),
    })?;
    let actual = file.len().map_err(|error| StorageError::io("read", &path, error))?;
    if actual != bytes {
        return Err(wrong_length(&path, bytes, actual));
    }
    Ok(Box::new(FileBlocks { file, path, bytes }))
}

fn check_block(path: &Path, block: &BlockRef, bytes: &[u8]) -> Result<(), StorageError> {
    if block_crc(bytes) == block.crc {
        return Ok(());
    }
    let BlockRef { state, group, offset, len, .. } = block;
    Err(StorageError::damaged(path, format!("the checksum of the {len} bytes at {offset} is wrong (state {state}, key group {group})")))
}

fn outside(path: &Path, block: &BlockRef, bytes: u64) -> StorageError {
    StorageError::damaged(path, format!("a block of {} bytes at {} does not fit into {bytes} bytes", block.len, block.offset))
}

impl BlockReader for FileBlocks {
    fn read_block(&self, block: &BlockRef, into: &mut Vec<u8>) -> Result<(), StorageError> {
        if block.offset.checked_add(u64::from(block.len)).is_none_or(|end| end > self.bytes) {
            return Err(outside(&self.path, block, self.bytes));
        }
        into.clear();
        into.resize(block.len as usize, 0);
        self.file.read_exact_at(into, block.offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => StorageError::damaged(&self.path, "it became shorter while it was read"),
            _ => StorageError::io("read", &self.path, error),
        })?;
        check_block(&self.path, block, into)
    }
}

impl BlockReader for InlineBlocks<'_> {
    fn read_block(&self, block: &BlockRef, into: &mut Vec<u8>) -> Result<(), StorageError> {
        let start = usize::try_from(block.offset).ok();
        let range = start.and_then(|start| Some(start..start.checked_add(block.len as usize)?));
        let bytes = range.and_then(|range| self.bytes.get(range)).ok_or_else(|| outside(&self.path, block, self.bytes.len() as u64))?;
        into.clear();
        into.extend_from_slice(bytes);
        check_block(&self.path, block, into)
    }
}
