//! Channels whose other end is in another process.

use crate::gate::ChannelSender;
use flott_core::{exchange::BatchCodec, id::AttemptId};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Names a channel, the same in both processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChannelKey {
    /// The place of the edge in the job graph.
    pub edge: u32,
    /// Who sends.
    pub from: AttemptId,
    /// Who receives.
    pub to: AttemptId,
}

impl fmt::Display for ChannelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "channel {} -> {} of edge {}", self.from, self.to, self.edge)
    }
}

/// Leads channels to other processes and back. Elements keep their order, and the end of a channel arrives as it was: in good
/// order, or broken.
pub trait RemoteChannels {
    /// The sender is here, the receiver elsewhere: the sending end of a channel that holds `capacity` batches on this side.
    fn sending(&self, key: ChannelKey, codec: Box<dyn BatchCodec>, capacity: usize) -> ChannelSender;

    /// The receiver is here, the sender elsewhere: what comes is to be pushed into `channel`, with no more batches under way than
    /// it holds.
    fn receiving(&self, key: ChannelKey, codec: Box<dyn BatchCodec>, channel: ChannelSender);
}

/// What of a region runs in other processes.
#[derive(Clone, Copy)]
pub struct Elsewhere<'a> {
    /// The attempts.
    pub attempts: &'a [AttemptId],
    /// What leads there.
    pub channels: &'a dyn RemoteChannels,
}

impl fmt::Debug for Elsewhere<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}
