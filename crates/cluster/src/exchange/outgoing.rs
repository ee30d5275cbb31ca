//! The sending end of a channel to another process.

use super::{
    connection::Connection,
    element::{self, Encoded},
    hub::Hub,
};
use flott_core::{codec, exchange::BatchCodec};
use flott_net::{Link, SendingChannel};
use flott_runtime::{
    ChannelKey, StreamElement,
    gate::{Admitted, GateEvent, InputGate},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// Takes from a local channel what the other side has room for. Runs on whichever thread brings the news: the task that has
/// sent something, or the link's reader with a credit.
///
/// Locks are taken in this order: channel, the connection's table, the link.
pub(super) struct Outgoing {
    pub(super) key: ChannelKey,
    codec: Arc<dyn BatchCodec>,
    hub: Arc<Hub>,
    state: Mutex<Sending>,
}

struct Sending {
    /// What the task has sent; `None` once the channel has ended, whoever ended it.
    gate: Option<InputGate>,
    /// `None` until there is a connection.
    route: Option<Route>,
    /// Batches that the other side has room for.
    credit: u64,
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
    pub(super) fn new(key: ChannelKey, codec: Arc<dyn BatchCodec>, hub: Arc<Hub>, gate: InputGate) -> Self {
        let state = Sending { gate: Some(gate), route: None, credit: 0, granted: false };
        Outgoing { key, codec, hub, state: Mutex::new(state) }
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
            Ok(()) => self.pump(),
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
        self.pump();
    }

    /// Hands on all that may be, and asks to be woken for more.
    fn pump(self: &Arc<Self>) {
        let waker = Waker::from(self.clone());
        let mut cx = Context::from_waker(&waker);
        let state = &mut *self.lock();
        // Without a connection, whatever has happened is looked at when there is one.
        let (Some(gate), Some(route)) = (&mut state.gate, &state.route) else { return };
        let end: fn(&Link, SendingChannel) = loop {
            let admitted = match (state.granted, state.credit) {
                (false, _) => Admitted::Nothing,
                (true, 0) => Admitted::Control,
                (true, _) => Admitted::All,
            };
            match gate.poll_admitted(&mut cx, admitted) {
                Poll::Ready(GateEvent::Element(_, element)) => {
                    state.credit -= u64::from(matches!(element, StreamElement::Batch(_)));
                    let sent = match element::encode(element, &self.codec) {
                        Encoded::Batch(payload) => route.link.send(route.channel, payload),
                        Encoded::Control(payload) => route.link.send_control(route.channel, payload),
                    };
                    if sent.is_err() {
                        // The channel has ended; the link is about to say so.
                        return;
                    }
                }
                Poll::Ready(GateEvent::Closed(_)) => break Link::close,
                Poll::Ready(GateEvent::Broken(_)) => break Link::break_off,
                Poll::Pending if gate.is_broken(0) => break Link::break_off,
                Poll::Pending => return,
            }
        };
        end(&route.link, route.channel);
        Self::end(state);
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
        self.pump();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.pump();
    }
}
