//! What can go wrong when a socket is read.

use std::io;

/// A socket source could not read its input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketSourceError {
    /// The delimiter is empty.
    #[error("the delimiter of a socket source is empty: give it at least one character")]
    EmptyDelimiter,
    /// Nobody answers.
    #[error("cannot connect to `{address}` ({attempts} attempted): start what the source reads from first, for instance `nc -lk {port}`")]
    Connect {
        /// Host and port.
        address: String,
        /// The port.
        port: u16,
        /// How often it was tried.
        attempts: u64,
        /// The cause of the last failure.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to `{address}` broke; with a higher `max_retries` the source would connect again")]
    Read {
        /// Host and port.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// A line is too long.
    #[error(
        "`{address}` sent more than {max} bytes without the delimiter {delimiter:?}: set `delimiter` to what ends a record, or raise \
         `max_line_bytes`"
    )]
    LineTooLong {
        /// Host and port.
        address: String,
        /// The limit, in bytes.
        max: usize,
        /// The delimiter.
        delimiter: String,
    },
    /// The thread that reads could not be started.
    #[error("cannot start the thread that reads `{address}`")]
    Thread {
        /// Host and port.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// The thread that reads is gone without having said why.
    #[error("the thread that reads the socket panicked")]
    Panicked,
}
