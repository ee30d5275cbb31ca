//! TLS 1.3, or its absence: both have the same interface.

#[cfg(feature = "tls")]
mod config;
#[cfg(not(feature = "tls"))]
mod missing;
#[cfg(feature = "tls")]
mod stream;

#[cfg(feature = "tls")]
pub use config::server_config_for_rest;
#[cfg(feature = "tls")]
pub(crate) use config::{ClientTls, ServerTls};
#[cfg(not(feature = "tls"))]
pub use missing::TlsStream;
#[cfg(not(feature = "tls"))]
pub(crate) use missing::{ClientTls, ServerTls};
#[cfg(feature = "tls")]
pub use stream::TlsStream;

/// The name that the certificates of the cluster's processes have, besides those of their machines.
pub const PROCESS_NAME: &str = "process.flott.internal";

/// What to do about a program that was built without TLS.
pub const CURE_WITHOUT_TLS: &str =
    "build the program with the feature `tls`, in its Cargo.toml `flott = { version = \"0.1\", features = [\"tls\"] }`";
