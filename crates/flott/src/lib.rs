//! Stateful computation over data streams: what Apache Flink is, as native Rust.
//!
//! A job is a program. It builds a graph of operators on streams and calls `execute`, which runs it on a cluster inside the
//! process: parallel, checkpointed, recovered after failures.
//!
//! ```
//! use flott::prelude::*;
//!
//! # fn main() -> Result<(), flott::Error> {
//! let env = StreamExecutionEnvironment::get()?;
//! env.from_data(vec!["to be".to_owned(), "or not to be".to_owned()])
//!     .flat_map(|line, out| line.split(' ').for_each(|word| out.emit((word.to_owned(), 1u64))))
//!     .key_by_ref(|(word, _)| word.as_str())
//!     .sum(|(_, count)| count)
//!     .print();
//! env.execute("word-count")?;
//! # Ok(())
//! # }
//! ```
//!
//! What a library cannot set for your program: the profile must unwind on panic (the default; `panic = "abort"` is refused),
//! `overflow-checks = true` lets sums fail rather than wrap around in release builds, and a fast allocator such as `mimalloc`
//! helps wherever records own memory.
//!
//! | feature | what it adds | default |
//! | --- | --- | --- |
//! | `file` | text files and an exactly-once file sink | yes |
//! | `datagen` | generated records, sequences, collections | yes |
//! | `socket` | lines from a socket | yes |

mod arguments;
mod environment;
mod progress;
pub mod snapshots;

pub use arguments::program_arguments;
pub use environment::StreamExecutionEnvironment;
pub use flott_api::{DataStream, DataStreamSink, Environment, JobClient, JobExecutionResult, KeyedStream, Results};
pub use flott_core::{
    Batch, BoxError, Data, Error, ErrorKind, Key, Timestamp, config, format, id, metrics, sink, source, time,
    accumulator::AccumulatorValue,
    watermark::{self, WatermarkStrategy},
};
pub use flott_graph::plan;
pub use flott_operators::{
    Collector,
    process::{KeyedContext, KeyedProcessFunction, KeyedRuntimeContext, OperatorListState, ProcessContext, ProcessFunction, RuntimeContext},
    sink::{DiscardSink, PrintSink},
};
pub use flott_rpc::{
    client::{CheckpointCounts, CheckpointSummary, JobOverview, SnapshotTaken},
    status::{JobStatus, TaskStatus},
};
pub use flott_state::{AggregateFunction, AggregatingState, ListState, MapState, ReducingState, ValueState};
pub use progress::Progress;

/// Connectors.
pub mod connector {
    #[cfg(feature = "datagen")]
    pub use flott_connector_datagen as datagen;
    #[cfg(feature = "file")]
    pub use flott_connector_file as file;
    #[cfg(feature = "socket")]
    pub use flott_connector_socket as socket;
}

/// What most programs need.
pub mod prelude {
    pub use crate::{
        AggregateFunction, AggregatingState, BoxError, Collector, DataStream, JobClient, KeyedContext, KeyedProcessFunction,
        KeyedRuntimeContext, KeyedStream, ListState, MapState, OperatorListState, ProcessContext, ProcessFunction, ReducingState,
        RuntimeContext, StreamExecutionEnvironment, Timestamp, ValueState, WatermarkStrategy,
    };
    /// A string that keeps up to 24 bytes in place, without an allocation: for words, names and ids.
    pub use compact_str::CompactString;
    pub use flott_core::config::{RuntimeMode, options};
    pub use std::time::Duration;
}

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeDoctests;
