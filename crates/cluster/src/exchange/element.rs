//! What travels on a channel, as bytes. A batch is a frame that costs a credit, everything else one that costs none.

use flott_core::{AnyBatch, BoxError, Timestamp, codec, exchange::BatchCodec, operator::WatermarkStatus};
use flott_net::Payload;
use flott_rpc::task::Barrier;
use flott_runtime::{LatencyMarker, StreamElement, panics::catching};
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

/// The frame of `element`. It is encoded when its turn to be written has come.
pub(super) fn encode(element: StreamElement, codec: &Arc<dyn BatchCodec>) -> Encoded {
    let control = match element {
        StreamElement::Batch(batch) => {
            let codec = codec.clone();
            return Encoded::Batch(Payload::made(move |buffer| encode_batch(&batch, codec.as_ref(), buffer)));
        }
        StreamElement::Watermark(watermark) => Control::Watermark(watermark),
        StreamElement::Status(status) => Control::Status(status),
        StreamElement::Barrier(barrier) => Control::Barrier(barrier),
        StreamElement::EndOfInput => Control::EndOfInput,
        StreamElement::LatencyMarker(marker) => Control::LatencyMarker(marker),
    };
    Encoded::Control(Payload::made(move |buffer| codec::encode_into(&control, buffer)))
}

fn encode_batch(batch: &AnyBatch, codec: &dyn BatchCodec, buffer: &mut Vec<u8>) -> Result<(), BoxError> {
    // The types are the user's: one that panics breaks its channel, not the connection.
    catching(|| codec.encode(batch, buffer)).unwrap_or_else(|panic| Err(format!("a type panicked: {}", panic.message).into()))
}

/// The batch that a frame holds.
///
/// # Errors
/// The bytes are no batch of the edge.
pub(crate) fn decode_batch(payload: &[u8], codec: &dyn BatchCodec) -> Result<StreamElement, BoxError> {
    let decoded = catching(|| codec.decode(payload)).unwrap_or_else(|panic| Err(format!("a type panicked: {}", panic.message).into()));
    Ok(StreamElement::Batch(decoded?))
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
