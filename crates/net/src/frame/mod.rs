//! The unit of what travels on a connection: a header of fixed length and a payload.
//!
//! ```text
//!  0        4         8      9              12         16
//!  ┌────────┬─────────┬──────┬──────────────┬──────────┬─────────┐
//!  │ length │ channel │ kind │ header check │ checksum │ payload │   integers are little-endian
//!  └────────┴─────────┴──────┴──────────────┴──────────┴─────────┘
//! ```
//! `length` is that of the payload. `header check` is the lower three bytes of the CRC-32 of the first nine bytes, so that a
//! damaged length is found before it is waited for. `checksum` is the CRC-32 of the first twelve bytes and the payload.

mod reader;

pub use reader::FrameReader;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 16;

/// What a frame says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// The sender opens a channel; the payload is its label.
    Open = 1,
    /// Something for the channel that costs a credit.
    Data = 2,
    /// Something for the channel that costs no credit.
    Control = 3,
    /// The sender ends the channel in good order.
    Close = 4,
    /// The sender is gone without a word.
    Break = 5,
    /// The receiver has room for so many more frames (four bytes).
    Credit = 6,
    /// The receiver is gone.
    Reject = 7,
    /// The connection ends; the payload says why, as text.
    Goodbye = 8,
    /// Nothing: the sender is alive.
    Ping = 9,
}

impl FrameKind {
    fn of(byte: u8) -> Option<Self> {
        use FrameKind::{Break, Close, Control, Credit, Data, Goodbye, Open, Ping, Reject};
        [Open, Data, Control, Close, Break, Credit, Reject, Goodbye, Ping].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A frame that is whole and undamaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it says.
    pub kind: FrameKind,
    /// The channel; 0 where the kind has none.
    pub channel: u32,
    /// The content.
    pub payload: &'a [u8],
}

/// What the front of some bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// The beginning of a frame.
    Incomplete {
        /// Its whole length, bytes; that of a header if not even that is there.
        needed: usize,
    },
}

/// Bytes that are no frame. Nothing behind them can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The payload is too long.
    #[error("a frame of {length} bytes, more than the {limit} that are allowed")]
    TooLong {
        /// Its length, bytes.
        length: usize,
        /// The bound, bytes.
        limit: usize,
    },
    /// The header is not what was sent.
    #[error("the header of a frame is damaged")]
    Header,
    /// The kind is none that is known.
    #[error("a frame of the unknown kind {0}")]
    Kind(u8),
    /// The payload is not what was sent.
    #[error("a frame of {length} bytes is damaged: its checksum is {found:08x}, not {expected:08x}")]
    Checksum {
        /// Its length, bytes.
        length: usize,
        /// By its content.
        found: u32,
        /// By its header.
        expected: u32,
    },
}

fn header_check(front: &[u8]) -> [u8; 3] {
    let [a, b, c, _] = crc32fast::hash(front).to_le_bytes();
    [a, b, c]
}

fn checksum(front: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(front);
    hasher.update(payload);
    hasher.finalize()
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Looks for a frame at the front of `bytes`, with a payload of at most `limit` bytes.
///
/// # Errors
/// [`FrameError`]: the bytes are damaged, or were never a frame.
pub fn decode(bytes: &[u8], limit: usize) -> Result<Decoded<'_>, FrameError> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Ok(Decoded::Incomplete { needed: HEADER_BYTES });
    };
    if header_check(&header[..9]) != header[9..12] {
        return Err(FrameError::Header);
    }
    let length = number(header, 0) as usize;
    if length > limit {
        return Err(FrameError::TooLong { length, limit });
    }
    let kind = FrameKind::of(header[8]).ok_or(FrameError::Kind(header[8]))?;
    let Some(payload) = rest.get(..length) else {
        return Ok(Decoded::Incomplete { needed: HEADER_BYTES + length });
    };
    let (found, expected) = (checksum(&header[..12], payload), number(header, 12));
    if found != expected {
        return Err(FrameError::Checksum { length, found, expected });
    }
    Ok(Decoded::Frame(Frame { kind, channel: number(header, 4), payload }))
}

/// The header of a frame.
///
/// # Errors
/// [`FrameError::TooLong`] if the payload has more than `limit` bytes, or more than a header can say.
pub fn header(kind: FrameKind, channel: u32, payload: &[u8], limit: usize) -> Result<[u8; HEADER_BYTES], FrameError> {
    let too_long = FrameError::TooLong { length: payload.len(), limit: limit.min(u32::MAX as usize) };
    let length = u32::try_from(payload.len()).ok().filter(|_| payload.len() <= limit).ok_or(too_long)?;
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&length.to_le_bytes());
    header[4..8].copy_from_slice(&channel.to_le_bytes());
    header[8] = kind as u8;
    let check = header_check(&header[..9]);
    header[9..12].copy_from_slice(&check);
    let checksum = checksum(&header[..12], payload);
    header[12..].copy_from_slice(&checksum.to_le_bytes());
    Ok(header)
}

/// Appends a frame.
///
/// # Errors
/// As of [`header`].
pub fn append(buffer: &mut Vec<u8>, kind: FrameKind, channel: u32, payload: &[u8], limit: usize) -> Result<(), FrameError> {
    buffer.extend_from_slice(&header(kind, channel, payload, limit)?);
    buffer.extend_from_slice(payload);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Vec<u8> {
        let mut bytes = Vec::new();
        append(&mut bytes, FrameKind::Data, 0x0102_0304, b"content of a frame", 100).unwrap();
        bytes
    }

    #[test]
    fn a_frame_comes_back_as_it_was_sent() {
        let mut bytes = frame();
        bytes.extend_from_slice(b"the next one");
        let expected = Frame { kind: FrameKind::Data, channel: 0x0102_0304, payload: b"content of a frame" };
        assert_eq!(decode(&bytes, 100), Ok(Decoded::Frame(expected)));
    }

    #[test]
    fn a_frame_that_is_cut_is_waited_for() {
        let bytes = frame();
        for end in 0..bytes.len() {
            let needed = if end < HEADER_BYTES { HEADER_BYTES } else { bytes.len() };
            assert_eq!(decode(&bytes[..end], 100), Ok(Decoded::Incomplete { needed }), "cut at {end}");
        }
    }

    #[test]
    fn every_bit_that_flips_is_found_and_one_in_the_header_at_once() {
        let bytes = frame();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let found = decode(&damaged, usize::MAX).unwrap_err();
            if bit < 12 * 8 {
                assert_eq!(found, FrameError::Header, "bit {bit}");
                assert_eq!(decode(&damaged[..HEADER_BYTES], usize::MAX), Err(FrameError::Header), "bit {bit}");
            } else {
                assert!(matches!(found, FrameError::Checksum { length: 18, .. }), "bit {bit}: {found}");
            }
        }
    }

    #[test]
    fn a_frame_above_the_bound_names_both_lengths_on_either_side() {
        let expected = FrameError::TooLong { length: 18, limit: 17 };
        assert_eq!(decode(&frame()[..HEADER_BYTES], 17), Err(expected.clone()));
        assert_eq!(append(&mut Vec::new(), FrameKind::Data, 0, &[0; 18], 17), Err(expected.clone()));
        assert_eq!(expected.to_string(), "a frame of 18 bytes, more than the 17 that are allowed");
    }

    #[test]
    fn an_unknown_kind_is_refused() {
        let mut bytes = frame();
        bytes[8] = 77;
        let check = header_check(&bytes[..9]);
        bytes[9..12].copy_from_slice(&check);
        assert_eq!(decode(&bytes, 100), Err(FrameError::Kind(77)));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic() {
        let mut state = 1u64;
        for _ in 0..100_000 {
            let bytes: Vec<u8> = (0..state % 40)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            state = state.wrapping_add(1);
            assert!(!matches!(decode(&bytes, 1 << 20), Ok(Decoded::Frame(_))));
        }
    }
}
