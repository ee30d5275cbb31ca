//! `/jobs/flow` and `/jobs/:job/flow`: the figures of whole graphs in one answer. Flink's dashboard asks twice for each vertex; who
//! draws a graph, or lists jobs, asks once. Not Flink's: shares are between 0 and 1, rates are a second, what is unknown is null.

use crate::{
    api::{
        bottleneck::{Bottleneck, Load, find_bottleneck},
        job::Times,
        metrics,
        states::{vertex_id, vertex_status},
    },
    cluster::ClusterError,
    http::{
        answer::{Handled, ok},
        call::Call,
    },
    model::{Checkpoint, CheckpointStatus, Checkpoints, Job, Metrics, Vertex},
};
use flott_core::{metrics::names, time::millis};
use flott_rpc::status::{JobStatus, TaskStatus};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Flows {
    now: i64,
    jobs: Vec<JobFlow>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct JobFlow {
    jid: String,
    #[schemars(with = "String")]
    state: JobStatus,
    restarts: u64,
    /// Records that its sources read and its sinks were given, a second.
    records_in_rate: Option<f64>,
    records_out_rate: Option<f64>,
    /// The greatest share of any subtask.
    busy: Option<f64>,
    backpressured: Option<f64>,
    last_checkpoint: Option<LastCheckpoint>,
    failures: usize,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct LastCheckpoint {
    id: u64,
    status: &'static str,
    ended_at: i64,
    duration: i64,
    size: u64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct GraphFlow {
    jid: String,
    #[schemars(with = "String")]
    state: JobStatus,
    now: i64,
    #[serde(flatten)]
    times: Times,
    restarts: u64,
    last_checkpoint: Option<LastCheckpoint>,
    bottleneck: Option<Bottleneck>,
    vertices: Vec<VertexFlow>,
    edges: Vec<EdgeFlow>,
}

/// An edge of the graph.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct EdgeFlow {
    /// The vertex that sends.
    source: String,
    /// The vertex that receives.
    target: String,
    /// The number of the target's input, as in the plan.
    num: usize,
    /// Records that were sent into it; a copy for each receiver counts.
    records: Option<f64>,
    records_rate: Option<f64>,
}

impl EdgeFlow {
    /// The edges that bring a vertex its input.
    fn into(vertex: &Vertex) -> impl Iterator<Item = Self> {
        let target = vertex_id(vertex.id);
        vertex.inputs.iter().enumerate().map(move |(num, input)| EdgeFlow {
            source: vertex_id(input.from),
            target: target.clone(),
            num,
            records: input.records,
            records_rate: input.records_rate,
        })
    }
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct VertexFlow {
    id: String,
    #[schemars(with = "String")]
    status: TaskStatus,
    parallelism: u32,
    /// How many subtasks are in each state that one is in.
    tasks: BTreeMap<String, u32>,
    records_in: Option<f64>,
    records_out: Option<f64>,
    /// Of a source what it reads, of a sink what it is given.
    records_in_rate: Option<f64>,
    records_out_rate: Option<f64>,
    bytes_in_rate: Option<f64>,
    bytes_out_rate: Option<f64>,
    busy: Option<Share>,
    backpressured: Option<Share>,
    idle: Option<Share>,
    /// How unequal the records of the subtasks are, percent.
    skew: Option<f64>,
    /// The lowest of all subtasks, ms since 1970; null: none yet.
    watermark: Option<i64>,
    /// Bytes in the last complete checkpoint.
    state_size: Option<u64>,
}

/// A share of the time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Share {
    pub(crate) max: f64,
    pub(crate) avg: f64,
    /// The subtask with `max`.
    pub(crate) at: usize,
}

impl Share {
    fn of(subtasks: &[Metrics], rate: &str) -> Option<Self> {
        let shares = subtasks.iter().map(|metrics| metrics.get(rate).map(|ms| (ms / 1000.0).clamp(0.0, 1.0)));
        let shares: Vec<(usize, f64)> = shares.enumerate().filter_map(|(at, share)| Some((at, share?))).collect();
        let (at, max) = shares.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1))?;
        Some(Share { max, avg: shares.iter().map(|(_, share)| share).sum::<f64>() / shares.len() as f64, at })
    }
}

fn sum(subtasks: &[Metrics], name: &str) -> Option<f64> {
    let mut values = subtasks.iter().filter_map(|metrics| metrics.get(name)).filter(|value| value.is_finite()).peekable();
    values.peek()?;
    Some(values.sum())
}

/// As [`sum`] for a metric of the operator at the head or the tail of the chain, where the task itself exchanges nothing.
fn sum_of_operator(vertex: &Vertex, subtasks: &[Metrics], last: bool, name: &str) -> Option<f64> {
    let operators = vertex.subtasks.first().map(|subtask| &subtask.current.operator_metrics)?;
    let (operator, _) = if last { operators.last() } else { operators.first() }?;
    sum(subtasks, &format!("{}.{name}", crate::api::metrics::identifier(operator)))
}

impl VertexFlow {
    fn of(job: &Job, vertex: &Vertex, checkpoint: Option<&Checkpoint>) -> Self {
        let subtasks: Vec<Metrics> = vertex.subtasks.iter().map(|subtask| metrics::by_name(&subtask.current)).collect();
        let source = vertex.inputs.is_empty();
        let sink = is_sink(job, vertex);
        let records_in = |task: &str, operator: &str| match sum_of_operator(vertex, &subtasks, false, operator).filter(|_| source) {
            Some(read) => Some(read),
            None => sum(&subtasks, task),
        };
        let records_out = |task: &str, operator: &str| match sum_of_operator(vertex, &subtasks, true, operator).filter(|_| sink) {
            Some(given) => Some(given),
            None => sum(&subtasks, task),
        };
        let records: Vec<f64> = subtasks.iter().filter_map(|metrics| metrics.get("numRecordsInPerSecond")).copied().collect();
        let watermarks = subtasks
            .iter()
            .filter_map(|metrics| metrics.get(if source { names::CURRENT_OUTPUT_WATERMARK } else { names::CURRENT_INPUT_WATERMARK }));
        // The least number stands for "none yet". Conversions saturate.
        let watermark = watermarks.map(|value| *value as i64).min().filter(|lowest| *lowest != i64::MIN);
        let mut tasks = BTreeMap::new();
        for subtask in &vertex.subtasks {
            *tasks.entry(subtask.current.status.to_string()).or_insert(0) += 1;
        }
        let part = checkpoint.and_then(|checkpoint| checkpoint.vertices.iter().find(|part| part.vertex == vertex.id));
        VertexFlow {
            id: vertex_id(vertex.id),
            status: vertex_status(vertex),
            parallelism: vertex.parallelism,
            tasks,
            records_in: records_in(names::NUM_RECORDS_IN, names::NUM_RECORDS_OUT),
            records_out: records_out(names::NUM_RECORDS_OUT, names::NUM_RECORDS_IN),
            records_in_rate: records_in("numRecordsInPerSecond", "numRecordsOutPerSecond"),
            records_out_rate: records_out("numRecordsOutPerSecond", "numRecordsInPerSecond"),
            bytes_in_rate: sum(&subtasks, "numBytesInPerSecond"),
            bytes_out_rate: sum(&subtasks, "numBytesOutPerSecond"),
            busy: Share::of(&subtasks, "busyTimeMsPerSecond"),
            backpressured: Share::of(&subtasks, "backPressuredTimeMsPerSecond"),
            idle: Share::of(&subtasks, "idleTimeMsPerSecond"),
            skew: (!source && records.len() > 1)
                .then(|| crate::api::metrics::skew(&records, records.iter().sum::<f64>() / records.len() as f64)),
            watermark,
            state_size: part.map(|part| part.subtasks.iter().flatten().map(|subtask| subtask.stats.bytes).sum()),
        }
    }
}

impl LastCheckpoint {
    /// The last one that has ended, however it did.
    fn of(checkpoints: Option<&Checkpoints>) -> Option<Self> {
        let last = checkpoints?.history.iter().find(|checkpoint| checkpoint.status != CheckpointStatus::InProgress)?;
        let (status, ended_at) = match &last.status {
            CheckpointStatus::Failed { at, .. } => ("FAILED", *at),
            _ => ("COMPLETED", last.last_acknowledged_at().unwrap_or(last.triggered_at)),
        };
        Some(LastCheckpoint { id: last.id.0, status, ended_at, duration: millis(last.total_duration()), size: last.total_bytes() })
    }
}

/// Whether nothing reads what a vertex sends.
fn is_sink(job: &Job, vertex: &Vertex) -> bool {
    !job.vertices.iter().any(|other| other.inputs.iter().any(|input| input.from == vertex.id))
}

/// What is there, or nothing if it has gone meanwhile.
fn known<T>(result: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(ClusterError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn last_completed(checkpoints: &Checkpoints) -> Option<&Checkpoint> {
    checkpoints.history.iter().find(|checkpoint| checkpoint.status == CheckpointStatus::Completed)
}

/// `GET /jobs/flow`
pub(crate) fn of_jobs(call: &Call) -> Handled {
    let mut jobs = Vec::new();
    for summary in call.cluster().jobs()? {
        let Some(job) = known(call.cluster().job(summary.id))? else { continue };
        let Some(failures) = known(call.cluster().failures(summary.id))? else { continue };
        let checkpoints = known(call.cluster().checkpoints(summary.id))?;
        let live = !job.status.is_terminal();
        let vertices: Vec<VertexFlow> = job.vertices.iter().filter(|_| live).map(|vertex| VertexFlow::of(&job, vertex, None)).collect();
        let rate = |wanted: fn(&Job, &Vertex) -> bool, rate: fn(&VertexFlow) -> Option<f64>| {
            let ends = job.vertices.iter().zip(&vertices).filter(|(vertex, _)| wanted(&job, vertex));
            ends.map(|(_, flow)| rate(flow)).sum::<Option<f64>>().filter(|_| live)
        };
        let greatest = |share: fn(&VertexFlow) -> Option<Share>| vertices.iter().filter_map(share).map(|share| share.max).reduce(f64::max);
        jobs.push(JobFlow {
            jid: job.id.to_string(),
            state: job.status,
            restarts: job.restarts,
            records_in_rate: rate(|_, vertex| vertex.inputs.is_empty(), |flow| flow.records_in_rate),
            records_out_rate: rate(is_sink, |flow| flow.records_out_rate),
            busy: greatest(|flow| flow.busy),
            backpressured: greatest(|flow| flow.backpressured),
            last_checkpoint: LastCheckpoint::of(checkpoints.as_deref()),
            failures: failures.len(),
        });
    }
    ok(&Flows { now: call.now(), jobs })
}

/// `GET /jobs/:job/flow`
pub(crate) fn of_job(call: &Call) -> Handled {
    let job = call.cluster().job(call.job()?)?;
    let checkpoints = known(call.cluster().checkpoints(job.id))?;
    let completed = checkpoints.as_deref().and_then(last_completed);
    let vertices: Vec<VertexFlow> = job.vertices.iter().map(|vertex| VertexFlow::of(&job, vertex, completed)).collect();
    let loads = job.vertices.iter().zip(&vertices).map(|(vertex, flow)| {
        let inputs = vertex.inputs.iter().filter_map(|input| job.vertices.iter().position(|other| other.id == input.from));
        Load {
            id: &flow.id,
            name: &vertex.name,
            parallelism: flow.parallelism,
            busy: flow.busy,
            backpressured: flow.backpressured,
            inputs: inputs.collect(),
        }
    });
    let bottleneck = if job.status == JobStatus::Running { find_bottleneck(&loads.collect::<Vec<_>>()) } else { None };
    let now = call.now();
    ok(&GraphFlow {
        jid: job.id.to_string(),
        state: job.status,
        now,
        times: Times::of(Some(job.started_at), job.ended_at, now),
        restarts: job.restarts,
        last_checkpoint: LastCheckpoint::of(checkpoints.as_deref()),
        bottleneck,
        vertices,
        edges: job.vertices.iter().flat_map(EdgeFlow::into).collect(),
    })
}
