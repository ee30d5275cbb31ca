//! Makes the exchanges of tasks that start together: the tasks of a region.

use crate::{
    gate::{ChannelSender, InputGate, gate},
    mailbox::Mailbox,
    metrics::TaskMetrics,
    remote::{ChannelKey, Elsewhere, RemoteChannels},
    tap::Tap,
    task::TaskSpec,
};
use flott_core::id::{AttemptId, SubtaskId, VertexId};
use flott_graph::{JobGraph, JobTopology};
use flott_rpc::task::TaskDeployment;
use std::{collections::HashMap, sync::Arc, time::Duration};

/// What each of `deployments` is to run, connected with the others. They must be whole regions: a task whose neighbours are
/// not among them gets no channel to them.
pub fn connect(graph: &Arc<JobGraph>, topology: &JobTopology, deployments: Vec<TaskDeployment>, now: Duration) -> Vec<TaskSpec> {
    connect_with(graph, topology, deployments, None, now)
}

/// As [`connect`], where `deployments` are what this process runs of whole regions, and the rest is `elsewhere`.
pub fn connect_with(
    graph: &Arc<JobGraph>,
    topology: &JobTopology,
    deployments: Vec<TaskDeployment>,
    elsewhere: Option<Elsewhere<'_>>,
    now: Duration,
) -> Vec<TaskSpec> {
    let graph = &as_deployed(graph, &deployments);
    let here: Vec<AttemptId> = deployments.iter().map(|deployment| deployment.attempt).collect();
    let attempts = elsewhere.map_or(&[][..], |elsewhere| elsewhere.attempts);
    let remote = elsewhere.map(|elsewhere| elsewhere.channels);
    let mut wiring = Wiring { graph, topology, elsewhere: by_subtask(attempts), gates: HashMap::new(), senders: HashMap::new() };
    for receiver in &here {
        wiring.connect_receiver(*receiver, remote);
    }
    if let Some(elsewhere) = elsewhere {
        wiring.connect_senders(&by_subtask(&here), elsewhere);
    }
    deployments.into_iter().map(|deployment| wiring.spec(deployment, now)).collect()
}

/// The graph with the parallelism that tasks are deployed with: that of a running job may be another than its program says.
fn as_deployed(graph: &Arc<JobGraph>, deployments: &[TaskDeployment]) -> Arc<JobGraph> {
    match deployments.first() {
        Some(first) if !first.parallelism.is_empty() && first.parallelism != graph.parallelism() => {
            Arc::new(graph.with_parallelism(&first.parallelism))
        }
        _ => graph.clone(),
    }
}

fn by_subtask(attempts: &[AttemptId]) -> HashMap<SubtaskId, AttemptId> {
    attempts.iter().map(|attempt| (attempt.subtask, *attempt)).collect()
}

struct Wiring<'a> {
    graph: &'a Arc<JobGraph>,
    topology: &'a JobTopology,
    elsewhere: HashMap<SubtaskId, AttemptId>,
    /// The gate of each receiver, and the edge that each of its channels belongs to.
    gates: HashMap<SubtaskId, (InputGate, Vec<usize>)>,
    /// The sending ends by edge and sender, each with the index of its receiver.
    senders: HashMap<(usize, SubtaskId), Vec<(u32, ChannelSender)>>,
}

impl Wiring<'_> {
    fn parallelism(&self, vertex: VertexId) -> u32 {
        self.graph.vertices[vertex.0 as usize].parallelism
    }

    /// The edges on which a subtask receives, each with a subtask that sends on it.
    fn origins(&self, receiver: SubtaskId) -> Vec<(usize, SubtaskId)> {
        let vertex = &self.graph.vertices[receiver.vertex.0 as usize];
        let mut origins = Vec::new();
        for edge in &vertex.inputs {
            let from = self.topology.edges[*edge].from;
            for index in self.topology.edges[*edge].origins(receiver.index, self.parallelism(from), vertex.parallelism) {
                origins.push((*edge, SubtaskId { vertex: from, index }));
            }
        }
        origins
    }

    /// Makes the gate of a task that runs here.
    fn connect_receiver(&mut self, receiver: AttemptId, remote: Option<&dyn RemoteChannels>) {
        let origins = self.origins(receiver.subtask);
        if origins.is_empty() {
            return;
        }
        let (input, channels) = gate(origins.len(), self.graph.settings.queue_batches);
        let edges = origins.iter().map(|(edge, _)| *edge).collect();
        self.gates.insert(receiver.subtask, (input, edges));
        for (origin, channel) in origins.into_iter().zip(channels) {
            match (remote, self.elsewhere.get(&origin.1)) {
                (Some(remote), Some(from)) => {
                    let key = ChannelKey { edge: origin.0 as u32, from: *from, to: receiver };
                    remote.receiving(key, self.graph.edges[origin.0].partitioner.codec(), channel);
                }
                _ => self.senders.entry(origin).or_default().push((receiver.subtask.index, channel)),
            }
        }
    }

    /// Makes the sending ends of channels that lead elsewhere.
    fn connect_senders(&mut self, here: &HashMap<SubtaskId, AttemptId>, elsewhere: Elsewhere<'_>) {
        for to in elsewhere.attempts {
            for (edge, origin) in self.origins(to.subtask) {
                let Some(from) = here.get(&origin) else { continue };
                let key = ChannelKey { edge: edge as u32, from: *from, to: *to };
                let codec = self.graph.edges[edge].partitioner.codec();
                let channel = elsewhere.channels.sending(key, codec, self.graph.settings.queue_batches);
                self.senders.entry((edge, origin)).or_default().push((to.subtask.index, channel));
            }
        }
    }

    fn spec(&mut self, deployment: TaskDeployment, now: Duration) -> TaskSpec {
        let subtask = deployment.attempt.subtask;
        let vertex = &self.graph.vertices[subtask.vertex.0 as usize];
        let edges = vertex.operators.iter().flat_map(|operator| &operator.outputs);
        let outputs = edges.map(|edge| {
            let mut channels = self.senders.remove(&(*edge, subtask)).unwrap_or_default();
            // Receivers in ascending order, as the partitioners number them.
            channels.sort_by_key(|(receiver, _)| *receiver);
            (*edge, channels.into_iter().map(|(_, channel)| channel).collect())
        });
        let outputs: Vec<(usize, Vec<ChannelSender>)> = outputs.collect();
        let (gate, channel_edges) = self.gates.remove(&subtask).map_or((None, Vec::new()), |(gate, edges)| (Some(gate), edges));
        let operators = vertex.operators.iter().map(|operator| operator.name.clone());
        let mut metrics = TaskMetrics::new(operators, outputs.iter().map(|(edge, _)| *edge), now);
        metrics.input = gate.as_ref().map(InputGate::watch);
        metrics.output = outputs.iter().flat_map(|(_, channels)| channels).map(ChannelSender::watch).collect();
        TaskSpec {
            deployment,
            graph: self.graph.clone(),
            gate,
            channel_inputs: channel_edges.iter().map(|edge| self.topology.edges[*edge].input).collect(),
            channel_edges,
            outputs,
            mailbox: Mailbox::default(),
            tap: Tap::default(),
            metrics,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        element::StreamElement,
        gate::{Admitted, GateEvent},
    };
    use flott_core::{
        exchange::{BatchCodec, PartitionContext, PartitionKind, Partitioner, PartitionerFactory, TypedBatchCodec},
        id::OperatorId,
        operator::Operator,
    };
    use flott_graph::{ChainedOperator, JobEdge, JobVertex, NodeKind, settings::JobSettings};
    use std::{
        sync::Mutex,
        task::{Context, Poll, Waker},
    };

    struct Hash;
    impl PartitionerFactory for Hash {
        fn kind(&self) -> PartitionKind {
            PartitionKind::Hash
        }
        fn create(&self, _: PartitionContext) -> Box<dyn Partitioner> {
            unreachable!("nothing is run")
        }
        fn codec(&self) -> Box<dyn BatchCodec> {
            Box::new(TypedBatchCodec::<u32>::default())
        }
    }

    /// Two senders, three receivers.
    fn graph() -> JobGraph {
        let vertex = |id, parallelism, inputs, outputs| {
            let never = || -> Box<dyn Operator> { unreachable!("nothing is run") };
            let operator = ChainedOperator {
                id: OperatorId(u64::from(id)),
                uid: None,
                name: String::new(),
                description: None,
                location: String::new(),
                kind: NodeKind::Operator(Arc::new(never)),
                children: Vec::new(),
                outputs,
                tap: Default::default(),
            };
            let (name, slot_sharing_group) = (String::new(), String::new());
            JobVertex {
                id: VertexId(id),
                name,
                parallelism,
                max_parallelism: 8,
                fixed_parallelism: false,
                slot_sharing_group,
                operators: vec![operator],
                inputs,
            }
        };
        let edge = JobEdge { from: VertexId(0), from_operator: 0, to: VertexId(1), input: 0, partitioner: Arc::new(Hash) };
        JobGraph {
            name: String::new(),
            settings: JobSettings::default(),
            vertices: vec![vertex(0, 2, vec![], vec![0]), vertex(1, 3, vec![0], vec![])],
            edges: vec![edge],
        }
    }

    #[derive(Default)]
    struct Recording {
        sending: Mutex<Vec<(ChannelKey, InputGate)>>,
        receiving: Mutex<Vec<(ChannelKey, ChannelSender)>>,
    }

    impl RemoteChannels for Recording {
        fn sending(&self, key: ChannelKey, _: Box<dyn BatchCodec>, capacity: usize) -> ChannelSender {
            let (gate, mut senders) = gate(1, capacity);
            self.sending.lock().unwrap().push((key, gate));
            senders.remove(0)
        }
        fn receiving(&self, key: ChannelKey, _: Box<dyn BatchCodec>, channel: ChannelSender) {
            self.receiving.lock().unwrap().push((key, channel));
        }
    }

    fn attempt(vertex: u32, index: u32) -> AttemptId {
        AttemptId { subtask: SubtaskId { vertex: VertexId(vertex), index }, attempt: 5 + index }
    }

    /// The channel and the watermark that are next in `gate`.
    fn next(gate: &mut InputGate) -> Option<(usize, i64)> {
        match gate.poll_admitted(&mut Context::from_waker(Waker::noop()), Admitted::All) {
            Poll::Ready(GateEvent::Element(channel, StreamElement::Watermark(watermark))) => Some((channel, watermark)),
            _ => None,
        }
    }

    #[test]
    fn channels_lead_to_where_their_receivers_are_in_the_order_of_their_numbers() {
        let (graph, remote) = (Arc::new(graph()), Recording::default());
        let deployments = [attempt(0, 0), attempt(1, 1)]
            .map(|attempt| TaskDeployment { attempt, slot: 0, restore: None, parallelism: Vec::new(), enumerator: 0 })
            .to_vec();
        // In no particular order.
        let elsewhere = [attempt(1, 2), attempt(0, 1), attempt(1, 0)];
        let elsewhere = Elsewhere { attempts: &elsewhere, channels: &remote };
        let mut specs = connect_with(&graph, &graph.topology(), deployments, Some(elsewhere), Duration::ZERO);
        let key = |from, to| ChannelKey { edge: 0, from, to };
        let mut sending = remote.sending.into_inner().unwrap();
        sending.sort_by_key(|(key, _)| *key);
        let keys: Vec<ChannelKey> = sending.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, [key(attempt(0, 0), attempt(1, 0)), key(attempt(0, 0), attempt(1, 2))]);
        let receiving = remote.receiving.into_inner().unwrap();
        assert_eq!(receiving.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key(attempt(0, 1), attempt(1, 1))]);

        let (receiver, sender) = (specs.pop().unwrap(), specs.pop().unwrap());
        let mut input = receiver.gate.unwrap();
        assert_eq!((input.channels(), sender.gate.is_none(), receiver.outputs.len()), (2, true, 0));
        let [(0, channels)] = &sender.outputs[..] else { panic!("{:?}", sender.outputs) };
        for (number, channel) in channels.iter().enumerate() {
            channel.push(StreamElement::Watermark(number as i64)).unwrap();
        }
        assert_eq!(channels.len(), 3);
        assert_eq!(next(&mut sending[0].1), Some((0, 0)));
        assert_eq!(next(&mut input), Some((0, 1)));
        assert_eq!(next(&mut sending[1].1), Some((0, 2)));
        receiving[0].1.push(StreamElement::Watermark(9)).unwrap();
        assert_eq!(next(&mut input), Some((1, 9)));
    }
}
