//! Slots: how many a job needs, which it has, and what runs in which.
//!
//! ```text
//!  missing ──request──▶ waiting ──offer──▶ held ──lost──▶ missing
//!                          └─ timeout ─▶ the job fails, naming needed and available
//! ```
//! Vertices of one slot sharing group share slots: subtask `i` of each runs in slot `i` of the group. So a group needs as many
//! slots as its widest vertex has subtasks, and a job the sum over its groups. What it wants beyond that, to run with a larger
//! parallelism later, it holds as spare.

use flott_core::id::SubtaskId;
use flott_graph::JobTopology;
use std::{collections::BTreeMap, time::Duration};

/// How long slots are waited for. Flink's `slot.request.timeout`.
pub const SLOT_REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// The slots of a job.
#[derive(Debug, Clone)]
pub struct Scheduler {
    /// For each group the slots it has, by place.
    groups: BTreeMap<String, Vec<Option<u32>>>,
    /// Slots that nothing runs in.
    spare: Vec<u32>,
    /// How many slots the job has use for in all, if these are more than it needs.
    wanted: u32,
    /// How long it waits for what it needs; `None`: for ever.
    timeout: Option<Duration>,
    /// How many were asked for and did not come.
    requested: u32,
    /// When waiting ends, if slots are missing.
    deadline: Option<Duration>,
}

impl Scheduler {
    /// The needs of a job; nothing is held.
    pub fn new(topology: &JobTopology) -> Self {
        let (spare, timeout) = (Vec::new(), Some(SLOT_REQUEST_TIMEOUT));
        Scheduler { groups: empty_groups(topology), spare, wanted: 0, timeout, requested: 0, deadline: None }
    }

    /// Waits so long for what is needed; `None`: for ever.
    pub(crate) fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// Whether it has use for more slots than what runs needs.
    pub(crate) fn wants_more_than_needed(&self) -> bool {
        self.wanted > self.needed()
    }

    /// How long it waits for what is needed.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// The job has use for so many slots in all. Returns how many of those that were asked for need not come any more.
    pub(crate) fn want(&mut self, wanted: u32) -> u32 {
        self.wanted = wanted;
        let withdrawn = self.requested.saturating_sub(self.missing());
        self.requested -= withdrawn;
        withdrawn
    }

    /// The job is run with another parallelism: its slots are distributed anew, subtasks keep theirs where they can.
    pub(crate) fn rescale(&mut self, topology: &JobTopology) {
        let mut old = std::mem::replace(&mut self.groups, empty_groups(topology));
        for (group, slots) in &mut self.groups {
            let kept = old.get_mut(group).map(Vec::as_mut_slice).unwrap_or_default();
            slots.iter_mut().zip(kept).for_each(|(slot, kept)| *slot = kept.take());
        }
        self.spare.extend(old.into_values().flatten().flatten());
        // Low numbers came first, and are more likely to be where the others are.
        self.spare.sort_unstable();
        self.fill();
    }

    /// Gives away what the job has no use for.
    pub(crate) fn release_surplus(&mut self) -> Vec<u32> {
        let use_for = self.wanted.saturating_sub(self.available()) as usize;
        self.spare.split_off(use_for.min(self.spare.len()))
    }

    /// Puts spare slots where one is missing.
    fn fill(&mut self) {
        let missing = self.groups.values_mut().flatten().filter(|slot| slot.is_none());
        let filled = missing.zip(&self.spare).map(|(place, slot)| *place = Some(*slot)).count();
        self.spare.drain(..filled);
    }

    /// The number of slots that the job holds.
    pub(crate) fn held(&self) -> u32 {
        self.available() + self.spare.len() as u32
    }

    /// How many slots the job has use for beyond those that it holds.
    pub(crate) fn missing(&self) -> u32 {
        self.needed().max(self.wanted).saturating_sub(self.held())
    }

    /// The number of slots that the job needs.
    pub fn needed(&self) -> u32 {
        self.groups.values().map(|slots| slots.len() as u32).sum()
    }

    /// The number of slots that it has.
    pub fn available(&self) -> u32 {
        self.groups.values().flatten().flatten().count() as u32
    }

    /// How many to ask for now, if any. Waiting for those that are needed begins.
    pub(crate) fn request(&mut self, now: Duration) -> Option<u32> {
        let missing = self.missing();
        let more = missing.saturating_sub(self.requested);
        self.requested = missing;
        if self.needed() == self.available() {
            self.deadline = None;
        } else if self.deadline.is_none() {
            self.wait_again(now);
        }
        (more > 0).then_some(more)
    }

    /// Takes slots. Those that are not needed are returned.
    pub(crate) fn offer(&mut self, offered: Vec<u32>) -> Vec<u32> {
        let mut surplus = Vec::new();
        for slot in offered {
            if self.groups.values().flatten().any(|held| *held == Some(slot)) || self.spare.contains(&slot) {
                continue;
            }
            if self.missing() == 0 {
                surplus.push(slot);
                continue;
            }
            self.requested = self.requested.saturating_sub(1);
            match self.groups.values_mut().flatten().find(|held| held.is_none()) {
                Some(place) => *place = Some(slot),
                None => self.spare.push(slot),
            }
        }
        surplus
    }

    /// A subtask runs in a slot already. `false` if its place has another.
    pub(crate) fn adopt(&mut self, topology: &JobTopology, subtask: SubtaskId, slot: u32) -> bool {
        // A task that has ended may have run in a slot that is another subtask's by now, at another parallelism.
        let taken = self.groups.values().flatten().any(|held| *held == Some(slot));
        let group = self.groups.get_mut(&topology.vertex(subtask.vertex).slot_sharing_group);
        match group.and_then(|slots| slots.get_mut(subtask.index as usize)) {
            Some(place) if place.is_none() && !taken => *place = Some(slot),
            Some(place) => return *place == Some(slot),
            None => return false,
        }
        true
    }

    /// Forgets slots that are gone.
    pub(crate) fn lose(&mut self, lost: &[u32]) {
        for held in self.groups.values_mut().flatten() {
            held.take_if(|slot| lost.contains(slot));
        }
        self.spare.retain(|slot| !lost.contains(slot));
        self.fill();
    }

    /// The slot of a subtask, if there is one.
    pub(crate) fn slot_of(&self, topology: &JobTopology, subtask: SubtaskId) -> Option<u32> {
        *self.groups.get(&topology.vertex(subtask.vertex).slot_sharing_group)?.get(subtask.index as usize)?
    }

    /// When waiting ends.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Waits anew, after a timeout.
    pub(crate) fn wait_again(&mut self, now: Duration) {
        self.deadline = self.timeout.map(|timeout| now.saturating_add(timeout));
    }

    /// Gives back all slots.
    pub(crate) fn release(&mut self) -> Vec<u32> {
        self.deadline = None;
        self.requested = 0;
        self.groups.values_mut().flatten().filter_map(Option::take).chain(self.spare.drain(..)).collect()
    }
}

/// The places of the slots that a job needs.
fn empty_groups(topology: &JobTopology) -> BTreeMap<String, Vec<Option<u32>>> {
    let mut groups: BTreeMap<String, Vec<Option<u32>>> = BTreeMap::new();
    for vertex in &topology.vertices {
        let slots = groups.entry(vertex.slot_sharing_group.clone()).or_default();
        slots.resize(slots.len().max(vertex.parallelism as usize), None);
    }
    groups
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
    fn a_slot_is_adopted_for_one_place() {
        let job = topology(&[2, 2], &[(0, 1, Hash)]);
        let mut slots = Scheduler::new(&job);
        let at = |vertex, index| SubtaskId { vertex: VertexId(vertex), index };
        assert!(slots.adopt(&job, at(0, 0), 7) && slots.adopt(&job, at(1, 0), 7), "subtasks of one number share it");
        assert!(!slots.adopt(&job, at(0, 1), 7), "it is another's");
        assert!(!slots.adopt(&job, at(1, 0), 8), "there is one");
        assert!(!slots.adopt(&job, at(0, 2), 9), "there is no such subtask");
        assert_eq!((slots.available(), slots.held()), (1, 1));
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
        let of = |slots: &Scheduler, vertex, index| slots.slot_of(&job, SubtaskId { vertex: VertexId(vertex), index });
        assert_eq!((of(&slots, 0, 0), of(&slots, 1, 0), of(&slots, 1, 1)), (Some(7), Some(7), Some(8)));
        slots.lose(&[7]);
        assert_eq!(slots.request(second), Some(1));
        assert_eq!((of(&slots, 1, 0), of(&slots, 1, 1)), (None, Some(8)));
        assert_eq!(slots.release(), [8]);
    }
}
