//! The execution graph: one task for each subtask, with the state of its newest attempt.
//!
//! ```text
//!  Created ──▶ Scheduled ──▶ Deploying ──▶ Running ─────────▶ Finished
//!   ▲                            │            │ end of data,
//!   │                            ▼            ▼ released
//!   └─(next attempt)───────── Canceling ──▶ Canceled, Failed
//! ```
//! A task at the end of its data is Running until the checkpoint that holds its final state is complete (then it is
//! *released*: it commits and finishes).

use crate::regions::Regions;
use flott_core::{
    accumulator::AccumulatorValue,
    id::{AttemptId, CheckpointId, SubtaskId, VertexId},
    snapshot::SubtaskSnapshot,
};
use flott_graph::JobTopology;
use flott_rpc::status::TaskStatus;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut, Range},
    sync::Arc,
};

/// A subtask and its newest attempt.
#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) subtask: SubtaskId,
    /// The number of the newest attempt; of none if it was never deployed.
    pub(crate) attempt: Option<u32>,
    /// The next attempt has a number above this one, too: there may be others that nobody has heard of.
    pub(crate) attempt_above: Option<u32>,
    pub(crate) status: TaskStatus,
    pub(crate) slot: Option<u32>,
    /// The snapshot that it was started from.
    pub(crate) restored_from: Option<CheckpointId>,
    /// All input has ended, the operators have finished.
    pub(crate) end_of_data: bool,
    /// It was told that the checkpoint with its final state is complete.
    pub(crate) released: bool,
    /// Its final state, from a complete checkpoint.
    pub(crate) final_snapshot: Option<Arc<SubtaskSnapshot>>,
    /// It was deployed as finished: its operators are not run.
    pub(crate) restored_finished: bool,
    pub(crate) accumulators: BTreeMap<String, AccumulatorValue>,
}

impl Execution {
    /// The newest attempt, if there is one.
    pub(crate) fn current(&self) -> Option<AttemptId> {
        self.attempt.map(|attempt| AttemptId { subtask: self.subtask, attempt })
    }

    /// The newest attempt, if it may still be somewhere.
    pub(crate) fn alive(&self) -> Option<AttemptId> {
        let alive = matches!(self.status, TaskStatus::Deploying | TaskStatus::Initializing | TaskStatus::Running | TaskStatus::Canceling);
        self.current().filter(|_| alive)
    }

    /// The newest attempt, if it works and may be told things.
    pub(crate) fn running(&self) -> Option<AttemptId> {
        self.current().filter(|_| self.status == TaskStatus::Running)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.status == TaskStatus::Finished
    }

    /// Whether it has finished, or its data have ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_finished() || self.end_of_data
    }

    fn standing(&self) -> Tally {
        let one = |holds: bool| usize::from(holds);
        Tally {
            alive: one(self.alive().is_some()),
            running: one(self.status == TaskStatus::Running),
            finished: one(self.is_finished()),
            ended: one(self.has_ended()),
            waiting: one(self.waits_for_its_end()),
        }
    }

    /// Whether it is at the end of its data and has not been told that its final state is stored.
    pub(crate) fn waits_for_its_end(&self) -> bool {
        self.end_of_data && !self.released && self.running().is_some()
    }
}

/// How many tasks stand how: kept, not counted, since each event asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    alive: usize,
    running: usize,
    finished: usize,
    ended: usize,
    waiting: usize,
}

impl Tally {
    fn change(&mut self, before: &Tally, after: &Tally) {
        let apply = |count: &mut usize, before: usize, after: usize| *count = *count + after - before;
        apply(&mut self.alive, before.alive, after.alive);
        apply(&mut self.running, before.running, after.running);
        apply(&mut self.finished, before.finished, after.finished);
        apply(&mut self.ended, before.ended, after.ended);
        apply(&mut self.waiting, before.waiting, after.waiting);
    }
}

/// A task that may be changed; the tallies follow when this is dropped.
pub(crate) struct ExecutionMut<'a> {
    graph: &'a mut ExecutionGraph,
    place: usize,
    before: Tally,
}

impl Deref for ExecutionMut<'_> {
    type Target = Execution;

    fn deref(&self) -> &Execution {
        &self.graph.tasks[self.place]
    }
}

impl DerefMut for ExecutionMut<'_> {
    fn deref_mut(&mut self) -> &mut Execution {
        &mut self.graph.tasks[self.place]
    }
}

impl Drop for ExecutionMut<'_> {
    fn drop(&mut self) {
        let after = self.graph.tasks[self.place].standing();
        self.graph.stands(self.place, &self.before, &after);
    }
}

/// All tasks of a job.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionGraph {
    topology: Arc<JobTopology>,
    first_of: Vec<usize>,
    tasks: Vec<Execution>,
    regions: Regions,
    tally: Tally,
    /// The same of each region.
    tally_of_region: Vec<Tally>,
    /// The regions of which all tasks have ended and some wait to be told so.
    waiting_regions: BTreeSet<usize>,
    /// For each pointwise edge, the sending subtasks of each receiving one.
    origins: Vec<Option<Vec<Range<u32>>>>,
}

impl ExecutionGraph {
    /// The graph of a job of which nothing runs.
    pub(crate) fn new(topology: Arc<JobTopology>) -> Self {
        let mut tasks = Vec::new();
        let mut first_of = Vec::new();
        for (number, vertex) in topology.vertices.iter().enumerate() {
            first_of.push(tasks.len());
            tasks.extend((0..vertex.parallelism).map(|index| Execution {
                subtask: SubtaskId { vertex: VertexId(number as u32), index },
                attempt: None,
                attempt_above: None,
                status: TaskStatus::Created,
                slot: None,
                restored_from: None,
                end_of_data: false,
                released: false,
                final_snapshot: None,
                restored_finished: false,
                accumulators: BTreeMap::new(),
            }));
        }
        let regions = Regions::of(&topology, &first_of, tasks.len());
        let origins = topology.edges.iter().map(|edge| {
            let (senders, receivers) = (topology.vertex(edge.from).parallelism, topology.vertex(edge.to).parallelism);
            edge.kind.is_pointwise().then(|| {
                let mut origins = vec![0..0; receivers as usize];
                for sender in 0..senders {
                    for receiver in edge.targets(sender, senders, receivers) {
                        let range: &mut Range<u32> = &mut origins[receiver as usize];
                        *range = if range.start == range.end { sender..sender + 1 } else { range.start..sender + 1 };
                    }
                }
                origins
            })
        });
        let origins = origins.collect();
        let (tally, tally_of_region) = (Tally::default(), vec![Tally::default(); regions.len()]);
        ExecutionGraph { topology, first_of, tasks, regions, tally, tally_of_region, waiting_regions: BTreeSet::new(), origins }
    }

    /// The graph with another parallelism, of which nothing runs. Attempts are numbered on above all that there were.
    pub(crate) fn rescaled(&self, topology: Arc<JobTopology>) -> Self {
        let last = self.tasks.iter().filter_map(|task| task.attempt.max(task.attempt_above)).max();
        let mut graph = Self::new(topology);
        graph.tasks.iter_mut().for_each(|task| task.attempt = last);
        graph
    }

    pub(crate) fn topology(&self) -> &Arc<JobTopology> {
        &self.topology
    }

    pub(crate) fn regions(&self) -> &Regions {
        &self.regions
    }

    pub(crate) fn tasks(&self) -> &[Execution] {
        #[cfg(test)]
        crate::scale::looked_at(self.tasks.len());
        &self.tasks
    }

    pub(crate) fn task(&self, place: usize) -> &Execution {
        #[cfg(test)]
        crate::scale::looked_at(1);
        &self.tasks[place]
    }

    pub(crate) fn task_mut(&mut self, place: usize) -> ExecutionMut<'_> {
        #[cfg(test)]
        crate::scale::looked_at(1);
        let before = self.tasks[place].standing();
        ExecutionMut { graph: self, place, before }
    }

    fn stands(&mut self, place: usize, before: &Tally, after: &Tally) {
        if before == after {
            return;
        }
        let region = self.regions.of_task(place);
        self.tally.change(before, after);
        let tally = &mut self.tally_of_region[region];
        tally.change(before, after);
        if tally.waiting > 0 && tally.ended == self.regions.tasks(region).len() {
            self.waiting_regions.insert(region);
        } else {
            self.waiting_regions.remove(&region);
        }
    }

    /// The tasks of a vertex.
    pub(crate) fn of_vertex(&self, vertex: VertexId) -> &[Execution] {
        let first = self.first_of[vertex.0 as usize];
        let tasks = &self.tasks[first..first + self.topology.vertex(vertex).parallelism as usize];
        #[cfg(test)]
        crate::scale::looked_at(tasks.len());
        tasks
    }

    /// The place of a subtask, if the job has it.
    pub(crate) fn place(&self, subtask: SubtaskId) -> Option<usize> {
        let vertex = self.topology.vertices.get(subtask.vertex.0 as usize)?;
        (subtask.index < vertex.parallelism).then(|| self.first_of[subtask.vertex.0 as usize] + subtask.index as usize)
    }

    /// The place of an attempt's task, if the attempt is the newest one and has not ended. What others say is not heard.
    pub(crate) fn place_of_alive(&self, attempt: AttemptId) -> Option<usize> {
        self.place(attempt.subtask).filter(|place| self.tasks[*place].alive() == Some(attempt))
    }

    /// The next attempts have numbers above `number`.
    pub(crate) fn number_attempts_from(&mut self, number: u32) {
        self.tasks.iter_mut().for_each(|task| task.attempt_above = Some(number));
    }

    /// Whether every task runs or has finished, and at least one runs: only then are checkpoints taken.
    pub(crate) fn all_running(&self) -> bool {
        self.tally.running > 0 && self.tally.running + self.tally.finished == self.tasks.len()
    }

    pub(crate) fn all_finished(&self) -> bool {
        self.tally.finished == self.tasks.len()
    }

    /// Whether all tasks have finished or are at the end of their data.
    pub(crate) fn all_ended(&self) -> bool {
        self.tally.ended == self.tasks.len()
    }

    /// Whether nothing of the job runs anywhere.
    pub(crate) fn none_alive(&self) -> bool {
        self.tally.alive == 0
    }

    /// Whether nothing of a region runs anywhere.
    pub(crate) fn none_alive_in(&self, region: usize) -> bool {
        self.tally_of_region[region].alive == 0
    }

    /// Whether all tasks of a region have finished: it is never started again.
    pub(crate) fn region_finished(&self, region: usize) -> bool {
        self.tally_of_region[region].finished == self.regions.tasks(region).len()
    }

    /// The tasks that wait to be told that their final state is stored, of regions of which all tasks have ended.
    pub(crate) fn waiting_for_their_end(&self) -> impl Iterator<Item = AttemptId> {
        let places = self.waiting_regions.iter().flat_map(|region| self.regions.tasks(*region));
        places.map(|place| self.task(*place)).filter(|task| task.waits_for_its_end()).filter_map(Execution::running)
    }

    /// The running tasks to which no barrier comes by itself: those without inputs, and those whose inputs have all finished.
    pub(crate) fn without_running_inputs(&self) -> Vec<AttemptId> {
        let finished = |vertex: VertexId| self.of_vertex(vertex).iter().all(Execution::is_finished);
        let finished: Vec<bool> = (0..self.topology.vertices.len()).map(|vertex| finished(VertexId(vertex as u32))).collect();
        let quiet = |subtask: SubtaskId| {
            self.topology.edges.iter().zip(&self.origins).filter(|(edge, _)| edge.to == subtask.vertex).all(|(edge, origins)| {
                finished[edge.from.0 as usize]
                    || origins.as_ref().is_some_and(|origins| {
                        let Range { start, end } = origins[subtask.index as usize];
                        let first = self.first_of[edge.from.0 as usize];
                        (first + start as usize..first + end as usize).all(|place| self.task(place).is_finished())
                    })
            })
        };
        self.tasks.iter().filter(|task| quiet(task.subtask)).filter_map(Execution::running).collect()
    }
}

/// Whether the head of a vertex is a source.
pub(crate) fn is_source(topology: &JobTopology, vertex: VertexId) -> bool {
    topology.vertex(vertex).operators.first().is_some_and(|head| head.is_source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topology;
    use flott_core::exchange::PartitionKind::{Forward, Hash};

    fn graph(parallelism: &[u32], edges: &[(u32, u32, flott_core::exchange::PartitionKind)]) -> ExecutionGraph {
        let mut graph = ExecutionGraph::new(Arc::new(topology(parallelism, edges)));
        for place in 0..graph.tasks.len() {
            graph.task_mut(place).attempt = Some(0);
            graph.task_mut(place).status = TaskStatus::Running;
        }
        graph
    }

    fn triggered(graph: &ExecutionGraph) -> Vec<String> {
        graph.without_running_inputs().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn barriers_start_at_sources_and_behind_finished_tasks() {
        let mut graph = graph(&[2, 2, 1], &[(0, 1, Forward), (1, 2, Hash)]);
        assert_eq!(triggered(&graph), ["v0/0#0", "v0/1#0"]);
        graph.task_mut(0).status = TaskStatus::Finished;
        assert_eq!(triggered(&graph), ["v0/1#0", "v1/0#0"]);
        for place in [1, 2] {
            graph.task_mut(place).status = TaskStatus::Finished;
        }
        assert_eq!(triggered(&graph), ["v1/1#0"]);
        graph.task_mut(3).status = TaskStatus::Finished;
        assert_eq!(triggered(&graph), ["v2/0#0"]);
    }

    #[test]
    fn a_second_running_input_is_waited_for() {
        let mut graph = graph(&[1, 1, 1], &[(0, 2, Hash), (1, 2, Forward)]);
        graph.task_mut(0).status = TaskStatus::Finished;
        assert_eq!(triggered(&graph), ["v1/0#0"]);
    }

    #[test]
    fn only_the_newest_attempt_that_has_not_ended_is_heard() {
        let mut graph = graph(&[1], &[]);
        let attempt = |attempt| AttemptId { subtask: SubtaskId { vertex: VertexId(0), index: 0 }, attempt };
        graph.task_mut(0).attempt = Some(1);
        assert_eq!(graph.place_of_alive(attempt(1)), Some(0));
        assert_eq!(graph.place_of_alive(attempt(0)), None);
        graph.task_mut(0).status = TaskStatus::Failed;
        assert_eq!(graph.place_of_alive(attempt(1)), None);
        assert_eq!(graph.place_of_alive(AttemptId { subtask: SubtaskId { vertex: VertexId(7), index: 0 }, attempt: 0 }), None);
    }

    #[test]
    fn the_tallies_follow_each_change() {
        let mut graph = graph(&[2, 2], &[(0, 1, Forward)]);
        assert!(graph.all_running() && !graph.none_alive() && !graph.all_ended());
        graph.task_mut(0).end_of_data = true;
        assert_eq!(graph.waiting_for_their_end().count(), 0, "not all of its region have ended");
        graph.task_mut(2).end_of_data = true;
        assert_eq!(graph.waiting_for_their_end().map(|attempt| attempt.to_string()).collect::<Vec<_>>(), ["v0/0#0", "v1/0#0"]);
        graph.task_mut(0).released = true;
        graph.task_mut(0).status = TaskStatus::Finished;
        assert_eq!(graph.waiting_for_their_end().count(), 1);
        assert!(graph.all_running() && !graph.region_finished(0));
        graph.task_mut(2).status = TaskStatus::Finished;
        assert!(graph.region_finished(0) && graph.none_alive_in(0) && !graph.none_alive_in(1));
        graph.task_mut(3).status = TaskStatus::Failed;
        assert!(!graph.all_running());
        graph.task_mut(1).status = TaskStatus::Canceled;
        assert!(graph.none_alive() && !graph.all_finished());
    }
}
