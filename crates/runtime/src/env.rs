//! What a task is given from outside, so that a simulation can give it something else.

use flott_core::{id::AttemptId, time::SharedClock};
use flott_rpc::task::TaskReport;
use flott_storage::StateFiles;
use std::sync::Arc;

/// Takes what tasks report to the JobManager. Reports of one attempt keep their order.
pub trait TaskReporter: Send + Sync {
    /// Hands a report over; must not block.
    fn report(&self, attempt: AttemptId, report: TaskReport);
}

/// Runs work that blocks, such as writing state, beside the tasks.
pub trait Background: Send + Sync {
    /// Runs `work` soon, on another thread. Works may overtake each other.
    fn run(&self, work: Box<dyn FnOnce() + Send>);
}

/// What a task is given from outside.
#[derive(Clone)]
pub struct TaskEnv {
    /// Time.
    pub clock: SharedClock,
    /// Where to report.
    pub reporter: Arc<dyn TaskReporter>,
    /// For work that blocks.
    pub background: Arc<dyn Background>,
    /// Where snapshots are kept.
    pub storage: Arc<dyn StateFiles>,
    /// From which tasks derive their random decisions.
    pub seed: u64,
}

impl std::fmt::Debug for TaskEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskEnv").field("seed", &self.seed).finish_non_exhaustive()
    }
}
