//! Meters: how often something happens.

use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// The time over which a rate is taken.
const SPAN: Duration = Duration::from_secs(60);
/// The least time between two looks that are remembered.
const STEP: Duration = Duration::from_secs(1);

/// Counts events; whoever reads it learns how many there are in a second, over the last minute.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<State>);

#[derive(Debug, Default)]
struct State {
    count: AtomicU64,
    /// When it was read, and the count then; oldest first.
    looks: Mutex<VecDeque<(Duration, u64)>>,
}

/// What a meter says.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MeterFigures {
    /// Events so far.
    pub count: u64,
    /// Events in a second, over the last minute or since the meter was first read.
    pub rate: f64,
}

impl Meter {
    /// Notes `n` events.
    pub fn mark(&self, n: u64) {
        self.0.count.fetch_add(n, Ordering::Relaxed);
    }

    /// The events so far.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// What it says at the monotonic time `now`. A meter that nobody reads knows no rate.
    pub fn read(&self, now: Duration) -> MeterFigures {
        let count = self.count();
        let mut looks = self.0.looks.lock().unwrap_or_else(PoisonError::into_inner);
        // The last look before the span stays: the rate is taken over all of it.
        while looks.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= SPAN) {
            looks.pop_front();
        }
        let (since, before) = looks.front().copied().unwrap_or((now, count));
        if looks.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= STEP) {
            looks.push_back((now, count));
        }
        let passed = now.saturating_sub(since).as_secs_f64();
        let rate = if passed > 0.0 { count.saturating_sub(before) as f64 / passed } else { 0.0 };
        MeterFigures { count, rate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_minute() {
        let meter = Meter::default();
        assert_eq!(meter.read(Duration::ZERO), MeterFigures::default());
        for second in 1..=300 {
            meter.mark(if second <= 200 { 10 } else { 4 });
            meter.read(Duration::from_secs(second));
        }
        let figures = meter.read(Duration::from_secs(300));
        assert_eq!((figures.count, figures.rate), (2400, 4.0));
        assert!(meter.0.looks.lock().unwrap().len() <= 62);
    }

    #[test]
    fn looks_in_quick_succession_are_not_remembered() {
        let meter = Meter::default();
        (0..1000).for_each(|milli| assert_eq!(meter.read(Duration::from_millis(milli)).count, 0));
        assert_eq!(meter.0.looks.lock().unwrap().len(), 1);
        meter.mark(500);
        assert_eq!(meter.read(Duration::from_secs(1)).rate, 500.0);
    }
}
