//! Random jobs, and what their results must be.

use crate::random::Random;
use flott_core::{
    context::RuntimeMode,
    exchange::PartitionKind,
    id::{OperatorId, SubtaskId, VertexId},
};
use flott_graph::{
    EdgeTopology, JobTopology, OperatorTopology, VertexTopology,
    settings::{FailoverSettings, JobSettings, RestartSettings, SchedulerMode, SchedulerSettings},
};
use std::time::Duration;

/// The graph, whatever the parallelism.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) vertices: usize,
    /// From, to, and the kind if the parallelism allows it.
    pub(crate) edges: Vec<(usize, usize, PartitionKind)>,
}

impl Shape {
    pub(crate) fn random(random: &mut Random) -> Self {
        let vertices = 1 + random.below(4) as usize;
        let mut edges = Vec::new();
        for to in 1..vertices {
            let first = random.below(to as u64 + 1) as usize;
            for from in (0..to).filter(|from| *from == first) {
                edges.push((from, to, kind(random)));
            }
            if to > 1 && random.percent(30) {
                let second = random.below(to as u64) as usize;
                if second != first {
                    edges.push((second, to, kind(random)));
                }
            }
        }
        Shape { vertices, edges }
    }

    pub(crate) fn is_source(&self, vertex: usize) -> bool {
        self.edges.iter().all(|(_, to, _)| *to != vertex)
    }

    pub(crate) fn is_sink(&self, vertex: usize) -> bool {
        self.edges.iter().all(|(from, _, _)| *from != vertex)
    }

    /// How often a record of `source` arrives at `vertex`.
    pub(crate) fn paths(&self, source: usize, vertex: usize) -> u64 {
        if source == vertex {
            return 1;
        }
        self.edges.iter().filter(|(_, to, _)| *to == vertex).map(|(from, _, _)| self.paths(source, *from)).sum()
    }

    pub(crate) fn topology(&self, random: &mut Random, batch: bool) -> JobTopology {
        let common = 1 + random.below(3) as u32;
        let parallelism: Vec<u32> =
            (0..self.vertices).map(|_| if random.percent(60) { common } else { 1 + random.below(3) as u32 }).collect();
        let two_groups = random.percent(20);
        let vertices = (0..self.vertices).map(|number| VertexTopology {
            id: VertexId(number as u32),
            name: format!("op{number}"),
            parallelism: parallelism[number],
            max_parallelism: 16,
            fixed_parallelism: false,
            slot_sharing_group: if two_groups && number % 2 == 1 { "second".into() } else { "default".into() },
            operators: vec![OperatorTopology {
                id: operator(number),
                uid: Some(format!("op{number}")),
                name: format!("op{number}"),
                description: None,
                location: "simulation".into(),
                is_source: self.is_source(number),
                children: Vec::new(),
            }],
        });
        let edges = self.edges.iter().map(|(from, to, kind)| EdgeTopology {
            from: VertexId(*from as u32),
            from_operator: 0,
            to: VertexId(*to as u32),
            input: 0,
            kind: if *kind == PartitionKind::Forward && parallelism[*from] != parallelism[*to] { PartitionKind::Rebalance } else { *kind },
        });
        JobTopology {
            name: "simulated".into(),
            mode: if batch { RuntimeMode::Batch } else { RuntimeMode::Streaming },
            vertices: vertices.collect(),
            edges: edges.collect(),
        }
    }
}

fn kind(random: &mut Random) -> PartitionKind {
    [PartitionKind::Forward, PartitionKind::Forward, PartitionKind::Rescale, PartitionKind::Hash][random.below(4) as usize]
}

pub(crate) fn operator(vertex: usize) -> OperatorId {
    OperatorId::from_uid(&format!("op{vertex}"))
}

pub(crate) fn settings(random: &mut Random) -> JobSettings {
    let mut settings = JobSettings::default();
    let checkpoints = &mut settings.checkpoints;
    checkpoints.interval = random.percent(75).then(|| Duration::from_millis(2 + random.below(40)));
    checkpoints.timeout = Duration::from_millis(60 + random.below(1000));
    checkpoints.min_pause = Duration::from_millis(if random.percent(50) { 0 } else { random.below(20) });
    checkpoints.max_concurrent = if random.percent(60) { 1 } else { 2 + random.below(2) as u32 };
    checkpoints.tolerable_failures = random.below(3) as u32;
    checkpoints.num_retained = 1 + random.below(3) as u32;
    settings.failover = if random.percent(80) { FailoverSettings::Region } else { FailoverSettings::Full };
    let delay = Duration::from_millis(random.below(50));
    settings.restart = if random.percent(50) {
        RestartSettings::FixedDelay { attempts: u32::MAX, delay }
    } else {
        RestartSettings::ExponentialDelay {
            initial: Duration::from_millis(1),
            max: Duration::from_millis(100),
            multiplier: 1.5,
            jitter: 0.1,
            reset_after: Duration::from_secs(10),
            attempts: None,
        }
    };
    // With this one slots that do not suffice are given back while there are still few.
    let short = Duration::from_millis(20);
    settings.scheduler = SchedulerSettings {
        mode: [SchedulerMode::Default, SchedulerMode::Default, SchedulerMode::Adaptive, SchedulerMode::Reactive][random.below(4) as usize],
        resource_wait_timeout: [None, Some(Duration::from_secs(300)), Some(short), Some(short)][random.below(4) as usize],
        submission_stabilization: Duration::from_millis(random.below(20)),
        executing_stabilization: Duration::from_millis(random.below(60)),
        cooldown: Duration::from_millis(random.below(60)),
        max_checkpoint_failures: 1 + random.below(3) as u32,
    };
    settings.mode = if random.percent(10) { RuntimeMode::Batch } else { RuntimeMode::Streaming };
    settings
}

/// A record: its source, its split, its place in the split.
pub(crate) type Record = u64;

pub(crate) fn record(source: usize, split: u64, place: u64) -> Record {
    (source as u64) << 32 | split << 16 | place
}

pub(crate) fn source_of(record: Record) -> usize {
    (record >> 32) as usize
}

/// A part of a source's input: from `next` to below `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) id: u64,
    pub(crate) next: u64,
    pub(crate) end: u64,
}

impl Split {
    pub(crate) fn encode(&self) -> Vec<u8> {
        [self.id, self.next, self.end].iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let numbers = numbers(bytes);
        Split { id: numbers[0], next: numbers[1], end: numbers[2] }
    }

    pub(crate) fn left(&self) -> u64 {
        self.end - self.next
    }
}

pub(crate) fn numbers(bytes: &[u8]) -> Vec<u64> {
    bytes.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().expect("chunks of eight"))).collect()
}

pub(crate) fn subtask(vertex: VertexId, index: u32) -> SubtaskId {
    SubtaskId { vertex, index }
}
