//! Makes connections: from this side, and from others.

use crate::{
    handshake::{self, HandshakeError},
    stream::ByteStream,
    transport::{Clear, Transport},
};
use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections that may be in their handshake at the same time; more are turned away.
const MAX_HANDSHAKES: usize = 256;
/// After an error that may pass, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers there.
    #[error("cannot connect to `{address}`: {source}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Somebody answers, but it came to nothing.
    #[error("cannot connect to `{address}`: {source}")]
    Handshake {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: HandshakeError,
    },
}

/// Connects to a [`Listener`] and introduces this side with `hello`. Returns the connection and the other side's hello.
/// `timeout` holds for the connection and for the handshake, each.
///
/// # Errors
/// [`ConnectError`].
pub fn connect(address: SocketAddr, hello: &[u8], timeout: Duration) -> Result<(ByteStream, Vec<u8>), ConnectError> {
    connect_over(&Clear, address, hello, timeout)
}

/// As [`connect`], over `transport`, to which `timeout` is given once more.
///
/// # Errors
/// [`ConnectError`].
pub fn connect_over(
    transport: &dyn Transport,
    address: SocketAddr,
    hello: &[u8],
    timeout: Duration,
) -> Result<(ByteStream, Vec<u8>), ConnectError> {
    let unreachable = |source| ConnectError::Unreachable { address, source };
    let stream = TcpStream::connect_timeout(&address, timeout).map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let refused = |source| ConnectError::Handshake { address, source: HandshakeError::Io(source) };
    let mut stream = transport.connecting(stream, timeout).map_err(refused)?;
    let theirs = handshake::greet(&mut stream, hello, timeout).map_err(|source| ConnectError::Handshake { address, source })?;
    Ok((stream, theirs))
}

/// Decides who may connect. Called by several threads.
pub trait Acceptor: Send + Sync {
    /// Somebody at `from` introduces itself. Returns this side's hello.
    ///
    /// # Errors
    /// A reason to refuse, which the other side is told.
    fn welcome(&self, from: SocketAddr, hello: &[u8]) -> Result<Vec<u8>, String>;

    /// A connection that was welcomed.
    fn accepted(&self, from: SocketAddr, hello: Vec<u8>, stream: ByteStream);

    /// A connection that came to nothing.
    fn turned_away(&self, from: SocketAddr, error: &HandshakeError) {
        tracing::warn!(%from, %error, "a connection was turned away");
    }
}

/// Accepts connections on a thread of its own until it is dropped.
pub struct Listener {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Listener {
    /// Listens at `address`; with port 0, at a free one.
    ///
    /// # Errors
    /// The address is taken or not this machine's, or no thread can be started.
    pub fn bind(address: SocketAddr, acceptor: Arc<dyn Acceptor>) -> io::Result<Self> {
        Listener::bind_over(Arc::new(Clear), address, acceptor)
    }

    /// As [`bind`](Self::bind), over `transport`.
    ///
    /// # Errors
    /// As of [`bind`](Self::bind).
    pub fn bind_over(transport: Arc<dyn Transport>, address: SocketAddr, acceptor: Arc<dyn Acceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let flag = ended.clone();
        let thread =
            thread::Builder::new().name("flott-accept".to_owned()).spawn(move || accept(&listener, &transport, &acceptor, &flag))?;
        Ok(Listener { address, ended, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // The thread waits for a connection: this is one.
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let woken = TcpStream::connect_timeout(&SocketAddr::new(ip, self.address.port()), Duration::from_secs(1));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            // It has panicked only if an acceptor did, which was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn accept(listener: &TcpListener, transport: &Arc<dyn Transport>, acceptor: &Arc<dyn Acceptor>, ended: &AtomicBool) {
    let handshakes = Arc::new(AtomicUsize::new(0));
    loop {
        let accepted = listener.accept();
        if ended.load(Ordering::SeqCst) {
            return;
        }
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                thread::sleep(ACCEPT_PAUSE);
                continue;
            }
        };
        let counted = Counted::new(&handshakes);
        if counted.before >= MAX_HANDSHAKES {
            tracing::warn!(%from, "a connection was turned away: {MAX_HANDSHAKES} others are being made");
            continue;
        }
        let (transport, acceptor) = (transport.clone(), acceptor.clone());
        // Who connects and then says nothing must not keep others waiting.
        let spawned = thread::Builder::new().name("flott-handshake".to_owned()).spawn(move || {
            let result = shake_hands(stream, from, transport.as_ref(), acceptor.as_ref());
            drop(counted);
            match result {
                Ok((hello, stream)) => acceptor.accepted(from, hello, stream),
                Err(error) => acceptor.turned_away(from, &error),
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%from, %error, "a connection was turned away: cannot start a thread");
        }
    }
}

fn shake_hands(
    stream: TcpStream,
    from: SocketAddr,
    transport: &dyn Transport,
    acceptor: &dyn Acceptor,
) -> Result<(Vec<u8>, ByteStream), HandshakeError> {
    stream.set_nodelay(true)?;
    let mut stream = transport.accepted(stream, HANDSHAKE_TIMEOUT)?;
    let hello = handshake::answer(&mut stream, HANDSHAKE_TIMEOUT, |hello| acceptor.welcome(from, hello))?;
    Ok((hello, stream))
}

/// One handshake under way.
struct Counted {
    all: Arc<AtomicUsize>,
    before: usize,
}

impl Counted {
    fn new(all: &Arc<AtomicUsize>) -> Self {
        Counted { all: all.clone(), before: all.fetch_add(1, Ordering::SeqCst) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::SeqCst);
    }
}
