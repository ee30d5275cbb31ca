//! Takes connections: in clear, or over TLS, where a handshake that takes its time keeps no other waiting.

use crate::counted::Counted;
use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use flott_security::Traffic;
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Handshakes that may be under way; further connections wait for their turn.
const HANDSHAKES_MAX: usize = 256;
/// After an error that may pass, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where a call comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, ClearListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, ClearListener>) -> Self {
        Peer(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Peer(*stream.remote_addr())
    }
}

/// Connections in clear.
pub(crate) struct ClearListener {
    listener: TcpListener,
    traffic: Traffic,
}

impl ClearListener {
    /// Takes connections of `listener`, whose bytes count into `traffic`.
    pub(crate) fn new(listener: TcpListener, traffic: Traffic) -> Self {
        ClearListener { listener, traffic }
    }
}

impl Listener for ClearListener {
    type Io = Counted;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Counted::new(stream, self.traffic.clone()), from)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Connections whose handshake is done.
pub(crate) struct TlsListener {
    address: SocketAddr,
    ready: mpsc::Receiver<(TlsStream<Counted>, SocketAddr)>,
}

impl TlsListener {
    /// Takes connections of `listener`, whose bytes count into `traffic`. Must be called in a runtime.
    pub(crate) fn new(listener: TcpListener, config: Arc<ServerConfig>, traffic: Traffic) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, ready) = mpsc::channel(1);
        tokio::spawn(accept(listener, traffic, TlsAcceptor::from(config), sender));
        Ok(TlsListener { address, ready })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<Counted>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(accepted) => accepted,
            // The task that accepts ends only with the runtime.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Ok(self.address)
    }
}

async fn accept(listener: TcpListener, traffic: Traffic, acceptor: TlsAcceptor, ready: mpsc::Sender<(TlsStream<Counted>, SocketAddr)>) {
    let turns = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let Ok(turn) = Arc::clone(&turns).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = ready.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, ready, stream) = (acceptor.clone(), ready.clone(), Counted::new(stream, traffic.clone()));
        tokio::spawn(async move {
            match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                // The server may be gone.
                Ok(Ok(stream)) => drop(ready.send((stream, from)).await),
                Ok(Err(error)) => tracing::debug!(%from, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%from, "a TLS handshake took too long"),
            }
            drop(turn);
        });
    }
}
