//! What an operator learns when it is opened.

use crate::{
    accumulator::Accumulators,
    error::BoxError,
    id::{CheckpointId, OperatorId},
    key_group::{KeyGroup, KeyGroupRange},
    metrics::MetricGroup,
    snapshot::{KeyedStateMeta, ListStateSnapshot},
    time::SharedClock,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a job is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub enum RuntimeMode {
    /// Running results, checkpoints.
    #[default]
    Streaming,
    /// Bounded input, final results only, no checkpoints.
    Batch,
}

/// Which instance of which operator this is.
#[derive(Debug, Clone)]
pub struct OperatorInfo {
    /// Stable between runs.
    pub id: OperatorId,
    /// The name that is shown.
    pub name: String,
    /// This subtask, from 0.
    pub subtask: u32,
    /// The number of subtasks.
    pub parallelism: u32,
    /// The number of key groups.
    pub max_parallelism: u32,
    /// The run of the subtask, from 0.
    pub attempt: u32,
}

impl OperatorInfo {
    /// The key groups of this subtask.
    pub fn key_groups(&self) -> KeyGroupRange {
        KeyGroupRange::of_subtask(self.subtask, self.parallelism, self.max_parallelism)
    }
}

/// Takes the description of a keyed state, a key group, and entries of that state and group.
pub type BlockVisitor<'a> = dyn FnMut(&KeyedStateMeta, KeyGroup, &[u8]) -> Result<(), BoxError> + 'a;

/// State to start from, already cut to what this subtask gets.
pub trait RestoredState {
    /// The snapshot that it comes from.
    fn checkpoint(&self) -> CheckpointId;

    /// The lists of this operator: its share of those to split, all of those to unite.
    fn lists(&self) -> &[ListStateSnapshot];

    /// Calls `visit` for each keyed block of the subtask's key groups.
    ///
    /// # Errors
    /// A block cannot be read, its checksum is wrong, or `visit` failed.
    fn keyed_blocks(&self, visit: &mut BlockVisitor<'_>) -> Result<(), BoxError>;
}

/// What an operator is opened with.
pub struct OpenContext<'a> {
    /// Which instance of which operator this is.
    pub info: &'a OperatorInfo,
    /// How the job is run.
    pub mode: RuntimeMode,
    /// State to start from; `None` in a first run.
    pub restored: Option<&'a dyn RestoredState>,
    /// The clock to use.
    pub clock: &'a SharedClock,
    /// Where the operator's metrics belong.
    pub metrics: &'a MetricGroup,
    /// The job's accumulators.
    pub accumulators: &'a Accumulators,
    /// Time between periodic watermarks; zero: a watermark after each batch.
    pub watermark_interval: Duration,
    /// How often a commit is tried before the task fails.
    pub commit_retries: u32,
    /// A seed for random decisions, different for each subtask and attempt.
    pub seed: u64,
}

impl std::fmt::Debug for OpenContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenContext")
            .field("info", self.info)
            .field("mode", &self.mode)
            .field("restored", &self.restored.is_some())
            .finish()
    }
}
