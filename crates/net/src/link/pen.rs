//! What is being written: frames become bytes here, small ones gathered, and go to the stream as it has room.

use super::{Outgoing, Payload, Unsendable};
use crate::{
    frame::{self, FrameKind, HEADER_BYTES},
    stream::StreamWriter,
};
use std::{
    collections::{HashSet, VecDeque},
    io::{self, ErrorKind},
};

/// Bytes that are gathered, at the most, before they are written.
pub(super) const GATHERED: usize = 128 << 10;
/// From this length on, bytes are written from where they are.
const LONG: usize = 32 << 10;
/// Memory that is kept, bytes.
const KEPT: usize = 4 << 20;

/// Bytes that are written as they are.
enum Piece {
    /// Whole frames, and perhaps the header of the next.
    Gathered(Vec<u8>),
    /// A long payload.
    Payload(Vec<u8>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Gathered(bytes) | Piece::Payload(bytes) => bytes,
        }
    }
}

/// Whoever has it writes; see [`super::Link::flush`].
pub(super) struct Pen {
    stream: Box<dyn StreamWriter>,
    /// What was not written yet.
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that were.
    written: usize,
    /// Memory for the next piece.
    spare: Vec<u8>,
    /// Payloads that are written or gathered.
    done_with: Vec<Vec<u8>>,
    /// Channels of which a payload could not be sent: what is queued behind it is dropped.
    failed: HashSet<u32>,
}

impl Pen {
    pub(super) fn new(stream: Box<dyn StreamWriter>) -> Self {
        Pen { stream, pieces: VecDeque::new(), written: 0, spare: Vec::new(), done_with: Vec::new(), failed: HashSet::new() }
    }

    /// Puts a frame behind what is to be written. What is left of a channel of which a frame could not be sent is dropped.
    ///
    /// # Errors
    /// The payload cannot be made, or has more than `limit` bytes: the other side will find the channel broken.
    pub(super) fn append(&mut self, frame: Outgoing, limit: usize) -> Result<(), Unsendable> {
        let Outgoing { kind, channel, payload } = frame;
        let opened_here = !matches!(kind, FrameKind::Credit | FrameKind::Reject);
        if opened_here && self.failed.contains(&channel) {
            return Ok(());
        }
        self.put(kind, channel, payload, limit).or_else(|error| {
            self.failed.insert(channel);
            self.put(FrameKind::Break, channel, Vec::new().into(), limit)?;
            Err(error)
        })
    }

    fn put(&mut self, kind: FrameKind, channel: u32, payload: Payload, limit: usize) -> Result<(), Unsendable> {
        match payload {
            Payload::Bytes(payload) => {
                let header = frame::header(kind, channel, &payload, limit)?;
                let gathered = self.gathered();
                gathered.extend_from_slice(&header);
                if payload.len() >= LONG {
                    self.pieces.push_back(Piece::Payload(payload));
                } else {
                    gathered.extend_from_slice(&payload);
                    if kind == FrameKind::Data {
                        self.done_with.push(payload);
                    }
                }
                Ok(())
            }
            Payload::Made(_, make) => {
                let gathered = self.gathered();
                let start = gathered.len();
                gathered.resize(start + HEADER_BYTES, 0);
                let made = make(gathered).map_err(Unsendable::Payload).and_then(|()| {
                    let (front, payload) = gathered.split_at_mut(start + HEADER_BYTES);
                    front[start..].copy_from_slice(&frame::header(kind, channel, payload, limit)?);
                    Ok(())
                });
                if made.is_err() {
                    gathered.truncate(start);
                }
                made
            }
        }
    }

    /// Where the next small frame goes.
    fn gathered(&mut self) -> &mut Vec<u8> {
        if !matches!(self.pieces.back(), Some(Piece::Gathered(bytes)) if bytes.len() < GATHERED) {
            self.pieces.push_back(Piece::Gathered(std::mem::take(&mut self.spare)));
        }
        match self.pieces.back_mut() {
            Some(Piece::Gathered(bytes)) => bytes,
            _ => unreachable!("it was just put there"),
        }
    }

    /// Writes everything, however long the other side takes to read it.
    ///
    /// # Errors
    /// Those of the stream.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while let Some(piece) = self.pieces.front() {
            self.stream.write_all(&piece.bytes()[self.written..])?;
            self.done();
        }
        self.stream.flush()
    }

    /// Writes what there is room for. Returns whether that is everything.
    ///
    /// # Errors
    /// Those of the stream.
    pub(super) fn try_write(&mut self) -> io::Result<bool> {
        while let Some(piece) = self.pieces.front() {
            let left = &piece.bytes()[self.written..];
            match self.stream.try_write(left) {
                Ok(written) if written < left.len() => self.written += written,
                Ok(_) => self.done(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// The first piece is written.
    fn done(&mut self) {
        self.written = 0;
        match self.pieces.pop_front() {
            Some(Piece::Gathered(mut bytes)) if bytes.capacity() <= KEPT => {
                bytes.clear();
                self.spare = bytes;
            }
            Some(Piece::Payload(payload)) => self.done_with.push(payload),
            _ => {}
        }
    }

    /// Payloads whose memory is needed no more.
    pub(super) fn done_with(&mut self) -> impl Iterator<Item = Vec<u8>> + use<'_> {
        self.done_with.drain(..)
    }

    /// Writes a frame that belongs to no channel, however long it takes.
    ///
    /// # Errors
    /// Those of the stream.
    pub(super) fn say(&mut self, kind: FrameKind, words: &str) -> io::Result<()> {
        self.put(kind, 0, words.as_bytes().to_vec().into(), usize::MAX).map_err(io::Error::other)?;
        self.write()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameReader;
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    /// Takes `room` bytes without waiting, and any number with.
    struct Narrow {
        taken: Arc<Mutex<Vec<u8>>>,
        room: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.taken.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl StreamWriter for Narrow {
        fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room -= taken;
            self.write(&bytes[..taken])
        }
    }

    #[test]
    fn whatever_the_room_the_bytes_are_those_of_the_frames_in_order() {
        let lengths = [0, 1, LONG - 1, LONG, 3, GATHERED, 7, LONG, LONG, 20, LONG - 1, LONG - 1, LONG - 1, LONG - 1, LONG - 1, 5];
        let frames = || {
            lengths.iter().zip(0..).map(|(length, n)| Outgoing {
                kind: FrameKind::Data,
                channel: n,
                payload: vec![n as u8; *length].into(),
            })
        };
        let all: usize = lengths.iter().map(|length| length + frame::HEADER_BYTES).sum();
        for room in (0..all + 5).step_by(997).chain([all - 1, all]) {
            let taken = Arc::new(Mutex::new(Vec::new()));
            let mut pen = Pen::new(Box::new(Narrow { taken: taken.clone(), room }));
            let half = lengths.len() / 2;
            frames().take(half).for_each(|frame| pen.append(frame, usize::MAX).unwrap());
            let early = pen.try_write().unwrap();
            frames().skip(half).for_each(|frame| pen.append(frame, usize::MAX).unwrap());
            assert_eq!(pen.try_write().unwrap(), room >= all, "room for {room} of {all}");
            assert_eq!(taken.lock().unwrap().len(), room.min(all));
            assert!(early || room < all);
            pen.write().unwrap();
            let taken = taken.lock().unwrap();
            let (mut reader, mut source) = (FrameReader::new(usize::MAX), taken.as_slice());
            for expected in frames() {
                let frame = loop {
                    match reader.next_frame().unwrap() {
                        Some(frame) => break (frame.channel, frame.payload.to_vec()),
                        None => assert!(reader.fill(&mut source).unwrap() > 0),
                    }
                };
                assert!(matches!(expected.payload, Payload::Bytes(bytes) if frame.0 == expected.channel && frame.1 == bytes));
            }
        }
    }
}
