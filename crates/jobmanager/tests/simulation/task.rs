//! A toy task: counts and passes on records, aligns barriers, commits what sinks get in two phases.

use crate::{
    job::{self, Record, Split, numbers, operator, record},
    random::Random,
};
use flott_core::{
    id::{AttemptId, CheckpointId, SubtaskId},
    schema::Schema,
    snapshot::{ListStateSnapshot, OperatorSnapshot, Redistribution, SubtaskSnapshot},
};
use flott_graph::JobTopology;
use flott_rpc::task::{Barrier, TaskCommand, TaskRestore};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug, Clone)]
pub(crate) enum Element {
    Record(Record),
    Barrier(Barrier),
    EndOfData,
    EndOfPartition,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Channel {
    queue: VecDeque<Element>,
    blocked: bool,
    ended: bool,
    closed: bool,
}

/// What is committed together; committing it twice does no harm.
#[derive(Debug, Clone)]
pub(crate) struct Committable {
    pub(crate) id: u64,
    pub(crate) records: Vec<Record>,
}

/// What a step of a task leads to.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    Emit(Vec<(SubtaskId, Element)>),
    Snapshot(Barrier, SubtaskSnapshot),
    EndOfData,
    Request,
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) attempt: AttemptId,
    pub(crate) generation: u64,
    parallelism: u32,
    pub(crate) running: bool,
    /// Ignores its cancellation.
    pub(crate) deaf: bool,
    pub(crate) canceled: bool,
    pub(crate) finishing: bool,
    pub(crate) scheduled: bool,
    is_source: bool,
    is_sink: bool,
    pub(crate) inputs: BTreeMap<SubtaskId, Channel>,
    outputs: Vec<Vec<SubtaskId>>,
    splits: VecDeque<Split>,
    no_more_splits: bool,
    requested: bool,
    stopped_by: Option<CheckpointId>,
    count: u64,
    restored_finished: bool,
    end_of_data: bool,
    aligning: Option<Barrier>,
    commands: VecDeque<TaskCommand>,
    written: Vec<Record>,
    prepared: Vec<(CheckpointId, Committable)>,
    /// Snapshots after which the task ends once they are complete.
    pub(crate) last: BTreeSet<CheckpointId>,
    aborted: BTreeSet<CheckpointId>,
}

impl Task {
    pub(crate) fn new(
        attempt: AttemptId,
        generation: u64,
        topology: &JobTopology,
        restore: Option<&TaskRestore>,
    ) -> (Self, Vec<Committable>) {
        let me = attempt.subtask;
        let parallelism = topology.vertex(me.vertex).parallelism;
        let mut inputs = BTreeMap::new();
        for edge in topology.inputs(me.vertex) {
            let senders = topology.vertex(edge.from).parallelism;
            for from in 0..senders {
                if edge.targets(from, senders, parallelism).contains(&me.index) {
                    inputs.insert(job::subtask(edge.from, from), Channel::default());
                }
            }
        }
        let outputs: Vec<Vec<SubtaskId>> = topology
            .outputs(me.vertex)
            .map(|edge| {
                edge.targets(me.index, parallelism, topology.vertex(edge.to).parallelism).map(|to| job::subtask(edge.to, to)).collect()
            })
            .collect();
        let mut task = Task {
            attempt,
            generation,
            parallelism,
            running: false,
            deaf: false,
            canceled: false,
            finishing: false,
            scheduled: false,
            is_source: inputs.is_empty(),
            is_sink: outputs.is_empty(),
            inputs,
            outputs,
            splits: VecDeque::new(),
            no_more_splits: false,
            requested: false,
            stopped_by: None,
            count: 0,
            restored_finished: restore.is_some_and(|restore| restore.finished),
            end_of_data: false,
            aligning: None,
            commands: VecDeque::new(),
            written: Vec::new(),
            prepared: Vec::new(),
            last: BTreeSet::new(),
            aborted: BTreeSet::new(),
        };
        let mut to_commit = Vec::new();
        if let Some(state) = restore.and_then(|restore| restore.operators.get(&operator(me.vertex.0 as usize))) {
            for list in &state.lists {
                match list.name.as_str() {
                    "splits" => task.splits.extend(list.items.iter().map(|item| Split::decode(item))),
                    "count" => task.count = list.items.iter().map(|item| numbers(item)[0]).sum(),
                    "committables" => to_commit.extend(list.items.iter().map(|item| {
                        let numbers = numbers(item);
                        Committable { id: numbers[0], records: numbers[1..].to_vec() }
                    })),
                    "members" => {
                        let members: BTreeSet<u64> = list.items.iter().map(|item| numbers(item)[0]).collect();
                        let all = list.items.iter().map(|item| numbers(item)[1]).max().unwrap_or(0);
                        assert_eq!(members.len() as u64, all, "{attempt} got only some of the union state");
                    }
                    other => panic!("list {other}"),
                }
            }
        }
        (task, to_commit)
    }

    /// Something arrives from `from`.
    pub(crate) fn push(&mut self, from: SubtaskId, element: Element) {
        self.inputs.get_mut(&from).expect("connected").queue.push_back(element);
    }

    /// A command that keeps its place among the others: splits that are sent behind a barrier must not be part of its snapshot.
    pub(crate) fn command(&mut self, command: TaskCommand) {
        self.commands.push_back(command);
    }

    /// The checkpoint will not be; a source that has stopped for it goes on.
    pub(crate) fn aborted(&mut self, checkpoint: CheckpointId) {
        if self.stopped_by == Some(checkpoint) {
            self.stopped_by = None;
        }
        self.last.remove(&checkpoint);
        self.aborted.insert(checkpoint);
    }

    pub(crate) fn completed(&mut self, checkpoint: CheckpointId) -> Vec<Committable> {
        let (commit, keep) = std::mem::take(&mut self.prepared).into_iter().partition(|(prepared, _)| *prepared <= checkpoint);
        self.prepared = keep;
        let commit: Vec<(CheckpointId, Committable)> = commit;
        commit.into_iter().map(|(_, committable)| committable).collect()
    }

    /// Does one thing. Nothing: there is nothing to do until something arrives.
    pub(crate) fn step(&mut self, random: &mut Random, next_committable: &mut u64) -> Vec<Effect> {
        if !self.running || self.finishing || self.canceled {
            return Vec::new();
        }
        if self.restored_finished && !self.end_of_data {
            return self.end();
        }
        if self.inputs.values().all(|channel| channel.closed)
            && let Some(command) = self.commands.pop_front()
        {
            match command {
                TaskCommand::TriggerCheckpoint(barrier) => return self.snapshot(barrier, next_committable),
                TaskCommand::AddSplits(splits) => {
                    assert!(!self.end_of_data && !self.no_more_splits, "{} got splits after its end", self.attempt);
                    self.splits.extend(splits.iter().map(|split| Split::decode(split)));
                    self.requested = false;
                }
                TaskCommand::NoMoreSplits => self.no_more_splits = true,
                other => panic!("{other:?}"),
            }
            return vec![Effect::Emit(Vec::new())];
        }
        if self.is_source {
            return self.read();
        }
        let ready: Vec<SubtaskId> =
            self.inputs.iter().filter(|(_, channel)| !channel.blocked && !channel.queue.is_empty()).map(|(from, _)| *from).collect();
        if ready.is_empty() {
            return Vec::new();
        }
        let from = ready[random.below(ready.len() as u64) as usize];
        let element = self.inputs.get_mut(&from).and_then(|channel| channel.queue.pop_front()).expect("not empty");
        let mut effects = Vec::new();
        match element {
            Element::Record(record) => effects.push(self.process(record)),
            Element::Barrier(barrier) => {
                let newer =
                    self.aligning.as_ref().map_or(std::cmp::Ordering::Greater, |aligning| barrier.checkpoint.cmp(&aligning.checkpoint));
                if newer == std::cmp::Ordering::Greater {
                    // What was begun under another leader is overtaken.
                    self.inputs.values_mut().for_each(|channel| channel.blocked = false);
                }
                if newer != std::cmp::Ordering::Less {
                    self.aligning = Some(barrier);
                    self.channel(from).blocked = true;
                }
            }
            Element::EndOfData => self.channel(from).ended = true,
            Element::EndOfPartition => self.channel(from).closed = true,
        }
        if let Some(barrier) = self.aligning.clone()
            && self.inputs.values().all(|channel| channel.blocked || channel.closed)
        {
            self.aligning = None;
            self.inputs.values_mut().for_each(|channel| channel.blocked = false);
            effects.extend(self.snapshot(barrier, next_committable));
        }
        if !self.end_of_data && self.inputs.values().all(|channel| channel.ended) {
            effects.extend(self.end());
        }
        if effects.is_empty() {
            effects.push(Effect::Emit(Vec::new()));
        }
        effects
    }

    fn channel(&mut self, from: SubtaskId) -> &mut Channel {
        self.inputs.get_mut(&from).expect("connected")
    }

    fn read(&mut self) -> Vec<Effect> {
        if self.end_of_data || self.stopped_by.is_some() {
            return Vec::new();
        }
        while self.splits.front().is_some_and(|split| split.left() == 0) {
            self.splits.pop_front();
        }
        if let Some(split) = self.splits.front_mut() {
            let next = record(self.attempt.subtask.vertex.0 as usize, split.id, split.next);
            split.next += 1;
            return vec![self.process(next)];
        }
        if self.no_more_splits {
            return self.end();
        }
        if !self.requested {
            self.requested = true;
            return vec![Effect::Request];
        }
        Vec::new()
    }

    fn process(&mut self, record: Record) -> Effect {
        assert!(!self.restored_finished, "{} had finished, but got a record", self.attempt);
        self.count += 1;
        if self.is_sink {
            self.written.push(record);
        }
        let hash = (record.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        Effect::Emit(self.outputs.iter().map(|targets| (targets[hash % targets.len()], Element::Record(record))).collect())
    }

    fn end(&mut self) -> Vec<Effect> {
        self.end_of_data = true;
        vec![self.to_all(&Element::EndOfData), Effect::EndOfData]
    }

    pub(crate) fn to_all(&self, element: &Element) -> Effect {
        let targets: BTreeSet<SubtaskId> = self.outputs.iter().flatten().copied().collect();
        Effect::Emit(targets.into_iter().map(|target| (target, element.clone())).collect())
    }

    fn snapshot(&mut self, barrier: Barrier, next_committable: &mut u64) -> Vec<Effect> {
        let me = self.attempt.subtask;
        if !self.written.is_empty() {
            *next_committable += 1;
            let committable = Committable { id: *next_committable, records: std::mem::take(&mut self.written) };
            self.prepared.push((barrier.checkpoint, committable));
        }
        let encode = |numbers: &[u64]| -> Vec<u8> { numbers.iter().flat_map(|number| number.to_le_bytes()).collect() };
        let list = |name: &str, redistribution, items| ListStateSnapshot {
            name: name.into(),
            redistribution,
            codec: "toy".into(),
            schema: Schema { id: 1, description: "toy".into() },
            items,
        };
        let committables = self.prepared.iter().map(|(_, committable)| {
            let mut numbers = vec![committable.id];
            numbers.extend(&committable.records);
            encode(&numbers)
        });
        let lists = vec![
            list("splits", Redistribution::Split, self.splits.iter().map(Split::encode).collect()),
            list("count", Redistribution::Split, vec![encode(&[self.count])]),
            list("committables", Redistribution::Split, committables.collect()),
            list("members", Redistribution::Union, vec![encode(&[u64::from(me.index), u64::from(self.parallelism)])]),
        ];
        let snapshot = SubtaskSnapshot {
            operators: vec![OperatorSnapshot { operator: operator(me.vertex.0 as usize), name: "toy".into(), lists, keyed: None }],
            finished: self.end_of_data,
        };
        let aborted = self.aborted.contains(&barrier.checkpoint);
        if self.is_source && barrier.kind.stops() && !aborted {
            self.stopped_by = Some(barrier.checkpoint);
        }
        if !aborted && (self.end_of_data || barrier.kind.stops()) {
            self.last.insert(barrier.checkpoint);
        }
        vec![self.to_all(&Element::Barrier(barrier.clone())), Effect::Snapshot(barrier, snapshot)]
    }
}
