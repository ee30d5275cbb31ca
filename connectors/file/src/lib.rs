//! File source and exactly-once file sink of Flott.
//!
//! [`FileSource`] reads the lines of text files, plain or compressed, once or while new files come. [`FileSink`] writes
//! records as lines to part files that become visible, under their final names, when a checkpoint is complete.
//!
//! ```
//! use flott_connector_file::{FileSink, FileSource, InvalidUtf8};
//! use std::time::Duration;
//!
//! // All of a directory, every line once; what is not UTF-8 is counted and left out.
//! let logs = FileSource::text_lines("/var/log/shop").invalid_utf8(InvalidUtf8::Skip);
//!
//! // A glob, watched for new files.
//! let watched = FileSource::text_lines("/data/incoming/*.gz").monitor_continuously(Duration::from_secs(10));
//!
//! // Records as Flott prints them: `(word, 3)`.
//! let counts = FileSink::<(String, u64)>::text("/data/counts");
//!
//! // A format of one's own, a sub-directory for each first letter, parts of 64 MiB.
//! let table = FileSink::for_row_format("/data/table", |(word, count): &(String, u64), line: &mut Vec<u8>| {
//!     line.extend_from_slice(word.as_bytes());
//!     line.push(b'\t');
//!     line.extend_from_slice(count.to_string().as_bytes());
//!     Ok(())
//! })
//! .bucket_by(|(word, _), _timestamp| word.chars().next().map(String::from).unwrap_or_default())
//! .part_suffix(".tsv")
//! .part_bytes(64 * 1024 * 1024);
//! # let _ = (logs, watched, counts, table);
//! ```
//!
//! What is not here: formats of records (the encoder of a sink is a closure, a source gives lines), and other file systems
//! than those that the operating system shows as directories.
//!
//! `source` holds, from the outside inwards: the listing of paths, the enumerator that hands out splits, the reader, the cutting of
//! bytes into lines, and decompression. `sink` holds the writer with its part files, the names, and the committer.

mod sink;
mod source;
#[cfg(test)]
mod test_clock;

pub use sink::{FileCommittable, FileSink, FileSinkError, FileWriterState, InProgressPart};
pub use source::{Compression, FileEnumeratorState, FileSource, FileSourceError, FileSplit, InvalidUtf8, PendingFile};
