//! The key partitioner: computes each record's key hash once and sends it along.

use super::ChannelBuffers;
use crate::key::KeySelector;
use flott_core::{
    AnyBatch, Batch, BoxError, Data,
    batch::Timestamps,
    exchange::{
        BatchCodec, ChannelOutput, PartitionContext, PartitionKind, Partitioner, PartitionerFactory, RecordHasher, TypedBatchCodec,
    },
    key_group::{key_group_of, subtask_of_group},
};
use flott_graph::EdgeFactory;
use std::{marker::PhantomData, sync::Arc};

/// An edge of records of `T` that is partitioned by key.
pub struct KeyEdge<T, S> {
    selector: Arc<S>,
    records: PhantomData<fn() -> T>,
}

impl<T, S> std::fmt::Debug for KeyEdge<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyEdge").finish_non_exhaustive()
    }
}

impl<T, S> KeyEdge<T, S> {
    /// Partitions by the key that `selector` gives.
    pub fn new(selector: S) -> Self {
        KeyEdge::shared(Arc::new(selector))
    }

    /// Partitions by the key that `selector` gives.
    pub fn shared(selector: Arc<S>) -> Self {
        KeyEdge { selector, records: PhantomData }
    }
}

impl<T: Data, S: KeySelector<T>> EdgeFactory for KeyEdge<T, S> {
    fn create(&self, _: PartitionKind) -> Arc<dyn PartitionerFactory> {
        Arc::new(KeyEdge::<T, S> { selector: self.selector.clone(), records: PhantomData })
    }
}

impl<T: Data, S: KeySelector<T>> PartitionerFactory for KeyEdge<T, S> {
    fn kind(&self) -> PartitionKind {
        PartitionKind::Hash
    }

    fn create(&self, context: PartitionContext) -> Box<dyn Partitioner> {
        let (max_parallelism, channels) = (context.max_parallelism, context.channels);
        let owner = |group: u32| subtask_of_group(group as u16, max_parallelism, channels as u32) as u16;
        Box::new(ByKey {
            selector: self.selector.clone(),
            max_parallelism,
            channel_of_group: (0..max_parallelism).map(owner).collect(),
            buffers: ChannelBuffers::<T>::new(channels),
        })
    }

    fn codec(&self) -> Box<dyn BatchCodec> {
        Box::new(TypedBatchCodec::<T, _>::keyed(ByHash(self.selector.clone())))
    }
}

struct ByHash<S>(Arc<S>);

impl<T: Data, S: KeySelector<T>> RecordHasher<T> for ByHash<S> {
    const KEYED: bool = true;

    #[inline]
    fn hash(&self, record: &T) -> u64 {
        self.0.hash(record)
    }
}

struct ByKey<T, S> {
    selector: Arc<S>,
    max_parallelism: u32,
    /// Spares a division for each record.
    channel_of_group: Vec<u16>,
    buffers: ChannelBuffers<T>,
}

impl<T: Data, S: KeySelector<T>> Partitioner for ByKey<T, S> {
    fn partition(&mut self, batch: AnyBatch, output: &mut dyn ChannelOutput) -> Result<(), BoxError> {
        let mut batch = batch.downcast::<T>()?;
        batch.hashes.clear();
        let only_one = self.buffers.batches.len() == 1;
        if !only_one || !output.leaves_process(0) {
            batch.hashes.extend(batch.values.iter().map(|value| self.selector.hash(value)));
        }
        if only_one {
            // The batch goes as it is.
            output.push(0, AnyBatch::new(batch));
            return Ok(());
        }
        let Batch { values, timestamps, hashes } = batch;
        let no_timestamps = matches!(timestamps, Timestamps::None);
        // From inside the iterator: a record that comes out of it as an `Option` is copied twice.
        values.into_iter().enumerate().for_each(|(index, value)| {
            let hash = hashes[index];
            let channel = self.channel_of_group[usize::from(key_group_of(hash, self.max_parallelism))];
            let timestamp = if no_timestamps { None } else { timestamps.get(index) };
            self.buffers.push(usize::from(channel), value, timestamp, Some(hash), output);
        });
        Ok(())
    }

    fn flush(&mut self, output: &mut dyn ChannelOutput) {
        self.buffers.flush(output);
    }
}
