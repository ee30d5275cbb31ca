//! Sinks: the operator that runs any [`flott_core::sink::Sink`], and the sinks that need nothing from outside.

mod collect;
mod discard;
pub mod fetch;
mod operator;
mod print;

pub use collect::{CollectSink, CollectedResults, EndOfResults};
pub use discard::DiscardSink;
pub use operator::sink_operator;
pub use print::PrintSink;
