//! Checkpoints of a job.

use flott_core::{
    id::{CheckpointId, OperatorId},
    time::Timestamp,
};
use flott_rpc::task::SubtaskCheckpointStats;
use std::time::Duration;

/// The checkpoints of a job so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Checkpoints {
    /// How many there were.
    pub totals: CheckpointTotals,
    /// The last ones, newest first. Statistics are taken over all that are given; the list that clients see may be shorter.
    pub history: Vec<Checkpoint>,
    /// The last restore.
    pub restored: Option<Restore>,
    /// The settings; `None`: the job takes none.
    pub config: Option<CheckpointConfig>,
}

/// How many checkpoints there were, savepoints included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CheckpointTotals {
    /// Restores.
    pub restored: u64,
    /// Complete ones.
    pub completed: u64,
    /// Failed ones.
    pub failed: u64,
    /// Those under way.
    pub in_progress: u64,
}

/// Where a checkpoint stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointStatus {
    /// Under way.
    InProgress,
    /// Complete.
    Completed,
    /// Given up.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

/// A checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Its number.
    pub id: CheckpointId,
    /// Where it stands.
    pub status: CheckpointStatus,
    /// Whether the user asked for it.
    pub savepoint: bool,
    /// Whether the job ends with it.
    pub stops: bool,
    /// When it was triggered.
    pub triggered_at: Timestamp,
    /// From trigger to completion; `None`: what the acknowledgements show.
    pub duration: Option<Duration>,
    /// Bytes that were written for it; `None`: the sum of the subtasks.
    pub bytes: Option<u64>,
    /// Number of subtasks that take part; `None`: as many as `vertices` holds.
    pub subtasks: Option<u32>,
    /// What its vertices did.
    pub vertices: Vec<VertexCheckpoint>,
    /// Its folder.
    pub location: Option<String>,
    /// Whether it has been removed.
    pub discarded: bool,
}

/// A vertex's part in a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct VertexCheckpoint {
    /// The vertex.
    pub vertex: OperatorId,
    /// Its subtasks by index; `None`: has not acknowledged.
    pub subtasks: Vec<Option<SubtaskCheckpoint>>,
}

/// A subtask's part in a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubtaskCheckpoint {
    /// When the JobManager had its acknowledgement.
    pub acknowledged_at: Timestamp,
    /// Its figures.
    pub stats: SubtaskCheckpointStats,
}

/// A restore from a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The checkpoint.
    pub id: CheckpointId,
    /// When.
    pub at: Timestamp,
    /// Whether it was a savepoint.
    pub savepoint: bool,
    /// Its folder.
    pub location: Option<String>,
}

/// How a job takes checkpoints.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointConfig {
    /// Whether each record counts exactly once.
    pub exactly_once: bool,
    /// From trigger to trigger; `None`: only when asked.
    pub interval: Option<Duration>,
    /// After which one is given up.
    pub timeout: Duration,
    /// The least time between two.
    pub min_pause: Duration,
    /// How many may be under way.
    pub max_concurrent: u32,
    /// How many may fail one after another before the job does.
    pub tolerable_failures: u32,
    /// Whether they are kept when the job is cancelled.
    pub retained_on_cancellation: bool,
    /// Whether barriers may overtake records.
    pub unaligned: bool,
    /// What holds the state of running tasks.
    pub state_backend: String,
    /// What holds checkpoints.
    pub storage: String,
}

impl Checkpoint {
    /// The acknowledgements so far.
    pub(crate) fn acknowledgements(&self) -> impl Iterator<Item = &SubtaskCheckpoint> {
        self.vertices.iter().flat_map(|vertex| vertex.subtasks.iter().flatten())
    }

    /// Bytes of state.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.bytes.unwrap_or_else(|| self.acknowledgements().map(|subtask| subtask.stats.bytes).sum())
    }

    /// From trigger to the last acknowledgement, or to the failure.
    pub(crate) fn total_duration(&self) -> Duration {
        let until = match &self.status {
            CheckpointStatus::Failed { at, .. } => Some(*at),
            _ => self.acknowledgements().map(|subtask| subtask.acknowledged_at).max(),
        };
        let reckoned = until.map_or(0, |until| until.saturating_sub(self.triggered_at));
        self.duration.unwrap_or(Duration::from_millis(u64::try_from(reckoned).unwrap_or(0)))
    }

    /// When the last acknowledgement came.
    pub(crate) fn last_acknowledged_at(&self) -> Option<Timestamp> {
        let last = self.acknowledgements().map(|subtask| subtask.acknowledged_at).max();
        let completed = self.status == CheckpointStatus::Completed;
        last.or_else(|| completed.then(|| self.triggered_at.saturating_add(flott_core::time::millis(self.total_duration()))))
    }
}
