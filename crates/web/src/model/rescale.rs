//! Changes of a job's parallelism.

use flott_rpc::client::{RescaleSummary, RescaleTotals};
use std::time::Duration;

/// The changes of a job's parallelism.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescales {
    /// The last ones, newest last, with the one that is under way. For each vertex of the job there is a place in their lists.
    pub changes: Vec<RescaleSummary>,
    /// All that have come to an end.
    pub totals: RescaleTotals,
    /// What decides about them.
    pub config: RescaleConfig,
}

/// When the parallelism of a job is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RescaleConfig {
    /// How many changes are kept.
    pub history: usize,
    /// Whether the job always uses all slots of the cluster.
    pub reactive: bool,
    /// How long slots are waited for; `None`: for ever.
    pub wait_timeout: Option<Duration>,
    /// How long a job that is about to start waits for more slots.
    pub submission_stabilization: Duration,
    /// How long a running job waits for more slots.
    pub executing_stabilization: Duration,
    /// The least time between two changes that nobody asked for.
    pub cooldown: Duration,
    /// How many checkpoints that are taken for a change may fail before it is made from an older one.
    pub max_checkpoint_failures: u32,
}
