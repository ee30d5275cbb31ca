//! What joins the two ends of channels: receivers whose sender has not come yet, and channels whose receiver has not.

use super::{
    ChannelFailure, ExchangeSettings, OnFailure,
    connection::{Connection, Receiver, Table},
    incoming::Incoming,
    peers::Peer,
};
use flott_core::{block_pool::BlockPool, exchange::BatchCodec, id::AttemptId, time::SharedClock};
use flott_net::{Link, ReceivingChannel};
use flott_runtime::{ChannelKey, gate::ChannelSender};
use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// Failures that are kept.
const KEPT_FAILURES: usize = 100;

/// How a channel ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    Closed,
    Broken,
    /// The connection is lost: why.
    Lost(String),
}

/// The exchange of a worker, shared by its threads.
///
/// Its lock comes before that of a connection's table; it is never taken while a channel is locked.
pub(super) struct Hub {
    pub(super) settings: ExchangeSettings,
    pub(super) address: OnceLock<SocketAddr>,
    clock: SharedClock,
    on_failure: OnFailure,
    /// Memory of batches on their way.
    pub(super) pool: Arc<BlockPool>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// The newest connection to each worker.
    pub(super) peers: HashMap<SocketAddr, Peer>,
    /// All connections.
    pub(super) links: Vec<(Arc<Connection>, Link)>,
    /// Receivers whose sender has not opened their channel yet.
    expected: HashMap<ChannelKey, Arc<Incoming>>,
    /// Channels whose receiver was not deployed yet.
    awaited: HashMap<ChannelKey, Awaited>,
    failures: VecDeque<ChannelFailure>,
    pub(super) shut_down: bool,
}

struct Awaited {
    connection: Arc<Connection>,
    link: Link,
    channel: ReceivingChannel,
    since: Duration,
    /// What the sender has done in the meantime.
    end: Option<End>,
}

impl Awaited {
    fn reject(&self) {
        self.connection.table().receiving.remove(&self.channel);
        self.link.reject(self.channel);
    }
}

impl Hub {
    pub(super) fn new(settings: ExchangeSettings, clock: SharedClock, on_failure: OnFailure) -> Self {
        Hub { settings, address: OnceLock::new(), clock, on_failure, pool: Arc::default(), state: Mutex::default() }
    }

    /// Where other workers reach this one.
    pub(super) fn set_address(&self, address: SocketAddr) {
        self.address.get_or_init(|| address);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A receiver was deployed.
    pub(super) fn receiving(self: &Arc<Self>, key: ChannelKey, codec: Arc<dyn BatchCodec>, channel: ChannelSender) {
        let incoming = Incoming::new(key, codec, self, channel);
        let (awaited, late) = {
            let mut state = self.lock();
            let late = state.give_up(self.clock.monotonic(), self.settings.waiting_timeout);
            let awaited = state.awaited.remove(&key);
            match &awaited {
                // From here on the link's thread finds the receiver.
                Some(Awaited { end: None, connection, channel, .. }) => {
                    connection.table().receiving.insert(*channel, Receiver::There(incoming.clone()));
                }
                Some(_) => {}
                None => {
                    state.expected.insert(key, incoming.clone());
                }
            }
            (awaited, late)
        };
        self.report_late(&late);
        match awaited {
            Some(Awaited { end: None, connection, link, channel, .. }) => incoming.connect(&connection, &link, channel),
            Some(Awaited { end: Some(End::Closed), .. }) => incoming.close(),
            Some(Awaited { end: Some(End::Broken), .. }) => incoming.drop_it(),
            Some(Awaited { end: Some(End::Lost(reason)), .. }) => incoming.fail(&reason),
            // Its task may have gone before it was noted down.
            None if incoming.is_gone() => self.not_expected(&incoming),
            None => {}
        }
    }

    /// Another worker has opened a channel.
    pub(super) fn channel_opened(&self, connection: &Arc<Connection>, link: &Link, channel: ReceivingChannel, key: ChannelKey) {
        let now = self.clock.monotonic();
        let mut state = self.lock();
        let late = state.give_up(now, self.settings.waiting_timeout);
        let mut refused = None;
        if let Some(incoming) = state.expected.remove(&key) {
            connection.table().receiving.insert(channel, Receiver::There(incoming.clone()));
            drop(state);
            incoming.connect(connection, link, channel);
        } else {
            if state.shut_down {
                refused = Some("the exchange is shut down".to_owned());
            } else if state.awaited.get(&key).is_some_and(|awaited| awaited.end.is_none()) {
                refused = Some("it was opened twice".to_owned());
            } else if state.awaited.len() >= self.settings.max_waiting {
                refused = Some(format!("{} other channels wait already for tasks to be deployed", state.awaited.len()));
            } else {
                connection.table().receiving.insert(channel, Receiver::Awaited(key));
                let awaited = Awaited { connection: connection.clone(), link: link.clone(), channel, since: now, end: None };
                state.awaited.insert(key, awaited);
            }
            drop(state);
        }
        self.report_late(&late);
        if let Some(reason) = refused {
            link.reject(channel);
            self.report(key, key.to, &reason);
        }
    }

    /// Another worker has ended a channel. Returns who has received on it.
    pub(super) fn channel_ended(&self, connection: &Connection, channel: ReceivingChannel, end: &End) -> Option<Receiver> {
        let mut state = self.lock();
        let receiver = connection.table().receiving.remove(&channel);
        if let Some(Receiver::Awaited(key)) = &receiver {
            state.end_awaited(key, connection, end);
        }
        receiver
    }

    /// A connection is lost. Returns the channels that it had.
    pub(super) fn connection_lost(&self, connection: &Connection, link: &Link, reason: &str) -> Table {
        let mut state = self.lock();
        state.links.retain(|(_, other)| other != link);
        let address = connection.address;
        if matches!(state.peers.get(&address), Some(Peer::Connected(current, _)) if std::ptr::eq(current.as_ref(), connection)) {
            state.peers.remove(&address);
        }
        let table = {
            let mut table = connection.table();
            std::mem::replace(&mut *table, Table { lost: Some(reason.to_owned()), ..Table::default() })
        };
        for receiver in table.receiving.values() {
            if let Receiver::Awaited(key) = receiver {
                state.end_awaited(key, connection, &End::Lost(reason.to_owned()));
            }
        }
        table
    }

    /// The task behind a receiver is gone.
    pub(super) fn not_expected(&self, incoming: &Incoming) {
        let mut state = self.lock();
        if state.expected.get(&incoming.key).is_some_and(|other| std::ptr::eq(other.as_ref(), incoming)) {
            state.expected.remove(&incoming.key);
        }
    }

    /// Drops what is left of an attempt's channels that were never connected.
    pub(super) fn forget(&self, attempt: AttemptId) {
        let concerns = |key: &ChannelKey| key.from == attempt || key.to == attempt;
        let (expected, awaited, sending) = {
            let mut state = self.lock();
            let expected: Vec<_> = state.expected.extract_if(|key, _| concerns(key)).collect();
            let awaited: Vec<_> = state.awaited.extract_if(|key, _| concerns(key)).collect();
            let mut sending = Vec::new();
            for peer in state.peers.values() {
                if let Peer::Connecting(waiting) = peer {
                    sending.extend(waiting.iter().cloned());
                }
            }
            for (connection, _) in &state.links {
                sending.extend(connection.table().sending.values().cloned());
            }
            (expected, awaited, sending)
        };
        expected.iter().for_each(|(_, incoming)| incoming.drop_it());
        awaited.iter().for_each(|(_, awaited)| awaited.reject());
        sending.iter().filter(|outgoing| concerns(&outgoing.key)).for_each(|outgoing| outgoing.drop_if_unconnected());
    }

    pub(super) fn failures(&self) -> Vec<ChannelFailure> {
        self.lock().failures.iter().cloned().collect()
    }

    /// A channel could not be kept up; `attempt` is at its end that is here.
    pub(super) fn report(&self, key: ChannelKey, attempt: AttemptId, reason: &str) {
        let failure = ChannelFailure { key, attempt, reason: reason.to_owned() };
        {
            let mut state = self.lock();
            if state.shut_down {
                return;
            }
            if state.failures.len() == KEPT_FAILURES {
                state.failures.pop_front();
            }
            state.failures.push_back(failure.clone());
        }
        tracing::warn!(%failure, "an exchange failed");
        (self.on_failure)(&failure);
    }

    fn report_late(&self, late: &[(ChannelKey, Awaited)]) {
        for (key, awaited) in late {
            awaited.reject();
            if awaited.end.is_none() {
                let reason = format!("its receiver was not deployed within {} ms", self.settings.waiting_timeout.as_millis());
                self.report(*key, key.to, &reason);
            }
        }
    }

    /// Ends all connections.
    pub(super) fn shut_down(&self, timeout: Duration) {
        let (links, expected, _awaited) = {
            let mut state = self.lock();
            state.shut_down = true;
            (state.links.clone(), std::mem::take(&mut state.expected), std::mem::take(&mut state.awaited))
        };
        expected.into_values().for_each(|incoming| incoming.drop_it());
        let deadline = Instant::now() + timeout;
        links.iter().for_each(|(_, link)| link.shut_down());
        for (_, link) in &links {
            if !link.wait_lost(deadline.saturating_duration_since(Instant::now())) {
                link.abort();
            }
        }
    }
}

impl State {
    /// Takes out channels that have waited too long for their receiver.
    fn give_up(&mut self, now: Duration, timeout: Duration) -> Vec<(ChannelKey, Awaited)> {
        self.awaited.extract_if(|_, awaited| now.saturating_sub(awaited.since) > timeout).collect()
    }

    fn end_awaited(&mut self, key: &ChannelKey, connection: &Connection, end: &End) {
        if let Some(awaited) = self.awaited.get_mut(key)
            && std::ptr::eq(awaited.connection.as_ref(), connection)
        {
            awaited.end = Some(end.clone());
        }
    }
}
