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
//! # State and timers
//!
//! [`KeyedStream`] has rolling aggregates; a [`KeyedProcessFunction`] has state and timers of its own for each key. This one says
//! which users have been silent for a minute:
//!
//! ```
//! use flott::{connector::datagen::CollectionSource, prelude::*};
//!
//! struct Silent {
//!     last_seen: ValueState<Timestamp>,
//! }
//!
//! impl KeyedProcessFunction for Silent {
//!     type Key = String;
//!     type In = (String, Timestamp);
//!     type Out = String;
//!
//!     fn process(&mut self, (_, at): Self::In, context: &mut KeyedContext<'_, String, String>) -> Result<(), BoxError> {
//!         // Records may come out of order.
//!         let last = self.last_seen.value().map_or(at, |last| last.max(at));
//!         self.last_seen.update(last);
//!         context.register_event_time_timer(last + 60_000);
//!         Ok(())
//!     }
//!
//!     fn on_timer(&mut self, time: Timestamp, context: &mut KeyedContext<'_, String, String>) -> Result<(), BoxError> {
//!         // Timers of earlier records find a later one here.
//!         if self.last_seen.value() == Some(time - 60_000) {
//!             self.last_seen.clear();
//!             let user = context.current_key().clone();
//!             context.emit(user);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), flott::Error> {
//! # let env = StreamExecutionEnvironment::get()?;
//! let seen = vec![("ann".to_owned(), 1_000), ("bob".to_owned(), 2_000), ("ann".to_owned(), 30_000)];
//! let time = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_secs(5))
//!     .with_timestamp_assigner(|(_, at): &(String, Timestamp), _| *at);
//! let silent = env
//!     .from_source(CollectionSource::new(seen), time, "seen")
//!     .key_by_ref(|(user, _)| user.as_str())
//!     .process(|context| Ok(Silent { last_seen: context.value_state("last-seen")? }))
//!     .uid("silent");
//! let silent: Vec<String> = silent.execute_and_collect("silent")?.collect::<Result<_, _>>()?;
//! assert_eq!(silent, ["bob", "ann"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! | --- | --- |
//! | starting a program, options | [`StreamExecutionEnvironment`], [`Environment`], [`config::options`], `docs/config.md` |
//! | operators | [`DataStream`], [`KeyedStream`] |
//! | a job that runs: status, figures, savepoints | [`JobClient`] |
//! | sources and sinks that come along | [`connector`], [`PrintSink`] |
//! | writing a source or sink | [`source::Source`], [`sink::Sink`] |
//! | what is promised about state, time and failures | `docs/semantics.md` |
//!
//! # In your own project
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
mod manifest;
mod progress;
pub mod snapshots;

pub use arguments::program_arguments;
pub use environment::StreamExecutionEnvironment;
pub use flott_api::{DataStream, DataStreamSink, Environment, JobClient, JobExecutionResult, KeyedStream, Results};
pub use flott_core::{
    Batch, BoxError, Data, Error, ErrorKind, Key, Timestamp,
    accumulator::AccumulatorValue,
    config,
    error::Unrecoverable,
    format, id, metrics, sink, source, time,
    watermark::{self, WatermarkStrategy},
};
pub use flott_graph::plan;
pub use flott_operators::{
    Collector,
    process::{
        KeyedContext, KeyedProcessFunction, KeyedRuntimeContext, OperatorListState, ProcessContext, ProcessFunction, RuntimeContext,
    },
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
