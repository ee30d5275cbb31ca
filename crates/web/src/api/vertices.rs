//! `/jobs/:job/vertices/:vertex`: subtasks, their times, TaskManagers, watermarks, backpressure.

use crate::{
    api::{
        attempts::{Aggregated, AttemptAnswer, IoMetrics, UNASSIGNED, UserAccumulator, deployed_at, ended_at, times, user_accumulators},
        job::Times,
        metrics::{self, Metric},
        states::{TASK_STATUSES, common_status, counts, entered, vertex_id},
    },
    http::{
        answer::{Handled, Refusal, ok},
        call::Call,
    },
    model::{Attempt, Job, Subtask, Vertex},
};
use flott_core::{accumulator::AccumulatorValue, metrics::names, time::Timestamp};
use flott_rpc::status::TaskStatus;
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// The job and the place of the vertex that a path names.
pub(crate) fn find(call: &Call) -> Result<(Arc<Job>, usize), Refusal> {
    let id = call.vertex()?;
    let job = call.cluster().job(call.job()?)?;
    let place = job.vertices.iter().position(|vertex| vertex.id == id);
    let place = place.ok_or_else(|| Refusal::not_found(format!("the job has no vertex `{}`", call.param("vertex"))))?;
    Ok((job, place))
}

/// The subtask of `vertex` that a path names, with its index.
fn find_subtask<'a>(call: &Call, vertex: &'a Vertex) -> Result<(usize, &'a Subtask), Refusal> {
    let index = call.number("subtask", "subtaskindex")?;
    let place = usize::try_from(index).unwrap_or(usize::MAX);
    let subtask = vertex.subtasks.get(place).ok_or_else(|| Refusal::not_found(format!("there is no subtask {index}")))?;
    Ok((place, subtask))
}

/// The attempt that a path names; without a number the newest.
fn find_attempt<'a>(call: &Call, vertex: &'a Vertex) -> Result<(usize, &'a Attempt), Refusal> {
    let (index, subtask) = find_subtask(call, vertex)?;
    if call.param("attempt").is_empty() {
        return Ok((index, &subtask.current));
    }
    let number = call.number("attempt", "attempt")?;
    let mut attempts = std::iter::once(&subtask.current).chain(&subtask.earlier);
    let attempt = attempts.find(|attempt| u64::from(attempt.number) == number);
    Ok((index, attempt.ok_or_else(|| Refusal::not_found(format!("there is no attempt {number} of this subtask, or no longer")))?))
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct VertexAnswer<'a> {
    id: String,
    name: &'a str,
    parallelism: u32,
    #[serde(rename = "maxParallelism")]
    max_parallelism: u32,
    now: i64,
    subtasks: Vec<AttemptAnswer<'a>>,
    aggregated: Aggregated,
}

/// `GET /jobs/:job/vertices/:vertex`
pub(crate) fn vertex(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let now = call.now();
    let subtasks = vertex.subtasks.iter().enumerate();
    ok(&VertexAnswer {
        id: vertex_id(vertex.id),
        name: &vertex.name,
        parallelism: vertex.parallelism,
        max_parallelism: vertex.max_parallelism,
        now,
        subtasks: subtasks.map(|(index, subtask)| AttemptAnswer::of(index, &subtask.current, now)).collect(),
        aggregated: Aggregated::of(&vertex.subtasks.iter().collect::<Vec<_>>(), now),
    })
}

/// `GET .../subtasks/:subtask` and `.../attempts/:attempt`
pub(crate) fn attempt(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let (index, attempt) = find_attempt(call, &job.vertices[place])?;
    ok(&AttemptAnswer::of(index, attempt, call.now()))
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AttemptAccumulators<'a> {
    subtask: usize,
    attempt: u32,
    id: String,
    user_accumulators: Vec<UserAccumulator<'a>>,
}

/// `GET .../attempts/:attempt/accumulators`
pub(crate) fn attempt_accumulators(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let (subtask, attempt) = find_attempt(call, vertex)?;
    ok(&AttemptAccumulators {
        subtask,
        attempt: attempt.number,
        id: format!("{}_{}_{subtask}_{}", job.id, vertex_id(vertex.id), attempt.number),
        user_accumulators: user_accumulators(&attempt.accumulators),
    })
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SubtaskTimes<'a> {
    id: String,
    name: &'a str,
    now: i64,
    subtasks: Vec<SubtaskTime<'a>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SubtaskTime<'a> {
    subtask: usize,
    endpoint: &'a str,
    duration: i64,
    timestamps: BTreeMap<String, i64>,
}

/// `GET .../subtasktimes`
pub(crate) fn subtask_times(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let now = call.now();
    let timestamps = |attempt: &Attempt| {
        let of_status = |status: &TaskStatus| (status.to_string(), entered(&attempt.entered, *status).unwrap_or(0));
        let mut timestamps: BTreeMap<String, i64> = TASK_STATUSES.iter().map(of_status).collect();
        timestamps.insert("RECONCILING".to_owned(), 0);
        timestamps
    };
    let subtasks = vertex.subtasks.iter().enumerate().map(|(subtask, Subtask { current, .. })| SubtaskTime {
        subtask,
        endpoint: current.endpoint.as_deref().unwrap_or(UNASSIGNED),
        duration: times(current, now).duration,
        timestamps: timestamps(current),
    });
    ok(&SubtaskTimes { id: vertex_id(vertex.id), name: &vertex.name, now, subtasks: subtasks.collect() })
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct TaskManagers<'a> {
    id: String,
    name: &'a str,
    now: i64,
    taskmanagers: Vec<OnTaskManager<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OnTaskManager<'a> {
    endpoint: &'a str,
    #[schemars(with = "String")]
    status: TaskStatus,
    #[serde(flatten)]
    times: Times,
    metrics: IoMetrics,
    status_counts: BTreeMap<String, u32>,
    taskmanager_id: &'a str,
    aggregated: Aggregated,
}

impl<'a> OnTaskManager<'a> {
    fn of(id: &'a str, subtasks: &[&'a Subtask], now: Timestamp) -> Self {
        let attempts = || subtasks.iter().map(|subtask| &subtask.current);
        let status = common_status(attempts().map(|attempt| attempt.status));
        let start = attempts().filter_map(deployed_at).min();
        let end = if status.is_terminal() { attempts().filter_map(ended_at).max() } else { None };
        OnTaskManager {
            endpoint: attempts().find_map(|attempt| attempt.endpoint.as_deref()).unwrap_or(UNASSIGNED),
            status,
            times: Times::of(start, end, now),
            metrics: IoMetrics::of(attempts()),
            status_counts: counts(attempts().map(|attempt| attempt.status)),
            taskmanager_id: id,
            aggregated: Aggregated::of(subtasks, now),
        }
    }
}

/// `GET .../taskmanagers`
pub(crate) fn task_managers(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let now = call.now();
    let mut groups: BTreeMap<&str, Vec<&Subtask>> = BTreeMap::new();
    for subtask in &vertex.subtasks {
        groups.entry(subtask.current.task_manager.as_deref().unwrap_or(UNASSIGNED)).or_default().push(subtask);
    }
    let taskmanagers = groups.into_iter().map(|(id, subtasks)| OnTaskManager::of(id, &subtasks, now)).collect();
    ok(&TaskManagers { id: vertex_id(vertex.id), name: &vertex.name, now, taskmanagers })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct VertexAccumulators<'a> {
    id: String,
    user_accumulators: Vec<UserAccumulator<'a>>,
}

/// `GET .../accumulators`
pub(crate) fn accumulators(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let mut merged = BTreeMap::new();
    for (name, value) in vertex.subtasks.iter().flat_map(|subtask| &subtask.current.accumulators) {
        merged.entry(name.clone()).and_modify(|all| merge(all, *value)).or_insert(*value);
    }
    ok(&VertexAccumulators { id: vertex_id(vertex.id), user_accumulators: user_accumulators(&merged) })
}

/// Takes `value` into `all`, unless it is of another kind.
fn merge(all: &mut AccumulatorValue, value: AccumulatorValue) {
    if let Some(merged) = all.merge(value) {
        *all = merged;
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SubtasksAccumulators<'a> {
    id: String,
    parallelism: u32,
    subtasks: Vec<SubtaskAccumulators<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SubtaskAccumulators<'a> {
    subtask: usize,
    attempt: u32,
    endpoint: &'a str,
    user_accumulators: Vec<UserAccumulator<'a>>,
}

/// `GET .../subtasks/accumulators`
pub(crate) fn subtasks_accumulators(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let subtasks = vertex.subtasks.iter().enumerate().map(|(subtask, Subtask { current, .. })| SubtaskAccumulators {
        subtask,
        attempt: current.number,
        endpoint: current.endpoint.as_deref().unwrap_or(UNASSIGNED),
        user_accumulators: user_accumulators(&current.accumulators),
    });
    ok(&SubtasksAccumulators { id: vertex_id(vertex.id), parallelism: vertex.parallelism, subtasks: subtasks.collect() })
}

/// `GET .../watermarks`
pub(crate) fn watermarks(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let name = names::CURRENT_INPUT_WATERMARK;
    let subtasks = job.vertices[place].subtasks.iter().enumerate();
    let known = subtasks.filter_map(|(index, subtask)| {
        subtask.current.metrics.get(name).map(|watermark| Metric::new(format!("{index}.{name}"), Some(*watermark)))
    });
    ok(&known.collect::<Vec<_>>())
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Backpressure {
    status: &'static str,
    #[serde(rename = "backpressureLevel")]
    level: Option<&'static str>,
    #[serde(rename = "backpressure-level")]
    same_level: Option<&'static str>,
    #[serde(rename = "end-timestamp")]
    end_timestamp: Option<i64>,
    subtasks: Vec<SubtaskBackpressure>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct SubtaskBackpressure {
    subtask: usize,
    #[serde(rename = "backpressureLevel")]
    level: &'static str,
    #[serde(rename = "backpressure-level")]
    same_level: &'static str,
    ratio: f64,
    #[serde(rename = "idleRatio")]
    idle_ratio: f64,
    #[serde(rename = "busyRatio")]
    busy_ratio: f64,
}

/// `GET .../backpressure`
pub(crate) fn backpressure(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let running = vertex.subtasks.iter().enumerate().filter(|(_, subtask)| !subtask.current.status.is_terminal());
    let subtasks: Vec<SubtaskBackpressure> = running
        .map(|(index, subtask)| {
            let metrics = metrics::by_name(&subtask.current);
            let ratio = |name| metrics.get(name).map_or(0.0, |ms: &f64| (ms / 1000.0).clamp(0.0, 1.0));
            let backpressured = ratio("backPressuredTimeMsPerSecond");
            let level = level(backpressured);
            let (idle_ratio, busy_ratio) = (ratio("idleTimeMsPerSecond"), ratio("busyTimeMsPerSecond"));
            SubtaskBackpressure { subtask: index, level, same_level: level, ratio: backpressured, idle_ratio, busy_ratio }
        })
        .collect();
    if subtasks.is_empty() {
        let none = Backpressure { status: "deprecated", level: None, same_level: None, end_timestamp: None, subtasks };
        return ok(&none);
    }
    let level = level(subtasks.iter().map(|subtask| subtask.ratio).fold(0.0, f64::max));
    ok(&Backpressure { status: "ok", level: Some(level), same_level: Some(level), end_timestamp: Some(call.now()), subtasks })
}

fn level(ratio: f64) -> &'static str {
    match ratio {
        ratio if ratio <= 0.1 => "ok",
        ratio if ratio <= 0.5 => "low",
        _ => "high",
    }
}
