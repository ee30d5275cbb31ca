//! Slots: how many a job needs, which it has, and what runs in which.
//!
//! ```text
//!  missing ──request──▶ waiting ──offer──▶ held ──lost──▶ missing
//!                          └─ timeout ─▶ the job fails, naming needed and available
//! ```
//! A job of which nothing runs does not hold for long what does not suffice: it gives it back, so that another job can have it, and waits
//! for all at once. Otherwise two jobs could wait for what the other one holds. Neither does one that runs hold for long what suffices for
//! no other parallelism: it waits for so many at once with which it could have one.
//!
//! Vertices of one slot sharing group share slots: subtask `i` of each runs in slot `i` of the group. So a group needs as many
//! slots as its widest vertex has subtasks, and a job the sum over its groups. What it wants beyond that, to run with a larger
//! parallelism later, it holds as spare.

use flott_core::id::SubtaskId;
use flott_graph::{JobTopology, VertexTopology};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long slots are waited for. Flink's `slot.request.timeout`.
pub const SLOT_REQUEST_TIMEOUT: Duration = Duration::from_secs(300);

/// How long a job holds slots that do not suffice to run: longer than the TaskManagers of a cluster that starts come one after another.
pub const SLOT_HOLD_TIME: Duration = Duration::from_secs(10);

/// How long slots are missing before it is told: those that are free come at once, though not within the same moment.
pub const SLOT_SHORTAGE_AFTER: Duration = Duration::from_secs(1);

/// The slots of a job.
#[derive(Debug, Clone)]
pub struct Scheduler {
    /// The slots, by place: those of a group after those of the one before it.
    places: Vec<Option<u32>>,
    /// Where the places of each group begin.
    groups: BTreeMap<String, usize>,
    /// Where the places of each vertex begin.
    first_of: Vec<usize>,
    /// The place of each slot.
    held: BTreeMap<u32, usize>,
    /// The places without a slot.
    vacant: BTreeSet<usize>,
    /// Slots that nothing runs in.
    spare: Vec<u32>,
    /// How many slots the job has use for in all, if these are more than it needs.
    wanted: u32,
    /// How long it waits for what it needs; `None`: for ever.
    timeout: Option<Duration>,
    /// How many slots were lost or put elsewhere so far.
    lost: u64,
    /// Fewer in all would be of no use: what is missing of them was asked for at once, and no more are until they are there.
    at_once: Option<u32>,
    /// How many were asked for and did not come.
    requested: u32,
    /// When waiting ends, if slots are missing.
    deadline: Option<Duration>,
    /// When those that are there are given back, if slots are missing.
    yield_at: Option<Duration>,
    /// The most that were there at once since waiting began.
    most_available: u32,
    /// Since when slots are missing, and whether that was told.
    short: Option<Shortage>,
}

/// That slots are missing.
#[derive(Debug, Clone, Copy)]
struct Shortage {
    since: Duration,
    told: bool,
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
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        for (group, width) in widths {
            groups.insert(group.to_owned(), places);
            places += width;
        }
        Scheduler {
            places: vec![None; places],
            first_of: topology.vertices.iter().map(|vertex| groups[&vertex.slot_sharing_group]).collect(),
            groups,
            held: BTreeMap::new(),
            vacant: (0..places).collect(),
            spare: Vec::new(),
            wanted: 0,
            timeout: Some(SLOT_REQUEST_TIMEOUT),
            lost: 0,
            at_once: None,
            requested: 0,
            deadline: None,
            yield_at: None,
            most_available: 0,
            short: None,
        }
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
        // What was asked for at once would come in no other way, though fewer may be of use by now: it is asked for anew.
        let awaited = if self.at_once.take().is_some() { 0 } else { self.missing() };
        let withdrawn = self.requested.saturating_sub(awaited);
        self.requested -= withdrawn;
        withdrawn
    }

    /// The job is run with another parallelism: its slots are distributed anew, subtasks keep theirs where they can.
    pub(crate) fn rescale(&mut self, topology: &JobTopology) {
        let mut new = Scheduler::new(topology);
        for group in self.groups.keys() {
            let room = new.room_of(group);
            for (offset, slot) in self.places[self.room_of(group)].iter().enumerate() {
                let Some(slot) = slot else { continue };
                match room.clone().nth(offset) {
                    Some(place) => new.put(place, *slot),
                    None => self.spare.push(*slot),
                }
            }
        }
        // Low numbers came first, and are more likely to be where the others are.
        self.spare.sort_unstable();
        (self.places, self.groups, self.first_of) = (new.places, new.groups, new.first_of);
        (self.held, self.vacant) = (new.held, new.vacant);
        self.lost += 1;
        self.fill();
        self.end_wait();
    }

    /// The places of a group.
    fn room_of(&self, group: &str) -> std::ops::Range<usize> {
        let Some(start) = self.groups.get(group) else { return 0..0 };
        let end = self.groups.values().filter(|other| *other > start).min().copied().unwrap_or(self.places.len());
        *start..end
    }

    fn put(&mut self, place: usize, slot: u32) {
        self.places[place] = Some(slot);
        self.held.insert(slot, place);
        self.vacant.remove(&place);
    }

    /// Gives away what the job has no use for.
    pub(crate) fn release_surplus(&mut self) -> Vec<u32> {
        let use_for = self.wanted.saturating_sub(self.available()) as usize;
        self.spare.split_off(use_for.min(self.spare.len()))
    }

    /// Puts spare slots where one is missing.
    fn fill(&mut self) {
        let count = self.spare.len().min(self.vacant.len());
        for slot in self.spare.drain(..count).collect::<Vec<_>>() {
            if let Some(place) = self.vacant.pop_first() {
                self.put(place, slot);
            }
        }
    }

    /// Waiting ends with the last slot that was missing: for the next one it begins anew.
    fn end_wait(&mut self) {
        if !self.lacks_any() {
            self.wait_no_more();
        }
    }

    /// Nobody waits for those that are missing.
    pub(crate) fn wait_no_more(&mut self) {
        (self.deadline, self.yield_at, self.short) = (None, None, None);
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
        self.places.len() as u32
    }

    /// The number of slots that it has of those that it needs.
    pub fn available(&self) -> u32 {
        self.held.len() as u32
    }

    /// Whether it has fewer than it needs.
    pub(crate) fn lacks_any(&self) -> bool {
        !self.vacant.is_empty()
    }

    /// How many to ask for now, if any. Waiting for those that are needed begins.
    pub(crate) fn request(&mut self, now: Duration) -> Option<u32> {
        let missing = self.at_once.map_or(self.missing(), |needed| needed.saturating_sub(self.held()));
        let more = missing.saturating_sub(self.requested);
        self.requested = missing;
        self.end_wait();
        if self.lacks_any() {
            self.short.get_or_insert(Shortage { since: now, told: false });
            if self.deadline.is_none() {
                self.wait_again(now);
            }
            if self.held() == 0 {
                self.yield_at = None;
            } else if self.yield_at.is_none() {
                self.hold_again(now);
            }
        }
        self.most_available = self.most_available.max(self.available());
        (more > 0).then_some(more)
    }

    /// Takes slots. Those that are not needed are returned.
    pub(crate) fn offer(&mut self, offered: Vec<u32>) -> Vec<u32> {
        let mut surplus = Vec::new();
        for slot in offered {
            if self.held.contains_key(&slot) || self.spare.contains(&slot) {
                continue;
            }
            if self.missing() == 0 {
                surplus.push(slot);
                continue;
            }
            self.requested = self.requested.saturating_sub(1);
            match self.vacant.first().copied() {
                Some(place) => self.put(place, slot),
                None => self.spare.push(slot),
            }
        }
        if self.at_once.is_some_and(|needed| needed <= self.held()) {
            self.at_once = None;
        }
        self.end_wait();
        surplus
    }

    /// A subtask runs in a slot already. `false` if its place has another, or the slot is another's.
    pub(crate) fn adopt(&mut self, subtask: SubtaskId, slot: u32) -> bool {
        let place = self.first_of[subtask.vertex.0 as usize] + subtask.index as usize;
        // A task that has ended may have run in a slot that is another subtask's by now, at another parallelism.
        if self.places[place].is_none() && !self.held.contains_key(&slot) {
            self.put(place, slot);
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
            self.spare.retain(|spare| spare != slot);
        }
        self.fill();
        self.end_wait();
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

    /// When slots that do not suffice are given back.
    pub(crate) fn yield_at(&self) -> Option<Duration> {
        self.yield_at
    }

    /// When it is to be told that slots are missing, if they are and it was not.
    pub(crate) fn shortage_at(&self) -> Option<Duration> {
        self.short.filter(|short| !short.told).map(|short| short.since.saturating_add(SLOT_SHORTAGE_AFTER))
    }

    /// It was told that slots are missing.
    pub(crate) fn shortage_told(&mut self) {
        if let Some(short) = &mut self.short {
            short.told = true;
        }
    }

    /// How many slots there were of those that are waited for.
    pub(crate) fn most_available(&self) -> u32 {
        self.most_available
    }

    /// Waits anew, after a timeout.
    pub(crate) fn wait_again(&mut self, now: Duration) {
        self.deadline = self.timeout.map(|timeout| now.saturating_add(timeout));
        self.most_available = self.available();
    }

    /// How long slots are held that do not suffice.
    pub(crate) fn hold_time(&self) -> Duration {
        self.timeout.map_or(SLOT_HOLD_TIME, |timeout| SLOT_HOLD_TIME.min(timeout / 2))
    }

    /// Holds what there is for a while.
    pub(crate) fn hold_again(&mut self, now: Duration) {
        self.yield_at = Some(now.saturating_add(self.hold_time()));
    }

    /// Gives back all slots, and waits on for `needed`, all at once.
    pub(crate) fn give_way(&mut self, needed: u32) -> Vec<u32> {
        let (deadline, most_available, short) = (self.deadline, self.most_available, self.short);
        let held = self.release();
        (self.deadline, self.most_available, self.short) = (deadline, most_available, short);
        self.at_once = Some(needed);
        self.requested = needed;
        held
    }

    /// Whether it holds slots that nothing runs in.
    pub(crate) fn has_spare(&self) -> bool {
        !self.spare.is_empty()
    }

    /// Gives back the slots that nothing runs in, and waits on for so many that there are `needed` in all, all at once. Returns those
    /// slots, and how many it waits for.
    pub(crate) fn give_back_spare(&mut self, needed: u32) -> (Vec<u32>, u32) {
        let spare = std::mem::take(&mut self.spare);
        self.at_once = Some(needed);
        self.requested = needed.saturating_sub(self.held());
        (spare, self.requested)
    }

    /// Gives back all slots.
    pub(crate) fn release(&mut self) -> Vec<u32> {
        self.wait_no_more();
        self.at_once = None;
        self.requested = 0;
        self.held.clear();
        self.vacant = (0..self.places.len()).collect();
        self.places.iter_mut().filter_map(Option::take).chain(self.spare.drain(..)).collect()
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
    fn a_slot_is_adopted_for_one_place() {
        let job = topology(&[2, 2], &[(0, 1, Hash)]);
        let mut slots = Scheduler::new(&job);
        let at = |vertex, index| SubtaskId { vertex: VertexId(vertex), index };
        assert!(slots.adopt(at(0, 0), 7) && slots.adopt(at(1, 0), 7), "subtasks of one number share it");
        assert!(!slots.adopt(at(0, 1), 7), "it is another's");
        assert!(!slots.adopt(at(1, 0), 8), "there is one");
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
        assert_eq!(slots.deadline(), None);
        assert_eq!(slots.request(second), None);
        let of = |slots: &Scheduler, vertex, index| slots.slot_of(SubtaskId { vertex: VertexId(vertex), index });
        assert_eq!((of(&slots, 0, 0), of(&slots, 1, 0), of(&slots, 1, 1)), (Some(7), Some(7), Some(8)));
        slots.lose(&[7]);
        assert_eq!(slots.request(second), Some(1));
        assert_eq!((of(&slots, 1, 0), of(&slots, 1, 1)), (None, Some(8)));
        assert_eq!(slots.release(), [8]);
    }

    #[test]
    fn a_shortage_is_told_once_and_only_if_slots_do_not_come_at_once() {
        let job = topology(&[1, 3], &[(0, 1, Hash)]);
        let mut slots = Scheduler::new(&job);
        let second = Duration::from_secs(1);
        assert_eq!(slots.shortage_at(), None, "nobody has asked for any yet");
        slots.request(second);
        assert_eq!(slots.shortage_at(), Some(second + SLOT_SHORTAGE_AFTER));
        slots.offer(vec![1, 2, 3]);
        assert_eq!(slots.shortage_at(), None);
        slots.lose(&[1]);
        slots.request(second * 5);
        assert_eq!(slots.shortage_at(), Some(second * 5 + SLOT_SHORTAGE_AFTER), "that is another shortage");
        slots.shortage_told();
        slots.request(second * 9);
        assert_eq!((slots.shortage_at(), slots.give_way(3)), (None, vec![2, 3]));
        slots.request(second * 20);
        assert_eq!(slots.shortage_at(), None, "it is still the same");
    }

    #[test]
    fn slots_that_do_not_suffice_are_held_for_a_while() {
        let job = topology(&[1, 3], &[(0, 1, Hash)]);
        let mut slots = Scheduler::new(&job);
        let second = Duration::from_secs(1);
        assert_eq!(slots.request(second), Some(3));
        assert_eq!(slots.yield_at(), None, "there is nothing to give back");
        assert_eq!(slots.offer(vec![1, 2]), [0u32; 0]);
        assert_eq!(slots.request(second * 2), None);
        assert_eq!(slots.yield_at(), Some(second * 2 + SLOT_HOLD_TIME));
        assert_eq!(slots.give_way(3), [1, 2]);
        assert_eq!((slots.held(), slots.most_available(), slots.yield_at()), (0, 2, None));
        assert_eq!(slots.deadline(), Some(second + SLOT_REQUEST_TIMEOUT), "it has waited since then");
        assert_eq!(slots.request(second * 11), None, "they were asked for");
        // One that was on its way does not suffice either.
        assert_eq!(slots.offer(vec![3]), [0u32; 0]);
        assert_eq!(slots.request(second * 99), None);
        assert_eq!(slots.yield_at(), Some(second * 99 + SLOT_HOLD_TIME), "the others may be on their way");
        assert_eq!(slots.offer(vec![4, 5, 6]), [6]);
        assert_eq!((slots.yield_at(), slots.deadline()), (None, None));
        slots.lose(&[4]);
        slots.request(second * 1000);
        assert_eq!(slots.deadline(), Some(second * 1000 + SLOT_REQUEST_TIMEOUT));
        slots.rescale(&topology(&[1, 2], &[(0, 1, Hash)]));
        assert_eq!((slots.yield_at(), slots.deadline()), (None, None), "it lacks none with another parallelism");
    }

    #[test]
    fn spare_slots_are_given_back_and_the_next_ones_that_are_of_use_asked_for_first() {
        let job = topology(&[1, 2], &[(0, 1, Hash)]);
        let mut slots = Scheduler::new(&job);
        let now = Duration::ZERO;
        slots.request(now);
        slots.offer(vec![1, 2]);
        assert_eq!(slots.want(20), 0);
        assert_eq!(slots.request(now), Some(18));
        assert!(!slots.has_spare());
        slots.offer(vec![3, 4, 5]);
        assert!(slots.has_spare());
        assert_eq!(slots.give_back_spare(10), (vec![3, 4, 5], 8));
        assert_eq!((slots.held(), slots.missing()), (2, 18));
        assert_eq!(slots.request(now), None, "fewer than ten are of no use");
        slots.lose(&[1]);
        assert_eq!(slots.request(now), Some(1), "what runs needs it");
        slots.offer((6..14).collect());
        assert_eq!(slots.request(now), None);
        slots.offer(vec![14]);
        assert_eq!((slots.held(), slots.request(now)), (10, Some(10)), "now each one more is of use");
        slots.offer(vec![15]);
        slots.give_back_spare(12);
        assert_eq!(slots.want(4), 10, "those that were asked for at once do not come one by one");
        assert_eq!(slots.request(now), Some(2));
    }
}
