//! Cuts a stream of bytes into frames.

use super::{Decoded, Frame, FrameError, HEADER_BYTES, decode};
use std::io::{self, Read};

/// Bytes that are read at once where the length of a frame is not known yet.
const FIRST_READ: usize = 64 << 10;
/// Memory that is kept when nothing is in it, bytes.
const KEPT: usize = 4 << 20;

/// The frames of a stream. Its memory grows with what has come, never with what a header announces.
#[derive(Debug)]
pub struct FrameReader {
    /// What was read is at `start..end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    limit: usize,
    /// The whole length of the frame at the front, as far as it is known.
    needed: usize,
}

impl FrameReader {
    /// For frames with payloads of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        FrameReader { buffer: Vec::new(), start: 0, end: 0, limit, needed: HEADER_BYTES }
    }

    /// The next frame of what was read; `None` if it is not whole yet.
    ///
    /// # Errors
    /// [`FrameError`]; nothing more can be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        match decode(&self.buffer[self.start..self.end], self.limit)? {
            Decoded::Frame(frame) => {
                self.start += HEADER_BYTES + frame.payload.len();
                Ok(Some(frame))
            }
            Decoded::Incomplete { needed } => {
                self.needed = needed;
                Ok(None)
            }
        }
    }

    /// Whether there is a part of a frame.
    pub fn is_cut(&self) -> bool {
        self.start < self.end
    }

    /// Reads more, after [`FrameReader::next_frame`] has returned `None`. Returns the number of bytes; 0 at the end of the stream.
    ///
    /// # Errors
    /// Those of `source`.
    pub fn fill(&mut self, source: &mut (impl Read + ?Sized)) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == 0 && self.buffer.len() > KEPT {
            self.buffer = Vec::new();
        }
        // A long frame is read up to its end and no further, so that the next one lies at the front without being moved.
        let wanted = self.needed.max(FIRST_READ).min(FIRST_READ.max(2 * self.end));
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let until = if self.needed > FIRST_READ { self.needed.min(self.buffer.len()) } else { FIRST_READ };
        let read = source.read(&mut self.buffer[self.end..until])?;
        self.end += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameKind, append, header};

    /// Gives at most `step` bytes a call.
    struct Slow<'a> {
        bytes: &'a [u8],
        step: usize,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.step.min(buffer.len());
            self.bytes.take(step as u64).read(buffer).inspect(|read| self.bytes = &self.bytes[*read..])
        }
    }

    #[test]
    fn frames_of_all_lengths_come_back_however_the_bytes_are_cut() {
        let lengths = [0, 1, 100, FIRST_READ - HEADER_BYTES, FIRST_READ, 300_000, 5, 200_000, 7, 0];
        let mut bytes = Vec::new();
        for (channel, length) in lengths.iter().enumerate() {
            append(&mut bytes, FrameKind::Data, channel as u32, &vec![channel as u8; *length], usize::MAX).unwrap();
        }
        for step in [7, 1000, FIRST_READ + 1, usize::MAX] {
            let mut source = Slow { bytes: &bytes, step };
            let mut reader = FrameReader::new(1 << 20);
            let mut found = Vec::new();
            loop {
                while let Some(frame) = reader.next_frame().unwrap() {
                    assert!(frame.payload.iter().all(|byte| *byte == frame.channel as u8));
                    found.push(frame.payload.len());
                }
                if reader.fill(&mut source).unwrap() == 0 {
                    break;
                }
            }
            assert_eq!((found.as_slice(), reader.is_cut()), (lengths.as_slice(), false), "step {step}");
        }
    }

    #[test]
    fn a_length_that_is_only_claimed_takes_no_memory() {
        let payload = vec![0; 100 << 20];
        let header = header(FrameKind::Data, 0, &payload, usize::MAX).unwrap();
        let bytes = [&header[..], &payload[..100_000]].concat();
        let mut reader = FrameReader::new(usize::MAX);
        let mut source = bytes.as_slice();
        loop {
            assert_eq!(reader.next_frame(), Ok(None));
            if reader.fill(&mut source).unwrap() == 0 {
                break;
            }
        }
        assert!(reader.is_cut());
        assert!(reader.buffer.len() <= 4 * bytes.len(), "{} bytes for {}", reader.buffer.len(), bytes.len());
    }
}
