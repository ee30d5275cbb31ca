//! Runs a source: its reader with timestamps and watermarks, and its enumerator, with their types erased.

use flott_core::{
    AnyBatch, Batch, BoxError, Data, Timestamp,
    batch::Timestamps,
    codec::{CODEC, decode, encode},
    context::OpenContext,
    id::CheckpointId,
    metrics::{Gauge, MetricGroup, names},
    operator::{Output, SnapshotWriter, WatermarkStatus},
    schema::Schema,
    snapshot::{ListStateSnapshot, Redistribution},
    source::{
        Assignment, Boundedness, EnumeratorContext, ErasedEnumerator, ReadRecords, ReadStatus, ReaderContext, ReaderOutput, Source,
        SourceFactory, SourceOperator, SourceReader, SourceRequest, SplitEnumerator,
    },
    time::SharedClock,
    watermark::WatermarkStrategy,
};
use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use crate::split_watermarks::SplitWatermarks;

const SPLITS: &str = "splits";

/// The parts of `source`, whose records get time by `strategy`.
pub fn source_factory<S: Source>(source: S, strategy: WatermarkStrategy<S::Out>) -> Arc<dyn SourceFactory> {
    Arc::new(TypedSource { source: Arc::new(source), strategy })
}

struct TypedSource<S: Source> {
    source: Arc<S>,
    strategy: WatermarkStrategy<S::Out>,
}

impl<S: Source> SourceFactory for TypedSource<S> {
    fn boundedness(&self) -> Boundedness {
        self.source.boundedness()
    }

    fn create_operator(&self) -> Box<dyn SourceOperator> {
        Box::new(TypedSourceOperator { source: self.source.clone(), strategy: self.strategy.clone(), open: None })
    }

    fn create_enumerator(&self, context: &EnumeratorContext, restored: Option<&[u8]>) -> Result<Box<dyn ErasedEnumerator>, BoxError> {
        let restored = restored.map(decode).transpose()?;
        Ok(Box::new(TypedEnumerator::<S>(self.source.create_enumerator(context, restored)?)))
    }
}

struct TypedSourceOperator<S: Source> {
    source: Arc<S>,
    strategy: WatermarkStrategy<S::Out>,
    open: Option<OpenSource<S>>,
}

struct OpenSource<S: Source> {
    reader: Box<dyn SourceReader<S::Out, S::Split>>,
    output: ReaderOutput<S::Out>,
    watermarks: Option<SplitWatermarks<S::Out>>,
    clock: SharedClock,
    metrics: MetricGroup,
    /// There is none before there was a record with event time.
    emit_lag: Option<Gauge>,
}

impl<S: Source> TypedSourceOperator<S> {
    fn open_source(&mut self) -> Result<&mut OpenSource<S>, BoxError> {
        self.open.as_mut().ok_or_else(|| "the source was not opened".into())
    }
}

impl<S: Source> OpenSource<S> {
    /// Emits what the reader has read, with timestamps and the watermarks that follow from it.
    fn emit(&mut self, assigner: &WatermarkStrategy<S::Out>, output: &mut dyn Output) -> Result<(), BoxError> {
        let ReadRecords { mut batch, starts, finished } = self.output.take();
        if let Some(assign) = assigner.assigner() {
            let given = std::mem::take(&mut batch.timestamps);
            let all = batch.values.iter().enumerate().map(|(index, value)| assign(value, given.get(index)));
            batch.timestamps = Timestamps::Each(all.collect());
        }
        if let Some(last) = batch.values.len().checked_sub(1).and_then(|last| batch.timestamps.get(last)) {
            let lag = self.emit_lag.get_or_insert_with(|| self.metrics.gauge(names::CURRENT_EMIT_EVENT_TIME_LAG));
            lag.set(self.clock.wall().saturating_sub(last));
        }
        match &mut self.watermarks {
            None if batch.is_empty() => Ok(()),
            None => output.emit(AnyBatch::new(batch)),
            Some(watermarks) => {
                let at_once = watermarks.observe(&batch, &starts, &finished);
                let woke_up = watermarks.take_status_change(WatermarkStatus::Active);
                emit_status(woke_up, output)?;
                emit_records(batch, output)?;
                emit_watermark(at_once, output)?;
                let now = self.clock.monotonic();
                let periodic = watermarks.periodic(now);
                emit_watermark(periodic, output)?;
                emit_status(watermarks.take_status_change(WatermarkStatus::Idle), output)
            }
        }
    }
}

fn emit_records<T: Data>(batch: Batch<T>, output: &mut dyn Output) -> Result<(), BoxError> {
    if batch.is_empty() { Ok(()) } else { output.emit(AnyBatch::new(batch)) }
}

fn emit_watermark(watermark: Option<Timestamp>, output: &mut dyn Output) -> Result<(), BoxError> {
    watermark.map_or(Ok(()), |watermark| output.emit_watermark(watermark))
}

fn emit_status(status: Option<WatermarkStatus>, output: &mut dyn Output) -> Result<(), BoxError> {
    status.map_or(Ok(()), |status| output.emit_status(status))
}

impl<S: Source> SourceOperator for TypedSourceOperator<S> {
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError> {
        let reader_context = ReaderContext {
            subtask: context.info.subtask,
            parallelism: context.info.parallelism,
            clock: context.clock.clone(),
            metrics: context.metrics.clone(),
        };
        let mut reader = self.source.create_reader(&reader_context)?;
        let mut watermarks = self
            .strategy
            .create_generator()
            .map(|_| SplitWatermarks::new(self.strategy.clone(), context.watermark_interval, context.clock.monotonic()));
        let mut splits: Vec<S::Split> = Vec::new();
        for list in context.restored.map_or(&[][..], |restored| restored.lists()).iter().filter(|list| list.name == SPLITS) {
            for item in &list.items {
                splits.push(decode(item)?);
            }
        }
        if !splits.is_empty() {
            if let Some(watermarks) = &mut watermarks {
                watermarks.add_splits(&splits);
            }
            reader.add_splits(splits)?;
        }
        let bytes_in = context.metrics.counter(names::NUM_BYTES_IN);
        let (clock, metrics) = (context.clock.clone(), context.metrics.clone());
        self.open = Some(OpenSource { reader, output: ReaderOutput::new(bytes_in), watermarks, clock, metrics, emit_lag: None });
        Ok(())
    }

    fn poll(&mut self, cx: &mut Context<'_>, output: &mut dyn Output) -> Poll<Result<ReadStatus, BoxError>> {
        let strategy = self.strategy.clone();
        let Some(open) = self.open.as_mut() else { return Poll::Ready(Err("the source was not opened".into())) };
        if let Some(watermarks) = &mut open.watermarks {
            watermarks.poll_begins(open.clock.monotonic());
        }
        let polled = open.reader.poll_next(cx, &mut open.output);
        if let Some(watermarks) = &mut open.watermarks {
            watermarks.poll_ends(open.clock.monotonic(), polled.is_pending());
        }
        let had_records = !open.output.is_empty();
        if let Err(error) = open.emit(&strategy, output) {
            return Poll::Ready(Err(error));
        }
        match polled {
            // What was read is on its way: there may be more at once.
            Poll::Pending if had_records => Poll::Ready(Ok(ReadStatus::More)),
            polled => polled,
        }
    }

    fn next_wake(&self) -> Option<Duration> {
        let open = self.open.as_ref()?;
        let periodic = open.watermarks.as_ref().map(SplitWatermarks::next_periodic);
        [open.reader.next_wake(), periodic].into_iter().flatten().min()
    }

    fn add_splits(&mut self, splits: &[Vec<u8>]) -> Result<(), BoxError> {
        let splits: Vec<S::Split> = splits.iter().map(|split| decode(split)).collect::<Result<_, _>>()?;
        let open = self.open_source()?;
        if let Some(watermarks) = &mut open.watermarks {
            watermarks.add_splits(&splits);
        }
        open.reader.add_splits(splits)
    }

    fn no_more_splits(&mut self) {
        if let Some(open) = &mut self.open {
            open.reader.no_more_splits();
        }
    }

    fn take_request(&mut self) -> Option<SourceRequest> {
        self.open.as_mut()?.reader.take_split_request().then_some(SourceRequest::Split)
    }

    fn snapshot(&mut self, checkpoint: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<(), BoxError> {
        let splits = self.open_source()?.reader.snapshot(checkpoint)?;
        writer.list(ListStateSnapshot {
            name: SPLITS.to_owned(),
            redistribution: Redistribution::Split,
            codec: CODEC.to_owned(),
            schema: Schema::of::<S::Split>(),
            items: splits.iter().map(encode).collect::<Result<_, _>>()?,
        });
        Ok(())
    }

    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) -> Result<(), BoxError> {
        self.open_source()?.reader.checkpoint_completed(checkpoint)
    }
}

type BoxedEnumerator<S> = Box<dyn SplitEnumerator<<S as Source>::Split, <S as Source>::EnumeratorState>>;

struct TypedEnumerator<S: Source>(BoxedEnumerator<S>);

impl<S: Source> TypedEnumerator<S> {
    fn call(
        &mut self,
        call: impl FnOnce(&mut BoxedEnumerator<S>, &mut Vec<Assignment<S::Split>>) -> Result<(), BoxError>,
    ) -> Result<Vec<Assignment<Vec<u8>>>, BoxError> {
        let mut assignments = Vec::new();
        call(&mut self.0, &mut assignments)?;
        let encoded = assignments.into_iter().map(|assignment| match assignment {
            Assignment::Splits { subtask, splits } => {
                let splits = splits.iter().map(encode).collect::<Result<_, _>>()?;
                Ok(Assignment::Splits { subtask, splits })
            }
            Assignment::NoMoreSplits { subtask } => Ok(Assignment::NoMoreSplits { subtask }),
            Assignment::WakeAfter(time) => Ok(Assignment::WakeAfter(time)),
        });
        encoded.collect()
    }
}

impl<S: Source> ErasedEnumerator for TypedEnumerator<S> {
    fn add_reader(&mut self, subtask: u32) -> Result<Vec<Assignment<Vec<u8>>>, BoxError> {
        self.call(|enumerator, out| enumerator.add_reader(subtask, out))
    }

    fn request_split(&mut self, subtask: u32) -> Result<Vec<Assignment<Vec<u8>>>, BoxError> {
        self.call(|enumerator, out| enumerator.request_split(subtask, out))
    }

    fn add_splits_back(&mut self, subtask: u32, splits: &[Vec<u8>]) -> Result<Vec<Assignment<Vec<u8>>>, BoxError> {
        let splits = splits.iter().map(|split| decode(split)).collect::<Result<Vec<_>, _>>()?;
        self.call(|enumerator, out| enumerator.add_splits_back(subtask, splits, out))
    }

    fn wake(&mut self) -> Result<Vec<Assignment<Vec<u8>>>, BoxError> {
        self.call(|enumerator, out| enumerator.wake(out))
    }

    fn snapshot(&mut self, checkpoint: CheckpointId) -> Result<Vec<u8>, BoxError> {
        encode(&self.0.snapshot(checkpoint)?)
    }

    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) {
        self.0.checkpoint_completed(checkpoint);
    }

    fn unassigned_splits(&self) -> Option<u64> {
        self.0.unassigned_splits()
    }
}
