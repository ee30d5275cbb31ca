//! The world of a seed: one thread, virtual time, and whatever happens next.

use crate::{
    executor::Executor,
    master::{Link, Master},
    oracle::{self, Positions},
    plant::Plant,
    relay::Leftovers,
    rescale::Rescaling,
    shape::Shape,
    sim::{Seen, Sim, Term, Work, hold},
    start::Start,
    storage::StorageAction,
};
use flott_core::id::{AttemptId, CheckpointId, JobId, VertexId};
use flott_jobmanager::JobEvent;
use flott_rpc::task::{EnumeratorCommand, TaskCommand, TaskReport};
use flott_storage::{CheckpointMetadata, files::MemoryFiles};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// A job that has not ended so long after the last fault never will. Tasks that hang are killed after 180 s.
const PATIENCE: Duration = Duration::from_secs(1500);

/// Something that happens at a time.
pub(crate) enum Happening {
    Begin(Start),
    ToMaster(Term, JobEvent),
    FromTask(Term, AttemptId, TaskReport),
    Loss(Term, AttemptId),
    SlotLost(Term, u32),
    ToTask(Term, AttemptId, TaskCommand),
    ToEnumerator(Term, VertexId, u64, EnumeratorCommand),
    EnumeratorWakes(Term, VertexId, u64),
    Work(Term, AttemptId, Work),
    Storage(Term, StorageAction),
    Sweep(Term, CheckpointId),
    Crash(Term, AttemptId),
    /// An attempt that was cut off ends.
    Vanish(Term, AttemptId),
    /// A JobMaster that was replaced ends.
    Abdicate(Term),
    Fault,
    Client,
    Rescale,
    /// From now on nothing fails any more.
    Calm,
    /// Looks whether a source that never ends has nothing left.
    Watch,
    /// The job has ended: what has it left?
    Check,
}

pub(crate) struct World {
    pub(crate) sim: Arc<Sim>,
    pub(crate) shape: Shape,
    pub(crate) rescaling: Rescaling,
    pub(crate) masters: BTreeMap<Term, Master>,
    /// The JobMaster that leads the job, if any does.
    pub(crate) current: Option<Term>,
    pub(crate) terms: Term,
    pub(crate) jobs: Vec<JobId>,
    /// Jobs that have ended: nobody begins them again.
    pub(crate) ended: BTreeSet<JobId>,
    pub(crate) executor: Executor,
    pub(crate) files: MemoryFiles,
    pub(crate) leftovers: Leftovers,
    /// Whether all input goes over a network.
    pub(crate) relays: bool,
    /// Folders that a job has claimed: it removes them.
    pub(crate) claimed: BTreeMap<String, JobId>,
    /// The positions of each checkpoint that was complete.
    pub(crate) cuts: BTreeMap<CheckpointId, Positions>,
    /// Whether a complete checkpoint holds all records.
    pub(crate) all_read: bool,
    /// The positions of a savepoint in which all tasks have finished, wherever their input was.
    pub(crate) drained: Option<Positions>,
    pub(crate) requests: u64,
    queue: BTreeMap<(Duration, u64), Happening>,
    sequence: u64,
    calm_at: Duration,
    /// What must be visible in the end, and whether all timers have fired.
    expected: Option<(Positions, bool)>,
    done: bool,
    steps: u64,
}

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The hash of everything that happened, in its order.
    pub trace: u64,
    /// How many lines the trace has.
    pub lines: u64,
    /// Virtual time that has passed.
    pub time: Duration,
    /// What rare things were seen how often.
    pub seen: BTreeMap<Seen, u64>,
    /// What went wrong.
    pub violation: Option<String>,
}

impl World {
    pub(crate) fn new(seed: u64, plant: Option<Plant>, verbose: bool) -> Self {
        let sim = Sim::new(seed, plant, verbose);
        let mut shape = Shape::random(&mut sim.random());
        let rescaling = Rescaling::new(seed, &mut shape);
        let relays = sim.random().percent(70) || plant.is_some();
        let mut world = World {
            shape,
            rescaling,
            masters: BTreeMap::new(),
            current: None,
            terms: 0,
            jobs: Vec::new(),
            ended: BTreeSet::new(),
            executor: Executor::default(),
            files: MemoryFiles::new(),
            leftovers: Leftovers::default(),
            relays,
            claimed: BTreeMap::new(),
            cuts: BTreeMap::new(),
            all_read: false,
            drained: None,
            requests: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            calm_at: Duration::ZERO,
            expected: None,
            done: false,
            steps: 0,
            sim,
        };
        world.prepare();
        world
    }

    fn prepare(&mut self) {
        self.sim.trace(format_args!("{:?}", self.shape));
        let window = self.sim.random().between(50, 1500);
        self.calm_at = Duration::from_millis(window);
        let quiet = self.sim.random().percent(10);
        self.sim.set_faults(!quiet);
        let (faults, clients) = {
            let mut random = self.sim.random();
            (if quiet { 0 } else { random.below(8) }, random.below(5))
        };
        for _ in 0..faults {
            let at = self.sim.random().millis(window);
            self.at(at, Happening::Fault);
        }
        for _ in 0..clients {
            let at = self.sim.random().millis(window);
            self.at(at, Happening::Client);
        }
        self.prepare_rescaling(window);
        self.at(self.calm_at, Happening::Calm);
        let start = Start::first(self);
        self.at(Duration::ZERO, Happening::Begin(start));
    }

    /// Runs the job to its end, through all that happens to it.
    pub(crate) fn run(mut self) -> Run {
        while !self.done && self.sim.violated().is_none() {
            self.step();
        }
        let (trace, lines) = self.sim.trace_hash();
        Run { trace, lines, time: self.sim.clock.now(), seen: self.sim.seen(), violation: self.sim.violated() }
    }

    pub(crate) fn at(&mut self, time: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((time, self.sequence), happening);
    }

    /// Over a link that keeps order.
    pub(crate) fn over(&mut self, term: Term, link: Link, happening: Happening) {
        let arrival = self.sim.clock.now() + self.sim.random().delay();
        let Some(master) = self.masters.get_mut(&term) else { return };
        let last = master.fifo.entry(link).or_insert(arrival);
        *last = (*last).max(arrival);
        let at = *last;
        self.at(at, happening);
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.sim.clock.step() {
            return self.sim.violation("a task spins: it asks for the time again and again, but never sleeps");
        }
        self.executor.collect(&self.sim);
        let now = self.sim.clock.now();
        if now > self.calm_at + PATIENCE || self.steps > 4_000_000 {
            let overviews: Vec<_> = self.masters.values().map(|master| master.master.overview()).collect();
            return self.sim.violation(format!("the job does not end: {overviews:?}"));
        }
        let ready = self.executor.ready(now);
        let happens = self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= now);
        let tick =
            self.masters.iter().find(|(_, master)| master.outcome.is_none() && master.master.next_wake().is_some_and(|at| at <= now));
        let tick = tick.map(|(term, _)| *term);
        let choices = ready.len() as u64 + u64::from(happens) + u64::from(tick.is_some());
        if choices == 0 {
            return self.wait();
        }
        let choice = self.sim.random().below(choices) as usize;
        if let Some(process) = ready.get(choice) {
            self.executor.poll(*process, &self.sim);
            let took = self.sim.random().below(30);
            self.sim.clock.advance(now + Duration::from_micros(took));
            self.take_messages();
        } else if happens && choice == ready.len() {
            if let Some((_, happening)) = self.queue.pop_first() {
                self.happen(happening);
            }
        } else if let Some(term) = tick {
            self.tell(term, JobEvent::Tick);
            self.look_for_the_end();
        }
    }

    /// Nothing is to be done now: time passes.
    fn wait(&mut self) {
        let wakes = self.masters.values().filter(|master| master.outcome.is_none()).filter_map(|master| master.master.next_wake());
        let next = self.queue.first_key_value().map(|((at, _), _)| *at);
        let next = wakes.chain(next).chain(self.executor.next_ready()).chain(self.sim.clock.next_alarm()).min();
        match next {
            Some(next) => self.sim.clock.advance(next),
            None => self.sim.violation("the job stands still"),
        }
    }

    /// Sends what tasks have left with their environment.
    fn take_messages(&mut self) {
        let reports = std::mem::take(&mut *hold(&self.sim.reports));
        for (term, attempt, report) in reports {
            self.reported(term, attempt, report);
        }
        let works = std::mem::take(&mut *hold(&self.sim.works));
        for (term, attempt, work) in works {
            let slow = if self.sim.fault(5) { self.sim.random().millis(600) } else { Duration::ZERO };
            let at = self.sim.clock.now() + self.sim.random().delay() + slow;
            self.at(at, Happening::Work(term, attempt, work));
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Begin(start) => self.begin(start),
            Happening::ToMaster(term, event) => self.tell(term, event),
            Happening::FromTask(term, attempt, report) => self.report_arrives(term, attempt, report),
            Happening::Loss(term, attempt) => self.loss_arrives(term, attempt),
            Happening::SlotLost(term, slot) => self.slot_loss_arrives(term, slot),
            Happening::ToTask(term, attempt, command) => self.command_arrives(term, attempt, command),
            Happening::ToEnumerator(term, vertex, number, command) => self.enumerator_commanded(term, vertex, number, command),
            Happening::EnumeratorWakes(term, vertex, made) => self.enumerator_wakes(term, vertex, made),
            Happening::Work(term, attempt, work) => {
                let Some(master) = self.masters.get(&term) else {
                    // A lost process does nothing any more, not even tidy up.
                    return std::mem::forget(work);
                };
                if !master.attempts.contains_key(&attempt) {
                    self.sim.saw(Seen::LateUpload);
                }
                self.sim.trace(format_args!("{term} background work of {attempt}"));
                work();
                self.take_messages();
            }
            Happening::Storage(term, action) => self.storage_performs(term, action),
            Happening::Sweep(term, below) => self.store(term, StorageAction::Sweep(below)),
            Happening::Crash(term, attempt) => self.crash(term, attempt),
            Happening::Vanish(term, attempt) => self.executor.drop_attempt(term, attempt),
            Happening::Abdicate(term) => {
                if self.current != Some(term) {
                    self.forget(term);
                }
            }
            Happening::Fault => self.inject_fault(),
            Happening::Client => self.client_asks(),
            Happening::Rescale => self.rescale_asked(),
            Happening::Calm => {
                self.sim.trace(format_args!("calm"));
                self.sim.set_faults(false);
                if self.shape.unbounded() {
                    self.at(self.sim.clock.now(), Happening::Watch);
                }
            }
            Happening::Watch => self.stop_if_all_is_read(),
            Happening::Check => self.check_end(),
        }
        self.look_for_the_end();
    }

    /// A JobMaster and all that belongs to it are gone.
    pub(crate) fn forget(&mut self, term: Term) {
        self.masters.remove(&term);
        self.executor.drop_term(term);
        hold(&self.sim.watermarks).retain(|(owner, _), _| *owner != term);
        if self.current == Some(term) {
            self.current = None;
        }
    }

    /// A checkpoint is complete: it must be a cut.
    pub(crate) fn note_cut(&mut self, metadata: &CheckpointMetadata) {
        let Some(positions) = oracle::cut(&self.sim, &self.shape, metadata) else { return };
        self.all_read |= positions == oracle::ends(&self.shape);
        if oracle::is_drained(metadata) {
            // Whoever starts from it, after a failure, has nothing left to do.
            self.drained = Some(positions.clone());
        }
        self.cuts.insert(metadata.checkpoint, positions);
    }

    /// Nothing more is expected but the check of what is visible.
    pub(crate) fn end_with(&mut self, positions: Positions, complete: bool) {
        self.expected = Some((positions, complete));
        // Storage may still be removing what is not needed any more.
        let masters = self.masters.values();
        let last = masters.filter_map(|master| master.fifo.get(&Link::Storage).copied()).max().unwrap_or_default();
        let at = last.max(self.sim.clock.now()) + Duration::from_millis(1);
        self.at(at, Happening::Check);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.expected.is_some()
    }

    fn check_end(&mut self) {
        for term in self.masters.keys().copied().collect::<Vec<_>>() {
            self.forget(term);
        }
        let Some((positions, complete)) = self.expected.take() else { return };
        let result = oracle::result(&self.sim, &self.shape, &positions, complete).and_then(|()| oracle::files(&self.files, &self.jobs));
        if let Err(error) = result {
            self.sim.violation(format!("in the end: {error}"));
        }
        self.done = true;
    }
}
