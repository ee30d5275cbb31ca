//! The keyed process function and its operator.

use super::{
    context::{KeyedContext, KeyedRuntimeContext, ProcessContext, RuntimeContext},
    operator_state::OperatorStates,
};
use crate::{
    collector::Collector,
    key::{KeySelector, check_hashes},
};
use flott_core::{
    AnyBatch, Batch, BoxError, Data, Key, Timestamp,
    accumulator::Accumulators,
    context::{OpenContext, RuntimeMode},
    id::CheckpointId,
    operator::{Operator, OperatorFactory, Output, SnapshotProgress, SnapshotWriter},
    time::{MIN_WATERMARK, SharedClock},
};
use flott_state::{KeyedStore, Timer, TimerService};
use std::{marker::PhantomData, sync::Arc, time::Duration};

/// User code on a keyed stream, with state and timers for each key.
///
/// Made anew in each subtask by the function given to `process`, which registers its states; see the crate `flott` for an
/// example. It runs on one thread and needs not be `Send`.
pub trait KeyedProcessFunction: 'static {
    /// The key.
    type Key: Key;
    /// What it takes.
    type In: Data;
    /// What it emits.
    type Out: Data;

    /// Takes a record. State handles and timers are those of its key.
    ///
    /// # Errors
    /// Fails the task.
    fn process(&mut self, value: Self::In, context: &mut KeyedContext<'_, Self::Key, Self::Out>) -> Result<(), BoxError>;

    /// A timer fires. State handles and timers are those of its key. The kind of time is told by who registered it: a function
    /// that uses both kinds finds out by its state.
    ///
    /// # Errors
    /// Fails the task.
    fn on_timer(&mut self, timestamp: Timestamp, context: &mut KeyedContext<'_, Self::Key, Self::Out>) -> Result<(), BoxError> {
        let _ = (timestamp, context);
        Ok(())
    }

    /// Gives back what was opened. Not called after a crash.
    ///
    /// # Errors
    /// Fails the task, if nothing else has.
    fn close(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The operator of a keyed process function that `open` makes in each subtask.
pub fn keyed_process<T, S, P, F>(selector: Arc<S>, open: F) -> Arc<dyn OperatorFactory>
where
    T: Data,
    S: KeySelector<T>,
    P: KeyedProcessFunction<Key = S::Key, In = T>,
    F: Fn(&mut KeyedRuntimeContext<'_, S::Key>) -> Result<P, BoxError> + Send + Sync + 'static,
{
    let open = Arc::new(open);
    Arc::new(move || -> Box<dyn Operator> {
        Box::new(KeyedProcess::<T, S, P, F> { selector: selector.clone(), open: open.clone(), running: None, types: PhantomData })
    })
}

struct KeyedProcess<T, S, P: KeyedProcessFunction, F> {
    selector: Arc<S>,
    open: Arc<F>,
    running: Option<Running<P>>,
    types: PhantomData<fn(T)>,
}

struct Running<P: KeyedProcessFunction> {
    function: P,
    store: KeyedStore<P::Key>,
    timers: TimerService<P::Key>,
    states: OperatorStates,
    collector: Collector<P::Out>,
    watermark: Timestamp,
    clock: SharedClock,
    accumulators: Accumulators,
    mode: RuntimeMode,
}

impl<P: KeyedProcessFunction> Running<P> {
    /// Calls the function for a key.
    fn call(
        &mut self,
        key: &P::Key,
        hash: u64,
        timestamp: Option<Timestamp>,
        call: impl FnOnce(&mut P, &mut KeyedContext<'_, P::Key, P::Out>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        self.store.set_current_key(hash, key);
        self.collector.set_timestamp(timestamp);
        let process = ProcessContext {
            output: &mut self.collector,
            timestamp,
            watermark: self.watermark,
            clock: &self.clock,
            accumulators: &self.accumulators,
        };
        call(&mut self.function, &mut KeyedContext { process, key, hash, timers: &mut self.timers })
    }

    fn fire(&mut self, timer: Timer<P::Key>, output: &mut dyn Output) -> Result<(), BoxError> {
        let Timer { timestamp, key, hash } = timer;
        self.call(&key, hash, Some(timestamp), |function, context| function.on_timer(timestamp, context))?;
        self.collector.send_full(output)
    }

    /// Fires the event-time timers up to `watermark`, those among them that are registered meanwhile too.
    fn fire_event_time(&mut self, watermark: Timestamp, output: &mut dyn Output) -> Result<(), BoxError> {
        self.watermark = watermark;
        while let Some(timer) = self.timers.event_time.pop_due(watermark) {
            self.fire(timer, output)?;
        }
        self.store.clear_current_key();
        self.collector.send(output)
    }

    fn fire_processing_time(&mut self, now: Timestamp, output: &mut dyn Output) -> Result<(), BoxError> {
        while let Some(timer) = self.timers.processing_time.pop_due(now) {
            self.fire(timer, output)?;
        }
        self.store.clear_current_key();
        self.collector.send(output)
    }
}

impl<T, S, P, F> KeyedProcess<T, S, P, F>
where
    P: KeyedProcessFunction,
{
    fn running(&mut self) -> Result<&mut Running<P>, BoxError> {
        self.running.as_mut().ok_or_else(|| "the operator was not opened".into())
    }
}

impl<T, S, P, F> Operator for KeyedProcess<T, S, P, F>
where
    T: Data,
    S: KeySelector<T>,
    P: KeyedProcessFunction<Key = S::Key, In = T>,
    F: Fn(&mut KeyedRuntimeContext<'_, S::Key>) -> Result<P, BoxError> + Send + Sync + 'static,
{
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError> {
        let (max_parallelism, groups) = (context.info.max_parallelism, context.info.key_groups());
        let store = KeyedStore::new(max_parallelism, groups, context.restored)?;
        let mut timers = TimerService::new(max_parallelism, groups);
        if let Some(restored) = context.restored {
            timers.restore(restored)?;
        }
        let mut states = OperatorStates::default();
        let runtime = RuntimeContext { open: context, states: &mut states };
        let function = (self.open)(&mut KeyedRuntimeContext { runtime, store: &store })?;
        self.running = Some(Running {
            function,
            store,
            timers,
            states,
            collector: Collector::default(),
            watermark: MIN_WATERMARK,
            clock: context.clock.clone(),
            accumulators: context.accumulators.clone(),
            mode: context.mode,
        });
        Ok(())
    }

    fn process(&mut self, _: usize, batch: AnyBatch, output: &mut dyn Output) -> Result<(), BoxError> {
        let Batch { values, timestamps, hashes } = batch.downcast::<T>()?;
        check_hashes(values.len(), hashes.len())?;
        let selector = self.selector.clone();
        let running = self.running()?;
        for (index, (value, hash)) in values.into_iter().zip(hashes).enumerate() {
            let key = selector.with_key(&value, |key| S::own(key));
            running.call(&key, hash, timestamps.get(index), |function, context| function.process(value, context))?;
            running.collector.send_full(output)?;
        }
        running.store.clear_current_key();
        running.collector.send(output)
    }

    fn watermark(&mut self, watermark: Timestamp, output: &mut dyn Output) -> Result<(), BoxError> {
        self.running()?.fire_event_time(watermark, output)?;
        output.emit_watermark(watermark)
    }

    fn next_wake(&self) -> Option<Duration> {
        // In batch mode the clock stands still until the end of input.
        let running = self.running.as_ref().filter(|running| running.mode == RuntimeMode::Streaming)?;
        let due = running.timers.processing_time.next_due()?;
        match u64::try_from(due.saturating_sub(running.clock.wall())) {
            Ok(wait) if wait > 0 => Some(running.clock.monotonic().saturating_add(Duration::from_millis(wait))),
            // Due: at once, however often it is asked.
            _ => Some(Duration::ZERO),
        }
    }

    fn on_wake(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        let running = self.running()?;
        let now = running.clock.wall();
        running.fire_processing_time(now, output)
    }

    fn snapshot(&mut self, _: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        let running = self.running()?;
        running.states.snapshot(writer)?;
        let next = running.store.snapshot_begin(0, writer);
        running.timers.snapshot_begin(next, writer);
        Ok(SnapshotProgress::More)
    }

    fn snapshot_step(&mut self, mut entries: usize, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        let running = self.running()?;
        match running.store.snapshot_step(&mut entries, writer)? {
            SnapshotProgress::More => Ok(SnapshotProgress::More),
            SnapshotProgress::Done => running.timers.snapshot_step(&mut entries, writer),
        }
    }

    fn snapshot_cancel(&mut self) {
        if let Some(running) = &mut self.running {
            running.store.snapshot_cancel();
            running.timers.snapshot_cancel();
        }
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        let running = self.running()?;
        // In batch mode the clock stands still until the end of input, as in Flink; there all timers fire.
        if running.mode == RuntimeMode::Batch { running.fire_processing_time(Timestamp::MAX, output) } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), BoxError> {
        self.running.take().map_or(Ok(()), |mut running| running.function.close())
    }
}
