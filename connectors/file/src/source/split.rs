//! A part of a file.

use super::compression::Compression;
use flott_core::source::SourceSplit;

/// A range of a plain file, or a whole compressed one. A line belongs to the split in which its first byte lies.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileSplit {
    /// The name, unique in the source.
    pub id: String,
    /// The file, absolute.
    pub path: String,
    /// How the file is compressed.
    pub compression: Compression,
    /// The first byte; of a compressed file 0.
    pub start: u64,
    /// The byte behind the last; of a compressed file its compressed length when it was listed.
    pub end: u64,
    /// The next byte to read, in the uncompressed text: `start`, or where a line starts.
    pub position: u64,
}

impl FileSplit {
    /// The unread bytes `start..end` of a file.
    pub fn new(path: &str, compression: Compression, start: u64, end: u64) -> Self {
        FileSplit { id: format!("{path}:{start}"), path: path.to_owned(), compression, start, end, position: start }
    }
}

impl SourceSplit for FileSplit {
    fn split_id(&self) -> String {
        self.id.clone()
    }
}
