//! How slow the store is, and how long leases must be for that.

use std::time::Duration;

/// A lease lasts so many times as long as the slowest write.
const WRITES_IN_A_LEASE: u32 = 4;
/// For how long a slow write is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// However slow the store is, no lease is made longer than this: nobody leads for so long when a leader dies.
const LONGEST: Duration = Duration::from_secs(10);

/// The slowest write of the last minute. A disk that is busy with a large checkpoint may take seconds for a few bytes, and a leader that
/// lost its lease each time would give up the checkpoint with it.
#[derive(Debug, Default)]
pub(super) struct Pace(Option<Slowest>);

#[derive(Debug)]
struct Slowest {
    took: Duration,
    at: Duration,
}

impl Pace {
    /// A write was answered at `now`, whatever the answer.
    pub(super) fn wrote(&mut self, now: Duration, took: Duration) {
        let counts = |slowest: &Slowest| slowest.took > took && now.saturating_sub(slowest.at) < REMEMBERED_FOR;
        if !self.0.as_ref().is_some_and(counts) {
            self.0 = Some(Slowest { took, at: now });
        }
    }

    /// How long a lease is to last that would last for `least` with a fast store.
    pub(super) fn lease_duration(&self, least: Duration) -> Duration {
        let wanted = self.0.as_ref().map_or(Duration::ZERO, |slowest| slowest.took * WRITES_IN_A_LEASE);
        wanted.min(LONGEST).max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_as_long_as_the_store_is_slow_until_that_is_forgotten() {
        let (second, mut pace) = (Duration::from_secs(1), Pace::default());
        assert_eq!(pace.lease_duration(second), second);
        pace.wrote(second, second / 100);
        assert_eq!(pace.lease_duration(second), second);
        pace.wrote(2 * second, second * 3 / 2);
        pace.wrote(3 * second, second / 100);
        assert_eq!(pace.lease_duration(second), 6 * second);
        pace.wrote(4 * second, 10 * second);
        assert_eq!((pace.lease_duration(second), pace.lease_duration(20 * second)), (LONGEST, 20 * second));
        pace.wrote(65 * second, second / 100);
        assert_eq!(pace.lease_duration(second), second);
    }
}
