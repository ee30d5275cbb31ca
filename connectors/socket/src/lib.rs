//! A source of text lines from a TCP socket, for trying things out: `nc -lk 9999` and a [`SocketSource`].
//!
//! ```
//! use flott_connector_socket::SocketSource;
//! use flott_core::source::{Boundedness, Source};
//!
//! let lines = SocketSource::new("localhost", 9999);
//! assert_eq!(lines.boundedness(), Boundedness::ContinuousUnbounded);
//!
//! // Records that end with a semicolon, from a server that may be restarted now and then.
//! let records = SocketSource::new("sensors.example", 7000).delimiter(';').max_retries(-1);
//! # let _ = records;
//! ```
//!
//! # At most once
//!
//! A socket cannot be asked for what it has sent before. What was read but not processed when a task fails is lost, and so is
//! what the peer sends until the task is connected again. A checkpoint holds nothing of the content.

mod connection;
mod enumerator;
mod error;
mod queue;
mod reader;
mod source;
mod splitter;
#[cfg(test)]
mod tests;

pub use enumerator::{SocketEnumeratorState, SocketSplit};
pub use error::SocketSourceError;
pub use source::SocketSource;
