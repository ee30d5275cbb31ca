//! Making a task and opening its operators.

use super::{Phase, Result, Task, TaskSpec};
use crate::{
    aligner::Aligner,
    chain::{AtWork, Chain, ChainNode, Running},
    env::TaskEnv,
    latency::Markers,
    output::OutputEdge,
    restore::RestoredOperator,
    tap::Sampler,
    valve::WatermarkValve,
};
use flott_core::{
    context::{OpenContext, OperatorInfo, RestoredState},
    exchange::PartitionContext,
    metrics::names,
    time::MIN_WATERMARK,
};
use flott_graph::NodeKind;
use std::{cell::Cell, collections::HashMap, rc::Rc};

impl Task {
    /// Makes a task on the thread that will run it.
    pub fn new(spec: TaskSpec, env: TaskEnv) -> Self {
        let TaskSpec { deployment, graph, gate, channel_inputs, channel_edges, outputs, mailbox, tap, metrics } = spec;
        let attempt = deployment.attempt;
        let vertex = &graph.vertices[attempt.subtask.vertex.0 as usize];
        // Edges are numbered over the whole graph; a task knows its own few.
        let local: HashMap<usize, usize> = outputs.iter().enumerate().map(|(own, (edge, _))| (*edge, own)).collect();
        let nodes = vertex.operators.iter().zip(&metrics.operators).map(|(operator, metrics)| ChainNode {
            info: OperatorInfo {
                id: operator.id,
                name: operator.name.clone(),
                subtask: attempt.subtask.index,
                parallelism: vertex.parallelism,
                max_parallelism: vertex.max_parallelism,
                attempt: attempt.attempt,
            },
            location: operator.location.clone(),
            running: match &operator.kind {
                NodeKind::Source(source) => Running::Source(source.create_operator()),
                NodeKind::Operator(factory) => Running::Operator(factory.create()),
            },
            children: operator.children.clone(),
            outputs: operator.outputs.iter().filter_map(|edge| local.get(edge).copied()).collect(),
            metrics: metrics.1.clone(),
            records_in: metrics.1.counter(names::NUM_RECORDS_IN),
            records_out: metrics.1.counter(names::NUM_RECORDS_OUT),
        });
        let nodes: Vec<ChainNode> = nodes.collect();
        let edges = outputs.into_iter().zip(&metrics.edges).map(|((edge, senders), (_, records_out))| {
            let edge = &graph.edges[edge];
            let max_parallelism = graph.vertices[edge.to.0 as usize].max_parallelism;
            let context = PartitionContext { subtask: attempt.subtask.index, channels: senders.len(), max_parallelism };
            OutputEdge::new(edge.partitioner.create(context), senders, records_out.clone(), metrics.bytes_out.clone())
        });
        let edges = edges.collect();
        let channels = channel_inputs.len();
        // What crosses an edge is what its sender emits.
        let sender = |edge: &usize| {
            let edge = &graph.edges[*edge];
            &graph.vertices[edge.from.0 as usize].operators[edge.from_operator]
        };
        let taken = channel_edges.iter().map(|edge| (vertex.operators[0].name.clone(), sender(edge).tap.clone()));
        let emitted = vertex.operators.iter().map(|operator| (operator.name.clone(), operator.tap.clone()));
        let sampler = Sampler::new(tap, env.clock.clone(), attempt.subtask.index, taken.collect(), emitted.collect());
        Task {
            attempt,
            parallelism: vertex.parallelism,
            name: vertex.name.clone(),
            chain: Chain {
                nodes,
                edges,
                at_work: AtWork::default(),
                records_out: metrics.records_out.clone(),
                watermark_out: Rc::new(Cell::new(MIN_WATERMARK)),
                head_watermark: metrics.head_watermark.clone(),
                sampler,
            },
            aligner: Aligner::new(channels, graph.settings.checkpoints.mode),
            alignment_started: None,
            valve: WatermarkValve::new(channels),
            restore: deployment.restore,
            gate,
            ended_channels: vec![false; channels],
            channel_inputs,
            mailbox,
            markers: graph.settings.latency.map(|settings| Markers::new(settings, channels == 0, env.clock.monotonic())),
            accumulators: metrics.accumulators.clone(),
            metrics,
            phase: Phase::Reading,
            snapshot: None,
            blocks: std::sync::Arc::default(),
            finished_in: None,
            stopping_with: None,
            drained_for: None,
            settling: false,
            written_out: std::time::Duration::ZERO,
            graph,
            env,
        }
    }

    /// Whether the subtask had come to its end before the snapshot that it starts from. Its operators are opened all the same,
    /// since what they had prepared may not be committed yet, but they take no input and do not finish again.
    pub(super) fn had_finished(&self) -> bool {
        self.restore.as_ref().is_some_and(|restore| restore.finished)
    }

    /// Opens the operators, each after those behind it, so that what one emits while it opens is taken.
    pub(super) fn open(&mut self) -> Result<()> {
        let settings = &self.graph.settings;
        let may_lose_state = settings.restore.as_ref().is_some_and(|restore| restore.allow_non_restored_state);
        for index in (0..self.chain.nodes.len()).rev() {
            let info = self.chain.nodes[index].info.clone();
            let metrics = self.chain.nodes[index].metrics.clone();
            let restored = self.restore.as_ref().and_then(|restore| {
                let state = restore.operators.get(&info.id)?;
                let (checkpoint, location) = (restore.checkpoint, restore.location.as_str());
                Some(RestoredOperator {
                    checkpoint,
                    location,
                    state,
                    groups: info.key_groups(),
                    storage: &self.env.storage,
                    asked: Cell::default(),
                })
            });
            let mut context = OpenContext {
                info: &info,
                mode: settings.mode,
                restored: restored.as_ref().map(|restored| restored as &dyn RestoredState),
                clock: &self.env.clock,
                metrics: &metrics,
                accumulators: &self.accumulators,
                watermark_interval: settings.watermark_interval,
                commit_retries: settings.commit_retries,
                seed: seed_of(self.env.seed, &info),
            };
            match &self.chain.nodes[index].running {
                Running::Source(_) => self.chain.source(|source, _| source.open(&mut context))?,
                Running::Operator(_) => self.chain.operator(index, |operator, _| {
                    operator.open(&mut context)?;
                    restored.as_ref().filter(|_| !may_lose_state).map_or(Ok(()), RestoredOperator::check_asked)
                })?,
            }
        }
        Ok(())
    }
}

/// A seed that differs between operators, subtasks and attempts, and is the same in every run with the same job seed.
fn seed_of(job: u64, info: &OperatorInfo) -> u64 {
    let parts = (job, info.id, info.subtask, info.attempt);
    flott_core::key_hash::key_hash(&parts)
}
