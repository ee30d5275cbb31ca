//! Hosts the enumerators of a JobMaster's sources, as the production shell does on a thread.

use crate::{
    master::Link,
    plant::Plant,
    sim::{Seen, Term},
    tamper,
    world::{Happening, World},
};
use flott_core::{
    BoxError,
    error::TaskFailure,
    id::VertexId,
    source::{Assignment, EnumeratorContext, ErasedEnumerator},
};
use flott_graph::NodeKind;
use flott_jobmanager::JobEvent;
use flott_rpc::task::{EnumeratorCommand, EnumeratorReport, TaskCommand};
use flott_runtime::panics::catching;
use std::sync::Arc;

/// An enumerator and what is known of it.
#[derive(Default)]
pub(crate) struct Host {
    enumerator: Option<Box<dyn ErasedEnumerator>>,
    /// The number of the last command that it has handled.
    handled: u64,
    /// Counts enumerators, so that wakes of an earlier one do nothing.
    made: u64,
}

impl World {
    /// The host of an enumerator is gone: what it is told comes to nothing until another is made.
    pub(crate) fn enumerator_dies(&mut self, term: Term, vertex: VertexId) {
        let Some(host) = self.masters.get_mut(&term).and_then(|master| master.hosts.get_mut(&vertex)) else { return };
        if host.enumerator.take().is_some() {
            self.sim.saw(Seen::EnumeratorLost);
            self.sim.trace(format_args!("{term} loses the enumerator of {vertex}"));
            let event = JobEvent::EnumeratorLost { vertex, reason: "its process is gone".to_owned() };
            self.over(term, Link::FromEnumerator(vertex), Happening::ToMaster(term, event));
        }
    }

    pub(crate) fn enumerator_commanded(&mut self, term: Term, vertex: VertexId, number: u64, command: EnumeratorCommand) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        self.sim.trace(format_args!("{term} enumerator {vertex} #{number} {}", tamper::short(&command)));
        master.hosts.entry(vertex).or_default().handled = number;
        match command {
            EnumeratorCommand::Create { restored, readers, .. } => self.create_enumerator(term, vertex, restored.as_deref(), readers),
            EnumeratorCommand::AddReader { subtask } => self.call(term, vertex, |enumerator| enumerator.add_reader(subtask)),
            EnumeratorCommand::RequestSplit { subtask } => self.call(term, vertex, |enumerator| enumerator.request_split(subtask)),
            EnumeratorCommand::AddSplitsBack { subtask, splits } => {
                self.call(term, vertex, |enumerator| enumerator.add_splits_back(subtask, &splits))
            }
            EnumeratorCommand::Snapshot { checkpoint } => {
                let Some(enumerator) = master.hosts.get_mut(&vertex).and_then(|host| host.enumerator.as_mut()) else { return };
                let report = match enumerator.snapshot(checkpoint) {
                    Ok(state) => {
                        master.tamper.early_splits = true;
                        let last = master.tamper.enumerators.insert(vertex, state.clone());
                        let state = last.filter(|_| self.sim.planted(Plant::StaleEnumerator)).unwrap_or(state);
                        EnumeratorReport::Snapshot { checkpoint, state }
                    }
                    Err(error) => EnumeratorReport::SnapshotFailed { checkpoint, reason: error.to_string() },
                };
                self.say(term, vertex, report);
            }
            EnumeratorCommand::CheckpointCompleted(checkpoint) => self.call(term, vertex, |enumerator| {
                enumerator.checkpoint_completed(checkpoint);
                Ok(Vec::new())
            }),
        }
    }

    fn create_enumerator(&mut self, term: Term, vertex: VertexId, restored: Option<&[u8]>, readers: u32) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        let definition = &master.graph.vertices[vertex.0 as usize];
        let NodeKind::Source(source) = &definition.operators[0].kind else { return };
        let context = EnumeratorContext { parallelism: readers, clock: Arc::new(self.sim.clock.clone()) };
        let created = source.create_enumerator(&context, restored);
        let host = master.hosts.entry(vertex).or_default();
        host.made += 1;
        host.enumerator = None;
        match created {
            Ok(enumerator) => host.enumerator = Some(enumerator),
            Err(error) => self.enumerator_fails(term, vertex, error.to_string()),
        }
    }

    pub(crate) fn enumerator_wakes(&mut self, term: Term, vertex: VertexId, made: u64) {
        let host = self.masters.get(&term).and_then(|master| master.hosts.get(&vertex));
        if host.is_some_and(|host| host.made == made) {
            self.call(term, vertex, |enumerator| enumerator.wake());
        }
    }

    fn call(
        &mut self,
        term: Term,
        vertex: VertexId,
        call: impl FnOnce(&mut dyn ErasedEnumerator) -> Result<Vec<Assignment<Vec<u8>>>, BoxError>,
    ) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        let Some(enumerator) = master.hosts.get_mut(&vertex).and_then(|host| host.enumerator.as_mut()) else { return };
        match catching(|| call(enumerator.as_mut())) {
            Ok(Ok(assignments)) => assignments.into_iter().for_each(|assignment| self.assign(term, vertex, assignment)),
            Ok(Err(error)) => self.enumerator_fails(term, vertex, error.to_string()),
            Err(panic) => self.enumerator_fails(term, vertex, panic.message),
        }
    }

    fn assign(&mut self, term: Term, vertex: VertexId, assignment: Assignment<Vec<u8>>) {
        match assignment {
            Assignment::Splits { subtask, splits } => {
                if self.sim.planted(Plant::AssignNotHeld) {
                    // The reader may have it before the barrier.
                    let Some(master) = self.masters.get(&term) else { return };
                    let reader =
                        master.attempts.keys().find(|attempt| attempt.subtask.vertex == vertex && attempt.subtask.index == subtask);
                    if let Some(reader) = reader.copied().filter(|_| master.tamper.early_splits) {
                        return self.send_now(term, reader, TaskCommand::AddSplits(splits));
                    }
                }
                self.say(term, vertex, EnumeratorReport::Assign { subtask, splits });
            }
            Assignment::NoMoreSplits { subtask } => self.say(term, vertex, EnumeratorReport::NoMoreSplits { subtask }),
            Assignment::WakeAfter(time) => {
                let made = self.masters.get(&term).and_then(|master| master.hosts.get(&vertex)).map_or(0, |host| host.made);
                let at = self.sim.clock.now() + time;
                self.at(at, Happening::EnumeratorWakes(term, vertex, made));
            }
        }
    }

    fn enumerator_fails(&mut self, term: Term, vertex: VertexId, reason: String) {
        if let Some(host) = self.masters.get_mut(&term).and_then(|master| master.hosts.get_mut(&vertex)) {
            host.enumerator = None;
        }
        let failure = TaskFailure {
            operator: format!("enumerator of {vertex}"),
            subtask: 0,
            parallelism: 1,
            attempt: 0,
            causes: vec![reason],
            location: None,
            panicked: false,
            unrecoverable: false,
        };
        self.say(term, vertex, EnumeratorReport::Failed(failure));
    }

    fn say(&mut self, term: Term, vertex: VertexId, report: EnumeratorReport) {
        let Some(master) = self.masters.get(&term) else { return };
        let after = master.hosts.get(&vertex).map_or(0, |host| host.handled);
        self.over(term, Link::FromEnumerator(vertex), Happening::ToMaster(term, JobEvent::Enumerator { vertex, after, report }));
    }
}
