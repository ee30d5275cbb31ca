//! A new leader takes over a job that runs.
//!
//! ```text
//!  Recover ─▶ Reconciling: workers tell what they run (Adopted), everything else waits
//!                │ every subtask and enumerator is accounted for, or the deadline is over
//!                ▼
//!             adopted: tasks and enumerators that go on          started again from the latest checkpoint: regions of which a
//!             are told what they may have missed                 task is missing or has ended; all, if an enumerator is missing
//! ```
//! If the leader before had decided that the job is cancelled or fails, nothing is started again: what is there is told to end.
//!
//! What the leader before had under way is void: a checkpoint that is not in the register will never be, since this leader's term
//! has begun there. What it may have known and nobody else does is not needed:
//! - Splits on their way to a reader are what the enumerator has assigned and the reader was not given.
//! - Requests and announcements of readers are made again: enumerators hear the same of every reader that was restarted.
//! - The final state of a finished task is in the latest checkpoint, or it would not have finished.

use super::{JobMaster, tasks};
use crate::{
    checkpoint::without_files,
    event::{JobAction, JobEvent, JobNote, Now},
    ledger::Ledger,
    restore::{self, RestoredSnapshot},
};
use flott_core::{
    error::TaskFailure,
    id::{CheckpointId, SubtaskId, VertexId},
};
use flott_rpc::{
    inventory::{EnumeratorInventory, ReaderInventory, TaskInventory, TaskState, WorkerInventory},
    status::{JobStatus, TaskStatus},
    task::{SnapshotKind, TaskCommand, TaskReport},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Checkpoints of the leader before that tasks are told of, at most: so many were hardly under way.
const MOST_ABORTED: u64 = 64;

/// What is known so far.
#[derive(Debug, Clone)]
pub(super) struct Recovery {
    deadline: Duration,
    /// The accounts of the workers that have come, brought up to date.
    ledger: Ledger,
    /// What else has happened since, in its order.
    deferred: Vec<JobEvent>,
}

impl Recovery {
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }
}

impl JobMaster {
    /// Begins to wait for workers.
    pub(super) fn recover(&mut self, now: Now, wait: Duration, out: &mut Vec<JobAction>) {
        self.recovery = Some(Recovery { deadline: now.monotonic.saturating_add(wait), ledger: Ledger::default(), deferred: Vec::new() });
        self.set_status(JobStatus::Reconciling, out);
    }

    /// Takes an event while workers are awaited.
    pub(super) fn while_recovering(&mut self, now: Now, event: JobEvent, out: &mut Vec<JobAction>) {
        let Some(recovery) = &mut self.recovery else { return };
        match event {
            JobEvent::Adopted(inventory) => recovery.ledger.merge(*inventory),
            JobEvent::Task(attempt, report) => recovery.ledger.report(attempt, &report),
            JobEvent::AttemptLost(attempt, _) => recovery.ledger.lost(attempt),
            JobEvent::SlotsLost { slots, .. } => recovery.ledger.slots_lost(&slots),
            JobEvent::Enumerator { vertex, after, report } => recovery.ledger.enumerator_report(vertex, after, &report),
            JobEvent::EnumeratorLost { vertex, .. } => recovery.ledger.enumerator_lost(vertex),
            JobEvent::Tick => {}
            event => recovery.deferred.push(event),
        }
        if let Some(parallelism) = recovery.ledger.parallelism().map(<[u32]>::to_vec) {
            self.take_over_parallelism(&parallelism);
        }
        let complete = self.is_accounted_for();
        if let Some(recovery) = self.recovery.take_if(|recovery| complete || recovery.deadline <= now.monotonic) {
            let deferred = self.adopt(now, recovery, out);
            out.push(JobAction::Recovered);
            self.advance(now, out);
            for event in deferred {
                out.extend(self.handle(now, event));
            }
        }
    }

    fn is_accounted_for(&self) -> bool {
        let Some(recovery) = &self.recovery else { return false };
        self.graph.tasks().iter().all(|task| recovery.ledger.knows(task.subtask))
            && self.sources.keys().all(|vertex| recovery.ledger.knows_enumerator(*vertex))
    }

    /// Goes on with what is there. Returns what has happened meanwhile.
    fn adopt(&mut self, now: Now, recovery: Recovery, out: &mut Vec<JobAction>) -> Vec<JobEvent> {
        let latest = self.coordinator.completed().latest().cloned();
        let WorkerInventory { tasks, enumerators, last_checkpoint } = recovery.ledger.inventory();
        let enumerators: BTreeMap<VertexId, EnumeratorInventory> = enumerators.into_iter().map(|found| (found.vertex, found)).collect();
        let known = tasks.iter().map(|task| task.attempt.attempt).max();
        self.coordinator.continue_above(CheckpointId(last_checkpoint));
        if known.is_none() {
            if self.go_on_ending(now, out) {
                return recovery.deferred;
            }
            // It was never deployed, or nothing of it is left but what it has stored.
            if let Some(parallelism) = latest.as_ref().and_then(|latest| self.parallelism_of(latest)) {
                self.take_over_parallelism(&parallelism);
            }
            self.graph.number_attempts_from(self.coordinator.epoch_attempts());
            self.start(now);
            return recovery.deferred;
        }
        let mut readers = BTreeMap::new();
        // Which enumerator the readers got their splits from: one that was made earlier may still be around somewhere.
        let mut made: BTreeMap<VertexId, u64> = BTreeMap::new();
        for task in &tasks {
            let newest = made.entry(task.attempt.subtask.vertex).or_default();
            *newest = task.enumerator.max(*newest);
        }
        let mut spare: BTreeSet<u32> = tasks.iter().map(|task| task.slot).collect();
        let mut tasks: BTreeMap<SubtaskId, TaskInventory> = tasks.into_iter().map(|task| (task.attempt.subtask, task)).collect();
        let mut held = Vec::new();
        for region in 0..self.graph.regions().len() {
            let places = self.graph.regions().tasks(region).to_vec();
            let subtasks: Vec<SubtaskId> = places.iter().map(|place| self.graph.task(*place).subtask).collect();
            // The tasks of a region are always started together, so that their attempts have one number. What has another is left
            // from before, and the process with the newest is gone.
            let newest = subtasks.iter().filter_map(|subtask| tasks.get(subtask)).map(|task| task.attempt.attempt).max();
            for (place, subtask) in places.iter().zip(&subtasks) {
                let Some(found) = tasks.remove(subtask).filter(|found| Some(found.attempt.attempt) == newest) else { continue };
                held.push((matches!(found.state, TaskState::Ended(_)), *subtask, found.slot));
                readers.insert(*subtask, found.reader.clone());
                self.adopt_task(*place, found, latest.as_ref());
            }
            if !places.iter().all(|place| self.goes_on(*place)) {
                // Above all that may still run somewhere out of reach.
                let number = known.max(Some(self.coordinator.epoch_attempts()));
                places.iter().for_each(|place| self.graph.task_mut(*place).attempt_above = number);
            }
        }
        // Those in which something runs come first: the slot of a task that has ended may be lost, and another in its place.
        held.sort_unstable();
        for (_, subtask, slot) in held {
            if self.slots.adopt(subtask, slot) {
                spare.remove(&slot);
            }
        }
        if !spare.is_empty() {
            out.push(JobAction::ReleaseSlots(spare.into_iter().collect()));
        }
        self.started = true;
        self.deployed = true;
        self.adopt_stop(latest.as_ref());
        self.tell_of_checkpoints(latest.as_ref(), last_checkpoint, out);
        self.adopt_sources(&enumerators, &made, &readers, latest.as_ref(), out);
        self.restart_what_is_missing(now, out);
        recovery.deferred
    }

    fn adopt_task(&mut self, place: usize, found: TaskInventory, latest: Option<&RestoredSnapshot>) {
        let topology = self.graph.topology().clone();
        let mut task = self.graph.task_mut(place);
        task.attempt = Some(found.attempt.attempt);
        task.slot = Some(found.slot);
        task.restored_finished = found.restored_finished;
        task.restored_from = found.restored_from;
        // One that was started from the latest checkpoint has yet to take part in another.
        let taken_part = latest.filter(|latest| found.restored_from.is_none_or(|from| from < latest.metadata.checkpoint));
        let last =
            taken_part.and_then(|latest| restore::final_state(&latest.metadata, topology.vertex(task.subtask.vertex), task.subtask.index));
        task.released = last.is_some();
        task.final_snapshot = last.map(|last| without_files(Arc::new(last)));
        task.end_of_data = found.state == TaskState::EndOfData;
        task.status = match found.state {
            TaskState::Deploying => TaskStatus::Deploying,
            TaskState::Running | TaskState::EndOfData => TaskStatus::Running,
            TaskState::Canceling => TaskStatus::Canceling,
            TaskState::Ended(report) => match report.map(|report| *report) {
                Some(TaskReport::Finished { accumulators }) if task.released || stops(latest, found.restored_from) => {
                    task.accumulators = accumulators;
                    TaskStatus::Finished
                }
                Some(TaskReport::Canceled) => TaskStatus::Canceled,
                _ => TaskStatus::Failed,
            },
        };
    }

    fn goes_on(&self, place: usize) -> bool {
        let task = self.graph.task(place);
        task.is_finished() || matches!(task.status, TaskStatus::Deploying | TaskStatus::Running)
    }

    /// Whether the leader before was stopping the job with a savepoint that is complete: then tasks end without being at their end.
    fn adopt_stop(&mut self, latest: Option<&RestoredSnapshot>) {
        let Some(latest) = latest else { return };
        let id = latest.metadata.checkpoint;
        let mut deployed = self.graph.tasks().iter().filter(|task| task.current().is_some());
        if deployed.all(|task| stops(Some(latest), task.restored_from) && task.restored_from != Some(id)) {
            self.coordinator.stopped_before(id, latest.location.clone());
        }
    }

    /// Tasks learn what they may have missed: that the latest checkpoint is complete, and that later ones are void.
    fn tell_of_checkpoints(&mut self, latest: Option<&RestoredSnapshot>, last: u64, out: &mut Vec<JobAction>) {
        let complete = latest.map(|latest| latest.metadata.checkpoint);
        let above = complete.map_or(0, |complete| complete.0).max(last.saturating_sub(MOST_ABORTED)) + 1;
        let running: Vec<_> = self.graph.tasks().iter().filter_map(|task| task.running()).collect();
        for checkpoint in (above..=last).map(CheckpointId) {
            out.extend(running.iter().map(|attempt| JobAction::Send(*attempt, TaskCommand::CheckpointAborted(checkpoint))));
            out.push(JobAction::DiscardCheckpoint { checkpoint, kind: SnapshotKind::Checkpoint });
        }
        if let Some(complete) = complete {
            out.extend(running.iter().map(|attempt| JobAction::Send(*attempt, TaskCommand::CheckpointCompleted(complete))));
        }
    }

    fn adopt_sources(
        &mut self,
        enumerators: &BTreeMap<VertexId, EnumeratorInventory>,
        made: &BTreeMap<VertexId, u64>,
        readers: &BTreeMap<SubtaskId, ReaderInventory>,
        latest: Option<&RestoredSnapshot>,
        out: &mut Vec<JobAction>,
    ) {
        let complete = latest.map(|latest| latest.metadata.checkpoint);
        for (vertex, source) in &mut self.sources {
            let mine: Vec<ReaderInventory> = (0..self.graph.of_vertex(*vertex).len() as u32)
                .map(|index| readers.get(&SubtaskId { vertex: *vertex, index }).cloned().unwrap_or_default())
                .collect();
            let newest = made.get(vertex).copied().unwrap_or(0);
            let found = enumerators.get(vertex);
            source.continue_above(found.map_or(0, |found| found.last_command).max(newest));
            match found.filter(|found| found.failed.is_none() && found.created == newest) {
                Some(enumerator) => source.adopt(enumerator, &mine, complete, &self.graph, out),
                // It has nothing to do any more, but is part of every checkpoint.
                None if self.graph.of_vertex(*vertex).iter().all(|task| task.is_finished()) => {
                    let state =
                        latest.and_then(|latest| restore::enumerator_state(&latest.metadata, self.graph.topology().vertex(*vertex)));
                    source.create(complete, state, out);
                }
                None => _ = self.broken_sources.insert(*vertex),
            }
        }
    }

    fn restart_what_is_missing(&mut self, now: Now, out: &mut Vec<JobAction>) {
        let missing: Vec<SubtaskId> =
            (0..self.graph.tasks().len()).filter(|place| !self.goes_on(*place)).map(|place| self.graph.task(place).subtask).collect();
        let broken = !self.broken_sources.is_empty();
        let regions: BTreeSet<usize> = (0..self.graph.regions().len())
            .filter(|region| {
                let all_go_on = self.graph.regions().tasks(*region).iter().all(|place| self.goes_on(*place));
                !all_go_on || broken && !self.graph.region_finished(*region)
            })
            .collect();
        out.push(JobAction::Note(JobNote::Adopted {
            tasks: self.graph.tasks().len() - missing.len(),
            missing: missing.len(),
            parallelism: self.graph.topology().parallelism(),
        }));
        if self.go_on_ending(now, out) {
            return;
        }
        if regions.is_empty() {
            return self.set_status(JobStatus::Running, out);
        }
        let reason = match missing.first() {
            Some(first) => format!(
                "the JobManager has changed, and {} of {} tasks were not found running afterwards, first {}",
                missing.len(),
                self.graph.tasks().len(),
                tasks::name_of(self.graph.topology(), *first)
            ),
            None => "the JobManager has changed, and the process with the enumerators of the sources was not found afterwards".to_owned(),
        };
        self.restart(now, regions, TaskFailure::without_task("job", reason), None, true, out);
    }
}

/// Whether a task that was started from `restored_from` ends because of the stop whose savepoint is the latest checkpoint.
fn stops(latest: Option<&RestoredSnapshot>, restored_from: Option<CheckpointId>) -> bool {
    latest.is_some_and(|latest| {
        latest.metadata.kind == flott_storage::SnapshotKind::StopWithSavepoint && restored_from != Some(latest.metadata.checkpoint)
    })
}
