//! A JobManager: production's own, with its connections, storage and store brought to it.

use super::{
    connections::{Message, Side},
    world::{Happening, Lane, Machine, Process, Program, World},
};
use crate::{
    plant::Plant,
    sim::{Seen, hold},
    storage::faulty,
};
use flott_cluster::stepped::{JobEnding, Sent, Step, SteppedJobManager, StorageStep};
use flott_core::id::JobId;
use flott_ha::{
    ElectionAction, ElectionEvent, ElectionSettings, LeaderElection, MemoryStore,
    memory::{Fault, Operation},
};
use flott_jobmanager::JobEvent;
use flott_rpc::{
    client::JobEnd,
    control::{FromTaskManager, FromWorker, Role, ToWorker, Welcome},
    task::TaskCommand,
};
use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long others wait for a leader's sign of life.
const LEASE: Duration = Duration::from_secs(1);
/// How long a TaskManager is given to say how a worker ended whose connection broke.
const REASON_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a worker may take to end when its job has ended.
const WORKER_END_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct JobManager {
    pub(crate) holder: String,
    pub(crate) election: LeaderElection,
    /// Thousandths of the world's time that its clock shows.
    rate: u32,
    pub(crate) wakes: u64,
    pub(crate) store: MemoryStore,
    /// How often the store fails for it, in percent.
    pub(crate) store_faults: Arc<AtomicU64>,
    pub(crate) to_follow: VecDeque<ElectionAction>,
    pub(crate) leading: bool,
    pub(crate) stepped: SteppedJobManager,
    pub(crate) peers: BTreeSet<u64>,
    /// Since when it acts without a lease.
    pub(crate) overdue: Option<Duration>,
    /// Whether it led when it was stopped.
    pub(crate) led: Option<u64>,
}

impl JobManager {
    pub(crate) fn local(&self, now: Duration) -> Duration {
        now * self.rate / 1000
    }

    pub(crate) fn global(&self, local: Duration) -> Duration {
        local * 1000 / self.rate + Duration::from_micros(1)
    }

    pub(crate) fn is_leader(&self, now: Duration) -> bool {
        self.election.is_leader(self.local(now))
    }
}

impl World {
    pub(crate) fn start_job_manager(&mut self, machine: Machine) {
        let process = self.begin_process(Program::JobManager, machine);
        let holder = format!("jm{process}");
        let store_faults = Arc::new(AtomicU64::new(2));
        let (sim, percent) = (self.sim.clone(), store_faults.clone());
        let store = self.store.with_faults(move |operation: Operation, _: &flott_ha::Key| {
            if !sim.fault(percent.load(Ordering::Relaxed)) {
                return Fault::None;
            }
            sim.saw(Seen::CoordinationFault);
            let fault = sim.random().pick(&[Fault::Before, Fault::After, Fault::Lost]);
            sim.trace(format_args!("coordination fault {fault:?} of {operation:?}"));
            fault
        });
        let keep_end = self.keep_end();
        let stepped = SteppedJobManager::new(Arc::new(self.sim.clock.clone()), faulty(&self.sim, &self.files), keep_end);
        let manager = JobManager {
            election: LeaderElection::new(ElectionSettings::new(holder.clone(), format!("jm{machine}:6123"), LEASE)),
            holder,
            rate: self.sim.random().between(950, 1050) as u32,
            wakes: 0,
            store,
            store_faults,
            to_follow: VecDeque::new(),
            leading: false,
            stepped,
            peers: BTreeSet::new(),
            overdue: None,
            led: None,
        };
        self.job_managers.insert(process, manager);
        self.soon(process, Happening::Election(ElectionEvent::Wake));
    }

    /// That a job has ended is stored, as often as it takes.
    fn keep_end(&self) -> JobEnding {
        let (sim, ended) = (self.sim.clone(), self.ended.clone());
        Arc::new(move |store, job, bytes, at| {
            if sim.planted(Plant::EndBeforeMarked) {
                return true;
            }
            for _ in 0..100 {
                match store.mark_ended(job, bytes, at) {
                    Ok(()) => {
                        hold(&ended).insert(job);
                        return true;
                    }
                    Err(error) if error.is_fenced() => {
                        sim.saw(Seen::EndedElsewhere);
                        sim.trace(format_args!("the end of {job} is not kept: {error}"));
                        return false;
                    }
                    Err(_) => {}
                }
            }
            false
        })
    }

    /// Brings to others what a JobManager has to say.
    pub(crate) fn flush(&mut self, process: Process) {
        let Some(manager) = self.job_managers.get_mut(&process) else { return };
        let sent = manager.stepped.take_sent();
        let steps = manager.stepped.take_storage();
        for (connection, sent) in sent {
            match sent {
                Sent::TaskManager(message) => self.send(connection, Side::Server, Message::ToTaskManager(message)),
                Sent::Worker(message) => self.send(connection, Side::Server, Message::ToWorker(message)),
                Sent::Closed => {
                    if let Some(manager) = self.job_managers.get_mut(&process) {
                        manager.peers.remove(&connection);
                    }
                    self.close(connection, Side::Server);
                }
            }
        }
        for step in steps {
            let slow = if self.sim.fault(3) { self.sim.random().millis(2_000) } else { Duration::ZERO };
            let at = self.now() + self.sim.random().delay() + slow;
            let lane = if step.is_decision() { Lane::Decisions } else { Lane::Storage }(process, step.thread);
            self.over(at, lane, Some(process), Happening::Storage(Box::new(step)));
        }
    }

    /// A job's thread does something.
    pub(crate) fn thread_runs(&mut self, process: Process, thread: u64) {
        let Some(manager) = self.job_managers.get_mut(&process) else { return };
        let Some(job) = manager.stepped.job_of(thread) else { return };
        let step = manager.stepped.run(thread);
        self.sim.trace(format_args!("{process} runs {job}: {}", if step == Step::Went { "" } else { "!" }));
        match step {
            Step::Went => {}
            Step::Recovered { going_on, all } => {
                self.sim.trace(format_args!("{process}: {going_on} of {all} tasks of {job} go on"));
                self.saw(match going_on {
                    0 => Seen::AdoptedNothing,
                    _ if going_on == all => Seen::AdoptedAll,
                    _ => Seen::AdoptedPartly,
                });
                if self.sim.planted(Plant::SplitsNotResent) {
                    self.flush_without_splits(process);
                }
            }
            Step::Suspended => self.sim.trace(format_args!("{process} leaves {job} to others")),
            Step::Ended(outcome) => {
                self.sim.trace(format_args!("{process}: {job} has ended: {:?}", outcome.end));
                if let JobEnd::Failed(failure) = &outcome.end {
                    self.sim.trace(format_args!("{failure:?}"));
                }
                hold(&self.ended).insert(job);
                self.ended_by.insert(job, process);
                let at = self.now() + WORKER_END_TIMEOUT;
                self.at(at, Some(process), Happening::StopWorkers(job));
            }
        }
        self.flush(process);
        self.check_slots(process);
    }

    /// A plant: what readers were to be given again gets lost.
    fn flush_without_splits(&mut self, process: Process) {
        let Some(manager) = self.job_managers.get_mut(&process) else { return };
        for (connection, sent) in manager.stepped.take_sent() {
            match sent {
                Sent::TaskManager(message) => self.send(connection, Side::Server, Message::ToTaskManager(message)),
                Sent::Worker(message) if matches!(*message, ToWorker::Command(_, TaskCommand::AddSplits(_))) => {}
                Sent::Worker(message) => self.send(connection, Side::Server, Message::ToWorker(message)),
                Sent::Closed => self.close(connection, Side::Server),
            }
        }
    }

    /// No more slots are used than there are.
    fn check_slots(&self, process: Process) {
        let Some(manager) = self.job_managers.get(&process) else { return };
        for (task_manager, all, held) in manager.stepped.slots() {
            if held > all {
                self.sim.violation(format!("{held} of {all} slots of {task_manager} are given to jobs"));
            }
        }
    }

    pub(crate) fn storage_performs(&mut self, process: Process, mut step: StorageStep) {
        let (job, thread) = (step.job, step.thread);
        if self.sim.planted(Plant::RegisterNotFenced) {
            let newest = self.begun.get(&job).copied().unwrap_or(0);
            let old = step.epoch < newest;
            if old {
                step = step.in_term(newest);
            }
            let before = self.completed_of(job);
            let answers = step.perform();
            if old && self.completed_of(job) > before {
                self.sim.violation(format!("a checkpoint of {job} is completed by a leader whose term is over"));
            }
            return self.storage_answered(process, job, thread, answers);
        }
        self.sim.trace(format_args!("{process} storage of {job} in term {}", step.epoch));
        let answers = step.perform();
        self.storage_answered(process, job, thread, answers);
    }

    fn storage_answered(&mut self, process: Process, job: JobId, thread: u64, answers: Vec<JobEvent>) {
        self.note_checkpoints(job);
        for answer in answers {
            if let JobEvent::Storage(flott_jobmanager::event::StorageReport::Fenced(reason)) = &answer {
                self.saw(Seen::Fenced);
                self.sim.trace(format_args!("{process} is fenced: {reason}"));
            }
            let at = self.now() + self.sim.random().delay();
            self.over(at, Lane::Answers(process, thread), Some(process), Happening::StorageAnswers(thread, answer));
        }
    }

    pub(crate) fn storage_answers(&mut self, process: Process, thread: u64, event: JobEvent) {
        if let Some(manager) = self.job_managers.get_mut(&process) {
            manager.stepped.tell(thread, event);
        }
    }

    /// A process says who it is.
    pub(crate) fn introduced(&mut self, process: Process, connection: u64, role: Role) {
        let Some(manager) = self.job_managers.get_mut(&process) else { return };
        let welcome = match &role {
            Role::TaskManager(info) => manager.stepped.task_manager(connection, info.clone()),
            Role::Worker(info) => manager.stepped.worker(connection, info.clone()),
            Role::Client => return,
        };
        self.sim.trace(format_args!("{process} answers {welcome:?}"));
        if let (Role::Worker(info), Welcome::Refused(_)) = (&role, &welcome)
            && info.inventory.is_some()
        {
            self.sim.saw(Seen::LateWorker);
        }
        let accepted = welcome == Welcome::Accepted;
        if accepted {
            manager.peers.insert(connection);
        }
        self.send(connection, Side::Server, Message::Welcome(welcome));
        if accepted {
            let beats = matches!(role, Role::TaskManager(_));
            if let Some(connection) = self.connections.get_mut(&connection) {
                connection.role = Some(role);
            }
            self.keep_alive(connection, Side::Server, beats, true);
        } else {
            self.close(connection, Side::Server);
        }
        self.flush(process);
    }

    pub(crate) fn task_manager_said(&mut self, process: Process, message: FromTaskManager) {
        if let Some(manager) = self.job_managers.get_mut(&process) {
            manager.stepped.task_manager_said(message);
            self.flush(process);
        }
    }

    pub(crate) fn worker_said(&mut self, process: Process, connection: u64, message: FromWorker) {
        let Some(Role::Worker(info)) = self.connections.get(&connection).and_then(|connection| connection.role.clone()) else { return };
        if let Some(manager) = self.job_managers.get_mut(&process) {
            manager.stepped.worker_said(info.job, info.worker, message);
        }
    }

    /// The connection of somebody who was let in is over.
    pub(crate) fn peer_gone(&mut self, process: Process, connection: u64, role: Role) {
        let Some(manager) = self.job_managers.get_mut(&process) else { return };
        match role {
            Role::TaskManager(info) => {
                manager.peers.remove(&connection);
                manager.stepped.task_manager_gone(&info.id, connection, "a TaskManager is gone: its connection is over");
            }
            Role::Worker(info) => {
                if !manager.peers.remove(&connection) {
                    // The term is over: it is another leader's.
                    return;
                }
                manager.stepped.worker_gone(info.job, info.worker);
                let at = self.now() + REASON_TIMEOUT;
                self.at(at, Some(process), Happening::WorkerLost(info.job, info.worker));
            }
            Role::Client => {}
        }
        self.flush(process);
    }

    pub(crate) fn worker_lost(&mut self, process: Process, job: JobId, worker: u64) {
        if let Some(manager) = self.job_managers.get_mut(&process) {
            manager.stepped.worker_lost(job, worker, "is gone: its connection is over");
            self.flush(process);
        }
    }

    pub(crate) fn stop_workers(&mut self, process: Process, job: JobId) {
        if let Some(manager) = self.job_managers.get_mut(&process) {
            manager.stepped.stop_workers(job);
            self.flush(process);
        }
    }

    /// A stopped process goes on.
    pub(crate) fn woke(&mut self, process: Process) {
        let now = self.now();
        let newest =
            self.job_managers.values().filter(|manager| manager.is_leader(now)).filter_map(|manager| manager.election.epoch()).max();
        if let Some(manager) = self.job_managers.get_mut(&process)
            && let Some(led) = manager.led.take()
            && newest.is_some_and(|newest| newest > led)
        {
            self.saw(Seen::PausedLeaderWoke);
        }
    }
}
