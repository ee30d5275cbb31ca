//! States of jobs and tasks, named as in Flink.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobStatus {
    /// Known, nothing runs yet.
    Created,
    /// Tasks run or are being started.
    Running,
    /// A failure that no restart follows; tasks are being ended.
    Failing,
    /// Ended by a failure.
    Failed,
    /// A cancellation was asked for; tasks are being ended.
    Cancelling,
    /// Ended by a cancellation.
    Canceled,
    /// Ended by the end of its input, or by stop with savepoint.
    Finished,
    /// Waiting to be restarted after a failure.
    Restarting,
    /// A new leader has taken the job over and waits for what its workers tell.
    Reconciling,
}

impl JobStatus {
    /// Whether the job has ended for good.
    pub fn is_terminal(self) -> bool {
        matches!(self, JobStatus::Failed | JobStatus::Canceled | JobStatus::Finished)
    }
}

/// The state of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Not placed yet.
    Created,
    /// Waiting for a slot.
    Scheduled,
    /// On its way.
    Deploying,
    /// Restoring its state.
    Initializing,
    /// At work.
    Running,
    /// At the end of its input, committed, gone.
    Finished,
    /// Asked to end.
    Canceling,
    /// Ended because it was asked to.
    Canceled,
    /// Ended by an error.
    Failed,
}

impl TaskStatus {
    /// Whether the attempt has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, TaskStatus::Finished | TaskStatus::Canceled | TaskStatus::Failed)
    }
}

macro_rules! display_as_serialized {
    ($($status:ty: $($variant:ident = $name:literal),*;)*) => {$(
        impl fmt::Display for $status {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $name),* })
            }
        }
    )*};
}
display_as_serialized! {
    JobStatus: Created = "CREATED", Running = "RUNNING", Failing = "FAILING", Failed = "FAILED", Cancelling = "CANCELLING",
        Canceled = "CANCELED", Finished = "FINISHED", Restarting = "RESTARTING", Reconciling = "RECONCILING";
    TaskStatus: Created = "CREATED", Scheduled = "SCHEDULED", Deploying = "DEPLOYING", Initializing = "INITIALIZING",
        Running = "RUNNING", Finished = "FINISHED", Canceling = "CANCELING", Canceled = "CANCELED", Failed = "FAILED";
}
