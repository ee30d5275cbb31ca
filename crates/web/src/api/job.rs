//! `/jobs/:job`: a job with its vertices and plan.

use crate::{
    api::{
        attempts::{IoMetrics, deployed_at, ended_at},
        jobs::{job_type, scheduler_type},
        plan::Plan,
        states::{JOB_STATUSES, counts, entered, vertex_id, vertex_status},
    },
    http::{
        answer::{Handled, ok},
        call::Call,
    },
    model::{Job, Vertex},
};
use flott_core::{id::OperatorId, time::Timestamp};
use flott_rpc::status::{JobStatus, TaskStatus};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Begin, end and duration, ms; -1 for what has not happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Times {
    pub(crate) start_time: i64,
    pub(crate) end_time: i64,
    pub(crate) duration: i64,
}

impl Times {
    /// From `start` to `end`, or up to `now`.
    pub(crate) fn of(start: Option<Timestamp>, end: Option<Timestamp>, now: Timestamp) -> Self {
        let duration = start.map_or(-1, |start| end.unwrap_or(now).saturating_sub(start).max(0));
        Times { start_time: start.unwrap_or(-1), end_time: end.unwrap_or(-1), duration }
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct JobAnswer<'a> {
    jid: String,
    application_id: String,
    name: &'a str,
    #[serde(rename = "isStoppable")]
    is_stoppable: bool,
    #[schemars(with = "String")]
    state: JobStatus,
    job_type: &'static str,
    #[serde(rename = "schedulerType")]
    scheduler_type: &'static str,
    #[serde(flatten)]
    times: Times,
    #[serde(rename = "maxParallelism")]
    max_parallelism: i64,
    now: i64,
    timestamps: BTreeMap<String, i64>,
    vertices: Vec<VertexAnswer<'a>>,
    status_counts: BTreeMap<String, u32>,
    plan: Plan<'a>,
    pending_operators: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct VertexAnswer<'a> {
    id: String,
    #[serde(rename = "slotSharingGroupId")]
    slot_sharing_group_id: String,
    name: &'a str,
    #[serde(rename = "maxParallelism")]
    max_parallelism: u32,
    parallelism: u32,
    #[schemars(with = "String")]
    status: TaskStatus,
    #[serde(flatten)]
    times: Times,
    tasks: BTreeMap<String, u32>,
    metrics: IoMetrics,
}

/// `GET /jobs/:job`
pub(crate) fn job(call: &Call) -> Handled {
    let job = call.cluster().job(call.job()?)?;
    let now = call.now();
    ok(&JobAnswer {
        jid: job.id.to_string(),
        application_id: job.id.to_string(),
        name: &job.name,
        is_stoppable: false,
        state: job.status,
        job_type: job_type(job.batch),
        scheduler_type: scheduler_type(job.batch),
        times: Times::of(Some(job.started_at), job.ended_at, now),
        max_parallelism: job.max_parallelism.map_or(-1, i64::from),
        now,
        timestamps: timestamps(&job),
        vertices: job.vertices.iter().map(|vertex| VertexAnswer::of(vertex, now)).collect(),
        status_counts: counts(job.vertices.iter().map(vertex_status)),
        plan: Plan::of(job.id, &job.name, job.batch, &job.vertices),
        pending_operators: 0,
    })
}

/// When each state was entered, 0 for one that was not.
fn timestamps(job: &Job) -> BTreeMap<String, i64> {
    let mut all: BTreeMap<String, i64> =
        JOB_STATUSES.iter().map(|status| (status.to_string(), entered(&job.entered, *status).unwrap_or(0))).collect();
    all.insert("INITIALIZING".to_owned(), job.started_at);
    all.insert("RECONCILING".to_owned(), 0);
    all.insert("SUSPENDED".to_owned(), 0);
    all
}

impl<'a> VertexAnswer<'a> {
    fn of(vertex: &'a Vertex, now: Timestamp) -> Self {
        let attempts = || vertex.subtasks.iter().map(|subtask| &subtask.current);
        let status = vertex_status(vertex);
        let start = attempts().filter_map(deployed_at).min();
        let end = if status.is_terminal() { attempts().filter_map(ended_at).max() } else { None };
        let group = vertex.slot_sharing_group.as_deref().unwrap_or("default");
        VertexAnswer {
            id: vertex_id(vertex.id),
            slot_sharing_group_id: vertex_id(OperatorId::from_uid(group)),
            name: &vertex.name,
            max_parallelism: vertex.max_parallelism,
            parallelism: vertex.parallelism,
            status,
            times: Times::of(start, end, now),
            tasks: counts(attempts().map(|attempt| attempt.status)),
            metrics: IoMetrics::of(attempts()),
        }
    }
}
