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
use std::{collections::BTreeMap, ops::Range, sync::Arc};

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
}

/// All tasks of a job.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionGraph {
    topology: Arc<JobTopology>,
    first_of: Vec<usize>,
    tasks: Vec<Execution>,
    regions: Regions,
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
        ExecutionGraph { topology, first_of, tasks, regions, origins }
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
        &self.tasks
    }

    pub(crate) fn task(&self, place: usize) -> &Execution {
        &self.tasks[place]
    }

    pub(crate) fn task_mut(&mut self, place: usize) -> &mut Execution {
        &mut self.tasks[place]
    }

    /// The tasks of a vertex.
    pub(crate) fn of_vertex(&self, vertex: VertexId) -> &[Execution] {
        let first = self.first_of[vertex.0 as usize];
        &self.tasks[first..first + self.topology.vertex(vertex).parallelism as usize]
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
        let mut any = false;
        self.tasks.iter().all(|task| {
            any |= task.status == TaskStatus::Running;
            matches!(task.status, TaskStatus::Running | TaskStatus::Finished)
        }) && any
    }

    pub(crate) fn all_finished(&self) -> bool {
        self.tasks.iter().all(Execution::is_finished)
    }

    /// Whether nothing of the job runs anywhere.
    pub(crate) fn none_alive(&self) -> bool {
        self.tasks.iter().all(|task| task.alive().is_none())
    }

    /// Whether all tasks of a region have finished: it is never started again.
    pub(crate) fn region_finished(&self, region: usize) -> bool {
        self.regions.tasks(region).iter().all(|place| self.tasks[*place].is_finished())
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
                        self.of_vertex(edge.from)[start as usize..end as usize].iter().all(Execution::is_finished)
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
            graph.tasks[place].attempt = Some(0);
            graph.tasks[place].status = TaskStatus::Running;
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
        graph.tasks[0].status = TaskStatus::Finished;
        assert_eq!(triggered(&graph), ["v0/1#0", "v1/0#0"]);
        for place in [1, 2] {
            graph.tasks[place].status = TaskStatus::Finished;
        }
        assert_eq!(triggered(&graph), ["v1/1#0"]);
        graph.tasks[3].status = TaskStatus::Finished;
        assert_eq!(triggered(&graph), ["v2/0#0"]);
    }

    #[test]
    fn a_second_running_input_is_waited_for() {
        let mut graph = graph(&[1, 1, 1], &[(0, 2, Hash), (1, 2, Forward)]);
        graph.tasks[0].status = TaskStatus::Finished;
        assert_eq!(triggered(&graph), ["v1/0#0"]);
    }

    #[test]
    fn only_the_newest_attempt_that_has_not_ended_is_heard() {
        let mut graph = graph(&[1], &[]);
        let attempt = |attempt| AttemptId { subtask: SubtaskId { vertex: VertexId(0), index: 0 }, attempt };
        graph.tasks[0].attempt = Some(1);
        assert_eq!(graph.place_of_alive(attempt(1)), Some(0));
        assert_eq!(graph.place_of_alive(attempt(0)), None);
        graph.tasks[0].status = TaskStatus::Failed;
        assert_eq!(graph.place_of_alive(attempt(1)), None);
        assert_eq!(graph.place_of_alive(AttemptId { subtask: SubtaskId { vertex: VertexId(7), index: 0 }, attempt: 0 }), None);
    }
}
