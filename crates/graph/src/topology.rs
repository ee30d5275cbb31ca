//! The job graph without closures: what the JobManager decides by, and what travels between processes.

use flott_core::{
    context::RuntimeMode,
    exchange::PartitionKind,
    id::{OperatorId, VertexId},
};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// An operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorTopology {
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
    /// Whether it has an enumerator.
    pub is_source: bool,
    /// The operators of the same chain that take its output, as places in the vertex.
    pub children: Vec<usize>,
}

/// A chain of operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VertexTopology {
    /// Its place in the graph.
    pub id: VertexId,
    /// The names of its operators.
    pub name: String,
    /// The number of subtasks.
    pub parallelism: u32,
    /// The number of key groups.
    pub max_parallelism: u32,
    /// Whether it has one subtask whatever happens: one of its operators works only so.
    #[serde(default)]
    pub fixed_parallelism: bool,
    /// Which vertices may share a slot with it.
    pub slot_sharing_group: String,
    /// Its operators, the head first.
    pub operators: Vec<OperatorTopology>,
}

impl VertexTopology {
    /// The largest number of subtasks that it can be run with.
    pub fn parallelism_limit(&self) -> u32 {
        if self.fixed_parallelism { self.parallelism } else { self.max_parallelism }
    }
}

/// An exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeTopology {
    /// The sending vertex.
    pub from: VertexId,
    /// The place of the sending operator in its chain.
    pub from_operator: usize,
    /// The receiving vertex.
    pub to: VertexId,
    /// The number of its head's input.
    pub input: usize,
    /// How records are spread.
    pub kind: PartitionKind,
}

impl EdgeTopology {
    /// The receiving subtasks that sending subtask `from` of `senders` is connected with, of `receivers`.
    pub fn targets(&self, from: u32, senders: u32, receivers: u32) -> Range<u32> {
        if !self.kind.is_pointwise() {
            return 0..receivers;
        }
        if receivers >= senders {
            // A sender has several receivers of its own.
            scaled(from, receivers, senders)..scaled(from + 1, receivers, senders)
        } else {
            // Several senders share a receiver: the one whose own range of senders holds this one.
            let target = owner(from, senders, receivers);
            target..target + 1
        }
    }

    /// The sending subtasks that receiving subtask `to` of `receivers` is connected with, of `senders`.
    pub fn origins(&self, to: u32, senders: u32, receivers: u32) -> Range<u32> {
        if !self.kind.is_pointwise() {
            return 0..senders;
        }
        if receivers >= senders {
            let sender = owner(to, receivers, senders);
            sender..sender + 1
        } else {
            scaled(to, senders, receivers)..scaled(to + 1, senders, receivers)
        }
    }
}

/// The first of `of` that falls to `index` of `parts`.
fn scaled(index: u32, of: u32, parts: u32) -> u32 {
    (u64::from(index) * u64::from(of) / u64::from(parts)) as u32
}

/// Whose range of `of`, divided among `parts`, holds `index`: the last that begins at or before it.
fn owner(index: u32, of: u32, parts: u32) -> u32 {
    (((u64::from(index) + 1) * u64::from(parts) - 1) / u64::from(of)) as u32
}

/// A job graph without closures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobTopology {
    /// The job's name.
    pub name: String,
    /// Streaming or batch.
    pub mode: RuntimeMode,
    /// The vertices; inputs come before their consumers.
    pub vertices: Vec<VertexTopology>,
    /// The exchanges.
    pub edges: Vec<EdgeTopology>,
}

impl JobTopology {
    /// The same graph with other numbers of subtasks, one for each vertex. Vertices for which there is none keep theirs.
    pub fn with_parallelism(&self, parallelism: &[u32]) -> JobTopology {
        let mut topology = self.clone();
        for (vertex, parallelism) in topology.vertices.iter_mut().zip(parallelism) {
            vertex.parallelism = *parallelism;
        }
        topology
    }

    /// The number of subtasks of each vertex.
    pub fn parallelism(&self) -> Vec<u32> {
        self.vertices.iter().map(|vertex| vertex.parallelism).collect()
    }

    /// For each vertex the first of those that it is joined with by forward edges, directly or through others: all of them have the
    /// same number of subtasks, since subtask `i` sends to subtask `i`.
    pub fn forward_groups(&self) -> Vec<VertexId> {
        let mut first: Vec<usize> = (0..self.vertices.len()).collect();
        for edge in self.edges.iter().filter(|edge| edge.kind == PartitionKind::Forward) {
            let (a, b) = (first[edge.from.0 as usize], first[edge.to.0 as usize]);
            first.iter_mut().filter(|group| **group == a.max(b)).for_each(|group| *group = a.min(b));
        }
        first.into_iter().map(|group| VertexId(group as u32)).collect()
    }

    /// A vertex. Ids are places in the graph, so that it is always there.
    pub fn vertex(&self, id: VertexId) -> &VertexTopology {
        &self.vertices[id.0 as usize]
    }

    /// The edges that bring a vertex its input, in the order of its channels.
    pub fn inputs(&self, id: VertexId) -> impl Iterator<Item = &EdgeTopology> {
        self.edges.iter().filter(move |edge| edge.to == id)
    }

    /// The edges that take a vertex's output.
    pub fn outputs(&self, id: VertexId) -> impl Iterator<Item = &EdgeTopology> {
        self.edges.iter().filter(move |edge| edge.from == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vertices_joined_by_forward_edges_are_one_group() {
        let vertex = |id| VertexTopology {
            id: VertexId(id),
            name: String::new(),
            parallelism: 2,
            max_parallelism: 8,
            fixed_parallelism: false,
            slot_sharing_group: String::new(),
            operators: Vec::new(),
        };
        let edge = |from, to, kind| EdgeTopology { from: VertexId(from), from_operator: 0, to: VertexId(to), input: 0, kind };
        let mut topology = JobTopology {
            name: String::new(),
            mode: RuntimeMode::Streaming,
            vertices: (0..5).map(vertex).collect(),
            edges: vec![
                edge(0, 2, PartitionKind::Hash),
                edge(1, 3, PartitionKind::Forward),
                edge(2, 4, PartitionKind::Forward),
                edge(3, 4, PartitionKind::Forward),
            ],
        };
        assert_eq!(topology.forward_groups(), [0, 1, 1, 1, 1].map(VertexId));
        topology.vertices[0].fixed_parallelism = true;
        assert_eq!((topology.vertices[0].parallelism_limit(), topology.vertices[1].parallelism_limit()), (2, 8));
        assert_eq!(topology.with_parallelism(&[1, 3]).parallelism(), [1, 3, 2, 2, 2]);
    }

    #[test]
    fn pointwise_edges_connect_every_subtask_on_both_sides() {
        let edge = EdgeTopology { from: VertexId(0), from_operator: 0, to: VertexId(1), input: 0, kind: PartitionKind::Rescale };
        for senders in 1..9 {
            for receivers in 1..9 {
                for from in 0..senders {
                    let targets = edge.targets(from, senders, receivers);
                    assert!(!targets.is_empty(), "{senders} to {receivers}: sender {from} has no receiver");
                    for to in targets {
                        assert!(edge.origins(to, senders, receivers).contains(&from));
                    }
                }
                for to in 0..receivers {
                    for from in edge.origins(to, senders, receivers) {
                        assert!(edge.targets(from, senders, receivers).contains(&to), "{senders} to {receivers}: {from} to {to}");
                    }
                }
            }
        }
    }
}
