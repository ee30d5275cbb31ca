//! The source.

use crate::{
    enumerator::{SocketEnumerator, SocketEnumeratorState, SocketSplit},
    error::SocketSourceError,
    reader::SocketReader,
};
use flott_core::{
    BoxError,
    metrics::names,
    source::{Boundedness, EnumeratorContext, ReaderContext, Source, SourceReader, SplitEnumerator},
};
use std::time::Duration;

/// Reads lines of text from a TCP server, at most once.
///
/// One subtask connects, whatever the parallelism; the others end at once. A line is what stands before a delimiter, or
/// between the last delimiter and the end of a connection. What is not valid UTF-8 becomes U+FFFD, and the line is counted
/// by the metric `numRecordsInErrors`. While the job is slower than the peer, nothing is read, and the peer has to wait.
///
/// The source is an unbounded one, but it ends when the peer closes the connection and [`Self::max_retries`] is used up.
#[derive(Debug, Clone)]
pub struct SocketSource {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) delimiter: String,
    pub(crate) max_retries: i32,
    pub(crate) retry_delay: Duration,
    pub(crate) max_line_bytes: usize,
}

impl SocketSource {
    /// The lines that a server at `host`, a name or an address, sends.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        SocketSource {
            host: host.into(),
            port,
            delimiter: "\n".to_owned(),
            max_retries: 0,
            retry_delay: Duration::from_millis(500),
            max_line_bytes: 16 * 1024 * 1024,
        }
    }

    /// What ends a line, a `char` or a string; `\n` unless set, and then a `\r` before it is no part of the line either.
    /// An empty one fails the job when it starts.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = delimiter.into();
        self
    }

    /// How often in all to connect again, after the peer has closed the connection, the connection broke, or the peer could
    /// not be reached; 0 unless set, any negative number for no limit.
    ///
    /// When they are used up, the source ends as its last connection did: in order if the peer closed it, else with an
    /// error. It is an error, too, if there never was a connection.
    pub fn max_retries(mut self, retries: i32) -> Self {
        self.max_retries = retries;
        self
    }

    /// How long to wait before connecting again; 500 ms unless set.
    pub fn retry_delay(mut self, delay: Duration) -> Self {
        self.retry_delay = delay;
        self
    }

    /// How long a line may be, in bytes without its delimiter; 16 MiB unless set. A longer one fails the task.
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        if self.host.contains(':') { format!("[{}]:{}", self.host, self.port) } else { format!("{}:{}", self.host, self.port) }
    }

    fn check(&self) -> Result<(), SocketSourceError> {
        if self.delimiter.is_empty() { Err(SocketSourceError::EmptyDelimiter) } else { Ok(()) }
    }

    pub(crate) fn reader(&self, context: &ReaderContext) -> Result<SocketReader, SocketSourceError> {
        self.check()?;
        Ok(SocketReader::new(self.clone(), context.metrics.counter(names::NUM_RECORDS_IN_ERRORS)))
    }
}

impl Source for SocketSource {
    type Out = String;
    type Split = SocketSplit;
    type EnumeratorState = SocketEnumeratorState;

    fn boundedness(&self) -> Boundedness {
        Boundedness::ContinuousUnbounded
    }

    fn create_enumerator(
        &self,
        _context: &EnumeratorContext,
        restored: Option<SocketEnumeratorState>,
    ) -> Result<Box<dyn SplitEnumerator<SocketSplit, SocketEnumeratorState>>, BoxError> {
        self.check()?;
        let fresh = || SocketEnumeratorState { unassigned: Some(SocketSplit { address: self.address() }) };
        Ok(Box::new(SocketEnumerator(restored.unwrap_or_else(fresh))))
    }

    fn create_reader(&self, context: &ReaderContext) -> Result<Box<dyn SourceReader<String, SocketSplit>>, BoxError> {
        Ok(Box::new(self.reader(context)?))
    }
}
