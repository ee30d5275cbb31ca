//! Hosts the enumerators of a JobMaster's sources, as the production shell does on a thread.

use crate::{
    master::Link,
    plant::Plant,
    sim::{Seen, Sim, Term},
    tamper,
    world::{Happening, World},
};
use flott_core::{
    BoxError,
    error::TaskFailure,
    id::VertexId,
    source::{Assignment, EnumeratorContext, ErasedEnumerator},
};
use flott_graph::{JobGraph, NodeKind};
use flott_jobmanager::JobEvent;
use flott_rpc::task::{EnumeratorCommand, EnumeratorReport, TaskCommand};
use flott_runtime::panics::catching;
use std::{sync::Arc, time::Duration};

/// An enumerator and what is known of it.
#[derive(Default)]
pub(crate) struct Host {
    enumerator: Option<Box<dyn ErasedEnumerator>>,
    /// The number of the last command that it has handled.
    pub(crate) handled: u64,
    /// Counts enumerators, so that wakes of an earlier one do nothing.
    pub(crate) made: u64,
}

/// What an enumerator wants.
pub(crate) enum Wish {
    Say(EnumeratorReport),
    WakeAfter(Duration),
}

impl Host {
    /// Does what it is told, and gives what comes of it.
    pub(crate) fn handle(
        &mut self,
        sim: &Arc<Sim>,
        graph: &JobGraph,
        vertex: VertexId,
        number: u64,
        command: EnumeratorCommand,
    ) -> Vec<Wish> {
        self.handled = number;
        match command {
            EnumeratorCommand::Create { restored, readers, .. } => self.create(sim, graph, vertex, restored.as_deref(), readers),
            EnumeratorCommand::AddReader { subtask } => self.call(vertex, |enumerator| enumerator.add_reader(subtask)),
            EnumeratorCommand::RequestSplit { subtask } => self.call(vertex, |enumerator| enumerator.request_split(subtask)),
            EnumeratorCommand::AddSplitsBack { subtask, splits } => {
                self.call(vertex, |enumerator| enumerator.add_splits_back(subtask, &splits))
            }
            EnumeratorCommand::Snapshot { checkpoint } => {
                let Some(enumerator) = &mut self.enumerator else { return Vec::new() };
                vec![Wish::Say(match enumerator.snapshot(checkpoint) {
                    Ok(state) => EnumeratorReport::Snapshot { checkpoint, state },
                    Err(error) => EnumeratorReport::SnapshotFailed { checkpoint, reason: error.to_string() },
                })]
            }
            EnumeratorCommand::CheckpointCompleted(checkpoint) => self.call(vertex, |enumerator| {
                enumerator.checkpoint_completed(checkpoint);
                Ok(Vec::new())
            }),
        }
    }

    /// The time has come that it wanted to be woken at.
    pub(crate) fn wake(&mut self, vertex: VertexId) -> Vec<Wish> {
        self.call(vertex, |enumerator| enumerator.wake())
    }

    fn create(&mut self, sim: &Arc<Sim>, graph: &JobGraph, vertex: VertexId, restored: Option<&[u8]>, readers: u32) -> Vec<Wish> {
        let definition = &graph.vertices[vertex.0 as usize];
        let NodeKind::Source(source) = &definition.operators[0].kind else { return Vec::new() };
        let context = EnumeratorContext { parallelism: readers, clock: Arc::new(sim.clock.clone()) };
        self.made += 1;
        self.enumerator = None;
        match source.create_enumerator(&context, restored) {
            Ok(enumerator) => {
                self.enumerator = Some(enumerator);
                Vec::new()
            }
            Err(error) => self.fail(vertex, error.to_string()),
        }
    }

    fn call(
        &mut self,
        vertex: VertexId,
        call: impl FnOnce(&mut dyn ErasedEnumerator) -> Result<Vec<Assignment<Vec<u8>>>, BoxError>,
    ) -> Vec<Wish> {
        let Some(enumerator) = &mut self.enumerator else { return Vec::new() };
        let wish = |assignment| match assignment {
            Assignment::Splits { subtask, splits } => Wish::Say(EnumeratorReport::Assign { subtask, splits }),
            Assignment::NoMoreSplits { subtask } => Wish::Say(EnumeratorReport::NoMoreSplits { subtask }),
            Assignment::WakeAfter(time) => Wish::WakeAfter(time),
        };
        match catching(|| call(enumerator.as_mut())) {
            Ok(Ok(assignments)) => assignments.into_iter().map(wish).collect(),
            Ok(Err(error)) => self.fail(vertex, error.to_string()),
            Err(panic) => self.fail(vertex, panic.message),
        }
    }

    fn fail(&mut self, vertex: VertexId, reason: String) -> Vec<Wish> {
        self.enumerator = None;
        vec![Wish::Say(EnumeratorReport::Failed(TaskFailure::without_task(format!("enumerator of {vertex}"), reason)))]
    }
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
        let wishes = master.hosts.entry(vertex).or_default().handle(&self.sim, &master.graph, vertex, number, command);
        self.grant_wishes(term, vertex, wishes);
    }

    pub(crate) fn enumerator_wakes(&mut self, term: Term, vertex: VertexId, made: u64) {
        let host = self.masters.get_mut(&term).and_then(|master| master.hosts.get_mut(&vertex));
        if let Some(host) = host.filter(|host| host.made == made) {
            let wishes = host.wake(vertex);
            self.grant_wishes(term, vertex, wishes);
        }
    }

    fn grant_wishes(&mut self, term: Term, vertex: VertexId, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Say(EnumeratorReport::Assign { subtask, splits }) => self.assign(term, vertex, subtask, splits),
                Wish::Say(report) => self.say(term, vertex, report),
                Wish::WakeAfter(time) => {
                    let made = self.masters.get(&term).and_then(|master| master.hosts.get(&vertex)).map_or(0, |host| host.made);
                    let at = self.sim.clock.now() + time;
                    self.at(at, Happening::EnumeratorWakes(term, vertex, made));
                }
            }
        }
    }

    fn assign(&mut self, term: Term, vertex: VertexId, subtask: u32, splits: Vec<Vec<u8>>) {
        if self.sim.planted(Plant::AssignNotHeld) {
            // The reader may have it before the barrier.
            let Some(master) = self.masters.get(&term) else { return };
            let reader = master.attempts.keys().find(|attempt| attempt.subtask.vertex == vertex && attempt.subtask.index == subtask);
            if let Some(reader) = reader.copied().filter(|_| master.tamper.early_splits) {
                return self.send_now(term, reader, TaskCommand::AddSplits(splits));
            }
        }
        self.say(term, vertex, EnumeratorReport::Assign { subtask, splits });
    }

    fn say(&mut self, term: Term, vertex: VertexId, mut report: EnumeratorReport) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        if let EnumeratorReport::Snapshot { state, .. } = &mut report {
            master.tamper.early_splits = true;
            let last = master.tamper.enumerators.insert(vertex, state.clone());
            if let Some(last) = last.filter(|_| self.sim.planted(Plant::StaleEnumerator)) {
                *state = last;
            }
        }
        let after = master.hosts.get(&vertex).map_or(0, |host| host.handled);
        self.over(term, Link::FromEnumerator(vertex), Happening::ToMaster(term, JobEvent::Enumerator { vertex, after, report }));
    }
}
