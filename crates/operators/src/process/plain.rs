//! The process function without keys, and its operator.

use super::{
    context::{ProcessContext, RuntimeContext},
    operator_state::OperatorStates,
};
use crate::collector::Collector;
use flott_core::{
    AnyBatch, BoxError, Data, Timestamp,
    accumulator::Accumulators,
    context::OpenContext,
    id::CheckpointId,
    operator::{Operator, OperatorFactory, Output, SnapshotProgress, SnapshotWriter},
    time::{MIN_WATERMARK, SharedClock},
};
use std::{marker::PhantomData, sync::Arc};

/// User code on a stream, with state of the operator as a whole.
///
/// Made anew in each subtask by the function given to `process`, which registers its states. It runs on one thread and needs
/// not be `Send`.
pub trait ProcessFunction: 'static {
    /// What it takes.
    type In: Data;
    /// What it emits.
    type Out: Data;

    /// Takes a record.
    ///
    /// # Errors
    /// Fails the task.
    fn process(&mut self, value: Self::In, context: &mut ProcessContext<'_, Self::Out>) -> Result<(), BoxError>;

    /// All input has ended: emits what is left.
    ///
    /// # Errors
    /// Fails the task.
    fn finish(&mut self, context: &mut ProcessContext<'_, Self::Out>) -> Result<(), BoxError> {
        let _ = context;
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

/// The operator of a process function that `open` makes in each subtask.
pub fn process<T, P, F>(open: F) -> Arc<dyn OperatorFactory>
where
    T: Data,
    P: ProcessFunction<In = T>,
    F: Fn(&mut RuntimeContext<'_>) -> Result<P, BoxError> + Send + Sync + 'static,
{
    let open = Arc::new(open);
    Arc::new(move || -> Box<dyn Operator> { Box::new(Process::<T, P, F> { open: open.clone(), running: None, types: PhantomData }) })
}

struct Process<T, P: ProcessFunction, F> {
    open: Arc<F>,
    running: Option<Running<P>>,
    types: PhantomData<fn(T)>,
}

struct Running<P: ProcessFunction> {
    function: P,
    states: OperatorStates,
    collector: Collector<P::Out>,
    watermark: Timestamp,
    clock: SharedClock,
    accumulators: Accumulators,
}

impl<P: ProcessFunction> Running<P> {
    fn call(
        &mut self,
        timestamp: Option<Timestamp>,
        call: impl FnOnce(&mut P, &mut ProcessContext<'_, P::Out>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        self.collector.set_timestamp(timestamp);
        let (watermark, clock, accumulators) = (self.watermark, &self.clock, &self.accumulators);
        call(&mut self.function, &mut ProcessContext { output: &mut self.collector, timestamp, watermark, clock, accumulators })
    }
}

impl<T, P: ProcessFunction, F> Process<T, P, F> {
    fn running(&mut self) -> Result<&mut Running<P>, BoxError> {
        self.running.as_mut().ok_or_else(|| "the operator was not opened".into())
    }
}

impl<T, P, F> Operator for Process<T, P, F>
where
    T: Data,
    P: ProcessFunction<In = T>,
    F: Fn(&mut RuntimeContext<'_>) -> Result<P, BoxError> + Send + Sync + 'static,
{
    fn open(&mut self, context: &mut OpenContext<'_>) -> Result<(), BoxError> {
        let mut states = OperatorStates::default();
        let function = (self.open)(&mut RuntimeContext { open: context, states: &mut states })?;
        self.running = Some(Running {
            function,
            states,
            collector: Collector::default(),
            watermark: MIN_WATERMARK,
            clock: context.clock.clone(),
            accumulators: context.accumulators.clone(),
        });
        Ok(())
    }

    fn process(&mut self, _: usize, batch: AnyBatch, output: &mut dyn Output) -> Result<(), BoxError> {
        let batch = batch.downcast::<T>()?;
        let running = self.running()?;
        for (index, value) in batch.values.into_iter().enumerate() {
            running.call(batch.timestamps.get(index), |function, context| function.process(value, context))?;
            running.collector.send_full(output)?;
        }
        running.collector.send(output)
    }

    fn watermark(&mut self, watermark: Timestamp, output: &mut dyn Output) -> Result<(), BoxError> {
        self.running()?.watermark = watermark;
        output.emit_watermark(watermark)
    }

    fn snapshot(&mut self, _: CheckpointId, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        self.running()?.states.snapshot(writer)?;
        Ok(SnapshotProgress::Done)
    }

    fn finish(&mut self, output: &mut dyn Output) -> Result<(), BoxError> {
        let running = self.running()?;
        running.call(None, |function, context| function.finish(context))?;
        running.collector.send(output)
    }

    fn close(&mut self) -> Result<(), BoxError> {
        self.running.take().map_or(Ok(()), |mut running| running.function.close())
    }
}
