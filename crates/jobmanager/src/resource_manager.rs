//! The slots of a cluster: which TaskManagers offer them, which jobs hold them, who waits for some.
//!
//! ```text
//!  free ──request / register──▶ granted to a job ──release, its end──▶ free
//!                                      └── its TaskManager is lost ──▶ gone
//! ```
//! Whoever waits longest is served first, with as many as there are. A job that gets too few to run, or one that runs and gets too few for
//! another parallelism, gives them back after a while, and waits for all at once: it is served when there are so many, and until then keeps
//! nobody behind it from being served. So no two jobs wait for what the other one holds, and one that needs more than the cluster has does
//! not keep others from running.

use flott_core::id::JobId;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

/// Slots of one TaskManager that a job may use from now on. A number names a slot for as long as the job holds it, and no other later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotGrant {
    /// The job.
    pub job: JobId,
    /// The TaskManager.
    pub task_manager: String,
    /// The slots.
    pub slots: Vec<u32>,
}

/// A TaskManager, as far as its slots are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offered {
    slots: u32,
    held: BTreeMap<u32, JobId>,
}

impl Offered {
    fn free(&self) -> u32 {
        self.slots.saturating_sub(self.held.len() as u32)
    }

    fn has(&self, job: JobId) -> bool {
        self.held.values().any(|holder| *holder == job)
    }

    /// Who comes first when slots are given to `job`: where it is already, so that its tasks are together; then where there is most room.
    fn rank(&self, job: JobId) -> (bool, u32) {
        (self.has(job), self.free())
    }
}

/// A job that wants slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    job: JobId,
    missing: u32,
    /// All or none.
    at_once: bool,
}

/// The slots of a cluster.
#[derive(Debug, Clone, Default)]
pub struct ResourceManager {
    task_managers: BTreeMap<String, Offered>,
    /// Those that have free slots.
    with_room: BTreeSet<String>,
    waiting: VecDeque<Waiting>,
    next_slot: u32,
    /// Nobody is served for now.
    held: bool,
}

impl ResourceManager {
    /// A TaskManager offers slots.
    pub fn register(&mut self, task_manager: &str, slots: u32) -> Vec<SlotGrant> {
        let offered = self.task_managers.entry(task_manager.to_owned()).or_insert(Offered { slots, held: BTreeMap::new() });
        offered.slots = slots;
        self.note_room(task_manager);
        self.serve()
    }

    /// A TaskManager is gone. Returns the slots that jobs held there.
    pub fn lost(&mut self, task_manager: &str) -> Vec<(JobId, Vec<u32>)> {
        let Some(gone) = self.task_managers.remove(task_manager) else { return Vec::new() };
        self.with_room.remove(task_manager);
        let mut by_job: BTreeMap<JobId, Vec<u32>> = BTreeMap::new();
        for (slot, job) in gone.held {
            by_job.entry(job).or_default().push(slot);
        }
        by_job.into_iter().collect()
    }

    /// Serves nobody until [`ResourceManager::resume`]: which slots are free is not known yet.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// All slots that jobs hold are known.
    pub fn resume(&mut self) -> Vec<SlotGrant> {
        self.held = false;
        self.serve()
    }

    /// A job holds these slots of a TaskManager, given to it by another leader.
    pub fn adopt(&mut self, job: JobId, task_manager: &str, slots: &[u32]) {
        if let Some(offered) = self.task_managers.get_mut(task_manager) {
            offered.held.extend(slots.iter().map(|slot| (*slot, job)));
        }
        self.note_room(task_manager);
        let above = slots.iter().max().map_or(0, |slot| slot.saturating_add(1));
        self.next_slot = self.next_slot.max(above);
    }

    /// A job wants so many slots more.
    pub fn request(&mut self, job: JobId, count: u32) -> Vec<SlotGrant> {
        if count > 0 {
            self.waiting.push_back(Waiting { job, missing: count, at_once: false });
        }
        self.serve()
    }

    /// A job gives back slots that do not suffice, and wants so many at once instead of what it wanted before. It keeps its place among
    /// those that wait for all at once.
    pub fn yield_slots(&mut self, job: JobId, held: &[u32], needed: u32) -> Vec<SlotGrant> {
        let place = self.waiting.iter().position(|waiting| waiting.job == job && waiting.at_once);
        let others_before = self.waiting.iter().take(place.unwrap_or(usize::MAX)).filter(|waiting| waiting.job != job).count();
        self.waiting.retain(|waiting| waiting.job != job);
        if needed > 0 {
            self.waiting.insert(others_before, Waiting { job, missing: needed, at_once: true });
        }
        self.release(job, held)
    }

    /// Of the slots that it waits for, a job has no use for so many.
    pub fn withdraw(&mut self, job: JobId, mut count: u32) {
        // It keeps its place in the queue with the rest.
        for waiting in self.waiting.iter_mut().rev().filter(|waiting| waiting.job == job) {
            let taken = count.min(waiting.missing);
            waiting.missing -= taken;
            count -= taken;
        }
        self.waiting.retain(|waiting| waiting.missing > 0);
    }

    /// A job gives slots back.
    pub fn release(&mut self, job: JobId, slots: &[u32]) -> Vec<SlotGrant> {
        let slots: BTreeSet<u32> = slots.iter().copied().collect();
        self.take_back(|slot, holder| holder == job && slots.contains(&slot));
        self.serve()
    }

    /// A job has ended: it holds nothing and wants nothing.
    pub fn job_ended(&mut self, job: JobId) -> Vec<SlotGrant> {
        self.waiting.retain(|waiting| waiting.job != job);
        self.take_back(|_, holder| holder == job);
        self.serve()
    }

    /// All slots, and those that nobody holds.
    pub fn totals(&self) -> (u32, u32) {
        let all = self.task_managers.values();
        all.fold((0, 0), |(slots, free), offered| (slots + offered.slots, free + offered.free()))
    }

    /// The slots of a TaskManager that are held, and by whom.
    pub fn held_on(&self, task_manager: &str) -> BTreeMap<u32, JobId> {
        self.task_managers.get(task_manager).map(|offered| offered.held.clone()).unwrap_or_default()
    }

    fn take_back(&mut self, is_returned: impl Fn(u32, JobId) -> bool) {
        for (task_manager, offered) in &mut self.task_managers {
            offered.held.retain(|slot, holder| !is_returned(*slot, *holder));
            if offered.free() > 0 && !self.with_room.contains(task_manager) {
                self.with_room.insert(task_manager.clone());
            }
        }
    }

    fn note_room(&mut self, task_manager: &str) {
        if self.task_managers.get(task_manager).is_some_and(|offered| offered.free() > 0) {
            self.with_room.insert(task_manager.to_owned());
        } else {
            self.with_room.remove(task_manager);
        }
    }

    /// Where `job` gets up to `missing` slots, and how many.
    fn best_for(&self, job: JobId, mut missing: u32) -> Vec<(String, u32)> {
        let ranked = self.with_room.iter().filter_map(|name| Some((self.task_managers.get(name)?.rank(job), name)));
        // Each but the last gives all that it has, so that the ranks of the others stay.
        let mut ranked: BinaryHeap<((bool, u32), &String)> = ranked.collect();
        let mut best = Vec::new();
        while missing > 0
            && let Some(((_, free), name)) = ranked.pop()
        {
            let count = missing.min(free);
            missing -= count;
            best.push((name.clone(), count));
        }
        best
    }

    /// Gives what is free to those who wait.
    fn serve(&mut self) -> Vec<SlotGrant> {
        let mut grants: Vec<SlotGrant> = Vec::new();
        if self.held {
            return grants;
        }
        let mut free = self.with_room.iter().filter_map(|name| self.task_managers.get(name)).map(Offered::free).sum::<u32>();
        let mut waits_on = VecDeque::new();
        while let Some(waiting) = self.waiting.pop_front() {
            let Waiting { job, mut missing, at_once } = waiting;
            if free == 0 || (at_once && missing > free) {
                waits_on.push_back(waiting);
                continue;
            }
            free -= missing.min(free);
            for (task_manager, count) in self.best_for(job, missing) {
                let Some(offered) = self.task_managers.get_mut(&task_manager) else { continue };
                let slots: Vec<u32> = (self.next_slot..self.next_slot + count).collect();
                self.next_slot += count;
                missing -= count;
                offered.held.extend(slots.iter().map(|slot| (*slot, job)));
                self.note_room(&task_manager);
                grants.push(SlotGrant { job, task_manager, slots });
            }
            if missing > 0 {
                waits_on.push_back(Waiting { missing, ..waiting });
            }
        }
        self.waiting = waits_on;
        grants
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: JobId = JobId(1);
    const B: JobId = JobId(2);

    fn grant(job: JobId, task_manager: &str, slots: impl Into<Vec<u32>>) -> SlotGrant {
        SlotGrant { job, task_manager: task_manager.to_owned(), slots: slots.into() }
    }

    #[test]
    fn a_job_gets_what_is_there_and_the_rest_when_it_comes() {
        let mut resources = ResourceManager::default();
        assert_eq!(resources.request(A, 3), []);
        assert_eq!(resources.register("one", 2), [grant(A, "one", [0, 1])]);
        assert_eq!(resources.request(B, 1), []);
        assert_eq!(resources.register("two", 2), [grant(A, "two", [2]), grant(B, "two", [3])]);
        assert_eq!(resources.totals(), (4, 0));
    }

    #[test]
    fn a_job_stays_together_and_otherwise_goes_where_there_is_room() {
        let mut resources = ResourceManager::default();
        resources.register("one", 2);
        resources.register("two", 3);
        assert_eq!(resources.request(A, 1), [grant(A, "two", [0])]);
        assert_eq!(resources.request(A, 1), [grant(A, "two", [1])]);
        assert_eq!(resources.request(B, 1), [grant(B, "one", [2])]);
        assert_eq!(resources.request(B, 1), [grant(B, "one", [3])]);
        assert_eq!(resources.held_on("one"), [(2, B), (3, B)].into());
        assert_eq!(resources.held_on("two"), [(0, A), (1, A)].into());
        assert_eq!(resources.held_on("three"), BTreeMap::new());
    }

    #[test]
    fn what_is_withdrawn_does_not_come() {
        let mut resources = ResourceManager::default();
        resources.request(A, 2);
        resources.request(B, 1);
        resources.request(A, 3);
        resources.withdraw(A, 4);
        assert_eq!(resources.register("one", 4), [grant(A, "one", [0]), grant(B, "one", [1])]);
        resources.withdraw(B, 7);
        assert_eq!(resources.totals(), (4, 2));
    }

    #[test]
    fn what_is_given_back_goes_to_who_waits_under_a_new_number() {
        let mut resources = ResourceManager::default();
        resources.register("one", 2);
        resources.request(A, 2);
        assert_eq!(resources.request(B, 2), []);
        assert_eq!(resources.release(B, &[0]), [], "it is not B's to give");
        assert_eq!(resources.release(A, &[0]), [grant(B, "one", [2])]);
        assert_eq!(resources.job_ended(A), [grant(B, "one", [3])]);
        assert_eq!(resources.job_ended(B), []);
        assert_eq!(resources.totals(), (2, 2));
    }

    #[test]
    fn slots_of_another_leaders_jobs_are_not_given_away_twice() {
        let mut resources = ResourceManager::default();
        resources.hold();
        assert_eq!(resources.request(B, 1), []);
        assert_eq!(resources.register("one", 2), [], "A may hold both");
        resources.adopt(A, "one", &[7]);
        assert_eq!(resources.resume(), [grant(B, "one", [8])]);
        assert_eq!(resources.totals(), (2, 0));
        assert_eq!(resources.release(A, &[7]), []);
        assert_eq!(resources.totals(), (2, 1));
    }

    #[test]
    fn two_jobs_that_each_hold_a_part_do_not_wait_for_each_other() {
        let mut resources = ResourceManager::default();
        resources.register("one", 4);
        assert_eq!(resources.request(A, 2), [grant(A, "one", [0, 1])]);
        assert_eq!(resources.request(B, 2), [grant(B, "one", [2, 3])]);
        // Each of them has lost one elsewhere.
        assert_eq!(resources.request(A, 1), []);
        assert_eq!(resources.request(B, 1), []);
        assert_eq!(resources.yield_slots(A, &[0, 1], 3), [grant(B, "one", [4])]);
        assert_eq!(resources.totals(), (4, 1), "A gets all or none");
        assert_eq!(resources.register("two", 1), []);
        assert_eq!(resources.release(B, &[2]), [grant(A, "one", [5, 6]), grant(A, "two", [7])]);
    }

    #[test]
    fn who_waits_for_more_than_there_is_does_not_keep_others_from_running_and_is_served_first_when_it_can_be() {
        let mut resources = ResourceManager::default();
        resources.register("one", 3);
        assert_eq!(resources.request(A, 4), [grant(A, "one", [0, 1, 2])]);
        assert_eq!(resources.request(B, 2), []);
        assert_eq!(resources.yield_slots(A, &[0, 1, 2], 4), [grant(B, "one", [3, 4])]);
        let late = JobId(3);
        assert_eq!(resources.request(late, 4), [grant(late, "one", [5])]);
        assert_eq!(resources.yield_slots(late, &[5], 4), []);
        // One that was on its way to A when it gave way is given back, too; A stays before the other.
        assert_eq!(resources.yield_slots(A, &[], 4), []);
        assert_eq!(resources.register("two", 3), [grant(A, "two", [6, 7, 8]), grant(A, "one", [9])]);
        resources.withdraw(late, 4);
        assert_eq!(resources.job_ended(A), []);
    }

    #[test]
    fn one_that_runs_and_gives_back_what_is_of_no_use_to_it_gets_a_slot_that_it_needs_all_the_same() {
        let mut resources = ResourceManager::default();
        resources.register("one", 3);
        assert_eq!(resources.request(A, 1), [grant(A, "one", [0])]);
        assert_eq!(resources.request(A, 19), [grant(A, "one", [1, 2])]);
        assert_eq!(resources.request(B, 1), []);
        assert_eq!(resources.yield_slots(A, &[1, 2], 19), [grant(B, "one", [3])]);
        assert_eq!(resources.register("two", 4), []);
        assert_eq!(resources.request(A, 1), [grant(A, "one", [4])], "what runs has lost one");
        resources.withdraw(A, 16);
        assert_eq!(resources.request(B, 4), [grant(A, "two", [5, 6, 7]), grant(B, "two", [8])]);
    }

    #[test]
    fn a_lost_task_manager_takes_its_slots_with_it() {
        let mut resources = ResourceManager::default();
        resources.register("one", 2);
        resources.request(A, 1);
        resources.request(B, 1);
        assert_eq!(resources.lost("one"), [(A, vec![0]), (B, vec![1])]);
        assert_eq!(resources.lost("one"), []);
        assert_eq!(resources.totals(), (0, 0));
        resources.request(A, 1);
        resources.job_ended(A);
        assert_eq!(resources.register("one", 1), [], "nobody waits any more");
    }
}
