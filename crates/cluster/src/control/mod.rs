//! Connections between the processes of a cluster, and what is asked over them.

mod client;
mod connection;

pub(crate) use client::{ask, ask_once, find_leader};
pub(crate) use connection::{ConnectionError, Incoming, Link, receive, send};
