//! Checkpoint storage against its contract, on every file system.

mod conformance;
mod crash;
mod damage;
mod leaders;
mod ownership;
mod paused;
mod support;
