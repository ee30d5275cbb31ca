//! The facade as a program uses it: what users write against it must do what its documentation says, also when things go wrong.

mod aggregates;
mod chaining;
mod partitioning;
mod support;
mod transformations;
