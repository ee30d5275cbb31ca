//! What travels on a channel.

use flott_core::{AnyBatch, Timestamp, operator::WatermarkStatus};
use flott_rpc::task::Barrier;

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
}
