//! What a link runs on: bytes in both directions.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Duration,
};

/// A connection whose two directions are used by two threads. TCP, or whatever lies over it.
pub struct ByteStream {
    /// What the other side has sent.
    pub reader: Box<dyn Read + Send>,
    /// To the other side. Whoever writes gathers; nothing needs to be buffered here.
    pub writer: Box<dyn StreamWriter>,
    /// What ends it.
    pub control: Arc<dyn StreamControl>,
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteStream").finish_non_exhaustive()
    }
}

/// Acts on a connection while other threads are reading and writing.
pub trait StreamControl: Send + Sync {
    /// The other side reads to the end of what was written, and no more comes.
    fn finish_writing(&self);

    /// Ends both directions. Whoever reads or writes is woken.
    fn shut_down(&self);

    /// How long one read and one write may take from now on; `None`: for ever.
    ///
    /// # Errors
    /// The connection does not allow it.
    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()>;
}

/// Where bytes are written, by whoever has some.
pub trait StreamWriter: Write + Send {
    /// Writes as many bytes as there is room for, one at least.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`]: there is no room, or whether there is cannot be known without a wait.
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize>;
}

impl StreamWriter for TcpStream {
    #[cfg(unix)]
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self, bytes, rustix::net::SendFlags::DONTWAIT)?)
    }

    #[cfg(not(unix))]
    fn try_write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

/// A stream of which nobody can know whether it takes bytes without a wait.
#[derive(Debug)]
pub struct Waiting<W>(pub W);

impl<W: Write> Write for Waiting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send> StreamWriter for Waiting<W> {
    fn try_write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

impl StreamControl for TcpStream {
    fn finish_writing(&self) {
        // It fails where the connection has ended already.
        let _ = self.shutdown(Shutdown::Write);
    }

    fn shut_down(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }

    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(read)?;
        self.set_write_timeout(write)
    }
}

impl ByteStream {
    /// Over TCP. Small frames are not held back by the operating system.
    ///
    /// # Errors
    /// The connection is gone, or there are too many open files.
    pub fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(ByteStream { reader: Box::new(stream.try_clone()?), writer: Box::new(stream.try_clone()?), control: Arc::new(stream) })
    }
}
