//! What the fuzzer in `fuzz/` calls. No interface for anyone else.

use crate::{
    CheckpointMetadata,
    files::{MemoryFiles, write_file},
    frame::{self, HEAD},
    metadata::METADATA_FRAME,
};
use std::path::Path;

/// Reads bytes as a `_metadata` file: as they are, and as the body of a file that is sound otherwise.
///
/// # Panics
/// What was read and fits together is not the same when it is written and read again.
pub fn metadata(bytes: &[u8]) {
    for file in [bytes.to_vec(), around(bytes)] {
        let Some(read) = read(&file).filter(|read| read.check().is_ok()) else { continue };
        let sealed = frame::seal(&METADATA_FRAME, &read).expect("what was read can be written");
        assert_eq!(self::read(&sealed.bytes).as_ref(), Some(&read), "it is another when it is read again");
    }
}

fn around(body: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEAD + body.len() + 4);
    file.extend_from_slice(METADATA_FRAME.magic);
    file.extend_from_slice(&METADATA_FRAME.version.to_le_bytes());
    file.extend_from_slice(&(body.len() as u64).to_le_bytes());
    file.extend_from_slice(body);
    file.extend_from_slice(&crc32fast::hash(&file).to_le_bytes());
    file
}

fn read(file: &[u8]) -> Option<CheckpointMetadata> {
    let (files, path) = (MemoryFiles::new(), Path::new("/_metadata"));
    write_file(&files, path, file).expect("memory takes a file");
    frame::open(&METADATA_FRAME, &files, path).ok().flatten().map(|opened| opened.content)
}

/// A file as it is written.
pub fn metadata_file(metadata: &CheckpointMetadata) -> Vec<u8> {
    frame::seal(&METADATA_FRAME, metadata).expect("metadata can be written").bytes
}
