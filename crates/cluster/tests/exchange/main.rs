//! Exchanges between two workers over loopback.

mod channels;
mod ends;
mod failures;
mod worker;
