//! The world in which a job runs: tasks, links, enumerators and a storage, all with faults, in virtual time.

mod faults;
mod parts;
mod slots;
mod takeover;

use crate::{
    job::{self, Record, Shape, Split, source_of},
    random::Random,
    source::Enumerator,
    storage::Storage,
    task::{Committable, Effect, Element, Task},
};
use flott_core::{
    context::RuntimeMode,
    error::TaskFailure,
    id::{AttemptId, CheckpointId, JobId, SubtaskId, VertexId},
    snapshot::SubtaskSnapshot,
};
use flott_graph::{JobTopology, settings::JobSettings};
use flott_jobmanager::{
    JobAction, JobEvent, JobMaster, JobNote, Now, RestoredSnapshot,
    event::{CompletionOutcome, StorageReport},
};
use flott_rpc::{
    client::{JobEnd, JobReply, JobRequest, RequestId, RescaleState},
    task::{EnumeratorCommand, EnumeratorReport, SnapshotKind, SubtaskCheckpointStats, TaskCommand, TaskReport},
};
use flott_storage::CheckpointMetadata;
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

/// After that time nothing fails any more.
const FAULTS_UNTIL: Duration = Duration::from_millis(250);
/// A job that has not ended by then never will.
const GIVE_UP: Duration = Duration::from_secs(3_000);

#[derive(Debug, Clone)]
enum Happening {
    ToJob(JobEvent),
    ToTask(AttemptId, TaskCommand),
    ToEnumerator(VertexId, u64, EnumeratorCommand),
    EnumeratorWakes(VertexId, u64),
    Step(AttemptId),
    Uploaded(AttemptId, CheckpointId, Box<SubtaskSnapshot>),
    TaskFinishes(AttemptId),
    StorageBegins(CheckpointId),
    StorageCompletes(Arc<CheckpointMetadata>, SnapshotKind),
    Connects(usize),
    Fault,
    Client,
    Grant,
    Capacity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Link {
    ToTask(AttemptId),
    FromTask(AttemptId),
    ToEnumerator(VertexId),
    FromEnumerator(VertexId),
    Storage,
}

struct Host {
    enumerator: Option<Enumerator>,
    /// The last command that it has handled.
    handled: u64,
    /// Counts enumerators, so that wakes of an earlier one do nothing.
    made: u64,
    eager: bool,
    splits: Vec<Split>,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) events: u64,
    pub(crate) actions: u64,
    pub(crate) trace: u64,
    pub(crate) completed: u64,
    pub(crate) restarts: u64,
    pub(crate) crashes: u64,
    pub(crate) takeovers: u64,
    pub(crate) kills: u64,
    pub(crate) stops: u64,
    pub(crate) failed_stops: u64,
    pub(crate) savepoints: u64,
    pub(crate) given_back: u64,
    pub(crate) unknown: u64,
    pub(crate) rescales: u64,
    pub(crate) shrunk: u64,
    pub(crate) given_up: u64,
    /// How often slots that do not suffice were given back; and while tasks ran in others.
    pub(crate) yields: u64,
    pub(crate) yields_beside_tasks: u64,
}

pub(crate) struct World {
    random: Random,
    shape: Shape,
    /// As it is run; and as it was submitted.
    topology: JobTopology,
    submitted: JobTopology,
    settings: JobSettings,
    job: JobMaster,
    now: Duration,
    queue: BTreeMap<(Duration, u64), Happening>,
    sequence: u64,
    fifo: BTreeMap<Link, Duration>,
    tasks: BTreeMap<AttemptId, Task>,
    current: BTreeMap<SubtaskId, AttemptId>,
    generation: u64,
    /// Attempts of which the job knows that they have ended.
    ended: BTreeSet<AttemptId>,
    /// Attempts whose last messages are lost.
    cut_off: BTreeSet<AttemptId>,
    hosts: BTreeMap<VertexId, Host>,
    workers: BTreeMap<usize, takeover::Worker>,
    storage: Storage,
    told_complete: BTreeSet<CheckpointId>,
    committables: u64,
    committed_ids: BTreeSet<u64>,
    committed: BTreeMap<(VertexId, Record), u64>,
    requests: RequestId,
    open_requests: BTreeMap<RequestId, JobRequest>,
    supply: slots::Slots,
    slots: BTreeMap<AttemptId, u32>,
    outcome: Option<JobEnd>,
    stopped: Option<CheckpointId>,
    hasher: DefaultHasher,
    verbose: bool,
    pub(crate) summary: Summary,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let shape = Shape::random(&mut random);
        let settings = job::settings(&mut random);
        let topology = shape.topology(&mut random, settings.mode == RuntimeMode::Batch);
        let hosts = (0..shape.vertices).filter(|vertex| shape.is_source(*vertex)).map(|vertex| {
            let splits = Enumerator::all(&mut random);
            (VertexId(vertex as u32), Host { enumerator: None, handled: 0, made: 0, eager: random.percent(50), splits })
        });
        let hosts = hosts.collect();
        let job = JobMaster::new(JobId(7), 1, topology.clone(), settings.clone(), None, random.next()).unwrap();
        World {
            random,
            shape,
            submitted: topology.clone(),
            topology,
            settings,
            job,
            now: Duration::from_secs(1),
            queue: BTreeMap::new(),
            sequence: 0,
            fifo: BTreeMap::new(),
            tasks: BTreeMap::new(),
            current: BTreeMap::new(),
            generation: 0,
            ended: BTreeSet::new(),
            cut_off: BTreeSet::new(),
            hosts,
            workers: BTreeMap::new(),
            storage: Storage::new(),
            told_complete: BTreeSet::new(),
            committables: 0,
            committed_ids: BTreeSet::new(),
            committed: BTreeMap::new(),
            requests: 0,
            open_requests: BTreeMap::new(),
            supply: slots::Slots { capacity: u32::MAX, ..slots::Slots::default() },
            slots: BTreeMap::new(),
            outcome: None,
            stopped: None,
            hasher: DefaultHasher::new(),
            verbose: std::env::var_os("SIMULATION_TRACE").is_some(),
            summary: Summary::default(),
        }
    }

    /// Runs the job to its end, through crashes, stops and new starts.
    pub(crate) fn run(mut self) -> Summary {
        let start = self.now;
        self.tell(JobEvent::Start { last_checkpoint: None });
        for _ in 0..self.random.below(12) {
            let at = start + Duration::from_micros(self.random.below(FAULTS_UNTIL.as_micros() as u64));
            self.at(at, Happening::Fault);
        }
        if self.random.percent(40) {
            for _ in 0..1 + self.random.below(4) {
                let at = start + Duration::from_micros(self.random.below(FAULTS_UNTIL.as_micros() as u64));
                self.at(at, Happening::Capacity);
            }
            self.at(start + FAULTS_UNTIL, Happening::Capacity);
        }
        for _ in 0..self.random.below(5) {
            let at = start + Duration::from_micros(self.random.below(FAULTS_UNTIL.as_micros() as u64));
            self.at(at, Happening::Client);
        }
        loop {
            while self.outcome.is_none() {
                let wake = self.job.next_wake();
                let next = self.queue.first_key_value().map(|(key, _)| key.0);
                match (next, wake) {
                    (next, Some(wake)) if next.is_none_or(|next| wake < next) => {
                        self.now = self.now.max(wake);
                        self.tell(JobEvent::Tick);
                    }
                    (Some(_), _) => {
                        let ((time, _), happening) = self.queue.pop_first().expect("not empty");
                        self.now = self.now.max(time);
                        self.happen(happening);
                    }
                    (None, _) => panic!("the job stands still: {:?}", self.job.overview()),
                }
                assert!(self.now < start + GIVE_UP, "the job does not end: {:?}", self.job.overview());
            }
            assert!(self.open_requests.is_empty(), "requests without an answer: {:?}", self.open_requests);
            match self.outcome.take() {
                Some(JobEnd::Finished) => {}
                other => panic!("the job ended as {other:?}"),
            }
            let Some(stopped) = self.stopped.take() else { break };
            self.summary.stops += 1;
            let metadata = self.storage.kept.get(&stopped).expect("the stop's savepoint is kept").clone();
            self.check_committed_is(&metadata);
            self.start_again(Some(metadata));
        }
        self.check_all_committed();
        self.summary.completed = self.storage.completed;
        self.summary.trace = self.hasher.finish();
        self.summary
    }

    fn at(&mut self, time: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((time, self.sequence), happening);
    }

    /// Over a link that keeps order.
    fn over(&mut self, link: Link, happening: Happening) {
        let arrival = (self.now + self.random.delay()).max(self.fifo.get(&link).copied().unwrap_or_default());
        self.fifo.insert(link, arrival);
        self.at(arrival, happening);
    }

    fn soon(&mut self, happening: Happening) {
        let time = self.now + self.random.delay();
        self.at(time, happening);
    }

    fn tell(&mut self, event: JobEvent) {
        self.summary.events += 1;
        if self.verbose {
            println!("{:?} <- {event:?}", self.now);
        }
        let now = Now { monotonic: self.now, wall: self.now.as_millis() as i64 };
        let actions = self.job.handle(now, event);
        for action in actions {
            self.summary.actions += 1;
            let line = format!("{:?} {action:?}", self.now);
            line.hash(&mut self.hasher);
            if self.verbose {
                println!("{line}");
            }
            self.perform(action);
        }
        let wake = self.job.next_wake();
        assert!(wake.is_none_or(|wake| wake > self.now), "the job wants to be woken at {wake:?}, it is {:?}", self.now);
    }

    fn perform(&mut self, action: JobAction) {
        match action {
            JobAction::RequestSlots(count) => {
                self.request_slots(count);
            }
            JobAction::WithdrawSlots(count) => self.withdraw_slots(count),
            JobAction::ReleaseSlots(slots) => self.release_slots(&slots),
            JobAction::YieldSlots { held, needed } => self.yield_slots(&held, needed),
            JobAction::Deploy(tasks) => {
                self.generation += 1;
                if let Some(first) = tasks.first() {
                    self.topology = self.topology.with_parallelism(&first.parallelism);
                }
                for deployment in tasks {
                    let attempt = deployment.attempt;
                    assert!(self.supply.held.contains(&deployment.slot), "{attempt} runs in a slot that the job does not hold");
                    assert_eq!(deployment.parallelism, self.topology.parallelism());
                    let (vertex, index) = (attempt.subtask.vertex, attempt.subtask.index);
                    assert!(index < self.topology.vertex(vertex).parallelism, "{attempt} is one too many");
                    if let Some(earlier) = self.current.insert(attempt.subtask, attempt) {
                        assert!(self.ended.contains(&earlier), "{attempt} was deployed while {earlier} may be alive");
                        assert!(attempt.attempt > earlier.attempt);
                    }
                    if let Some(restore) = &deployment.restore {
                        assert!(
                            self.told_complete.contains(&restore.checkpoint),
                            "{attempt} starts from checkpoint {}",
                            restore.checkpoint
                        );
                        assert!(self.storage.kept.contains_key(&restore.checkpoint), "checkpoint {} is gone", restore.checkpoint);
                    }
                    let (task, commit) = Task::new(attempt, self.generation, &self.topology, deployment.restore.as_ref());
                    self.tasks.insert(attempt, task);
                    self.slots.insert(attempt, deployment.slot);
                    let worker = self.worker_of(attempt);
                    self.worker(worker).ledger.deployed(&deployment);
                    self.over(Link::ToTask(attempt), Happening::Step(attempt));
                    self.commit(attempt, commit);
                }
            }
            JobAction::Send(attempt, command) => {
                assert!(!self.ended.contains(&attempt), "{attempt} has ended, but is told {command:?}");
                if let TaskCommand::CheckpointCompleted(checkpoint) = &command {
                    assert!(self.told_complete.contains(checkpoint), "checkpoint {checkpoint} is not complete");
                }
                self.over(Link::ToTask(attempt), Happening::ToTask(attempt, command));
            }
            JobAction::Kill(attempt) => {
                self.summary.kills += 1;
                self.tasks.remove(&attempt);
                self.ended.insert(attempt);
                let worker = self.worker_of(attempt);
                self.worker(worker).ledger.lost(attempt);
            }
            JobAction::Enumerator { vertex, number, command } => {
                match &command {
                    EnumeratorCommand::CheckpointCompleted(checkpoint) => assert!(self.told_complete.contains(checkpoint)),
                    EnumeratorCommand::AddSplitsBack { .. } => self.summary.given_back += 1,
                    _ => {}
                }
                self.over(Link::ToEnumerator(vertex), Happening::ToEnumerator(vertex, number, command));
            }
            JobAction::BeginCheckpoint { checkpoint, .. } => {
                self.storage.begin(checkpoint);
                self.over(Link::Storage, Happening::StorageBegins(checkpoint));
            }
            JobAction::CompleteCheckpoint { metadata, kind } => {
                let totals = self.totals();
                self.storage.ask(&metadata, &self.shape, &totals);
                self.over(Link::Storage, Happening::StorageCompletes(metadata, kind));
            }
            // Its folder is another: a leader that takes over does not know what the number was for.
            JobAction::DiscardCheckpoint { checkpoint, kind: SnapshotKind::Checkpoint }
                if self.storage.savepoints.contains_key(&checkpoint) => {}
            JobAction::DiscardCheckpoint { checkpoint, .. } => self.storage.discard(checkpoint),
            JobAction::RetainCheckpoints(keep) => self.storage.retain(keep),
            JobAction::DiscardAllCheckpoints => {
                self.storage.kept.retain(|_, kept| kept.kind == flott_storage::SnapshotKind::StopWithSavepoint)
            }
            // Nobody has asked this leader.
            JobAction::Reply(0, JobReply::Snapshot(taken)) => self.stopped = Some(taken.checkpoint),
            JobAction::Reply(0, _) => self.summary.failed_stops += 1,
            JobAction::Recovered => self.recovered(),
            JobAction::Reply(request, reply) => {
                let asked = self.open_requests.remove(&request).expect("each request is answered once");
                match (asked, reply) {
                    (JobRequest::StopWithSavepoint { .. }, JobReply::Snapshot(taken)) => self.stopped = Some(taken.checkpoint),
                    (JobRequest::StopWithSavepoint { .. }, JobReply::Refused(reason)) if reason.contains("did not stop") => {
                        self.summary.failed_stops += 1
                    }
                    (JobRequest::TriggerSavepoint { .. }, JobReply::Snapshot(taken)) => {
                        assert!(self.storage.savepoints.contains_key(&taken.checkpoint));
                        self.summary.savepoints += 1;
                    }
                    (JobRequest::Rescale(bounds), JobReply::Refused(reason)) => assert!(
                        bounds[0].lower == 0
                            || bounds[0].upper == 17
                            || reason.contains("stopped")
                            || reason.contains("batch")
                            || reason.contains("end"),
                        "{bounds:?} were refused: {reason}"
                    ),
                    (_, JobReply::Snapshot(taken)) => assert!(self.told_complete.contains(&taken.checkpoint)),
                    (_, JobReply::Accepted | JobReply::Refused(_)) => {}
                }
            }
            JobAction::Ended(outcome) => {
                self.summary.restarts += outcome.restarts;
                self.outcome = Some(outcome.end);
            }
            JobAction::Note(JobNote::Rescale(change)) => match change.state {
                RescaleState::Completed if change.from.iter().sum::<u32>() > change.to.iter().sum() => self.summary.shrunk += 1,
                RescaleState::Completed => self.summary.rescales += 1,
                RescaleState::Failed(_) => self.summary.given_up += 1,
                RescaleState::TakingCheckpoint | RescaleState::Restarting | RescaleState::Superseded => {}
            },
            JobAction::StatusChanged(_) | JobAction::Note(_) => {}
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::ToJob(event) => {
                if let JobEvent::Task(attempt, report) = &event {
                    if self.cut_off.contains(attempt) {
                        return;
                    }
                    if matches!(report, TaskReport::Finished { .. } | TaskReport::Canceled | TaskReport::Failed(_)) {
                        self.ended.insert(*attempt);
                    }
                }
                if let JobEvent::AttemptLost(attempt, _) = &event {
                    self.ended.insert(*attempt);
                }
                if let JobEvent::Storage(StorageReport::Completed { checkpoint, outcome: CompletionOutcome::Complete(_) }) = &event {
                    self.told_complete.insert(*checkpoint);
                }
                self.tell(event);
            }
            Happening::ToTask(attempt, command) => self.task_hears(attempt, command),
            Happening::ToEnumerator(vertex, number, command) => self.enumerator_hears(vertex, number, command),
            Happening::EnumeratorWakes(vertex, made) => {
                let Some(host) = self.hosts.get_mut(&vertex).filter(|host| host.made == made) else { return };
                let Some(enumerator) = &mut host.enumerator else { return };
                let reports = enumerator.wake();
                let more = enumerator.has_more();
                self.enumerator_says(vertex, reports);
                if more {
                    self.later(Happening::EnumeratorWakes(vertex, made));
                }
            }
            Happening::Step(attempt) => self.step(attempt),
            Happening::Uploaded(attempt, checkpoint, snapshot) => {
                if self.tasks.get(&attempt).is_some_and(|task| !task.canceled) {
                    let stats = SubtaskCheckpointStats::default();
                    self.report(attempt, TaskReport::CheckpointAcknowledged { checkpoint, snapshot, stats });
                }
            }
            Happening::TaskFinishes(attempt) => {
                if let Some(task) = self.tasks.get(&attempt).filter(|task| !task.canceled) {
                    let generation = task.generation;
                    let Effect::Emit(elements) = task.to_all(&Element::EndOfPartition) else { unreachable!() };
                    self.emit(attempt.subtask, generation, elements);
                    self.tasks.remove(&attempt);
                    self.report(attempt, TaskReport::Finished { accumulators: BTreeMap::new() });
                }
            }
            Happening::StorageBegins(checkpoint) => {
                let outcome = if self.faulty() && self.random.percent(3) { Err("simulated".into()) } else { Ok(()) };
                self.over(Link::Storage, Happening::ToJob(JobEvent::Storage(StorageReport::Begun { checkpoint, outcome })));
            }
            Happening::StorageCompletes(metadata, kind) => self.storage_completes(&metadata, &kind),
            Happening::Connects(worker) => self.connects(worker),
            Happening::Fault => self.fault(),
            Happening::Client => self.client(),
            Happening::Grant => self.grant_slots(),
            Happening::Capacity => self.change_capacity(),
        }
    }

    fn later(&mut self, happening: Happening) {
        let time = self.now + Duration::from_micros(self.random.below(30_000));
        self.at(time, happening);
    }

    fn totals(&self) -> Vec<u64> {
        let total = |vertex: usize| self.hosts.get(&VertexId(vertex as u32)).map_or(0, |host| host.splits.iter().map(Split::left).sum());
        (0..self.shape.vertices).map(total).collect()
    }

    /// After a stop the outside has exactly what the savepoint has seen.
    fn check_committed_is(&self, metadata: &CheckpointMetadata) {
        let (cut, _) = crate::storage::cut(metadata, &self.shape);
        for sink in (0..self.shape.vertices).filter(|vertex| self.shape.is_sink(*vertex)) {
            let committed: u64 = self.committed.iter().filter(|((vertex, _), _)| vertex.0 as usize == sink).map(|(_, times)| times).sum();
            assert_eq!(committed, cut.seen[sink], "sink {sink} after the stop with savepoint {}", metadata.checkpoint);
        }
    }

    fn check_all_committed(&self) {
        for sink in (0..self.shape.vertices).filter(|vertex| self.shape.is_sink(*vertex)) {
            for (source, host) in &self.hosts {
                let paths = self.shape.paths(source.0 as usize, sink);
                for split in &host.splits {
                    for place in 0..split.end {
                        let record = job::record(source.0 as usize, split.id, place);
                        let times = self.committed.get(&(VertexId(sink as u32), record)).copied().unwrap_or(0);
                        assert_eq!(times, paths, "record {record:x} at sink {sink}");
                    }
                }
            }
        }
    }
}
