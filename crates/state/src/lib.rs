//! Keyed state tables of Flott, in memory, with incremental copy-on-write snapshots.
//!
//! [`KeyedTable`] keeps one value for each key, [`KeyedStore`] the named states of a process function ([`ValueState`],
//! [`ListState`], [`MapState`], [`ReducingState`], [`AggregatingState`]), [`TimerService`] its timers.
//!
//! All live on their task's own thread. A snapshot begins at once; from then on each segment of 32 slots is serialised once: when
//! the table is about to change it, or when a step between two batches comes to it.

mod blocks;
mod error;
mod index;
mod slots;
mod store;
mod table;
#[cfg(test)]
mod test_support;
mod timers;

/// The state backends that there are, by Flink's names.
pub const BACKENDS: &[&str] = &["hashmap"];

pub use error::StateError;
pub use store::{AggregateFunction, AggregatingState, KeyedStore, ListState, MapKey, MapState, ReducingState, ValueState};
pub use table::{Entry, KeyedTable, OccupiedEntry, VacantEntry};
pub use timers::{EVENT_TIME_TIMERS, PROCESSING_TIME_TIMERS, Timer, TimerQueue, TimerService};
