//! Generates the records of a reader's splits.

use crate::{error::DatagenError, rate::RateLimiter, split::GeneratorSplit};
use flott_core::{
    BoxError, Data,
    batch::BATCH_RECORDS,
    id::CheckpointId,
    source::{ReadStatus, ReaderOutput, SourceReader, SourceSplit},
    time::SharedClock,
};
use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// Makes a record from its index, the same one each time.
pub(crate) trait Generate: Clone + Send + Sync + 'static {
    /// The record.
    type Out: Data;

    /// Record `index`.
    fn generate(&self, index: u64) -> Self::Out;
}

struct OpenSplit {
    split: GeneratorSplit,
    id: Arc<str>,
}

pub(crate) struct GeneratorReader<G> {
    records: G,
    /// The index behind the last one that can be generated.
    end: Option<u64>,
    clock: SharedClock,
    limiter: Option<RateLimiter>,
    /// The first is the next to be read.
    splits: VecDeque<OpenSplit>,
    no_more_splits: bool,
}

impl<G> GeneratorReader<G> {
    /// `rate` is that of the whole source, in records per second.
    pub(crate) fn new(records: G, end: Option<u64>, rate: Option<f64>, clock: SharedClock) -> Self {
        GeneratorReader { records, end, clock, limiter: rate.map(RateLimiter::new), splits: VecDeque::new(), no_more_splits: false }
    }

    /// Each split has the same part of the rate, whoever reads it, so that the total is right also after a rescale.
    fn update_rate(&mut self) {
        if let Some(limiter) = &mut self.limiter {
            let share = self.splits.iter().map(|open| 1.0 / open.split.step as f64).sum();
            limiter.set_share(share, self.clock.monotonic());
        }
    }
}

impl<G: Generate> SourceReader<G::Out, GeneratorSplit> for GeneratorReader<G> {
    fn poll_next(&mut self, _cx: &mut Context<'_>, output: &mut ReaderOutput<G::Out>) -> Poll<Result<ReadStatus, BoxError>> {
        let Some(open) = self.splits.front_mut() else {
            return if self.no_more_splits { Poll::Ready(Ok(ReadStatus::Finished)) } else { Poll::Pending };
        };
        let split = &mut open.split;
        let remaining = split.remaining();
        let mut count = remaining.min(BATCH_RECORDS as u64);
        if let Some(limiter) = &mut self.limiter
            && count > 0
        {
            let now = self.clock.monotonic();
            count = count.min(limiter.due(now));
            if count == 0 {
                return Poll::Pending;
            }
            limiter.spend(count, now);
        }
        output.start_split(&open.id);
        for nth in 0..count {
            output.emit(self.records.generate(split.next + nth * split.step));
        }
        if count == remaining {
            output.finish_split(&open.id);
            self.splits.pop_front();
            self.update_rate();
        } else {
            split.next += count * split.step;
            self.splits.rotate_left(1);
        }
        Poll::Ready(Ok(ReadStatus::More))
    }

    fn next_wake(&self) -> Option<Duration> {
        self.limiter.as_ref().filter(|_| !self.splits.is_empty())?.next()
    }

    fn add_splits(&mut self, splits: Vec<GeneratorSplit>) -> Result<(), BoxError> {
        for mut split in splits {
            if split.step == 0 {
                return Err(Box::new(DatagenError::InvalidSplit { split: split.split_id() }));
            }
            // A source that has become shorter since the snapshot has no more than this.
            if let Some(end) = self.end {
                split.end = Some(split.end.map_or(end, |restored| restored.min(end)));
            }
            self.splits.push_back(OpenSplit { id: Arc::from(split.split_id()), split });
        }
        self.update_rate();
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more_splits = true;
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId) -> Result<Vec<GeneratorSplit>, BoxError> {
        Ok(self.splits.iter().map(|open| open.split.clone()).collect())
    }
}
