//! Records between workers over TLS.

use flott_net::{ByteStream, StreamControl, Transport, Waiting};
use flott_security::{Accepted, Connector, Entrance, Stream};
use std::{
    io,
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Duration,
};

/// Connections to processes of the cluster alone, which show each other certificates.
#[derive(Debug, Clone)]
pub struct Encrypted {
    connector: Connector,
    entrance: Entrance,
}

impl Encrypted {
    /// `connector` is what this process shows when it connects, `entrance` what it asks of those who do.
    pub fn new(connector: Connector, entrance: Entrance) -> Self {
        Encrypted { connector, entrance }
    }
}

impl Transport for Encrypted {
    fn connecting(&self, stream: TcpStream, timeout: Duration) -> io::Result<ByteStream> {
        bytes(&self.connector.connect(stream, timeout)?)
    }

    fn accepted(&self, stream: TcpStream, timeout: Duration) -> io::Result<ByteStream> {
        let denied = |text| io::Error::new(io::ErrorKind::PermissionDenied, text);
        match self.entrance.accept(stream, timeout)? {
            Accepted::Ready(stream) if stream.is_process() => bytes(&stream),
            Accepted::Ready(_) => Err(denied("it shows no certificate of a process of the cluster")),
            Accepted::InClear(_) => Err(denied("it does not speak TLS")),
        }
    }
}

fn bytes(stream: &Stream) -> io::Result<ByteStream> {
    let control = Arc::new(Control(stream.try_clone()?));
    Ok(ByteStream { reader: Box::new(stream.try_clone()?), writer: Box::new(Waiting(stream.try_clone()?)), control })
}

struct Control(Stream);

impl StreamControl for Control {
    fn finish_writing(&self) {
        // It fails where the connection has ended already.
        let _ = self.0.shutdown(Shutdown::Write);
    }

    fn shut_down(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }

    fn set_timeouts(&self, read: Option<Duration>, write: Option<Duration>) -> io::Result<()> {
        self.0.set_read_timeout(read)?;
        self.0.set_write_timeout(write)
    }
}
