//! The facade as a program uses it: what users write against it must do what its documentation says, also when things go wrong.

mod aggregates;
mod chaining;
mod failures;
mod life_cycle;
mod naming;
mod partitioning;
mod plans;
mod regions;
mod restarts;
mod support;
mod transformations;
