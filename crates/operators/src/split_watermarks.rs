//! The watermark of a reader: the smallest of its splits', idle splits aside.
//!
//! Idleness is counted on an *input activity clock*: time in which the reader was asked for records or had none to give.
//! Time that the task spent on records or waiting for room behind it does not make a split idle.

use flott_core::{
    Batch, Timestamp,
    operator::WatermarkStatus,
    source::SourceSplit,
    time::MIN_WATERMARK,
    watermark::{WatermarkGenerator, WatermarkStrategy},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How often idleness is looked at where watermarks are not periodic.
const IDLENESS_CHECK: Duration = Duration::from_millis(200);

struct SplitState<T> {
    generator: Box<dyn WatermarkGenerator<T>>,
    watermark: Timestamp,
    /// On the input activity clock.
    last_record: Duration,
    idle: bool,
}

/// The watermarks of a reader's splits.
pub(crate) struct SplitWatermarks<T> {
    strategy: WatermarkStrategy<T>,
    splits: BTreeMap<Arc<str>, SplitState<T>>,
    /// Records of sources that name no split.
    unnamed: Arc<str>,
    current: Option<Arc<str>>,
    emitted: Timestamp,
    status: WatermarkStatus,
    interval: Duration,
    next_periodic: Duration,
    activity: Duration,
    mark: Duration,
    was_pending: bool,
}

impl<T: 'static> SplitWatermarks<T> {
    pub(crate) fn new(strategy: WatermarkStrategy<T>, interval: Duration, now: Duration) -> Self {
        SplitWatermarks {
            strategy,
            splits: BTreeMap::new(),
            unnamed: Arc::from(""),
            current: None,
            emitted: MIN_WATERMARK,
            status: WatermarkStatus::Active,
            interval,
            next_periodic: now + if interval.is_zero() { IDLENESS_CHECK } else { interval },
            activity: Duration::ZERO,
            mark: now,
            was_pending: false,
        }
    }

    pub(crate) fn next_periodic(&self) -> Duration {
        self.next_periodic
    }

    pub(crate) fn add_splits<S: SourceSplit>(&mut self, splits: &[S]) {
        for split in splits {
            self.state(&Arc::from(split.split_id()));
        }
    }

    /// The reader is asked. The time since the last answer counts if that answer was "nothing".
    pub(crate) fn poll_begins(&mut self, now: Duration) {
        if self.was_pending {
            self.activity += now.saturating_sub(self.mark);
        }
        self.mark = now;
    }

    /// The reader has answered.
    pub(crate) fn poll_ends(&mut self, now: Duration, pending: bool) {
        self.activity += now.saturating_sub(self.mark);
        self.mark = now;
        self.was_pending = pending;
    }

    fn state(&mut self, split: &Arc<str>) -> &mut SplitState<T> {
        if !self.splits.contains_key(split) {
            let generator = self.strategy.create_generator().unwrap_or_else(|| Box::new(Silent));
            let state = SplitState { generator, watermark: MIN_WATERMARK, last_record: self.activity, idle: false };
            self.splits.insert(split.clone(), state);
        }
        self.splits.get_mut(split).expect("was put there if it was missing")
    }

    /// Records were read: the generators see them. Returns a watermark to be emitted behind them at once.
    pub(crate) fn observe(&mut self, batch: &Batch<T>, starts: &[(usize, Arc<str>)], finished: &[Arc<str>]) -> Option<Timestamp> {
        let mut ends = starts.iter().skip(1).map(|(start, _)| *start).chain([batch.len()]);
        if let Some((first, _)) = starts.first()
            && *first > 0
        {
            let current = self.current.clone().unwrap_or_else(|| self.unnamed.clone());
            self.observe_range(batch, &current, 0..*first);
        }
        if starts.is_empty() && !batch.is_empty() {
            let current = self.current.clone().unwrap_or_else(|| self.unnamed.clone());
            self.observe_range(batch, &current, 0..batch.len());
        }
        for (start, split) in starts {
            let end = ends.next().unwrap_or(batch.len());
            self.observe_range(batch, split, *start..end);
            self.current = Some(split.clone());
        }
        for split in finished {
            // An ended split holds nothing back; what it had reached stays reached.
            self.splits.remove(split);
        }
        let marked = self.splits.values().any(|split| split.watermark > self.emitted);
        if marked && self.interval.is_zero() { self.advance() } else { None }
    }

    fn observe_range(&mut self, batch: &Batch<T>, split: &Arc<str>, range: std::ops::Range<usize>) {
        let activity = self.activity;
        let state = self.state(split);
        if !range.is_empty() {
            state.last_record = activity;
            state.idle = false;
        }
        for index in range {
            // A record without a timestamp says nothing about time.
            if let Some(timestamp) = batch.timestamps.get(index)
                && let Some(watermark) = state.generator.on_event(&batch.values[index], timestamp)
            {
                state.watermark = state.watermark.max(watermark);
            }
        }
        if self.interval.is_zero()
            && let Some(state) = self.splits.get_mut(split)
            && let Some(watermark) = state.generator.on_periodic()
        {
            state.watermark = state.watermark.max(watermark);
        }
    }

    /// The watermark to emit, if the interval has passed and there is a new one.
    pub(crate) fn periodic(&mut self, now: Duration) -> Option<Timestamp> {
        if now < self.next_periodic {
            return None;
        }
        self.next_periodic = now + if self.interval.is_zero() { IDLENESS_CHECK } else { self.interval };
        let (activity, timeout) = (self.activity, self.strategy.idleness());
        for split in self.splits.values_mut() {
            if let Some(watermark) = split.generator.on_periodic() {
                split.watermark = split.watermark.max(watermark);
            }
            split.idle |= timeout.is_some_and(|timeout| activity.saturating_sub(split.last_record) >= timeout);
        }
        self.advance()
    }

    fn advance(&mut self) -> Option<Timestamp> {
        let active = self.splits.values().filter(|split| !split.idle).map(|split| split.watermark).min();
        let merged = active.or_else(|| self.splits.values().map(|split| split.watermark).max())?;
        (merged > self.emitted).then(|| {
            self.emitted = merged;
            merged
        })
    }

    /// The change to `wanted`, if the reader's status has become that since it was last told. A reader without splits is idle.
    pub(crate) fn take_status_change(&mut self, wanted: WatermarkStatus) -> Option<WatermarkStatus> {
        let idle = self.splits.values().all(|split| split.idle);
        let status = if idle { WatermarkStatus::Idle } else { WatermarkStatus::Active };
        (status == wanted && self.status != status).then(|| {
            self.status = status;
            status
        })
    }
}

/// Makes no watermarks.
struct Silent;

impl<T> WatermarkGenerator<T> for Silent {
    fn on_event(&mut self, _: &T, _: Timestamp) -> Option<Timestamp> {
        None
    }

    fn on_periodic(&mut self) -> Option<Timestamp> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::batch::Timestamps;

    const MS: Duration = Duration::from_millis(1);

    fn watermarks(idleness: Option<Duration>) -> SplitWatermarks<u8> {
        let strategy = WatermarkStrategy::for_monotonous_timestamps();
        let strategy = idleness.into_iter().fold(strategy, WatermarkStrategy::with_idleness);
        SplitWatermarks::new(strategy, 200 * MS, Duration::ZERO)
    }

    fn read(watermarks: &mut SplitWatermarks<u8>, split: &str, timestamp: Timestamp) {
        let batch = Batch { values: vec![0], timestamps: Timestamps::All(timestamp), hashes: Vec::new() };
        watermarks.observe(&batch, &[(0, Arc::from(split))], &[]);
    }

    #[test]
    fn the_slowest_split_decides_until_it_ends() {
        let mut watermarks = watermarks(None);
        read(&mut watermarks, "a", 100);
        read(&mut watermarks, "b", 50);
        assert_eq!(watermarks.periodic(100 * MS), None);
        assert_eq!(watermarks.periodic(200 * MS), Some(49));
        watermarks.observe(&Batch::default(), &[], &[Arc::from("b")]);
        assert_eq!(watermarks.periodic(400 * MS), Some(99));
    }

    #[test]
    fn time_spent_on_records_makes_no_split_idle() {
        let mut watermarks = watermarks(Some(500 * MS));
        read(&mut watermarks, "a", 100);
        read(&mut watermarks, "b", 50);
        watermarks.poll_begins(Duration::ZERO);
        watermarks.poll_ends(MS, false);
        // A second goes by in the operators behind.
        watermarks.poll_begins(1001 * MS);
        watermarks.poll_ends(1002 * MS, true);
        assert_eq!(watermarks.periodic(1002 * MS), Some(49));
        assert_eq!(watermarks.take_status_change(WatermarkStatus::Idle), None);
        // Now nothing comes for a second.
        watermarks.poll_begins(2002 * MS);
        read(&mut watermarks, "a", 200);
        assert_eq!(watermarks.periodic(2002 * MS), Some(199));
        watermarks.poll_ends(2002 * MS, true);
        watermarks.poll_begins(3002 * MS);
        watermarks.periodic(3002 * MS);
        assert_eq!(watermarks.take_status_change(WatermarkStatus::Idle), Some(WatermarkStatus::Idle));
        read(&mut watermarks, "b", 300);
        assert_eq!(watermarks.take_status_change(WatermarkStatus::Active), Some(WatermarkStatus::Active));
    }

    #[test]
    fn a_reader_without_splits_is_idle() {
        let mut watermarks = watermarks(None);
        watermarks.periodic(200 * MS);
        assert_eq!(watermarks.take_status_change(WatermarkStatus::Idle), Some(WatermarkStatus::Idle));
    }
}
