//! What subtasks did for the last checkpoints, for people.

use super::history::CheckpointRecord;
use flott_core::{
    Timestamp,
    id::{CheckpointId, SubtaskId},
};
use flott_rpc::task::SubtaskCheckpointStats;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Acknowledgements of all checkpoints together that are remembered; those of the newest two are in any case. About 100 bytes each.
const MOST: usize = 20_000;
/// Checkpoints of which acknowledgements are remembered: as many as the dashboard draws.
const DETAILED: usize = 60;

/// What a subtask did for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// When the JobManager had it.
    pub at: Timestamp,
    /// Its figures.
    pub stats: SubtaskCheckpointStats,
}

/// The acknowledgements of a checkpoint.
pub type Acknowledgements = BTreeMap<SubtaskId, Acknowledgement>;

/// A subtask has acknowledged a checkpoint.
pub(super) fn acknowledge(
    checkpoints: &mut VecDeque<CheckpointRecord>,
    checkpoint: CheckpointId,
    subtask: SubtaskId,
    acknowledgement: Acknowledgement,
) {
    // The ones under way are the newest.
    if let Some(record) = checkpoints.iter_mut().find(|record| record.id == checkpoint) {
        // Copied only if someone reads it at this moment.
        Arc::make_mut(&mut record.acknowledged).insert(subtask, acknowledgement);
    }
}

/// Forgets the acknowledgements of the oldest checkpoints if there are too many.
pub(super) fn forget_details(checkpoints: &mut VecDeque<CheckpointRecord>) {
    let mut sum = 0;
    for (place, record) in checkpoints.iter_mut().enumerate() {
        sum += record.acknowledged.len();
        // The one that has just begun has none yet.
        if place > DETAILED || place > 2 && sum > MOST {
            record.acknowledged = Arc::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::id::VertexId;

    const LAST: u64 = 2 * DETAILED as u64;

    fn record(id: u64) -> CheckpointRecord {
        CheckpointRecord {
            id: CheckpointId(id),
            triggered_at: 0,
            savepoint: false,
            stops: false,
            subtasks: 1,
            parallelism: vec![1],
            end: None,
            acknowledged: Arc::default(),
        }
    }

    fn run(subtasks: u32) -> VecDeque<CheckpointRecord> {
        let mut checkpoints = VecDeque::new();
        for id in 1..=LAST {
            checkpoints.push_front(record(id));
            forget_details(&mut checkpoints);
            for index in 0..subtasks {
                let known = Acknowledgement { at: 1, stats: SubtaskCheckpointStats { bytes: id, ..SubtaskCheckpointStats::default() } };
                acknowledge(&mut checkpoints, CheckpointId(id), SubtaskId { vertex: VertexId(0), index }, known);
            }
        }
        checkpoints
    }

    #[test]
    fn the_last_checkpoints_are_known_down_to_their_subtasks() {
        let checkpoints = run(3);
        let known = checkpoints.iter().take_while(|record| record.acknowledged.len() == 3).count();
        assert_eq!((known, checkpoints[known].acknowledged.len()), (DETAILED + 1, 0));
        assert_eq!(checkpoints[0].acknowledged.values().map(|one| one.stats.bytes).collect::<Vec<_>>(), [LAST; 3]);
    }

    #[test]
    fn what_is_known_of_a_large_job_is_bounded() {
        let checkpoints = run(15_000);
        let known: Vec<usize> = checkpoints.iter().map(|record| record.acknowledged.len()).filter(|len| *len > 0).collect();
        assert_eq!(known, [15_000; 3]);
    }
}
