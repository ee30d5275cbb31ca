//! Makes the exchanges of tasks that start together: the tasks of a region.

use crate::{
    gate::{ChannelSender, InputGate, gate},
    mailbox::Mailbox,
    metrics::TaskMetrics,
    task::TaskSpec,
};
use flott_core::id::{SubtaskId, VertexId};
use flott_graph::{JobGraph, JobTopology};
use flott_rpc::task::TaskDeployment;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// What each of `deployments` is to run, connected with the others. They must be whole regions: a task whose neighbours are
/// not among them gets no channel to them.
pub fn connect(graph: &Arc<JobGraph>, topology: &JobTopology, deployments: Vec<TaskDeployment>, now: Duration) -> Vec<TaskSpec> {
    let together: Vec<SubtaskId> = deployments.iter().map(|deployment| deployment.attempt.subtask).collect();
    let capacity = graph.settings.queue_batches;
    let mut gates: HashMap<SubtaskId, (InputGate, Vec<usize>)> = HashMap::new();
    // The sending ends by edge and sender; receivers in ascending order, as the partitioners number them.
    let mut senders: HashMap<(usize, SubtaskId), Vec<(u32, ChannelSender)>> = HashMap::new();
    for receiver in &together {
        let vertex = &graph.vertices[receiver.vertex.0 as usize];
        let mut origins = Vec::new();
        for edge in &vertex.inputs {
            let from = topology.edges[*edge].from;
            for index in topology.edges[*edge].origins(receiver.index, parallelism(graph, from), vertex.parallelism) {
                origins.push((*edge, SubtaskId { vertex: from, index }));
            }
        }
        if origins.is_empty() {
            continue;
        }
        let (input, channels) = gate(origins.len(), capacity);
        let inputs = origins.iter().map(|(edge, _)| topology.edges[*edge].input).collect();
        gates.insert(*receiver, (input, inputs));
        for (origin, channel) in origins.into_iter().zip(channels) {
            senders.entry(origin).or_default().push((receiver.index, channel));
        }
    }
    let spec = |deployment: TaskDeployment| {
        let subtask = deployment.attempt.subtask;
        let vertex = &graph.vertices[subtask.vertex.0 as usize];
        let edges = vertex.operators.iter().flat_map(|operator| &operator.outputs);
        let outputs = edges.map(|edge| {
            let mut channels = senders.remove(&(*edge, subtask)).unwrap_or_default();
            channels.sort_by_key(|(receiver, _)| *receiver);
            (*edge, channels.into_iter().map(|(_, channel)| channel).collect())
        });
        let outputs = outputs.collect();
        let (gate, channel_inputs) = gates.remove(&subtask).map_or((None, Vec::new()), |(gate, inputs)| (Some(gate), inputs));
        let operators = vertex.operators.iter().map(|operator| operator.name.clone());
        TaskSpec {
            deployment,
            graph: graph.clone(),
            gate,
            channel_inputs,
            outputs,
            mailbox: Mailbox::default(),
            metrics: TaskMetrics::new(operators, now),
        }
    };
    deployments.into_iter().map(spec).collect()
}

fn parallelism(graph: &JobGraph, vertex: VertexId) -> u32 {
    graph.vertices[vertex.0 as usize].parallelism
}
