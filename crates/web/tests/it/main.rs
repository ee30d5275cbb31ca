//! A server on loopback with a cluster that is made up: what clients of Flink see.

mod access;
mod client;
mod errors;
mod every_call;
mod fake;
mod logs;
mod operations;
mod prometheus;
mod shapes;
mod taps;
mod traffic;
mod uploads;
mod values;
