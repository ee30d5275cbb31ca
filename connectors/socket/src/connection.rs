//! The thread that reads the socket.

use crate::{
    error::SocketSourceError,
    queue::{Closed, LineQueue},
    source::SocketSource,
    splitter::{LineSplitter, TooLong},
};
use flott_core::metrics::Counter;
use std::{
    io::{self, ErrorKind, Read},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

/// How long one address of the host may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Lines that go into the queue at once.
const PUSH_RECORDS: usize = 1024;

/// Why reading stops for good.
enum Stop {
    /// The reader is gone: nobody wants to know.
    Closed,
    Failed(SocketSourceError),
}

impl From<Closed> for Stop {
    fn from(Closed: Closed) -> Self {
        Stop::Closed
    }
}

/// Reads a socket into a queue.
pub(crate) struct Connection {
    pub(crate) source: SocketSource,
    pub(crate) queue: Arc<LineQueue>,
    /// Lines with invalid UTF-8, and those that were cut off by a broken connection.
    pub(crate) errors: Counter,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A task must not wait for a thread that is no more.
        if std::thread::panicking() {
            self.queue.end(Err(SocketSourceError::Panicked));
        }
    }
}

impl Connection {
    /// Reads until the stream ends, fails or the queue is closed.
    pub(crate) fn run(self) {
        match self.connect_and_read() {
            Ok(()) | Err(Stop::Closed) => self.queue.end(Ok(())),
            Err(Stop::Failed(error)) => self.queue.end(Err(error)),
        }
    }

    fn connect_and_read(&self) -> Result<(), Stop> {
        let mut retries = 0;
        let mut ended = None;
        loop {
            match self.connect() {
                Ok(stream) => ended = Some(self.read_stream(stream)?),
                Err(source) if ended.is_none() && !self.may_retry(retries) => {
                    let (address, port) = (self.source.address(), self.source.port);
                    return Err(Stop::Failed(SocketSourceError::Connect { address, port, attempts: retries + 1, source }));
                }
                Err(_) => {}
            }
            if !self.may_retry(retries) {
                break;
            }
            self.queue.pause(self.source.retry_delay)?;
            retries += 1;
        }
        // The stream ends as its last connection did.
        match ended {
            None | Some(Ok(())) => Ok(()),
            Some(Err(source)) => Err(Stop::Failed(SocketSourceError::Read { address: self.source.address(), source })),
        }
    }

    fn may_retry(&self, retries: u64) -> bool {
        u64::try_from(self.source.max_retries).map_or(true, |max| retries < max)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut error = io::Error::new(ErrorKind::NotFound, "the host has no address");
        for address in (self.source.host.as_str(), self.source.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }

    /// Reads one connection to its end: in order, or by an error that another connection may make good.
    fn read_stream(&self, mut stream: TcpStream) -> Result<io::Result<()>, Stop> {
        match stream.try_clone() {
            Ok(handle) => self.queue.connected(Some(handle))?,
            Err(error) => return Ok(Err(error)),
        }
        let mut splitter = LineSplitter::new(&self.source.delimiter, self.source.max_line_bytes);
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut lines = Vec::new();
        let result = loop {
            match stream.read(&mut chunk) {
                Ok(0) => {
                    lines.extend(splitter.take_rest().map_err(|TooLong| self.too_long())?.map(|rest| self.text(&rest)));
                    self.queue.push(&mut lines, 0)?;
                    break Ok(());
                }
                Ok(read) => self.push_lines(&mut splitter, &chunk[..read], &mut lines)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // Half a line is no record.
                    self.errors.add(u64::from(!matches!(splitter.take_rest(), Ok(None))));
                    break Err(error);
                }
            }
        };
        self.queue.connected(None)?;
        Ok(result)
    }

    fn push_lines(&self, splitter: &mut LineSplitter, chunk: &[u8], lines: &mut Vec<String>) -> Result<(), Stop> {
        let mut bytes_read = chunk.len() as u64;
        let mut closed = Ok(());
        let cut = splitter.push(chunk, |line| {
            lines.push(self.text(line));
            if lines.len() >= PUSH_RECORDS && closed.is_ok() {
                closed = self.queue.push(lines, std::mem::take(&mut bytes_read));
            }
        });
        closed?;
        self.queue.push(lines, bytes_read)?;
        cut.map_err(|TooLong| self.too_long())
    }

    fn too_long(&self) -> Stop {
        let SocketSource { max_line_bytes: max, delimiter, .. } = &self.source;
        Stop::Failed(SocketSourceError::LineTooLong { address: self.source.address(), max: *max, delimiter: delimiter.clone() })
    }

    fn text(&self, line: &[u8]) -> String {
        match std::str::from_utf8(line) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                self.errors.add(1);
                String::from_utf8_lossy(line).into_owned()
            }
        }
    }
}
