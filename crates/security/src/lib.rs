//! Who may do what on a cluster, and how it is kept from everybody else.
//!
//! *Clients* (people, their programs, tools) show a token, which has a name and a [`Role`] ([`Tokens`]). *Processes* of the cluster show
//! each other certificates of the cluster's own authority ([`TlsMaterial`]) over TLS 1.3. An [`Entrance`] is what a listener asks of
//! those who connect, a [`Connector`] is what a process shows when it connects; both give a [`Stream`], which a reading and a writing
//! thread use at once. Its bytes count into a [`Traffic`], if they are to.
//!
//! ```text
//!  client ── token ──▶ Entrance ─▶ Who::Client { name, role }      what it may do is decided by role
//!  process ─ certificate ▶ Entrance ─▶ Who::Process                signed by the authority, and named `process.flott.internal`
//! ```
//! Without settings everything is open and in clear, which [`Entrance::check_listen`] allows on loopback addresses alone. Without the
//! feature `tls` settings that ask for TLS are refused with what to do about it.
//!
//! What is not here: which role a call needs, and sockets that listen.

mod connector;
#[cfg(feature = "create")]
mod create;
mod entrance;
mod files;
mod material;
mod role;
mod socket;
mod stream;
mod tls;
mod tokens;
mod traffic;

pub use connector::Connector;
#[cfg(feature = "create")]
pub use create::{Authority, Signed};
pub use entrance::{Accepted, Entrance, Who, missing_for_rest, refuse_listen};
pub use files::write_private;
pub use flott_core::secret::Secret;
pub use material::{TlsIdentity, TlsMaterial};
pub use role::{Caller, Role};
pub use socket::Socket;
pub use stream::Stream;
#[cfg(feature = "tls")]
pub use tls::server_config_for_rest;
pub use tls::{CURE_WITHOUT_TLS, PROCESS_NAME, TlsStream};
pub use tokens::{Issued, TokenInfo, Tokens};
pub use traffic::Traffic;
