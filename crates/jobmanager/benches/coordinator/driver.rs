//! A coordinator without a cluster: a [`JobMaster`] and a [`ResourceManager`] whose actions are answered as tasks, enumerators,
//! TaskManagers and the storage of a healthy cluster would, without any of their work.
//!
//! Events come in rounds: all that is on its way is handled, then all actions are answered. Only the handling is measured.

use flott_core::{
    context::RuntimeMode,
    exchange::PartitionKind,
    id::{AttemptId, CheckpointId, JobId, OperatorId, SubtaskId, VertexId},
    key_group::KeyGroupRange,
    schema::Schema,
    snapshot::{
        BlockData, BlockRef, KeyedSnapshot, KeyedStateMeta, ListStateSnapshot, OperatorSnapshot, Redistribution, StateKind, SubtaskSnapshot,
    },
};
use flott_graph::{
    EdgeTopology, JobTopology, OperatorTopology, VertexTopology,
    settings::{JobSettings, RestartSettings},
};
use flott_jobmanager::{
    JobAction, JobEvent, JobMaster, Now,
    event::{CompletionOutcome, StorageReport},
    resource_manager::{ResourceManager, SlotGrant},
};
use flott_rpc::{
    client::{JobOutcome, JobRequest},
    status::{JobStatus, TaskStatus},
    task::{EnumeratorCommand, EnumeratorReport, SubtaskCheckpointStats, TaskCommand, TaskReport},
};
use flott_storage::{CheckpointMetadata, CompletedCheckpoint};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const JOB: JobId = JobId(7);
/// Enough key groups for ten thousand subtasks.
const MAX_PARALLELISM: u32 = 1 << 15;

/// How the two vertices of the job are connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Everyone with everyone: one failover region.
    AllToAll,
    /// Each subtask with one: as many regions as pairs.
    Pipelined,
}

/// How large job and cluster are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Subtasks of both vertices together.
    pub(crate) subtasks: u32,
    /// TaskManagers that the job runs on; there is one more, to replace a lost one.
    pub(crate) task_managers: u32,
}

/// What a phase has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Cost {
    /// What `clock` counted while events were handled.
    pub(crate) spent: u64,
    /// Commands to tasks, deployments of tasks too.
    pub(crate) to_tasks: u64,
    /// Reports of tasks.
    pub(crate) from_tasks: u64,
    /// Everything else that was said: by and to enumerators, the storage, TaskManagers.
    pub(crate) other: u64,
    /// The virtual time that has passed.
    pub(crate) time: Duration,
}

impl Cost {
    /// All messages.
    pub(crate) fn messages(&self) -> u64 {
        self.to_tasks + self.from_tasks + self.other
    }

    fn since(&self, before: &Cost) -> Cost {
        Cost {
            spent: self.spent - before.spent,
            to_tasks: self.to_tasks - before.to_tasks,
            from_tasks: self.from_tasks - before.from_tasks,
            other: self.other - before.other,
            time: self.time - before.time,
        }
    }
}

/// A job on a cluster that answers.
pub(crate) struct Driver {
    job: JobMaster,
    resources: ResourceManager,
    shape: Shape,
    parallelism: u32,
    slots_each: u32,
    /// The TaskManager of each slot.
    slots: BTreeMap<u32, String>,
    live: BTreeMap<SubtaskId, (AttemptId, u32)>,
    barriers: u32,
    schemas: (Schema, Schema),
    events: Vec<JobEvent>,
    clock: fn() -> u64,
    random: u64,
    cost: Cost,
    /// The number of complete checkpoints.
    pub(crate) completed: u64,
    /// How the job has ended.
    pub(crate) outcome: Option<JobOutcome>,
}

impl Driver {
    /// A job that is submitted to a cluster without TaskManagers. `clock` counts whatever is measured.
    pub(crate) fn new(shape: Shape, size: Size, clock: fn() -> u64) -> Driver {
        let parallelism = size.subtasks / 2;
        let mut settings = JobSettings::default();
        settings.checkpoints.interval = Some(Duration::from_secs(1));
        settings.restart = RestartSettings::FixedDelay { attempts: u32::MAX, delay: Duration::from_secs(1) };
        let job = JobMaster::new(JOB, 1, topology(shape, parallelism), settings, None, 0).expect("there is nothing to restore");
        Driver {
            job,
            resources: ResourceManager::default(),
            shape,
            parallelism,
            slots_each: parallelism.div_ceil(size.task_managers),
            slots: BTreeMap::new(),
            live: BTreeMap::new(),
            barriers: 0,
            schemas: (Schema::of::<u64>(), Schema::of::<String>()),
            events: vec![JobEvent::Start { last_checkpoint: None }],
            clock,
            random: 1,
            cost: Cost::default(),
            completed: 0,
            outcome: None,
        }
    }

    /// Brings up the TaskManagers, and the job until all its tasks run.
    pub(crate) fn start(&mut self, size: Size) -> Cost {
        self.measured(|driver| {
            driver.settle();
            for number in 0..=size.task_managers {
                driver.register(&format!("tm-{number}"));
                driver.settle();
            }
            driver.until_running();
        })
    }

    /// One checkpoint, from the moment that it is due until all have heard that it is complete.
    pub(crate) fn checkpoint(&mut self) -> Cost {
        self.measured(|driver| {
            let before = driver.completed;
            while driver.completed == before {
                driver.pass();
            }
        })
    }

    /// TaskManagers are lost; the job is restarted on others. Those that are lost come back if `return_`.
    pub(crate) fn lose(&mut self, numbers: std::ops::Range<u32>, return_: bool) -> Cost {
        let names: Vec<String> = numbers.map(|number| format!("tm-{number}")).collect();
        self.measured(|driver| {
            for name in &names {
                driver.lose_one(name);
            }
            if return_ {
                for name in &names {
                    driver.register(name);
                }
            }
            driver.settle();
            driver.until_running();
        })
    }

    /// The job is cancelled.
    pub(crate) fn cancel(&mut self) -> Cost {
        self.measured(|driver| {
            driver.events.push(JobEvent::Client { request: 1, body: JobRequest::Cancel });
            driver.settle();
        })
    }

    /// The attempts that are somewhere.
    pub(crate) fn alive(&self) -> usize {
        self.live.len()
    }

    fn measured(&mut self, act: impl FnOnce(&mut Driver)) -> Cost {
        let before = self.cost;
        act(self);
        self.cost.since(&before)
    }

    fn until_running(&mut self) {
        let runs =
            |job: &JobMaster| job.status() == JobStatus::Running && job.overview().tasks.iter().all(|(_, s)| *s == TaskStatus::Running);
        while !runs(&self.job) {
            self.pass();
        }
    }

    /// Lets the time pass until something is due.
    fn pass(&mut self) {
        if self.events.is_empty() {
            let wake = self.job.next_wake().expect("a job that runs has something before it");
            self.cost.time = self.cost.time.max(wake);
            self.events.push(JobEvent::Tick);
        }
        self.settle();
    }

    /// Handles what is on its way, and what follows from it at once.
    fn settle(&mut self) {
        while !self.events.is_empty() {
            self.shuffle();
            let now = Now { monotonic: self.cost.time, wall: self.cost.time.as_millis() as i64 };
            let mut actions = Vec::new();
            let begin = (self.clock)();
            for event in self.events.drain(..) {
                actions.push(self.job.handle(now, event));
                // As the shell does after each event.
                let _ = self.job.next_wake();
            }
            self.cost.spent += (self.clock)() - begin;
            for action in actions.into_iter().flatten() {
                self.answer(action);
            }
        }
    }

    /// Reports of different tasks come in any order. Nothing is on its way here whose order counts: no task has two reports in one round.
    fn shuffle(&mut self) {
        let task = |event: &JobEvent| matches!(event, JobEvent::Task(..));
        let places: Vec<usize> = (0..self.events.len()).filter(|place| task(&self.events[*place])).collect();
        for last in (1..places.len()).rev() {
            self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            self.events.swap(places[last], places[(self.random >> 33) as usize % (last + 1)]);
        }
    }

    fn of_resources<T>(&mut self, ask: impl FnOnce(&mut ResourceManager) -> T) -> T {
        let begin = (self.clock)();
        let answer = ask(&mut self.resources);
        self.cost.spent += (self.clock)() - begin;
        self.cost.other += 1;
        answer
    }

    fn register(&mut self, name: &str) {
        let slots = self.slots_each;
        let grants = self.of_resources(|resources| resources.register(name, slots));
        self.grant(grants);
    }

    fn grant(&mut self, grants: Vec<SlotGrant>) {
        for grant in grants {
            self.cost.other += 1;
            self.slots.extend(grant.slots.iter().map(|slot| (*slot, grant.task_manager.clone())));
            self.events.push(JobEvent::Slots(grant.slots));
        }
    }

    fn lose_one(&mut self, name: &str) {
        for (_, slots) in self.of_resources(|resources| resources.lost(name)) {
            let gone: BTreeSet<u32> = slots.iter().copied().collect();
            self.live.retain(|_, (_, slot)| !gone.contains(slot));
            self.cost.other += 1;
            self.events.push(JobEvent::SlotsLost { slots, reason: format!("TaskManager `{name}` is gone") });
        }
    }

    fn answer(&mut self, action: JobAction) {
        match action {
            JobAction::RequestSlots(count) => {
                let grants = self.of_resources(|resources| resources.request(JOB, count));
                self.grant(grants);
            }
            JobAction::ReleaseSlots(slots) => {
                let grants = self.of_resources(|resources| resources.release(JOB, &slots));
                self.grant(grants);
            }
            JobAction::YieldSlots { held, needed } => {
                let grants = self.of_resources(|resources| resources.yield_slots(JOB, &held, needed));
                self.grant(grants);
            }
            JobAction::Deploy(tasks) => {
                for task in tasks {
                    assert!(self.slots.contains_key(&task.slot), "slot {} was granted", task.slot);
                    let earlier = self.live.insert(task.attempt.subtask, (task.attempt, task.slot));
                    assert_eq!(earlier, None, "a subtask is deployed when its earlier attempt is gone");
                    self.cost.to_tasks += 1;
                    self.report(task.attempt, TaskReport::Running);
                }
            }
            JobAction::Send(attempt, command) => self.command(attempt, command),
            JobAction::Enumerator { vertex, number, command } => self.enumerator(vertex, number, command),
            JobAction::BeginCheckpoint { checkpoint, .. } => self.storage(StorageReport::Begun { checkpoint, outcome: Ok(()) }),
            JobAction::CompleteCheckpoint { metadata, .. } => self.storage(StorageReport::Completed {
                checkpoint: metadata.checkpoint,
                outcome: CompletionOutcome::Complete(completed(&metadata)),
            }),
            JobAction::Note(flott_jobmanager::JobNote::CheckpointCompleted(_)) => self.completed += 1,
            JobAction::Ended(outcome) => self.outcome = Some(*outcome),
            JobAction::Kill(attempt) => panic!("{attempt} answers, but is killed"),
            JobAction::DiscardCheckpoint { .. } | JobAction::RetainCheckpoints(_) | JobAction::DiscardAllCheckpoints => {
                self.cost.other += 1
            }
            JobAction::Reply(..)
            | JobAction::StatusChanged(_)
            | JobAction::Recovered
            | JobAction::WithdrawSlots(_)
            | JobAction::Note(_) => {}
        }
    }

    fn report(&mut self, attempt: AttemptId, report: TaskReport) {
        self.cost.from_tasks += 1;
        self.events.push(JobEvent::Task(attempt, report));
    }

    fn storage(&mut self, report: StorageReport) {
        self.cost.other += 2;
        self.events.push(JobEvent::Storage(report));
    }

    fn command(&mut self, attempt: AttemptId, command: TaskCommand) {
        self.cost.to_tasks += 1;
        // Whoever is gone hears nothing.
        if self.live.get(&attempt.subtask).is_none_or(|(live, _)| *live != attempt) {
            return;
        }
        match command {
            TaskCommand::TriggerCheckpoint(barrier) => self.barrier(attempt.subtask.index, barrier.checkpoint),
            TaskCommand::Cancel => {
                self.live.remove(&attempt.subtask);
                self.report(attempt, TaskReport::Canceled);
            }
            TaskCommand::CheckpointCompleted(_) | TaskCommand::CheckpointAborted(_) => {}
            TaskCommand::AddSplits(_) | TaskCommand::NoMoreSplits | TaskCommand::Ask { .. } => {}
            TaskCommand::Fail(reason) => panic!("{attempt} is to fail: {reason}"),
        }
    }

    /// A source has its barrier: it answers, and so does whoever has all barriers by that.
    fn barrier(&mut self, index: u32, checkpoint: CheckpointId) {
        self.acknowledge(SubtaskId { vertex: VertexId(0), index }, checkpoint);
        match self.shape {
            Shape::Pipelined => self.acknowledge(SubtaskId { vertex: VertexId(1), index }, checkpoint),
            Shape::AllToAll => {
                self.barriers += 1;
                if self.barriers == self.parallelism {
                    self.barriers = 0;
                    (0..self.parallelism).for_each(|index| self.acknowledge(SubtaskId { vertex: VertexId(1), index }, checkpoint));
                }
            }
        }
    }

    fn acknowledge(&mut self, subtask: SubtaskId, checkpoint: CheckpointId) {
        let Some((attempt, _)) = self.live.get(&subtask).copied() else { return };
        let snapshot = Box::new(SubtaskSnapshot { operators: vec![self.snapshot(subtask)], finished: false });
        self.report(attempt, TaskReport::CheckpointAcknowledged { checkpoint, snapshot, stats: SubtaskCheckpointStats::default() });
    }

    /// A source has its position in a split, the other vertex a little keyed state.
    fn snapshot(&self, subtask: SubtaskId) -> OperatorSnapshot {
        let name = name(subtask.vertex.0);
        let (number, text) = &self.schemas;
        let list = || ListStateSnapshot {
            name: "splits".into(),
            redistribution: Redistribution::Split,
            codec: "flott".into(),
            schema: text.clone(),
            items: vec![vec![0; 24]],
        };
        let keyed = || {
            let groups = KeyGroupRange::of_subtask(subtask.index, self.parallelism, MAX_PARALLELISM);
            let meta = KeyedStateMeta {
                name: "count".into(),
                kind: StateKind::Value,
                codec: "flott".into(),
                key: text.clone(),
                value: number.clone(),
            };
            let block = BlockRef { state: 0, group: groups.start as u16, offset: 0, len: 64, crc: 0 };
            KeyedSnapshot {
                max_parallelism: MAX_PARALLELISM,
                groups,
                states: vec![meta],
                blocks: vec![block],
                data: BlockData::Inline(vec![0; 64]),
            }
        };
        let source = subtask.vertex.0 == 0;
        OperatorSnapshot {
            operator: OperatorId::from_uid(&name),
            name,
            lists: if source { vec![list()] } else { Vec::new() },
            keyed: (!source).then(keyed),
        }
    }

    fn enumerator(&mut self, vertex: VertexId, after: u64, command: EnumeratorCommand) {
        self.cost.other += 1;
        let report = match command {
            EnumeratorCommand::AddReader { subtask } => EnumeratorReport::Assign { subtask, splits: vec![vec![0; 24]] },
            EnumeratorCommand::AddSplitsBack { .. } | EnumeratorCommand::Create { .. } | EnumeratorCommand::RequestSplit { .. } => return,
            EnumeratorCommand::Snapshot { checkpoint } => EnumeratorReport::Snapshot { checkpoint, state: vec![0; 24] },
            EnumeratorCommand::CheckpointCompleted(_) => return,
        };
        self.cost.other += 1;
        self.events.push(JobEvent::Enumerator { vertex, after, report });
    }
}

fn name(vertex: u32) -> String {
    if vertex == 0 { "source".into() } else { "count".into() }
}

fn topology(shape: Shape, parallelism: u32) -> JobTopology {
    let vertex = |number: u32| VertexTopology {
        id: VertexId(number),
        name: name(number),
        parallelism,
        max_parallelism: MAX_PARALLELISM,
        fixed_parallelism: false,
        slot_sharing_group: "default".into(),
        operators: vec![OperatorTopology {
            id: OperatorId::from_uid(&name(number)),
            uid: Some(name(number)),
            name: name(number),
            description: None,
            location: String::new(),
            is_source: number == 0,
            children: Vec::new(),
        }],
    };
    let kind = match shape {
        Shape::AllToAll => PartitionKind::Hash,
        Shape::Pipelined => PartitionKind::Forward,
    };
    JobTopology {
        name: "coordinator".into(),
        mode: RuntimeMode::Streaming,
        vertices: vec![vertex(0), vertex(1)],
        edges: vec![EdgeTopology { from: VertexId(0), from_operator: 0, to: VertexId(1), input: 0, kind }],
    }
}

fn completed(metadata: &CheckpointMetadata) -> CompletedCheckpoint {
    CompletedCheckpoint {
        job: metadata.job,
        epoch: metadata.epoch,
        checkpoint: metadata.checkpoint,
        kind: metadata.kind,
        folder: format!("/chk-{}", metadata.checkpoint),
        completed_at_ms: 0,
        bytes: 0,
        metadata_crc: 0,
        owner: None,
    }
}
