//! What travels on a channel.

use crate::panics::{CaughtPanic, catching};
use flott_core::{AnyBatch, BoxError, Timestamp, block_pool::BlockPool, exchange::BatchCodec, id::OperatorId, operator::WatermarkStatus};
use flott_rpc::task::Barrier;
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// One thing on a channel, in the order in which it was sent.
#[derive(Debug, Clone)]
pub enum StreamElement {
    /// Records.
    Batch(AnyBatch),
    /// Records on their way from or to another process.
    Encoded(EncodedBatch),
    /// Event time has reached this, as far as the sender knows.
    Watermark(Timestamp),
    /// The sender became idle or active.
    Status(WatermarkStatus),
    /// What came before belongs to the checkpoint, what comes behind does not.
    Barrier(Barrier),
    /// No more records; barriers may still follow, until the channel is closed.
    EndOfInput,
    /// Tells how long records are on their way.
    LatencyMarker(LatencyMarker),
}

impl StreamElement {
    /// Whether it holds records.
    pub fn is_batch(&self) -> bool {
        matches!(self, StreamElement::Batch(_) | StreamElement::Encoded(_))
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        match self {
            StreamElement::Batch(batch) => batch.len(),
            StreamElement::Encoded(encoded) => encoded.records() as usize,
            _ => 0,
        }
    }
}

/// A batch as bytes: the number of its records (4 bytes, little-endian), then what the edge's codec makes of it. The tasks at both ends
/// encode and decode, rather than the threads that write and read the connection: there the records are in the processor's cache.
#[derive(Clone)]
pub struct EncodedBatch {
    bytes: Vec<u8>,
    codec: Arc<dyn BatchCodec>,
    pool: Arc<BlockPool>,
}

impl Drop for EncodedBatch {
    fn drop(&mut self) {
        self.pool.put(std::mem::take(&mut self.bytes));
    }
}

impl fmt::Debug for EncodedBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncodedBatch").field("records", &self.records()).field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// From so many bytes on a batch is encoded when it is written and decoded when it has come: one that is too long for the processor's cache
/// would only take memory twice in the meantime.
pub const EARLY_BYTES: usize = 64 << 10;

const CUT: &str = "a batch is cut in its number of records";

/// What is shorter may lie in memory for this.
const LEAST_BYTES: usize = 1 << 10;

/// Bytes of the number of records.
const COUNT_BYTES: usize = 4;

impl EncodedBatch {
    /// Encodes `batch` into memory of `pool`, perhaps about `room` bytes.
    ///
    /// # Errors
    /// The batch has another type, or a value refuses to be serialised, or panics.
    pub fn new(batch: &AnyBatch, codec: &Arc<dyn BatchCodec>, pool: &Arc<BlockPool>, room: usize) -> Result<Self, BoxError> {
        let mut encoded = EncodedBatch { bytes: memory(pool, room), codec: codec.clone(), pool: pool.clone() };
        Self::append(batch, codec.as_ref(), &mut encoded.bytes)?;
        Ok(encoded)
    }

    /// Appends `batch` as bytes.
    ///
    /// # Errors
    /// As of [`EncodedBatch::new`].
    pub fn append(batch: &AnyBatch, codec: &dyn BatchCodec, bytes: &mut Vec<u8>) -> Result<(), BoxError> {
        bytes.extend_from_slice(&u32::try_from(batch.len())?.to_le_bytes());
        // The types are the user's: one that panics breaks its channel, and nothing else.
        catching(|| codec.encode(batch, bytes)).unwrap_or_else(panicked)
    }

    /// What has come from another process, in memory of `pool`.
    ///
    /// # Errors
    /// There are not even the bytes of a number.
    pub fn received(bytes: &[u8], codec: &Arc<dyn BatchCodec>, pool: &Arc<BlockPool>) -> Result<Self, BoxError> {
        if bytes.len() < COUNT_BYTES {
            return Err(CUT.into());
        }
        let mut block = memory(pool, with_room(bytes.len()));
        block.extend_from_slice(bytes);
        Ok(EncodedBatch { bytes: block, codec: codec.clone(), pool: pool.clone() })
    }

    /// How many records there are, as the sender says.
    pub fn records(&self) -> u32 {
        self.bytes.first_chunk().map_or(0, |count| u32::from_le_bytes(*count))
    }

    /// How many bytes it takes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes. Whoever has no more use for them gives them back to the pool.
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// The batch.
    ///
    /// # Errors
    /// The bytes are no batch of the edge, or a type panics.
    pub fn decode(&self) -> Result<AnyBatch, BoxError> {
        Self::decoded(&self.bytes, self.codec.as_ref())
    }

    /// The batch that [`EncodedBatch::append`] has appended.
    ///
    /// # Errors
    /// As of [`EncodedBatch::decode`].
    pub fn decoded(bytes: &[u8], codec: &dyn BatchCodec) -> Result<AnyBatch, BoxError> {
        let (count, content) = bytes.split_first_chunk::<COUNT_BYTES>().ok_or(CUT)?;
        let batch = catching(|| codec.decode(content)).unwrap_or_else(panicked)?;
        match u32::from_le_bytes(*count) {
            records if records as usize == batch.len() => Ok(batch),
            records => Err(format!("a batch of {records} records has {}", batch.len()).into()),
        }
    }
}

/// So much memory for `bytes` that the next batch, which may be a little longer, has room in it as well.
pub(crate) fn with_room(bytes: usize) -> usize {
    bytes + bytes / 8
}

/// Memory for `bytes`, and not much more: all edges of a process share a pool, and a batch may wait for long.
fn memory(pool: &BlockPool, bytes: usize) -> Vec<u8> {
    let block = pool.take(bytes);
    if block.capacity() <= 4 * bytes.max(LEAST_BYTES) {
        return block;
    }
    pool.put(block);
    Vec::with_capacity(bytes)
}

/// Of a type, or of the function that computes its key.
fn panicked<T>(panic: CaughtPanic) -> Result<T, BoxError> {
    Err(format!("its code panicked: {}", panic.message).into())
}

/// Sent by a source every now and then, to see how long it takes to come to operators. It takes the way of records and overtakes none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyMarker {
    /// The source.
    pub source: OperatorId,
    /// Its subtask.
    pub subtask: u32,
    /// When it was sent, ms since 1970.
    pub marked_at: Timestamp,
}
