//! A socket whose bytes may be counted.

use crate::traffic::Traffic;
use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

/// A TCP connection, of which a [`Traffic`] may be told what goes through it.
#[derive(Debug)]
pub struct Socket {
    stream: TcpStream,
    traffic: Option<Traffic>,
}

impl From<TcpStream> for Socket {
    /// Nobody counts.
    fn from(stream: TcpStream) -> Self {
        Socket { stream, traffic: None }
    }
}

impl Socket {
    /// Counts into `traffic` what is received and sent.
    pub fn counted(stream: TcpStream, traffic: Traffic) -> Self {
        Socket { stream, traffic: Some(traffic) }
    }

    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(Socket { stream: self.stream.try_clone()?, traffic: self.traffic.clone() })
    }

    /// The connection, for its settings: what is read or written there is not counted.
    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.stream
    }
}

impl Read for &Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = (&self.stream).read(buffer)?;
        if let Some(traffic) = &self.traffic {
            traffic.count_received(read);
        }
        Ok(read)
    }
}

impl Write for &Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = (&self.stream).write(bytes)?;
        if let Some(traffic) = &self.traffic {
            traffic.count_sent(written);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        // Nothing is held back.
        Ok(())
    }
}
