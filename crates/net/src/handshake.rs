//! How a connection begins: each side says what it is before anything else is read.
//!
//! ```text
//!  0           8         10       11       15
//!  ┌───────────┬─────────┬────────┬────────┬───────┬──────────┐
//!  │ FLOTTNET  │ version │ status │ length │ hello │ checksum │   integers are little-endian
//!  └───────────┴─────────┴────────┴────────┴───────┴──────────┘
//! ```
//! The connecting side begins. The accepting side answers with its own hello (status 0), or refuses (status 1) with a text in
//! the place of the hello. This layout is that of all versions; what follows may change from one to the next.

use crate::stream::ByteStream;
use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

/// The version of the protocol behind the handshake.
pub const VERSION: u16 = 1;
/// Bytes of a hello, at the most.
pub const MAX_HELLO: usize = 64 << 10;

const MAGIC: &[u8; 8] = b"FLOTTNET";
const FRONT_BYTES: usize = 15;
const ACCEPTED: u8 = 0;
const REFUSED: u8 = 1;

/// Why a connection did not come about.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection failed, or the other side did not say enough in time.
    #[error("the other side did not introduce itself: {0}")]
    Io(#[from] io::Error),
    /// The other side speaks something else.
    #[error("the other side is no process of Flott: it does not begin as one does")]
    NotFlott,
    /// The other side speaks another version.
    #[error("the other side speaks version {theirs} of the protocol, this one version {VERSION}: run the same release of Flott everywhere")]
    Version {
        /// Its version.
        theirs: u16,
    },
    /// What it said has changed on its way.
    #[error("what the other side introduced itself with is damaged")]
    Damaged,
    /// A hello is too long.
    #[error("a hello of {0} bytes, more than the {MAX_HELLO} that are allowed")]
    TooLong(usize),
    /// The other side refuses this one, or this one the other.
    #[error("refused: {0}")]
    Refused(String),
}

fn encode(status: u8, hello: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    if hello.len() > MAX_HELLO {
        return Err(HandshakeError::TooLong(hello.len()));
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.push(status);
    bytes.extend_from_slice(&(hello.len() as u32).to_le_bytes());
    bytes.extend_from_slice(hello);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    Ok(bytes)
}

/// What one side has said.
#[derive(Debug, PartialEq)]
struct Said {
    version: u16,
    status: u8,
    hello: Vec<u8>,
}

/// Reads what one side says; `read` fills a buffer. Reads nothing that is behind it.
fn read_said(mut read: impl FnMut(&mut [u8]) -> io::Result<()>) -> Result<Said, HandshakeError> {
    let mut bytes = vec![0; FRONT_BYTES];
    let (magic, rest) = bytes.split_at_mut(MAGIC.len());
    read(magic)?;
    if magic != MAGIC {
        return Err(HandshakeError::NotFlott);
    }
    read(rest)?;
    let version = u16::from_le_bytes([rest[0], rest[1]]);
    let status = rest[2];
    let length = u32::from_le_bytes([rest[3], rest[4], rest[5], rest[6]]) as usize;
    if length > MAX_HELLO {
        return Err(HandshakeError::TooLong(length));
    }
    bytes.resize(FRONT_BYTES + length + 4, 0);
    read(&mut bytes[FRONT_BYTES..])?;
    let (content, checksum) = bytes.split_at(FRONT_BYTES + length);
    if crc32fast::hash(content).to_le_bytes() != checksum {
        return Err(HandshakeError::Damaged);
    }
    Ok(Said { version, status, hello: content[FRONT_BYTES..].to_vec() })
}

/// Everything is read before `deadline`, however slowly it drips.
fn read_until(stream: &mut ByteStream, deadline: Instant) -> Result<Said, HandshakeError> {
    let ByteStream { reader, control, .. } = stream;
    read_said(|mut buffer| {
        while !buffer.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no time is left"));
            }
            control.set_timeouts(Some(left), Some(left))?;
            match reader.read(buffer) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ended the connection")),
                Ok(read) => buffer = &mut buffer[read..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })
}

/// The connecting side's part: says `hello`, returns the other side's.
///
/// # Errors
/// [`HandshakeError`].
pub fn greet(stream: &mut ByteStream, hello: &[u8], timeout: Duration) -> Result<Vec<u8>, HandshakeError> {
    let deadline = Instant::now() + timeout;
    stream.control.set_timeouts(Some(timeout), Some(timeout))?;
    stream.writer.write_all(&encode(ACCEPTED, hello)?)?;
    stream.writer.flush()?;
    let said = read_until(stream, deadline)?;
    if said.status != ACCEPTED {
        return Err(HandshakeError::Refused(String::from_utf8_lossy(&said.hello).into_owned()));
    }
    if said.version != VERSION {
        return Err(HandshakeError::Version { theirs: said.version });
    }
    stream.control.set_timeouts(None, None)?;
    Ok(said.hello)
}

/// The accepting side's part: gives the other side's hello to `welcome`, which returns this side's, or refuses with a reason that
/// the other side is told. Returns the other side's hello.
///
/// # Errors
/// [`HandshakeError`].
pub fn answer(
    stream: &mut ByteStream,
    timeout: Duration,
    welcome: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>,
) -> Result<Vec<u8>, HandshakeError> {
    let deadline = Instant::now() + timeout;
    let said = read_until(stream, deadline)?;
    let (reply, result) = if said.version == VERSION {
        match welcome(&said.hello) {
            Ok(hello) => (encode(ACCEPTED, &hello)?, Ok(said.hello)),
            Err(reason) => (encode(REFUSED, cut(&reason).as_bytes())?, Err(HandshakeError::Refused(reason))),
        }
    } else {
        let reason = format!("version {} of the protocol is spoken here, not version {}", VERSION, said.version);
        (encode(REFUSED, reason.as_bytes())?, Err(HandshakeError::Version { theirs: said.version }))
    };
    stream.writer.write_all(&reply)?;
    stream.writer.flush()?;
    stream.control.set_timeouts(None, None)?;
    result
}

/// A reason that fits into a hello.
fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_HELLO)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(mut bytes: &[u8]) -> Result<Said, HandshakeError> {
        read_said(|buffer| bytes.read_exact(buffer))
    }

    #[test]
    fn a_hello_comes_back_and_nothing_behind_it_is_read() {
        let mut bytes = encode(ACCEPTED, b"job 7").unwrap();
        bytes.extend_from_slice(b"more");
        let mut rest = bytes.as_slice();
        let found = read_said(|buffer| rest.read_exact(buffer)).unwrap();
        assert_eq!(found, Said { version: VERSION, status: ACCEPTED, hello: b"job 7".to_vec() });
        assert_eq!(rest, b"more");
    }

    #[test]
    fn a_hello_that_is_cut_or_has_a_flipped_bit_is_refused() {
        let bytes = encode(REFUSED, b"go away").unwrap();
        for end in 0..bytes.len() {
            assert!(said(&bytes[..end]).is_err(), "cut at {end}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(said(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_does_not_begin_as_flott_does_is_refused_by_its_first_bytes() {
        assert!(matches!(said(b"GET / HTTP/1.1"), Err(HandshakeError::NotFlott)));
        assert!(matches!(encode(ACCEPTED, &vec![0; MAX_HELLO + 1]), Err(HandshakeError::TooLong(65537))));
    }
}
