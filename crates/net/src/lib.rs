//! One connection between two processes, shared by many channels.
//!
//! A [`Link`] carries frames ([`frame`]) over any [`ByteStream`]. Either side opens channels on it and sends on them; the other
//! side grants credits, one for each frame that it has room for. A sender without credit does not send, so a slow channel
//! holds back itself and no other, and what waits anywhere is bounded. [`connect`] and [`Listener`] make connections; both sides
//! introduce themselves first ([`handshake`]).
//!
//! What is not here: what the bytes mean, encryption, and any decision about connecting again.

pub mod frame;
pub mod handshake;
mod link;
mod listener;
mod stream;

pub use link::{Link, LinkError, LinkHandler, LinkOptions, Payload, ReceivingChannel, SendError, SendingChannel, Unsendable, Violation};
pub use listener::{Acceptor, ConnectError, Listener, connect};
pub use stream::{ByteStream, StreamControl};
