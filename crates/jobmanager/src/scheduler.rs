//! Slots: how many a job needs, which it has, and what runs in which.
//!
//! ```text
//!  missing ──request──▶ waiting ──offer──▶ held ──lost──▶ missing
//!                          └─ timeout ─▶ the job fails, naming needed and available
//! ```
//! Vertices of one slot sharing group share slots: subtask `i` of each runs in slot `i` of the group. So a group needs as many
//! slots as its widest vertex has subtasks, and a job the sum over its groups.

use flott_core::id::SubtaskId;
use flott_graph::{JobTopology, VertexTopology};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long slots are waited for. Flink's `slot.request.timeout`.
pub const SLOT_REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// The slots of a job.
#[derive(Debug, Clone)]
pub struct Scheduler {
    /// The slots, by place: those of a group after those of the one before it.
    places: Vec<Option<u32>>,
    /// Where the places of each vertex begin.
    first_of: Vec<usize>,
    /// The place of each slot.
    held: BTreeMap<u32, usize>,
    /// The places without a slot.
    vacant: BTreeSet<usize>,
    /// How many slots were lost so far.
    lost: u64,
    /// How many were asked for and did not come.
    requested: u32,
    /// When waiting ends, if slots are missing.
    deadline: Option<Duration>,
}

impl Scheduler {
    /// The needs of a job; nothing is held.
    pub fn new(topology: &JobTopology) -> Self {
        let mut widths: BTreeMap<&str, usize> = BTreeMap::new();
        for vertex in &topology.vertices {
            let width = widths.entry(&vertex.slot_sharing_group).or_default();
            *width = (*width).max(vertex.parallelism as usize);
        }
        let mut places = 0;
        let mut first_of_group: BTreeMap<&str, usize> = BTreeMap::new();
        for (group, width) in widths {
            first_of_group.insert(group, places);
            places += width;
        }
        Scheduler {
            places: vec![None; places],
            first_of: topology.vertices.iter().map(|vertex| first_of_group[vertex.slot_sharing_group.as_str()]).collect(),
            held: BTreeMap::new(),
            vacant: (0..places).collect(),
            lost: 0,
            requested: 0,
            deadline: None,
        }
    }

    /// The number of slots that the job needs.
    pub fn needed(&self) -> u32 {
        self.places.len() as u32
    }

    /// The number of slots that it has.
    pub fn available(&self) -> u32 {
        self.held.len() as u32
    }

    /// Whether it has fewer than it needs.
    pub(crate) fn lacks_any(&self) -> bool {
        !self.vacant.is_empty()
    }

    /// How many to ask for now, if any. Waiting for them begins.
    pub(crate) fn request(&mut self, now: Duration) -> Option<u32> {
        let missing = self.needed() - self.available();
        let more = missing.saturating_sub(self.requested);
        self.requested = missing;
        if missing == 0 {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.deadline = Some(now + SLOT_REQUEST_TIMEOUT);
        }
        (more > 0).then_some(more)
    }

    /// Takes slots. Those that are not needed are returned.
    pub(crate) fn offer(&mut self, offered: Vec<u32>) -> Vec<u32> {
        let mut surplus = Vec::new();
        for slot in offered {
            if self.held.contains_key(&slot) {
                continue;
            }
            match self.vacant.pop_first() {
                Some(place) => {
                    self.places[place] = Some(slot);
                    self.held.insert(slot, place);
                    self.requested = self.requested.saturating_sub(1);
                }
                None => surplus.push(slot),
            }
        }
        surplus
    }

    /// A subtask runs in a slot already. `false` if its place has another, or the slot is another's.
    pub(crate) fn adopt(&mut self, subtask: SubtaskId, slot: u32) -> bool {
        let place = self.first_of[subtask.vertex.0 as usize] + subtask.index as usize;
        if self.places[place].is_none() && !self.held.contains_key(&slot) {
            self.places[place] = Some(slot);
            self.held.insert(slot, place);
            self.vacant.remove(&place);
        }
        self.places[place] == Some(slot)
    }

    /// Forgets slots that are gone.
    pub(crate) fn lose<'a>(&mut self, lost: impl IntoIterator<Item = &'a u32>) {
        for slot in lost {
            if let Some(place) = self.held.remove(slot) {
                self.places[place] = None;
                self.vacant.insert(place);
                self.lost += 1;
            }
        }
    }

    /// How many slots were lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// The subtasks that run in a slot.
    pub(crate) fn subtasks_in(&self, topology: &JobTopology, slot: u32) -> Vec<SubtaskId> {
        let Some(place) = self.held.get(&slot) else { return Vec::new() };
        let index_in = |vertex: &VertexTopology| {
            let index = place.checked_sub(self.first_of[vertex.id.0 as usize])? as u32;
            (index < vertex.parallelism).then_some(SubtaskId { vertex: vertex.id, index })
        };
        topology.vertices.iter().filter_map(index_in).collect()
    }

    /// The slot of a subtask, if there is one.
    pub(crate) fn slot_of(&self, subtask: SubtaskId) -> Option<u32> {
        self.places[self.first_of[subtask.vertex.0 as usize] + subtask.index as usize]
    }

    /// When waiting ends.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Waits anew, after a timeout.
    pub(crate) fn wait_again(&mut self, now: Duration) {
        self.deadline = Some(now + SLOT_REQUEST_TIMEOUT);
    }

    /// Gives back all slots.
    pub(crate) fn release(&mut self) -> Vec<u32> {
        self.deadline = None;
        self.requested = 0;
        self.held.clear();
        self.vacant = (0..self.places.len()).collect();
        self.places.iter_mut().filter_map(Option::take).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topology;
    use flott_core::{exchange::PartitionKind::Hash, id::VertexId};

    #[test]
    fn a_group_needs_the_parallelism_of_its_widest_vertex() {
        let mut job = topology(&[2, 4, 3], &[(0, 1, Hash), (1, 2, Hash)]);
        assert_eq!(Scheduler::new(&job).needed(), 4);
        job.vertices[2].slot_sharing_group = "other".into();
        assert_eq!(Scheduler::new(&job).needed(), 7);
    }

    #[test]
    fn slots_are_requested_once_lost_ones_again_and_surplus_goes_back() {
        let job = topology(&[1, 2], &[(0, 1, Hash)]);
        let mut slots = Scheduler::new(&job);
        let second = Duration::from_secs(1);
        assert_eq!(slots.request(second), Some(2));
        assert_eq!(slots.request(second), None);
        assert_eq!(slots.deadline(), Some(second + SLOT_REQUEST_TIMEOUT));
        assert_eq!(slots.offer(vec![7]), [0u32; 0]);
        assert_eq!(slots.request(second), None, "one is still on its way");
        assert_eq!(slots.offer(vec![7, 8, 9]), [9]);
        assert_eq!(slots.request(second), None);
        assert_eq!(slots.deadline(), None);
        let of = |slots: &Scheduler, vertex, index| slots.slot_of(SubtaskId { vertex: VertexId(vertex), index });
        assert_eq!((of(&slots, 0, 0), of(&slots, 1, 0), of(&slots, 1, 1)), (Some(7), Some(7), Some(8)));
        let shown = |slot| slots.subtasks_in(&job, slot).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!((shown(7), shown(8), shown(9)), (vec!["v0/0".into(), "v1/0".into()], vec!["v1/1".into()], vec![]));
        slots.lose(&[7]);
        assert_eq!(slots.request(second), Some(1));
        assert_eq!((of(&slots, 1, 0), of(&slots, 1, 1)), (None, Some(8)));
        assert_eq!(slots.release(), [8]);
    }
}
