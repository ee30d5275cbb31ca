//! Metrics: counted by tasks once a batch, read by whoever watches.

mod histogram;
mod meter;

pub use histogram::{HISTORY, Histogram, HistogramFigures};
pub use meter::{Meter, MeterFigures};

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// A number that only grows.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that is set.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Names that Flink gives to the same things.
pub mod names {
    /// Records that a task or operator took in.
    pub const NUM_RECORDS_IN: &str = "numRecordsIn";
    /// Records that a task or operator sent on.
    pub const NUM_RECORDS_OUT: &str = "numRecordsOut";
    /// Bytes taken in: read by a source, or estimated for what moves inside a process.
    pub const NUM_BYTES_IN: &str = "numBytesIn";
    /// Bytes sent on, estimated for what moves inside a process.
    pub const NUM_BYTES_OUT: &str = "numBytesOut";
    /// Milliseconds at work.
    pub const BUSY_TIME: &str = "accumulateBusyTimeMs";
    /// Milliseconds without input.
    pub const IDLE_TIME: &str = "accumulateIdleTimeMs";
    /// Milliseconds with full outputs.
    pub const BACK_PRESSURED_TIME: &str = "accumulateBackPressuredTimeMs";
    /// Milliseconds that the task took to open its operators, with the state that they were given.
    pub const INITIALIZATION_TIME: &str = "initializationTime";
    /// The watermark that the task has reached.
    pub const CURRENT_INPUT_WATERMARK: &str = "currentInputWatermark";
    /// The watermark that the task last sent on.
    pub const CURRENT_OUTPUT_WATERMARK: &str = "currentOutputWatermark";
    /// How long after its event time the last record of a batch left its source, ms.
    pub const CURRENT_EMIT_EVENT_TIME_LAG: &str = "currentEmitEventTimeLag";
    /// How far the watermark of a source is behind the clock, ms.
    pub const WATERMARK_LAG: &str = "watermarkLag";
    /// Records that a source knows of and has not read: for sources that can tell.
    pub const PENDING_RECORDS: &str = "pendingRecords";
    /// Records that a source could not read and skipped.
    pub const NUM_RECORDS_IN_ERRORS: &str = "numRecordsInErrors";
}

#[derive(Debug, Default)]
struct Registered {
    counters: BTreeMap<String, Counter>,
    gauges: BTreeMap<String, Gauge>,
    meters: BTreeMap<String, Meter>,
    histograms: BTreeMap<String, Histogram>,
}

/// The metrics of one operator or task, by name.
#[derive(Debug, Clone, Default)]
pub struct MetricGroup(Arc<Mutex<Registered>>);

impl MetricGroup {
    fn lock(&self) -> MutexGuard<'_, Registered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counter `name`; the same one for the same name.
    pub fn counter(&self, name: &str) -> Counter {
        self.lock().counters.entry(name.to_owned()).or_default().clone()
    }

    /// The gauge `name`; the same one for the same name.
    pub fn gauge(&self, name: &str) -> Gauge {
        self.lock().gauges.entry(name.to_owned()).or_default().clone()
    }

    /// The meter `name`; the same one for the same name.
    pub fn meter(&self, name: &str) -> Meter {
        self.lock().meters.entry(name.to_owned()).or_default().clone()
    }

    /// The histogram `name`; the same one for the same name.
    pub fn histogram(&self, name: &str) -> Histogram {
        self.lock().histograms.entry(name.to_owned()).or_default().clone()
    }

    /// What the meters say at the monotonic time `now`.
    pub fn read_meters(&self, now: Duration) -> BTreeMap<String, MeterFigures> {
        self.lock().meters.iter().map(|(name, meter)| (name.clone(), meter.read(now))).collect()
    }

    /// What the histograms say now.
    pub fn read_histograms(&self) -> BTreeMap<String, HistogramFigures> {
        self.lock().histograms.iter().map(|(name, histogram)| (name.clone(), histogram.read())).collect()
    }

    /// All counters and gauges as they are now.
    pub fn read(&self) -> BTreeMap<String, i64> {
        let registered = self.lock();
        let counters = registered.counters.iter().map(|(name, counter)| (name.clone(), counter.get().min(i64::MAX as u64) as i64));
        let gauges = registered.gauges.iter().map(|(name, gauge)| (name.clone(), gauge.get()));
        counters.chain(gauges).collect()
    }
}
