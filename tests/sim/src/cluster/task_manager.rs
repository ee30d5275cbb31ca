//! A TaskManager: finds who leads, starts and ends workers.

use super::{
    connections::{Message, Side},
    world::{Happening, JOB_MANAGERS, Lane, Machine, Process, Program, World},
};
use crate::{plant::Plant, sim::Seen};
use flott_core::id::JobId;
use flott_rpc::control::{FromTaskManager, Role, TaskManagerInfo, ToTaskManager, Welcome};
use std::{collections::BTreeMap, time::Duration};

/// The pause before the JobManager is looked for again.
const RETRY: Duration = Duration::from_millis(100);
/// How often it is looked whether a worker has ended.
const WATCH_INTERVAL: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Child {
    Starting,
    /// To end as soon as it is there.
    Stopped,
    Running(Process),
}

#[derive(Debug)]
pub(crate) struct TaskManager {
    id: String,
    slots: u32,
    /// Which JobManager it asks, and what it has told it to run.
    asking: Option<(u64, usize)>,
    reported: Vec<(JobId, u64)>,
    serving: Option<u64>,
    leader: usize,
    children: BTreeMap<(JobId, u64), Child>,
}

impl World {
    pub(crate) fn start_task_manager(&mut self, machine: Machine) {
        let process = self.begin_process(Program::TaskManager, machine);
        let slots = self.slots[machine - JOB_MANAGERS];
        let id = format!("tm{machine}");
        let children = BTreeMap::new();
        let manager = TaskManager { id, slots, asking: None, reported: Vec::new(), serving: None, leader: 0, children };
        self.task_managers.insert(process, manager);
        self.soon(process, Happening::FindLeader(0));
    }

    /// Asks one JobManager after the other whether it leads.
    pub(crate) fn find_leader(&mut self, process: Process, which: usize) {
        let Some(manager) = self.task_managers.get_mut(&process).filter(|manager| manager.asking.is_none() && manager.serving.is_none())
        else {
            return;
        };
        if which == JOB_MANAGERS {
            let at = self.now() + RETRY;
            return self.at(at, Some(process), Happening::FindLeader(0));
        }
        manager.reported = manager.children.keys().copied().collect();
        let info = TaskManagerInfo {
            id: manager.id.clone(),
            slots: manager.slots,
            process,
            cpu_cores: 1,
            memory_bytes: 0,
            incarnation: process.to_string(),
            workers: manager.reported.clone(),
        };
        match self.greet(process, which, Role::TaskManager(info)) {
            Some(connection) => {
                if let Some(manager) = self.task_managers.get_mut(&process) {
                    manager.asking = Some((connection, which));
                }
            }
            None => self.soon(process, Happening::FindLeader(which + 1)),
        }
    }

    pub(crate) fn task_manager_greeted(&mut self, process: Process, connection: u64, welcome: Option<Welcome>) {
        let Some(manager) = self.task_managers.get_mut(&process) else { return };
        let Some((_, which)) = manager.asking.take_if(|(asked, _)| *asked == connection) else { return };
        match welcome {
            Some(Welcome::Accepted) => {
                manager.serving = Some(connection);
                manager.leader = which;
                let (children, reported) = (manager.children.clone(), std::mem::take(&mut manager.reported));
                for child in children.values() {
                    if let Child::Running(worker) = child {
                        let at = self.now() + self.sim.random().delay();
                        self.over(at, Lane::Parent(*worker), Some(*worker), Happening::LeaderNamed(which));
                    }
                }
                for (job, worker) in reported.into_iter().filter(|reported| !children.contains_key(reported)) {
                    let reason = "it ended while no JobManager led".to_owned();
                    self.send(connection, Side::Client, Message::FromTaskManager(FromTaskManager::WorkerEnded { job, worker, reason }));
                }
                self.keep_alive(connection, Side::Client, true, true);
            }
            Some(Welcome::Refused(reason)) => {
                self.saw(Seen::TaskManagerRefused);
                self.sim.trace(format_args!("TaskManager {process} is refused: {reason}"));
                let machine = self.processes[&process].machine;
                self.exit(process);
                self.start_again(machine);
            }
            Some(Welcome::NotLeader(_)) | None => {
                self.close(connection, Side::Client);
                self.soon(process, Happening::FindLeader(which + 1));
            }
        }
    }

    /// The JobManager of a TaskManager or a worker is gone.
    pub(crate) fn leader_gone(&mut self, process: Process, connection: u64) {
        if let Some(manager) = self.task_managers.get_mut(&process) {
            if manager.serving.take_if(|serving| *serving == connection).is_some() {
                let at = self.now() + RETRY;
                self.at(at, Some(process), Happening::FindLeader(0));
            }
        } else {
            self.worker_lost_leader(process, connection);
        }
    }

    pub(crate) fn task_manager_told(&mut self, process: Process, message: ToTaskManager) {
        let Some(manager) = self.task_managers.get_mut(&process) else { return };
        match message {
            ToTaskManager::StartWorker { job, worker, .. } => {
                manager.children.insert((job, worker), Child::Starting);
                let leader = manager.leader;
                let at = self.now() + Duration::from_millis(5) + self.sim.random().millis(150);
                self.at(at, Some(process), Happening::Spawn(job, worker, leader));
            }
            ToTaskManager::StopWorker { .. } if self.sim.planted(Plant::StopNotHeard) => {}
            ToTaskManager::StopWorker { job, worker } => match manager.children.get_mut(&(job, worker)) {
                Some(child @ Child::Starting) => *child = Child::Stopped,
                Some(Child::Running(worker)) => {
                    let worker = *worker;
                    self.exit(worker);
                }
                Some(Child::Stopped) | None => {}
            },
            // Nobody looks into its logs here.
            ToTaskManager::Heartbeat | ToTaskManager::Ask(..) | ToTaskManager::End => {}
        }
    }

    pub(crate) fn spawn_worker(&mut self, process: Process, job: JobId, worker: u64, leader: usize) {
        let machine = self.processes[&process].machine;
        let Some(manager) = self.task_managers.get_mut(&process) else { return };
        let child = manager.children.get(&(job, worker)).copied();
        if child != Some(Child::Starting) || self.sim.fault(3) {
            self.saw(Seen::WorkerNotStarted);
            return self.child_ended(process, job, worker);
        }
        let started = self.start_worker(machine, process, job, worker, leader);
        if let Some(manager) = self.task_managers.get_mut(&process) {
            manager.children.insert((job, worker), Child::Running(started));
        }
    }

    /// A worker's process has ended: its TaskManager will see it.
    pub(crate) fn child_exits(&mut self, parent: Process, job: JobId, worker: u64) {
        let at = self.now() + self.sim.random().millis(WATCH_INTERVAL);
        self.at(at, Some(parent), Happening::ChildEnded(job, worker));
    }

    pub(crate) fn child_ended(&mut self, process: Process, job: JobId, worker: u64) {
        let Some(manager) = self.task_managers.get_mut(&process) else { return };
        if manager.children.remove(&(job, worker)).is_some()
            && let Some(serving) = manager.serving
        {
            let reason = "its process has ended".to_owned();
            self.send(serving, Side::Client, Message::FromTaskManager(FromTaskManager::WorkerEnded { job, worker, reason }));
        }
    }

    /// Its workers hear of it by their standard input.
    pub(crate) fn task_manager_ended(&mut self, process: Process) {
        let Some(manager) = self.task_managers.remove(&process) else { return };
        for child in manager.children.values() {
            if let Child::Running(worker) = child {
                let at = self.now() + self.sim.random().millis(20);
                self.over(at, Lane::Parent(*worker), Some(*worker), Happening::ParentGone);
            }
        }
    }
}
