//! States, and how many of what are in which.

use crate::model::Vertex;
use flott_core::{id::OperatorId, time::Timestamp};
use flott_rpc::status::{JobStatus, TaskStatus};
use std::collections::BTreeMap;

/// All states of a task.
pub(crate) const TASK_STATUSES: [TaskStatus; 9] = [
    TaskStatus::Created,
    TaskStatus::Scheduled,
    TaskStatus::Deploying,
    TaskStatus::Initializing,
    TaskStatus::Running,
    TaskStatus::Finished,
    TaskStatus::Canceling,
    TaskStatus::Canceled,
    TaskStatus::Failed,
];

/// All states of a job.
pub(crate) const JOB_STATUSES: [JobStatus; 8] = [
    JobStatus::Created,
    JobStatus::Running,
    JobStatus::Failing,
    JobStatus::Failed,
    JobStatus::Cancelling,
    JobStatus::Canceled,
    JobStatus::Finished,
    JobStatus::Restarting,
];

/// How many of `statuses` are in each state, by the state's name. Flink has one that Flott has not.
pub(crate) fn counts(statuses: impl IntoIterator<Item = TaskStatus>) -> BTreeMap<String, u32> {
    let mut counts: BTreeMap<String, u32> = TASK_STATUSES.iter().map(|status| (status.to_string(), 0)).collect();
    counts.insert("RECONCILING".to_owned(), 0);
    for status in statuses {
        *counts.entry(status.to_string()).or_default() += 1;
    }
    counts
}

/// As [`counts`] in small letters, with the sum.
pub(crate) fn small_counts(statuses: &[TaskStatus]) -> BTreeMap<String, u32> {
    let counts = counts(statuses.iter().copied()).into_iter();
    let mut counts: BTreeMap<String, u32> = counts.map(|(name, count)| (name.to_ascii_lowercase(), count)).collect();
    counts.insert("total".to_owned(), u32::try_from(statuses.len()).unwrap_or(u32::MAX));
    counts
}

/// The state of a vertex as a whole.
pub(crate) fn vertex_status(vertex: &Vertex) -> TaskStatus {
    common_status(vertex.subtasks.iter().map(|subtask| subtask.current.status))
}

/// The state of several subtasks as a whole: the worst of them; finished only when all are.
pub(crate) fn common_status(statuses: impl Iterator<Item = TaskStatus> + Clone) -> TaskStatus {
    use TaskStatus::*;
    let has = |status| statuses.clone().any(|other| other == status);
    match [Failed, Canceling, Canceled, Initializing, Running].into_iter().find(|status| has(*status)) {
        Some(status) => status,
        None if !has(Finished) => Created,
        None if statuses.clone().all(|status| status == Finished) => Finished,
        None => Running,
    }
}

/// When `status` was last entered.
pub(crate) fn entered<S: Copy + PartialEq>(all: &[(S, Timestamp)], status: S) -> Option<Timestamp> {
    all.iter().rev().find(|(entered, _)| *entered == status).map(|(_, at)| *at)
}

/// A vertex's id as Flink writes it.
pub(crate) fn vertex_id(id: OperatorId) -> String {
    format!("{:032x}", id.0)
}
