//! Exchange edges: how records choose a channel, and how they are encoded on it.

use crate::{
    batch::{AnyBatch, Batch},
    codec,
    data::Data,
    error::BoxError,
    schema::Schema,
};
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

/// How records are spread over the subtasks of the next operator. Flink's partitioners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionKind {
    /// To the subtask of the same index; can be chained.
    Forward,
    /// Round robin over all subtasks.
    Rebalance,
    /// Round robin over a nearby few: the channels are split evenly between the upstream subtasks.
    Rescale,
    /// A random subtask for each record.
    Shuffle,
    /// By the key group of the record's key.
    Hash,
    /// To every subtask.
    Broadcast,
    /// To subtask 0.
    Global,
    /// By a function of the user.
    Custom,
}

impl PartitionKind {
    /// The name that Flink shows.
    pub fn name(self) -> &'static str {
        match self {
            PartitionKind::Forward => "FORWARD",
            PartitionKind::Rebalance => "REBALANCE",
            PartitionKind::Rescale => "RESCALE",
            PartitionKind::Shuffle => "SHUFFLE",
            PartitionKind::Hash => "HASH",
            PartitionKind::Broadcast => "BROADCAST",
            PartitionKind::Global => "GLOBAL",
            PartitionKind::Custom => "CUSTOM",
        }
    }

    /// Whether a subtask is connected to few others only, so that a failure may stay among them.
    pub fn is_pointwise(self) -> bool {
        matches!(self, PartitionKind::Forward | PartitionKind::Rescale)
    }
}

/// Where a partitioner stands.
#[derive(Debug, Clone, Copy)]
pub struct PartitionContext {
    /// The index of the sending subtask.
    pub subtask: u32,
    /// The number of channels to choose from.
    pub channels: usize,
    /// The maximum parallelism of the receiving operator.
    pub max_parallelism: u32,
}

/// Takes what a partitioner has decided.
pub trait ChannelOutput {
    /// Sends `batch` on `channel`.
    fn push(&mut self, channel: usize, batch: AnyBatch);

    /// Whether the channel leads to another process: there the hashes of keys are computed again.
    fn leaves_process(&self, channel: usize) -> bool;
}

/// Spreads records over channels. May keep back part-full batches until [`Partitioner::flush`].
pub trait Partitioner {
    /// Takes a batch.
    ///
    /// # Errors
    /// The batch has another type, a key cannot be computed, or the user's function failed.
    fn partition(&mut self, batch: AnyBatch, output: &mut dyn ChannelOutput) -> Result<(), BoxError>;

    /// Sends whatever was kept back: there is no more input at hand, or a watermark or barrier follows.
    fn flush(&mut self, output: &mut dyn ChannelOutput);
}

/// Makes the partitioner of each subtask, and knows the codec of the edge.
pub trait PartitionerFactory: Send + Sync {
    /// The kind.
    fn kind(&self) -> PartitionKind;

    /// The partitioner of one sending subtask.
    fn create(&self, context: PartitionContext) -> Box<dyn Partitioner>;

    /// The codec of what travels on the edge.
    fn codec(&self) -> Box<dyn BatchCodec>;
}

/// Encodes the batches of one edge: for another process, or for in-flight data in a checkpoint.
pub trait BatchCodec: Send + Sync {
    /// The schema of a record.
    fn schema(&self) -> Schema;

    /// Appends the encoding of `batch`.
    ///
    /// # Errors
    /// The batch has another type, or a value refuses to be serialised.
    fn encode(&self, batch: &AnyBatch, buffer: &mut Vec<u8>) -> Result<(), BoxError>;

    /// Reads a batch.
    ///
    /// # Errors
    /// The bytes are no batch of this edge.
    fn decode(&self, bytes: &[u8]) -> Result<AnyBatch, BoxError>;
}

/// The codec of batches of `T`: timestamps, then values, by postcard. Hashes of keys do not travel: they are half of what a short record
/// would take, and computed where it is decoded.
pub struct TypedBatchCodec<T, H = NotKeyed> {
    hasher: H,
    records: PhantomData<fn() -> T>,
}

/// Memory that is reserved for the records of a batch before they are decoded, bytes.
const RESERVED_BYTES: usize = 1 << 20;

/// Knows the hash of a record's key.
pub trait RecordHasher<T>: Send + Sync + 'static {
    /// Whether records have keys.
    const KEYED: bool;

    /// The [`crate::key_hash::key_hash`] of the key of `record`.
    fn hash(&self, record: &T) -> u64;
}

/// For records without keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotKeyed;

impl<T> RecordHasher<T> for NotKeyed {
    const KEYED: bool = false;

    fn hash(&self, _: &T) -> u64 {
        0
    }
}

impl<T, H> std::fmt::Debug for TypedBatchCodec<T, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TypedBatchCodec<{}>", std::any::type_name::<T>())
    }
}

impl<T> Default for TypedBatchCodec<T> {
    fn default() -> Self {
        TypedBatchCodec::keyed(NotKeyed)
    }
}

impl<T, H> TypedBatchCodec<T, H> {
    /// Of an edge whose records have the keys that `hasher` knows.
    pub fn keyed(hasher: H) -> Self {
        TypedBatchCodec { hasher, records: PhantomData }
    }
}

impl<T: Data, H: RecordHasher<T>> BatchCodec for TypedBatchCodec<T, H> {
    fn schema(&self) -> Schema {
        Schema::of::<T>()
    }

    fn encode(&self, batch: &AnyBatch, buffer: &mut Vec<u8>) -> Result<(), BoxError> {
        let batch = batch.downcast_ref::<T>().ok_or("the batch has another type than its edge")?;
        codec::encode_into(&batch.timestamps, buffer)?;
        codec::encode_into(&batch.values, buffer)
    }

    fn decode(&self, bytes: &[u8]) -> Result<AnyBatch, BoxError> {
        let (timestamps, rest) = codec::decode_front(bytes)?;
        let (mut values, mut hashes) = (Vec::new(), Vec::new());
        codec::decode_each(rest, |value: T, left| {
            if values.capacity() == 0 {
                // A record may take far more memory than bytes: what was not decoded yet is trusted with so much and no more.
                let records = (left + 1).min(RESERVED_BYTES / size_of::<T>().max(1));
                values.reserve_exact(records);
                hashes.reserve_exact(if H::KEYED { records } else { 0 });
            }
            // While the record is at hand: to go through all of them again would cost as much as to decode them.
            if H::KEYED {
                hashes.push(self.hasher.hash(&value));
            }
            values.push(value);
        })?;
        if let crate::batch::Timestamps::Each(all) = &timestamps
            && all.len() != values.len()
        {
            return Err(format!("a batch of {} records with {} timestamps", values.len(), all.len()).into());
        }
        Ok(AnyBatch::new(Batch { values, timestamps, hashes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Timestamps;

    #[test]
    fn a_batch_survives_its_codec() {
        struct ByCount;
        impl RecordHasher<(String, u64)> for ByCount {
            const KEYED: bool = true;
            fn hash(&self, (_, count): &(String, u64)) -> u64 {
                count.wrapping_mul(3)
            }
        }
        let codec = TypedBatchCodec::<(String, u64), _>::keyed(ByCount);
        let batch = Batch {
            values: vec![("a".to_owned(), 1), ("b".to_owned(), u64::MAX)],
            timestamps: Timestamps::Each(vec![-1, i64::MAX]),
            hashes: vec![3, u64::MAX.wrapping_mul(3)],
        };
        let mut bytes = Vec::new();
        codec.encode(&AnyBatch::new(batch.clone()), &mut bytes).unwrap();
        let back = codec.decode(&bytes).unwrap().downcast::<(String, u64)>().unwrap();
        assert_eq!((back.values, back.timestamps, back.hashes), (batch.values, batch.timestamps, batch.hashes));
        for end in 0..bytes.len() {
            assert!(codec.decode(&bytes[..end]).is_err(), "a batch cut at {end} was accepted");
        }
    }
}
