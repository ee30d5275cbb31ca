//! From the stream graph to the job graph: parallelism, operator ids, chains.

use crate::{
    error::GraphError,
    job_graph::{ChainedOperator, JobEdge, JobGraph, JobVertex},
    settings::JobSettings,
    stream_graph::{Chaining, NodeId, NodeKind, StreamEdge, StreamGraph, StreamNode, Tapping},
};
use flott_core::{
    context::RuntimeMode,
    exchange::PartitionKind,
    id::{OperatorId, VertexId},
    key_group::{UPPER_BOUND_MAX_PARALLELISM, default_max_parallelism},
    source::Boundedness,
    tap::TapPolicy,
};
use std::collections::HashMap;

const DEFAULT_SLOT_SHARING_GROUP: &str = "default";

/// What operators without a setting of their own get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphDefaults {
    /// The number of subtasks.
    pub parallelism: u32,
    /// The number of key groups; `None`: from each operator's parallelism.
    pub max_parallelism: Option<u32>,
    /// Whether operators are chained at all.
    pub chaining: bool,
}

/// A node with everything decided.
struct Resolved {
    id: OperatorId,
    parallelism: u32,
    max_parallelism: u32,
    slot_sharing_group: String,
}

impl StreamGraph {
    /// Makes the job graph.
    ///
    /// # Errors
    /// [`GraphError`]: the program is no job that could run.
    pub fn compile(&self, name: &str, settings: JobSettings, defaults: GraphDefaults) -> Result<JobGraph, GraphError> {
        if self.nodes().is_empty() {
            return Err(GraphError::Empty);
        }
        check_uids(self.nodes())?;
        if settings.mode == RuntimeMode::Batch {
            check_bounded(self.nodes())?;
        }
        let resolved = resolve(self.nodes(), self.kinds(), defaults)?;
        let kinds = edge_kinds(self.nodes(), &resolved)?;
        let chain_of = assign_chains(self.nodes(), &resolved, &kinds, defaults.chaining);
        Ok(build(self.nodes(), &resolved, &kinds, &chain_of, name, settings))
    }

    /// Whether every source ends.
    pub fn is_bounded(&self) -> bool {
        check_bounded(self.nodes()).is_ok()
    }
}

fn check_uids(nodes: &[StreamNode]) -> Result<(), GraphError> {
    let mut seen: HashMap<&str, &StreamNode> = HashMap::new();
    for node in nodes {
        if let Some(uid) = &node.uid
            && let Some(first) = seen.insert(uid, node)
        {
            return Err(GraphError::DuplicateUid {
                uid: uid.clone(),
                first: first.name.clone(),
                first_at: first.location.clone(),
                second: node.name.clone(),
                second_at: node.location.clone(),
            });
        }
    }
    Ok(())
}

fn check_bounded(nodes: &[StreamNode]) -> Result<(), GraphError> {
    for node in nodes {
        if let NodeKind::Source(source) = &node.kind
            && source.boundedness() == Boundedness::ContinuousUnbounded
        {
            return Err(GraphError::UnboundedBatch { source_name: node.name.clone(), at: node.location.clone() });
        }
    }
    Ok(())
}

fn resolve(nodes: &[StreamNode], kinds: &[String], defaults: GraphDefaults) -> Result<Vec<Resolved>, GraphError> {
    let mut resolved: Vec<Resolved> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let parallelism = if node.fixed_parallelism { 1 } else { node.parallelism.unwrap_or(defaults.parallelism) };
        let max_parallelism = node.max_parallelism.or(defaults.max_parallelism).unwrap_or_else(|| default_max_parallelism(parallelism));
        if max_parallelism == 0 || max_parallelism > UPPER_BOUND_MAX_PARALLELISM {
            return Err(GraphError::MaxParallelism { operator: node.name.clone(), at: node.location.clone(), max_parallelism });
        }
        if parallelism == 0 || parallelism > max_parallelism {
            return Err(GraphError::Parallelism {
                operator: node.name.clone(),
                at: node.location.clone(),
                parallelism,
                max: max_parallelism,
            });
        }
        let inputs = || node.inputs.iter().map(|edge| &resolved[edge.from.0]);
        let inherited =
            inputs().next().map(|first| &first.slot_sharing_group).filter(|group| inputs().all(|i| i.slot_sharing_group == **group));
        let slot_sharing_group = node.slot_sharing_group.clone().or_else(|| inherited.cloned());
        let id = match &node.uid {
            Some(uid) => OperatorId::from_uid(uid),
            None => generated_id(index, &kinds[index], inputs().map(|input| input.id)),
        };
        let slot_sharing_group = slot_sharing_group.unwrap_or_else(|| DEFAULT_SLOT_SHARING_GROUP.to_owned());
        resolved.push(Resolved { id, parallelism, max_parallelism, slot_sharing_group });
    }
    Ok(resolved)
}

/// The id of an operator without uid: from its place in the program, its kind and the ids of its inputs, so that it changes with
/// any edit of what comes before it, as Flink's do.
fn generated_id(index: usize, kind: &str, inputs: impl Iterator<Item = OperatorId>) -> OperatorId {
    let mut text = format!("generated/{index}/{kind}");
    for input in inputs {
        text.push_str(&format!("/{input}"));
    }
    OperatorId::from_uid(&text)
}

fn edge_kinds(nodes: &[StreamNode], resolved: &[Resolved]) -> Result<Vec<Vec<PartitionKind>>, GraphError> {
    let kind_of = |to: usize, edge: &StreamEdge| -> Result<PartitionKind, GraphError> {
        let (from_parallelism, to_parallelism) = (resolved[edge.from.0].parallelism, resolved[to].parallelism);
        let equal = from_parallelism == to_parallelism;
        match edge.kind {
            None if equal => Ok(PartitionKind::Forward),
            None => Ok(PartitionKind::Rebalance),
            Some(PartitionKind::Forward) if !equal => Err(GraphError::Forward {
                from: nodes[edge.from.0].name.clone(),
                from_parallelism,
                to: nodes[to].name.clone(),
                at: nodes[to].location.clone(),
                to_parallelism,
            }),
            Some(kind) => Ok(kind),
        }
    };
    nodes.iter().enumerate().map(|(to, node)| node.inputs.iter().map(|edge| kind_of(to, edge)).collect()).collect()
}

/// For each node the head of its chain.
fn assign_chains(nodes: &[StreamNode], resolved: &[Resolved], kinds: &[Vec<PartitionKind>], enabled: bool) -> Vec<usize> {
    let mut head_of: Vec<usize> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let chained = match (&node.inputs[..], &kinds[index][..]) {
            ([edge], [PartitionKind::Forward]) if enabled && node.chaining == Chaining::Always => {
                let before = &resolved[edge.from.0];
                // A different maximum parallelism means different key groups: the operators can share no task.
                let fits = before.slot_sharing_group == resolved[index].slot_sharing_group
                    && before.max_parallelism == resolved[index].max_parallelism
                    && nodes[edge.from.0].chaining != Chaining::Never;
                fits.then(|| head_of[edge.from.0])
            }
            _ => None,
        };
        head_of.push(chained.unwrap_or(index));
    }
    head_of
}

fn build(
    nodes: &[StreamNode],
    resolved: &[Resolved],
    kinds: &[Vec<PartitionKind>],
    head_of: &[usize],
    name: &str,
    settings: JobSettings,
) -> JobGraph {
    let mut vertices: Vec<JobVertex> = Vec::new();
    // Of each node its vertex and its place in the chain.
    let mut place: Vec<(usize, usize)> = Vec::with_capacity(nodes.len());
    let mut edges: Vec<JobEdge> = Vec::new();
    let taps = tap_policies(nodes);
    for (index, node) in nodes.iter().enumerate() {
        let operator = ChainedOperator {
            id: resolved[index].id,
            uid: node.uid.clone(),
            name: node.name.clone(),
            description: node.description.clone(),
            location: node.location.clone(),
            kind: node.kind.clone(),
            children: Vec::new(),
            outputs: Vec::new(),
            tap: taps[index].clone(),
        };
        if head_of[index] == index {
            let vertex = vertices.len();
            let mut inputs = Vec::new();
            for (edge, kind) in node.inputs.iter().zip(&kinds[index]) {
                let (from, from_operator) = place[edge.from.0];
                inputs.push(edges.len());
                vertices[from].operators[from_operator].outputs.push(edges.len());
                edges.push(JobEdge {
                    from: VertexId(from as u32),
                    from_operator,
                    to: VertexId(vertex as u32),
                    input: edge.input,
                    partitioner: edge.factory.create(*kind),
                });
            }
            place.push((vertex, 0));
            vertices.push(JobVertex {
                id: VertexId(vertex as u32),
                name: String::new(),
                parallelism: resolved[index].parallelism,
                max_parallelism: resolved[index].max_parallelism,
                fixed_parallelism: node.fixed_parallelism,
                slot_sharing_group: resolved[index].slot_sharing_group.clone(),
                operators: vec![operator],
                inputs,
            });
        } else {
            let NodeId(before) = node.inputs[0].from;
            let (vertex, parent) = place[before];
            vertices[vertex].fixed_parallelism |= node.fixed_parallelism;
            let chain = &mut vertices[vertex].operators;
            let own = chain.len();
            chain[parent].children.push(own);
            chain.push(operator);
            place.push((vertex, own));
        }
    }
    for vertex in &mut vertices {
        vertex.name = chain_name(&vertex.operators, 0);
    }
    JobGraph { name: name.to_owned(), settings, vertices, edges }
}

/// What may be shown of what each node emits. What is computed from a stream that is not shown as it is stays hidden until the program
/// says something else.
fn tap_policies(nodes: &[StreamNode]) -> Vec<TapPolicy> {
    let mut policies: Vec<TapPolicy> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let inputs = || node.inputs.iter().map(|edge| &policies[edge.from.0]);
        policies.push(match &node.tapping {
            Tapping::AsInputs => inputs().fold(TapPolicy::default(), TapPolicy::and),
            Tapping::Derived if inputs().all(TapPolicy::shows_all) => TapPolicy::default(),
            Tapping::Shown => TapPolicy::default(),
            Tapping::Masked(mask) => TapPolicy::Masked(vec![mask.clone()]),
            Tapping::Derived | Tapping::Hidden => TapPolicy::Hidden,
        });
    }
    policies
}

/// Flink's form: `a -> b -> (c, d)`.
fn chain_name(operators: &[ChainedOperator], from: usize) -> String {
    let names: Vec<String> = operators[from].children.iter().map(|child| chain_name(operators, *child)).collect();
    match &names[..] {
        [] => operators[from].name.clone(),
        [one] => format!("{} -> {one}", operators[from].name),
        many => format!("{} -> ({})", operators[from].name, many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream_graph::EdgeFactory;
    use flott_core::{exchange::PartitionerFactory, operator::Operator, tap::TapMask};
    use std::sync::Arc;

    struct Never;
    impl EdgeFactory for Never {
        fn create(&self, _: PartitionKind) -> Arc<dyn PartitionerFactory> {
            unreachable!("nothing is compiled")
        }
    }

    fn node(tapping: Tapping, inputs: &[usize]) -> StreamNode {
        let never = || -> Box<dyn Operator> { unreachable!("nothing is run") };
        let edge = |from: &usize| StreamEdge { from: NodeId(*from), input: 0, kind: None, factory: Arc::new(Never) };
        StreamNode {
            name: String::new(),
            uid: None,
            description: None,
            location: String::new(),
            kind: NodeKind::Operator(Arc::new(never)),
            inputs: inputs.iter().map(edge).collect(),
            parallelism: None,
            max_parallelism: None,
            slot_sharing_group: None,
            chaining: Chaining::Always,
            fixed_parallelism: false,
            tapping,
        }
    }

    /// How many masks there are for what each node emits; `None`: it is hidden.
    fn masks(nodes: &[StreamNode]) -> Vec<Option<usize>> {
        let count = |policy: &TapPolicy| match policy {
            TapPolicy::Masked(masks) => Some(masks.len()),
            TapPolicy::Hidden => None,
        };
        tap_policies(nodes).iter().map(count).collect()
    }

    #[test]
    fn what_is_computed_from_masked_records_is_hidden_until_the_program_says_otherwise() {
        let mask = || Tapping::Masked(TapMask::new(|_: &mut u64| ()));
        let nodes = [
            node(mask(), &[]),
            node(Tapping::AsInputs, &[0]),
            node(Tapping::Derived, &[1]),
            node(Tapping::AsInputs, &[2]),
            node(Tapping::Shown, &[3]),
            node(Tapping::Derived, &[4]),
            node(mask(), &[2]),
        ];
        assert_eq!(masks(&nodes), [Some(1), Some(1), None, None, Some(0), Some(0), Some(1)]);
    }

    #[test]
    fn a_stream_of_several_inputs_hides_what_any_of_them_hides() {
        let mask = || Tapping::Masked(TapMask::new(|_: &mut u64| ()));
        let nodes = [
            node(Tapping::Derived, &[]),
            node(mask(), &[]),
            node(mask(), &[]),
            node(Tapping::Hidden, &[]),
            node(Tapping::Derived, &[0, 1]),
            node(Tapping::AsInputs, &[0, 1]),
            node(Tapping::AsInputs, &[1, 2, 1]),
            node(Tapping::AsInputs, &[1, 3]),
            node(Tapping::Derived, &[0, 0]),
        ];
        assert_eq!(masks(&nodes)[4..], [None, Some(1), Some(2), None, Some(0)]);
    }
}
