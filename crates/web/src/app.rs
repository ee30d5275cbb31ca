//! What all calls of a server share.

use crate::{cluster::Cluster, operations::Operations, server::Options};
use std::{fmt, net::SocketAddr, sync::Arc};

/// A server's cluster, options and operations.
pub(crate) struct App {
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) options: Options,
    pub(crate) operations: Operations,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("address", &self.address).finish_non_exhaustive()
    }
}
