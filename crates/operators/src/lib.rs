//! The operators that tasks run, and the partitioners between them.
//!
//! Each is made by a function that returns a factory, so that the typed API needs no names of operator types. Whoever knows
//! the types is here; the runtime sees the traits of `flott-core` alone.
//!
//! What is not here: the typed API, threads, exchanges, checkpoint coordination.

mod collector;
pub mod key;
pub mod partition;
pub mod process;
pub mod rolling;
pub mod sink;
pub mod source;
mod split_watermarks;
pub mod stateless;

pub use collector::Collector;
