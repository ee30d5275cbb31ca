//! Rates of counters. Tasks only count; dashboards and autoscalers want "per second". Between two looks at a task that are far
//! enough apart the difference tells; before that, the mean since it began to run.

use crate::model::{Attempt, Metrics};
use flott_core::{
    id::{JobId, OperatorId},
    metrics::names,
    time::{SharedClock, Timestamp},
};
use flott_rpc::status::TaskStatus;
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The least time between two looks from which a rate is taken.
const WINDOW: Duration = Duration::from_secs(2);

/// After which a task that nobody looks at is forgotten.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// Counters, and what Flink calls their rates.
const RATES: [(&str, &str); 7] = [
    (names::NUM_RECORDS_IN, "numRecordsInPerSecond"),
    (names::NUM_RECORDS_OUT, "numRecordsOutPerSecond"),
    (names::NUM_BYTES_IN, "numBytesInPerSecond"),
    (names::NUM_BYTES_OUT, "numBytesOutPerSecond"),
    (names::BUSY_TIME, "busyTimeMsPerSecond"),
    (names::IDLE_TIME, "idleTimeMsPerSecond"),
    (names::BACK_PRESSURED_TIME, "backPressuredTimeMsPerSecond"),
];

/// Which run of which subtask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Watched {
    pub(crate) job: JobId,
    pub(crate) vertex: OperatorId,
    pub(crate) subtask: usize,
    pub(crate) attempt: u32,
}

/// What was seen of a task.
struct Seen {
    at: Duration,
    looked_at: Duration,
    counters: Metrics,
    rates: Metrics,
}

/// The rates of all tasks that someone looks at.
pub(crate) struct Rates {
    clock: SharedClock,
    seen: Mutex<HashMap<Watched, Seen>>,
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

impl Rates {
    /// None yet.
    pub(crate) fn new(clock: SharedClock) -> Self {
        Rates { clock, seen: Mutex::default() }
    }

    /// Adds the rates of counters to `metrics`, those of `attempt` and its operators, where they are not there already.
    pub(crate) fn add(&self, watched: Watched, attempt: &Attempt, metrics: &mut Metrics) {
        if attempt.status.is_terminal() {
            return;
        }
        let now = self.clock.monotonic();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains_key(&watched) {
            // Now and then is enough: only what is new makes the map grow.
            seen.retain(|_, seen| now.saturating_sub(seen.looked_at) < KEPT_FOR);
        }
        let seen = match seen.entry(watched) {
            Entry::Occupied(seen) => seen.into_mut(),
            Entry::Vacant(place) => {
                let running = attempt.entered.iter().rev().find(|(status, _)| *status == TaskStatus::Running).map(|(_, at)| *at);
                let counters = counters(metrics);
                let rates = running.map(|since| mean(&counters, since, self.clock.wall())).unwrap_or_default();
                if rates.is_empty() {
                    // It has reported nothing yet: the next look is the first that tells something.
                    return;
                }
                place.insert(Seen { at: now, looked_at: now, counters, rates })
            }
        };
        seen.looked_at = now;
        let passed = now.saturating_sub(seen.at);
        if passed >= WINDOW {
            let counters = counters(metrics);
            let difference = |name: &String, value: &f64| value - seen.counters.get(name).copied().unwrap_or(0.0);
            let per_second = counters.iter().map(|(name, value)| (rate_of(name), difference(name, value) / passed.as_secs_f64()));
            seen.rates = per_second.collect();
            seen.counters = counters;
            seen.at = now;
        }
        for (name, rate) in &seen.rates {
            metrics.entry(name.clone()).or_insert(rate.max(0.0));
        }
    }
}

/// The last part of a metric's name, behind the operator's.
fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Those of `metrics` that are counters.
fn counters(metrics: &Metrics) -> Metrics {
    let is_counter = |name: &str| RATES.iter().any(|(counter, _)| *counter == last_part(name));
    metrics.iter().filter(|(name, value)| is_counter(name) && value.is_finite()).map(|(name, value)| (name.clone(), *value)).collect()
}

/// The name of the rate of the counter `name`.
fn rate_of(name: &str) -> String {
    let counter = last_part(name);
    let rate = RATES.iter().find(|(known, _)| *known == counter).map_or(counter, |(_, rate)| rate);
    format!("{}{rate}", &name[..name.len() - counter.len()])
}

/// The rates over the time since `since`; none if that is now.
fn mean(counters: &Metrics, since: Timestamp, now: Timestamp) -> Metrics {
    let seconds = now.saturating_sub(since) as f64 / 1000.0;
    if seconds <= 0.0 {
        return Metrics::new();
    }
    counters.iter().map(|(name, value)| (rate_of(name), value / seconds)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::time::Clock;
    use std::{
        collections::BTreeMap,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        task::Waker,
    };

    #[derive(Default)]
    struct Millis(AtomicU64);

    impl Clock for Millis {
        fn wall(&self) -> Timestamp {
            10_000 + self.0.load(Ordering::Relaxed) as i64
        }
        fn monotonic(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
        fn wake_at(&self, _: Duration, _: &Waker) {}
    }

    fn rates_at(rates: &Rates, subtask: usize, records: f64) -> Metrics {
        let metrics = Metrics::from([("numRecordsIn".to_owned(), records), ("Map.numRecordsOut".to_owned(), records)]);
        rates_of(rates, subtask, metrics)
    }

    fn rates_of(rates: &Rates, subtask: usize, mut metrics: Metrics) -> Metrics {
        let attempt = Attempt {
            number: 0,
            status: TaskStatus::Running,
            task_manager: None,
            endpoint: None,
            entered: vec![(TaskStatus::Running, 0)],
            metrics: Metrics::new(),
            operator_metrics: vec![],
            histograms: vec![],
            latencies: vec![],
            accumulators: BTreeMap::new(),
        };
        rates.add(Watched { job: JobId(1), vertex: OperatorId(1), subtask, attempt: 0 }, &attempt, &mut metrics);
        metrics
    }

    #[test]
    fn a_rate_is_the_mean_at_first_and_then_that_of_the_last_window() {
        let clock = Arc::new(Millis::default());
        let rates = Rates::new(Arc::clone(&clock) as SharedClock);
        assert_eq!(rates_at(&rates, 0, 1000.0)["numRecordsInPerSecond"], 100.0);
        clock.0.store(1000, Ordering::Relaxed);
        assert_eq!(rates_at(&rates, 0, 1500.0)["numRecordsInPerSecond"], 100.0, "too soon for another");
        clock.0.store(4000, Ordering::Relaxed);
        let metrics = rates_at(&rates, 0, 3000.0);
        assert_eq!((metrics["numRecordsInPerSecond"], metrics["Map.numRecordsOutPerSecond"]), (500.0, 500.0));
    }

    #[test]
    fn a_look_before_the_first_report_does_not_put_off_the_rates() {
        let rates = Rates::new(Arc::new(Millis::default()));
        assert!(rates_of(&rates, 0, Metrics::new()).is_empty());
        assert_eq!(rates_at(&rates, 0, 1000.0)["numRecordsInPerSecond"], 100.0);
    }

    #[test]
    fn a_counter_that_has_gone_back_has_no_negative_rate() {
        let clock = Arc::new(Millis::default());
        let rates = Rates::new(Arc::clone(&clock) as SharedClock);
        rates_at(&rates, 0, 1000.0);
        clock.0.store(4000, Ordering::Relaxed);
        assert_eq!(rates_at(&rates, 0, 0.0)["numRecordsInPerSecond"], 0.0);
    }

    #[test]
    fn what_nobody_looks_at_is_forgotten() {
        let clock = Arc::new(Millis::default());
        let rates = Rates::new(Arc::clone(&clock) as SharedClock);
        rates_at(&rates, 0, 1.0);
        clock.0.store(61_000, Ordering::Relaxed);
        rates_at(&rates, 1, 1.0);
        assert_eq!(rates.seen.lock().unwrap().len(), 1);
    }
}
