//! The complete checkpoints from which the job can be restarted.
//!
//! ```text
//!  complete ──▶ latest ──(a newer one)──▶ kept ──(num_retained newer ones)──▶ removed by the storage
//! ```
//! Plain savepoints are not among them: sinks commit nothing for them, and they belong to the user. The savepoint with which a
//! job stops is, because sinks do commit for it: starting from anything older would bring records twice.

use crate::restore::RestoredSnapshot;
use flott_rpc::client::{CheckpointCounts, CheckpointSummary};
use std::collections::VecDeque;

/// How many summaries are kept for display.
const HISTORY: usize = 10;

/// The complete checkpoints of a job.
#[derive(Debug, Clone, Default)]
pub struct CompletedCheckpoints {
    latest: Option<RestoredSnapshot>,
    history: VecDeque<CheckpointSummary>,
    completed: u64,
    failed: u64,
}

impl CompletedCheckpoints {
    /// Before the job's first own checkpoint: what it starts from.
    pub(crate) fn new(restored: Option<RestoredSnapshot>) -> Self {
        CompletedCheckpoints { latest: restored, ..CompletedCheckpoints::default() }
    }

    /// What tasks are started from.
    pub fn latest(&self) -> Option<&RestoredSnapshot> {
        self.latest.as_ref()
    }

    /// The last complete snapshots, savepoints too, oldest first.
    pub fn history(&self) -> impl Iterator<Item = &CheckpointSummary> {
        self.history.iter()
    }

    /// The job is restarted from `snapshot` from now on.
    pub(crate) fn register(&mut self, snapshot: RestoredSnapshot) {
        self.latest = Some(snapshot);
    }

    pub(crate) fn count_completed(&mut self, summary: CheckpointSummary) {
        self.completed += 1;
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(summary);
    }

    pub(crate) fn count_failed(&mut self) {
        self.failed += 1;
    }

    pub(crate) fn counts(&self, in_progress: usize) -> CheckpointCounts {
        CheckpointCounts {
            completed: self.completed,
            failed: self.failed,
            in_progress: in_progress as u64,
            last: self.history.back().cloned(),
        }
    }
}
