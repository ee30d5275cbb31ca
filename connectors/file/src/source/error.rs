//! What can go wrong when files are read.

use super::compression::Compression;
use std::{io, path::PathBuf};

/// A file source could not read its input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileSourceError {
    /// A source was made without a path.
    #[error("a file source has no path to read: give it a file, a directory or a glob")]
    NoPath,
    /// A path names nothing.
    #[error("input `{}` does not exist", path.display())]
    Missing {
        /// The path as it was given, made absolute.
        path: PathBuf,
    },
    /// A glob is malformed.
    #[error("`{pattern}` is not a valid glob")]
    Glob {
        /// The glob.
        pattern: String,
        /// Where it is malformed.
        source: glob::PatternError,
    },
    /// A glob matches nothing.
    #[error("glob `{pattern}` matches no file: check the path, or create the input first")]
    NoMatch {
        /// The glob.
        pattern: String,
    },
    /// A file or directory could not be looked at.
    #[error("cannot list input `{}`", path.display())]
    List {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A path's name cannot be stored in a checkpoint.
    #[error("the name of input `{}` is not valid UTF-8: rename it", path.display())]
    NotUtf8Path {
        /// The path, with replacement characters.
        path: PathBuf,
    },
    /// A pipe, socket or device was named.
    #[error("input `{}` is neither a regular file nor a directory", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A file could not be opened.
    #[error("cannot open input file `{path}`")]
    Open {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// A file could not be read; of a compressed file, perhaps because it is damaged.
    #[error("cannot read input file `{path}` at byte {offset}{}", compression.of_uncompressed())]
    Read {
        /// The file.
        path: String,
        /// How it is compressed.
        compression: Compression,
        /// Where reading stopped; of a compressed file, in its uncompressed text.
        offset: u64,
        /// The cause.
        source: io::Error,
    },
    /// A file's extension promises a compression that its first bytes do not show.
    #[error("input file `{path}` is named as if compressed by {compression}, but its content is not: rename it")]
    NotCompressed {
        /// The file.
        path: String,
        /// What the extension promises.
        compression: Compression,
    },
    /// A file is shorter than when it was found.
    #[error(
        "input file `{path}` has {length} bytes, but had at least {expected} when it was listed: it was truncated or replaced; \
         input files must not change while they are read"
    )]
    Truncated {
        /// The file.
        path: String,
        /// Its bytes when it was listed, or those that a split counts on.
        expected: u64,
        /// Its bytes now.
        length: u64,
    },
    /// A file no longer has a line's start where one was.
    #[error(
        "input file `{path}` no longer has a line that starts at byte {position}: it was changed since the checkpoint was taken; \
         input files must not change while they are read"
    )]
    Changed {
        /// The file.
        path: String,
        /// Where the next line should start.
        position: u64,
    },
    /// A line is not text.
    #[error(
        "input file `{path}` has invalid UTF-8 at byte {offset}, in the line that starts at byte {line_start}{}{hint}; \
         `InvalidUtf8::Skip` or `InvalidUtf8::Replace` would go on", compression.of_uncompressed()
    )]
    InvalidUtf8 {
        /// The file.
        path: String,
        /// How it is compressed.
        compression: Compression,
        /// The first invalid byte; of a compressed file, in its uncompressed text.
        offset: u64,
        /// The first byte of the line.
        line_start: u64,
        /// What the content looks like, if it is known.
        hint: &'static str,
    },
    /// A line is too long.
    #[error("input file `{path}` has a line of more than {max} bytes, which starts at byte {line_start}{}; raise `max_line_bytes` if that is right", compression.of_uncompressed())]
    LineTooLong {
        /// The file.
        path: String,
        /// How it is compressed.
        compression: Compression,
        /// The first byte of the line.
        line_start: u64,
        /// The limit, in bytes.
        max: u64,
    },
}
