//! The receiving end of a channel from another process.

use super::{connection::Connection, element, hub::Hub};
use flott_core::{BoxError, block_pool::BlockPool, exchange::BatchCodec};
use flott_net::{Link, ReceivingChannel};
use flott_runtime::{
    ChannelKey, StreamElement,
    gate::{ChannelListener, ChannelSender},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// Pushes what comes into a channel of a gate, and gives the other side a credit for each batch that the task takes from it.
///
/// Locks are taken in this order: channel, the connection's table, the link. The gate's lock is taken inside of that of the channel;
/// the gate calls here without holding it.
pub(super) struct Incoming {
    pub(super) key: ChannelKey,
    codec: Arc<dyn BatchCodec>,
    pool: Arc<BlockPool>,
    hub: Weak<Hub>,
    state: Mutex<Receiving>,
}

struct Receiving {
    /// The gate's channel; `None` once the channel has ended, whoever ended it.
    channel: Option<ChannelSender>,
    /// `None` until the other side has opened the channel.
    route: Option<Route>,
    gone: bool,
}

struct Route {
    connection: Arc<Connection>,
    link: Link,
    channel: ReceivingChannel,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Incoming {
    pub(super) fn new(key: ChannelKey, codec: Arc<dyn BatchCodec>, hub: &Arc<Hub>, channel: ChannelSender) -> Arc<Self> {
        let state = Receiving { channel: None, route: None, gone: false };
        let incoming = Arc::new(Incoming { key, codec, pool: hub.pool.clone(), hub: Arc::downgrade(hub), state: Mutex::new(state) });
        // The task may be gone already, and this is told at once.
        channel.listen(incoming.clone());
        let mut state = incoming.lock();
        if !state.gone {
            state.channel = Some(channel);
        }
        drop(state);
        incoming
    }

    fn lock(&self) -> MutexGuard<'_, Receiving> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the task that receives is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    /// The other side has opened the channel, which the connection's table knows: lets it send as much as there is room for.
    pub(super) fn connect(&self, connection: &Arc<Connection>, link: &Link, channel: ReceivingChannel) {
        let mut state = self.lock();
        let Some(capacity) = state.channel.as_ref().map(ChannelSender::capacity) else {
            connection.table().receiving.remove(&channel);
            link.reject(channel);
            return;
        };
        state.route = Some(Route { connection: connection.clone(), link: link.clone(), channel });
        // Whoever grants writes, and may find that something else cannot be sent: that needs other locks.
        drop(state);
        link.grant(channel, u32::try_from(capacity).unwrap_or(u32::MAX));
    }

    pub(super) fn batch(&self, payload: &[u8]) {
        self.push(element::batch(payload, &self.codec, &self.pool));
    }

    pub(super) fn control(&self, payload: &[u8]) {
        self.push(element::decode_control(payload));
    }

    fn push(&self, element: Result<StreamElement, BoxError>) {
        match element {
            Ok(element) => {
                if let Some(channel) = &self.lock().channel {
                    // An error says that the task is gone, which the listener hears as well.
                    let _ = channel.push(element);
                }
            }
            Err(error) => self.fail(&format!("what came cannot be decoded: {error}; do all workers run the same program?")),
        }
    }

    /// The other side has ended the channel in good order.
    pub(super) fn close(&self) {
        let channel = Self::end(&mut self.lock());
        if let Some(channel) = channel {
            channel.close();
        }
    }

    /// The other side has dropped the channel, or is not coming: the task finds it broken.
    pub(super) fn drop_it(&self) {
        let channel = Self::end(&mut self.lock());
        drop(channel);
    }

    /// Breaks the channel and tells why.
    pub(super) fn fail(&self, reason: &str) {
        let channel = Self::end(&mut self.lock());
        if channel.is_some()
            && let Some(hub) = self.hub.upgrade()
        {
            hub.report(self.key, self.key.to, reason);
        }
    }

    fn end(state: &mut Receiving) -> Option<ChannelSender> {
        if let Some(route) = state.route.take() {
            route.connection.table().receiving.remove(&route.channel);
            // It does nothing where the other side has ended the channel.
            route.link.reject(route.channel);
        }
        state.channel.take()
    }
}

impl ChannelListener for Incoming {
    fn room(&self, batches: usize) {
        // The other side is told without the lock: what comes in the meantime need not wait.
        let route = self.lock().route.as_ref().map(|route| (route.link.clone(), route.channel));
        if let Some((link, channel)) = route {
            link.grant(channel, u32::try_from(batches).unwrap_or(u32::MAX));
        }
    }

    fn gone(&self) {
        let channel = {
            let mut state = self.lock();
            state.gone = true;
            Self::end(&mut state)
        };
        drop(channel);
        if let Some(hub) = self.hub.upgrade() {
            hub.not_expected(self);
        }
    }
}
