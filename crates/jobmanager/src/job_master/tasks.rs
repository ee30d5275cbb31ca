//! What tasks, enumerators and slots say. Only the newest attempt of a subtask is heard.

use super::JobMaster;
use crate::event::{JobAction, Now};
use flott_core::{
    error::TaskFailure,
    id::{AttemptId, SubtaskId, VertexId},
};
use flott_rpc::{
    client::JobEnd,
    status::TaskStatus,
    task::{EnumeratorReport, TaskReport},
};
use std::{collections::BTreeMap, time::Duration};

/// A subtask for people: its vertex and its place.
pub(super) fn name_of(topology: &flott_graph::JobTopology, subtask: flott_core::id::SubtaskId) -> String {
    let vertex = topology.vertex(subtask.vertex);
    format!("`{}` {}/{}", vertex.name, subtask.index + 1, vertex.parallelism)
}

impl JobMaster {
    pub(super) fn task_reports(&mut self, now: Now, attempt: AttemptId, report: TaskReport, out: &mut Vec<JobAction>) {
        let Some(place) = self.graph.place_of_alive(attempt) else {
            if let TaskReport::CheckpointAcknowledged { checkpoint, .. } = report {
                self.with_coordinator(now, out, |coordinator, context| coordinator.acknowledged_late(checkpoint, context));
            }
            return;
        };
        let task = self.graph.task(place);
        let vertex = task.subtask.vertex;
        let subtask = task.subtask.index;
        let running = task.status == TaskStatus::Running;
        let canceling = task.status == TaskStatus::Canceling;
        let deploying = task.status == TaskStatus::Deploying;
        let (released, restored_finished) = (task.released, task.restored_finished);
        match report {
            TaskReport::Running if deploying => {
                self.graph.task_mut(place).status = TaskStatus::Running;
                // The reader of a finished task is not run: splits for it would be lost.
                if !restored_finished && let Some(source) = self.sources.get_mut(&vertex) {
                    source.reader_runs(subtask, &self.graph, out);
                }
            }
            TaskReport::Running => {}
            TaskReport::EndOfData => self.graph.task_mut(place).end_of_data |= running,
            TaskReport::Finished { accumulators } if running && (released || self.coordinator.has_stopped()) => {
                let mut task = self.graph.task_mut(place);
                task.status = TaskStatus::Finished;
                task.accumulators = accumulators;
                drop(task);
                if let Some(source) = self.sources.get_mut(&vertex) {
                    source.reader_lost(subtask);
                }
                self.with_coordinator(now, out, |coordinator, context| coordinator.task_finished(attempt, context));
            }
            TaskReport::Finished { .. } | TaskReport::Canceled if canceling => self.graph.task_mut(place).status = TaskStatus::Canceled,
            TaskReport::Finished { .. } => {
                let failure = self.failure_of(attempt, "it finished before its last checkpoint was complete");
                self.attempt_failed(now, place, failure, out);
            }
            TaskReport::Canceled => {
                let failure = self.failure_of(attempt, "it was cancelled, but not by its JobManager");
                self.attempt_failed(now, place, failure, out);
            }
            // What the user chose to start from does not fit: another attempt would find the same.
            TaskReport::Failed(failure) if attempt.attempt == 0 && deploying && self.settings.restore.is_some() => {
                self.graph.task_mut(place).status = TaskStatus::Failed;
                self.remember_failure(Some(attempt), &failure, false, out);
                self.begin_end(now, JobEnd::Failed(failure), out);
            }
            TaskReport::Failed(failure) => self.attempt_failed(now, place, failure, out),
            TaskReport::CheckpointAcknowledged { checkpoint, snapshot, stats } => {
                self.with_coordinator(now, out, |coordinator, context| {
                    if running {
                        coordinator.acknowledged(attempt, checkpoint, *snapshot, stats, context);
                    } else {
                        coordinator.acknowledged_late(checkpoint, context);
                    }
                })
            }
            TaskReport::CheckpointDeclined { checkpoint, reason } => {
                self.with_coordinator(now, out, |coordinator, context| coordinator.declined(attempt, checkpoint, reason, context));
            }
            TaskReport::RequestSplit if running => {
                if let Some(source) = self.sources.get_mut(&vertex) {
                    source.request_split(subtask, out);
                }
            }
            // Whoever asked is answered by the shell.
            TaskReport::RequestSplit | TaskReport::Answer { .. } => {}
        }
    }

    pub(super) fn attempt_lost(&mut self, now: Now, attempt: AttemptId, reason: String, out: &mut Vec<JobAction>) {
        if let Some(place) = self.graph.place_of_alive(attempt) {
            let failure = self.failure_of(attempt, reason);
            self.attempt_ended(now, place, failure, true, out);
        }
    }

    fn attempt_failed(&mut self, now: Now, place: usize, failure: TaskFailure, out: &mut Vec<JobAction>) {
        self.attempt_ended(now, place, failure, false, out);
    }

    pub(super) fn slots_offered(&mut self, offered: Vec<u32>, out: &mut Vec<JobAction>) {
        let surplus = if self.ending.is_some() { offered } else { self.slots.offer(offered) };
        if !surplus.is_empty() {
            out.push(JobAction::ReleaseSlots(surplus));
        }
    }

    pub(super) fn slots_lost(&mut self, now: Now, lost: &[u32], reason: &str, out: &mut Vec<JobAction>) {
        let mut subtasks: BTreeMap<SubtaskId, u32> = BTreeMap::new();
        for slot in lost {
            subtasks.extend(self.slots.subtasks_in(self.graph.topology(), *slot).into_iter().map(|subtask| (subtask, *slot)));
        }
        self.slots.lose(lost);
        // All of them are gone before any of their regions is taken down: nobody is there to be told.
        let mut gone = Vec::new();
        for (subtask, slot) in subtasks {
            let Some(place) = self.graph.place(subtask) else { continue };
            let task = self.graph.task(place);
            if let Some(attempt) = task.alive().filter(|_| task.slot == Some(slot)) {
                self.graph.task_mut(place).status = TaskStatus::Failed;
                gone.push((place, attempt, slot));
            }
        }
        for (place, attempt, slot) in gone {
            let failure = self.failure_of(attempt, format!("{reason} (it ran in slot {slot})"));
            self.attempt_ended(now, place, failure, true, out);
        }
    }

    pub(super) fn enumerator_reports(
        &mut self,
        now: Now,
        vertex: VertexId,
        after: u64,
        report: EnumeratorReport,
        out: &mut Vec<JobAction>,
    ) {
        let Some(source) = self.sources.get_mut(&vertex).filter(|source| source.is_current(after)) else { return };
        if self.ending.is_some() {
            return;
        }
        match report {
            EnumeratorReport::Assign { subtask, splits } => {
                let count = splits.len();
                // Readers that have stopped with a savepoint need no splits: those assigned since are in the enumerator's state.
                if !source.assign(subtask, splits, after, &self.graph, out) && !self.coordinator.has_stopped() {
                    let reason = format!(
                        "it assigned {count} splits to reader {subtask}, which is not there, has ended, or was told that no more come; nobody would read them"
                    );
                    self.enumerator_failed(now, vertex, self.failure_of_source(vertex, reason), false, out);
                }
            }
            EnumeratorReport::NoMoreSplits { subtask } => source.no_more_splits(subtask, after, &self.graph, out),
            EnumeratorReport::Snapshot { checkpoint, state } => {
                self.with_coordinator(now, out, |coordinator, context| coordinator.enumerator_state(vertex, checkpoint, state, context));
            }
            EnumeratorReport::SnapshotFailed { checkpoint, reason } => {
                self.with_coordinator(now, out, |coordinator, context| coordinator.enumerator_refuses(vertex, checkpoint, reason, context));
            }
            EnumeratorReport::Failed(failure) => self.enumerator_failed(now, vertex, failure, false, out),
        }
    }

    pub(super) fn enumerator_lost(&mut self, now: Now, vertex: VertexId, reason: String, out: &mut Vec<JobAction>) {
        if self.sources.contains_key(&vertex) && self.ending.is_none() {
            let regions = self.unfinished_regions();
            if regions.iter().all(|region| self.failover.restarts(*region)) {
                // Tasks that were lost with the same process are being restarted already: with them, and all at once, the enumerator is.
                self.broken_sources.insert(vertex);
                self.take_down(now, regions, Duration::ZERO, out);
            } else {
                self.enumerator_failed(now, vertex, self.failure_of_source(vertex, reason), true, out);
            }
        }
    }

    /// All readers are started again, with an enumerator made anew.
    fn enumerator_failed(&mut self, now: Now, vertex: VertexId, failure: TaskFailure, lost: bool, out: &mut Vec<JobAction>) {
        self.broken_sources.insert(vertex);
        self.global_failure(now, failure, lost, out);
    }

    pub(super) fn failure_of(&self, attempt: AttemptId, reason: impl Into<String>) -> TaskFailure {
        let vertex = self.graph.topology().vertex(attempt.subtask.vertex);
        TaskFailure {
            operator: vertex.name.clone(),
            subtask: attempt.subtask.index,
            parallelism: vertex.parallelism,
            attempt: attempt.attempt,
            causes: vec![reason.into()],
            location: None,
            panicked: false,
            unrecoverable: false,
        }
    }

    fn failure_of_source(&self, vertex: VertexId, reason: String) -> TaskFailure {
        TaskFailure::without_task(format!("split enumerator of {}", self.graph.topology().vertex(vertex).name), reason)
    }
}
