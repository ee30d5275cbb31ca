//! A worker: real tasks and enumerators of one job, which go on while JobManagers come and go.

use super::{
    connections::{Message, Side},
    world::{Happening, Lane, Machine, Process, Program, World},
};
use crate::{
    enumerators::{Host, Wish},
    environment::environment,
    graph,
    plant::Plant,
    relay::Relay,
    sim::{Seen, Sim, hold},
    storage::faulty,
};
use flott_cluster::stepped::SteppedSession;
use flott_core::id::{AttemptId, JobId, VertexId};
use flott_graph::{JobGraph, JobTopology};
use flott_rpc::{
    control::{FromWorker, Role, ToWorker, Welcome, WorkerInfo},
    inventory::{TaskState, WorkerInventory},
    task::{EnumeratorCommand, TaskCommand, TaskDeployment, TaskReport},
};
use flott_runtime::{MailboxSender, Task, gate};
use flott_storage::FileStorage;
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

/// The pause before a JobManager that leads, but was not reached, is tried again.
const RETRY: Duration = Duration::from_millis(200);

pub(crate) struct Worker {
    parent: Process,
    pub(crate) job: JobId,
    pub(crate) number: u64,
    sim: Arc<Sim>,
    pub(crate) graph: Arc<JobGraph>,
    pub(crate) topology: JobTopology,
    storage: Arc<FileStorage>,
    session: SteppedSession,
    first: bool,
    /// The JobManager that it looks for, or has found.
    leader: usize,
    /// One that its TaskManager has named since.
    named: Option<usize>,
    asking: Option<u64>,
    serving: Option<u64>,
    mailboxes: BTreeMap<AttemptId, MailboxSender>,
    hosts: BTreeMap<VertexId, Host>,
}

/// Where records are brought to a process.
pub(crate) fn address_of(process: Process) -> SocketAddr {
    ([127, 0, 0, 1], process as u16).into()
}

impl World {
    pub(crate) fn start_worker(&mut self, machine: Machine, parent: Process, job: JobId, number: u64, leader: usize) -> Process {
        let process = self.begin_process(Program::Worker, machine);
        let spec = self.specs[&job].clone();
        let pipeline = &self.pipelines[spec.pipeline];
        let graph = Arc::new(graph::build(&pipeline.sim, process, &pipeline.shape, spec.widths));
        let worker = Worker {
            parent,
            job,
            number,
            sim: pipeline.sim.clone(),
            topology: graph.topology(),
            graph,
            storage: Arc::new(faulty(&self.sim, &self.files).storage(job)),
            session: SteppedSession::default(),
            first: true,
            leader,
            named: None,
            asking: None,
            serving: None,
            mailboxes: BTreeMap::new(),
            hosts: BTreeMap::new(),
        };
        self.workers.insert(process, worker);
        self.soon(process, Happening::Connect);
        process
    }

    pub(crate) fn worker_ended(&mut self, process: Process) {
        let Some(worker) = self.workers.remove(&process) else { return };
        self.executor.drop_term(process);
        hold(&self.sim.watermarks).retain(|(owner, _), _| *owner != process);
        self.links_of_the_dead(process);
        self.child_exits(worker.parent, worker.job, worker.number);
    }

    /// Introduces itself to the JobManager that it knows of.
    pub(crate) fn worker_connects(&mut self, process: Process) {
        let planted = (self.sim.planted(Plant::LostEnumeratorAdopted), self.sim.planted(Plant::TaskForgotten));
        let Some(worker) = self.workers.get_mut(&process).filter(|worker| worker.asking.is_none() && worker.serving.is_none()) else {
            return;
        };
        if let Some(named) = worker.named.take() {
            worker.leader = named;
        }
        let leader = worker.leader;
        let mut inventory = worker.session.begin(!worker.first);
        if let Some(inventory) = &mut inventory {
            tamper(inventory, &worker.topology, planted);
        }
        let info = WorkerInfo {
            answers: false,
            job: worker.job,
            worker: worker.number,
            data_address: address_of(process),
            topology: worker.topology.clone(),
            inventory,
        };
        match self.greet(process, leader, Role::Worker(info)) {
            Some(connection) => {
                if let Some(worker) = self.workers.get_mut(&process) {
                    worker.asking = Some(connection);
                }
            }
            None => self.not_reached(process),
        }
    }

    pub(crate) fn worker_greeted(&mut self, process: Process, connection: u64, welcome: Option<Welcome>) {
        let Some(worker) = self.workers.get_mut(&process) else { return };
        if worker.asking.take_if(|asked| *asked == connection).is_none() {
            return;
        }
        match welcome {
            Some(Welcome::Accepted) => {
                worker.serving = Some(connection);
                worker.first = false;
                worker.session.connected();
                let left = worker.named.is_some();
                self.keep_alive(connection, Side::Client, true, false);
                self.flush_worker(process);
                if left {
                    // Another leads by now.
                    self.leave(process);
                }
            }
            Some(Welcome::Refused(reason)) => {
                self.sim.trace(format_args!("worker {process} is refused: {reason}"));
                self.exit(process);
            }
            Some(Welcome::NotLeader(_)) | None => {
                self.close(connection, Side::Client);
                self.not_reached(process);
            }
        }
    }

    fn not_reached(&mut self, process: Process) {
        let Some(worker) = self.workers.get_mut(&process) else { return };
        if worker.first {
            self.sim.trace(format_args!("worker {process} does not reach its JobManager"));
            return self.exit(process);
        }
        worker.session.disconnected();
        let pause = if worker.named.is_some() { Duration::ZERO } else { RETRY };
        let at = self.now() + pause;
        self.at(at, Some(process), Happening::Connect);
    }

    /// Its TaskManager says who leads.
    pub(crate) fn leader_named(&mut self, process: Process, leader: usize) {
        let Some(worker) = self.workers.get_mut(&process) else { return };
        worker.named = Some(leader);
        if worker.serving.is_some() {
            self.leave(process);
        } else if worker.asking.is_none() {
            self.soon(process, Happening::Connect);
        }
    }

    /// The leader before has nothing to say any more, whether it knows that or not.
    fn leave(&mut self, process: Process) {
        if let Some(connection) = self.workers.get(&process).and_then(|worker| worker.serving) {
            self.close(connection, Side::Client);
            self.worker_lost_leader(process, connection);
        }
    }

    pub(crate) fn worker_lost_leader(&mut self, process: Process, connection: u64) {
        let Some(worker) = self.workers.get_mut(&process) else { return };
        if worker.serving.take_if(|serving| *serving == connection).is_some() {
            worker.session.disconnected();
            self.sim.trace(format_args!("worker {process} goes on without a JobManager"));
            if self.workers[&process].named.is_some() {
                self.soon(process, Happening::Connect);
            }
        }
    }

    pub(crate) fn worker_says(&mut self, process: Process, message: FromWorker) {
        if let Some(worker) = self.workers.get_mut(&process) {
            worker.session.say(message);
            self.flush_worker(process);
        }
    }

    fn flush_worker(&mut self, process: Process) {
        let Some(worker) = self.workers.get_mut(&process) else { return };
        let Some(connection) = worker.serving else { return };
        for message in worker.session.take_sent() {
            self.send(connection, Side::Client, Message::FromWorker(Box::new(message)));
        }
    }

    pub(crate) fn worker_told(&mut self, process: Process, message: ToWorker) {
        let Some(worker) = self.workers.get_mut(&process) else { return };
        worker.session.told(&message);
        match message {
            ToWorker::Deploy { here, region } => self.deploy(process, here, &region),
            ToWorker::Command(attempt, command) => {
                if let Some(mailbox) = worker.mailboxes.get(&attempt) {
                    mailbox.send(command);
                }
            }
            ToWorker::Enumerator { vertex, number, command } => {
                let at = self.now() + self.sim.random().delay();
                self.over(at, Lane::Enumerators(process), Some(process), Happening::Enumerator(vertex, number, command));
            }
            // Nobody looks at records here.
            ToWorker::Ask(..) => {}
            ToWorker::Stop => {
                self.sim.trace(format_args!("worker {process} is needed no more"));
                self.exit(process);
            }
        }
    }

    fn deploy(&mut self, process: Process, here: Vec<TaskDeployment>, region: &[(AttemptId, SocketAddr)]) {
        let now = self.now();
        for deployment in &here {
            self.sim.trace(format_args!(
                "worker {process} starts {} from {:?}",
                deployment.attempt,
                deployment.restore.as_ref().map(|r| r.checkpoint)
            ));
        }
        let Some((specs, capacity)) = self.wire(process, here, region, now) else { return };
        let Some(worker) = self.workers.get(&process) else { return };
        let (sim, storage) = (worker.sim.clone(), worker.storage.clone());
        for mut spec in specs {
            let attempt = spec.deployment.attempt;
            let start = now + sim.random().delay();
            if let Some(worker) = self.workers.get_mut(&process) {
                worker.mailboxes.retain(|other, _| other.subtask != attempt.subtask);
                worker.mailboxes.insert(attempt, spec.mailbox.sender());
            }
            if spec.gate.is_some() && sim.random().percent(40) {
                let (to, senders) = gate::gate(spec.channel_inputs.len(), capacity);
                if let Some(from) = spec.gate.replace(to) {
                    let relay = Relay::new(sim.clone(), process, attempt, from, senders, self.leftovers.clone());
                    self.executor.spawn(process, attempt, start, relay.run());
                }
            }
            let seed = sim.random().next();
            let env = environment(&sim, process, attempt, &storage, &self.files, seed);
            self.executor.spawn(process, attempt, start, Task::new(spec, env).run());
        }
    }

    /// A task of a worker says something.
    pub(crate) fn task_reports(&mut self, process: Process, attempt: AttemptId, report: TaskReport) {
        if matches!(report, TaskReport::Finished { .. } | TaskReport::Canceled | TaskReport::Failed(_)) {
            self.sim.trace(format_args!(
                "{attempt} in {process} ends: {}",
                if let TaskReport::Failed(failure) = &report { failure.causes.join("; ") } else { format!("{report:?}") }
            ));
            // With it goes whatever brought its input.
            self.soon(process, Happening::Ended(attempt));
        }
        self.worker_says(process, FromWorker::Task(attempt, report));
    }

    pub(crate) fn fail_broken(&mut self, process: Process, attempt: AttemptId, reason: String) {
        if let Some(mailbox) = self.workers.get(&process).and_then(|worker| worker.mailboxes.get(&attempt)) {
            self.sim.trace(format_args!("{attempt} in {process} is to fail: {reason}"));
            mailbox.send(TaskCommand::Fail(reason));
        }
    }

    pub(crate) fn enumerator_told(&mut self, process: Process, vertex: VertexId, number: u64, command: EnumeratorCommand) {
        let Some(worker) = self.workers.get_mut(&process) else { return };
        self.sim.trace(format_args!("enumerator {vertex} in {process} #{number} {}", crate::tamper::short(&command)));
        let wishes = worker.hosts.entry(vertex).or_default().handle(&worker.sim, &worker.graph, vertex, number, command);
        self.grant_wishes(process, vertex, wishes);
    }

    pub(crate) fn enumerator_wakes(&mut self, process: Process, vertex: VertexId, made: u64) {
        let host = self.workers.get_mut(&process).and_then(|worker| worker.hosts.get_mut(&vertex));
        if let Some(host) = host.filter(|host| host.made == made) {
            let wishes = host.wake(vertex);
            self.grant_wishes(process, vertex, wishes);
        }
    }

    fn grant_wishes(&mut self, process: Process, vertex: VertexId, wishes: Vec<Wish>) {
        for wish in wishes {
            let host = self.workers.get(&process).and_then(|worker| worker.hosts.get(&vertex));
            let (after, made) = host.map_or((0, 0), |host| (host.handled, host.made));
            match wish {
                Wish::Say(report) => self.worker_says(process, FromWorker::Enumerator { vertex, after, report }),
                Wish::WakeAfter(time) => {
                    let at = self.now() + time;
                    self.at(at, Some(process), Happening::EnumeratorWakes(vertex, made));
                }
            }
        }
    }

    /// A worker that is gone is missed.
    pub(crate) fn crash_worker(&mut self, process: Process) {
        self.saw(Seen::WorkerCrashed);
        self.exit(process);
    }
}

/// Plants in the account of a worker.
fn tamper(inventory: &mut WorkerInventory, topology: &JobTopology, (lost_enumerator, forgotten): (bool, bool)) {
    if lost_enumerator {
        for vertex in (0..topology.vertices.len() as u32).map(VertexId) {
            let tasks: Vec<_> =
                inventory.tasks.iter().filter(|task| task.attempt.subtask.vertex == vertex && task.enumerator > 0).collect();
            let Some(created) = tasks.iter().map(|task| task.enumerator).max() else { continue };
            if inventory.enumerators.iter().all(|enumerator| enumerator.vertex != vertex) {
                inventory.enumerators.push(flott_rpc::inventory::EnumeratorInventory {
                    vertex,
                    created,
                    last_command: created,
                    last_snapshot: 0,
                    assigned: Vec::new(),
                    failed: None,
                });
            }
        }
    }
    if forgotten {
        for task in &mut inventory.tasks {
            if matches!(task.state, TaskState::Ended(_)) {
                task.state = TaskState::Running;
            }
        }
    }
}
