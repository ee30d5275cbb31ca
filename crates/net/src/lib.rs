//! One connection between two processes, shared by many channels.
//!
//! A [`Link`] carries frames ([`frame`]) over any [`ByteStream`]. Either side opens channels on it and sends on them; the other
//! side grants credits, one for each frame that it has room for. A sender without credit does not send, so a slow channel
//! holds back itself and no other, and what waits anywhere is bounded. [`connect`] and [`Listener`] make connections; both sides
//! introduce themselves first ([`handshake`]), over a [`Transport`] that may encrypt.
//!
//! What is not here: what the bytes mean, encryption itself, and any decision about connecting again.

pub mod frame;
pub mod handshake;
mod link;
mod listener;
mod stream;
mod transport;

pub use link::{Link, LinkError, LinkHandler, LinkOptions, Payload, ReceivingChannel, SendError, SendingChannel, Unsendable, Violation};
pub use listener::{Acceptor, ConnectError, Listener, connect, connect_over};
pub use stream::{ByteStream, StreamControl, StreamWriter, Waiting};
pub use transport::{Clear, Transport};
