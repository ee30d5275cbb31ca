//! The facade as a program uses it: what users write against it must do what its documentation says, also when things go wrong.

mod aggregates;
mod bad_input;
mod chaining;
mod checkpoints;
mod compile_errors;
mod damage;
mod failures;
mod kill;
mod life_cycle;
mod metrics;
mod naming;
mod partitioning;
mod plans;
mod process;
mod regions;
mod rescaling;
mod restarts;
mod retention;
#[cfg(feature = "socket")]
mod socket;
mod support;
mod transformations;
mod unwritable;
