//! What lies between TCP and a link.

use crate::stream::ByteStream;
use std::{io, net::TcpStream, time::Duration};

/// Puts a fresh TCP connection to work, before anybody says hello: encryption, for example. Called by several threads.
pub trait Transport: Send + Sync {
    /// This side has connected. `timeout` holds for all that has to be said.
    ///
    /// # Errors
    /// The connection failed, or the other side is not who it must be.
    fn connecting(&self, stream: TcpStream, timeout: Duration) -> io::Result<ByteStream>;

    /// The other side has connected. `timeout` holds for all that has to be said.
    ///
    /// # Errors
    /// The connection failed, or the other side is not who it must be.
    fn accepted(&self, stream: TcpStream, timeout: Duration) -> io::Result<ByteStream>;
}

/// TCP, and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clear;

impl Transport for Clear {
    fn connecting(&self, stream: TcpStream, _: Duration) -> io::Result<ByteStream> {
        ByteStream::tcp(stream)
    }

    fn accepted(&self, stream: TcpStream, _: Duration) -> io::Result<ByteStream> {
        ByteStream::tcp(stream)
    }
}
