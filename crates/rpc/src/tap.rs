//! What the JobManager asks the workers of a job so that people see some of its records: a tap.

use flott_core::{Timestamp, id::VertexId};
use serde::{Deserialize, Serialize};

/// Records a second that one subtask shows at one place, at the most.
pub const MOST_RECORDS_PER_SECOND: u32 = 100;

/// A question to a worker. Each is answered, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerQuestion {
    /// Go on with a tap for a while, or begin one, and tell what it has seen since it was last asked.
    Tap(TapRequest),
}

/// The answer to a [`WorkerQuestion`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum WorkerAnswer {
    /// What a tap has seen.
    Tapped(TapSample),
    /// It cannot be told: why.
    Failed(String),
}

/// Which records are to be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapRequest {
    /// The vertex.
    pub vertex: VertexId,
    /// One of its subtasks; `None`: all.
    pub subtask: Option<u32>,
    /// Records a second that a subtask shows at each place, at the most.
    pub per_second: u32,
    /// How long the tap stays open if nobody asks again, ms.
    pub lease_ms: u32,
}

/// What a tap has seen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TapSample {
    /// Records, of each subtask in their order.
    pub records: Vec<TappedRecord>,
    /// How many more there were for which there was no room.
    #[serde(default)]
    pub missed: u64,
}

/// A record that went by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TappedRecord {
    /// The subtask.
    pub subtask: u32,
    /// The name of the operator that took or emitted it.
    pub operator: String,
    /// Where it was seen.
    pub direction: TapDirection,
    /// When it was seen, ms since 1970.
    pub at: Timestamp,
    /// Its event time, ms since 1970.
    pub timestamp: Option<Timestamp>,
    /// What is shown of it.
    pub shown: TapShown,
    /// Its text; empty where it is hidden.
    pub value: String,
    /// Whether that is only the beginning of the text.
    #[serde(default)]
    pub truncated: bool,
}

/// Where a record was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TapDirection {
    /// The first operator of the chain took it from another vertex.
    In,
    /// The operator emitted it.
    Out,
}

/// What is shown of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TapShown {
    /// The record as it is.
    Clear,
    /// What the job's mask left of it.
    Masked,
    /// Nothing: the job hides it.
    Hidden,
    /// Nothing: the mask, or what writes the record, panicked.
    Failed,
}
