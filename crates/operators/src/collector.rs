//! Takes what a function emits, and sends it on in full batches.

use flott_core::{
    AnyBatch, Batch, BoxError, Data, Timestamp,
    batch::{BATCH_RECORDS, Timestamps},
    operator::Output,
};

/// Takes what a function emits. Records get the timestamp of the record that they are made from.
#[derive(Debug)]
pub struct Collector<T> {
    batch: Batch<T>,
    timestamp: Option<Timestamp>,
}

impl<T> Default for Collector<T> {
    fn default() -> Self {
        Collector { batch: Batch::default(), timestamp: None }
    }
}

impl<T: Data> Collector<T> {
    /// Emits a record.
    #[inline]
    pub fn emit(&mut self, value: T) {
        if self.timestamp.is_none() && matches!(self.batch.timestamps, Timestamps::None) {
            self.batch.values.push(value);
        } else {
            self.batch.push(value, self.timestamp);
        }
    }

    /// Emits a record with a timestamp of its own, in ms since the epoch.
    pub fn emit_at(&mut self, value: T, timestamp: Timestamp) {
        self.batch.push(value, Some(timestamp));
    }

    /// What is emitted now is made from a record with this timestamp.
    #[inline]
    pub fn set_timestamp(&mut self, timestamp: Option<Timestamp>) {
        self.timestamp = timestamp;
    }

    /// Sends what was gathered if it fills a batch.
    ///
    /// # Errors
    /// An operator behind this one failed.
    #[inline]
    pub fn send_full(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        if self.batch.values.len() >= BATCH_RECORDS { self.send(output) } else { Ok(()) }
    }

    /// Sends what was gathered.
    ///
    /// # Errors
    /// An operator behind this one failed.
    pub fn send(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // A little more than a batch, so that the last record's children seldom make it grow.
        let fresh = Batch::with_capacity(BATCH_RECORDS + BATCH_RECORDS / 8);
        output.emit(AnyBatch::new(std::mem::replace(&mut self.batch, fresh)))
    }
}
