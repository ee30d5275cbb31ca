//! The typed DataStream API.
//!
//! [`Environment`] collects a stream graph; [`DataStream`] and [`KeyedStream`] add operators to it; `execute` compiles it and
//! gives it to a [`JobExecutor`](flott_rpc::gateway::JobExecutor), which the facade crate `flott` plugs in.
//!
//! What is not here: running anything, connectors, SQL.

mod client;
mod collect;
mod environment;
mod fetch;
mod settings;
mod stream;

pub use client::{JobClient, JobExecutionResult};
pub use collect::Results;
pub use environment::Environment;
pub use stream::{DataStream, DataStreamSink, KeyedStream};
