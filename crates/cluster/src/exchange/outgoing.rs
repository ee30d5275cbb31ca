//! The sending end of a channel to another process.

use super::{
    connection::Connection,
    element::{self, Encoded},
    hub::Hub,
};
use flott_core::{BoxError, codec, exchange::BatchCodec};
use flott_net::{Link, SendError, SendingChannel};
use flott_runtime::{
    ChannelKey,
    gate::{Admitted, Carrier, GateEvent, InputGate},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// Bytes that are written without waiting for more.
const ENOUGH: usize = 128 << 10;

/// Takes from a local channel what the other side has room for. Runs on whichever thread brings the news: the task that has
/// sent something, or the link's reader with a credit.
///
/// Locks are taken in this order: channel, the connection's table, the link.
pub(super) struct Outgoing {
    pub(super) key: ChannelKey,
    codec: Arc<dyn BatchCodec>,
    hub: Arc<Hub>,
    /// So many batches are written without waiting for more: while the other side takes them, this one gathers the next.
    half: usize,
    state: Mutex<Sending>,
}

struct Sending {
    /// What the task has sent; `None` once the channel has ended, whoever ended it.
    gate: Option<InputGate>,
    /// `None` until there is a connection.
    route: Option<Route>,
    /// Batches that the other side has room for.
    credit: u64,
    /// Batches that may not be written yet.
    gathered: usize,
    /// Whether a receiver is there: before its first credit nothing is sent.
    granted: bool,
}

struct Route {
    connection: Arc<Connection>,
    link: Link,
    channel: SendingChannel,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Outgoing {
    /// `gate` has one channel, which holds `capacity` batches.
    pub(super) fn new(key: ChannelKey, codec: Arc<dyn BatchCodec>, hub: Arc<Hub>, gate: InputGate, capacity: usize) -> Self {
        let state = Sending { gate: Some(gate), route: None, credit: 0, gathered: 0, granted: false };
        Outgoing { key, codec, hub, half: (capacity / 2).max(1), state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, Sending> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is a connection: opens the channel on it.
    pub(super) fn open(self: &Arc<Self>, connection: &Arc<Connection>, link: &Link) {
        let opened = codec::encode(&self.key).map_err(|error| error.to_string()).and_then(|label| {
            let mut state = self.lock();
            if state.gate.is_none() {
                return Ok(());
            }
            // A credit may come before the channel is noted down: it waits for the table.
            let mut table = connection.table();
            if let Some(reason) = &table.lost {
                return Err(reason.clone());
            }
            let channel = link.open(&label).map_err(|error| link.ended().map_or(error.to_string(), |reason| reason.to_string()))?;
            table.sending.insert(channel, self.clone());
            state.route = Some(Route { connection: connection.clone(), link: link.clone(), channel });
            Ok(())
        });
        match opened {
            Ok(()) => self.pump(true),
            Err(reason) => self.fail(&format!("worker `{}`: {reason}", connection.address)),
        }
    }

    /// The other side has room for so many more batches.
    pub(super) fn credit(self: &Arc<Self>, batches: u32) {
        {
            let mut state = self.lock();
            state.credit += u64::from(batches);
            state.granted = true;
        }
        self.pump(true);
    }

    /// Hands on all that may be, and asks to be woken for more. It is written at once with `flush`, or if it is enough.
    fn pump(self: &Arc<Self>, flush: bool) {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        match self.hand_on(&mut cx, flush) {
            Ok(Some(link)) => link.flush(),
            Ok(None) => {}
            Err(reason) => self.fail(&format!("a batch cannot be sent: {reason}")),
        }
    }

    /// As [`Outgoing::pump`] without writing. Returns the link if something is to be written.
    fn hand_on(&self, cx: &mut Context<'_>, flush: bool) -> Result<Option<Link>, BoxError> {
        let state = &mut *self.lock();
        // Without a connection, whatever has happened is looked at when there is one.
        let (Some(gate), Some(route)) = (&mut state.gate, &state.route) else { return Ok(None) };
        let mut queued = 0;
        let end: fn(&Link, SendingChannel) = loop {
            let admitted = match (state.granted, state.credit) {
                (false, _) => Admitted::Nothing,
                (true, 0) => Admitted::Control,
                (true, _) => Admitted::All,
            };
            match gate.poll_admitted(cx, admitted) {
                Poll::Ready(GateEvent::Element(_, element)) => {
                    state.credit -= u64::from(element.is_batch());
                    state.gathered += usize::from(element.is_batch());
                    let sent = match element::encode(element, &self.codec) {
                        Encoded::Batch(payload) => route.link.send(route.channel, payload),
                        Encoded::Control(payload) => route.link.send_control(route.channel, payload),
                    };
                    queued = match sent {
                        Ok(queued) => queued,
                        Err(SendError::Frame(error)) => return Err(error.into()),
                        // The channel has ended; the link is about to say so.
                        Err(_) => return Ok(None),
                    };
                }
                Poll::Ready(GateEvent::Closed(_)) => break Link::close,
                Poll::Ready(GateEvent::Broken(_)) => break Link::break_off,
                Poll::Pending if gate.is_broken(0) => break Link::break_off,
                Poll::Pending => {
                    // Without credit there will not be more, and the other side has yet to get what would bring some.
                    let last = state.credit == 0 && state.gathered > 0;
                    if !(flush || last || queued >= ENOUGH || state.gathered >= self.half) {
                        return Ok(None);
                    }
                    state.gathered = 0;
                    return Ok(Some(route.link.clone()));
                }
            }
        };
        end(&route.link, route.channel);
        Self::end(state);
        Ok(None)
    }

    /// Ends the channel for the task that sends. Returns whether it was there.
    fn end(state: &mut Sending) -> bool {
        if let Some(route) = state.route.take() {
            route.connection.table().sending.remove(&route.channel);
            // It does nothing where the channel has been closed.
            route.link.break_off(route.channel);
        }
        state.gate.take().is_some()
    }

    /// The receiver is gone, or not coming: so is the channel.
    pub(super) fn drop_it(&self) {
        Self::end(&mut self.lock());
    }

    /// As [`Outgoing::drop_it`], if nobody has received anything yet.
    pub(super) fn drop_if_unconnected(&self) {
        let mut state = self.lock();
        if !state.granted {
            Self::end(&mut state);
        }
    }

    /// Breaks the channel and tells why.
    pub(super) fn fail(&self, reason: &str) {
        let was_there = Self::end(&mut self.lock());
        if was_there {
            self.hub.report(self.key, self.key.from, reason);
        }
    }
}

impl Wake for Outgoing {
    fn wake(self: Arc<Self>) {
        self.pump(false);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.pump(false);
    }
}

impl Carrier for Outgoing {
    fn flush(&self) {
        let link = {
            let mut state = self.lock();
            state.gathered = 0;
            state.route.as_ref().map(|route| route.link.clone())
        };
        if let Some(link) = link {
            link.flush();
        }
    }
}
