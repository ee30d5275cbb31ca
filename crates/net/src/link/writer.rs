//! The writing thread: gathers small frames, and writes when there is enough of them or nothing more at hand.

use super::{Link, LinkError, Outgoing, Payload, Phase, Unsendable};
use crate::frame::{self, FrameKind, HEADER_BYTES};
use std::{
    collections::HashSet,
    io::{self, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::PoisonError,
};

/// Bytes that are gathered, at the most, before they are written.
const GATHERED: usize = 128 << 10;
/// From this length on, bytes are written from where they are.
const LONG: usize = 32 << 10;
/// Memory that is kept, bytes.
const KEPT: usize = 4 << 20;

pub(super) fn run(link: &Link, stream: Box<dyn Write + Send>) {
    let mut writer = Writer { link, stream, buffer: Vec::new(), failed: HashSet::new() };
    let result = catch_unwind(AssertUnwindSafe(|| writer.run()));
    match result {
        Ok(Ok(())) => {}
        Ok(Err(error)) => link.end(LinkError::Io(error.to_string())),
        Err(_) => link.end(LinkError::Panicked),
    }
    link.lock().writer_gone = true;
    link.0.ended.notify_all();
}

/// What the writer is to do next.
enum Next {
    Write(Outgoing),
    Flush,
    Ping,
    Goodbye(String),
    End,
}

struct Writer<'a> {
    link: &'a Link,
    stream: Box<dyn Write + Send>,
    /// Frames that were not written yet.
    buffer: Vec<u8>,
    /// Channels that were broken here because a payload could not be sent: what is queued behind it is dropped.
    failed: HashSet<u32>,
}

impl Writer<'_> {
    fn run(&mut self) -> io::Result<()> {
        loop {
            match self.next() {
                Next::Write(frame) => self.write(frame)?,
                Next::Flush => self.flush()?,
                Next::Ping => self.append(FrameKind::Ping, 0, &[])?,
                Next::Goodbye(words) => {
                    self.append(FrameKind::Goodbye, 0, words.as_bytes())?;
                    self.flush()?;
                    self.link.0.control.finish_writing();
                    return Ok(());
                }
                Next::End => return Ok(()),
            }
        }
    }

    fn next(&self) -> Next {
        let mut state = self.link.lock();
        loop {
            if matches!(state.phase, Phase::Ended(_)) {
                return Next::End;
            }
            if let Some(frame) = state.urgent.pop_front() {
                return Next::Write(frame);
            }
            if let Some(frame) = state.queue.pop_front() {
                return Next::Write(frame);
            }
            if let Phase::Ending(_, words) = &state.phase {
                return Next::Goodbye(words.clone());
            }
            if !self.buffer.is_empty() {
                return Next::Flush;
            }
            state.writer_waits = true;
            let waited = match self.link.0.options.heartbeat {
                None => self.link.0.work.wait(state).map(|state| (state, false)).unwrap_or_else(|poisoned| (poisoned.into_inner(), false)),
                Some(interval) => {
                    let (state, timeout) = self.link.0.work.wait_timeout(state, interval).unwrap_or_else(PoisonError::into_inner);
                    (state, timeout.timed_out())
                }
            };
            state = waited.0;
            state.writer_waits = false;
            let nothing = state.urgent.is_empty() && state.queue.is_empty() && state.phase == Phase::Running;
            if waited.1 && nothing {
                return Next::Ping;
            }
        }
    }

    fn write(&mut self, frame: Outgoing) -> io::Result<()> {
        let Outgoing { kind, channel, payload } = frame;
        let opened_here = !matches!(kind, FrameKind::Credit | FrameKind::Reject);
        if opened_here && self.failed.contains(&channel) {
            return Ok(());
        }
        let limit = self.link.0.options.max_payload;
        let start = self.buffer.len();
        let written = match payload {
            Payload::Bytes(bytes) if bytes.len() >= LONG => match frame::header(kind, channel, &bytes, limit) {
                Ok(header) => {
                    self.buffer.extend_from_slice(&header);
                    self.flush()?;
                    return self.stream.write_all(&bytes);
                }
                Err(error) => Err(error.into()),
            },
            Payload::Bytes(bytes) => frame::append(&mut self.buffer, kind, channel, &bytes, limit).map_err(Unsendable::from),
            Payload::Made(make) => {
                self.buffer.resize(start + HEADER_BYTES, 0);
                make(&mut self.buffer).map_err(Unsendable::Payload).and_then(|()| {
                    let (front, payload) = self.buffer.split_at_mut(start + HEADER_BYTES);
                    front[start..].copy_from_slice(&frame::header(kind, channel, payload, limit)?);
                    Ok(())
                })
            }
        };
        if let Err(error) = written {
            self.buffer.truncate(start);
            self.fail(channel, &error)?;
        }
        if self.buffer.len() >= GATHERED { self.flush() } else { Ok(()) }
    }

    /// Breaks a channel of whose frames one cannot be sent.
    fn fail(&mut self, channel: u32, error: &Unsendable) -> io::Result<()> {
        let channel = super::SendingChannel(channel);
        self.link.lock().channels.end_sending(channel);
        self.failed.insert(channel.0);
        self.append(FrameKind::Break, channel.0, &[])?;
        self.link.0.handler.unsendable(self.link, channel, error);
        Ok(())
    }

    fn append(&mut self, kind: FrameKind, channel: u32, payload: &[u8]) -> io::Result<()> {
        frame::append(&mut self.buffer, kind, channel, payload, usize::MAX).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.write_all(&self.buffer)?;
        self.stream.flush()?;
        self.buffer.clear();
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        Ok(())
    }
}
