//! Partitioners that do not look into the records.

use super::ChannelBuffers;
use flott_core::{
    AnyBatch, BoxError, Data,
    exchange::{BatchCodec, ChannelOutput, PartitionContext, PartitionKind, Partitioner, PartitionerFactory, TypedBatchCodec},
};
use flott_graph::EdgeFactory;
use std::{marker::PhantomData, sync::Arc};

/// An edge of records of `T` that is not keyed.
pub struct RecordEdge<T>(PhantomData<fn() -> T>);

impl<T> std::fmt::Debug for RecordEdge<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordEdge").finish_non_exhaustive()
    }
}

impl<T> Default for RecordEdge<T> {
    fn default() -> Self {
        RecordEdge(PhantomData)
    }
}

impl<T: Data> EdgeFactory for RecordEdge<T> {
    fn create(&self, kind: PartitionKind) -> Arc<dyn PartitionerFactory> {
        Arc::new(Records::<T> { kind, records: PhantomData })
    }
}

struct Records<T> {
    kind: PartitionKind,
    records: PhantomData<fn() -> T>,
}

impl<T: Data> PartitionerFactory for Records<T> {
    fn kind(&self) -> PartitionKind {
        self.kind
    }

    fn create(&self, context: PartitionContext) -> Box<dyn Partitioner> {
        // Different subtasks begin at different channels, or the first channels would get more.
        let start = context.subtask as usize % context.channels.max(1);
        let buffers = || ChannelBuffers::<T>::new(context.channels);
        match self.kind {
            PartitionKind::Broadcast => Box::new(ToAll { channels: context.channels }),
            PartitionKind::Shuffle if context.channels > 1 => {
                Box::new(Spread { buffers: buffers(), next: Next::Random(Random(u64::from(context.subtask) + 1)) })
            }
            PartitionKind::Rebalance | PartitionKind::Rescale if context.channels > 1 => {
                Box::new(Spread { buffers: buffers(), next: Next::Turn(start) })
            }
            _ => Box::new(ToFirst),
        }
    }

    fn codec(&self) -> Box<dyn BatchCodec> {
        Box::new(TypedBatchCodec::<T>::default())
    }
}

struct ToFirst;

impl Partitioner for ToFirst {
    fn partition(&mut self, batch: AnyBatch, output: &mut dyn ChannelOutput) -> Result<(), BoxError> {
        output.push(0, batch);
        Ok(())
    }

    fn flush(&mut self, _: &mut dyn ChannelOutput) {}
}

struct ToAll {
    channels: usize,
}

impl Partitioner for ToAll {
    fn partition(&mut self, batch: AnyBatch, output: &mut dyn ChannelOutput) -> Result<(), BoxError> {
        for channel in 1..self.channels {
            output.push(channel, batch.clone());
        }
        output.push(0, batch);
        Ok(())
    }

    fn flush(&mut self, _: &mut dyn ChannelOutput) {}
}

enum Next {
    Turn(usize),
    Random(Random),
}

/// Xorshift: which channel a record takes needs no better randomness.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (((self.0 >> 32) * bound as u64) >> 32) as usize
    }
}

struct Spread<T> {
    buffers: ChannelBuffers<T>,
    next: Next,
}

impl<T: Data> Partitioner for Spread<T> {
    fn partition(&mut self, batch: AnyBatch, output: &mut dyn ChannelOutput) -> Result<(), BoxError> {
        let batch = batch.downcast::<T>()?;
        let channels = self.buffers.batches.len();
        for (index, value) in batch.values.into_iter().enumerate() {
            let channel = match &mut self.next {
                Next::Turn(turn) => std::mem::replace(turn, if *turn + 1 == channels { 0 } else { *turn + 1 }),
                Next::Random(random) => random.below(channels),
            };
            self.buffers.push(channel, value, batch.timestamps.get(index), None, output);
        }
        Ok(())
    }

    fn flush(&mut self, output: &mut dyn ChannelOutput) {
        self.buffers.flush(output);
    }
}
