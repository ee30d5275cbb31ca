//! The world of a seed: processes, what happens to them, and when.

use super::{
    connections::{Connection, Message, Side},
    exchange::Exchange,
    job_manager::JobManager,
    leadership::LeadStep,
    pipeline::{Pipeline, Spec},
    task_manager::TaskManager,
    worker::Worker,
};
use crate::{
    Run,
    executor::Executor,
    oracle,
    plant::Plant,
    relay::Leftovers,
    sim::{Seen, Sim, Term, Work, hold},
};
use flott_cluster::stepped::StorageStep;
use flott_core::{
    id::{AttemptId, JobId, VertexId},
    time::Clock,
};
use flott_ha::{ElectionAction, ElectionEvent, MemoryStore};
use flott_jobmanager::JobEvent;
use flott_rpc::{
    control::{Role, Welcome},
    task::EnumeratorCommand,
};
use flott_storage::files::MemoryFiles;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

/// A start of a process: never the same number again. Tasks, channels and watermarks are known by it as well.
pub(crate) type Process = Term;

/// JobManagers.
pub(crate) const JOB_MANAGERS: usize = 2;
/// TaskManagers.
pub(crate) const TASK_MANAGERS: usize = 3;
/// Jobs that have not ended so long after the last fault never will.
const PATIENCE: Duration = Duration::from_secs(900);
/// When all jobs have ended, workers have so long to end.
const AFTERMATH: Duration = Duration::from_secs(30);

/// A machine: JobManagers first, then TaskManagers with their workers.
pub(crate) type Machine = usize;

/// What happens.
pub(crate) enum Happening {
    Arrives(u64, Side, Message),
    Beat(u64, Side),
    Silence(u64, Side),
    GreetingTimeout(u64),
    /// The connection is cut: one of its ends learns of it.
    Broken(u64, Side),
    // A JobManager's.
    Election(ElectionEvent),
    ElectionWakes(u64),
    StoreCall(Process, ElectionAction),
    LateWrite(ElectionAction),
    Follow,
    Lead(Box<LeadStep>),
    Storage(Box<StorageStep>),
    StorageAnswers(u64, JobEvent),
    WorkerLost(JobId, u64),
    StopWorkers(JobId),
    // A TaskManager's.
    FindLeader(usize),
    Spawn(JobId, u64, usize),
    ChildEnded(JobId, u64),
    // A worker's.
    Connect,
    LeaderNamed(usize),
    ParentGone,
    Enumerator(VertexId, u64, EnumeratorCommand),
    EnumeratorWakes(VertexId, u64),
    Work(AttemptId, Work),
    Ended(AttemptId),
    FailBroken(AttemptId, String),
    ChannelWaits(AttemptId, u64),
    // The world's.
    Start(Machine),
    Resume(Process),
    Heal(u32),
    Fault,
    Client(usize),
    Calm,
    Check,
}

/// What keeps its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Connection(u64, Side),
    Store(Process),
    Storage(Process, u64),
    Decisions(Process, u64),
    Answers(Process, u64),
    Enumerators(Process),
    Parent(Process),
}

/// What belongs to a process alone.
#[derive(Debug)]
pub(crate) enum Program {
    JobManager,
    TaskManager,
    Worker,
}

#[derive(Debug)]
pub(crate) struct Alive {
    pub(crate) program: Program,
    pub(crate) machine: Machine,
}

type Queued = (Option<Process>, Option<Lane>, Happening);

pub(crate) struct World {
    pub(crate) sim: Arc<Sim>,
    pub(crate) files: MemoryFiles,
    pub(crate) store: MemoryStore,
    pub(crate) processes: BTreeMap<Process, Alive>,
    pub(crate) job_managers: BTreeMap<Process, JobManager>,
    pub(crate) task_managers: BTreeMap<Process, TaskManager>,
    pub(crate) workers: BTreeMap<Process, Worker>,
    /// The slots of each TaskManager.
    pub(crate) slots: Vec<u32>,
    pub(crate) connections: BTreeMap<u64, Connection>,
    pub(crate) next_connection: u64,
    /// Nothing gets from one machine to the other until then.
    pub(crate) silent: BTreeMap<(Machine, Machine), Duration>,
    pub(crate) executor: Executor,
    pub(crate) exchange: Exchange,
    pub(crate) leftovers: Leftovers,
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) specs: BTreeMap<JobId, Spec>,
    /// The newest term of each job in its storage.
    pub(crate) begun: BTreeMap<JobId, u64>,
    /// Jobs that have ended for the clients.
    pub(crate) ended: Arc<Mutex<BTreeSet<JobId>>>,
    /// Which JobManager has ended a job.
    pub(crate) ended_by: BTreeMap<JobId, Process>,
    pub(crate) claimed: BTreeMap<String, JobId>,
    /// Stopped processes, with what has happened meanwhile.
    pub(crate) paused: BTreeMap<Process, VecDeque<(Option<Lane>, Happening)>>,
    queue: BTreeMap<(Duration, u64), Queued>,
    lanes: BTreeMap<Lane, Duration>,
    sequence: u64,
    next_process: Process,
    pub(crate) calm_at: Duration,
    done: bool,
    steps: u64,
}

impl World {
    pub(crate) fn new(seed: u64, plant: Option<Plant>, verbose: bool) -> Self {
        let sim = Sim::new(seed, plant, verbose);
        let mut world = World {
            files: MemoryFiles::new(),
            store: MemoryStore::new(),
            processes: BTreeMap::new(),
            job_managers: BTreeMap::new(),
            task_managers: BTreeMap::new(),
            workers: BTreeMap::new(),
            slots: Vec::new(),
            connections: BTreeMap::new(),
            next_connection: 0,
            silent: BTreeMap::new(),
            executor: Executor::default(),
            exchange: Exchange::default(),
            leftovers: Leftovers::default(),
            pipelines: Vec::new(),
            specs: BTreeMap::new(),
            begun: BTreeMap::new(),
            ended: Arc::default(),
            ended_by: BTreeMap::new(),
            claimed: BTreeMap::new(),
            paused: BTreeMap::new(),
            queue: BTreeMap::new(),
            lanes: BTreeMap::new(),
            sequence: 0,
            next_process: 0,
            calm_at: Duration::ZERO,
            done: false,
            steps: 0,
            sim,
        };
        world.prepare();
        world
    }

    fn prepare(&mut self) {
        let (pipelines, window, faults, quiet) = {
            let mut random = self.sim.random();
            let pipelines = random.between(1, 2);
            // Enough for all: jobs that hold a part each and wait for the rest would wait for each other.
            self.slots = vec![pipelines as u32 + u32::from(random.percent(20)); TASK_MANAGERS];
            let quiet = random.percent(5);
            (pipelines, random.between(8_000, 40_000), if quiet { 0 } else { random.between(2, 12) }, quiet)
        };
        self.sim.set_faults(!quiet);
        self.calm_at = Duration::from_millis(window);
        for number in 0..pipelines as usize {
            let pipeline = Pipeline::random(&self.sim);
            self.sim.trace(format_args!("{:?}", pipeline.shape));
            self.pipelines.push(pipeline);
            let at = self.sim.random().millis(3_000);
            self.at(at, None, Happening::Client(number));
        }
        for machine in 0..JOB_MANAGERS + TASK_MANAGERS {
            let at = self.sim.random().millis(1_000);
            self.at(at, None, Happening::Start(machine));
        }
        for _ in 0..faults {
            let at = Duration::from_millis(1_000) + self.sim.random().millis(window - 1_000);
            self.at(at, None, Happening::Fault);
        }
        self.at(self.calm_at, None, Happening::Calm);
    }

    pub(crate) fn run(mut self) -> Run {
        while !self.done && self.sim.violated().is_none() {
            self.step();
        }
        let (trace, lines) = self.sim.trace_hash();
        Run { trace, lines, time: self.sim.clock.now(), seen: self.sim.seen(), violation: self.sim.violated() }
    }

    pub(crate) fn now(&self) -> Duration {
        self.sim.clock.now()
    }

    /// Something happens at `time`, to a process if it is still there.
    pub(crate) fn at(&mut self, time: Duration, to: Option<Process>, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((time, self.sequence), (to, None, happening));
    }

    /// After a short while.
    pub(crate) fn soon(&mut self, to: Process, happening: Happening) {
        let at = self.now() + self.sim.random().delay();
        self.at(at, Some(to), happening);
    }

    /// Behind all others of its lane, not before `time`.
    pub(crate) fn over(&mut self, time: Duration, lane: Lane, to: Option<Process>, happening: Happening) {
        let last = self.lanes.entry(lane).or_insert(time);
        *last = (*last).max(time);
        let at = *last;
        self.sequence += 1;
        self.queue.insert((at, self.sequence), (to, Some(lane), happening));
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.sim.clock.step() {
            return self.sim.violation("a task spins: it asks for the time again and again, but never sleeps");
        }
        self.executor.collect(&self.sim);
        let now = self.now();
        if now > self.calm_at + PATIENCE || self.steps > 4_000_000 {
            let states: Vec<String> = self.pipelines.iter().map(|pipeline| pipeline.describe()).collect();
            return self.sim.violation(format!("the jobs do not end: {states:?}"));
        }
        self.check_leaders(now);
        let ready = self.executor.ready(now);
        let mut threads = Vec::new();
        for (process, manager) in &mut self.job_managers {
            if !self.paused.contains_key(process) {
                threads.extend(manager.stepped.ready(now).into_iter().map(|thread| (*process, thread)));
            }
        }
        let happens = self.queue.first_key_value().is_some_and(|((at, _), _)| *at <= now);
        let choices = ready.len() + threads.len() + usize::from(happens);
        if choices == 0 {
            return self.wait();
        }
        let choice = self.sim.random().below(choices as u64) as usize;
        if let Some(process) = ready.get(choice) {
            self.executor.poll(*process, &self.sim);
            let took = self.sim.random().below(30);
            self.sim.clock.advance(now + Duration::from_micros(took));
            self.take_messages();
        } else if let Some((process, thread)) = threads.get(choice - ready.len()) {
            self.thread_runs(*process, *thread);
        } else if let Some((_, (to, lane, happening))) = self.queue.pop_first() {
            self.happens_to(to, lane, happening);
        }
    }

    fn wait(&mut self) {
        let paused = &self.paused;
        let managers = self.job_managers.iter().filter(|(process, _)| !paused.contains_key(process));
        let wakes = managers.filter_map(|(_, manager)| manager.stepped.next_wake());
        let next = self.queue.first_key_value().map(|((at, _), _)| *at);
        match wakes.chain(next).chain(self.executor.next_ready()).chain(self.sim.clock.next_alarm()).min() {
            Some(next) => self.sim.clock.advance(next),
            None => self.sim.violation("the cluster stands still"),
        }
    }

    /// What tasks have left with their environment.
    fn take_messages(&mut self) {
        let reports = std::mem::take(&mut *hold(&self.sim.reports));
        for (process, attempt, report) in reports {
            self.task_reports(process, attempt, report);
        }
        let works = std::mem::take(&mut *hold(&self.sim.works));
        for (process, attempt, work) in works {
            let slow = if self.sim.fault(5) { self.sim.random().millis(2_000) } else { Duration::ZERO };
            let at = self.now() + self.sim.random().delay() + slow;
            self.at(at, Some(process), Happening::Work(attempt, work));
        }
    }

    fn happens_to(&mut self, to: Option<Process>, lane: Option<Lane>, happening: Happening) {
        let Some(process) = to else { return self.happen(happening) };
        if !self.processes.contains_key(&process) {
            if let Happening::Work(_, work) = happening {
                // A lost process does nothing any more, not even tidy up.
                std::mem::forget(work);
            }
            return;
        }
        match self.paused.get_mut(&process) {
            Some(waiting) => waiting.push_back((lane, happening)),
            None => self.happen_in(process, happening),
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::StoreCall(process, action) => self.store_called(process, action),
            Happening::LateWrite(action) => self.late_write(&action),
            Happening::Start(machine) => self.start(machine),
            Happening::Resume(process) => self.resume(process),
            Happening::Heal(link) => self.executor.pause(link, false),
            Happening::Fault => self.inject_fault(),
            Happening::Client(number) => self.client_acts(number),
            Happening::Calm => self.calm(),
            Happening::Check => self.check_end(),
            _ => self.sim.violation("something happened to nobody"),
        }
    }

    fn happen_in(&mut self, process: Process, happening: Happening) {
        match happening {
            Happening::Arrives(connection, side, message) => self.arrives(connection, side, message),
            Happening::Beat(connection, side) => self.beats(connection, side),
            Happening::Silence(connection, side) => self.looks_for_silence(connection, side),
            Happening::GreetingTimeout(connection) => self.greeting_timeout(connection),
            Happening::Broken(connection, side) => self.broken(connection, side),
            Happening::Election(event) => self.elect(process, event),
            Happening::ElectionWakes(number) => self.election_wakes(process, number),
            Happening::Follow => self.follow(process),
            Happening::Lead(step) => self.lead(process, *step),
            Happening::Storage(step) => self.storage_performs(process, *step),
            Happening::StorageAnswers(thread, event) => self.storage_answers(process, thread, event),
            Happening::WorkerLost(job, worker) => self.worker_lost(process, job, worker),
            Happening::StopWorkers(job) => self.stop_workers(process, job),
            Happening::FindLeader(which) => self.find_leader(process, which),
            Happening::Spawn(job, worker, leader) => self.spawn_worker(process, job, worker, leader),
            Happening::ChildEnded(job, worker) => self.child_ended(process, job, worker),
            Happening::Connect => self.worker_connects(process),
            Happening::LeaderNamed(leader) => self.leader_named(process, leader),
            Happening::ParentGone => {
                self.sim.trace(format_args!("worker {process} has lost its TaskManager"));
                self.exit(process);
            }
            Happening::Enumerator(vertex, number, command) => self.enumerator_told(process, vertex, number, command),
            Happening::EnumeratorWakes(vertex, made) => self.enumerator_wakes(process, vertex, made),
            Happening::Work(attempt, work) => {
                self.sim.trace(format_args!("{process} background work of {attempt}"));
                work();
                self.take_messages();
            }
            Happening::Ended(attempt) => self.executor.drop_attempt(process, attempt),
            Happening::FailBroken(attempt, reason) => self.fail_broken(process, attempt, reason),
            Happening::ChannelWaits(attempt, number) => self.channel_waits(process, attempt, number),
            _ => self.sim.violation("something happened to a process that happens to the world"),
        }
    }

    /// A new process.
    pub(crate) fn begin_process(&mut self, program: Program, machine: Machine) -> Process {
        self.next_process += 1;
        self.sim.trace(format_args!("process {}: {program:?} on machine {machine}", self.next_process));
        self.processes.insert(self.next_process, Alive { program, machine });
        self.next_process
    }

    fn start(&mut self, machine: Machine) {
        if machine < JOB_MANAGERS {
            if self.job_manager_on(machine).is_none() {
                self.start_job_manager(machine);
            }
        } else if self.task_manager_on(machine).is_none() {
            self.start_task_manager(machine);
        }
    }

    pub(crate) fn job_manager_on(&self, machine: Machine) -> Option<Process> {
        self.job_managers.keys().copied().find(|process| self.processes[process].machine == machine)
    }

    pub(crate) fn task_manager_on(&self, machine: Machine) -> Option<Process> {
        self.task_managers.keys().copied().find(|process| self.processes[process].machine == machine)
    }

    /// A process ends, at once and wherever it stands.
    pub(crate) fn exit(&mut self, process: Process) {
        let Some(alive) = self.processes.remove(&process) else { return };
        self.sim.trace(format_args!("process {process} ends"));
        if let Some(waiting) = self.paused.remove(&process) {
            for (_, happening) in waiting {
                if let Happening::Work(_, work) = happening {
                    std::mem::forget(work);
                }
            }
        }
        self.connections_of_the_dead(process, alive.machine);
        match alive.program {
            Program::JobManager => _ = self.job_managers.remove(&process),
            Program::TaskManager => self.task_manager_ended(process),
            Program::Worker => self.worker_ended(process),
        }
    }

    /// A process is stopped for a while.
    pub(crate) fn pause(&mut self, process: Process, time: Duration) {
        if self.processes.contains_key(&process) && !self.paused.contains_key(&process) {
            self.sim.trace(format_args!("process {process} is stopped for {time:?}"));
            self.paused.insert(process, VecDeque::new());
            self.executor.pause(process, true);
            let at = self.now() + time;
            self.at(at, None, Happening::Resume(process));
        }
    }

    /// It goes on, as if nothing had happened: what is due is done by threads that know nothing of each other.
    fn resume(&mut self, process: Process) {
        let Some(waiting) = self.paused.remove(&process) else { return };
        self.sim.trace(format_args!("process {process} goes on"));
        self.executor.pause(process, false);
        self.woke(process);
        let now = self.now();
        for (lane, happening) in waiting {
            if let Happening::Arrives(connection, side, _) = &happening {
                self.heard(*connection, *side);
            }
            let at = now + self.sim.random().millis(3);
            match lane {
                Some(lane) => self.over(at, lane, Some(process), happening),
                None => self.at(at, Some(process), happening),
            }
        }
    }

    fn calm(&mut self) {
        self.sim.trace(format_args!("calm"));
        self.sim.set_faults(false);
        self.silent.clear();
        for process in self.paused.keys().copied().collect::<Vec<_>>() {
            self.resume(process);
        }
        for machine in 0..JOB_MANAGERS + TASK_MANAGERS {
            self.start(machine);
        }
    }

    /// A process of a machine is gone that should be there: somebody starts it again.
    pub(crate) fn start_again(&mut self, machine: Machine) {
        let at = self.now() + Duration::from_millis(50) + self.sim.random().millis(6_000);
        self.at(at, None, Happening::Start(machine));
    }

    pub(crate) fn look_for_the_end(&mut self) {
        if self.pipelines.iter().all(|pipeline| pipeline.is_done()) {
            let at = self.now().max(self.calm_at) + AFTERMATH;
            self.at(at, None, Happening::Check);
        }
    }

    fn check_end(&mut self) {
        if let Some((process, worker)) = self.workers.first_key_value() {
            return self.sim.violation(format!("all jobs have ended, but worker {process} of {} still runs", worker.job));
        }
        for pipeline in &self.pipelines {
            if let Some((positions, complete)) = pipeline.expected()
                && let Err(error) = oracle::result(&pipeline.sim, &pipeline.shape, positions, complete)
            {
                return self.sim.violation(format!("in the end: {error}"));
            }
        }
        let jobs: Vec<JobId> = self.specs.keys().copied().filter(|job| self.begun.contains_key(job)).collect();
        if let Err(error) = oracle::files(&self.files, &jobs) {
            return self.sim.violation(format!("in the end: {error}"));
        }
        self.done = true;
    }

    /// At no time do two lead, and nobody acts as a leader whose lease has run out.
    fn check_leaders(&mut self, now: Duration) {
        let leading = self.job_managers.values().filter(|manager| manager.is_leader(now)).count();
        if leading > 1 {
            self.sim.violation("two JobManagers lead at once");
        }
        for (process, manager) in &mut self.job_managers {
            if self.paused.contains_key(process) || manager.stepped.epoch().is_none() || manager.is_leader(now) {
                manager.overdue = None;
            } else if now - *manager.overdue.get_or_insert(now) > Duration::from_millis(300) {
                self.sim.violation(format!("JobManager {process} acts as the leader, although its lease has run out"));
            }
        }
    }

    /// Introduces a process; see `greeted` for what comes of it.
    pub(crate) fn greet(&mut self, client: Process, machine: Machine, role: Role) -> Option<u64> {
        let server = self.job_manager_on(machine)?;
        let connection = self.connect(client, server);
        self.send(connection, Side::Client, Message::Hello(Box::new(role)));
        let at = self.now() + Duration::from_secs(5);
        self.at(at, Some(client), Happening::GreetingTimeout(connection));
        Some(connection)
    }

    /// What a process does with the answer to its greeting; `None`: there is none.
    pub(crate) fn greeted(&mut self, client: Process, connection: u64, welcome: Option<Welcome>) {
        if self.task_managers.contains_key(&client) {
            self.task_manager_greeted(client, connection, welcome);
        } else {
            self.worker_greeted(client, connection, welcome);
        }
    }

    pub(crate) fn wall(&self) -> i64 {
        self.sim.clock.wall()
    }

    pub(crate) fn saw(&self, what: Seen) {
        self.sim.saw(what);
    }
}
