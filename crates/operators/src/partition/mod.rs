//! Partitioners: how records are spread over the subtasks of the next operator.

mod custom;
mod hash;
mod records;

pub use custom::CustomEdge;
pub use hash::KeyEdge;
pub use records::RecordEdge;

use flott_core::{AnyBatch, Batch, Data, Timestamp, batch::BATCH_RECORDS, exchange::ChannelOutput};

/// Part-full batches, one for each channel.
struct ChannelBuffers<T> {
    batches: Vec<Batch<T>>,
}

impl<T: Data> ChannelBuffers<T> {
    fn new(channels: usize) -> Self {
        ChannelBuffers { batches: (0..channels).map(|_| Batch::with_capacity(BATCH_RECORDS)).collect() }
    }

    /// Appends a record for `channel`; a batch that became full is sent.
    #[inline]
    fn push(&mut self, channel: usize, value: T, timestamp: Option<Timestamp>, hash: Option<u64>, output: &mut dyn ChannelOutput) {
        let batch = &mut self.batches[channel];
        batch.timestamps.push(batch.values.len(), timestamp);
        if let Some(hash) = hash {
            batch.hashes.push(hash);
        }
        batch.values.push(value);
        if batch.values.len() >= BATCH_RECORDS {
            self.send(channel, output);
        }
    }

    fn send(&mut self, channel: usize, output: &mut dyn ChannelOutput) {
        let mut fresh = Batch::with_capacity(BATCH_RECORDS);
        fresh.hashes.reserve(self.batches[channel].hashes.capacity().min(BATCH_RECORDS));
        output.push(channel, AnyBatch::new(std::mem::replace(&mut self.batches[channel], fresh)));
    }

    fn flush(&mut self, output: &mut dyn ChannelOutput) {
        for channel in 0..self.batches.len() {
            if !self.batches[channel].is_empty() {
                self.send(channel, output);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{ByRef, ByValue};
    use flott_core::{
        batch::Timestamps,
        exchange::{PartitionContext, PartitionKind, PartitionerFactory},
        key_group::{key_group_of, subtask_of_group},
        key_hash::key_hash,
    };
    use flott_graph::EdgeFactory;
    use std::sync::Arc;

    #[derive(Default)]
    struct Received(Vec<Vec<Batch<u64>>>);
    impl ChannelOutput for Received {
        fn push(&mut self, channel: usize, batch: AnyBatch) {
            self.0.resize_with(self.0.len().max(channel + 1), Vec::new);
            self.0[channel].push(batch.downcast().unwrap());
        }
        fn leaves_process(&self, _: usize) -> bool {
            false
        }
    }

    fn run(factory: Arc<dyn PartitionerFactory>, channels: usize, batch: Batch<u64>) -> Vec<Vec<u64>> {
        let mut partitioner = factory.create(PartitionContext { subtask: 0, channels, max_parallelism: 128 });
        let mut received = Received::default();
        partitioner.partition(AnyBatch::new(batch), &mut received).unwrap();
        partitioner.flush(&mut received);
        received.0.resize_with(channels, Vec::new);
        received.0.into_iter().map(|batches| batches.into_iter().flat_map(|batch| batch.values).collect()).collect()
    }

    #[test]
    fn rebalance_gives_every_channel_its_share() {
        let got = run(RecordEdge::<u64>::default().create(PartitionKind::Rebalance), 3, Batch::of((0..3000).collect()));
        assert!(got.iter().all(|channel| channel.len() == 1000), "{:?}", got.iter().map(Vec::len).collect::<Vec<_>>());
    }

    #[test]
    fn broadcast_gives_every_channel_everything_and_global_the_first_one() {
        let edge = RecordEdge::<u64>::default();
        assert_eq!(run(edge.create(PartitionKind::Broadcast), 2, Batch::of(vec![1, 2])), [[1, 2], [1, 2]]);
        assert_eq!(run(edge.create(PartitionKind::Global), 2, Batch::of(vec![1, 2])), [vec![1, 2], vec![]]);
    }

    #[test]
    fn shuffle_loses_nothing() {
        let got = run(RecordEdge::<u64>::default().create(PartitionKind::Shuffle), 4, Batch::of((0..5000).collect()));
        assert!(got.iter().all(|channel| channel.len() > 1000));
        let mut all: Vec<u64> = got.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..5000).collect::<Vec<_>>());
    }

    #[test]
    fn a_key_goes_to_the_owner_of_its_group_with_its_hash_and_timestamp() {
        let edge = KeyEdge::<u64, _>::new(ByValue::new(|n: &u64| n % 100));
        let mut partitioner =
            EdgeFactory::create(&edge, PartitionKind::Hash).create(PartitionContext { subtask: 0, channels: 3, max_parallelism: 128 });
        let mut received = Received::default();
        let batch = Batch { values: (0..1000u64).collect(), timestamps: Timestamps::Each((0..1000).collect()), hashes: Vec::new() };
        partitioner.partition(AnyBatch::new(batch), &mut received).unwrap();
        partitioner.flush(&mut received);
        let mut seen = 0;
        for (channel, batches) in received.0.iter().enumerate() {
            for batch in batches {
                assert_eq!(batch.values.len(), batch.hashes.len());
                for (index, value) in batch.values.iter().enumerate() {
                    let hash = key_hash(&(value % 100));
                    assert_eq!(batch.hashes[index], hash);
                    assert_eq!(batch.timestamps.get(index), Some(*value as i64));
                    assert_eq!(subtask_of_group(key_group_of(hash, 128), 128, 3) as usize, channel);
                    seen += 1;
                }
            }
        }
        assert_eq!(seen, 1000);
    }

    /// What leads to another process.
    #[derive(Default)]
    struct Leaving(Vec<AnyBatch>);
    impl ChannelOutput for Leaving {
        fn push(&mut self, _: usize, batch: AnyBatch) {
            self.0.push(batch);
        }
        fn leaves_process(&self, _: usize) -> bool {
            true
        }
    }

    #[test]
    fn what_leaves_the_process_gets_the_hashes_of_its_keys_where_it_is_decoded() {
        let edge = KeyEdge::<u64, _>::new(ByValue::new(|n: &u64| n % 100));
        let factory = EdgeFactory::create(&edge, PartitionKind::Hash);
        let codec = factory.codec();
        for channels in [1, 3] {
            let mut partitioner = factory.create(PartitionContext { subtask: 0, channels, max_parallelism: 128 });
            let mut sent = Leaving::default();
            partitioner.partition(AnyBatch::new(Batch::of((0..1000u64).collect())), &mut sent).unwrap();
            partitioner.flush(&mut sent);
            let mut seen = 0;
            for batch in sent.0 {
                let mut bytes = Vec::new();
                codec.encode(&batch, &mut bytes).unwrap();
                let found = codec.decode(&bytes).unwrap().downcast::<u64>().unwrap();
                assert_eq!(found.values, batch.downcast::<u64>().unwrap().values);
                assert_eq!(found.hashes, found.values.iter().map(|value| key_hash(&(value % 100))).collect::<Vec<_>>());
                seen += found.values.len();
            }
            assert_eq!(seen, 1000, "{channels} channels");
        }
    }

    #[test]
    fn a_key_by_reference_has_the_hash_of_the_owned_key() {
        use crate::key::KeySelector;
        let by_ref = ByRef::new(|record: &(String, u64)| record.0.as_str());
        assert_eq!(by_ref.hash(&("word".to_owned(), 1)), key_hash("word"));
        assert_eq!(key_hash("word"), key_hash(&"word".to_owned()));
    }

    #[test]
    fn a_custom_partitioner_that_names_no_channel_fails() {
        let edge = CustomEdge::<u64, _>::new(|n: &u64, channels: usize| (*n as usize) % (channels + 1));
        let mut partitioner =
            EdgeFactory::create(&edge, PartitionKind::Custom).create(PartitionContext { subtask: 0, channels: 2, max_parallelism: 128 });
        let mut received = Received::default();
        partitioner.partition(AnyBatch::new(Batch::of(vec![0u64, 1])), &mut received).unwrap();
        assert!(partitioner.partition(AnyBatch::new(Batch::of(vec![2u64])), &mut received).is_err());
    }
}
