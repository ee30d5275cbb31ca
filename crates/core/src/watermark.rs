//! Watermark strategies: how event time is told from records.

use crate::time::{MIN_WATERMARK, Timestamp, millis};
use std::{sync::Arc, time::Duration};

/// Makes watermarks from the timestamps of the records of one split.
pub trait WatermarkGenerator<T>: Send {
    /// A record was emitted. Returns a watermark to emit at once, if any.
    fn on_event(&mut self, record: &T, timestamp: Timestamp) -> Option<Timestamp>;

    /// The interval of periodic watermarks has passed. Returns the watermark, if there is one.
    fn on_periodic(&mut self) -> Option<Timestamp>;
}

/// Watermarks behind the largest timestamp by a fixed time.
#[derive(Debug, Clone)]
pub struct BoundedOutOfOrderness {
    largest: Option<Timestamp>,
    bound_ms: i64,
}

impl BoundedOutOfOrderness {
    /// Watermarks that are `bound` behind.
    pub fn new(bound: Duration) -> Self {
        BoundedOutOfOrderness { largest: None, bound_ms: millis(bound) }
    }
}

impl<T> WatermarkGenerator<T> for BoundedOutOfOrderness {
    fn on_event(&mut self, _: &T, timestamp: Timestamp) -> Option<Timestamp> {
        self.largest = Some(self.largest.map_or(timestamp, |largest| largest.max(timestamp)));
        None
    }

    fn on_periodic(&mut self) -> Option<Timestamp> {
        // One less: a record with the same timestamp may still come. Saturates at MIN, "no watermark".
        let watermark = self.largest?.saturating_sub(self.bound_ms).saturating_sub(1);
        (watermark > MIN_WATERMARK).then_some(watermark)
    }
}

type Assigner<T> = Arc<dyn Fn(&T, Option<Timestamp>) -> Timestamp + Send + Sync>;
type GeneratorFactory<T> = Arc<dyn Fn() -> Box<dyn WatermarkGenerator<T>> + Send + Sync>;

/// How a source's records get timestamps and watermarks.
pub struct WatermarkStrategy<T> {
    assigner: Option<Assigner<T>>,
    generator: Option<GeneratorFactory<T>>,
    idleness: Option<Duration>,
}

impl<T> Clone for WatermarkStrategy<T> {
    fn clone(&self) -> Self {
        WatermarkStrategy { assigner: self.assigner.clone(), generator: self.generator.clone(), idleness: self.idleness }
    }
}

impl<T> std::fmt::Debug for WatermarkStrategy<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatermarkStrategy")
            .field("watermarks", &self.generator.is_some())
            .field("idleness", &self.idleness)
            .finish_non_exhaustive()
    }
}

impl<T: 'static> WatermarkStrategy<T> {
    /// No watermarks but the one at the end of input.
    pub fn no_watermarks() -> Self {
        WatermarkStrategy { assigner: None, generator: None, idleness: None }
    }

    /// For records whose timestamps only grow within a split.
    pub fn for_monotonous_timestamps() -> Self {
        Self::for_bounded_out_of_orderness(Duration::ZERO)
    }

    /// For records that come at most `bound` after one with a larger timestamp.
    pub fn for_bounded_out_of_orderness(bound: Duration) -> Self {
        Self::for_generator(move || Box::new(BoundedOutOfOrderness::new(bound)))
    }

    /// Watermarks by a generator of your own, one for each split.
    pub fn for_generator(generator: impl Fn() -> Box<dyn WatermarkGenerator<T>> + Send + Sync + 'static) -> Self {
        WatermarkStrategy { generator: Some(Arc::new(generator)), ..Self::no_watermarks() }
    }

    /// Takes the timestamp from the record (and the one that the source gave it), in ms since the epoch.
    pub fn with_timestamp_assigner(mut self, assigner: impl Fn(&T, Option<Timestamp>) -> Timestamp + Send + Sync + 'static) -> Self {
        self.assigner = Some(Arc::new(assigner));
        self
    }

    /// A split without records for `timeout` does not hold back the watermark of the others.
    pub fn with_idleness(mut self, timeout: Duration) -> Self {
        self.idleness = Some(timeout);
        self
    }

    /// The function that gives timestamps, if there is one.
    pub fn assigner(&self) -> Option<&Assigner<T>> {
        self.assigner.as_ref()
    }

    /// A new generator for one split; `None` without watermarks.
    pub fn create_generator(&self) -> Option<Box<dyn WatermarkGenerator<T>>> {
        self.generator.as_ref().map(|create| create())
    }

    /// After how long a split without records is idle.
    pub fn idleness(&self) -> Option<Duration> {
        self.idleness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_an_equal_timestamp_is_not_late() {
        let mut generator = BoundedOutOfOrderness::new(Duration::from_millis(5));
        assert_eq!(WatermarkGenerator::<()>::on_periodic(&mut generator), None);
        generator.on_event(&(), 100);
        generator.on_event(&(), 90);
        assert_eq!(WatermarkGenerator::<()>::on_periodic(&mut generator), Some(94));
    }

    #[test]
    fn extreme_timestamps_saturate() {
        let mut generator = BoundedOutOfOrderness::new(Duration::MAX);
        generator.on_event(&(), i64::MIN);
        assert_eq!(WatermarkGenerator::<()>::on_periodic(&mut generator), None);
        generator.on_event(&(), i64::MAX);
        assert_eq!(WatermarkGenerator::<()>::on_periodic(&mut generator), Some(-1));
    }
}
