//! Between clients and the JobManager.

use crate::status::{JobStatus, TaskStatus};
use flott_core::{
    accumulator::AccumulatorValue,
    error::TaskFailure,
    id::{CheckpointId, JobId, SubtaskId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Tells an answer which question it belongs to.
pub type RequestId = u64;

/// How many subtasks a vertex may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParallelismBounds {
    /// With fewer it does not run.
    pub lower: u32,
    /// With more it does not run, however many slots there are.
    pub upper: u32,
}

impl ParallelismBounds {
    /// So many, no more and no fewer.
    pub fn exactly(parallelism: u32) -> Self {
        ParallelismBounds { lower: parallelism, upper: parallelism }
    }
}

/// How far a change of a job's parallelism is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RescaleState {
    /// A checkpoint is being taken for it; the job runs.
    TakingCheckpoint,
    /// The old tasks are being ended, the new ones started.
    Restarting,
    /// All new tasks run.
    Completed,
    /// It was given up: why.
    Failed(String),
    /// Another took its place, or there was nothing to change any more.
    Superseded,
}

/// What a change of a job's parallelism came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RescaleCause {
    /// The slots that were there when the job began.
    Start,
    /// Somebody asked for it.
    Requirements,
    /// Slots came.
    #[default]
    Slots,
    /// The job was started again, with slots that are left.
    Failover,
}

/// How many changes have come to which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RescaleTotals {
    /// Those after which all tasks ran.
    pub completed: u64,
    /// Those that were given up.
    pub failed: u64,
    /// Those that had become pointless.
    pub superseded: u64,
}

/// A change of a job's parallelism.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RescaleSummary {
    /// Counts them, from 1.
    pub number: u64,
    /// Why.
    pub reason: String,
    /// What it came from.
    #[serde(default)]
    pub cause: RescaleCause,
    /// What the parallelism of each vertex might be when it began.
    #[serde(default)]
    pub bounds: Vec<ParallelismBounds>,
    /// The number of subtasks of each vertex before.
    pub from: Vec<u32>,
    /// The number of subtasks of each vertex that is aimed at.
    pub to: Vec<u32>,
    /// The checkpoint from which the new tasks start.
    pub checkpoint: Option<CheckpointId>,
    /// When it began, wall clock.
    pub started: Timestamp,
    /// When the old tasks were told to end, wall clock.
    pub taken_down: Option<Timestamp>,
    /// When all new tasks ran, or it was given up, wall clock.
    pub ended: Option<Timestamp>,
    /// How far it is.
    pub state: RescaleState,
}

/// What a client wants of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobRequest {
    /// End it without finishing anything.
    Cancel,
    /// Take a checkpoint now.
    TriggerCheckpoint,
    /// Take a savepoint.
    TriggerSavepoint {
        /// The folder to put it under; `None`: the configured one.
        directory: Option<String>,
    },
    /// Take a savepoint and end with it.
    StopWithSavepoint {
        /// The folder to put it under; `None`: the configured one.
        directory: Option<String>,
        /// Whether event time is driven to its end first.
        drain: bool,
    },
    /// Run it with another parallelism from now on: the bounds of each vertex, in their order.
    Rescale(Vec<ParallelismBounds>),
    /// Run it with another parallelism from now on.
    RescaleTo {
        /// For all vertices, as far as they can have it; `None`: they keep what they have.
        all: Option<ParallelismBounds>,
        /// For some vertices, by number, id, name or uid of their first operator; those that are joined with them by forward edges get
        /// the same.
        vertices: Vec<(String, ParallelismBounds)>,
    },
}

/// A snapshot that was asked for and is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotTaken {
    /// Its number.
    pub checkpoint: CheckpointId,
    /// Its folder.
    pub location: String,
}

/// What becomes of a question to an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperatorReply {
    /// Its answer.
    Answer(#[serde(with = "serde_bytes")] Vec<u8>),
    /// It does not run now, or is too busy to answer: ask again.
    NotThere,
    /// The job has ended.
    Ended,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum JobReply {
    /// Under way or done.
    Accepted,
    /// The snapshot is complete.
    Snapshot(SnapshotTaken),
    /// It will not be: why.
    Refused(String),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum JobEnd {
    /// By the end of its input, or by stop with savepoint.
    Finished,
    /// By a cancellation.
    Canceled,
    /// By a failure.
    Failed(TaskFailure),
}

/// What comes back from a job that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobOutcome {
    /// How it ended.
    pub end: JobEnd,
    /// The accumulators of all tasks, merged.
    pub accumulators: BTreeMap<String, AccumulatorValue>,
    /// How often it, or a region of it, was restarted.
    pub restarts: u64,
    /// Its checkpoints.
    pub checkpoints: CheckpointCounts,
}

/// Figures of a complete checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSummary {
    /// Its number.
    pub checkpoint: CheckpointId,
    /// Its folder; empty if it is kept in memory.
    pub location: String,
    /// Whether the user asked for it.
    pub savepoint: bool,
    /// From trigger to completion.
    pub duration: Duration,
    /// Bytes of state.
    pub bytes: u64,
    /// The longest time that a task stood still for it.
    pub longest_sync: Duration,
    /// The longest turn of a task's loop while it was writing its snapshot: a batch, and what had to be written for it.
    pub longest_step: Duration,
    /// The longest alignment of a task.
    pub longest_alignment: Duration,
    /// When it was complete, wall clock.
    pub completed_at: Timestamp,
}

/// Checkpoints of a job so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CheckpointCounts {
    /// Complete ones.
    pub completed: u64,
    /// Failed ones.
    pub failed: u64,
    /// Those under way.
    pub in_progress: u64,
    /// The last complete one.
    pub last: Option<CheckpointSummary>,
}

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobOverview {
    /// The job.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: JobStatus,
    /// The state of each subtask's newest attempt.
    pub tasks: Vec<(SubtaskId, TaskStatus)>,
    /// Its checkpoints.
    pub checkpoints: CheckpointCounts,
    /// Restarts so far.
    pub restarts: u64,
    /// The last failures, newest last.
    pub failures: Vec<TaskFailure>,
    /// What the parallelism of each vertex may be.
    #[serde(default)]
    pub requirements: Vec<ParallelismBounds>,
    /// The slots that the job wants beyond those that it has.
    #[serde(default)]
    pub slots_wanted: u32,
    /// The last changes of its parallelism, newest last.
    #[serde(default)]
    pub rescales: Vec<RescaleSummary>,
    /// All of its changes that have come to an end.
    #[serde(default)]
    pub rescale_totals: RescaleTotals,
    /// The savepoint with which it stops or has stopped, once that is complete.
    #[serde(default)]
    pub stopped: Option<SnapshotTaken>,
}
