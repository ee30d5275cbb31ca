//! The vocabulary of Flott: what every other crate and every connector knows.
//!
//! Stream elements in batches ([`batch`]), keys and key groups ([`data`], [`key_hash`], [`key_group`]), time
//! ([`time`], [`watermark`]), the traits of operators ([`operator`]), sources ([`source`]), sinks ([`sink`]) and exchanges
//! ([`exchange`]), the content of snapshots ([`snapshot`]), codec and schema ([`codec`], [`schema`]), options
//! ([`config`]), secrets ([`secret`]), metrics and accumulators.
//!
//! What is not here: I/O, threads, an async runtime, and any decision about scheduling or checkpoints.

pub mod accumulator;
pub mod batch;
pub mod block_pool;
pub mod codec;
pub mod config;
pub mod context;
pub mod data;
pub mod error;
pub mod exchange;
pub mod format;
pub mod id;
pub mod key_group;
pub mod key_hash;
pub mod metrics;
pub mod operator;
pub mod prefetch;
pub mod schema;
pub mod secret;
pub mod sink;
pub mod snapshot;
pub mod source;
pub mod tap;
pub mod time;
pub mod watermark;

pub use batch::{AnyBatch, Batch};
pub use data::{Data, Key};
pub use error::{BoxError, Error, ErrorKind};
pub use secret::Secret;
pub use time::Timestamp;
