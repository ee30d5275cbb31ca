//! Virtual time: it passes when the world says so.

use flott_core::time::{Clock, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
    time::Duration,
};

/// Wall-clock time at the beginning of a run, ms since 1970.
const EPOCH: Timestamp = 1_700_000_000_000;

#[derive(Debug, Default)]
struct State {
    now: Duration,
    /// How far the wall clock has been set forward, ms.
    shift: i64,
    alarms: BTreeMap<(Duration, u64), Waker>,
    sequence: u64,
    /// How often it was read since the world took a step.
    reads: u64,
}

/// Who reads the clock so often in one step waits for a time that does not come: it spins.
const READS: u64 = 100_000;

/// The clock of a run. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimClock(Arc<Mutex<State>>);

impl SimClock {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Duration {
        let mut state = self.lock();
        state.reads += 1;
        // The panic ends whoever spins; the world learns of it by the count.
        assert!(state.reads != READS, "somebody spins");
        state.now
    }

    /// A step begins. Whether somebody has spun in the one before.
    pub(crate) fn step(&self) -> bool {
        std::mem::take(&mut self.lock().reads) >= READS
    }

    /// Lets time pass until `to`, if that lies ahead; rings the alarms on the way.
    pub(crate) fn advance(&self, to: Duration) {
        let due = {
            let mut state = self.lock();
            state.now = state.now.max(to);
            let behind = (state.now + Duration::from_nanos(1), 0);
            let later = state.alarms.split_off(&behind);
            std::mem::replace(&mut state.alarms, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    pub(crate) fn next_alarm(&self) -> Option<Duration> {
        self.lock().alarms.first_key_value().map(|((at, _), _)| *at)
    }

    /// Sets the wall clock forward or back.
    pub(crate) fn jump(&self, ms: i64) {
        self.lock().shift += ms;
    }
}

impl Clock for SimClock {
    fn wall(&self) -> Timestamp {
        let state = self.lock();
        EPOCH + state.now.as_millis() as i64 + state.shift
    }

    fn monotonic(&self) -> Duration {
        self.now()
    }

    fn wake_at(&self, deadline: Duration, waker: &Waker) {
        let mut state = self.lock();
        state.sequence += 1;
        let sequence = state.sequence;
        state.alarms.insert((deadline, sequence), waker.clone());
    }
}
