//! File source and exactly-once file sink of Flott.
