//! A connection, in clear or encrypted, whose two directions are used by two threads.

use crate::{socket::Socket, tls::TlsStream};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Duration,
};

/// A connection. It is used as a `TcpStream` is: clones are the same connection, and one may read while another writes.
#[derive(Debug)]
pub enum Stream {
    /// In clear.
    Plain(Socket),
    /// Encrypted.
    Tls(Arc<TlsStream>),
}

impl Stream {
    /// The same connection, for another thread.
    ///
    /// # Errors
    /// There are too many open files.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Stream::Plain(socket) => Stream::Plain(socket.try_clone()?),
            Stream::Tls(stream) => Stream::Tls(stream.clone()),
        })
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(socket) => socket.tcp(),
            Stream::Tls(stream) => stream.socket(),
        }
    }

    /// How long one read may take; `None`: for ever.
    ///
    /// # Errors
    /// The duration is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket().set_read_timeout(timeout)
    }

    /// How long one write may take; `None`: for ever. A write that takes longer ends the connection if it is encrypted.
    ///
    /// # Errors
    /// The duration is zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket().set_write_timeout(timeout)
    }

    /// Ends the connection. Whoever reads or writes is woken.
    ///
    /// # Errors
    /// It has ended already.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match (self, how) {
            (Stream::Tls(stream), Shutdown::Write) => stream.finish_writing(),
            _ => self.socket().shutdown(how),
        }
    }

    /// Whether the other side has shown that it is a process of the cluster.
    pub fn is_process(&self) -> bool {
        match self {
            Stream::Plain(_) => false,
            Stream::Tls(stream) => stream.is_process(),
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => (&mut &*socket).read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => (&mut &*socket).write(bytes),
            Stream::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nothing is held back.
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&mut &*self).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
