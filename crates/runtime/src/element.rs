//! What travels on a channel.

use flott_core::{AnyBatch, Timestamp, id::OperatorId, operator::WatermarkStatus};
use flott_rpc::task::Barrier;
use serde::{Deserialize, Serialize};

/// One thing on a channel, in the order in which it was sent.
#[derive(Debug, Clone)]
pub enum StreamElement {
    /// Records.
    Batch(AnyBatch),
    /// Event time has reached this, as far as the sender knows.
    Watermark(Timestamp),
    /// The sender became idle or active.
    Status(WatermarkStatus),
    /// What came before belongs to the checkpoint, what comes behind does not.
    Barrier(Barrier),
    /// No more records; barriers may still follow, until the channel is closed.
    EndOfInput,
    /// Tells how long records are on their way.
    LatencyMarker(LatencyMarker),
}

/// Sent by a source every now and then, to see how long it takes to come to operators. It takes the way of records and overtakes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyMarker {
    /// The source.
    pub source: OperatorId,
    /// Its subtask.
    pub subtask: u32,
    /// When it was sent, ms since 1970.
    pub marked_at: Timestamp,
}
