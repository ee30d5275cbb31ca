//! The taps that people have begun. Each ends when it is told to, or when nobody has asked for a while what it has seen. Several of one
//! vertex share what its tasks show.

use crate::{
    cluster::ClusterError,
    model::{TapWanted, Tapped},
    operations::TriggerId,
};
use flott_core::{
    id::{JobId, OperatorId},
    time::SharedClock,
};
use flott_rpc::tap::TappedRecord;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a tap waits for whoever has begun it.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// How long tasks go on to show records when they are not asked again.
const LEASE_OF_TASKS_MS: u32 = 5000;

/// How many taps there may be at once.
const TAPS_MAX: usize = 32;

/// Records a second that each subtask shows at each place.
pub(crate) const RECORDS_PER_SECOND: u32 = 10;

/// The same of all subtasks of a vertex together: of those that have many, each shows fewer, down to one.
const RECORDS_PER_SECOND_OF_ALL: u32 = 200;

/// Tasks are not asked again before.
const PAUSE: Duration = Duration::from_millis(200);

/// Records of a vertex that wait for those who ask more seldom than others.
const RECORDS_MAX: usize = 5000;

/// Bytes of their texts.
const BYTES_MAX: usize = 4 << 20;

/// A vertex of a job.
pub(crate) type Place = (JobId, OperatorId);

/// The taps of a server.
pub(crate) struct Taps {
    clock: SharedClock,
    open: Mutex<HashMap<TriggerId, Tap>>,
    seen: Mutex<HashMap<Place, Arc<Mutex<Seen>>>>,
}

/// One that somebody has begun.
#[derive(Debug, Clone, Copy)]
struct Tap {
    place: Place,
    subtask: Option<u32>,
    asked: Duration,
    /// The number of the next record that it is to be told, and what was missed in all before. `None`: it was told nothing yet.
    told: Option<(u64, u64)>,
}

/// What the tasks of a vertex have shown.
#[derive(Debug, Default)]
struct Seen {
    records: VecDeque<TappedRecord>,
    bytes: usize,
    /// The number of the first of `records`.
    first: u64,
    missed: u64,
    message: Option<String>,
    asked: Option<Duration>,
}

impl fmt::Debug for Taps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taps").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Seen {
    fn end(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    fn add(&mut self, tapped: Tapped) {
        self.missed += tapped.missed;
        self.message = tapped.message;
        self.bytes += tapped.records.iter().map(|record| record.value.len()).sum::<usize>();
        self.records.extend(tapped.records);
        while self.records.len() > RECORDS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.records.pop_front() else { return };
            self.bytes -= oldest.value.len();
            self.first += 1;
        }
    }
}

impl Taps {
    /// None yet. Leases run by `clock`.
    pub(crate) fn new(clock: SharedClock) -> Self {
        Taps { clock, open: Mutex::default(), seen: Mutex::default() }
    }

    /// Ends those that nobody asks about.
    fn clean(&self) -> MutexGuard<'_, HashMap<TriggerId, Tap>> {
        let now = self.clock.monotonic();
        let mut open = lock(&self.open);
        open.retain(|_, tap| now.saturating_sub(tap.asked) < LEASE);
        lock(&self.seen).retain(|place, _| open.values().any(|tap| tap.place == *place));
        open
    }

    /// Begins a tap, whose id is `id`.
    ///
    /// # Errors
    /// There are too many.
    pub(crate) fn begin(&self, id: TriggerId, place: Place, subtask: Option<u32>) -> Result<(), ClusterError> {
        let mut open = self.clean();
        if open.len() >= TAPS_MAX {
            return Err(ClusterError::Unavailable(format!("{TAPS_MAX} taps are open already; try again when one of them has ended")));
        }
        open.insert(id, Tap { place, subtask, asked: self.clock.monotonic(), told: None });
        Ok(())
    }

    /// Ends a tap. Returns whether there was one.
    pub(crate) fn end(&self, id: TriggerId, place: Place) -> bool {
        let mut open = self.clean();
        let there = open.get(&id).is_some_and(|tap| tap.place == place);
        if there {
            open.remove(&id);
            drop(open);
            drop(self.clean());
        }
        there
    }

    /// What a tap of a vertex with `parallelism` subtasks has seen since this was last asked; `ask` asks the tasks. `None`: there is no
    /// such tap, or not any more.
    ///
    /// # Errors
    /// Those of `ask`.
    pub(crate) fn look(
        &self,
        id: TriggerId,
        place: Place,
        parallelism: u32,
        ask: impl FnOnce(TapWanted) -> Result<Tapped, ClusterError>,
    ) -> Result<Option<Tapped>, ClusterError> {
        let now = self.clock.monotonic();
        let (subtask, seen) = {
            let mut open = self.clean();
            match open.get_mut(&id).filter(|tap| tap.place == place) {
                Some(tap) => tap.asked = now,
                None => return Ok(None),
            }
            let mut wanted = open.values().filter(|tap| tap.place == place).map(|tap| tap.subtask);
            let first = wanted.next().flatten();
            (first.filter(|_| wanted.all(|other| other == first)), lock(&self.seen).entry(place).or_default().clone())
        };
        // Whoever asks meanwhile about the same vertex waits for the same answers.
        let mut seen = lock(&seen);
        let before = (seen.end(), seen.missed);
        if seen.asked.is_none_or(|asked| now.saturating_sub(asked) >= PAUSE) {
            seen.asked = Some(now);
            let per_second = match subtask {
                Some(_) => RECORDS_PER_SECOND,
                None => (RECORDS_PER_SECOND_OF_ALL / parallelism.max(1)).clamp(1, RECORDS_PER_SECOND),
            };
            let tapped = ask(TapWanted { subtask, per_second, lease_ms: LEASE_OF_TASKS_MS })?;
            seen.add(tapped);
        }
        let mut open = lock(&self.open);
        let Some(tap) = open.get_mut(&id) else { return Ok(None) };
        let wanted = |record: &&TappedRecord| tap.subtask.is_none_or(|subtask| record.subtask == subtask);
        let (next, missed) = tap.told.unwrap_or(before);
        let skipped = next.saturating_sub(seen.first) as usize;
        let records = seen.records.iter().skip(skipped).filter(wanted).cloned().collect();
        let missed = seen.missed - missed + seen.first.saturating_sub(next);
        tap.told = Some((seen.end(), seen.missed));
        Ok(Some(Tapped { records, missed, message: seen.message.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::{
        Timestamp,
        time::{Clock, SharedClock},
    };
    use flott_rpc::tap::{TapDirection, TapShown};
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        task::Waker,
    };

    const PLACE: Place = (JobId(1), OperatorId(2));

    /// A clock that is told the time, ms.
    #[derive(Default)]
    struct Hand(AtomicU64);
    impl Clock for Hand {
        fn wall(&self) -> Timestamp {
            0
        }
        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
        fn wake_at(&self, _: Duration, _: &Waker) {}
    }

    fn taps() -> (Arc<Hand>, Taps) {
        let clock = Arc::<Hand>::default();
        (clock.clone(), Taps::new(clock as SharedClock))
    }

    fn record(subtask: u32, value: &str) -> TappedRecord {
        let (operator, direction, shown) = (String::new(), TapDirection::In, TapShown::Clear);
        TappedRecord { subtask, operator, direction, at: 0, timestamp: None, shown, value: value.to_owned(), truncated: false }
    }

    fn tapped(records: &[(u32, &str)]) -> Result<Tapped, ClusterError> {
        Ok(Tapped { records: records.iter().map(|(subtask, value)| record(*subtask, value)).collect(), missed: 1, message: None })
    }

    fn values(tapped: Option<Tapped>) -> Vec<String> {
        tapped.expect("the tap is open").records.into_iter().map(|record| record.value).collect()
    }

    #[test]
    fn those_who_look_at_one_vertex_get_the_same_records_each_once() {
        let (clock, taps) = taps();
        let (one, two) = (TriggerId(1), TriggerId(2));
        taps.begin(one, PLACE, None).unwrap();
        assert_eq!(values(taps.look(one, PLACE, 2, |_| tapped(&[(0, "a")])).unwrap()), ["a"]);
        taps.begin(two, PLACE, Some(1)).unwrap();
        assert!(values(taps.look(two, PLACE, 2, |_| panic!("the tasks were asked just now")).unwrap()).is_empty());
        clock.0.store(1000, Ordering::Relaxed);
        assert_eq!(values(taps.look(one, PLACE, 2, |_| tapped(&[(0, "b"), (1, "c")])).unwrap()), ["b", "c"]);
        let second = taps.look(two, PLACE, 2, |_| panic!("once is enough")).unwrap().unwrap();
        assert_eq!((second.missed, values(Some(second))), (1, vec!["c".to_owned()]));
        clock.0.store(1200, Ordering::Relaxed);
        assert_eq!(values(taps.look(two, PLACE, 2, |_| tapped(&[(1, "d")])).unwrap()), ["d"]);
        assert_eq!(values(taps.look(one, PLACE, 2, |_| panic!()).unwrap()), ["d"]);
    }

    #[test]
    fn tasks_are_asked_for_as_little_as_is_wanted() {
        let (clock, taps) = taps();
        let wanted = |id, parallelism| {
            let mut found = None;
            clock.0.fetch_add(1000, Ordering::Relaxed);
            taps.look(TriggerId(id), PLACE, parallelism, |wanted| {
                found = Some((wanted.subtask, wanted.per_second));
                Ok(Tapped::default())
            })
            .unwrap();
            found.unwrap()
        };
        taps.begin(TriggerId(1), PLACE, Some(3)).unwrap();
        assert_eq!(wanted(1, 1000), (Some(3), 10));
        taps.begin(TriggerId(2), PLACE, Some(4)).unwrap();
        assert_eq!(wanted(1, 1000), (None, 1));
        assert_eq!(wanted(2, 50), (None, 4));
        assert!(taps.end(TriggerId(1), PLACE));
        assert_eq!(wanted(2, 50), (Some(4), 10));
    }

    #[test]
    fn a_tap_ends_when_nobody_looks_or_when_it_is_told_to() {
        let (clock, taps) = taps();
        let look = |id| taps.look(TriggerId(id), PLACE, 1, |_| tapped(&[])).unwrap().is_some();
        taps.begin(TriggerId(1), PLACE, None).unwrap();
        taps.begin(TriggerId(2), PLACE, None).unwrap();
        clock.0.store(9999, Ordering::Relaxed);
        assert!(look(1));
        clock.0.store(10_000, Ordering::Relaxed);
        assert!(look(1) && !look(2) && !look(3));
        assert!(!taps.end(TriggerId(1), (JobId(1), OperatorId(3))), "another vertex");
        taps.begin(TriggerId(1), PLACE, None).unwrap();
        assert!(taps.end(TriggerId(1), PLACE) && !look(1) && !taps.end(TriggerId(1), PLACE));
        assert!(lock(&taps.seen).is_empty());
    }

    #[test]
    fn there_are_not_too_many_taps_and_not_too_many_records() {
        let (clock, taps) = taps();
        for id in 0..TAPS_MAX {
            taps.begin(TriggerId(id as u128), PLACE, None).unwrap();
        }
        assert!(matches!(taps.begin(TriggerId(99), PLACE, None), Err(ClusterError::Unavailable(_))));
        for turn in 1..=10 {
            clock.0.store(turn * 1000, Ordering::Relaxed);
            let many = Tapped { records: vec![record(0, "x"); 1000], ..Tapped::default() };
            assert!(taps.look(TriggerId(0), PLACE, 1, |_| Ok(many)).unwrap().is_some());
            taps.look(TriggerId(1), PLACE, 1, |_| Ok(Tapped::default())).unwrap().filter(|_| turn == 1);
        }
        assert_eq!(lock(&lock(&taps.seen)[&PLACE]).records.len(), RECORDS_MAX);
    }

    #[test]
    fn what_tasks_cannot_tell_is_an_error_and_the_next_look_may_succeed() {
        let (clock, taps) = taps();
        taps.begin(TriggerId(1), PLACE, None).unwrap();
        assert!(taps.look(TriggerId(1), PLACE, 1, |_| Err(ClusterError::Conflict("ended".to_owned()))).is_err());
        clock.0.store(1000, Ordering::Relaxed);
        assert_eq!(values(taps.look(TriggerId(1), PLACE, 1, |_| tapped(&[(0, "a")])).unwrap()), ["a"]);
    }
}
