//! The side of the job.

use super::{FetchReply, FetchRequest};
use flott_core::{
    AnyBatch, BoxError, Data,
    codec::{CODEC, decode, encode},
    context::OpenContext,
    id::CheckpointId,
    operator::{Operator, OperatorFactory, Output, SnapshotProgress, SnapshotWriter},
    schema::Schema,
    snapshot::{ListStateSnapshot, Redistribution},
    time::SharedClock,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    marker::PhantomData,
    sync::Arc,
    time::Duration,
};

/// How long the program may be silent before its results are given up, so that the job goes on without it.
pub const SILENCE: Duration = Duration::from_secs(60);
/// Bytes of results that are kept before the sink takes no more input.
const MOST_BYTES: u64 = 2 << 20;
/// What a result costs beside its own bytes.
const OVERHEAD_BYTES: u64 = 32;
const STATE: &str = "results";

/// The operator of the sink, which must run in one subtask. `at_once`: the job starts nothing again from checkpoints.
pub fn fetch_sink<T: Data>(at_once: bool) -> Arc<dyn OperatorFactory> {
    Arc::new(move || -> Box<dyn Operator> { Box::new(FetchSink::<T> { at_once, open: None, types: PhantomData }) })
}

/// What is stored in checkpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// The number of the first of `values`: those before were confirmed.
    start: u64,
    values: VecDeque<Vec<u8>>,
    /// Whether that is all.
    finished: bool,
}

struct FetchSink<T> {
    at_once: bool,
    open: Option<OpenSink>,
    types: PhantomData<fn(T)>,
}

struct OpenSink {
    version: u64,
    /// The number of the first result that this run had.
    opened_at: u64,
    /// How many there were when it began.
    restored: u64,
    kept: Kept,
    bytes: u64,
    /// How many there were at checkpoints that are not known to be complete.
    there_at: BTreeMap<CheckpointId, u64>,
    durable: u64,
    /// The program has all, knows that they stand, or wants no more.
    done: bool,
    stands: bool,
    closed: bool,
    given_up: bool,
    heard: Duration,
    clock: SharedClock,
}

impl OpenSink {
    fn end(&self) -> u64 {
        self.kept.start + self.kept.values.len() as u64
    }

    fn is_full(&self) -> bool {
        self.bytes >= MOST_BYTES
    }

    /// Forgets those before number `from`.
    fn confirm(&mut self, from: u64) {
        while self.kept.start < from
            && let Some(value) = self.kept.values.pop_front()
        {
            self.kept.start += 1;
            self.bytes -= value.len() as u64 + OVERHEAD_BYTES;
        }
    }

    fn close(&mut self) {
        self.closed = true;
        self.confirm(self.end());
    }

    fn answer(&mut self, request: &FetchRequest) -> FetchReply {
        self.heard = self.clock.monotonic();
        let known = request.version == Some(self.version);
        if request.closed {
            self.close();
        }
        if known {
            self.confirm(request.from.min(self.end()));
            self.done |= request.done;
            self.stands |= request.stands;
        }
        let mut values = Vec::new();
        // One that speaks of an earlier version must first drop what it has too much.
        if known || (request.version.is_none() && self.opened_at == self.kept.start) {
            let mut left = request.most_bytes;
            for value in &self.kept.values {
                let bytes = value.len() as u64 + OVERHEAD_BYTES;
                if left < bytes && !(values.is_empty() && left > 0) {
                    break;
                }
                left = left.saturating_sub(bytes);
                values.push(value.clone());
            }
        }
        FetchReply {
            version: self.version,
            // One that asks for the first time wants all from there on, and is to notice if some were given up before.
            first: if request.version.is_none() { self.opened_at } else { self.kept.start },
            values,
            restored: self.restored,
            durable: Some(self.durable),
            total: self.kept.finished.then(|| self.end()),
            given_up: self.given_up,
        }
    }
}

impl<T: Data> FetchSink<T> {
    fn open_sink(&mut self) -> Result<&mut OpenSink, BoxError> {
        self.open.as_mut().ok_or_else(|| "the sink was not opened".into())
    }
}

impl<T: Data> Operator for FetchSink<T> {
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError> {
        let lists = context.restored.map_or(&[][..], |restored| restored.lists());
        let restored = lists.iter().filter(|list| list.name == STATE).flat_map(|list| &list.items).next();
        let kept: Kept = restored.map(|bytes| decode(bytes)).transpose()?.unwrap_or_default();
        let mut open = OpenSink {
            version: context.seed,
            opened_at: kept.start,
            restored: 0,
            bytes: kept.values.iter().map(|value| value.len() as u64 + OVERHEAD_BYTES).sum(),
            there_at: BTreeMap::new(),
            durable: 0,
            kept,
            done: false,
            stands: false,
            closed: false,
            given_up: false,
            heard: context.clock.monotonic(),
            clock: context.clock.clone(),
        };
        (open.restored, open.durable) = (open.end(), open.end());
        self.open = Some(open);
        Ok(())
    }

    fn process(&mut self, _: usize, batch: AnyBatch, _: &mut dyn Output) -> Result<(), BoxError> {
        let batch = batch.downcast::<T>()?;
        let open = self.open_sink()?;
        if open.closed {
            open.kept.start += batch.values.len() as u64;
            return Ok(());
        }
        for value in &batch.values {
            let value = encode(value)?;
            open.bytes += value.len() as u64 + OVERHEAD_BYTES;
            open.kept.values.push_back(value);
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.closed || !open.is_full())
    }

    fn request(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let request: FetchRequest = decode(body).ok()?;
        let at_once = self.at_once;
        let open = self.open.as_mut()?;
        let reply = open.answer(&request);
        encode(&FetchReply { durable: reply.durable.filter(|_| !at_once), ..reply }).ok()
    }

    fn next_wake(&self) -> Option<Duration> {
        let open = self.open.as_ref()?;
        // Whatever is kept may be what the task cannot end for: a stop with a savepoint is not told here.
        let waits = !open.closed && !open.done && (open.kept.finished || !open.kept.values.is_empty());
        waits.then(|| open.heard.saturating_add(SILENCE))
    }

    fn on_wake(&mut self, _: &mut dyn Output) -> Result<(), BoxError> {
        let open = self.open_sink()?;
        if open.clock.monotonic() >= open.heard.saturating_add(SILENCE) {
            open.given_up = true;
            open.close();
        }
        Ok(())
    }

    fn snapshot(&mut self, checkpoint: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        let open = self.open_sink()?;
        open.there_at.insert(checkpoint, open.end());
        let items = vec![encode(&open.kept)?];
        let (codec, schema) = (CODEC.to_owned(), Schema::of::<T>());
        writer.list(ListStateSnapshot { name: STATE.to_owned(), redistribution: Redistribution::Split, codec, schema, items });
        Ok(SnapshotProgress::Done)
    }

    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) -> Result<(), BoxError> {
        let open = self.open_sink()?;
        let later = open.there_at.split_off(&CheckpointId(checkpoint.0 + 1));
        let complete = std::mem::replace(&mut open.there_at, later);
        open.durable = complete.into_values().fold(open.durable, u64::max);
        Ok(())
    }

    fn checkpoint_aborted(&mut self, checkpoint: CheckpointId) {
        if let Some(open) = &mut self.open {
            open.there_at.remove(&checkpoint);
        }
    }

    fn is_settled(&self) -> bool {
        self.open.as_ref().is_none_or(|open| {
            // The job may go on for long after this task. Without a checkpoint nothing stands before the end of the job.
            let is_told = open.stands || open.durable < open.end();
            open.closed || if open.kept.finished { open.done && is_told } else { open.kept.values.is_empty() }
        })
    }

    fn finish(&mut self, _: &mut dyn Output) -> Result<(), BoxError> {
        self.open_sink()?.kept.finished = true;
        Ok(())
    }
}
