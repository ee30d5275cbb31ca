//! Latency markers: when a source sends one, and what operators note of them.

use crate::element::LatencyMarker;
use flott_core::{Timestamp, config::LatencyGranularity, id::OperatorId, metrics::Histogram};
use flott_graph::settings::LatencySettings;
use flott_rpc::figures::Latency;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// From which source, which subtask of it, to which operator.
type Way = (Option<OperatorId>, Option<u32>, OperatorId);

/// The latencies of a task, shared with whoever watches. Empty where there are no markers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies(Arc<Mutex<BTreeMap<Way, Histogram>>>);

impl Latencies {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Way, Histogram>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A marker has come to `operator` at the wall-clock time `now`.
    pub(crate) fn note(&self, settings: &LatencySettings, marker: LatencyMarker, operator: OperatorId, now: Timestamp) {
        let (source, subtask) = match settings.granularity {
            LatencyGranularity::Single => (None, None),
            LatencyGranularity::Operator => (Some(marker.source), None),
            LatencyGranularity::Subtask => (Some(marker.source), Some(marker.subtask)),
        };
        let history = settings.history as usize;
        // The clock of another machine may be ahead.
        let took = now.saturating_sub(marker.marked_at).max(0);
        self.lock().entry((source, subtask, operator)).or_insert_with(|| Histogram::with_history(history)).update(took);
    }

    /// All of them.
    pub(crate) fn read(&self) -> Vec<Latency> {
        let latency = |(way, histogram): (&Way, &Histogram)| {
            let (source, source_subtask, operator) = *way;
            Latency { source, source_subtask, operator, histogram: histogram.read() }
        };
        self.lock().iter().map(latency).collect()
    }
}

/// When a source sends markers.
#[derive(Debug)]
pub(crate) struct Markers {
    pub(crate) settings: LatencySettings,
    /// The monotonic time of the next one; `None`: the task is no source.
    next: Option<Duration>,
}

impl Markers {
    /// For a task that starts at the monotonic time `now`.
    pub(crate) fn new(settings: LatencySettings, is_source: bool, now: Duration) -> Self {
        Markers { settings, next: is_source.then_some(now) }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.next
    }

    /// Whether one is due at `now`; the next one is then due an interval later.
    pub(crate) fn take(&mut self, now: Duration) -> bool {
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            self.next = Some(now + self.settings.interval);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: LatencySettings =
        LatencySettings { interval: Duration::from_millis(10), granularity: LatencyGranularity::Operator, history: 4 };

    fn marker(subtask: u32, marked_at: Timestamp) -> LatencyMarker {
        LatencyMarker { source: OperatorId(1), subtask, marked_at }
    }

    #[test]
    fn a_source_sends_one_in_each_interval_and_makes_up_for_none() {
        let mut markers = Markers::new(SETTINGS, true, Duration::ZERO);
        let due: Vec<u64> = (0..60).filter(|ms| *ms < 20 || *ms > 45).filter(|ms| markers.take(Duration::from_millis(*ms))).collect();
        assert_eq!(due, [0, 10, 46, 56]);
        assert!(!Markers::new(SETTINGS, false, Duration::ZERO).take(Duration::from_secs(9)));
    }

    #[test]
    fn latencies_are_kept_apart_as_wanted() {
        for (granularity, ways) in [(LatencyGranularity::Single, 1), (LatencyGranularity::Operator, 1), (LatencyGranularity::Subtask, 2)] {
            let latencies = Latencies::default();
            let settings = LatencySettings { granularity, ..SETTINGS };
            latencies.note(&settings, marker(0, 100), OperatorId(7), 105);
            latencies.note(&settings, marker(1, 200), OperatorId(7), 190);
            let read = latencies.read();
            assert_eq!(read.len(), ways);
            assert_eq!(read.iter().map(|latency| latency.histogram.count).sum::<u64>(), 2);
            assert_eq!(read[0].source.is_none(), granularity == LatencyGranularity::Single);
            assert!(read.iter().all(|latency| latency.histogram.min >= 0.0), "no latency is negative");
        }
    }
}
