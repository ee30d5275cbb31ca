//! A task: one run of one subtask. A future that reads input, runs the chain, takes part in checkpoints and reports.
//!
//! ```text
//!   open ──▶ Reading ──────────────▶ Ended ───────────────────────────────▶ finished
//!              │    end of all input   │ waits for a checkpoint that it      (commits, closes its channels)
//!              │                       │ acknowledged as finished
//!              ├─▶ Suspended: a source behind the barrier of stop-with-savepoint ─▶ finished, or back to Reading
//!              └─▶ Orphaned: a neighbour is gone; waits to be cancelled
//! ```
//! Commands are handled between batches, in every phase.

mod checkpoint;
mod drive;
mod latency;
mod setup;

use crate::{
    aligner::Aligner, chain::Chain, env::TaskEnv, gate::ChannelSender, gate::InputGate, latency::Markers, mailbox::Mailbox,
    metrics::TaskMetrics, panics::Catching, snapshot::PendingSnapshot, tap::Tap, valve::WatermarkValve,
};
use flott_core::{
    BoxError,
    accumulator::Accumulators,
    block_pool::BlockPool,
    error::{OUTPUT_CLOSED, TaskFailure, Unrecoverable},
    id::{AttemptId, CheckpointId},
};
use flott_graph::JobGraph;
use flott_rpc::task::{TaskDeployment, TaskReport};
use std::{sync::Arc, time::Duration};

/// What a task is made from.
#[derive(Debug)]
pub struct TaskSpec {
    /// Which run of which subtask, and what it starts from.
    pub deployment: TaskDeployment,
    /// The job.
    pub graph: Arc<JobGraph>,
    /// Its input; `None` for a source.
    pub gate: Option<InputGate>,
    /// Of each channel of the gate, the number of the head's input.
    pub channel_inputs: Vec<usize>,
    /// Of each channel of the gate, the place of its edge in the graph.
    pub channel_edges: Vec<usize>,
    /// Its outputs: the place of each edge in the graph, and a channel for each connected receiver.
    pub outputs: Vec<(usize, Vec<ChannelSender>)>,
    /// Commands.
    pub mailbox: Mailbox,
    /// Shows some of its records.
    pub tap: Tap,
    /// Its figures.
    pub metrics: TaskMetrics,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    Suspended(CheckpointId),
    Ended,
    Orphaned,
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Finished,
    Canceled,
}

/// A task.
pub struct Task {
    attempt: AttemptId,
    parallelism: u32,
    name: String,
    env: TaskEnv,
    graph: Arc<JobGraph>,
    restore: Option<flott_rpc::task::TaskRestore>,
    gate: Option<InputGate>,
    channel_inputs: Vec<usize>,
    ended_channels: Vec<bool>,
    chain: Chain,
    aligner: Aligner,
    alignment_started: Option<Duration>,
    valve: WatermarkValve,
    mailbox: Mailbox,
    metrics: TaskMetrics,
    /// `None`: the job has no latency markers.
    markers: Option<Markers>,
    accumulators: Accumulators,
    phase: Phase,
    snapshot: Option<PendingSnapshot>,
    /// Memory of snapshots, kept from one to the next.
    blocks: Arc<BlockPool>,
    /// Checkpoints that were acknowledged behind the end of input.
    finished_in: Option<CheckpointId>,
    /// The stop-with-savepoint that was acknowledged.
    stopping_with: Option<CheckpointId>,
    /// The stop with savepoint for which the source has ended its input early.
    drained_for: Option<CheckpointId>,
    /// All that had to be committed may be: the task ends as soon as it is.
    settling: bool,
    /// When it last let go of what it has sent to other processes.
    written_out: Duration,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("attempt", &self.attempt).field("name", &self.name).field("phase", &self.phase).finish_non_exhaustive()
    }
}

impl Task {
    /// The name that its thread gets: vertex name and subtask, from 1.
    pub fn name(&self) -> String {
        format!("{} ({}/{})", self.name, self.attempt.subtask.index + 1, self.parallelism)
    }

    /// Runs the task to its end, whatever it is, and reports it.
    pub async fn run(mut self) {
        let result = Catching(Box::pin(self.drive())).await;
        let outcome = match result {
            Ok(Ok(end)) => Ok(end),
            Ok(Err(error)) => Err(self.failed(error.as_ref())),
            // No mistake of the program's, and a restart would meet it again.
            Err(panic) if panic.is_closed_output() => {
                let failure = self.failure(vec![OUTPUT_CLOSED.to_owned(), panic.message], panic.location, false);
                Err(TaskFailure { unrecoverable: true, ..failure })
            }
            Err(panic) => Err(self.failure(vec![panic.message], panic.location, true)),
        };
        let (env, attempt, accumulators, times) = (self.env.clone(), self.attempt, self.accumulators.clone(), self.metrics.times.clone());
        let outcome = match (outcome, self.close()) {
            (Ok(_), Err(failure)) => Err(failure),
            (outcome, _) => outcome,
        };
        times.ended(env.clock.monotonic());
        env.reporter.report(
            attempt,
            match outcome {
                Ok(End::Finished) => TaskReport::Finished { accumulators: accumulators.snapshot() },
                Ok(End::Canceled) => TaskReport::Canceled,
                Err(failure) => TaskReport::Failed(failure),
            },
        );
    }

    /// The failure of the operator at work that returned `error`.
    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> TaskFailure {
        let failure = self.failure(TaskFailure::causes_of(error), None, false);
        TaskFailure { unrecoverable: Unrecoverable::is_in(error), ..failure }
    }

    /// The failure, blamed on the operator at work.
    fn failure(&self, causes: Vec<String>, location: Option<String>, panicked: bool) -> TaskFailure {
        let node = self.chain.at_work.get().and_then(|index| self.chain.nodes.get(index));
        TaskFailure {
            operator: node.map_or_else(|| self.name.clone(), |node| node.info.name.clone()),
            subtask: self.attempt.subtask.index,
            parallelism: self.parallelism,
            attempt: self.attempt.attempt,
            causes,
            location: match (location, node) {
                // A panic may have come up inside a library: the operator's declaration tells whose call it was.
                (Some(panic), Some(node)) => Some(format!("{panic} (operator declared at {})", node.location)),
                (panic, node) => panic.or_else(|| node.map(|node| node.location.clone())),
            },
            panicked,
            unrecoverable: false,
        }
    }

    /// Closes operators, each even if another fails; then the outputs. Returns the first failure.
    fn close(mut self) -> Result<(), TaskFailure> {
        let mut first = Ok(());
        if let Some(snapshot) = self.snapshot.take() {
            snapshot.abandon();
        }
        for index in 0..self.chain.nodes.len() {
            let chain = &mut self.chain;
            let result = crate::panics::catching(|| match chain.nodes[index].running {
                crate::chain::Running::Operator(_) => chain.operator(index, |operator, _| operator.close()),
                crate::chain::Running::Source(_) => Ok(()),
            });
            let failure = match result {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => self.failed(error.as_ref()),
                Err(panic) => self.failure(vec![panic.message], panic.location, true),
            };
            if first.is_ok() {
                first = Err(failure);
            }
        }
        if self.settling && first.is_ok() {
            self.chain.edges.into_iter().for_each(crate::output::OutputEdge::close);
        }
        first
    }
}

type Result<T, E = BoxError> = std::result::Result<T, E>;
