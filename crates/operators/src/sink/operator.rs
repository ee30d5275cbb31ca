//! Runs a sink: its writer, and its committer when checkpoints are complete.
//!
//! What the writer prepared for a checkpoint stays in operator state until it is committed. A checkpoint that fails leaves
//! its part to the next one. What is restored was part of a complete checkpoint, so it is committed when the operator opens.

use flott_core::{
    AnyBatch, BoxError, Data,
    codec::{CODEC, decode, encode},
    context::OpenContext,
    id::CheckpointId,
    operator::{Operator, OperatorFactory, Output, SnapshotProgress, SnapshotWriter},
    schema::Schema,
    sink::{CommitOutcome, Committer, Sink, SinkWriter, WriterContext},
    snapshot::{ListStateSnapshot, Redistribution},
    time::SharedClock,
};
use std::{collections::BTreeMap, marker::PhantomData, sync::Arc, time::Duration};

const WRITER_STATE: &str = "writer";
const COMMITTABLES: &str = "committables";
/// Time between two attempts to commit.
const RETRY_DELAY: Duration = Duration::from_millis(500);

/// The operator of `sink`.
pub fn sink_operator<T: Data, S: Sink<T>>(sink: S) -> Arc<dyn OperatorFactory> {
    let sink = Arc::new(sink);
    Arc::new(move || -> Box<dyn Operator> { Box::new(SinkOperator::<T, S> { sink: sink.clone(), open: None, types: PhantomData }) })
}

struct SinkOperator<T: Data, S: Sink<T>> {
    sink: Arc<S>,
    open: Option<OpenSink<T, S>>,
    types: PhantomData<fn(T)>,
}

struct OpenSink<T: Data, S: Sink<T>> {
    writer: Box<dyn SinkWriter<T, S::Committable, S::WriterState>>,
    committer: Option<Box<dyn Committer<S::Committable>>>,
    /// Prepared for checkpoints that are not known to be complete.
    prepared: BTreeMap<CheckpointId, Vec<S::Committable>>,
    /// Belongs to complete checkpoints, to be committed now; with the number of attempts.
    due: Vec<(S::Committable, u32)>,
    retry_at: Option<Duration>,
    retries: u32,
    clock: SharedClock,
    /// A writer that failed must not be asked again: it may have lost a part of what it was given.
    broken: Option<String>,
}

impl<T: Data, S: Sink<T>> SinkOperator<T, S> {
    fn open_sink(&mut self) -> Result<&mut OpenSink<T, S>, BoxError> {
        let open = self.open.as_mut().ok_or("the sink was not opened")?;
        match &open.broken {
            Some(reason) => Err(reason.clone().into()),
            None => Ok(open),
        }
    }
}

impl<T: Data, S: Sink<T>> OpenSink<T, S> {
    /// Tries to commit all that is due.
    fn commit(&mut self) -> Result<(), BoxError> {
        self.retry_at = None;
        let Some(committer) = &mut self.committer else { return Ok(()) };
        let mut left = Vec::new();
        for (committable, attempts) in std::mem::take(&mut self.due) {
            match committer.commit(&committable) {
                CommitOutcome::Committed | CommitOutcome::AlreadyCommitted => {}
                CommitOutcome::Retry(error) if attempts >= self.retries => {
                    return Err(format!("a commit failed {} times: {error}", attempts + 1).into());
                }
                CommitOutcome::Retry(_) => left.push((committable, attempts + 1)),
                CommitOutcome::Failed(error) => return Err(format!("a commit failed for good: {error}").into()),
            }
        }
        if !left.is_empty() {
            self.retry_at = Some(self.clock.monotonic() + RETRY_DELAY);
        }
        self.due = left;
        Ok(())
    }

    fn snapshot(&mut self, checkpoint: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<(), BoxError> {
        self.writer.flush(false)?;
        let prepared = self.writer.prepare_commit(checkpoint)?;
        if !prepared.is_empty() {
            self.prepared.entry(checkpoint).or_default().extend(prepared);
        }
        let states = self.writer.snapshot(checkpoint)?;
        writer.list(list(WRITER_STATE, states.iter())?);
        let waiting = self.due.iter().map(|(committable, _)| committable).chain(self.prepared.values().flatten());
        writer.list(list(COMMITTABLES, waiting)?);
        Ok(())
    }
}

fn list<'a, I: Data>(name: &str, items: impl Iterator<Item = &'a I>) -> Result<ListStateSnapshot, BoxError> {
    let items = items.map(encode).collect::<Result<Vec<_>, _>>()?;
    let schema = Schema::of::<I>();
    Ok(ListStateSnapshot { name: name.to_owned(), redistribution: Redistribution::Split, codec: CODEC.to_owned(), schema, items })
}

fn restored<I: Data>(context: &OpenContext<'_>, name: &str) -> Result<Vec<I>, BoxError> {
    let lists = context.restored.map_or(&[][..], |restored| restored.lists());
    let items = lists.iter().filter(|list| list.name == name).flat_map(|list| &list.items);
    items.map(|item| decode(item)).collect()
}

impl<T: Data, S: Sink<T>> Operator for SinkOperator<T, S> {
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError> {
        let writer_context = WriterContext {
            operator: context.info.name.clone(),
            subtask: context.info.subtask,
            parallelism: context.info.parallelism,
            attempt: context.info.attempt,
            restored: context.restored.map(|restored| restored.checkpoint()),
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
            seed: context.seed,
        };
        let due: Vec<S::Committable> = restored(context, COMMITTABLES)?;
        // Committed first: a restored writer may go on with a file only after what lies before it is where it belongs.
        let mut open = OpenSink {
            committer: self.sink.create_committer(&writer_context)?,
            prepared: BTreeMap::new(),
            due: due.into_iter().map(|committable| (committable, 0)).collect(),
            retry_at: None,
            retries: context.commit_retries,
            clock: context.clock.clone(),
            broken: None,
            writer: Box::new(NoWriter),
        };
        open.commit()?;
        open.writer = self.sink.create_writer(&writer_context, restored(context, WRITER_STATE)?)?;
        self.open = Some(open);
        Ok(())
    }

    fn process(&mut self, _: usize, batch: AnyBatch, _: &mut dyn Output) -> Result<(), BoxError> {
        let batch = batch.downcast::<T>()?;
        self.open_sink()?.writer.write(batch)
    }

    fn next_wake(&self) -> Option<Duration> {
        let open = self.open.as_ref()?;
        if open.broken.is_some() {
            // At once, so that the task fails, and what was lost is read again: there may never be another record.
            return Some(Duration::ZERO);
        }
        [open.retry_at, open.writer.next_wake()].into_iter().flatten().min()
    }

    fn on_wake(&mut self, _: &mut dyn Output) -> Result<(), BoxError> {
        let open = self.open_sink()?;
        let now = open.clock.monotonic();
        if open.retry_at.is_some_and(|at| at <= now) {
            open.commit()?;
        }
        if open.writer.next_wake().is_some_and(|at| at <= now) {
            open.writer.on_wake()?;
        }
        Ok(())
    }

    fn snapshot(&mut self, checkpoint: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        let open = self.open_sink()?;
        match open.snapshot(checkpoint, writer) {
            Ok(()) => Ok(SnapshotProgress::Done),
            Err(error) => {
                open.broken = Some(format!("the writer failed at checkpoint {checkpoint}: {error}"));
                Err(error)
            }
        }
    }

    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) -> Result<(), BoxError> {
        let open = self.open_sink()?;
        let later = open.prepared.split_off(&CheckpointId(checkpoint.0 + 1));
        let complete = std::mem::replace(&mut open.prepared, later);
        open.due.extend(complete.into_values().flatten().map(|committable| (committable, 0)));
        open.commit()
    }

    fn is_settled(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.due.is_empty())
    }

    fn finish(&mut self, _: &mut dyn Output) -> Result<(), BoxError> {
        self.open_sink()?.writer.flush(true)
    }

    fn close(&mut self) -> Result<(), BoxError> {
        match self.open.take() {
            Some(mut open) => open.writer.close(),
            None => Ok(()),
        }
    }
}

/// Stands in until the restored committables are committed.
struct NoWriter;

impl<T, C, S> SinkWriter<T, C, S> for NoWriter {
    fn write(&mut self, _: flott_core::Batch<T>) -> Result<(), BoxError> {
        Err("the sink was not opened".into())
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        Ok(())
    }
}
