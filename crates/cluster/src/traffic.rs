//! How much a process exchanges, and how much a second.

use flott_core::metrics::names;
use flott_security::Traffic;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The time over which a rate is taken where somebody looks more often.
const WINDOW: Duration = Duration::from_secs(2);
/// The least time between two looks from which one is taken.
const STEP: Duration = Duration::from_millis(500);

/// Looks at a [`Traffic`] now and then: rates are those since the last look (the first time: since it was made), or of the last two
/// seconds if that was less ago.
#[derive(Debug)]
pub struct TrafficWatch {
    traffic: Traffic,
    since: Instant,
    window: Mutex<Window>,
}

impl TrafficWatch {
    /// Watches `traffic` from now on.
    pub fn new(traffic: Traffic) -> Self {
        let bytes = [traffic.received(), traffic.sent()];
        TrafficWatch { traffic, since: Instant::now(), window: Mutex::new(Window::new(bytes)) }
    }

    /// Bytes received and sent, and those a second, by the names that tasks have for them.
    pub fn metrics(&self) -> [(&'static str, f64); 4] {
        // What has been counted is read under the lock: of two that look at once, the later one sees no less.
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = [self.traffic.received(), self.traffic.sent()];
        let [received, sent] = window.look(Reading { at: self.since.elapsed(), bytes });
        [
            (names::NUM_BYTES_IN, bytes[0] as f64),
            (names::NUM_BYTES_OUT, bytes[1] as f64),
            ("numBytesInPerSecond", received),
            ("numBytesOutPerSecond", sent),
        ]
    }
}

/// What had been received and sent at a time.
#[derive(Debug, Clone, Copy)]
struct Reading {
    at: Duration,
    bytes: [u64; 2],
}

#[derive(Debug)]
struct Window {
    /// Oldest first, never empty.
    readings: VecDeque<Reading>,
    rates: [f64; 2],
}

impl Window {
    fn new(bytes: [u64; 2]) -> Self {
        Window { readings: VecDeque::from([Reading { at: Duration::ZERO, bytes }]), rates: [0.0; 2] }
    }

    /// The bytes a second, received and sent.
    fn look(&mut self, now: Reading) -> [f64; 2] {
        if self.readings.back().is_some_and(|last| now.at.saturating_sub(last.at) < STEP) {
            return self.rates;
        }
        self.readings.push_back(now);
        while self.readings.get(1).is_some_and(|second| now.at.saturating_sub(second.at) >= WINDOW) {
            self.readings.pop_front();
        }
        if let Some(first) = self.readings.front() {
            let seconds = now.at.saturating_sub(first.at).as_secs_f64();
            self.rates = [0, 1].map(|side| now.bytes[side].saturating_sub(first.bytes[side]) as f64 / seconds);
        }
        self.rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(window: &mut Window, at_ms: u64, received: u64) -> f64 {
        let [in_rate, out_rate] = window.look(Reading { at: Duration::from_millis(at_ms), bytes: [received, 2 * received] });
        assert_eq!(out_rate, 2.0 * in_rate);
        in_rate
    }

    #[test]
    fn a_rate_is_that_since_the_last_look() {
        let mut window = Window::new([0, 0]);
        assert_eq!(look(&mut window, 10_000, 5000), 500.0);
        assert_eq!(look(&mut window, 25_000, 6500), 100.0);
        assert_eq!(look(&mut window, 40_000, 6500), 0.0);
    }

    #[test]
    fn who_looks_often_gets_the_rate_of_the_last_two_seconds() {
        let mut window = Window::new([0, 0]);
        for step in 1..100 {
            // All that comes, comes in every fourth half of a second.
            let rate = look(&mut window, 500 * step, step / 4 * 1000);
            assert!(step < 4 || rate == 500.0, "{step}: {rate}");
        }
        assert!(window.readings.len() <= 5, "{window:?}");
    }

    #[test]
    fn two_looks_at_once_make_no_rate_of_their_own() {
        let mut window = Window::new([0, 0]);
        assert_eq!(look(&mut window, 3, 900), 0.0);
        assert_eq!(look(&mut window, 1000, 1000), 1000.0);
        assert_eq!(look(&mut window, 1001, 9000), 1000.0);
        assert_eq!(look(&mut window, 2000, 9000), 4500.0);
    }

    #[test]
    fn totals_are_those_of_the_traffic_whenever_it_is_watched_from() {
        let traffic = Traffic::default();
        traffic.count_received(7);
        let watch = TrafficWatch::new(traffic.clone());
        traffic.count_sent(3);
        let metrics = watch.metrics();
        assert_eq!(metrics[..2], [("numBytesIn", 7.0), ("numBytesOut", 3.0)]);
        assert_eq!(metrics.map(|(name, _)| name)[2..], ["numBytesInPerSecond", "numBytesOutPerSecond"]);
    }
}
