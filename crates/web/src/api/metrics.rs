//! Metrics: names, values as text, and values aggregated over jobs, subtasks or TaskManagers.

use crate::{
    api::{
        collected::Collected,
        states::{entered, vertex_id},
        traffic,
        vertices::find,
    },
    cluster::ClusterError,
    http::{
        answer::{Handled, Refusal, ok},
        call::{Call, parse_job},
    },
    model::{Attempt, Checkpoint, CheckpointStatus, Checkpoints, Job, Metrics, Process, TaskManager},
    statistics::java_number,
};
use flott_core::time::{Timestamp, millis};
use flott_rpc::{figures::Latency, status::JobStatus};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A metric: its name, and its value if it was asked for.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Metric {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl Metric {
    /// A metric.
    pub(crate) fn new(id: String, value: Option<f64>) -> Self {
        Metric { id, value: value.map(java_number) }
    }
}

/// The names of `all`, or the values of those that the call asks for.
fn answer(call: &Call, all: &BTreeMap<String, String>) -> Handled {
    let asked = call.query_list("get").filter(|names| !names.is_empty());
    let metrics: Vec<Metric> = match asked {
        None => all.keys().map(|id| Metric { id: id.clone(), value: None }).collect(),
        Some(names) => {
            let known = names.into_iter().filter_map(|name| all.get_key_value(name));
            known.map(|(id, value)| Metric { id: id.clone(), value: Some(value.clone()) }).collect()
        }
    };
    ok(&metrics)
}

fn texts(metrics: &Metrics) -> BTreeMap<String, String> {
    metrics.iter().map(|(name, value)| (name.clone(), java_number(*value))).collect()
}

/// The metrics of a subtask with those of its operators, under `operator.name`.
pub(crate) fn by_name(attempt: &Attempt) -> Metrics {
    Collected::of(attempt).by_name(attempt)
}

/// The name of an operator as part of the name of a metric.
pub(crate) fn identifier(operator: &str) -> String {
    operator.chars().map(|c| if " .:,".contains(c) { '_' } else { c }).collect()
}

/// `GET /jobs/:job/metrics`
pub(crate) fn of_job(call: &Call) -> Handled {
    let job = call.cluster().job(call.job()?)?;
    let mut all = job_metrics(call, &job)?;
    for (index, attempt) in job.vertices.iter().flat_map(|vertex| vertex.subtasks.iter().map(|one| &one.current).enumerate()) {
        all.extend(attempt.latencies.iter().flat_map(|latency| latency_metrics(index, latency)));
    }
    answer(call, &all)
}

/// The figures of a latency under Flink's names.
fn latency_metrics(index: usize, latency: &Latency) -> impl Iterator<Item = (String, String)> {
    let source = latency.source.map(|id| format!("source_id.{}.", vertex_id(id))).unwrap_or_default();
    let subtask = latency.source_subtask.map(|subtask| format!("source_subtask_index.{subtask}.")).unwrap_or_default();
    let operator = vertex_id(latency.operator);
    let name = format!("latency.{source}{subtask}operator_id.{operator}.operator_subtask_index.{index}.latency");
    latency.histogram.parts().into_iter().map(move |(part, value)| (format!("{name}_{part}"), java_number(value)))
}

/// `GET /jobs/:job/vertices/:vertex/metrics`
pub(crate) fn of_vertex(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let all = vertex.subtasks.iter().enumerate().flat_map(|(index, subtask)| {
        by_name(&subtask.current).into_iter().map(move |(name, value)| (format!("{index}.{name}"), java_number(value)))
    });
    answer(call, &all.collect())
}

/// `GET .../subtasks/:subtask/metrics`
pub(crate) fn of_subtask(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let index = usize::try_from(call.number("subtask", "subtaskindex")?).unwrap_or(usize::MAX);
    let vertex = &job.vertices[place];
    // A subtask that is not there has no metrics: that is what Flink says.
    let metrics = vertex.subtasks.get(index).map(|subtask| by_name(&subtask.current));
    answer(call, &texts(&metrics.unwrap_or_default()))
}

/// `GET .../jm-operator-metrics`
pub(crate) fn of_coordinator(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let vertex = &job.vertices[place];
    let metrics = job.coordinator_metrics.get(&vertex.id).map(texts).unwrap_or_default();
    let head = identifier(vertex.operators.first().map_or("", String::as_str));
    answer(call, &metrics.into_iter().map(|(name, value)| (format!("{head}.{name}"), value)).collect())
}

/// `GET /jobmanager/metrics`
pub(crate) fn of_job_manager(call: &Call) -> Handled {
    let task_managers = call.cluster().task_managers()?;
    answer(call, &job_manager_metrics(call, &call.cluster().job_manager()?.metrics, &task_managers)?)
}

/// The metrics of the JobManager: its own, and what follows from jobs and slots.
pub(crate) fn job_manager_metrics(call: &Call, own: &Metrics, task_managers: &[TaskManager]) -> Result<BTreeMap<String, String>, Refusal> {
    let slots = || task_managers.iter().flat_map(|task_manager| &task_manager.slots);
    let running = call.cluster().jobs()?.iter().filter(|job| !job.status.is_terminal()).count();
    let mut all = texts(own);
    let counts = [
        ("numRegisteredTaskManagers", task_managers.len()),
        ("numRunningJobs", running),
        ("taskSlotsTotal", slots().count()),
        ("taskSlotsAvailable", slots().filter(|slot| slot.job.is_none()).count()),
    ];
    all.extend(counts.map(|(name, count)| (name.to_owned(), count.to_string())));
    Ok(all)
}

/// `GET /taskmanagers/:tm/metrics`
pub(crate) fn of_task_manager(call: &Call) -> Handled {
    let id = call.param("tm");
    let found = traffic::task_managers(call)?.into_iter().find(|task_manager| task_manager.id == id);
    answer(call, &texts(&found.ok_or_else(|| unknown_task_manager(id))?.metrics))
}

/// There is no TaskManager with this id.
pub(crate) fn unknown_task_manager(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no TaskManager `{id}`"))
}

/// Fails unless the TaskManager that `process` names is there.
pub(crate) fn check_process(call: &Call, process: &Process) -> Result<(), Refusal> {
    let Process::TaskManager(id) = process else { return Ok(()) };
    let known = call.cluster().task_managers()?.iter().any(|task_manager| task_manager.id == *id);
    if known { Ok(()) } else { Err(unknown_task_manager(id)) }
}

/// A job's own metrics, and what follows from its state and checkpoints. Its own win.
pub(crate) fn job_metrics(call: &Call, job: &Job) -> Result<BTreeMap<String, String>, Refusal> {
    let checkpoints = match call.cluster().checkpoints(job.id) {
        Ok(checkpoints) => Some(checkpoints),
        // The job may have gone in the meantime; the rest is still true.
        Err(ClusterError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let mut all = BTreeMap::new();
    let now = call.now();
    for (name, status) in [
        ("createdTime", JobStatus::Created),
        ("runningTime", JobStatus::Running),
        ("failingTime", JobStatus::Failing),
        ("restartingTime", JobStatus::Restarting),
        ("cancellingTime", JobStatus::Cancelling),
    ] {
        all.insert(name.to_owned(), time_in(job, status, now).to_string());
    }
    let uptime = if job.status.is_terminal() { -1 } else { time_in(job, JobStatus::Running, now) };
    let downtime = time_in(job, JobStatus::Restarting, now) + time_in(job, JobStatus::Failing, now);
    all.insert("uptime".to_owned(), uptime.to_string());
    all.insert("downtime".to_owned(), downtime.to_string());
    for name in ["numRestarts", "fullRestarts"] {
        all.insert(name.to_owned(), job.restarts.to_string());
    }
    if let Some(checkpoints) = checkpoints {
        checkpoint_metrics(&checkpoints, &mut all);
    }
    all.extend(texts(&job.metrics));
    Ok(all)
}

/// How long the job has been in `status`, ms; 0 if it is in another state.
fn time_in(job: &Job, status: JobStatus, now: Timestamp) -> i64 {
    if job.status != status {
        return 0;
    }
    entered(&job.entered, status).map_or(0, |since| now.saturating_sub(since).max(0))
}

fn checkpoint_metrics(checkpoints: &Checkpoints, all: &mut BTreeMap<String, String>) {
    let totals = &checkpoints.totals;
    let completed = |checkpoint: &&Checkpoint| checkpoint.status == CheckpointStatus::Completed;
    let last = checkpoints.history.iter().find(completed);
    let number = |value: Option<i64>| value.unwrap_or(-1).to_string();
    let size = last.map(|last| i64::try_from(last.total_bytes()).unwrap_or(i64::MAX));
    let texts = [
        ("numberOfCompletedCheckpoints", totals.completed.to_string()),
        ("numberOfFailedCheckpoints", totals.failed.to_string()),
        ("numberOfInProgressCheckpoints", totals.in_progress.to_string()),
        ("totalNumberOfCheckpoints", (totals.completed + totals.failed + totals.in_progress).to_string()),
        ("lastCompletedCheckpointId", number(last.and_then(|last| i64::try_from(last.id.0).ok()))),
        ("lastCheckpointDuration", number(last.map(|last| millis(last.total_duration())))),
        ("lastCheckpointSize", number(size)),
        ("lastCheckpointFullSize", number(size)),
        ("lastCheckpointCompletedTimestamp", number(last.and_then(Checkpoint::last_acknowledged_at))),
        ("lastCheckpointRestoreTimestamp", number(checkpoints.restored.as_ref().map(|restore| restore.at))),
        ("lastCheckpointProcessedData", "0".to_owned()),
        ("lastCheckpointPersistedData", "0".to_owned()),
        ("lastCheckpointExternalPath", last.and_then(|last| last.location.clone()).unwrap_or_else(|| "n/a".to_owned())),
    ];
    all.extend(texts.map(|(name, text)| (name.to_owned(), text)));
}

/// A metric over several jobs, subtasks or TaskManagers.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AggregatedMetric<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skew: Option<f64>,
}

const AGGREGATIONS: [&str; 5] = ["min", "max", "avg", "sum", "skew"];

/// The names of the metrics of `all`, or aggregates of those that the call asks for.
fn aggregated(call: &Call, all: &[Metrics]) -> Handled {
    let asked = call.query_list("agg").unwrap_or_default();
    if let Some(unknown) = asked.iter().find(|name| !AGGREGATIONS.iter().any(|known| known.eq_ignore_ascii_case(name))) {
        return Err(Refusal::parameter("query", "agg", unknown));
    }
    let Some(names) = call.query_list("get").filter(|names| !names.is_empty()) else {
        let names: BTreeSet<&String> = all.iter().flat_map(BTreeMap::keys).collect();
        return ok(&names.into_iter().map(|name| Metric { id: name.clone(), value: None }).collect::<Vec<_>>());
    };
    let wanted = |name: &str, value: f64| (asked.is_empty() || asked.iter().any(|one| one.eq_ignore_ascii_case(name))).then_some(value);
    let aggregate = |name: &'_ str| {
        let values: Vec<f64> = all.iter().filter_map(|metrics| metrics.get(name)).copied().filter(|value| value.is_finite()).collect();
        let sum: f64 = values.iter().sum();
        let average = sum / values.len() as f64;
        (!values.is_empty()).then(|| {
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            (min, max, average, sum, skew(&values, average))
        })
    };
    let aggregates = names.into_iter().filter_map(|id| {
        aggregate(id).map(|(min, max, avg, sum, skew)| AggregatedMetric {
            id,
            min: wanted("min", min),
            max: wanted("max", max),
            avg: wanted("avg", avg),
            sum: wanted("sum", sum),
            skew: wanted("skew", skew),
        })
    });
    ok(&aggregates.collect::<Vec<_>>())
}

/// The mean distance from the average in percent of it, at most 100.
pub(crate) fn skew(values: &[f64], average: f64) -> f64 {
    if average == 0.0 {
        return 0.0;
    }
    let distance = values.iter().map(|value| (value - average).abs()).sum::<f64>() / values.len() as f64;
    (distance / average * 100.0).clamp(0.0, 100.0)
}

/// `GET .../subtasks/metrics`
pub(crate) fn over_subtasks(call: &Call) -> Handled {
    let (job, place) = find(call)?;
    let ranges = call.query_list("subtasks").unwrap_or_default();
    let ranges = ranges.into_iter().map(subtask_range).collect::<Result<Vec<_>, _>>()?;
    let vertex = &job.vertices[place];
    let wanted = vertex
        .subtasks
        .iter()
        .enumerate()
        .filter(|(index, _)| ranges.is_empty() || ranges.iter().any(|(first, last)| (first..=last).contains(&index)));
    let all = wanted.map(|(_, subtask)| by_name(&subtask.current));
    aggregated(call, &all.collect::<Vec<_>>())
}

/// Reads `3` or `1-4`.
fn subtask_range(text: &str) -> Result<(usize, usize), Refusal> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) => Ok((first, last)),
        _ => Err(Refusal::parameter("query", "subtasks", text)),
    }
}

/// `GET /jobs/metrics`
pub(crate) fn over_jobs(call: &Call) -> Handled {
    let wanted = call.query_list("jobs").unwrap_or_default();
    let wanted = wanted.into_iter().map(|id| parse_job(id).ok_or_else(|| Refusal::parameter("query", "jobs", id)));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::new();
    for summary in call.cluster().jobs()?.iter().filter(|job| wanted.is_empty() || wanted.contains(&job.id)) {
        let job = match call.cluster().job(summary.id) {
            Ok(job) => job,
            // It has gone since it was listed.
            Err(ClusterError::NotFound(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let texts = job_metrics(call, &job)?;
        all.push(texts.into_iter().filter_map(|(name, value)| value.parse().ok().map(|value| (name, value))).collect());
    }
    aggregated(call, &all)
}

/// `GET /taskmanagers/metrics`
pub(crate) fn over_task_managers(call: &Call) -> Handled {
    let wanted = call.query_list("taskmanagers").unwrap_or_default();
    let task_managers = traffic::task_managers(call)?.into_iter();
    let task_managers = task_managers.filter(|task_manager| wanted.is_empty() || wanted.contains(&task_manager.id.as_str()));
    aggregated(call, &task_managers.map(|task_manager| task_manager.metrics).collect::<Vec<_>>())
}
