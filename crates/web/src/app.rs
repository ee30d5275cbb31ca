//! What all calls of a server share.

use crate::{cluster::Cluster, http::answer::Refusal, operations::Operations, server::Options, taps::Taps};
use axum::http::StatusCode;
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many calls may ask the cluster at once: each has a thread that waits.
const CALLS_MAX: usize = 128;

/// How many files may be on their way at once: each has a thread that waits for the client.
const TRANSFERS_MAX: usize = 64;

/// How long a file waits for a client that neither takes nor sends anything.
pub(crate) const STALL: Duration = Duration::from_secs(60);

/// How long a call waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// A server's cluster, options and operations.
pub(crate) struct App {
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) options: Options,
    pub(crate) operations: Operations,
    pub(crate) taps: Taps,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    calls: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
}

impl App {
    /// What the calls of a new server share.
    pub(crate) fn new(cluster: Arc<dyn Cluster>, options: Options, address: SocketAddr) -> Self {
        let operations = Operations::new(Arc::clone(&options.clock));
        let taps = Taps::new(Arc::clone(&options.clock));
        let (calls, transfers) = (Arc::new(Semaphore::new(CALLS_MAX)), Arc::new(Semaphore::new(TRANSFERS_MAX)));
        App { cluster, options, operations, taps, address, calls, transfers }
    }

    /// Waits until the cluster may be asked.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        turn(&self.calls).await
    }

    /// Waits until a file may be sent or received.
    pub(crate) async fn transfer(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        turn(&self.transfers).await
    }
}

async fn turn(semaphore: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refusal> {
    let acquired = tokio::time::timeout(TURN, Arc::clone(semaphore).acquire_owned()).await;
    let busy = || Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too many calls wait for the cluster; try again later");
    acquired.ok().and_then(Result::ok).ok_or_else(busy)
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("address", &self.address).finish_non_exhaustive()
    }
}
