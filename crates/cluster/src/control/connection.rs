//! A connection that carries messages: each with its length and a checksum before it, encoded with the names of its fields.

use flott_core::{Error, ErrorKind};
use flott_security::{Connector, Stream};
use rmp_serde::config::BytesMode;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, Read, Write},
    marker::PhantomData,
    net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::Duration,
};

/// The longest message, bytes. State travels in messages only where there is no shared storage for it.
const MAX_MESSAGE_BYTES: u32 = 1 << 30;

/// How long to wait for a process to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there are no more messages.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The other side has ended the connection in good order.
    #[error("the connection was closed")]
    Closed,
    /// The other side is silent, for as long as whoever receives has set.
    #[error("nothing was heard for {} ms", .0.as_millis())]
    Silent(Duration),
    /// The network failed.
    #[error("the connection failed: {0}")]
    Io(io::Error),
    /// What came is whole, but no message that this version knows. The next may be one.
    #[error("received a message that Flott {} does not understand ({reason}): was the other side built with a later version?", env!("CARGO_PKG_VERSION"))]
    NotUnderstood {
        /// What there is in it that is not known.
        reason: String,
        /// The message.
        body: Vec<u8>,
    },
    /// What came is no message.
    #[error("received what is no message: {0}; is the other side a process of Flott?")]
    Malformed(String),
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        ConnectionError::Io(error)
    }
}

impl From<ConnectionError> for Error {
    fn from(error: ConnectionError) -> Self {
        let kind = match &error {
            ConnectionError::Malformed(_) => ErrorKind::Data,
            // It would be the same again.
            ConnectionError::NotUnderstood { .. } => ErrorKind::Invalid,
            // It would be refused again.
            ConnectionError::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => ErrorKind::Invalid,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, error.to_string())
    }
}

/// A message as bytes.
pub(super) fn encode<M: Serialize>(message: &M) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 8];
    let mut serializer = rmp_serde::Serializer::new(&mut frame).with_struct_map().with_bytes(BytesMode::ForceAll);
    message.serialize(&mut serializer).map_err(io::Error::other)?;
    let (head, body) = frame.split_at_mut(8);
    if body.len() > MAX_MESSAGE_BYTES as usize {
        return Err(io::Error::other(format!("a message of {} bytes is longer than {MAX_MESSAGE_BYTES}", body.len())));
    }
    head[..4].copy_from_slice(&(body.len() as u32).to_le_bytes());
    head[4..].copy_from_slice(&flott_storage::block_crc(body).to_le_bytes());
    Ok(frame)
}

/// Sends a message.
pub(crate) fn send<M: Serialize>(mut to: impl Write, message: &M) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}

/// Receives a message. Memory is asked for as bytes come, not as the length promises.
pub(crate) fn receive<M: DeserializeOwned>(from: impl Read) -> Result<M, ConnectionError> {
    receive_up_to(MAX_MESSAGE_BYTES, from)
}

/// As [`receive`], of a message that has no more than `limit` bytes.
pub(crate) fn receive_up_to<M: DeserializeOwned>(limit: u32, mut from: impl Read) -> Result<M, ConnectionError> {
    let mut head = [0; 8];
    read_exact(&mut from, &mut head, true)?;
    let (length, crc) = head.split_at(4);
    let number = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let (length, crc) = (number(length), number(crc));
    if length > limit {
        return Err(ConnectionError::Malformed(format!("a length of {length} bytes")));
    }
    let mut body = Vec::with_capacity(length.min(64 << 10) as usize);
    (&mut from).take(u64::from(length)).read_to_end(&mut body).map_err(of_io)?;
    if body.len() < length as usize {
        return Err(ConnectionError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    if flott_storage::block_crc(&body) != crc {
        return Err(ConnectionError::Malformed("the checksum is wrong".to_owned()));
    }
    decode(&body).map_err(|reason| ConnectionError::NotUnderstood { reason, body })
}

/// A message from its bytes.
///
/// # Errors
/// What there is in it that is not known.
pub(super) fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, String> {
    rmp_serde::from_slice(body).map_err(|error| error.to_string())
}

fn read_exact(mut from: impl Read, into: &mut [u8], may_end: bool) -> Result<(), ConnectionError> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..]) {
            Ok(0) if filled == 0 && may_end => return Err(ConnectionError::Closed),
            Ok(0) => return Err(ConnectionError::Io(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(of_io(error)),
        }
    }
    Ok(())
}

fn of_io(error: io::Error) -> ConnectionError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ConnectionError::Silent(Duration::ZERO),
        _ => ConnectionError::Io(error),
    }
}

/// Connects to `address` (`host:port`) as `connector` does; the first of its addresses that answers. `hint` is what an error says of nobody
/// being there.
///
/// # Errors
/// None does.
pub(crate) fn connect(address: &str, connector: &Connector, hint: &str) -> Result<Stream, Error> {
    let unreachable =
        |error: io::Error| Error::new(ErrorKind::Unavailable, format!("nobody answers at `{address}`{hint}")).with_source(error);
    let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(unreachable)?.collect();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).and_then(|stream| stream.set_nodelay(true).map(|()| stream)) {
            Ok(stream) => return connector.connect(stream, CONNECT_TIMEOUT).map_err(|error| insecure(&address.to_string(), error)),
            Err(error) => last = error,
        }
    }
    Err(unreachable(last))
}

fn insecure(address: &str, error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::PermissionDenied { ErrorKind::Invalid } else { ErrorKind::Unavailable };
    Error::new(kind, format!("no secure connection to `{address}`")).with_source(error)
}

/// The sending side of a connection that may be shared: messages are sent in their order by a thread of its own, so that nobody who
/// has something to say waits for the network. When the last of them is dropped, the connection is closed behind its last message.
#[derive(Debug)]
pub(crate) struct Link<M> {
    messages: mpsc::Sender<M>,
}

impl<M> Clone for Link<M> {
    fn clone(&self) -> Self {
        Link { messages: self.messages.clone() }
    }
}

#[cfg(feature = "stepped")]
impl<M> Link<M> {
    /// To somebody who brings the messages over a connection of another kind.
    pub(crate) fn to(messages: mpsc::Sender<M>) -> Self {
        Link { messages }
    }
}

impl<M: Serialize + Send + 'static> Link<M> {
    /// Starts the thread.
    pub(crate) fn start(stream: Stream) -> io::Result<Self> {
        let (sender, messages) = mpsc::channel::<M>();
        thread::Builder::new().name("flott-link".to_owned()).spawn(move || {
            let mut out = io::BufWriter::with_capacity(64 << 10, &stream);
            while let Ok(message) = messages.recv() {
                let mut result = encode(&message).and_then(|frame| out.write_all(&frame));
                while let (Ok(()), Ok(message)) = (&result, messages.try_recv()) {
                    result = encode(&message).and_then(|frame| out.write_all(&frame));
                }
                if let Err(error) = result.and_then(|()| out.flush()) {
                    // Whoever reads the connection learns that it is over.
                    tracing::debug!(%error, "a connection failed");
                    let _ = stream.shutdown(Shutdown::Both);
                    return;
                }
            }
            let _ = out.flush();
            drop(out);
            let _ = stream.shutdown(Shutdown::Both);
        })?;
        Ok(Link { messages: sender })
    }

    /// Sends a message. Of a connection that is over, the reading side tells.
    pub(crate) fn send(&self, message: M) {
        let _ = self.messages.send(message);
    }
}

/// The receiving side of a connection.
pub(crate) struct Incoming<M> {
    stream: io::BufReader<Stream>,
    silence: Option<Duration>,
    message: PhantomData<fn() -> M>,
}

impl<M: DeserializeOwned> Incoming<M> {
    /// Receives from `stream`; `silence` without any message ends it.
    pub(crate) fn new(stream: Stream, silence: Option<Duration>) -> io::Result<Self> {
        stream.set_read_timeout(silence)?;
        Ok(Incoming { stream: io::BufReader::with_capacity(64 << 10, stream), silence, message: PhantomData })
    }

    /// The next message.
    ///
    /// # Errors
    /// There are no more.
    pub(crate) fn next(&mut self) -> Result<M, ConnectionError> {
        receive(&mut self.stream).map_err(|error| match (error, self.silence) {
            (ConnectionError::Silent(_), Some(silence)) => ConnectionError::Silent(silence),
            (error, _) => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::id::CheckpointId;
    use flott_rpc::control::{ClientReply, ClientRequest, ExecutableId};
    use serde::Deserialize;

    #[test]
    fn messages_survive_the_way_and_every_flipped_bit_is_noticed() {
        let message = ClientRequest::PutExecutable(ExecutableId("ab".repeat(32)), (0..=255).collect());
        let frame = encode(&message).unwrap();
        assert_eq!(receive::<ClientRequest>(frame.as_slice()).unwrap(), message);
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(receive::<ClientRequest>(damaged.as_slice()).is_err(), "bit {bit}");
        }
        for end in 0..frame.len() {
            assert!(receive::<ClientRequest>(&frame[..end]).is_err(), "cut at {end}");
        }
        assert!(matches!(receive::<ClientReply>(&[][..]), Err(ConnectionError::Closed)));
    }

    #[test]
    fn unknown_fields_are_passed_over_and_missing_ones_have_their_default() {
        #[derive(Serialize)]
        struct Newer {
            checkpoint: CheckpointId,
            priority: u8,
        }
        #[derive(Deserialize, PartialEq, Debug)]
        struct Older {
            checkpoint: CheckpointId,
            #[serde(default)]
            reason: String,
        }
        let frame = encode(&Newer { checkpoint: CheckpointId(7), priority: 3 }).unwrap();
        assert_eq!(receive::<Older>(frame.as_slice()).unwrap(), Older { checkpoint: CheckpointId(7), reason: String::new() });
    }

    #[test]
    fn a_length_that_is_a_lie_costs_no_memory() {
        let mut frame = (MAX_MESSAGE_BYTES - 1).to_le_bytes().to_vec();
        frame.extend([0; 100]);
        assert!(matches!(receive::<ClientRequest>(frame.as_slice()), Err(ConnectionError::Io(_))));
        let frame = (MAX_MESSAGE_BYTES + 1).to_le_bytes().repeat(2);
        assert!(matches!(receive::<ClientRequest>(frame.as_slice()), Err(ConnectionError::Malformed(_))));
    }
}
