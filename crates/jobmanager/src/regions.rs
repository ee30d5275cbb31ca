//! Failover regions: the connected components of the subtasks. All exchanges are pipelined, so whoever is connected with a failed
//! task has sent it, or received from it, records that the failure invalidates.

use flott_core::id::{SubtaskId, VertexId};
use flott_graph::JobTopology;

/// Which subtasks belong together, by their place in the execution graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    members: Vec<Vec<usize>>,
    region_of: Vec<usize>,
}

impl Regions {
    /// The regions of a job. `first_of` says where the subtasks of each vertex begin.
    pub(crate) fn of(topology: &JobTopology, first_of: &[usize], tasks: usize) -> Self {
        let mut parent: Vec<usize> = (0..tasks).collect();
        for edge in &topology.edges {
            let (from, to) = (topology.vertex(edge.from), topology.vertex(edge.to));
            let (senders, receivers) = (first_of[edge.from.0 as usize], first_of[edge.to.0 as usize]);
            for sender in 0..from.parallelism {
                if edge.kind.is_pointwise() {
                    for receiver in edge.targets(sender, from.parallelism, to.parallelism) {
                        unite(&mut parent, senders + sender as usize, receivers + receiver as usize);
                    }
                } else {
                    // All are connected with all: through the first receiver, and below through the first sender.
                    unite(&mut parent, senders + sender as usize, receivers);
                }
            }
            if !edge.kind.is_pointwise() {
                for receiver in 0..to.parallelism {
                    unite(&mut parent, senders, receivers + receiver as usize);
                }
            }
        }
        let mut members: Vec<Vec<usize>> = Vec::new();
        let mut region_of = vec![usize::MAX; tasks];
        for task in 0..tasks {
            // The root is the smallest of its component, so it comes first.
            let root = find(&mut parent, task);
            if root == task {
                region_of[task] = members.len();
                members.push(Vec::new());
            } else {
                region_of[task] = region_of[root];
            }
            members[region_of[task]].push(task);
        }
        Regions { members, region_of }
    }

    /// The number of regions.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none: a job without tasks.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The region of a task.
    pub(crate) fn of_task(&self, task: usize) -> usize {
        self.region_of[task]
    }

    /// The tasks of a region.
    pub(crate) fn tasks(&self, region: usize) -> &[usize] {
        &self.members[region]
    }
}

fn find(parent: &mut [usize], mut task: usize) -> usize {
    while parent[task] != task {
        parent[task] = parent[parent[task]];
        task = parent[task];
    }
    task
}

fn unite(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(parent, a), find(parent, b));
    let (low, high) = (a.min(b), a.max(b));
    parent[high] = low;
}

/// The subtasks of each region, for display and tests.
pub fn failover_regions(topology: &JobTopology) -> Vec<Vec<SubtaskId>> {
    let mut subtasks = Vec::new();
    let mut first_of = Vec::new();
    for (number, vertex) in topology.vertices.iter().enumerate() {
        first_of.push(subtasks.len());
        subtasks.extend((0..vertex.parallelism).map(|index| SubtaskId { vertex: VertexId(number as u32), index }));
    }
    let regions = Regions::of(topology, &first_of, subtasks.len());
    regions.members.iter().map(|members| members.iter().map(|task| subtasks[*task]).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topology;
    use flott_core::exchange::PartitionKind::{Broadcast, Forward, Hash, Rescale};

    fn shown(topology: &JobTopology) -> Vec<String> {
        let regions = failover_regions(topology);
        regions.iter().map(|region| region.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn forward_edges_split_a_job_by_subtask() {
        assert_eq!(shown(&topology(&[3, 3], &[(0, 1, Forward)])), ["v0/0 v1/0", "v0/1 v1/1", "v0/2 v1/2"]);
    }

    #[test]
    fn rescale_edges_group_neighbours() {
        assert_eq!(shown(&topology(&[4, 2], &[(0, 1, Rescale)])), ["v0/0 v0/1 v1/0", "v0/2 v0/3 v1/1"]);
        assert_eq!(shown(&topology(&[2, 4], &[(0, 1, Rescale)])), ["v0/0 v1/0 v1/1", "v0/1 v1/2 v1/3"]);
    }

    #[test]
    fn an_all_to_all_edge_joins_everything_it_touches() {
        for kind in [Hash, Broadcast] {
            assert_eq!(shown(&topology(&[2, 2, 2], &[(0, 1, kind), (1, 2, Forward)])), ["v0/0 v0/1 v1/0 v1/1 v2/0 v2/1"]);
        }
    }

    #[test]
    fn vertices_without_edges_between_them_are_apart() {
        assert_eq!(shown(&topology(&[1, 2, 1], &[(0, 2, Hash)])), ["v0/0 v2/0", "v1/0", "v1/1"]);
    }
}
