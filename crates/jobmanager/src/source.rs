//! What stands between the enumerator of a source and its readers.
//!
//! ```text
//!  enumerator ──Assign──▶ tracker ──▶ reader registered? ──yes──▶ snapshot taken, barrier not sent? ──no──▶ reader
//!                                          │ no                            │ yes
//!                                          ▼                               ▼
//!                               waits for the reader               held until the barrier is sent
//! ```
//! Four hazards are met here:
//! - A split that is assigned after the enumerator's snapshot must not reach its reader before the barrier: it would be in
//!   both their states. It is held back.
//! - A lost reader restarts from checkpoint `c`, but its enumerator goes on. What it was assigned after `c` exists nowhere
//!   else, so the tracker remembers it and it is given back.
//! - The enumerator may speak of a reader before it knows that the reader was lost. Commands are numbered and reports say which
//!   was the last that the enumerator had seen. Splits reach the reader's next attempt; "no more splits" from before the
//!   attempt was announced is void, for there may be splits again.
//! - A reader that was given splits without asking asks twice. If the answers are "no more" and then splits that came back
//!   meanwhile, those would be lost. So the enumerator hears one request of a reader at a time.

use crate::{event::JobAction, execution_graph::ExecutionGraph};
use flott_core::id::{CheckpointId, SubtaskId, VertexId};
use flott_rpc::{
    inventory::{EnumeratorInventory, ReaderInventory},
    status::TaskStatus,
    task::{EnumeratorCommand, TaskCommand},
};
use std::collections::BTreeMap;

/// The splits of readers, by the time of their assignment.
#[derive(Debug, Clone, Default)]
pub(crate) struct SplitAssignmentTracker {
    /// The last checkpoint for which the enumerator has given its state.
    last_snapshot: CheckpointIdOrNone,
    /// Of each reader, in their order.
    assigned: BTreeMap<u32, Vec<Assigned>>,
}

/// Zero stands for "before any".
type CheckpointIdOrNone = u64;

#[derive(Debug, Clone)]
struct Assigned {
    after: CheckpointIdOrNone,
    splits: Vec<Vec<u8>>,
}

impl SplitAssignmentTracker {
    pub(crate) fn assign(&mut self, subtask: u32, splits: &[Vec<u8>]) {
        self.assigned.entry(subtask).or_default().push(Assigned { after: self.last_snapshot, splits: splits.to_vec() });
    }

    /// The enumerator has given its state: what it assigns from now on is not part of it.
    pub(crate) fn snapshot_taken(&mut self, checkpoint: CheckpointId) {
        self.last_snapshot = checkpoint.0;
    }

    /// Assignments from before the snapshot are part of the complete checkpoint now.
    pub(crate) fn completed(&mut self, checkpoint: CheckpointId) {
        self.assigned.retain(|_, assigned| {
            assigned.retain(|assigned| assigned.after >= checkpoint.0);
            !assigned.is_empty()
        });
    }

    /// Takes back what a reader was assigned after the snapshot of the checkpoint from which it restarts.
    pub(crate) fn take_back(&mut self, subtask: u32, restart_from: Option<CheckpointId>) -> Vec<Vec<u8>> {
        let from = restart_from.map_or(0, |checkpoint| checkpoint.0);
        let assigned = self.assigned.remove(&subtask).unwrap_or_default();
        assigned.into_iter().filter(|assigned| assigned.after >= from).flat_map(|assigned| assigned.splits).collect()
    }

    /// What a reader was assigned after the snapshot of a checkpoint, and was not given.
    fn missed(&self, subtask: u32, from: CheckpointIdOrNone, reader: &ReaderInventory) -> Vec<Vec<u8>> {
        let mut given: Vec<&Vec<u8>> = reader.given.iter().filter(|given| given.after >= from).flat_map(|given| &given.splits).collect();
        let assigned = self.assigned.get(&subtask).into_iter().flatten().flat_map(|assigned| &assigned.splits);
        let missed = assigned.filter(|split| match given.iter().position(|given| given == split) {
            Some(place) => {
                given.swap_remove(place);
                false
            }
            None => true,
        });
        missed.cloned().collect()
    }

    fn reset(&mut self, restored: Option<CheckpointId>) {
        self.assigned.clear();
        self.last_snapshot = restored.map_or(0, |checkpoint| checkpoint.0);
    }
}

#[derive(Debug, Clone, Default)]
struct Reader {
    /// The number of the command that announced the attempt that runs.
    announced: Option<u64>,
    /// Splits that came while none ran.
    waiting: Vec<Vec<u8>>,
    /// The number of the request that the enumerator has not answered.
    requested: Option<u64>,
    /// It has asked again since.
    asks_again: bool,
    /// It was told that no more splits come.
    no_more_splits: bool,
}

/// One source: its enumerator and its readers.
#[derive(Debug, Clone)]
pub(crate) struct SourceCoordinator {
    vertex: VertexId,
    /// The number of the last command.
    commands: u64,
    /// The number of the last [`EnumeratorCommand::Create`]; what was said before it was said by another enumerator.
    created: Option<u64>,
    readers: Vec<Reader>,
    tracker: SplitAssignmentTracker,
    /// Whether what the enumerator says has to wait for a barrier.
    holding: bool,
    held: Vec<(u32, TaskCommand)>,
}

impl SourceCoordinator {
    pub(crate) fn new(vertex: VertexId, parallelism: u32) -> Self {
        SourceCoordinator {
            vertex,
            commands: 0,
            created: None,
            readers: vec![Reader::default(); parallelism as usize],
            tracker: SplitAssignmentTracker::default(),
            holding: false,
            held: Vec::new(),
        }
    }

    /// Tells the enumerator something.
    pub(crate) fn command(&mut self, command: EnumeratorCommand, out: &mut Vec<JobAction>) -> u64 {
        self.commands += 1;
        out.push(JobAction::Enumerator { vertex: self.vertex, number: self.commands, command });
        self.commands
    }

    /// There are so many readers from now on. The enumerator is not heard until it was made anew.
    pub(crate) fn rescale(&mut self, parallelism: u32) {
        self.created = None;
        self.readers = vec![Reader::default(); parallelism as usize];
        self.holding = false;
        self.held.clear();
    }

    /// Makes the enumerator anew, from the state that it had at `checkpoint`.
    pub(crate) fn create(&mut self, checkpoint: Option<CheckpointId>, state: Option<Vec<u8>>, out: &mut Vec<JobAction>) {
        let readers = self.readers.len() as u32;
        self.created = Some(self.command(EnumeratorCommand::Create { checkpoint, restored: state, readers }, out));
        self.tracker.reset(checkpoint);
        self.holding = false;
        self.held.clear();
        self.readers.iter_mut().for_each(|reader| *reader = Reader::default());
    }

    /// The number of the command that made the enumerator; 0: none has been made.
    pub(crate) fn enumerator(&self) -> u64 {
        self.created.unwrap_or(0)
    }

    /// Numbers commands above `last`.
    pub(crate) fn continue_above(&mut self, last: u64) {
        self.commands = self.commands.max(last);
    }

    /// Goes on with an enumerator that lives in a worker: `readers` tell, by subtask, what they were given. Readers that run get what
    /// was assigned to them and never came; those that have not asked in vain are announced again, as after a restart.
    pub(crate) fn adopt(
        &mut self,
        found: &EnumeratorInventory,
        readers: &[ReaderInventory],
        complete: Option<CheckpointId>,
        graph: &ExecutionGraph,
        out: &mut Vec<JobAction>,
    ) {
        let from = complete.map_or(0, |checkpoint| checkpoint.0);
        self.continue_above(found.last_command);
        self.created = Some(found.created);
        self.tracker.last_snapshot = found.last_snapshot;
        self.tracker.assigned.clear();
        for assigned in found.assigned.iter().filter(|assigned| assigned.after >= from) {
            let of_reader = self.tracker.assigned.entry(assigned.subtask).or_default();
            of_reader.push(Assigned { after: assigned.after, splits: assigned.splits.clone() });
        }
        for (subtask, reader) in readers.iter().enumerate() {
            let task = &graph.of_vertex(self.vertex)[subtask];
            let subtask = subtask as u32;
            if task.restored_finished || !matches!(task.status, TaskStatus::Deploying | TaskStatus::Running) {
                continue;
            }
            let missed = self.tracker.missed(subtask, from, reader);
            if task.status == TaskStatus::Deploying {
                self.readers[subtask as usize].waiting = missed;
                continue;
            }
            self.readers[subtask as usize].no_more_splits = reader.no_more_splits;
            self.readers[subtask as usize].waiting = missed;
            let answered = !self.readers[subtask as usize].waiting.is_empty();
            self.reader_runs(subtask, graph, out);
            if reader.asked && !answered {
                self.request_split(subtask, out);
            }
        }
        if let Some(complete) = complete {
            self.command(EnumeratorCommand::CheckpointCompleted(complete), out);
        }
    }

    /// Whether a report was made by the present enumerator.
    pub(crate) fn is_current(&self, after: u64) -> bool {
        self.created.is_some_and(|created| after >= created)
    }

    /// A reader runs: its enumerator learns of it, and it gets what has waited for it.
    pub(crate) fn reader_runs(&mut self, subtask: u32, graph: &ExecutionGraph, out: &mut Vec<JobAction>) {
        let number = self.command(EnumeratorCommand::AddReader { subtask }, out);
        let reader = &mut self.readers[subtask as usize];
        reader.announced = Some(number);
        let waiting = std::mem::take(&mut reader.waiting);
        if !waiting.is_empty() {
            self.deliver(subtask, TaskCommand::AddSplits(waiting), graph, out);
        }
    }

    /// A reader wants a split.
    pub(crate) fn request_split(&mut self, subtask: u32, out: &mut Vec<JobAction>) {
        let reader = &self.readers[subtask as usize];
        if reader.announced.is_none() || reader.no_more_splits {
            return;
        }
        if reader.requested.is_some() {
            self.readers[subtask as usize].asks_again = true;
        } else {
            let number = self.command(EnumeratorCommand::RequestSplit { subtask }, out);
            self.readers[subtask as usize].requested = Some(number);
        }
    }

    /// A reader is gone. What was on its way to it is in the tracker.
    pub(crate) fn reader_lost(&mut self, subtask: u32) {
        self.readers[subtask as usize] = Reader::default();
        self.held.retain(|(reader, _)| *reader != subtask);
    }

    /// A reader is about to be started again from a checkpoint, while others go on: the enumerator gets back what is not in it.
    pub(crate) fn restart_reader(&mut self, subtask: u32, from: Option<CheckpointId>, out: &mut Vec<JobAction>) {
        self.reader_lost(subtask);
        let splits = self.tracker.take_back(subtask, from);
        if !splits.is_empty() {
            self.command(EnumeratorCommand::AddSplitsBack { subtask, splits }, out);
        }
    }

    /// The enumerator assigns splits. `false` if there is no such reader, or it ends: the splits would be lost.
    pub(crate) fn assign(
        &mut self,
        subtask: u32,
        splits: Vec<Vec<u8>>,
        after: u64,
        graph: &ExecutionGraph,
        out: &mut Vec<JobAction>,
    ) -> bool {
        let Some(reader) = self.readers.get_mut(subtask as usize) else { return false };
        let Some(task) = graph.place(SubtaskId { vertex: self.vertex, index: subtask }).map(|place| graph.task(place)) else {
            return false;
        };
        if reader.no_more_splits || task.is_finished() || task.alive().is_some() && (task.end_of_data || task.restored_finished) {
            return false;
        }
        self.tracker.assign(subtask, &splits);
        if reader.announced.is_none() {
            reader.waiting.extend(splits);
            return true;
        }
        let answers = reader.requested.take_if(|number| after >= *number).is_some();
        let asks_again = answers && std::mem::take(&mut reader.asks_again);
        self.deliver(subtask, TaskCommand::AddSplits(splits), graph, out);
        if asks_again {
            self.request_split(subtask, out);
        }
        true
    }

    /// The enumerator has no more splits for a reader.
    pub(crate) fn no_more_splits(&mut self, subtask: u32, after: u64, graph: &ExecutionGraph, out: &mut Vec<JobAction>) {
        let Some(reader) = self.readers.get_mut(subtask as usize) else { return };
        if reader.announced.is_some_and(|announced| after >= announced) && !reader.no_more_splits {
            reader.no_more_splits = true;
            self.deliver(subtask, TaskCommand::NoMoreSplits, graph, out);
        }
    }

    /// The enumerator has given its state: from now on its readers hear nothing until the barrier is on its way.
    pub(crate) fn hold(&mut self, checkpoint: CheckpointId) {
        self.tracker.snapshot_taken(checkpoint);
        self.holding = true;
    }

    /// The barrier is on its way, or will never be.
    pub(crate) fn release(&mut self, graph: &ExecutionGraph, out: &mut Vec<JobAction>) {
        self.holding = false;
        for (subtask, command) in std::mem::take(&mut self.held) {
            self.deliver(subtask, command, graph, out);
        }
    }

    pub(crate) fn completed(&mut self, checkpoint: CheckpointId, out: &mut Vec<JobAction>) {
        self.tracker.completed(checkpoint);
        self.command(EnumeratorCommand::CheckpointCompleted(checkpoint), out);
    }

    fn deliver(&mut self, subtask: u32, command: TaskCommand, graph: &ExecutionGraph, out: &mut Vec<JobAction>) {
        if self.holding {
            self.held.push((subtask, command));
        } else {
            let task = graph.place(SubtaskId { vertex: self.vertex, index: subtask }).map(|place| graph.task(place));
            // A reader that is being ended takes nothing; if it is started again, the tracker knows.
            if let Some(attempt) = task.and_then(|task| task.running()) {
                out.push(JobAction::Send(attempt, command));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topology;
    use std::sync::Arc;

    /// The enumerator has heard everything.
    const NOW: u64 = u64::MAX;

    fn running() -> ExecutionGraph {
        let mut graph = ExecutionGraph::new(Arc::new(topology(&[2], &[])));
        for place in 0..2 {
            graph.task_mut(place).attempt = Some(0);
            graph.task_mut(place).status = TaskStatus::Running;
        }
        graph
    }

    fn split(name: &str) -> Vec<Vec<u8>> {
        vec![name.as_bytes().to_vec()]
    }

    /// The actions, shortened: `1: AddSplits [a]` goes to reader 1, `e: …` to the enumerator.
    fn shown(out: &mut Vec<JobAction>) -> Vec<String> {
        let text =
            |splits: &[Vec<u8>]| splits.iter().map(|split| String::from_utf8_lossy(split).into_owned()).collect::<Vec<_>>().join(" ");
        let show = |action| match action {
            JobAction::Send(attempt, TaskCommand::AddSplits(splits)) => format!("{}: splits {}", attempt.subtask.index, text(&splits)),
            JobAction::Send(attempt, command) => format!("{}: {command:?}", attempt.subtask.index),
            JobAction::Enumerator { command: EnumeratorCommand::AddSplitsBack { subtask, splits }, .. } => {
                format!("e: {subtask} back {}", text(&splits))
            }
            JobAction::Enumerator { command, .. } => format!("e: {command:?}"),
            other => format!("{other:?}"),
        };
        out.drain(..).map(show).collect()
    }

    fn started(graph: &ExecutionGraph) -> (SourceCoordinator, Vec<JobAction>) {
        let mut source = SourceCoordinator::new(VertexId(0), 2);
        let mut out = Vec::new();
        source.create(None, None, &mut out);
        for subtask in 0..2 {
            source.reader_runs(subtask, graph, &mut out);
        }
        out.clear();
        (source, out)
    }

    #[test]
    fn what_is_assigned_between_snapshot_and_barrier_is_sent_after_the_barrier_in_its_order() {
        let graph = running();
        let (mut source, mut out) = started(&graph);
        source.hold(CheckpointId(1));
        assert!(source.assign(0, split("a"), NOW, &graph, &mut out));
        source.no_more_splits(0, 3, &graph, &mut out);
        assert_eq!(shown(&mut out), [""; 0]);
        source.release(&graph, &mut out);
        assert_eq!(shown(&mut out), ["0: splits a", "0: NoMoreSplits"]);
    }

    #[test]
    fn a_restarted_reader_gives_back_what_came_after_its_checkpoint_and_nothing_else() {
        let graph = running();
        let (mut source, mut out) = started(&graph);
        source.assign(0, split("before"), NOW, &graph, &mut out);
        source.hold(CheckpointId(4));
        source.assign(0, split("held"), NOW, &graph, &mut out);
        source.assign(1, split("other"), NOW, &graph, &mut out);
        source.release(&graph, &mut out);
        source.completed(CheckpointId(4), &mut out);
        assert_eq!(source.tracker.assigned.values().map(Vec::len).sum::<usize>(), 2, "what is part of the checkpoint is forgotten");
        source.assign(0, split("after"), NOW, &graph, &mut out);
        out.clear();
        source.reader_lost(0);
        source.restart_reader(0, Some(CheckpointId(4)), &mut out);
        assert_eq!(shown(&mut out), ["e: 0 back held after"]);
        source.restart_reader(0, Some(CheckpointId(4)), &mut out);
        assert_eq!(shown(&mut out), [""; 0], "given back once");
    }

    #[test]
    fn an_aborted_snapshot_does_not_hide_assignments() {
        let graph = running();
        let (mut source, mut out) = started(&graph);
        source.assign(0, split("a"), NOW, &graph, &mut out);
        source.hold(CheckpointId(1));
        source.release(&graph, &mut out);
        source.assign(0, split("b"), NOW, &graph, &mut out);
        out.clear();
        source.restart_reader(0, None, &mut out);
        assert_eq!(shown(&mut out), ["e: 0 back a b"]);
    }

    #[test]
    fn held_splits_of_a_lost_reader_are_not_sent_as_well_as_given_back() {
        let graph = running();
        let (mut source, mut out) = started(&graph);
        source.hold(CheckpointId(1));
        source.assign(0, split("a"), NOW, &graph, &mut out);
        source.reader_lost(0);
        source.release(&graph, &mut out);
        source.restart_reader(0, None, &mut out);
        assert_eq!(shown(&mut out), ["e: 0 back a"]);
    }

    #[test]
    fn the_end_of_splits_that_was_said_to_an_earlier_attempt_is_void_but_splits_are_not() {
        let graph = running();
        let (mut source, mut out) = started(&graph);
        source.restart_reader(0, None, &mut out);
        assert!(source.assign(0, split("late"), NOW, &graph, &mut out));
        source.reader_runs(0, &graph, &mut out);
        source.no_more_splits(0, 3, &graph, &mut out);
        assert_eq!(shown(&mut out), ["e: AddReader { subtask: 0 }", "0: splits late"]);
        source.no_more_splits(0, 4, &graph, &mut out);
        assert_eq!(shown(&mut out), ["0: NoMoreSplits"]);
    }

    #[test]
    fn an_enumerator_that_was_replaced_is_not_heard() {
        let graph = running();
        let (mut source, mut out) = started(&graph);
        assert!(source.is_current(3) && source.is_current(1));
        source.create(Some(CheckpointId(2)), Some(vec![1]), &mut out);
        assert!(!source.is_current(3));
        assert!(source.is_current(4));
    }

    #[test]
    fn splits_for_a_reader_that_has_ended_are_refused() {
        let mut graph = running();
        let (mut source, mut out) = started(&graph);
        graph.task_mut(1).end_of_data = true;
        assert!(!source.assign(1, split("a"), NOW, &graph, &mut out));
        assert!(!source.assign(2, split("a"), NOW, &graph, &mut out));
    }

    #[test]
    fn the_enumerator_hears_one_request_of_a_reader_at_a_time() {
        let graph = running();
        let (mut source, mut out) = started(&graph);
        source.request_split(0, &mut out);
        source.request_split(0, &mut out);
        assert_eq!(shown(&mut out), ["e: RequestSplit { subtask: 0 }"]);
        source.assign(0, split("unasked"), 3, &graph, &mut out);
        assert_eq!(shown(&mut out), ["0: splits unasked"]);
        source.assign(0, split("a"), 4, &graph, &mut out);
        assert_eq!(shown(&mut out), ["0: splits a", "e: RequestSplit { subtask: 0 }"]);
        source.no_more_splits(0, 5, &graph, &mut out);
        source.request_split(0, &mut out);
        assert_eq!(shown(&mut out), ["0: NoMoreSplits"]);
        assert!(!source.assign(0, split("lost"), NOW, &graph, &mut out), "nobody would read it");
    }
}
