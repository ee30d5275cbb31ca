//! Results that the program fetches from its job in other processes.
//!
//! ```text
//!  program                                 sink, one subtask
//!  from 0          ──────────────────────▶ keeps what was not confirmed, up to a bound; then it takes no more input
//!                  ◀────── 0 1 2 3, durable 0
//!  from 4          ──────────────────────▶ forgets 0 1 2 3
//!                        checkpoint: 4 were confirmed, and 4 5 are kept
//!                  ◀────── 6 7, durable 6      now 0 to 5 will never come otherwise: they are handed out
//! ```
//! Results are numbered. The sink stores in each checkpoint how many were confirmed, with those that were not. Once the checkpoint is
//! complete, every restart goes on with just these: the program hands them out. After a restart the sink has another version; the
//! program drops what it holds and has neither confirmed nor handed out, and fetches it anew: it may be different now.

mod client;
mod sink;
#[cfg(test)]
mod tests;

pub use client::FetchedResults;
pub use sink::{SILENCE, fetch_sink};

use serde::{Deserialize, Serialize};

/// What the program asks the sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FetchRequest {
    /// The version that it has heard of last; `None`: of none.
    version: Option<u64>,
    /// The number of the next result that it wants; with that it has those before.
    from: u64,
    /// Bytes that it takes; one result may be longer.
    most_bytes: u64,
    /// It knows how many there are and has them all.
    done: bool,
    /// It also knows that all of them stand.
    stands: bool,
    /// It wants no more.
    closed: bool,
}

/// What the sink answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct FetchReply {
    /// Tells one run of the sink from another.
    version: u64,
    /// The number of the first of `values`.
    first: u64,
    /// Encoded results.
    values: Vec<Vec<u8>>,
    /// How many there were when this run began: as many as its checkpoint knew of.
    restored: u64,
    /// Those below this number will not be repeated. `None`: there are no restarts from checkpoints, and all of them stand at once.
    durable: Option<u64>,
    /// How many there are, if that is known.
    total: Option<u64>,
    /// The sink has given up results, since nobody asked for them.
    given_up: bool,
}
