//! Connections between the processes of a cluster, and what is asked over them.

mod client;
#[cfg(test)]
mod compatibility;
mod connection;
mod stranger;

pub(crate) use client::{answered, ask, ask_once, ask_within, exchange, find_leader, receive_reply, send_request};
pub(crate) use connection::{ConnectionError, Incoming, Link, receive, receive_up_to, send};
pub(crate) use stranger::refusal_of_stranger;
