//! Sources that make their records themselves: generated ones, sequences of numbers, and collections.
//!
//! All three compute a record from its index, so a position is a number, and a replay after a failure gives the same records
//! (exactly once).
//!
//! - [`GeneratorSource`] calls a function with the index and a [`Random`] that is seeded by it; with or without an end, and
//!   as fast as can be or at a given rate.
//! - [`SequenceSource`] counts.
//! - [`CollectionSource`] gives the elements of a `Vec`.
//!
//! ```
//! use flott_connector_datagen::{CollectionSource, GeneratorSource, SequenceSource};
//! use flott_core::source::{Boundedness, Source};
//!
//! #[derive(Clone, serde::Serialize, serde::Deserialize)]
//! struct Reading {
//!     sensor: u64,
//!     celsius: f64,
//! }
//!
//! // A thousand readings a second for as long as the job runs, the same ones in every run.
//! let readings = GeneratorSource::unbounded(|index, random| Reading { sensor: index % 16, celsius: 15.0 + 10.0 * random.f64() })
//!     .records_per_second(1_000.0)
//!     .seed(7);
//! assert_eq!(readings.boundedness(), Boundedness::ContinuousUnbounded);
//!
//! let squares = GeneratorSource::new(1_000_000, |index, _| index * index);
//! let numbers = SequenceSource::new(1, 100);
//! let words = CollectionSource::new(vec!["to".to_owned(), "be".to_owned()]);
//! assert_eq!(squares.boundedness(), Boundedness::Bounded);
//! assert_eq!(numbers.boundedness(), Boundedness::Bounded);
//! assert_eq!(words.boundedness(), Boundedness::Bounded);
//! ```
//!
//! # Splits
//!
//! At its first start a source is divided into as many [`GeneratorSplit`]s as there are readers: split 1 of 4 has the
//! indices 1, 5, 9, … They keep their strides when the job is restored at another parallelism; then some readers have several
//! splits, or none. A reader with one split emits in the order of the index; one with several takes a batch of each in turn.

mod enumerator;
mod error;
mod random;
mod rate;
mod reader;
mod source;
mod split;
#[cfg(test)]
mod tests;

pub use enumerator::GeneratorEnumeratorState;
pub use error::DatagenError;
pub use random::Random;
pub use source::{CollectionSource, GeneratorSource, SequenceSource};
pub use split::GeneratorSplit;
