//! The graph that is run: operators joined to chains.

use crate::{
    settings::JobSettings,
    stream_graph::NodeKind,
    topology::{EdgeTopology, JobTopology, OperatorTopology, VertexTopology},
};
use flott_core::{
    exchange::PartitionerFactory,
    id::{OperatorId, VertexId},
    tap::TapPolicy,
};
use std::{fmt, sync::Arc};

/// An operator in its chain.
#[derive(Debug, Clone)]
pub struct ChainedOperator {
    /// Stable between runs.
    pub id: OperatorId,
    /// What the program called it for its state.
    pub uid: Option<String>,
    /// The name that is shown.
    pub name: String,
    /// A longer description.
    pub description: Option<String>,
    /// File and line of its declaration.
    pub location: String,
    /// What it does.
    pub kind: NodeKind,
    /// The operators of the chain that take its output, as places in [`JobVertex::operators`]; each larger than its own.
    pub children: Vec<usize>,
    /// The edges that take its output to other vertices, as places in [`JobGraph::edges`].
    pub outputs: Vec<usize>,
    /// What a tap may show of what it emits.
    pub tap: TapPolicy,
}

/// A chain of operators, run as one task in each subtask. The first operator is the head; the others form a tree below it.
#[derive(Debug, Clone)]
pub struct JobVertex {
    /// Its place in the graph.
    pub id: VertexId,
    /// The names of its operators.
    pub name: String,
    /// The number of subtasks.
    pub parallelism: u32,
    /// The number of key groups.
    pub max_parallelism: u32,
    /// Whether it has one subtask whatever happens: one of its operators works only so.
    pub fixed_parallelism: bool,
    /// Which vertices may share a slot with it.
    pub slot_sharing_group: String,
    /// Its operators.
    pub operators: Vec<ChainedOperator>,
    /// The edges that bring its input, as places in [`JobGraph::edges`], in the order of the channels.
    pub inputs: Vec<usize>,
}

/// An exchange between two vertices.
#[derive(Clone)]
pub struct JobEdge {
    /// The sending vertex.
    pub from: VertexId,
    /// The place of the sending operator in its chain.
    pub from_operator: usize,
    /// The receiving vertex, whose head takes the records.
    pub to: VertexId,
    /// The number of the head's input.
    pub input: usize,
    /// Spreads the records.
    pub partitioner: Arc<dyn PartitionerFactory>,
}

impl fmt::Debug for JobEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobEdge({}[{}] -{}-> {}[{}])", self.from, self.from_operator, self.partitioner.kind().name(), self.to, self.input)
    }
}

/// A compiled job.
#[derive(Debug, Clone)]
pub struct JobGraph {
    /// The job's name.
    pub name: String,
    /// What it is run with.
    pub settings: JobSettings,
    /// The vertices; inputs come before their consumers.
    pub vertices: Vec<JobVertex>,
    /// The exchanges.
    pub edges: Vec<JobEdge>,
}

impl JobGraph {
    /// The same graph with other numbers of subtasks, one for each vertex. Vertices for which there is none keep theirs.
    pub fn with_parallelism(&self, parallelism: &[u32]) -> JobGraph {
        let mut graph = self.clone();
        for (vertex, parallelism) in graph.vertices.iter_mut().zip(parallelism) {
            vertex.parallelism = *parallelism;
        }
        graph
    }

    /// The number of subtasks of each vertex.
    pub fn parallelism(&self) -> Vec<u32> {
        self.vertices.iter().map(|vertex| vertex.parallelism).collect()
    }

    /// The graph without closures.
    pub fn topology(&self) -> JobTopology {
        let operator = |operator: &ChainedOperator| OperatorTopology {
            id: operator.id,
            uid: operator.uid.clone(),
            name: operator.name.clone(),
            description: operator.description.clone(),
            location: operator.location.clone(),
            is_source: matches!(operator.kind, NodeKind::Source(_)),
            children: operator.children.clone(),
        };
        let vertices = self.vertices.iter().map(|vertex| VertexTopology {
            id: vertex.id,
            name: vertex.name.clone(),
            parallelism: vertex.parallelism,
            max_parallelism: vertex.max_parallelism,
            fixed_parallelism: vertex.fixed_parallelism,
            slot_sharing_group: vertex.slot_sharing_group.clone(),
            operators: vertex.operators.iter().map(operator).collect(),
        });
        let edges = self.edges.iter().map(|edge| EdgeTopology {
            from: edge.from,
            from_operator: edge.from_operator,
            to: edge.to,
            input: edge.input,
            kind: edge.partitioner.kind(),
        });
        JobTopology { name: self.name.clone(), mode: self.settings.mode, vertices: vertices.collect(), edges: edges.collect() }
    }
}
