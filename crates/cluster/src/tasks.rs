//! The tasks of a job in this process: starts a thread for each, passes commands on, keeps their figures.

use crate::{
    enumerators::Unassigned,
    taps::Taps,
    thread::{SystemClock, drive},
};
use flott_core::{
    id::{AttemptId, SubtaskId},
    time::Clock,
};
use flott_graph::{JobGraph, JobTopology};
use flott_rpc::{
    figures::EnumeratorFigures,
    gateway::TaskFigures,
    tap::{TapRequest, TapSample},
    task::{TaskCommand, TaskDeployment},
};
use flott_runtime::{Elsewhere, MailboxSender, Task, TaskEnv, TaskMetrics, wiring};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

/// The newest attempt of each subtask and its figures, shared with whoever watches.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    tasks: Arc<Mutex<BTreeMap<SubtaskId, (String, TaskMetrics)>>>,
    /// That of the tasks: it tells how long they have waited so far, and rates are reckoned by it.
    clock: SystemClock,
    unassigned: Unassigned,
}

impl Figures {
    pub(crate) fn new(clock: SystemClock) -> Self {
        Figures { tasks: Arc::default(), clock, unassigned: Unassigned::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SubtaskId, (String, TaskMetrics)>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets subtasks that the job does not have any more.
    fn keep(&self, graph: &JobGraph) {
        self.lock().retain(|subtask, _| subtask.index < graph.vertices[subtask.vertex.0 as usize].parallelism);
    }

    /// All of them as they are now.
    pub(crate) fn read(&self) -> Vec<TaskFigures> {
        let (now, wall) = (self.clock.monotonic(), self.clock.wall());
        let read = |(subtask, (name, metrics)): (&SubtaskId, &(String, TaskMetrics))| metrics.read(*subtask, name, now, wall);
        let mut all: Vec<TaskFigures> = self.lock().iter().map(read).collect();
        if let Some(first) = all.first_mut() {
            let splits = self.unassigned.read().into_iter();
            first.enumerators = splits.map(|(vertex, unassigned_splits)| EnumeratorFigures { vertex, unassigned_splits }).collect();
        }
        all
    }

    /// Where enumerators note what they have left.
    pub(crate) fn unassigned(&self) -> Unassigned {
        self.unassigned.clone()
    }
}

/// The way to the newest attempt of each subtask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mailboxes(Arc<Mutex<HashMap<AttemptId, MailboxSender>>>);

impl Mailboxes {
    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptId, MailboxSender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, attempt: AttemptId, mailbox: MailboxSender) {
        let all = &mut *self.lock();
        all.retain(|other, _| other.subtask != attempt.subtask);
        all.insert(attempt, mailbox);
    }

    /// Passes a command on. One for an attempt that has ended is dropped.
    pub(crate) fn send(&self, attempt: AttemptId, command: TaskCommand) {
        if let Some(mailbox) = self.lock().get(&attempt) {
            mailbox.send(command);
        }
    }
}

/// Runs the tasks of one job.
pub(crate) struct Tasks {
    graph: Arc<JobGraph>,
    topology: JobTopology,
    env: TaskEnv,
    clock: SystemClock,
    mailboxes: Mailboxes,
    figures: Figures,
    taps: Taps,
}

impl Tasks {
    pub(crate) fn new(graph: Arc<JobGraph>, env: TaskEnv, clock: SystemClock, figures: Figures) -> Self {
        Tasks { topology: graph.topology(), graph, env, clock, mailboxes: Mailboxes::default(), figures, taps: Taps::default() }
    }

    /// Starts tasks that are connected with each other, and with those `elsewhere`. Returns those that could not be started, and why.
    pub(crate) fn deploy(&mut self, deployments: Vec<TaskDeployment>, elsewhere: Option<Elsewhere<'_>>) -> Vec<(AttemptId, String)> {
        let mut failed = Vec::new();
        let now = self.clock.monotonic();
        for spec in wiring::connect_with(&self.graph, &self.topology, deployments, elsewhere, now) {
            let attempt = spec.deployment.attempt;
            self.figures.keep(&spec.graph);
            let vertex = &spec.graph.vertices[attempt.subtask.vertex.0 as usize];
            self.mailboxes.replace(attempt, spec.mailbox.sender());
            self.figures.lock().insert(attempt.subtask, (vertex.name.clone(), spec.metrics.clone()));
            self.taps.replace(&spec.graph, attempt.subtask, spec.tap.clone());
            let (env, clock) = (self.env.clone(), self.clock);
            // The name of a thread may hold no NUL.
            let operator = vertex.operators[0].name.replace('\0', " ");
            let name = format!("{operator} {}/{}", attempt.subtask.index + 1, vertex.parallelism);
            let run = move || {
                spec.metrics.set_thread(own_number());
                // Operators are made on the thread that runs them: they need not be `Send`.
                drive(Task::new(spec, env).run(), &clock);
            };
            let spawned = thread::Builder::new().name(name).spawn(run);
            if let Err(error) = spawned {
                failed.push((attempt, format!("cannot start a thread: {error}")));
            }
        }
        failed
    }

    /// Passes a command on. One for an attempt that has ended is dropped.
    pub(crate) fn send(&self, attempt: AttemptId, command: TaskCommand) {
        self.mailboxes.send(attempt, command);
    }

    /// Goes on with the taps that are asked for and takes what they have seen.
    pub(crate) fn tap(&self, request: &TapRequest) -> TapSample {
        self.taps.fetch(request, self.clock.monotonic())
    }

    /// The taps of the tasks, for others.
    pub(crate) fn taps(&self) -> Taps {
        self.taps.clone()
    }

    /// The way to the tasks, for others.
    pub(crate) fn mailboxes(&self) -> Mailboxes {
        self.mailboxes.clone()
    }
}

/// The number that the operating system has given to this thread; `None` where it does not tell.
fn own_number() -> Option<u32> {
    let path = std::fs::read_link("/proc/thread-self").ok()?;
    path.file_name()?.to_str()?.parse().ok()
}
