//! A connection at work: one thread reads, one writes.
//!
//! Each side opens channels and sends on them; for those that the other side opens it gets calls on its [`LinkHandler`], and
//! grants credits. The two directions number their channels for themselves.

mod channels;
mod error;
mod reader;
mod writer;

pub use channels::Violation;
pub use error::{LinkError, SendError, Unsendable};

use crate::{
    frame::FrameKind,
    stream::{ByteStream, StreamControl},
};
use channels::Channels;
use std::{
    collections::VecDeque,
    error::Error,
    fmt, io,
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
    /// What was to be sent could not be. The other side finds the channel broken; here it is gone.
    fn unsendable(&self, link: &Link, channel: SendingChannel, error: &Unsendable);
    /// The connection has ended, and all its channels with it. Comes once.
    fn lost(&self, link: &Link, reason: &LinkError);
}

type MakePayload = Box<dyn FnOnce(&mut Vec<u8>) -> Result<(), Box<dyn Error + Send + Sync>> + Send>;

/// What a frame carries.
pub enum Payload {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this appends, called by the link's writing thread when its turn has come.
    Made(MakePayload),
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Payload::Made(_) => f.write_str("Made"),
        }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::Bytes(bytes)
    }
}

impl Payload {
    /// What `make` appends, on the link's writing thread.
    pub fn made(make: impl FnOnce(&mut Vec<u8>) -> Result<(), Box<dyn Error + Send + Sync>> + Send + 'static) -> Self {
        Payload::Made(Box::new(make))
    }
}

/// Bytes of a label, at the most.
const MAX_LABEL: usize = 64 << 10;
/// How long a last word may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// A frame to be written.
#[derive(Debug)]
struct Outgoing {
    kind: FrameKind,
    channel: u32,
    payload: Payload,
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
    writer_waits: bool,
    writer_gone: bool,
    lost_told: bool,
}

struct Shared {
    state: Mutex<State>,
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
            writer_waits: false,
            writer_gone: false,
            lost_told: false,
        };
        let shared =
            Shared { state: Mutex::new(state), work: Condvar::new(), ended: Condvar::new(), control: control.clone(), handler, options };
        let link = Link(Arc::new(shared));
        let writing = link.clone();
        let started = thread::Builder::new().name("flott-net-write".to_owned()).spawn(move || writer::run(&writing, writer));
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

    /// Does `act` and queues what it returns; nothing once the link is ending.
    fn queue<R>(&self, urgent: bool, act: impl FnOnce(&mut Channels) -> Result<(R, Outgoing), SendError>) -> Result<R, SendError> {
        let mut state = self.lock();
        if state.phase != Phase::Running {
            return Err(SendError::Ended);
        }
        let (result, frame) = act(&mut state.channels)?;
        if urgent { &mut state.urgent } else { &mut state.queue }.push_back(frame);
        let wake = std::mem::take(&mut state.writer_waits);
        drop(state);
        if wake {
            self.0.work.notify_one();
        }
        Ok(result)
    }

    /// Opens a channel. Nothing but control may be sent on it until the other side grants credits.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn open(&self, label: &[u8]) -> Result<SendingChannel, SendError> {
        if label.len() > MAX_LABEL {
            return Err(SendError::LongLabel(label.len()));
        }
        self.queue(false, |channels| {
            let channel = channels.open()?;
            Ok((channel, Outgoing { kind: FrameKind::Open, channel: channel.0, payload: label.to_vec().into() }))
        })
    }

    /// Sends something that costs a credit. It is queued; what cannot be made or is too long is told to
    /// [`LinkHandler::unsendable`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send(&self, channel: SendingChannel, payload: impl Into<Payload>) -> Result<(), SendError> {
        self.send_as(FrameKind::Data, channel, payload.into())
    }

    /// Sends something that costs no credit, behind everything that was sent before. The sender sees to it that there is not too
    /// much of it.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_control(&self, channel: SendingChannel, payload: impl Into<Payload>) -> Result<(), SendError> {
        self.send_as(FrameKind::Control, channel, payload.into())
    }

    fn send_as(&self, kind: FrameKind, channel: SendingChannel, payload: Payload) -> Result<(), SendError> {
        self.queue(false, |channels| {
            channels.send(channel, kind)?;
            Ok(((), Outgoing { kind, channel: channel.0, payload }))
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
        // An error says that it has ended before.
        let _ = self.queue(false, |channels| match channels.end_sending(channel) {
            true => Ok(((), Outgoing { kind, channel: channel.0, payload: Vec::new().into() })),
            false => Err(SendError::Ended),
        });
    }

    /// Lets the other side send so many more frames on a channel.
    pub fn grant(&self, channel: ReceivingChannel, frames: u32) {
        // An error says that the channel has ended: it needs no credit.
        let _ = self.queue(true, |channels| match frames > 0 && channels.grant(channel, frames) {
            true => Ok(((), Outgoing { kind: FrameKind::Credit, channel: channel.0, payload: frames.to_le_bytes().to_vec().into() })),
            false => Err(SendError::Ended),
        });
    }

    /// Receives no more on a channel: the sender is told, what still comes is dropped.
    pub fn reject(&self, channel: ReceivingChannel) {
        // An error says that it has ended before.
        let _ = self.queue(true, |channels| match channels.reject(channel) {
            true => Ok(((), Outgoing { kind: FrameKind::Reject, channel: channel.0, payload: Vec::new().into() })),
            false => Err(SendError::Ended),
        });
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
            state.queue.clear();
            state.urgent.clear();
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
        state.queue.clear();
        state.urgent.clear();
        drop(state);
        self.0.control.shut_down();
        self.0.work.notify_one();
    }
}

/// After how long without a sign of life the other side is lost.
fn silence(heartbeat: Duration) -> Duration {
    heartbeat * 4
}
