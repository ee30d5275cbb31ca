//! A connection at work: one thread reads; whoever has something to send writes it, and what would have to wait is left to another
//! thread.
//!
//! Each side opens channels and sends on them; for those that the other side opens it gets calls on its [`LinkHandler`], and
//! grants credits. The two directions number their channels for themselves.

mod channels;
mod error;
mod pen;
mod reader;
mod writer;

pub use channels::Violation;
pub use error::{LinkError, SendError, Unsendable};

use crate::{
    frame::{FrameError, FrameKind, HEADER_BYTES},
    stream::{ByteStream, StreamControl},
};
use channels::Channels;
use pen::{GATHERED, Pen};
use std::{
    collections::VecDeque,
    error::Error,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A channel that this side has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SendingChannel(pub(crate) u32);

/// A channel that the other side has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReceivingChannel(pub(crate) u32);

/// Bounds of a link.
#[derive(Debug, Clone, Copy)]
pub struct LinkOptions {
    /// The longest payload that is sent or received, bytes.
    pub max_payload: usize,
    /// How many channels each side may have open.
    pub max_channels: usize,
    /// A sign of life is sent when nothing else was for so long; if nothing comes for four times as long, the connection is lost. Both
    /// sides must agree on whether there is one. `None`: only the operating system tells that the other side is gone.
    pub heartbeat: Option<Duration>,
}

impl Default for LinkOptions {
    fn default() -> Self {
        LinkOptions { max_payload: 1 << 30, max_channels: 1 << 20, heartbeat: Some(Duration::from_secs(5)) }
    }
}

/// Hears what happens on a link. Called by the link's own threads, which go on when it returns: it must not wait for the link.
/// Calls about one channel come in the order in which things were sent. After [`LinkHandler::lost`] nothing comes but perhaps a last
/// [`LinkHandler::unsendable`].
pub trait LinkHandler: Send + Sync {
    /// The other side has opened a channel. It has no credit.
    fn opened(&self, link: &Link, channel: ReceivingChannel, label: &[u8]);
    /// Something that has cost a credit.
    fn data(&self, link: &Link, channel: ReceivingChannel, payload: &[u8]);
    /// Something that has cost no credit.
    fn control(&self, link: &Link, channel: ReceivingChannel, payload: &[u8]);
    /// The other side has ended a channel in good order.
    fn closed(&self, link: &Link, channel: ReceivingChannel);
    /// The other side has dropped a channel without a word.
    fn broken(&self, link: &Link, channel: ReceivingChannel);
    /// The other side has room for so many more.
    fn credit(&self, link: &Link, channel: SendingChannel, frames: u32);
    /// The other side receives no more. The channel is gone.
    fn rejected(&self, link: &Link, channel: SendingChannel);
    /// What was to be sent could not be. The other side finds the channel broken; here it is gone. Called by whoever has flushed.
    fn unsendable(&self, link: &Link, channel: SendingChannel, error: &Unsendable);
    /// What a frame of data has held was written: its memory may be used again. Called by whoever has flushed.
    fn written(&self, payload: Vec<u8>) {
        drop(payload);
    }
    /// The connection has ended, and all its channels with it. Comes once.
    fn lost(&self, link: &Link, reason: &LinkError);
}

type MakePayload = Box<dyn FnOnce(&mut Vec<u8>) -> Result<(), Box<dyn Error + Send + Sync>> + Send>;

/// What a frame carries.
pub enum Payload {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this appends when its turn has come, called by whoever has flushed. There are about so many bytes of it.
    Made(usize, MakePayload),
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Payload::Made(..) => f.write_str("Made"),
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::Bytes(bytes)
    }
}

impl Payload {
    /// About `bytes` bytes that `make` appends: for what is so long that it is not kept as bytes until it is written.
    pub fn made(bytes: usize, make: impl FnOnce(&mut Vec<u8>) -> Result<(), Box<dyn Error + Send + Sync>> + Send + 'static) -> Self {
        Payload::Made(bytes, Box::new(make))
    }

    fn len(&self) -> usize {
        match self {
            Payload::Bytes(bytes) => bytes.len(),
            Payload::Made(bytes, _) => *bytes,
        }
    }
}

/// Bytes of a label, at the most.
const MAX_LABEL: usize = 64 << 10;
/// How often whoever flushes goes on with what is left, or was queued by others meanwhile, before it leaves that to the thread.
const MAX_TURNS: u32 = 4;
/// How long a last word may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// A frame to be written.
#[derive(Debug)]
struct Outgoing {
    kind: FrameKind,
    channel: u32,
    payload: Payload,
}

impl Outgoing {
    /// About as many bytes as it takes.
    fn len(&self) -> usize {
        HEADER_BYTES + self.payload.len()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Running,
    /// What is queued is written, then this last word.
    Ending(LinkError, String),
    Ended(LinkError),
}

#[derive(Debug)]
struct State {
    channels: Channels,
    phase: Phase,
    /// Credits and rejections: they have no order with anything else, and others wait for them.
    urgent: VecDeque<Outgoing>,
    queue: VecDeque<Outgoing>,
    /// About as many bytes as are in `queue`.
    queued: usize,
    /// What is queued is to be written now.
    due: bool,
    /// Somebody has the pen.
    writing: bool,
    /// Whoever had the pen has left it to the thread.
    handed_over: bool,
    /// Something was queued since the thread looked last.
    used: bool,
    /// The thread sleeps until it is woken: whoever queues something does.
    resting: bool,
    writer_gone: bool,
    lost_told: bool,
}

impl State {
    fn drop_queued(&mut self) {
        self.queue.clear();
        self.urgent.clear();
        self.queued = 0;
    }
}

struct Shared {
    state: Mutex<State>,
    /// Locked by whoever has set [`State::writing`], and by no other.
    pen: Mutex<Pen>,
    /// What the writing thread waits for.
    work: Condvar,
    ended: Condvar,
    control: Arc<dyn StreamControl>,
    handler: Arc<dyn LinkHandler>,
    options: LinkOptions,
}

/// One side of a connection. Dropping it does not end the connection: its threads hold it, too.
#[derive(Clone)]
pub struct Link(Arc<Shared>);

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("phase", &self.lock().phase).finish_non_exhaustive()
    }
}

impl PartialEq for Link {
    /// Whether both are the same connection.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Link {
    /// Puts a connection to work, after its handshake.
    ///
    /// # Errors
    /// The operating system refuses a thread or a timeout.
    pub fn start(stream: ByteStream, options: LinkOptions, handler: Arc<dyn LinkHandler>) -> io::Result<Self> {
        let ByteStream { reader, writer, control } = stream;
        control.set_timeouts(options.heartbeat.map(silence), None)?;
        let state = State {
            channels: Channels::new(options.max_channels),
            phase: Phase::Running,
            urgent: VecDeque::new(),
            queue: VecDeque::new(),
            queued: 0,
            due: false,
            writing: false,
            handed_over: false,
            used: false,
            resting: false,
            writer_gone: false,
            lost_told: false,
        };
        let shared = Shared {
            state: Mutex::new(state),
            pen: Mutex::new(Pen::new(writer)),
            work: Condvar::new(),
            ended: Condvar::new(),
            control: control.clone(),
            handler,
            options,
        };
        let link = Link(Arc::new(shared));
        let writing = link.clone();
        let started = thread::Builder::new().name("flott-net-write".to_owned()).spawn(move || writer::run(&writing));
        let reading = link.clone();
        let started =
            started.and_then(|_| thread::Builder::new().name("flott-net-read".to_owned()).spawn(move || reader::run(&reading, reader)));
        if let Err(error) = started {
            link.end(LinkError::Io(error.to_string()));
            return Err(error);
        }
        Ok(link)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pen(&self) -> MutexGuard<'_, Pen> {
        self.0.pen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `act` and queues what it returns; nothing once the link is ending. Returns how many bytes are queued.
    fn queue(&self, urgent: bool, act: impl FnOnce(&mut Channels) -> Result<Outgoing, SendError>) -> Result<usize, SendError> {
        let mut state = self.lock();
        if state.phase != Phase::Running {
            return Err(SendError::Ended);
        }
        let frame = act(&mut state.channels)?;
        if urgent {
            state.urgent.push_back(frame);
        } else {
            state.queued += frame.len();
            state.queue.push_back(frame);
        }
        state.used = true;
        let (queued, wake) = (state.queued, std::mem::take(&mut state.resting));
        drop(state);
        if wake {
            self.0.work.notify_one();
        }
        Ok(queued)
    }

    /// Lets the thread write what is queued.
    fn hurry(&self) {
        let mut state = self.lock();
        state.due = true;
        let wake = !state.writing;
        drop(state);
        if wake {
            self.0.work.notify_one();
        }
    }

    /// Writes what is queued, as far as the connection takes it without a wait; a thread of the link does the rest. Never blocks.
    ///
    /// A frame is written when somebody flushes: so frames go out together, and no other thread has to be woken for them. If nobody does
    /// within some milliseconds, the thread writes it.
    pub fn flush(&self) {
        {
            let mut state = self.lock();
            if state.urgent.is_empty() && state.queue.is_empty() || matches!(state.phase, Phase::Ended(_)) {
                return;
            }
            state.due = true;
            if state.writing {
                // Whoever writes looks again before it lays down the pen.
                return;
            }
            state.writing = true;
        }
        // As on the link's own threads: whoever flushes goes on, and the connection does not stay half written.
        if catch_unwind(AssertUnwindSafe(|| self.write_due())).is_err() {
            // The pen stays taken: nothing may follow what is half written.
            self.end(LinkError::Panicked);
        }
    }

    /// Writes what is due, with the pen that was just taken, and lays it down or leaves it to the thread.
    fn write_due(&self) {
        let mut pen = self.pen();
        let mut turns = 0;
        while let Some(frames) = self.take_due() {
            turns += 1;
            self.append(&mut pen, frames);
            let written = pen.try_write();
            self.give_back(&mut pen);
            match written {
                // Who flushes may have other things to do than to write for everybody.
                Ok(true) if turns < MAX_TURNS => {}
                Ok(_) => {
                    self.lock().handed_over = true;
                    self.0.work.notify_one();
                    return;
                }
                Err(error) => {
                    self.end(LinkError::Io(error.to_string()));
                    return;
                }
            }
        }
    }

    /// Puts frames behind what is to be written, and breaks channels of whose frames one cannot be sent.
    fn append(&self, pen: &mut Pen, frames: impl IntoIterator<Item = Outgoing>) {
        for frame in frames {
            let channel = SendingChannel(frame.channel);
            if let Err(error) = pen.append(frame, self.0.options.max_payload) {
                self.lock().channels.end_sending(channel);
                self.0.handler.unsendable(self, channel, &error);
            }
        }
    }

    /// Lets memory be used again.
    fn give_back(&self, pen: &mut Pen) {
        pen.done_with().for_each(|payload| self.0.handler.written(payload));
    }

    /// What is to be written next, by whoever has the pen: about as much as is gathered; `None` if the pen has been laid down.
    fn take_due(&self) -> Option<Vec<Outgoing>> {
        let mut state = self.lock();
        if !state.due || matches!(state.phase, Phase::Ended(_)) {
            self.laid_down(state);
            return None;
        }
        let mut frames: Vec<Outgoing> = state.urgent.drain(..).collect();
        let mut bytes = 0;
        while bytes < GATHERED
            && let Some(frame) = state.queue.pop_front()
        {
            bytes += frame.len();
            frames.push(frame);
        }
        state.queued -= bytes;
        state.due = !state.queue.is_empty();
        Some(frames)
    }

    fn lay_down(&self) {
        self.laid_down(self.lock());
    }

    fn laid_down(&self, mut state: MutexGuard<'_, State>) {
        state.writing = false;
        let wake = state.due || state.phase != Phase::Running;
        drop(state);
        if wake {
            self.0.work.notify_one();
        }
    }

    /// Opens a channel. Nothing but control may be sent on it until the other side grants credits.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn open(&self, label: &[u8]) -> Result<SendingChannel, SendError> {
        if label.len() > MAX_LABEL {
            return Err(SendError::LongLabel(label.len()));
        }
        let mut opened = SendingChannel(0);
        self.queue(false, |channels| {
            opened = channels.open()?;
            Ok(Outgoing { kind: FrameKind::Open, channel: opened.0, payload: label.to_vec().into() })
        })?;
        self.hurry();
        Ok(opened)
    }

    /// Queues something that costs a credit, to be written with the next [`Link::flush`]. Returns how many bytes are queued.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&self, channel: SendingChannel, payload: impl Into<Payload>) -> Result<usize, SendError> {
        self.send_as(FrameKind::Data, channel, payload.into())
    }

    /// Queues something that costs no credit, behind everything that was sent before, to be written with the next [`Link::flush`]. The
    /// sender sees to it that there is not too much of it. Returns how many bytes are queued.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_control(&self, channel: SendingChannel, payload: impl Into<Payload>) -> Result<usize, SendError> {
        self.send_as(FrameKind::Control, channel, payload.into())
    }

    fn send_as(&self, kind: FrameKind, channel: SendingChannel, payload: Payload) -> Result<usize, SendError> {
        let (length, limit) = (payload.len(), self.0.options.max_payload.min(u32::MAX as usize));
        if matches!(payload, Payload::Bytes(_)) && length > limit {
            return Err(FrameError::TooLong { length, limit }.into());
        }
        self.queue(false, |channels| {
            channels.send(channel, kind)?;
            Ok(Outgoing { kind, channel: channel.0, payload })
        })
    }

    /// Ends a channel in good order, behind everything that was sent. One that has ended already stays as it is.
    pub fn close(&self, channel: SendingChannel) {
        self.end_channel(channel, FrameKind::Close);
    }

    /// Drops a channel: the other side finds it broken.
    pub fn break_off(&self, channel: SendingChannel) {
        self.end_channel(channel, FrameKind::Break);
    }

    fn end_channel(&self, channel: SendingChannel, kind: FrameKind) {
        let queued = self.queue(false, |channels| match channels.end_sending(channel) {
            true => Ok(Outgoing { kind, channel: channel.0, payload: Vec::new().into() }),
            false => Err(SendError::Ended),
        });
        // An error says that it has ended before.
        if queued.is_ok() {
            self.hurry();
        }
    }

    /// Lets the other side send so many more frames on a channel. It is told at once, if the connection takes it.
    pub fn grant(&self, channel: ReceivingChannel, frames: u32) {
        let queued = self.queue(true, |channels| match frames > 0 && channels.grant(channel, frames) {
            true => Ok(Outgoing { kind: FrameKind::Credit, channel: channel.0, payload: frames.to_le_bytes().to_vec().into() }),
            false => Err(SendError::Ended),
        });
        // An error says that the channel has ended: it needs no credit.
        if queued.is_ok() {
            self.flush();
        }
    }

    /// Receives no more on a channel: the sender is told, what still comes is dropped.
    pub fn reject(&self, channel: ReceivingChannel) {
        let queued = self.queue(true, |channels| match channels.reject(channel) {
            true => Ok(Outgoing { kind: FrameKind::Reject, channel: channel.0, payload: Vec::new().into() }),
            false => Err(SendError::Ended),
        });
        // An error says that it has ended before.
        if queued.is_ok() {
            self.hurry();
        }
    }

    /// Ends the connection behind everything that was sent. Returns at once; see [`Link::wait_lost`].
    pub fn shut_down(&self) {
        self.say_goodbye(LinkError::ShutDown, "it was shut down", false);
    }

    /// Ends the connection at once.
    pub fn abort(&self) {
        self.end(LinkError::ShutDown);
    }

    /// Why the link has ended or is ending; `None` while it works.
    pub fn ended(&self) -> Option<LinkError> {
        match &self.lock().phase {
            Phase::Running => None,
            Phase::Ending(reason, _) | Phase::Ended(reason) => Some(reason.clone()),
        }
    }

    /// Waits until [`LinkHandler::lost`] has returned. Returns whether it has within `timeout`.
    pub fn wait_lost(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        while !state.lost_told {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Lets the writer say `words` and then end; with `at_once`, without what is queued.
    fn say_goodbye(&self, reason: LinkError, words: &str, at_once: bool) {
        let mut state = self.lock();
        if state.phase == Phase::Running {
            state.phase = Phase::Ending(reason, words.to_owned());
        }
        if at_once {
            state.drop_queued();
        }
        drop(state);
        self.0.work.notify_one();
    }

    /// Ends everything. The first reason stays.
    fn end(&self, reason: LinkError) {
        let mut state = self.lock();
        let reason = match &state.phase {
            Phase::Running => reason,
            Phase::Ending(first, _) | Phase::Ended(first) => first.clone(),
        };
        state.phase = Phase::Ended(reason);
        state.drop_queued();
        drop(state);
        self.0.control.shut_down();
        self.0.work.notify_one();
    }
}

/// After how long without a sign of life the other side is lost.
fn silence(heartbeat: Duration) -> Duration {
    heartbeat * 4
}
