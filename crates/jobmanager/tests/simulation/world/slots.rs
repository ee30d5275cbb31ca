//! The slots that there are, and requests for another parallelism.

use super::*;
use flott_rpc::{client::ParallelismBounds, inventory::WorkerInventory};

/// The slots of the world, as far as the job is concerned.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// How many the job may hold at once.
    pub(super) capacity: u32,
    /// Those that it holds.
    pub(super) held: BTreeSet<u32>,
    /// How many it wants more.
    pub(super) wanted: u32,
    /// How many more it wants all at once.
    pub(super) at_once: u32,
    pub(super) next: u32,
}

impl World {
    pub(super) fn request_slots(&mut self, count: u32) {
        self.supply.wanted += count;
        self.soon(Happening::Grant);
    }

    pub(super) fn withdraw_slots(&mut self, count: u32) {
        let Slots { wanted, at_once, .. } = &mut self.supply;
        assert!(count <= *wanted + *at_once, "{count} slots are withdrawn, {wanted} and {at_once} are wanted");
        let one_by_one = count.min(*wanted);
        *wanted -= one_by_one;
        *at_once -= count - one_by_one;
    }

    pub(super) fn release_slots(&mut self, slots: &[u32]) {
        for slot in slots {
            assert!(self.supply.held.remove(slot), "slot {slot} is given back, but not held");
            let user = self.slots.iter().find(|(attempt, at)| *at == slot && !self.ended.contains(attempt));
            assert!(user.is_none() || self.outcome_is_near(), "slot {slot} is given back while {user:?} runs in it");
        }
        self.soon(Happening::Grant);
    }

    /// Grants that were on their way come all the same; all that are still wanted come at once or not at all.
    pub(super) fn yield_slots(&mut self, held: &[u32], needed: u32) {
        assert!(!held.is_empty(), "nothing is given back");
        self.summary.yields += 1;
        if self.slots.keys().any(|attempt| !self.ended.contains(attempt)) {
            self.summary.yields_beside_tasks += 1;
        }
        (self.supply.wanted, self.supply.at_once) = (0, needed);
        self.release_slots(held);
    }

    /// Slots of tasks that do not end are given back at the end.
    fn outcome_is_near(&self) -> bool {
        self.job.status().is_terminal() || self.job.overview().tasks.iter().all(|(_, status)| status.is_terminal())
    }

    pub(super) fn grant_slots(&mut self) {
        let free = self.supply.capacity.saturating_sub(self.supply.held.len() as u32);
        if self.supply.at_once <= free {
            self.supply.wanted += std::mem::take(&mut self.supply.at_once);
        }
        let mut count = free.min(self.supply.wanted);
        if count > 1 && self.random.percent(30) {
            // Those of one TaskManager, and then those of another.
            count = 1 + self.random.below(u64::from(count) - 1) as u32;
            self.soon(Happening::Grant);
        }
        if count > 0 {
            self.supply.wanted -= count;
            let slots: Vec<u32> = (self.supply.next..self.supply.next + count).collect();
            self.supply.next += count;
            self.supply.held.extend(&slots);
            self.tell(JobEvent::Slots(slots));
        }
    }

    /// Some TaskManagers come or go.
    pub(super) fn change_capacity(&mut self) {
        self.supply.capacity = if self.faulty() { 1 + self.random.below(7) as u32 } else { u32::MAX };
        let mut surplus = (self.supply.held.len() as u32).saturating_sub(self.supply.capacity);
        let mut lost = Vec::new();
        for slot in self.supply.held.clone() {
            if surplus > 0 && self.random.percent(50) {
                surplus -= 1;
                lost.push(slot);
            }
        }
        self.lose_slots(lost);
        self.soon(Happening::Grant);
    }

    pub(super) fn lose_slots(&mut self, lost: Vec<u32>) {
        let gone: Vec<AttemptId> = self.slots.iter().filter(|(_, slot)| lost.contains(slot)).map(|(attempt, _)| *attempt).collect();
        for attempt in gone {
            self.tasks.remove(&attempt);
            self.cut_off.insert(attempt);
            self.ended.insert(attempt);
            let worker = self.worker_of(attempt);
            self.worker(worker).ledger.lost(attempt);
        }
        self.supply.held.retain(|slot| !lost.contains(slot));
        self.tell(JobEvent::SlotsLost { slots: lost, reason: "TaskManagers are gone".into() });
    }

    /// The next leader learns from workers which slots the job holds.
    pub(super) fn job_was_taken_over(&mut self) {
        self.forget_slots();
        self.topology = self.submitted.clone();
    }

    /// What a worker tells the next leader: the slots of its tasks.
    pub(super) fn adopted_slots(&mut self, inventory: &WorkerInventory) {
        self.supply.held.extend(inventory.tasks.iter().map(|task| task.slot));
        // Since the leader before has given others away, there may be more than there can be: they are given back soon.
    }

    pub(super) fn forget_slots(&mut self) {
        self.supply.held.clear();
        self.supply.wanted = 0;
        self.supply.at_once = 0;
    }

    /// Bounds as a client may ask for them, now and then such that cannot be.
    pub(super) fn some_bounds(&mut self) -> Vec<ParallelismBounds> {
        let groups = self.topology.forward_groups();
        let common = 1 + self.random.below(4) as u32;
        let exact = self.random.percent(50);
        if self.faulty() && self.random.percent(50) {
            // The slots that come are too few, or there are none.
            self.supply.capacity = self.supply.held.len() as u32 + self.random.below(3) as u32;
            let end = self.now + FAULTS_UNTIL;
            self.at(end, Happening::Capacity);
        }
        let mut bounds: Vec<ParallelismBounds> = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            let upper = if self.random.percent(60) { common } else { 1 + self.random.below(4) as u32 };
            let lower = if exact { upper } else { 1 + self.random.below(u64::from(upper)) as u32 };
            let of_group = (group.0 as usize) < number;
            bounds.push(if of_group { bounds[group.0 as usize] } else { ParallelismBounds { lower, upper } });
        }
        if self.random.percent(5) {
            bounds[0] = [ParallelismBounds { lower: 0, upper: 1 }, ParallelismBounds::exactly(17)][self.random.below(2) as usize];
        }
        bounds
    }
}
