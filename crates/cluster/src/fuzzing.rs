//! What the fuzzer in `fuzz/` calls. No interface for anyone else.
//!
//! Each function takes any bytes, and panics only if a decoder is wrong.

use crate::{control, exchange};
use flott_core::exchange::{BatchCodec, TypedBatchCodec};
use flott_net::frame::{self, Decoded, FrameReader};
use flott_rpc::control::{ClientReply, ClientRequest, FromTaskManager, FromWorker, Hello, ToTaskManager, ToWorker, Welcome};
use flott_runtime::StreamElement;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt::Debug, sync::Arc};

pub use flott_storage::fuzzing::{metadata, metadata_file};

/// The longest payload of a frame.
const LIMIT: usize = 1 << 20;

/// Reads bytes as frames: as they are, whole and in pieces, and as the payload of a sound frame.
///
/// # Panics
/// Frames depend on how the bytes come, or what was written is not what is read.
pub fn frames(bytes: &[u8]) {
    assert_eq!(read_frames(bytes, usize::MAX), read_frames(bytes, 7), "frames depend on how their bytes come");
    let Some((kind, payload)) = bytes.split_first() else { return };
    let kinds = [frame::FrameKind::Open, frame::FrameKind::Data, frame::FrameKind::Credit, frame::FrameKind::Goodbye];
    let kind = kinds[usize::from(*kind) % kinds.len()];
    let mut sound = Vec::new();
    if frame::append(&mut sound, kind, 3, payload, LIMIT).is_ok() {
        let Ok(Decoded::Frame(read)) = frame::decode(&sound, LIMIT) else { panic!("a sound frame is not read") };
        assert_eq!((read.kind, read.channel, read.payload), (kind, 3, payload));
    }
}

/// The frames before the first mistake, and whether there is one. `step` bytes come at once.
fn read_frames(mut bytes: &[u8], step: usize) -> (Vec<(u8, u32, usize)>, bool) {
    let mut reader = FrameReader::new(LIMIT);
    let mut frames = Vec::new();
    let mut piece: &[u8] = &[];
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => frames.push((frame.kind as u8, frame.channel, frame.payload.len())),
            Ok(None) if piece.is_empty() && bytes.is_empty() => return (frames, false),
            Ok(None) => {
                if piece.is_empty() {
                    (piece, bytes) = bytes.split_at(step.min(bytes.len()));
                }
                reader.fill(&mut piece).expect("memory can be read");
            }
            Err(_) => return (frames, true),
        }
    }
}

/// Reads bytes as messages of the control plane: as a connection brings them, and as the body of a sound message, of the kind that
/// the first byte says.
///
/// # Panics
/// A message is another when it is sent and received again.
pub fn messages(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 8 {
        0 => message::<Hello>(bytes),
        1 => message::<Welcome>(bytes),
        2 => message::<ClientRequest>(bytes),
        3 => message::<ClientReply>(bytes),
        4 => message::<ToTaskManager>(bytes),
        5 => message::<FromTaskManager>(bytes),
        6 => message::<ToWorker>(bytes),
        _ => message::<FromWorker>(bytes),
    }
}

fn message<M: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    // Most are damaged, which must be noticed and nothing else.
    let _ = control::receive::<M>(bytes);
    let mut framed = (bytes.len() as u32).to_le_bytes().to_vec();
    framed.extend_from_slice(&flott_storage::block_crc(bytes).to_le_bytes());
    framed.extend_from_slice(bytes);
    let Ok(read) = control::receive::<M>(framed.as_slice()) else { return };
    let mut sent = Vec::new();
    control::send(&mut sent, &read).expect("what was received can be sent");
    let again: M = control::receive(sent.as_slice()).expect("what was sent can be received");
    let mut sent_again = Vec::new();
    control::send(&mut sent_again, &again).expect("what was received can be sent");
    assert_eq!(sent, sent_again, "{read:?} is another when it is received again");
}

/// Reads bytes as what travels on a channel, of the kind that the first byte says.
pub fn elements(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let codec: Arc<dyn BatchCodec> = match kind % 4 {
        0 => {
            let _ = exchange::decode_control(bytes);
            return;
        }
        1 => Arc::new(TypedBatchCodec::<u64>::default()),
        2 => Arc::new(TypedBatchCodec::<(String, u64)>::default()),
        _ => Arc::new(TypedBatchCodec::<Vec<Option<String>>>::default()),
    };
    // A batch or an error.
    if let Ok(StreamElement::Encoded(encoded)) = exchange::batch(bytes, &codec, &Arc::default()) {
        let _ = encoded.decode();
    }
}
