//! User code of simulated jobs: it fails now and then, and checks what it is promised.

use crate::{
    record::{Out, Record},
    sim::{Seen, Sim, Term, hold},
};
use flott_core::{
    AnyBatch, BoxError, Timestamp,
    context::OpenContext,
    id::{AttemptId, CheckpointId, SubtaskId, VertexId},
    operator::{Operator, OperatorFactory, Output, SnapshotProgress, SnapshotWriter, WatermarkStatus},
    time::MIN_WATERMARK,
};
use flott_operators::process::{
    KeyedContext, KeyedProcessFunction, KeyedRuntimeContext, OperatorListState, ProcessContext, ProcessFunction, RuntimeContext,
};
use flott_operators::rolling::Rolling;
use flott_state::{MapState, ValueState};
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// Fails, now and then, as user code does: by an error or by a panic.
pub(crate) fn may_fail(sim: &Sim) -> Result<(), BoxError> {
    if sim.rare_fault(3) {
        sim.saw(Seen::TaskFailed);
        if sim.random().percent(30) {
            panic!("user code panics");
        }
        return Err("user code fails".into());
    }
    Ok(())
}

/// The running count and sum of a key.
pub(crate) struct CountAndSum;

impl Rolling<Record> for CountAndSum {
    type State = Out;
    type Out = Out;

    fn first(&self, record: Record) -> Result<Out, BoxError> {
        Ok(Out::Counted { key: record.key, count: 1, sum: record.value, last: record.id() })
    }

    fn add(&self, state: &mut Out, record: Record) -> Result<(), BoxError> {
        if let Out::Counted { count, sum, last, .. } = state {
            *count += 1;
            *sum += record.value;
            *last = record.id();
        }
        Ok(())
    }

    fn result(&self, state: &Out) -> Out {
        state.clone()
    }
}

/// How many records a subtask of so many has seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tally {
    subtask: u32,
    parallelism: u32,
    pub(crate) records: u64,
}

/// Passes records on, and counts them in union state: each subtask finds its own count again; at another parallelism the
/// first one takes all.
pub(crate) struct Tag {
    tally: OperatorListState<Tally>,
}

impl Tag {
    pub(crate) fn open(context: &mut RuntimeContext<'_>) -> Result<Self, BoxError> {
        let tally: OperatorListState<Tally> = context.union_list_state("tally")?;
        let (subtask, parallelism) = (context.info().subtask, context.info().parallelism);
        let same = tally.get().iter().all(|item| item.parallelism == parallelism);
        let own = |item: &&Tally| if same { item.subtask == subtask } else { subtask == 0 };
        let records = tally.get().iter().filter(own).map(|item| item.records).sum();
        tally.update(vec![Tally { subtask, parallelism, records }]);
        Ok(Tag { tally })
    }
}

impl ProcessFunction for Tag {
    type In = Record;
    type Out = Record;

    fn process(&mut self, value: Record, context: &mut ProcessContext<'_, Record>) -> Result<(), BoxError> {
        self.tally.get_mut()[0].records += 1;
        context.emit(value);
        Ok(())
    }
}

/// Turns records into what each receiver of a broadcast has got.
pub(crate) struct Fan {
    pub(crate) at: u32,
    pub(crate) width: u32,
}

impl ProcessFunction for Fan {
    type In = Record;
    type Out = Out;

    fn process(&mut self, value: Record, context: &mut ProcessContext<'_, Out>) -> Result<(), BoxError> {
        context.emit(Out::Copy { at: self.at, width: self.width, id: value.id() });
        Ok(())
    }
}

/// Counts the records of each bucket of event time and emits the count at its end. Some records set a timer of processing time too.
pub(crate) struct Buckets {
    sim: Arc<Sim>,
    width: i64,
    counts: MapState<i64, u64>,
    /// A timer of processing time that has not fired.
    alarm: ValueState<i64>,
}

impl Buckets {
    pub(crate) fn open(sim: &Arc<Sim>, width: i64, context: &KeyedRuntimeContext<'_, u16>) -> Result<Self, BoxError> {
        Ok(Buckets { sim: sim.clone(), width, counts: context.map_state("counts")?, alarm: context.value_state("alarm")? })
    }
}

impl KeyedProcessFunction for Buckets {
    type Key = u16;
    type In = Record;
    type Out = Out;

    fn process(&mut self, value: Record, context: &mut KeyedContext<'_, u16, Out>) -> Result<(), BoxError> {
        let key = *context.current_key();
        if key != value.key {
            self.sim.violation(format!("{value:?} was given to key {key}"));
        }
        let bucket = (value.time.div_euclid(self.width) + 1) * self.width;
        if bucket <= context.current_watermark() {
            self.sim.saw(Seen::LateRecord);
            context.emit(Out::Late { key, bucket, id: value.id() });
            return Ok(());
        }
        self.counts.update_with(bucket, || 0, |count| *count += 1);
        context.register_event_time_timer(bucket);
        if value.value % 5 == 0 && !self.alarm.is_set() {
            let at = context.current_processing_time() + 40;
            self.alarm.update(at);
            context.register_processing_time_timer(at);
        }
        Ok(())
    }

    fn on_timer(&mut self, timestamp: Timestamp, context: &mut KeyedContext<'_, u16, Out>) -> Result<(), BoxError> {
        let key = *context.current_key();
        if self.alarm.value() == Some(timestamp) {
            self.alarm.clear();
            if context.current_processing_time() < timestamp {
                self.sim.violation(format!("the timer of processing time {timestamp} of key {key} fires early"));
            }
            return Ok(());
        }
        if context.current_watermark() < timestamp {
            self.sim.violation(format!("timer {timestamp} of key {key} fires early, at {}", context.current_watermark()));
        }
        match self.counts.remove(&timestamp) {
            Some(count) => context.emit(Out::Fired { key, bucket: timestamp, count }),
            None => self.sim.violation(format!("timer {timestamp} of key {key} fires, but its bucket has no records")),
        }
        Ok(())
    }
}

/// An operator whose calls are watched: watermarks grow, and never pass what the input channels allow.
pub(crate) fn watched(sim: Arc<Sim>, term: Term, vertex: Arc<AtomicU32>, inner: Arc<dyn OperatorFactory>) -> Arc<dyn OperatorFactory> {
    Arc::new(move || -> Box<dyn Operator> {
        Box::new(Watched {
            sim: sim.clone(),
            term,
            vertex: VertexId(vertex.load(Ordering::Relaxed)),
            attempt: None,
            watermark: MIN_WATERMARK,
            finished: false,
            inner: inner.create(),
        })
    })
}

struct Watched {
    sim: Arc<Sim>,
    term: Term,
    /// The vertex whose head this is.
    vertex: VertexId,
    attempt: Option<AttemptId>,
    watermark: Timestamp,
    finished: bool,
    inner: Box<dyn Operator>,
}

impl Operator for Watched {
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError> {
        let subtask = SubtaskId { vertex: self.vertex, index: context.info.subtask };
        self.attempt = Some(AttemptId { subtask, attempt: context.info.attempt });
        self.inner.open(context)
    }

    fn process(&mut self, input: usize, batch: AnyBatch, output: &mut dyn Output) -> Result<(), BoxError> {
        if self.finished {
            self.sim.violation(format!("{:?} is given records behind the end of its input", self.attempt));
        }
        self.inner.process(input, batch, output)
    }

    fn watermark(&mut self, watermark: Timestamp, output: &mut dyn Output) -> Result<(), BoxError> {
        if watermark <= self.watermark {
            self.sim.violation(format!("{:?}: watermark {watermark} follows {}", self.attempt, self.watermark));
        }
        self.watermark = watermark;
        let allowed = self.attempt.and_then(|attempt| hold(&self.sim.watermarks).get(&(self.term, attempt)).copied());
        if let Some(allowed) = allowed
            && watermark > allowed
        {
            self.sim.violation(format!("{:?}: watermark {watermark}, but its channels allow {allowed}", self.attempt));
        }
        self.inner.watermark(watermark, output)
    }

    fn status(&mut self, status: WatermarkStatus, output: &mut dyn Output) -> Result<(), BoxError> {
        if status == WatermarkStatus::Idle {
            self.sim.saw(Seen::Idle);
        }
        self.inner.status(status, output)
    }

    fn next_wake(&self) -> Option<Duration> {
        self.inner.next_wake()
    }

    fn on_wake(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        self.inner.on_wake(output)
    }

    fn snapshot(&mut self, checkpoint: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        if self.sim.rare_fault(5) {
            return Err("the state cannot be taken".into());
        }
        self.inner.snapshot(checkpoint, writer)
    }

    fn snapshot_step(&mut self, _: usize, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        // A few at a time, so that records come in between.
        let entries = self.sim.random().between(1, 4) as usize;
        self.inner.snapshot_step(entries, writer)
    }

    fn snapshot_cancel(&mut self) {
        self.inner.snapshot_cancel();
    }

    fn checkpoint_completed(&mut self, checkpoint: CheckpointId) -> Result<(), BoxError> {
        self.inner.checkpoint_completed(checkpoint)
    }

    fn checkpoint_aborted(&mut self, checkpoint: CheckpointId) {
        self.inner.checkpoint_aborted(checkpoint);
    }

    fn is_settled(&self) -> bool {
        self.inner.is_settled()
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        if std::mem::replace(&mut self.finished, true) {
            self.sim.violation(format!("{:?} is finished twice", self.attempt));
        }
        self.inner.finish(output)
    }

    fn close(&mut self) -> Result<(), BoxError> {
        self.inner.close()
    }
}
