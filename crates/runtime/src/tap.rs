//! Taps: a sample of the records that a task takes and emits, for people to look at.
//!
//! A closed tap costs a look at one flag for each batch. An open one writes a few records of a batch as text, on the task's own thread
//! and outside of any lock, and keeps them until they are fetched: so many a second and so many bytes at the most. It closes by itself
//! when nobody fetches any more.

use crate::panics::catching;
use flott_core::{
    AnyBatch, Timestamp,
    tap::{RECORD_TEXT_BYTES, TapPolicy},
    time::SharedClock,
};
use flott_rpc::tap::{MOST_RECORDS_PER_SECOND, TapDirection, TapSample, TapShown, TappedRecord};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Records that a task keeps until they are fetched.
const MOST_RECORDS: usize = 500;

/// Bytes of text that a task keeps until they are fetched.
const MOST_BYTES: usize = 256 << 10;

/// A millionth of a record is what budgets count in.
const RECORD: u64 = 1_000_000;

/// The tap of a task. Cheap to clone: clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Tap(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    open: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In monotonic time.
    open_until: Duration,
    per_second: u32,
    records: VecDeque<TappedRecord>,
    bytes: usize,
    missed: u64,
}

impl Tap {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody looks.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Holds the tap open until the monotonic time `until`, for `per_second` records at each place, and takes what was seen.
    pub fn fetch(&self, until: Duration, per_second: u32) -> TapSample {
        let state = &mut *self.lock();
        state.open_until = until;
        state.per_second = per_second.clamp(1, MOST_RECORDS_PER_SECOND);
        self.0.open.store(true, Ordering::Relaxed);
        state.bytes = 0;
        TapSample { records: std::mem::take(&mut state.records).into(), missed: std::mem::take(&mut state.missed) }
    }

    /// Closes the tap if nobody has fetched anything for too long, and lets go of what it has seen.
    pub fn expire(&self, now: Duration) {
        if self.is_open() {
            self.rate(now);
        }
    }

    /// Records a second at each place at the monotonic time `now`; `None`: it is closed.
    fn rate(&self, now: Duration) -> Option<u32> {
        let state = &mut *self.lock();
        if now < state.open_until {
            return Some(state.per_second);
        }
        self.0.open.store(false, Ordering::Relaxed);
        *state = State::default();
        None
    }

    fn add(&self, records: Vec<TappedRecord>) {
        let state = &mut *self.lock();
        for record in records {
            state.bytes += bytes(&record);
            state.records.push_back(record);
        }
        while state.records.len() > MOST_RECORDS || state.bytes > MOST_BYTES {
            // The newest ones tell more.
            let Some(oldest) = state.records.pop_front() else { return };
            state.bytes -= bytes(&oldest);
            state.missed += 1;
        }
    }
}

fn bytes(record: &TappedRecord) -> usize {
    size_of::<TappedRecord>() + record.operator.len() + record.value.len()
}

/// How many records may still be shown of one place.
#[derive(Debug, Clone, Copy, Default)]
struct Budget {
    left: u64,
    at: Option<Duration>,
}

impl Budget {
    /// How many of `wanted` records may be shown at `now`. What is not shown in a quiet second may not be made up for later.
    fn take(&mut self, now: Duration, per_second: u32, wanted: usize) -> usize {
        let full = u64::from(per_second) * RECORD;
        let earned = |at: Duration| (now.saturating_sub(at).as_micros() as u64).saturating_mul(u64::from(per_second));
        self.left = self.at.map_or(full, |at| self.left.saturating_add(earned(at)).min(full));
        self.at = Some(now);
        let taken = (self.left / RECORD).min(wanted as u64);
        self.left -= taken * RECORD;
        taken as usize
    }
}

/// A place in a task where records are seen.
#[derive(Debug)]
struct Place {
    operator: String,
    policy: TapPolicy,
    budget: Budget,
}

impl Place {
    fn new((operator, policy): (String, TapPolicy)) -> Self {
        Place { operator, policy, budget: Budget::default() }
    }
}

/// The task's end of its tap.
pub(crate) struct Sampler {
    tap: Tap,
    clock: SharedClock,
    subtask: u32,
    /// Of each channel.
    inputs: Vec<Place>,
    /// Of each operator.
    outputs: Vec<Place>,
}

type Places = Vec<(String, TapPolicy)>;

impl Sampler {
    /// Of `subtask`, whose channels and operators have these names and policies; a channel has that of the operator that takes from it.
    pub(crate) fn new(tap: Tap, clock: SharedClock, subtask: u32, inputs: Places, outputs: Places) -> Self {
        let places = |all: Places| all.into_iter().map(Place::new).collect();
        Sampler { tap, clock, subtask, inputs: places(inputs), outputs: places(outputs) }
    }

    /// Whether anybody looks.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.tap.is_open()
    }

    /// The task has got a batch on `channel`.
    #[cold]
    pub(crate) fn taken(&mut self, channel: usize, batch: &AnyBatch) {
        self.sample(TapDirection::In, channel, batch);
    }

    /// Operator number `operator` has emitted a batch.
    #[cold]
    pub(crate) fn emitted(&mut self, operator: usize, batch: &AnyBatch) {
        self.sample(TapDirection::Out, operator, batch);
    }

    fn sample(&mut self, direction: TapDirection, place: usize, batch: &AnyBatch) {
        let now = self.clock.monotonic();
        let Some(per_second) = self.tap.rate(now) else { return };
        let places = if direction == TapDirection::In { &mut self.inputs } else { &mut self.outputs };
        // All channels together have the budget of one place.
        let budget = if direction == TapDirection::In { 0 } else { place };
        let Some(count) = places.get_mut(budget).map(|place| place.budget.take(now, per_second, batch.len())) else { return };
        let Some(place) = places.get(place).filter(|_| count > 0) else { return };
        let at = self.clock.wall();
        // Spread over the batch, since neighbours are often alike.
        let chosen = (0..count).map(|number| (2 * number + 1) * batch.len() / (2 * count));
        let records = chosen.map(|index| record(batch, index, place, (self.subtask, direction, at)));
        self.tap.add(records.collect());
    }
}

fn record(batch: &AnyBatch, index: usize, place: &Place, (subtask, direction, at): (u32, TapDirection, Timestamp)) -> TappedRecord {
    // Masks are code of users; what a panic of theirs says may hold what they are to hide.
    let (shown, value, truncated) = match catching(|| batch.tap(index, &place.policy, RECORD_TEXT_BYTES)) {
        Ok(Some(text)) => {
            let shown = if place.policy.shows_all() { TapShown::Clear } else { TapShown::Masked };
            (shown, text.text, text.truncated)
        }
        Ok(None) => (TapShown::Hidden, String::new(), false),
        Err(_) => (TapShown::Failed, String::new(), false),
    };
    // The smallest timestamp stands for none. That of a hidden record is a part of it.
    let is_seen = matches!(shown, TapShown::Clear | TapShown::Masked);
    let timestamp = batch.timestamp(index).filter(|timestamp| is_seen && *timestamp != Timestamp::MIN);
    TappedRecord { subtask, operator: place.operator.clone(), direction, at, timestamp, shown, value, truncated }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::{Batch, batch::Timestamps, tap::TapMask, time::Clock};
    use std::{sync::atomic::AtomicU64, task::Waker};

    /// A clock that stands still until it is told otherwise, ms.
    #[derive(Default)]
    struct Hand(AtomicU64);
    impl Clock for Hand {
        fn wall(&self) -> Timestamp {
            1000 + self.0.load(Ordering::Relaxed) as i64
        }
        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
        fn wake_at(&self, _: Duration, _: &Waker) {}
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn numbers(count: u64) -> AnyBatch {
        AnyBatch::new(Batch { values: (0..count).collect(), timestamps: Timestamps::All(5), hashes: Vec::new() })
    }

    fn sampler(policy: TapPolicy) -> (Tap, Arc<Hand>, Sampler) {
        let (tap, clock) = (Tap::default(), Arc::<Hand>::default());
        let inputs = vec![("take".to_owned(), TapPolicy::default()), ("take".to_owned(), TapPolicy::Hidden)];
        let sampler = Sampler::new(tap.clone(), clock.clone(), 3, inputs, vec![("emit".to_owned(), policy)]);
        (tap, clock, sampler)
    }

    fn values(sample: TapSample) -> Vec<String> {
        sample.records.into_iter().map(|record| record.value).collect()
    }

    #[test]
    fn a_closed_tap_sees_nothing() {
        let (tap, _, mut sampler) = sampler(TapPolicy::default());
        assert!(!sampler.is_open());
        sampler.emitted(0, &numbers(10));
        assert_eq!(tap.fetch(secs(5), 10), TapSample::default());
        assert!(sampler.is_open());
    }

    #[test]
    fn records_are_spread_over_the_batch_and_limited_by_the_second() {
        let (tap, clock, mut sampler) = sampler(TapPolicy::default());
        tap.fetch(secs(5), 4);
        sampler.emitted(0, &numbers(1000));
        sampler.emitted(0, &numbers(1000));
        assert_eq!(values(tap.fetch(secs(5), 4)), ["125", "375", "625", "875"]);
        clock.0.store(500, Ordering::Relaxed);
        sampler.emitted(0, &numbers(1000));
        let sample = tap.fetch(secs(5), 4);
        let expected = TappedRecord {
            subtask: 3,
            operator: "emit".to_owned(),
            direction: TapDirection::Out,
            at: 1500,
            timestamp: Some(5),
            shown: TapShown::Clear,
            value: "250".to_owned(),
            truncated: false,
        };
        assert_eq!((sample.records.len(), &sample.records[0]), (2, &expected));
        clock.0.store(4500, Ordering::Relaxed);
        sampler.emitted(0, &numbers(3));
        assert_eq!(values(tap.fetch(secs(5), 4)), ["0", "1", "2"], "a small batch is shown whole");
    }

    #[test]
    fn all_channels_of_a_task_share_one_limit_and_each_has_its_policy() {
        let (tap, _, mut sampler) = sampler(TapPolicy::default());
        tap.fetch(secs(5), 3);
        sampler.taken(0, &numbers(2));
        sampler.taken(1, &numbers(2));
        sampler.emitted(0, &numbers(1));
        let sample = tap.fetch(secs(5), 3);
        let seen: Vec<_> = sample.records.iter().map(|record| (record.direction, record.shown, record.value.as_str())).collect();
        let (input, out) = (TapDirection::In, TapDirection::Out);
        let expected =
            [(input, TapShown::Clear, "0"), (input, TapShown::Clear, "1"), (input, TapShown::Hidden, ""), (out, TapShown::Clear, "0")];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_tap_that_nobody_fetches_from_closes_and_forgets() {
        let (tap, clock, mut sampler) = sampler(TapPolicy::default());
        tap.fetch(secs(5), 10);
        sampler.emitted(0, &numbers(1));
        clock.0.store(4999, Ordering::Relaxed);
        tap.expire(clock.monotonic());
        assert!(tap.is_open());
        clock.0.store(5000, Ordering::Relaxed);
        sampler.emitted(0, &numbers(1));
        assert!(!tap.is_open());
        assert_eq!(tap.fetch(secs(9), 10), TapSample::default());
        clock.0.store(9000, Ordering::Relaxed);
        tap.expire(clock.monotonic());
        assert!(!tap.is_open());
    }

    #[test]
    fn what_is_not_fetched_makes_room_for_what_is_newer() {
        let (tap, clock, mut sampler) = sampler(TapPolicy::default());
        tap.fetch(secs(1000), 100);
        for second in 0..10 {
            clock.0.store(second * 1000, Ordering::Relaxed);
            sampler.emitted(0, &numbers(100));
        }
        let sample = tap.fetch(secs(1000), 100);
        assert_eq!((sample.records.len(), sample.missed), (MOST_RECORDS, 500));
        assert_eq!(sample.records[0].at, 6000);
        clock.0.store(20_000, Ordering::Relaxed);
        let large = AnyBatch::new(Batch::of(vec!["x".repeat(100_000); 100]));
        sampler.emitted(0, &large);
        let sample = tap.fetch(secs(1000), 100);
        assert!(sample.records.iter().map(bytes).sum::<usize>() <= MOST_BYTES);
        assert_eq!(sample.records.len() + sample.missed as usize, 100);
        assert!(sample.records[0].truncated);
    }

    #[test]
    fn what_a_job_masks_or_hides_is_not_there() {
        let (tap, _, mut masked) = sampler(TapPolicy::Masked(vec![TapMask::new(|number: &mut u64| *number = 99)]));
        tap.fetch(secs(5), 10);
        masked.emitted(0, &numbers(1));
        assert_eq!(tap.fetch(secs(5), 10).records.first().map(|one| (one.shown, one.value.clone())), Some((TapShown::Masked, "99".into())));
        let (tap, _, mut hidden) = sampler(TapPolicy::Hidden);
        tap.fetch(secs(5), 10);
        hidden.emitted(0, &numbers(1));
        assert_eq!(
            tap.fetch(secs(5), 10).records.first().map(|one| (one.shown, one.value.clone())),
            Some((TapShown::Hidden, String::new()))
        );
    }

    #[test]
    fn a_mask_that_panics_shows_nothing_and_does_no_harm() {
        let mask = TapMask::new(|number: &mut u64| panic!("cannot mask {number}"));
        let (tap, _, mut sampler) = sampler(TapPolicy::Masked(vec![mask]));
        tap.fetch(secs(5), 10);
        sampler.emitted(0, &numbers(1));
        let sample = tap.fetch(secs(5), 10);
        assert_eq!((sample.records[0].shown, sample.records[0].value.as_str()), (TapShown::Failed, ""));
    }
}
