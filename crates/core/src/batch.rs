//! Batches: what moves between operators.
//!
//! A [`Batch`] holds values side by side, with their timestamps and, behind a key partitioner, the hash of each key. The
//! runtime handles an [`AnyBatch`], whose element type is erased; an operator downcasts it once a batch, never once a record.

use crate::{
    data::Data,
    error::BoxError,
    tap::{RecordText, TapPolicy, record_text},
    time::Timestamp,
};
use std::any::{Any, type_name};

/// Records that a batch holds at the most when an operator fills it. Of the size of the first-level cache for small records.
pub const BATCH_RECORDS: usize = 1024;

/// The timestamps of a batch's records.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub enum Timestamps {
    /// No record has a timestamp.
    #[default]
    None,
    /// All records have this one.
    All(Timestamp),
    /// One for each record, in order.
    Each(Vec<Timestamp>),
}

impl Timestamps {
    /// The timestamp of record `index`.
    pub fn get(&self, index: usize) -> Option<Timestamp> {
        match self {
            Timestamps::None => None,
            Timestamps::All(timestamp) => Some(*timestamp),
            Timestamps::Each(all) => all.get(index).copied(),
        }
    }

    /// Appends the timestamp of record number `len`, where `len` records precede it.
    #[inline]
    pub fn push(&mut self, len: usize, timestamp: Option<Timestamp>) {
        match (&mut *self, timestamp) {
            (Timestamps::None, None) => {}
            (Timestamps::Each(all), Some(timestamp)) => all.push(timestamp),
            _ => self.push_other(len, timestamp),
        }
    }

    #[inline(never)]
    fn push_other(&mut self, len: usize, timestamp: Option<Timestamp>) {
        match (&mut *self, timestamp) {
            (Timestamps::Each(all), Some(timestamp)) => all.push(timestamp),
            (Timestamps::None, None) => {}
            (Timestamps::None, Some(timestamp)) if len == 0 => *self = Timestamps::All(timestamp),
            (Timestamps::All(all), Some(timestamp)) if *all == timestamp => {}
            (Timestamps::All(all), Some(timestamp)) => {
                let mut each = vec![*all; len];
                each.push(timestamp);
                *self = Timestamps::Each(each);
            }
            // Records with and without a timestamp in one stream: only `MIN` can stand for "none" beside real ones.
            (Timestamps::None, Some(timestamp)) => {
                let mut each = vec![Timestamp::MIN; len];
                each.push(timestamp);
                *self = Timestamps::Each(each);
            }
            (_, None) => self.push(len, Some(Timestamp::MIN)),
        }
    }
}

/// Records of one type, their timestamps, and the hashes of their keys.
#[derive(Debug, Clone)]
pub struct Batch<T> {
    /// The records.
    pub values: Vec<T>,
    /// Their timestamps.
    pub timestamps: Timestamps,
    /// Of each record, the [`crate::key_hash::key_hash`] of its key; empty where the stream is not keyed.
    pub hashes: Vec<u64>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Batch { values: Vec::new(), timestamps: Timestamps::None, hashes: Vec::new() }
    }
}

impl<T> Batch<T> {
    /// A batch of records without timestamps.
    pub fn of(values: Vec<T>) -> Self {
        Batch { values, ..Batch::default() }
    }

    /// An empty batch with room for `records`.
    pub fn with_capacity(records: usize) -> Self {
        Batch::of(Vec::with_capacity(records))
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Appends one record.
    #[inline]
    pub fn push(&mut self, value: T, timestamp: Option<Timestamp>) {
        self.timestamps.push(self.values.len(), timestamp);
        self.values.push(value);
    }
}

trait ErasedBatch: Any + Send {
    fn len(&self) -> usize;
    fn clone_box(&self) -> Box<dyn ErasedBatch>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn as_any(&self) -> &dyn Any;
    fn type_name(&self) -> &'static str;
    fn estimated_bytes(&self) -> usize;
    fn timestamp(&self, index: usize) -> Option<Timestamp>;
    fn tap(&self, index: usize, policy: &TapPolicy, limit: usize) -> Option<RecordText>;
}

impl<T: Data> ErasedBatch for Batch<T> {
    fn len(&self) -> usize {
        self.values.len()
    }
    fn clone_box(&self) -> Box<dyn ErasedBatch> {
        Box::new(self.clone())
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }
    fn estimated_bytes(&self) -> usize {
        // Two records are measured; their mean stands for all.
        let sample = [self.values.first(), self.values.get(self.values.len() / 2)];
        let bytes: usize = sample.iter().flatten().map(|value| crate::codec::encoded_len(*value)).sum();
        bytes * self.values.len() / 2
    }
    fn timestamp(&self, index: usize) -> Option<Timestamp> {
        self.timestamps.get(index)
    }
    fn tap(&self, index: usize, policy: &TapPolicy, limit: usize) -> Option<RecordText> {
        let record = self.values.get(index)?;
        match policy {
            TapPolicy::Hidden => None,
            TapPolicy::Masked(masks) if masks.is_empty() => Some(record_text(record, limit)),
            TapPolicy::Masked(masks) => {
                let mut copy = record.clone();
                masks.iter().all(|mask| mask.apply(&mut copy)).then(|| record_text(&copy, limit))
            }
        }
    }
}

/// A batch whose element type is erased.
pub struct AnyBatch(Box<dyn ErasedBatch>);

impl AnyBatch {
    /// Erases the type of `batch`.
    pub fn new<T: Data>(batch: Batch<T>) -> Self {
        AnyBatch(Box::new(batch))
    }

    /// The number of records.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// About how many bytes the records take when serialised: two records are measured and stand for all.
    pub fn estimated_bytes(&self) -> usize {
        if self.is_empty() { 0 } else { self.0.estimated_bytes() }
    }

    /// The timestamp of record `index`.
    pub fn timestamp(&self, index: usize) -> Option<Timestamp> {
        self.0.timestamp(index)
    }

    /// What `policy` lets be seen of record `index`, in at most `limit` bytes; `None`: nothing.
    pub fn tap(&self, index: usize, policy: &TapPolicy, limit: usize) -> Option<RecordText> {
        self.0.tap(index, policy, limit)
    }

    /// The batch with its type.
    ///
    /// # Errors
    /// [`BatchTypeError`] if the records are of another type: the graph connects two operators that do not fit.
    pub fn downcast<T: Data>(self) -> Result<Batch<T>, BoxError> {
        let found = self.0.type_name();
        match self.0.into_any().downcast::<Batch<T>>() {
            Ok(batch) => Ok(*batch),
            Err(_) => Err(Box::new(BatchTypeError { expected: type_name::<T>(), found })),
        }
    }

    /// A view of the batch with its type; `None` if the records are of another type.
    pub fn downcast_ref<T: Data>(&self) -> Option<&Batch<T>> {
        self.0.as_any().downcast_ref()
    }
}

impl Clone for AnyBatch {
    fn clone(&self) -> Self {
        AnyBatch(self.0.clone_box())
    }
}

impl std::fmt::Debug for AnyBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnyBatch({} records of {})", self.len(), self.0.type_name())
    }
}

/// An operator was handed records of another type than it takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an operator that takes `{expected}` was handed `{found}`")]
pub struct BatchTypeError {
    /// The type that the operator takes.
    pub expected: &'static str,
    /// The type of the records.
    pub found: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_stay_compact_until_they_differ() {
        let mut batch = Batch::default();
        batch.push('a', Some(5));
        batch.push('b', Some(5));
        assert_eq!(batch.timestamps, Timestamps::All(5));
        batch.push('c', Some(6));
        assert_eq!(batch.timestamps, Timestamps::Each(vec![5, 5, 6]));
        batch.push('d', None);
        assert_eq!(batch.timestamps.get(3), Some(Timestamp::MIN));
        let mut late = Batch::default();
        late.push('a', None);
        late.push('b', Some(1));
        assert_eq!(late.timestamps, Timestamps::Each(vec![Timestamp::MIN, 1]));
    }

    #[test]
    fn a_wrong_downcast_names_both_types() {
        let error = AnyBatch::new(Batch::of(vec![1u8])).downcast::<String>().unwrap_err();
        assert_eq!(error.to_string(), "an operator that takes `alloc::string::String` was handed `u8`");
    }
}
