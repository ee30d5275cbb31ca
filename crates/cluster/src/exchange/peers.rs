//! Connections to other workers: made when the first channel leads there, or accepted.

use super::{connection::Connection, hello::Hello, hub::Hub, outgoing::Outgoing};
use flott_core::exchange::BatchCodec;
use flott_net::{Acceptor, ByteStream, Link, connect_over};
use flott_runtime::{
    ChannelKey,
    gate::{ChannelSender, gate},
};
use std::{net::SocketAddr, sync::Arc, thread};

/// Another worker.
pub(super) enum Peer {
    /// Channels that wait for the connection.
    Connecting(Vec<Arc<Outgoing>>),
    Connected(Arc<Connection>, Link),
}

impl Hub {
    /// The sending end of a channel to the worker at `address`.
    pub(super) fn sending(
        self: &Arc<Self>,
        key: ChannelKey,
        codec: Arc<dyn BatchCodec>,
        capacity: usize,
        address: Option<SocketAddr>,
    ) -> ChannelSender {
        let (gate, mut senders) = gate(1, capacity);
        let sender = senders.remove(0);
        let outgoing = Arc::new(Outgoing::new(key, codec.clone(), self.clone(), gate, capacity));
        match address {
            Some(address) => self.lead(outgoing.clone(), address),
            None => outgoing.fail(&format!("it is not known at which worker {} is", key.to.subtask)),
        }
        let carrier = Arc::downgrade(&outgoing);
        sender.to_process(codec, self.pool.clone(), carrier)
    }

    /// Opens a channel on the connection to `address`, which is made if there is none.
    fn lead(self: &Arc<Self>, outgoing: Arc<Outgoing>, address: SocketAddr) {
        let connected = {
            let mut state = self.lock();
            if state.shut_down {
                return;
            }
            match state.peers.get_mut(&address) {
                Some(Peer::Connecting(waiting)) => {
                    waiting.push(outgoing);
                    return;
                }
                Some(Peer::Connected(connection, link)) if link.ended().is_none() => Some((connection.clone(), link.clone())),
                _ => {
                    state.peers.insert(address, Peer::Connecting(vec![outgoing.clone()]));
                    None
                }
            }
        };
        if let Some((connection, link)) = connected {
            outgoing.open(&connection, &link);
            return;
        }
        let hub = self.clone();
        let spawned = thread::Builder::new().name("flott-connect".to_owned()).spawn(move || hub.connect(address));
        if let Err(error) = spawned {
            self.cannot_connect(address, &format!("cannot start a thread: {error}"));
        }
    }

    /// Connects to a worker and opens the channels that wait for that.
    fn connect(self: &Arc<Self>, address: SocketAddr) {
        let own = *self.address.get().unwrap_or(&self.settings.listen);
        let hello = Hello { job: self.settings.job, token: self.settings.token.clone(), address: own };
        let connected = hello.encode().map_err(|error| error.to_string()).and_then(|hello| {
            let transport = self.settings.transport();
            let (stream, _) =
                connect_over(transport.as_ref(), address, &hello, self.settings.connect_timeout).map_err(|error| error.to_string())?;
            self.start_link(stream, address, true)
        });
        if let Err(reason) = connected {
            self.cannot_connect(address, &reason);
        }
    }

    /// Puts a connection to work. `ours` opens the channels that have waited for it.
    fn start_link(self: &Arc<Self>, stream: ByteStream, address: SocketAddr, ours: bool) -> Result<(), String> {
        let connection = Connection::new(self.clone(), address);
        let link = Link::start(stream, self.settings.link_options(), connection.clone()).map_err(|error| error.to_string())?;
        let waiting = {
            let mut state = self.lock();
            if state.shut_down {
                link.abort();
            }
            // One that is lost already must not be noted down: nobody would take it out again.
            let alive = connection.table().lost.is_none();
            if alive {
                state.links.push((connection.clone(), link.clone()));
            }
            let connecting = matches!(state.peers.get(&address), Some(Peer::Connecting(_)));
            let before = match (connecting, ours, alive) {
                // Both workers connect at the same time: each uses its own connection.
                (true, false, _) => None,
                (true, true, false) => state.peers.remove(&address),
                (false, _, false) => None,
                (_, _, true) => state.peers.insert(address, Peer::Connected(connection.clone(), link.clone())),
            };
            match before {
                Some(Peer::Connecting(waiting)) => waiting,
                Some(Peer::Connected(..)) | None => Vec::new(),
            }
        };
        // If the connection is lost already, this is what its channels are told.
        waiting.iter().for_each(|outgoing| outgoing.open(&connection, &link));
        Ok(())
    }

    fn cannot_connect(&self, address: SocketAddr, reason: &str) {
        let waiting = match self.lock().peers.remove(&address) {
            Some(Peer::Connecting(waiting)) => waiting,
            Some(Peer::Connected(..)) | None => Vec::new(),
        };
        tracing::warn!(worker = %address, reason, "no connection to another worker");
        waiting.iter().for_each(|outgoing| outgoing.fail(reason));
    }
}

/// Lets other workers of the job in.
pub(super) struct Door(pub(super) Arc<Hub>);

impl Acceptor for Door {
    fn welcome(&self, _: SocketAddr, hello: &[u8]) -> Result<Vec<u8>, String> {
        Hello::check(hello, self.0.settings.job, &self.0.settings.token).map(|_| Vec::new())
    }

    fn accepted(&self, from: SocketAddr, hello: Vec<u8>, stream: ByteStream) {
        let started = Hello::check(&hello, self.0.settings.job, &self.0.settings.token)
            .and_then(|hello| self.0.start_link(stream, hello.address, false));
        if let Err(reason) = started {
            tracing::warn!(%from, reason, "no connection with another worker");
        }
    }
}
