//! The thread on which the enumerators of a job's sources live.

use flott_core::{
    BoxError,
    error::{TaskFailure, Unrecoverable},
    id::VertexId,
    source::{Assignment, EnumeratorContext, ErasedEnumerator},
    time::SharedClock,
};
use flott_graph::{JobGraph, NodeKind};
use flott_jobmanager::JobEvent;
use flott_rpc::task::{EnumeratorCommand, EnumeratorReport};
use flott_runtime::panics::{CaughtPanic, catching};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// A command for the enumerator of a vertex.
pub(crate) struct Command {
    pub(crate) vertex: VertexId,
    pub(crate) number: u64,
    pub(crate) command: EnumeratorCommand,
}

/// An enumerator, the number of the last command it has handled, and when it wants to be woken.
#[derive(Default)]
struct Hosted {
    enumerator: Option<Box<dyn ErasedEnumerator>>,
    handled: u64,
    wake: Option<Duration>,
}

/// How many splits each enumerator of the process has not handed out, shared with whoever watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unassigned(Arc<Mutex<BTreeMap<VertexId, u64>>>);

impl Unassigned {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<VertexId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, vertex: VertexId, splits: Option<u64>) {
        match splits {
            Some(splits) => self.lock().insert(vertex, splits),
            None => self.lock().remove(&vertex),
        };
    }

    /// Those that can tell.
    pub(crate) fn read(&self) -> BTreeMap<VertexId, u64> {
        self.lock().clone()
    }
}

/// Starts the thread. It ends when the returned sender is dropped. `report` gets what enumerators say.
pub(crate) fn start(
    graph: Arc<JobGraph>,
    clock: SharedClock,
    unassigned: Unassigned,
    report: impl Fn(JobEvent) + Send + 'static,
) -> std::io::Result<mpsc::Sender<Command>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name("flott-sources".to_owned())
        .spawn(move || Host { graph, clock, unassigned, report, hosted: BTreeMap::new() }.run(&receiver))?;
    Ok(sender)
}

struct Host<R> {
    graph: Arc<JobGraph>,
    clock: SharedClock,
    unassigned: Unassigned,
    report: R,
    hosted: BTreeMap<VertexId, Hosted>,
}

impl<R: Fn(JobEvent)> Host<R> {
    fn run(mut self, commands: &mpsc::Receiver<Command>) {
        loop {
            let next = self.hosted.values().filter_map(|hosted| hosted.wake).min();
            let received = match next {
                None => commands.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                Some(at) => commands.recv_timeout(at.saturating_sub(self.clock.monotonic())),
            };
            match received {
                Ok(command) => self.handle(command),
                Err(mpsc::RecvTimeoutError::Timeout) => self.wake(),
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn say(&self, vertex: VertexId, report: EnumeratorReport) {
        let after = self.hosted.get(&vertex).map_or(0, |hosted| hosted.handled);
        (self.report)(JobEvent::Enumerator { vertex, after, report });
    }

    fn handle(&mut self, Command { vertex, number, command }: Command) {
        self.hosted.entry(vertex).or_default().handled = number;
        match command {
            EnumeratorCommand::Create { restored, readers, .. } => self.create(vertex, restored.as_deref(), readers),
            EnumeratorCommand::AddReader { subtask } => self.call(vertex, |enumerator| enumerator.add_reader(subtask)),
            EnumeratorCommand::RequestSplit { subtask } => self.call(vertex, |enumerator| enumerator.request_split(subtask)),
            EnumeratorCommand::AddSplitsBack { subtask, splits } => {
                self.call(vertex, |enumerator| enumerator.add_splits_back(subtask, &splits))
            }
            EnumeratorCommand::Snapshot { checkpoint } => {
                let Some(enumerator) = self.hosted.get_mut(&vertex).and_then(|hosted| hosted.enumerator.as_mut()) else { return };
                let report = match catching(|| enumerator.snapshot(checkpoint)) {
                    Ok(Ok(state)) => EnumeratorReport::Snapshot { checkpoint, state },
                    Ok(Err(error)) => EnumeratorReport::SnapshotFailed { checkpoint, reason: error.to_string() },
                    Err(panic) => EnumeratorReport::SnapshotFailed { checkpoint, reason: format!("panic: {}", panic.message) },
                };
                self.say(vertex, report);
            }
            EnumeratorCommand::CheckpointCompleted(checkpoint) => self.call(vertex, |enumerator| {
                enumerator.checkpoint_completed(checkpoint);
                Ok(Vec::new())
            }),
        }
    }

    fn create(&mut self, vertex: VertexId, restored: Option<&[u8]>, readers: u32) {
        let definition = &self.graph.vertices[vertex.0 as usize];
        let NodeKind::Source(source) = &definition.operators[0].kind else { return };
        let parallelism = if readers == 0 { definition.parallelism } else { readers };
        let context = EnumeratorContext { parallelism, clock: self.clock.clone() };
        let created = catching(|| {
            let enumerator = source.create_enumerator(&context, restored)?;
            let splits = enumerator.unassigned_splits();
            Ok((enumerator, splits))
        });
        let hosted = self.hosted.entry(vertex).or_default();
        (hosted.enumerator, hosted.wake) = (None, None);
        match created {
            Ok(Ok((enumerator, splits))) => {
                hosted.enumerator = Some(enumerator);
                self.unassigned.note(vertex, splits);
            }
            Ok(Err(error)) => self.fail(vertex, Cause::Error(error)),
            Err(panic) => self.fail(vertex, Cause::Panic(panic)),
        }
    }

    fn wake(&mut self) {
        let now = self.clock.monotonic();
        let due: Vec<VertexId> =
            self.hosted.iter().filter(|(_, hosted)| hosted.wake.is_some_and(|at| at <= now)).map(|(vertex, _)| *vertex).collect();
        for vertex in due {
            if let Some(hosted) = self.hosted.get_mut(&vertex) {
                hosted.wake = None;
            }
            self.call(vertex, |enumerator| enumerator.wake());
        }
    }

    fn call(
        &mut self,
        vertex: VertexId,
        call: impl FnOnce(&mut dyn ErasedEnumerator) -> Result<Vec<Assignment<Vec<u8>>>, flott_core::BoxError>,
    ) {
        // An enumerator that failed is not asked again; the job is being ended or restarted.
        let Some(enumerator) = self.hosted.get_mut(&vertex).and_then(|hosted| hosted.enumerator.as_mut()) else { return };
        let called = catching(|| {
            let assignments = call(enumerator.as_mut())?;
            Ok((assignments, enumerator.unassigned_splits()))
        });
        match called {
            Ok(Ok((assignments, splits))) => {
                self.unassigned.note(vertex, splits);
                assignments.into_iter().for_each(|assignment| self.assign(vertex, assignment));
            }
            Ok(Err(error)) => self.fail(vertex, Cause::Error(error)),
            Err(panic) => self.fail(vertex, Cause::Panic(panic)),
        }
    }

    fn assign(&mut self, vertex: VertexId, assignment: Assignment<Vec<u8>>) {
        match assignment {
            Assignment::Splits { subtask, splits } => self.say(vertex, EnumeratorReport::Assign { subtask, splits }),
            Assignment::NoMoreSplits { subtask } => self.say(vertex, EnumeratorReport::NoMoreSplits { subtask }),
            Assignment::WakeAfter(time) => {
                let at = self.clock.monotonic() + time;
                let hosted = self.hosted.entry(vertex).or_default();
                hosted.wake = Some(hosted.wake.map_or(at, |earlier| earlier.min(at)));
            }
        }
    }

    fn fail(&mut self, vertex: VertexId, cause: Cause) {
        if let Some(hosted) = self.hosted.get_mut(&vertex) {
            (hosted.enumerator, hosted.wake) = (None, None);
        }
        self.unassigned.note(vertex, None);
        let (causes, location, panicked, unrecoverable) = match cause {
            Cause::Error(error) => (TaskFailure::causes_of(error.as_ref()), None, false, Unrecoverable::is_in(error.as_ref())),
            Cause::Panic(panic) => (vec![panic.message], panic.location, true, false),
        };
        let definition = &self.graph.vertices[vertex.0 as usize];
        let operator = &definition.operators[0];
        let failure = TaskFailure {
            operator: operator.name.clone(),
            subtask: 0,
            parallelism: 1,
            attempt: 0,
            causes,
            location: location.or_else(|| Some(operator.location.clone())),
            panicked,
            unrecoverable,
        };
        self.say(vertex, EnumeratorReport::Failed(failure));
    }
}

/// Why an enumerator failed.
enum Cause {
    Error(BoxError),
    Panic(CaughtPanic),
}
