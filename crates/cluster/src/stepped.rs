//! A cluster's processes without threads, sockets and clocks: for simulations, which decide what happens when.

pub use crate::{
    jobmanager::stepped::{JobEnding, Prepared, Sent, Step, SteppedJobManager, StorageStep, Submission},
    worker::stepped::SteppedSession,
};
