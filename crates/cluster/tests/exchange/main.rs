//! Exchanges between two workers over loopback.

mod channels;
mod encrypted;
mod ends;
mod failures;
mod worker;
