//! What has happened to a job, for people: states and when they began, attempts, failures, checkpoints.

use super::acknowledged::{Acknowledgement, Acknowledgements, acknowledge, forget_details};
use flott_core::{
    Timestamp,
    error::TaskFailure,
    id::{AttemptId, CheckpointId, SubtaskId},
};
use flott_jobmanager::{JobAction, JobEvent, JobNote};
use flott_rpc::{
    client::CheckpointSummary,
    status::{JobStatus, TaskStatus},
    task::{TaskCommand, TaskReport},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Attempts of a subtask that are remembered. Flink's `web.history`-like bounds: what is older helps nobody.
const ATTEMPTS: usize = 16;
/// Failures that are remembered. Flink's `web.exception-history-size`.
const FAILURES: usize = 16;
/// Checkpoints that are remembered, of which clients see the last ones.
const CHECKPOINTS: usize = 100;

/// A run of a subtask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Its number, from 0.
    pub number: u32,
    /// The slot that it was put into.
    pub slot: u32,
    /// Its states and when it entered them.
    pub entered: Vec<(TaskStatus, Timestamp)>,
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
    /// How it ended; `None`: under way.
    pub end: Option<CheckpointEnd>,
    /// What its subtasks did; empty for one that is too long ago. Not stored with a job that has ended.
    #[serde(skip)]
    pub acknowledged: Arc<Acknowledgements>,
}

/// What has happened to a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobHistory {
    /// The job's states and when it entered them; each state's last time.
    pub entered: Vec<(JobStatus, Timestamp)>,
    /// The attempts of each subtask, oldest first.
    pub attempts: BTreeMap<SubtaskId, VecDeque<AttemptRecord>>,
    /// The last failures that led to a restart or to the job's end, newest first.
    pub failures: VecDeque<(Timestamp, TaskFailure)>,
    /// The last checkpoints, newest first.
    pub checkpoints: VecDeque<CheckpointRecord>,
    /// When it last started from a checkpoint, and from which.
    pub restored: Option<(Timestamp, CheckpointId)>,
    /// The number of subtasks of each vertex; empty if nothing was deployed.
    pub parallelism: Vec<u32>,
}

impl JobHistory {
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
            JobEvent::Task(attempt, TaskReport::Running) => (*attempt, TaskStatus::Running),
            JobEvent::Task(attempt, TaskReport::Finished { .. }) => (*attempt, TaskStatus::Finished),
            JobEvent::Task(attempt, TaskReport::Canceled) => (*attempt, TaskStatus::Canceled),
            JobEvent::Task(attempt, TaskReport::Failed(_)) | JobEvent::AttemptLost(attempt, _) => (*attempt, TaskStatus::Failed),
            JobEvent::SlotsLost(slots) => {
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

    fn action(&mut self, action: &JobAction, at: Timestamp) {
        match action {
            JobAction::StatusChanged(status) => self.status(*status, at),
            JobAction::Deploy(deployments) => {
                if let Some(first) = deployments.first() {
                    self.parallelism = first.parallelism.clone();
                }
                for deployment in deployments {
                    let attempts = self.attempts.entry(deployment.attempt.subtask).or_default();
                    if attempts.len() == ATTEMPTS {
                        attempts.pop_front();
                    }
                    let entered = vec![(TaskStatus::Deploying, at)];
                    attempts.push_back(AttemptRecord { number: deployment.attempt.attempt, slot: deployment.slot, entered });
                }
            }
            JobAction::Send(attempt, TaskCommand::Cancel) => self.attempt_entered(*attempt, TaskStatus::Canceling, at),
            JobAction::Ended(outcome) => {
                if let flott_rpc::client::JobEnd::Failed(failure) = &outcome.end {
                    self.failure(failure, at);
                }
            }
            JobAction::Note(note) => self.note(note, at),
            _ => {}
        }
    }

    fn note(&mut self, note: &JobNote, at: Timestamp) {
        match note {
            JobNote::Adopted { parallelism, .. } => self.parallelism.clone_from(parallelism),
            JobNote::Restarting { cause, .. } => self.failure(cause, at),
            JobNote::Deployed { from: Some(checkpoint), .. } => self.restored = Some((at, *checkpoint)),
            JobNote::CheckpointTriggered { checkpoint, kind, tasks } => {
                self.checkpoints.push_front(CheckpointRecord {
                    id: *checkpoint,
                    triggered_at: at,
                    savepoint: kind.is_savepoint(),
                    stops: kind.stops(),
                    subtasks: *tasks as u32,
                    end: None,
                    acknowledged: Arc::default(),
                });
                self.checkpoints.truncate(CHECKPOINTS);
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

    fn status(&mut self, status: JobStatus, at: Timestamp) {
        self.entered.retain(|(other, _)| *other != status);
        self.entered.push((status, at));
    }

    fn failure(&mut self, failure: &TaskFailure, at: Timestamp) {
        if self.failures.front().is_none_or(|(_, last)| last != failure) {
            self.failures.push_front((at, failure.clone()));
            self.failures.truncate(FAILURES);
        }
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

    pub(crate) fn event(&self, event: &JobEvent, at: Timestamp) {
        self.lock().event(event, at);
    }

    pub(crate) fn action(&self, action: &JobAction, at: Timestamp) {
        self.lock().action(action, at);
    }

    pub(crate) fn of(history: JobHistory) -> Self {
        SharedHistory(Arc::new(Mutex::new(history)))
    }

    pub(crate) fn read(&self) -> JobHistory {
        self.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::id::VertexId;
    use flott_rpc::task::TaskDeployment;

    const SUBTASK: SubtaskId = SubtaskId { vertex: VertexId(0), index: 0 };

    fn attempt(number: u32) -> AttemptId {
        AttemptId { subtask: SUBTASK, attempt: number }
    }

    #[test]
    fn attempts_are_followed_from_deployment_to_end() {
        let mut history = JobHistory::default();
        history.action(
            &JobAction::Deploy(vec![TaskDeployment {
                attempt: attempt(0),
                slot: 3,
                restore: None,
                parallelism: Vec::new(),
                enumerator: 0,
            }]),
            10,
        );
        history.event(&JobEvent::Task(attempt(0), TaskReport::Running), 20);
        history.event(&JobEvent::Task(attempt(0), TaskReport::RequestSplit), 25);
        history.event(&JobEvent::SlotsLost(vec![3]), 30);
        history.event(&JobEvent::Task(attempt(0), TaskReport::Canceled), 40);
        history.action(
            &JobAction::Deploy(vec![TaskDeployment {
                attempt: attempt(1),
                slot: 4,
                restore: None,
                parallelism: Vec::new(),
                enumerator: 0,
            }]),
            50,
        );
        let attempts = &history.attempts[&SUBTASK];
        assert_eq!(attempts[0].entered, [(TaskStatus::Deploying, 10), (TaskStatus::Running, 20), (TaskStatus::Failed, 30)]);
        assert_eq!((attempts[1].number, attempts[1].slot), (1, 4));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut history = JobHistory::default();
        for number in 0..1000 {
            let at = i64::from(number);
            history.action(
                &JobAction::Deploy(vec![TaskDeployment {
                    attempt: attempt(number),
                    slot: 0,
                    restore: None,
                    parallelism: Vec::new(),
                    enumerator: 0,
                }]),
                at,
            );
            history.action(&JobAction::StatusChanged(if number % 2 == 0 { JobStatus::Running } else { JobStatus::Restarting }), at);
        }
        assert_eq!(history.attempts[&SUBTASK].len(), ATTEMPTS);
        assert_eq!(history.entered, [(JobStatus::Running, 998), (JobStatus::Restarting, 999)]);
    }
}
