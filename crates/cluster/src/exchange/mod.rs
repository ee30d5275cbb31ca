//! Exchanges between processes: channels of a job whose two ends are in different workers.
//!
//! ```text
//!  task ─▶ channel ─▶ Outgoing ─▶ Link ═══ one connection ═══▶ Link ─▶ Incoming ─▶ channel of the gate ─▶ task
//!                        ▲                                               │
//!                        └────────────── credits ────────────────────────┘   as the task takes batches
//! ```
//! `Outgoing` is the receiver of a channel of its own and takes from it what the other side has room for; the link's writing
//! thread encodes. `Incoming` decodes on the link's reading thread and pushes into the gate. Nothing of this waits for anything: a
//! channel that nobody empties holds back its sender and no other. A connection to a process is made when the first channel
//! leads there, and shared by all of the job.

mod connection;
mod element;
mod encrypted;
mod hello;
mod hub;
mod incoming;
mod outgoing;
mod peers;

pub(crate) use element::{batch, decode_control};
pub use encrypted::Encrypted;
use flott_core::{
    Error, ErrorKind,
    exchange::BatchCodec,
    id::{AttemptId, JobId, SubtaskId},
    time::SharedClock,
};
use flott_net::{Clear, LinkOptions, Listener, Transport};
use flott_runtime::{ChannelKey, RemoteChannels, gate::ChannelSender};
use flott_security::{Connector, Entrance, refuse_listen};
use hub::Hub;
use peers::Door;
use std::{
    collections::BTreeMap,
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

/// The longest encoding of a batch, bytes.
const MAX_BATCH: usize = 1 << 30;

/// How a worker takes part in the exchanges of a job.
#[derive(Clone)]
pub struct ExchangeSettings {
    /// The job: others are turned away.
    pub job: JobId,
    /// The secret that all workers of the job share: who does not know it is turned away.
    pub token: Vec<u8>,
    /// Where to listen; with port 0, at a free one.
    pub listen: SocketAddr,
    /// Where other workers reach this one, if that is not where it listens.
    pub advertised: Option<SocketAddr>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a channel of another worker may wait for its receiver to be deployed here.
    pub waiting_timeout: Duration,
    /// How many channels may wait so.
    pub max_waiting: usize,
    /// A worker that is silent for four times as long is lost. The same for all workers of the job.
    pub heartbeat: Duration,
    /// How workers reach each other; `None`: in clear, and on loopback addresses alone.
    pub transport: Option<Arc<Encrypted>>,
}

impl ExchangeSettings {
    /// Of a worker that listens at `listen`.
    pub fn new(job: JobId, token: Vec<u8>, listen: SocketAddr) -> Self {
        ExchangeSettings {
            job,
            token,
            listen,
            advertised: None,
            connect_timeout: Duration::from_secs(10),
            waiting_timeout: Duration::from_secs(60),
            max_waiting: 1 << 16,
            heartbeat: Duration::from_secs(5),
            transport: None,
        }
    }

    fn transport(&self) -> Arc<dyn Transport> {
        match &self.transport {
            Some(encrypted) => encrypted.clone(),
            None => Arc::new(Clear),
        }
    }

    fn link_options(&self) -> LinkOptions {
        LinkOptions { max_payload: MAX_BATCH, heartbeat: Some(self.heartbeat), ..LinkOptions::default() }
    }
}

/// How a process that connects as `security` does reaches other workers.
///
/// # Errors
/// It has no certificate.
pub(crate) fn transport(security: &Connector) -> Result<Option<Arc<Encrypted>>, Error> {
    let Some(material) = security.material() else { return Ok(None) };
    Ok(Some(Arc::new(Encrypted::new(security.clone(), Entrance::of_processes(material)?))))
}

/// Refuses to take records on a host that other machines reach, unless they are encrypted.
///
/// # Errors
/// The setting that is missing.
pub(crate) fn check_host(host: &str, encrypted: bool) -> Result<(), Error> {
    let unusable = |error| Error::invalid(format!("`taskmanager.bind-host` is `{host}`, which is no host")).with_source(error);
    (host, 0).to_socket_addrs().map_err(unusable)?.try_for_each(|address| check_address(address, encrypted))
}

fn check_address(address: SocketAddr, encrypted: bool) -> Result<(), Error> {
    let missing = if encrypted { &[][..] } else { &["security.ssl.internal.enabled"] };
    refuse_listen(address, "taskmanager.bind-host", missing)
}

impl fmt::Debug for ExchangeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is nobody's business.
        f.debug_struct("ExchangeSettings").field("job", &self.job).field("listen", &self.listen).finish_non_exhaustive()
    }
}

/// A channel that the exchange could not keep up. The tasks at its ends find it broken and wait to be cancelled; none of them
/// fails by itself, so whoever hears of this must take the attempt for failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFailure {
    /// The channel.
    pub key: ChannelKey,
    /// The attempt at the end that is here.
    pub attempt: AttemptId,
    /// What happened.
    pub reason: String,
}

impl fmt::Display for ChannelFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.reason)
    }
}

/// Hears of failures. Called by threads of the exchange; it must not wait for the exchange.
pub type OnFailure = Arc<dyn Fn(&ChannelFailure) + Send + Sync>;

/// A worker's end of all exchanges of a job with other processes. Dropping it ends the connections at once.
pub struct NetworkExchange {
    hub: Arc<Hub>,
    /// Dropped first, so that nobody connects any more.
    listener: Option<Listener>,
    address: SocketAddr,
}

impl fmt::Debug for NetworkExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkExchange").field("address", &self.address).finish_non_exhaustive()
    }
}

impl NetworkExchange {
    /// Starts to listen.
    ///
    /// # Errors
    /// The address cannot be used, or there are too many threads.
    pub fn start(settings: ExchangeSettings, clock: SharedClock, on_failure: OnFailure) -> Result<Self, Error> {
        let (listen, advertised) = (settings.listen, settings.advertised);
        check_address(listen, settings.transport.is_some())?;
        let transport = settings.transport();
        let hub = Arc::new(Hub::new(settings, clock, on_failure));
        let listener = Listener::bind_over(transport, listen, Arc::new(Door(hub.clone()))).map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("cannot listen at `{listen}` for other workers")).with_source(error)
        })?;
        let address = advertised.unwrap_or(listener.local_addr());
        hub.set_address(address);
        Ok(NetworkExchange { hub, listener: Some(listener), address })
    }

    /// Where other workers reach this one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For the wiring of a deployment: `peers` says at which worker each subtask is that runs elsewhere.
    pub fn channels<'a>(&'a self, peers: &'a BTreeMap<SubtaskId, SocketAddr>) -> DeploymentChannels<'a> {
        DeploymentChannels { exchange: self, peers }
    }

    /// Drops what is left of channels of an attempt that were never connected: their other end is not coming.
    pub fn forget(&self, attempt: AttemptId) {
        self.hub.forget(attempt);
    }

    /// The last failures, oldest first; up to a hundred are kept.
    pub fn failures(&self) -> Vec<ChannelFailure> {
        self.hub.failures()
    }

    /// Ends all connections, each behind what was sent on it; those that take longer than `timeout`, at once. What waits for room on
    /// the other side is dropped: a job that has ended has nothing of the kind.
    pub fn shut_down(&mut self, timeout: Duration) {
        self.listener = None;
        self.hub.shut_down(timeout);
    }
}

impl Drop for NetworkExchange {
    fn drop(&mut self) {
        self.shut_down(Duration::ZERO);
    }
}

/// The channels of one deployment.
#[derive(Debug, Clone, Copy)]
pub struct DeploymentChannels<'a> {
    exchange: &'a NetworkExchange,
    peers: &'a BTreeMap<SubtaskId, SocketAddr>,
}

impl RemoteChannels for DeploymentChannels<'_> {
    fn sending(&self, key: ChannelKey, codec: Box<dyn BatchCodec>, capacity: usize) -> ChannelSender {
        self.exchange.hub.sending(key, codec.into(), capacity, self.peers.get(&key.to.subtask).copied())
    }

    fn receiving(&self, key: ChannelKey, codec: Box<dyn BatchCodec>, channel: ChannelSender) {
        self.exchange.hub.receiving(key, codec.into(), channel);
    }
}
