//! One connection to another worker: which of its channels belongs to whom.

use super::{
    hub::{End, Hub},
    incoming::Incoming,
    outgoing::Outgoing,
};
use flott_core::codec;
use flott_net::{Link, LinkError, LinkHandler, ReceivingChannel, SendingChannel, Unsendable};
use flott_runtime::ChannelKey;
use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Hears what happens on a link.
pub(super) struct Connection {
    hub: Arc<Hub>,
    /// Where the other worker can be reached.
    pub(super) address: SocketAddr,
    table: Mutex<Table>,
    me: Weak<Connection>,
}

#[derive(Default)]
pub(super) struct Table {
    pub(super) sending: HashMap<SendingChannel, Arc<Outgoing>>,
    pub(super) receiving: HashMap<ReceivingChannel, Receiver>,
    /// Why the connection has ended.
    pub(super) lost: Option<String>,
}

/// Who receives on a channel.
#[derive(Clone)]
pub(super) enum Receiver {
    /// A task that was not deployed yet.
    Awaited(ChannelKey),
    There(Arc<Incoming>),
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(hub: Arc<Hub>, address: SocketAddr) -> Arc<Self> {
        Arc::new_cyclic(|me| Connection { hub, address, table: Mutex::default(), me: me.clone() })
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sender(&self, channel: SendingChannel) -> Option<Arc<Outgoing>> {
        self.table().sending.get(&channel).cloned()
    }

    fn receiver(&self, link: &Link, channel: ReceivingChannel) -> Option<Arc<Incoming>> {
        let receiver = self.table().receiving.get(&channel).cloned();
        match receiver {
            Some(Receiver::There(incoming)) => Some(incoming),
            Some(Receiver::Awaited(key)) => {
                // No worker of this version does that: it has no credit.
                tracing::warn!(%key, worker = %self.address, "a channel was used before its receiver was there");
                link.reject(channel);
                None
            }
            None => None,
        }
    }

    fn end(&self, channel: ReceivingChannel, end: End) {
        match self.hub.channel_ended(self, channel, &end) {
            Some(Receiver::There(incoming)) => match end {
                End::Closed => incoming.close(),
                End::Broken => incoming.drop_it(),
                End::Lost(reason) => incoming.fail(&reason),
            },
            Some(Receiver::Awaited(_)) | None => {}
        }
    }
}

impl LinkHandler for Connection {
    fn opened(&self, link: &Link, channel: ReceivingChannel, label: &[u8]) {
        match (codec::decode(label), self.me.upgrade()) {
            (Ok(key), Some(me)) => self.hub.channel_opened(&me, link, channel, key),
            (Err(error), _) => {
                tracing::warn!(%error, worker = %self.address, "a channel with a label that cannot be read was rejected");
                link.reject(channel);
            }
            (_, None) => link.reject(channel),
        }
    }

    fn data(&self, link: &Link, channel: ReceivingChannel, payload: &[u8]) {
        if let Some(incoming) = self.receiver(link, channel) {
            incoming.batch(payload);
        }
    }

    fn control(&self, link: &Link, channel: ReceivingChannel, payload: &[u8]) {
        if let Some(incoming) = self.receiver(link, channel) {
            incoming.control(payload);
        }
    }

    fn closed(&self, _: &Link, channel: ReceivingChannel) {
        self.end(channel, End::Closed);
    }

    fn broken(&self, _: &Link, channel: ReceivingChannel) {
        self.end(channel, End::Broken);
    }

    fn credit(&self, _: &Link, channel: SendingChannel, frames: u32) {
        if let Some(outgoing) = self.sender(channel) {
            outgoing.credit(frames);
        }
    }

    fn rejected(&self, _: &Link, channel: SendingChannel) {
        if let Some(outgoing) = self.sender(channel) {
            outgoing.drop_it();
        }
    }

    fn unsendable(&self, _: &Link, channel: SendingChannel, error: &Unsendable) {
        if let Some(outgoing) = self.sender(channel) {
            outgoing.fail(&format!("a batch cannot be sent: {error}"));
        }
    }

    fn written(&self, payload: Vec<u8>) {
        self.hub.pool.put(payload);
    }

    fn lost(&self, link: &Link, reason: &LinkError) {
        let reason = format!("the connection to worker `{}` is lost: {reason}", self.address);
        let table = self.hub.connection_lost(self, link, &reason);
        if !table.sending.is_empty() || !table.receiving.is_empty() {
            let (sending, receiving) = (table.sending.len(), table.receiving.len());
            tracing::warn!(sending, receiving, "{reason}");
        }
        table.sending.into_values().for_each(|outgoing| outgoing.fail(&reason));
        for receiver in table.receiving.into_values() {
            if let Receiver::There(incoming) = receiver {
                incoming.fail(&reason);
            }
        }
    }
}
