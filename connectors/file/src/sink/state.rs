//! What a checkpoint holds of a file sink.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A complete file that becomes visible under its final name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCommittable {
    /// The pending file, absolute.
    pub from: String,
    /// Its final path, absolute.
    pub to: String,
    /// Its length in bytes.
    pub length: u64,
}

/// What a writer remembers: one of these for each file in progress, or a single one without a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileWriterState {
    /// A number above those of all files of the writer.
    pub next_counter: u64,
    /// A file in progress.
    pub part: Option<InProgressPart>,
}

/// A file that is being written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InProgressPart {
    /// The sink's directory, absolute.
    pub dir: String,
    /// The bucket; empty for the directory itself.
    pub bucket: String,
    /// The file's name while it is hidden.
    pub in_progress: String,
    /// The name that it will get.
    pub finished: String,
    /// How many of its bytes belong to the checkpoint.
    pub length: u64,
}

impl InProgressPart {
    /// The hidden file.
    pub(super) fn from(&self) -> PathBuf {
        Path::new(&self.dir).join(&self.bucket).join(&self.in_progress)
    }

    /// The finished file.
    pub(super) fn to(&self) -> PathBuf {
        Path::new(&self.dir).join(&self.bucket).join(&self.finished)
    }

    /// What finishes the file.
    pub(super) fn committable(&self) -> FileCommittable {
        let path = |name: &str| match self.bucket.as_str() {
            "" => format!("{}/{name}", self.dir),
            bucket => format!("{}/{bucket}/{name}", self.dir),
        };
        FileCommittable { from: path(&self.in_progress), to: path(&self.finished), length: self.length }
    }
}
