//! What travels on a channel, as bytes. A batch is a frame that costs a credit, everything else one that costs none.

use flott_core::{BoxError, Timestamp, block_pool::BlockPool, codec, exchange::BatchCodec, operator::WatermarkStatus};
use flott_net::Payload;
use flott_rpc::task::Barrier;
use flott_runtime::{EARLY_BYTES, EncodedBatch, LatencyMarker, StreamElement};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An element that is no batch.
#[derive(Debug, Serialize, Deserialize)]
enum Control {
    Watermark(Timestamp),
    Status(WatermarkStatus),
    Barrier(Barrier),
    EndOfInput,
    LatencyMarker(LatencyMarker),
}

/// What is sent for an element.
pub(super) enum Encoded {
    /// It costs a credit.
    Batch(Payload),
    Control(Payload),
}

/// The frame of `element`. A batch that the task has not encoded is, when its turn to be written has come.
pub(super) fn encode(element: StreamElement, codec: &Arc<dyn BatchCodec>) -> Encoded {
    let control = match element {
        StreamElement::Batch(batch) => {
            let codec = codec.clone();
            let make = move |buffer: &mut Vec<u8>| EncodedBatch::append(&batch, codec.as_ref(), buffer);
            return Encoded::Batch(Payload::made(EARLY_BYTES, make));
        }
        StreamElement::Encoded(encoded) => return Encoded::Batch(encoded.into_bytes().into()),
        StreamElement::Watermark(watermark) => Control::Watermark(watermark),
        StreamElement::Status(status) => Control::Status(status),
        StreamElement::Barrier(barrier) => Control::Barrier(barrier),
        StreamElement::EndOfInput => Control::EndOfInput,
        StreamElement::LatencyMarker(marker) => Control::LatencyMarker(marker),
    };
    Encoded::Control(Payload::made(0, move |buffer| codec::encode_into(&control, buffer)))
}

/// The batch that a frame holds: a short one as it is, for the task that gets it to decode.
///
/// # Errors
/// The bytes are no batch of the edge.
pub(crate) fn batch(payload: &[u8], codec: &Arc<dyn BatchCodec>, pool: &Arc<BlockPool>) -> Result<StreamElement, BoxError> {
    if payload.len() < EARLY_BYTES {
        Ok(StreamElement::Encoded(EncodedBatch::received(payload, codec, pool)?))
    } else {
        Ok(StreamElement::Batch(EncodedBatch::decoded(payload, codec.as_ref())?))
    }
}

/// The element that a frame holds which is no batch.
///
/// # Errors
/// The bytes are none.
pub(crate) fn decode_control(payload: &[u8]) -> Result<StreamElement, BoxError> {
    Ok(match codec::decode(payload)? {
        Control::Watermark(watermark) => StreamElement::Watermark(watermark),
        Control::Status(status) => StreamElement::Status(status),
        Control::Barrier(barrier) => StreamElement::Barrier(barrier),
        Control::EndOfInput => StreamElement::EndOfInput,
        Control::LatencyMarker(marker) => StreamElement::LatencyMarker(marker),
    })
}
