//! File source and exactly-once file sink of Flott.
mod source;
#[cfg(test)]
mod test_clock;
pub use source::*;
