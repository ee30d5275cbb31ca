//! How slow the store is, and how long leases must be for that.

use std::{collections::VecDeque, time::Duration};

/// A lease lasts so many times as long as the slowest write.
const WRITES_IN_A_LEASE: u32 = 4;
/// However slow the store is, no lease is made longer than this: nobody leads for so long when a leader dies.
const LONGEST: Duration = Duration::from_secs(10);

/// The slowest write of the last minute. A disk that is busy with a large checkpoint may take seconds for a few bytes, and a leader that
/// lost its lease each time would give up the checkpoint with it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Those that no later one was slower than: when each was answered, and what it took. Each is faster than the one before it.
    slowest: VecDeque<(Duration, Duration)>,
}

impl Pace {
    /// A write was answered at `now`, whatever the answer. What was before the last `remembered_for` is forgotten.
    pub(super) fn wrote(&mut self, now: Duration, took: Duration, remembered_for: Duration) {
        while self.slowest.back().is_some_and(|(_, other)| *other <= took) {
            self.slowest.pop_back();
        }
        self.slowest.push_back((now, took));
        while self.slowest.front().is_some_and(|(at, _)| now.saturating_sub(*at) >= remembered_for) {
            self.slowest.pop_front();
        }
    }

    /// How long a lease is to last that would last for `least` with a fast store.
    pub(super) fn lease_duration(&self, least: Duration) -> Duration {
        let wanted = self.slowest.front().map_or(Duration::ZERO, |(_, took)| *took * WRITES_IN_A_LEASE);
        wanted.min(LONGEST).max(least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_as_long_as_the_store_is_slow_until_that_is_forgotten() {
        let (second, mut pace) = (Duration::from_secs(1), Pace::default());
        let mut wrote = |at: u32, took: Duration| {
            pace.wrote(second * at, took, second * 60);
            pace.lease_duration(second)
        };
        assert_eq!(wrote(1, second / 100), second);
        assert_eq!(wrote(2, second * 3 / 2), 6 * second);
        assert_eq!(wrote(30, second), 6 * second);
        assert_eq!(wrote(61, second / 100), 6 * second);
        assert_eq!(wrote(62, second / 100), 4 * second, "the next slow one counts");
        assert_eq!(wrote(90, second / 100), second);
        assert_eq!(wrote(91, second * 10), LONGEST);
        assert_eq!((pace.lease_duration(second * 20), Pace::default().lease_duration(second)), (20 * second, second));
    }
}
