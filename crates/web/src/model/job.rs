//! Jobs, their vertices, subtasks and attempts.

use super::process::Setting;
use flott_core::{
    accumulator::AccumulatorValue,
    error::TaskFailure,
    id::{JobId, OperatorId},
    metrics::HistogramFigures,
    time::Timestamp,
};
use flott_rpc::{
    client::ParallelismBounds,
    figures::{BufferFigures, Latency},
    status::{JobStatus, TaskStatus},
};
use std::collections::BTreeMap;

/// A vertex by its first operator, and how many subtasks it may have.
pub type VertexBounds = (OperatorId, ParallelismBounds);

/// Figures by name; the names are Flink's, as in [`flott_core::metrics::names`].
pub type Metrics = BTreeMap<String, f64>;

/// A job in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// The job.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: JobStatus,
    /// Whether its input is bounded and it runs stage by stage.
    pub batch: bool,
    /// When it was submitted.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When its state, or that of a task, last changed.
    pub changed_at: Option<Timestamp>,
    /// The state of each subtask's newest attempt.
    pub tasks: Vec<TaskStatus>,
}

/// A job in detail.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The job.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: JobStatus,
    /// Whether its input is bounded and it runs stage by stage.
    pub batch: bool,
    /// When it was submitted.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it last entered each state that it has been in.
    pub entered: Vec<(JobStatus, Timestamp)>,
    /// The greatest parallelism that the whole job may be given.
    pub max_parallelism: Option<u32>,
    /// Its vertices, sources first.
    pub vertices: Vec<Vertex>,
    /// What it was started with.
    pub config: ExecutionConfig,
    /// Restarts so far.
    pub restarts: u64,
    /// The accumulators of all tasks, merged.
    pub accumulators: BTreeMap<String, AccumulatorValue>,
    /// Its own metrics. The server adds those that follow from the rest: checkpoints, restarts, times.
    pub metrics: Metrics,
    /// Metrics of the coordinators of vertices (enumerators of sources), by vertex; without the operator's name.
    pub coordinator_metrics: BTreeMap<OperatorId, Metrics>,
}

/// What a job was started with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExecutionConfig {
    /// The restart strategy, for people.
    pub restart_strategy: String,
    /// The default parallelism.
    pub parallelism: Option<u32>,
    /// The options of the job, and others that it was given.
    pub options: Vec<Setting>,
}

/// A vertex of the job graph: a chain of operators.
#[derive(Debug, Clone, PartialEq)]
pub struct Vertex {
    /// The first operator of the chain, which is in no other one. Written with 32 hexadecimal digits.
    pub id: OperatorId,
    /// The name of the chain.
    pub name: String,
    /// The names of its operators, in the order of the chain.
    pub operators: Vec<String>,
    /// Their ids.
    pub operator_ids: Vec<OperatorId>,
    /// The slot sharing group.
    pub slot_sharing_group: Option<String>,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Number of key groups.
    pub max_parallelism: u32,
    /// Where its records come from.
    pub inputs: Vec<Input>,
    /// Its subtasks by index; empty for a job that does not run.
    pub subtasks: Vec<Subtask>,
}

/// An edge, at its receiving end.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The vertex that sends.
    pub from: OperatorId,
    /// How records are divided among subtasks: `HASH`, `FORWARD`, `REBALANCE`, `BROADCAST` ...
    pub ship_strategy: String,
    /// How they travel; `None`: through bounded channels (`pipelined_bounded`).
    pub exchange: Option<String>,
    /// Records that were sent into it; a copy for each receiver counts. `None`: not known.
    pub records: Option<f64>,
    /// As many a second.
    pub records_rate: Option<f64>,
}

/// One parallel instance of a vertex.
#[derive(Debug, Clone, PartialEq)]
pub struct Subtask {
    /// The newest run.
    pub current: Attempt,
    /// Earlier runs that are still known.
    pub earlier: Vec<Attempt>,
}

/// One run of a subtask.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its number, from 0.
    pub number: u32,
    /// Its state.
    pub status: TaskStatus,
    /// Where it runs.
    pub task_manager: Option<String>,
    /// The host of that TaskManager, with the port for data if there is one.
    pub endpoint: Option<String>,
    /// When it entered each state that it has been in.
    pub entered: Vec<(TaskStatus, Timestamp)>,
    /// The metrics of the task, with the rates of its counters (`...PerSecond`).
    pub metrics: Metrics,
    /// The metrics of its operators by the operator's name, in the order of the chain.
    pub operator_metrics: Vec<(String, Metrics)>,
    /// The histograms of its operators: the operator's place in the chain, the name, and what it says.
    pub histograms: Vec<(usize, String, HistogramFigures)>,
    /// What waits in its channels.
    pub buffers: Option<BufferFigures>,
    /// How long latency markers were on their way to its operators.
    pub latencies: Vec<Latency>,
    /// Its accumulators.
    pub accumulators: BTreeMap<String, AccumulatorValue>,
}

/// A failure in the history of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// When.
    pub at: Timestamp,
    /// What it was, in a word or two.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// The task that failed; `None`: the job as a whole.
    pub task: Option<String>,
    /// Where the task ran.
    pub task_manager: Option<String>,
    /// The host of that TaskManager.
    pub endpoint: Option<String>,
    /// Labels that someone has given to it.
    pub labels: BTreeMap<String, String>,
    /// Failures of other tasks that came with it.
    pub concurrent: Vec<Failure>,
}

impl Failure {
    /// A failure at `at`, of a task or of the job as a whole.
    pub fn new(at: Timestamp, failure: &TaskFailure, is_task: bool) -> Self {
        let mut text = failure.causes.join("\nCaused by: ");
        if let Some(location) = &failure.location {
            text.push_str("\n\tat ");
            text.push_str(location);
        }
        let task = || format!("{} ({}/{}) - execution #{}", failure.operator, failure.subtask + 1, failure.parallelism, failure.attempt);
        let name = if failure.panicked { "panic" } else { "error" };
        Failure { at, name: format!("{name} in `{}`", failure.operator), text, task: is_task.then(task), ..Failure::default() }
    }
}
