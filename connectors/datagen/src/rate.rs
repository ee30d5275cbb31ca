//! Holds a reader to its rate.

use std::time::Duration;

/// Between two looks at the clock. Fewer, larger batches at a high rate; not felt as latency at any.
const MIN_PAUSE: Duration = Duration::from_micros(100);

/// A reader looks again after this time however slow it is, so that no alarm is set beyond what a clock can count.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// How much of a stall is made up for.
const BURST: Duration = Duration::from_secs(1);

/// Says how many records are due: rate × elapsed time, less those that were emitted.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    /// Of the whole source, in records per second.
    total: f64,
    /// Of this reader, in records per second.
    rate: f64,
    since: Duration,
    emitted: u64,
    /// Nothing is emitted before this time.
    next: Option<Duration>,
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

impl RateLimiter {
    /// For a source that emits `total` records per second, finite and above 0. Nothing is due before [`Self::set_share`].
    pub(crate) fn new(total: f64) -> Self {
        RateLimiter { total, rate: 0.0, since: Duration::ZERO, emitted: 0, next: None }
    }

    /// The part of the source's rate that is this reader's, from 0 to 1. Counts anew from `now`.
    pub(crate) fn set_share(&mut self, share: f64, now: Duration) {
        self.rate = self.total * share;
        self.since = now;
        self.emitted = 0;
        self.next = None;
    }

    /// The number of records that may be emitted now. If there are none, [`Self::next`] says when to look again.
    pub(crate) fn due(&mut self, now: Duration) -> u64 {
        if self.rate <= 0.0 || self.next.is_some_and(|next| now < next) {
            return 0;
        }
        // The longest time that is made up for: of a slow source, that of one record.
        let burst = BURST.max(seconds(1.0 / self.rate));
        let limit = self.records_in(burst).max(1);
        if self.backlog(now) > limit {
            self.since = now.saturating_sub(burst);
            self.emitted = 0;
        }
        self.spend(0, now);
        self.backlog(now).min(limit)
    }

    /// `records` that were due at `now` were emitted.
    pub(crate) fn spend(&mut self, records: u64, now: Duration) {
        self.emitted = self.emitted.saturating_add(records);
        self.next = (self.backlog(now) == 0).then(|| {
            let due = self.since.saturating_add(seconds((self.emitted as f64 + 1.0) / self.rate));
            due.clamp(now.saturating_add(MIN_PAUSE), now.saturating_add(MAX_PAUSE))
        });
    }

    /// When to look again; `None` if records are due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.next
    }

    fn backlog(&self, now: Duration) -> u64 {
        self.records_in(now.saturating_sub(self.since)).saturating_sub(self.emitted)
    }

    fn records_in(&self, time: Duration) -> u64 {
        (time.as_secs_f64() * self.rate) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(rate: f64) -> RateLimiter {
        let mut limiter = RateLimiter::new(rate);
        limiter.set_share(1.0, Duration::ZERO);
        limiter
    }

    /// Emits what is due whenever the limiter says, until `end`. The number of records, of emissions, and the largest one.
    fn run(limiter: &mut RateLimiter, from: Duration, end: Duration) -> (u64, u64, u64) {
        let (mut now, mut records, mut times, mut largest) = (from, 0, 0, 0);
        while now <= end {
            let due = limiter.due(now);
            if due > 0 {
                limiter.spend(due, now);
                records += due;
                times += 1;
                largest = largest.max(due);
            }
            now = limiter.next().expect("all that was due was emitted");
        }
        (records, times, largest)
    }

    #[test]
    fn over_any_time_the_rate_is_met() {
        for rate in [1.0, 3.0, 10.0, 1_000.0, 100_000.0, 1_234_567.0] {
            let (records, ..) = run(&mut limiter(rate), Duration::ZERO, Duration::from_secs(10));
            let expected = 10.0 * rate;
            assert!(records as f64 <= expected && records as f64 >= expected - 1.0 - rate / 10_000.0, "{records} at {rate}");
        }
    }

    #[test]
    fn a_high_rate_comes_in_small_batches() {
        let (records, times, largest) = run(&mut limiter(100_000.0), Duration::ZERO, Duration::from_secs(1));
        assert!(largest <= 11, "{largest}");
        assert!(times >= 9_000, "{records} records in {times} batches");
    }

    #[test]
    fn the_next_record_is_waited_for_and_not_longer() {
        let mut limiter = limiter(10.0);
        assert_eq!(limiter.due(Duration::ZERO), 0);
        assert_eq!(limiter.next(), Some(Duration::from_millis(100)));
        assert_eq!(limiter.due(Duration::from_millis(99)), 0);
        assert_eq!(limiter.due(Duration::from_millis(100)), 1);
        assert_eq!(limiter.next(), None);
        limiter.spend(1, Duration::from_millis(100));
        assert_eq!(limiter.next(), Some(Duration::from_millis(200)));
    }

    #[test]
    fn of_a_stall_one_second_is_made_up_for() {
        let mut limiter = limiter(100.0);
        let now = Duration::from_secs(60);
        assert_eq!(limiter.due(now), 100);
        limiter.spend(60, now);
        assert_eq!(limiter.due(now), 40);
        limiter.spend(40, now);
        assert_eq!(run(&mut limiter, now, now + Duration::from_secs(1)), (100, 100, 1));
    }

    #[test]
    fn of_a_slow_source_one_record_is_made_up_for() {
        let mut limiter = limiter(0.1);
        let now = Duration::from_secs(600);
        assert_eq!(limiter.due(now), 1);
        limiter.spend(1, now);
        assert_eq!(limiter.next(), Some(now + Duration::from_secs(10)));
    }

    #[test]
    fn extreme_rates_overflow_nothing() {
        let mut slow = limiter(f64::MIN_POSITIVE);
        assert_eq!(slow.due(Duration::from_secs(1)), 0);
        assert_eq!(slow.next(), Some(Duration::from_secs(1) + MAX_PAUSE));
        let mut fast = limiter(f64::MAX);
        assert_eq!(fast.due(Duration::from_secs(5)), u64::MAX);
        fast.spend(u64::MAX, Duration::from_secs(5));
        assert_eq!(fast.next(), Some(Duration::from_secs(5) + MIN_PAUSE));
        assert_eq!(fast.due(Duration::MAX), 0);
    }
}
