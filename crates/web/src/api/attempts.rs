//! Subtasks and their attempts: times, counters of records and bytes, accumulators.

use crate::{
    api::{job::Times, states::entered},
    model::{Attempt, Metrics, Subtask},
    statistics::Spread,
};
use flott_core::{accumulator::AccumulatorValue, metrics::names, time::Timestamp};
use flott_rpc::status::TaskStatus;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// What stands where a task is nowhere yet.
pub(crate) const UNASSIGNED: &str = "(unassigned)";

/// Bytes and records in and out, and where the time went.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct IoMetrics {
    read_bytes: u64,
    read_bytes_complete: bool,
    write_bytes: u64,
    write_bytes_complete: bool,
    read_records: u64,
    read_records_complete: bool,
    write_records: u64,
    write_records_complete: bool,
    accumulated_backpressured_time: u64,
    accumulated_idle_time: u64,
    accumulated_busy_time: f64,
}

impl IoMetrics {
    /// The sums over `attempts`. They are complete if every attempt has told any metric: what it does not count is 0.
    pub(crate) fn of<'a>(attempts: impl Iterator<Item = &'a Attempt> + Clone) -> Self {
        let complete = attempts.clone().all(|attempt| !attempt.metrics.is_empty());
        // Conversions saturate, and NaN becomes 0.
        let sum = |name| attempts.clone().map(|attempt| metric(&attempt.metrics, name)).sum::<f64>() as u64;
        IoMetrics {
            read_bytes: sum(names::NUM_BYTES_IN),
            read_bytes_complete: complete,
            write_bytes: sum(names::NUM_BYTES_OUT),
            write_bytes_complete: complete,
            read_records: sum(names::NUM_RECORDS_IN),
            read_records_complete: complete,
            write_records: sum(names::NUM_RECORDS_OUT),
            write_records_complete: complete,
            accumulated_backpressured_time: sum(names::BACK_PRESSURED_TIME),
            accumulated_idle_time: sum(names::IDLE_TIME),
            accumulated_busy_time: sum(names::BUSY_TIME) as f64,
        }
    }
}

fn metric(metrics: &Metrics, name: &str) -> f64 {
    metrics.get(name).copied().filter(|value| value.is_finite()).unwrap_or(0.0)
}

/// The states before the end, in their order.
const LIVE: [TaskStatus; 5] =
    [TaskStatus::Created, TaskStatus::Scheduled, TaskStatus::Deploying, TaskStatus::Initializing, TaskStatus::Running];

/// How long `attempt` was in each state, ms; -1 for a state that it was not in.
pub(crate) fn status_durations(attempt: &Attempt, now: Timestamp) -> BTreeMap<String, i64> {
    let durations = LIVE.iter().map(|status| {
        let duration = entered(&attempt.entered, *status).map(|since| {
            // The next state is the one that was entered first of those that were entered later.
            let later = attempt.entered.iter().filter(|(other, at)| other != status && *at >= since && !before(*other, *status));
            let until = later.map(|(_, at)| *at).min().unwrap_or(now);
            until.saturating_sub(since).max(0)
        });
        (status.to_string(), duration.unwrap_or(-1))
    });
    durations.collect()
}

/// Whether `one` comes before `other` in the life of a task; states may follow each other within a millisecond.
fn before(one: TaskStatus, other: TaskStatus) -> bool {
    let place = |status| LIVE.iter().position(|live| *live == status).unwrap_or(LIVE.len());
    place(one) < place(other)
}

/// When an attempt was deployed and ended.
pub(crate) fn times(attempt: &Attempt, now: Timestamp) -> Times {
    Times::of(deployed_at(attempt), ended_at(attempt), now)
}

/// When an attempt was deployed. Of one that another JobManager has started, it is known since when this one knows it.
pub(crate) fn deployed_at(attempt: &Attempt) -> Option<Timestamp> {
    let first = || attempt.entered.iter().filter(|(status, _)| *status != TaskStatus::Created).map(|(_, at)| *at).min();
    entered(&attempt.entered, TaskStatus::Deploying).or_else(first)
}

/// When an attempt ended.
pub(crate) fn ended_at(attempt: &Attempt) -> Option<Timestamp> {
    attempt.status.is_terminal().then(|| entered(&attempt.entered, attempt.status)).flatten()
}

/// An attempt of a subtask.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AttemptAnswer<'a> {
    subtask: usize,
    #[schemars(with = "String")]
    status: TaskStatus,
    attempt: u32,
    endpoint: &'a str,
    #[serde(flatten)]
    times: Times,
    metrics: IoMetrics,
    taskmanager_id: &'a str,
    status_duration: BTreeMap<String, i64>,
    /// Flink has it twice.
    #[serde(rename = "start_time")]
    start_time: i64,
}

impl<'a> AttemptAnswer<'a> {
    /// `attempt` of the subtask `index`.
    pub(crate) fn of(index: usize, attempt: &'a Attempt, now: Timestamp) -> Self {
        let times = times(attempt, now);
        AttemptAnswer {
            subtask: index,
            status: attempt.status,
            attempt: attempt.number,
            endpoint: attempt.endpoint.as_deref().unwrap_or(UNASSIGNED),
            start_time: times.start_time,
            times,
            metrics: IoMetrics::of(std::iter::once(attempt)),
            taskmanager_id: attempt.task_manager.as_deref().unwrap_or(UNASSIGNED),
            status_duration: status_durations(attempt, now),
        }
    }
}

/// Statistics over several subtasks.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Aggregated {
    metrics: BTreeMap<&'static str, Spread>,
    status_duration: BTreeMap<String, Spread>,
}

impl Aggregated {
    /// Over the newest attempts of `subtasks`.
    pub(crate) fn of(subtasks: &[&Subtask], now: Timestamp) -> Self {
        let named = [
            ("read-bytes", names::NUM_BYTES_IN),
            ("write-bytes", names::NUM_BYTES_OUT),
            ("read-records", names::NUM_RECORDS_IN),
            ("write-records", names::NUM_RECORDS_OUT),
            ("accumulated-backpressured-time", names::BACK_PRESSURED_TIME),
            ("accumulated-idle-time", names::IDLE_TIME),
            ("accumulated-busy-time", names::BUSY_TIME),
        ];
        let spread = |name| Spread::of(subtasks.iter().map(|subtask| metric(&subtask.current.metrics, name)));
        let durations: Vec<_> = subtasks.iter().map(|subtask| status_durations(&subtask.current, now)).collect();
        let of_status = |status: &TaskStatus| {
            let name = status.to_string();
            let spread = Spread::of(durations.iter().filter_map(|durations| durations.get(&name)).map(|ms| *ms as f64));
            (name, spread)
        };
        Aggregated {
            metrics: named.into_iter().map(|(shown, name)| (shown, spread(name))).collect(),
            status_duration: LIVE.iter().map(of_status).collect(),
        }
    }
}

/// An accumulator.
#[derive(Serialize, JsonSchema)]
pub(crate) struct UserAccumulator<'a> {
    name: &'a str,
    r#type: &'static str,
    value: String,
}

/// Accumulators under Flink's names of their kinds.
pub(crate) fn user_accumulators(all: &BTreeMap<String, AccumulatorValue>) -> Vec<UserAccumulator<'_>> {
    let text = |value: &AccumulatorValue| match *value {
        AccumulatorValue::Long(value) => ("LongCounter", value.to_string()),
        AccumulatorValue::Double(value) => ("DoubleCounter", value.to_string()),
        AccumulatorValue::Average { sum, count } => ("AverageAccumulator", (sum / count.max(1) as f64).to_string()),
        AccumulatorValue::Min(value) => ("DoubleMinimum", value.to_string()),
        AccumulatorValue::Max(value) => ("DoubleMaximum", value.to_string()),
    };
    let answer = |(name, value)| {
        let (r#type, value) = text(value);
        UserAccumulator { name, r#type, value }
    };
    all.iter().map(|(name, value)| answer((name.as_str(), value))).collect()
}
