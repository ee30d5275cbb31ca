//! The REST server of a Flott cluster: Flink's paths, methods, JSON fields and status codes, so that tools made for Flink work on it.
//!
//! [`Server::bind`] serves a [`Cluster`], which is asked for plain data ([`model`]) and told what to do. Everything that is Flink's,
//! from field names to the way a description is drawn, is decided here and nowhere else.
//!
//! What is not here: decisions about jobs, who has which token ([`Options::tokens`]), and a dashboard (only a place for one, [`Options::assets`]).
//!
//! ```text
//!  request ─▶ guard ─▶ routes ─▶ access ─▶ Call ─▶ handler in api/ ─▶ Cluster ─▶ model ─▶ JSON
//!                                            (on a thread that may block)
//! ```
//!
//! ```
//! # use {flott_core::time::SharedClock, flott_web::{Cluster, Options, Server}, std::{io, sync::Arc}};
//! fn serve(cluster: Arc<dyn Cluster>, clock: SharedClock) -> io::Result<Server> {
//!     let server = Server::bind("127.0.0.1:8081", cluster, Options { submit: false, ..Options::new(clock) })?;
//!     println!("http://{}", server.address());
//!     Ok(server)
//! }
//! ```
//!
//! Invariants: no text of a client becomes a file path; every error is `{"errors": [...]}`; a field that Flink has is never missing;
//! values of options that look like secrets are not shown; with tokens, no call is answered without one.

mod api;
mod app;
mod cluster;
mod counted;
mod http;
mod listen;
pub mod model;
mod openapi;
mod operations;
mod prometheus;
mod routes;
mod server;
mod statistics;
mod taps;

pub use cluster::{Cluster, ClusterError, Result};
pub use server::{Asset, Assets, Elsewhere, Leading, Options, Server};
