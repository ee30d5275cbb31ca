//! What has happened to a job, for people: states and when they began, attempts, failures, checkpoints.

use super::{
    acknowledged::{Acknowledgement, Acknowledgements, acknowledge, forget_details},
    last_figures::{self, AttemptFigures},
};
use flott_core::{
    Timestamp,
    error::TaskFailure,
    id::{AttemptId, CheckpointId, SubtaskId},
};
use flott_jobmanager::{JobAction, JobEvent, JobNote, event::StartedFrom};
use flott_rpc::{
    client::CheckpointSummary,
    inventory::{TaskInventory, TaskState},
    status::{JobStatus, TaskStatus},
    task::{TaskCommand, TaskReport},
};
use flott_storage::{CompletedCheckpoint, SnapshotKind};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Attempts of a subtask that are remembered. Flink's `web.history`-like bounds: what is older helps nobody.
const ATTEMPTS: usize = 16;
/// Attempts of a subtask, the last ones, of which it is remembered what they had counted.
const ATTEMPTS_WITH_FIGURES: usize = 4;
/// Failures that are remembered. Flink's `web.exception-history-size`.
const FAILURES: usize = 16;
/// Failures of other tasks that are remembered with one.
const FAILURES_ALONG: usize = 16;
/// Checkpoints that are remembered, of which clients see the last ones.
const CHECKPOINTS: usize = 100;

/// A run of a subtask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Its number, from 0.
    pub number: u32,
    /// The slot that it was put into.
    pub slot: u32,
    /// Its states and when it entered them.
    pub entered: Vec<(TaskStatus, Timestamp)>,
    /// What it had counted; `None` while it may go on, and if that is too long ago.
    #[serde(default, with = "last_figures::shared", skip_serializing_if = "Option::is_none")]
    pub figures: Option<Arc<AttemptFigures>>,
}

/// Something that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureRecord {
    /// When.
    pub at: Timestamp,
    /// How.
    pub failure: TaskFailure,
    /// The attempt; `None`: it was no task.
    pub attempt: Option<AttemptId>,
    /// The slot that it was in.
    pub slot: Option<u32>,
    /// What else failed before tasks were started again, oldest first.
    pub along: Vec<FailureRecord>,
}

impl FailureRecord {
    /// The failure of what is no task.
    fn without_task(at: Timestamp, failure: TaskFailure) -> Self {
        FailureRecord { at, failure, attempt: None, slot: None, along: Vec::new() }
    }
}

/// How a checkpoint ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CheckpointEnd {
    /// Complete.
    Completed(CheckpointSummary),
    /// Given up: when, and why.
    Failed(Timestamp, String),
}

/// A checkpoint or savepoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// Its number.
    pub id: CheckpointId,
    /// When it was triggered.
    pub triggered_at: Timestamp,
    /// Whether the user asked for it.
    pub savepoint: bool,
    /// Whether the job ends with it.
    pub stops: bool,
    /// The number of subtasks that take part.
    pub subtasks: u32,
    /// The number of subtasks of each vertex at that time; empty if nobody knows.
    #[serde(default)]
    pub parallelism: Vec<u32>,
    /// How it ended; `None`: under way.
    pub end: Option<CheckpointEnd>,
    /// What its subtasks did; empty for one that is too long ago. Not stored with a job that has ended.
    #[serde(skip)]
    pub acknowledged: Arc<Acknowledgements>,
}

/// A start of tasks from a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRecord {
    /// When.
    pub at: Timestamp,
    /// The snapshot's number.
    pub checkpoint: CheckpointId,
    /// Whether the user had asked for it.
    pub savepoint: bool,
    /// Its folder; empty if it is kept in memory.
    pub location: String,
}

/// What has happened to a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobHistory {
    /// The job's states and when it entered them; each state's last time.
    pub entered: Vec<(JobStatus, Timestamp)>,
    /// The attempts of each subtask, oldest first.
    pub attempts: BTreeMap<SubtaskId, VecDeque<AttemptRecord>>,
    /// The last failures that led to a restart or to the job's end, newest first.
    #[serde(default, rename = "failed")]
    pub failures: VecDeque<FailureRecord>,
    /// Whether what fails now belongs to the newest of them.
    #[serde(skip)]
    restarting: bool,
    /// The last checkpoints, newest first.
    pub checkpoints: VecDeque<CheckpointRecord>,
    /// How many of them were complete when this JobManager began to lead.
    #[serde(default)]
    pub found: u64,
    /// What it last started from.
    #[serde(default)]
    pub restore: Option<RestoreRecord>,
    /// How often it has started from a snapshot.
    #[serde(default)]
    pub restores: u64,
    /// Whether its checkpoints were removed at its end.
    #[serde(default)]
    pub discarded_all: bool,
    /// The number of subtasks of each vertex; empty if nothing was deployed.
    pub parallelism: Vec<u32>,
}

impl JobHistory {
    /// Of a job that failed before anything ran.
    pub(super) fn never_run(started: Timestamp, failed: Timestamp, failure: TaskFailure) -> Self {
        JobHistory {
            entered: vec![(JobStatus::Created, started), (JobStatus::Failed, failed)],
            failures: [FailureRecord::without_task(failed, failure)].into(),
            ..JobHistory::default()
        }
    }

    /// What the leader before has left of snapshots, oldest first. How long they took, only it knew.
    fn found(&mut self, completed: &[CompletedCheckpoint], subtasks: u32) {
        for one in completed {
            let (savepoint, completed_at) = (one.kind != SnapshotKind::Checkpoint, one.completed_at_ms.cast_signed());
            let summary = CheckpointSummary {
                checkpoint: one.checkpoint,
                location: one.folder.clone(),
                savepoint,
                duration: Duration::ZERO,
                bytes: one.bytes,
                longest_sync: Duration::ZERO,
                longest_step: Duration::ZERO,
                longest_alignment: Duration::ZERO,
                completed_at,
            };
            self.checkpoints.push_front(CheckpointRecord {
                id: one.checkpoint,
                triggered_at: completed_at,
                savepoint,
                stops: one.kind == SnapshotKind::StopWithSavepoint,
                subtasks,
                parallelism: Vec::new(),
                end: Some(CheckpointEnd::Completed(summary)),
                acknowledged: Arc::default(),
            });
            self.forget_checkpoint();
        }
        self.found = completed.len() as u64;
    }

    fn attempt_entered(&mut self, attempt: AttemptId, status: TaskStatus, at: Timestamp) {
        let record = self.attempts.get_mut(&attempt.subtask).and_then(|all| all.iter_mut().rfind(|one| one.number == attempt.attempt));
        if let Some(record) = record
            && record.entered.last().is_none_or(|(last, _)| *last != status && !last.is_terminal())
        {
            record.entered.push((status, at));
        }
    }

    fn event(&mut self, event: &JobEvent, at: Timestamp) {
        let (attempt, status) = match event {
            JobEvent::Task(attempt, TaskReport::CheckpointAcknowledged { checkpoint, stats, .. }) => {
                acknowledge(&mut self.checkpoints, *checkpoint, attempt.subtask, Acknowledgement { at, stats: *stats });
                return;
            }
            JobEvent::Adopted(inventory) => {
                inventory.tasks.iter().for_each(|task| self.adopted(task, at));
                return;
            }
            JobEvent::Task(attempt, TaskReport::Running) => (*attempt, TaskStatus::Running),
            JobEvent::Task(attempt, TaskReport::Finished { .. }) => (*attempt, TaskStatus::Finished),
            JobEvent::Task(attempt, TaskReport::Canceled) => (*attempt, TaskStatus::Canceled),
            JobEvent::Task(attempt, TaskReport::Failed(_)) | JobEvent::AttemptLost(attempt, _) => (*attempt, TaskStatus::Failed),
            JobEvent::SlotsLost { slots, .. } => {
                let lost = self.attempts.values_mut().flatten().filter(|attempt| slots.contains(&attempt.slot));
                for attempt in lost.filter(|attempt| attempt.entered.last().is_some_and(|(last, _)| !last.is_terminal())) {
                    attempt.entered.push((TaskStatus::Failed, at));
                }
                return;
            }
            _ => return,
        };
        self.attempt_entered(attempt, status, at);
    }

    /// A task that goes on under this leader: how it came to be where it is, only the leader before knew.
    fn adopted(&mut self, task: &TaskInventory, at: Timestamp) {
        let status = match &task.state {
            TaskState::Deploying => TaskStatus::Deploying,
            TaskState::Running | TaskState::EndOfData => TaskStatus::Running,
            TaskState::Canceling => TaskStatus::Canceling,
            TaskState::Ended(last) => match last.as_deref() {
                Some(TaskReport::Finished { .. }) => TaskStatus::Finished,
                Some(TaskReport::Canceled) => TaskStatus::Canceled,
                _ => TaskStatus::Failed,
            },
        };
        let attempts = self.attempts.entry(task.attempt.subtask).or_default();
        // Several workers may have had it; the one whose connection was lost may come back.
        let place = attempts.partition_point(|one| one.number < task.attempt.attempt);
        if attempts.get(place).is_none_or(|one| one.number != task.attempt.attempt) {
            let record = AttemptRecord { number: task.attempt.attempt, slot: task.slot, entered: vec![(status, at)], figures: None };
            attempts.insert(place, record);
        }
    }

    /// An attempt has ended, or its worker is gone: that was the last that was heard of it.
    fn keep_figures(&mut self, attempt: AttemptId, figures: AttemptFigures) {
        let Some(attempts) = self.attempts.get_mut(&attempt.subtask) else { return };
        if let Some(record) = attempts.iter_mut().rfind(|one| one.number == attempt.attempt) {
            record.figures = Some(Arc::new(figures));
        }
        attempts.iter_mut().rev().skip(ATTEMPTS_WITH_FIGURES).for_each(|old| old.figures = None);
    }

    /// What attempts had counted.
    pub(super) fn figures(&self) -> impl Iterator<Item = &AttemptFigures> {
        self.attempts.values().flatten().filter_map(|attempt| attempt.figures.as_deref())
    }

    /// Forgets what attempts had counted.
    pub(super) fn forget_figures(&mut self) {
        self.attempts.values_mut().flatten().for_each(|attempt| attempt.figures = None);
    }

    /// How many tasks are in each slot.
    fn tasks_by_slot(&self) -> BTreeMap<u32, u32> {
        let mut tasks = BTreeMap::new();
        for attempt in self.attempts.values().filter_map(VecDeque::back) {
            if attempt.entered.last().is_some_and(|(last, _)| !last.is_terminal()) {
                *tasks.entry(attempt.slot).or_default() += 1;
            }
        }
        tasks
    }

    fn action(&mut self, action: &JobAction, at: Timestamp) {
        match action {
            JobAction::StatusChanged(status) => self.status(*status, at),
            JobAction::Deploy(deployments) => {
                self.restarting = false;
                if let Some(first) = deployments.first() {
                    self.parallelism = first.parallelism.clone();
                }
                for deployment in deployments {
                    let created = self.created_at(deployment.attempt.subtask, at);
                    let attempts = self.attempts.entry(deployment.attempt.subtask).or_default();
                    if attempts.len() == ATTEMPTS {
                        attempts.pop_front();
                    }
                    let entered = vec![(TaskStatus::Created, created), (TaskStatus::Deploying, at)];
                    let (number, slot) = (deployment.attempt.attempt, deployment.slot);
                    attempts.push_back(AttemptRecord { number, slot, entered, figures: None });
                }
            }
            JobAction::Send(attempt, TaskCommand::Cancel) => self.attempt_entered(*attempt, TaskStatus::Canceling, at),
            JobAction::DiscardAllCheckpoints => self.discarded_all = true,
            JobAction::Ended(outcome) => {
                if let flott_rpc::client::JobEnd::Failed(failure) = &outcome.end {
                    // Unless that has begun with a failure which was noted.
                    if self.failures.front().is_none_or(|last| last.failure != *failure) {
                        self.failed(FailureRecord::without_task(at, failure.clone()));
                    }
                }
            }
            JobAction::Note(note) => self.note(note, at),
            _ => {}
        }
    }

    fn note(&mut self, note: &JobNote, at: Timestamp) {
        match note {
            JobNote::Adopted { parallelism, .. } => self.parallelism.clone_from(parallelism),
            JobNote::Failed { attempt, failure, along } => self.note_failure(*attempt, failure, *along, at),
            JobNote::Deployed { from: Some(StartedFrom { checkpoint, savepoint, location }), .. } => {
                let (checkpoint, savepoint, location) = (*checkpoint, *savepoint, location.clone());
                self.restore = Some(RestoreRecord { at, checkpoint, savepoint, location });
                self.restores += 1;
            }
            JobNote::CheckpointTriggered { checkpoint, kind, tasks } => {
                self.checkpoints.push_front(CheckpointRecord {
                    id: *checkpoint,
                    triggered_at: at,
                    savepoint: kind.is_savepoint(),
                    stops: kind.stops(),
                    subtasks: *tasks as u32,
                    parallelism: self.parallelism.clone(),
                    end: None,
                    acknowledged: Arc::default(),
                });
                self.forget_checkpoint();
                forget_details(&mut self.checkpoints);
            }
            JobNote::CheckpointCompleted(summary) => {
                self.checkpoint_ended(summary.checkpoint, CheckpointEnd::Completed(summary.clone()));
            }
            JobNote::CheckpointFailed { checkpoint, reason, .. } => {
                self.checkpoint_ended(*checkpoint, CheckpointEnd::Failed(at, reason.to_string()));
            }
            _ => {}
        }
    }

    /// Forgets the oldest checkpoint if there are too many, but neither the last savepoint nor the last that failed.
    fn forget_checkpoint(&mut self) {
        if self.checkpoints.len() <= CHECKPOINTS {
            return;
        }
        let last = |is: fn(&CheckpointRecord) -> bool| self.checkpoints.iter().position(is);
        let kept = [
            last(|record| record.savepoint && matches!(record.end, Some(CheckpointEnd::Completed(_)))),
            last(|record| matches!(record.end, Some(CheckpointEnd::Failed(..)))),
        ];
        if let Some(place) = (0..self.checkpoints.len()).rev().find(|place| !kept.contains(&Some(*place))) {
            self.checkpoints.remove(place);
        }
    }

    /// When a task was made that is deployed now: with the job, or when it was last decided to start tasks again, but not before the
    /// attempt before had ended.
    fn created_at(&self, subtask: SubtaskId, now: Timestamp) -> Timestamp {
        let decided = self.entered.iter().filter(|(status, _)| matches!(status, JobStatus::Created | JobStatus::Restarting));
        let before = self.attempts.get(&subtask).and_then(|attempts| attempts.back()?.entered.last());
        decided.map(|(_, at)| *at).max().max(before.map(|(_, at)| *at)).unwrap_or(now)
    }

    fn status(&mut self, status: JobStatus, at: Timestamp) {
        self.entered.retain(|(other, _)| *other != status);
        self.entered.push((status, at));
    }

    fn note_failure(&mut self, attempt: Option<AttemptId>, failure: &TaskFailure, along: bool, at: Timestamp) {
        let record = attempt.and_then(|attempt| self.attempts.get(&attempt.subtask)?.iter().rfind(|one| one.number == attempt.attempt));
        let record = FailureRecord { attempt, slot: record.map(|one| one.slot), ..FailureRecord::without_task(at, failure.clone()) };
        match self.failures.front_mut().filter(|_| self.restarting) {
            Some(first) if first.along.len() < FAILURES_ALONG => first.along.push(record),
            Some(_) => {}
            // It was to end, but not because something had failed.
            None if along => {}
            None => self.failed(record),
        }
    }

    fn failed(&mut self, record: FailureRecord) {
        self.failures.push_front(record);
        self.failures.truncate(FAILURES);
        self.restarting = true;
    }

    fn checkpoint_ended(&mut self, checkpoint: CheckpointId, end: CheckpointEnd) {
        if let Some(record) = self.checkpoints.iter_mut().find(|record| record.id == checkpoint) {
            record.end = Some(end);
        }
    }
}

/// A history that is written while others read it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SharedHistory(Arc<Mutex<JobHistory>>);

impl SharedHistory {
    fn lock(&self) -> MutexGuard<'_, JobHistory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn created(&self, at: Timestamp) {
        self.lock().status(JobStatus::Created, at);
    }

    /// What the leader before has left of snapshots, oldest first, of a job with so many subtasks.
    pub(crate) fn found(&self, completed: &[CompletedCheckpoint], subtasks: u32) {
        self.lock().found(completed, subtasks);
    }

    pub(crate) fn event(&self, event: &JobEvent, at: Timestamp) {
        self.lock().event(event, at);
    }

    pub(crate) fn action(&self, action: &JobAction, at: Timestamp) {
        self.lock().action(action, at);
    }

    pub(crate) fn of(history: JobHistory) -> Self {
        SharedHistory(Arc::new(Mutex::new(history)))
    }

    /// The last that is heard of attempts.
    pub(crate) fn keep_figures(&self, all: impl IntoIterator<Item = (AttemptId, AttemptFigures)>) {
        let history = &mut *self.lock();
        all.into_iter().for_each(|(attempt, figures)| history.keep_figures(attempt, figures));
    }

    /// How many tasks are in each slot.
    pub(crate) fn tasks_by_slot(&self) -> BTreeMap<u32, u32> {
        self.lock().tasks_by_slot()
    }

    pub(crate) fn read(&self) -> JobHistory {
        self.lock().clone()
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
