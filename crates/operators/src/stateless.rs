//! Operators without state: map, filter, flat map, each with a function that may fail.

use crate::collector::Collector;
use flott_core::{
    AnyBatch, Batch, BoxError, Data,
    batch::Timestamps,
    operator::{Operator, OperatorFactory, Output},
};
use std::{marker::PhantomData, sync::Arc};

/// Makes operators that share one function.
struct Factory<M>(M);

impl<M: Fn() -> Box<dyn Operator> + Send + Sync> OperatorFactory for Factory<M> {
    fn create(&self) -> Box<dyn Operator> {
        (self.0)()
    }
}

/// Turns each record into one other.
pub fn map<T: Data, U: Data>(function: impl Fn(T) -> Result<U, BoxError> + Send + Sync + 'static) -> Arc<dyn OperatorFactory> {
    let function = Arc::new(function);
    Arc::new(Factory(move || -> Box<dyn Operator> { Box::new(Map { function: function.clone(), types: PhantomData }) }))
}

struct Map<T, U, F> {
    function: Arc<F>,
    types: PhantomData<fn(T) -> U>,
}

impl<T: Data, U: Data, F: Fn(T) -> Result<U, BoxError>> Operator for Map<T, U, F> {
    fn process(&mut self, _: usize, batch: AnyBatch, output: &mut dyn Output) -> Result<(), BoxError> {
        let batch = batch.downcast::<T>()?;
        let values = batch.values.into_iter().map(&*self.function).collect::<Result<Vec<U>, BoxError>>()?;
        output.emit(AnyBatch::new(Batch { values, timestamps: batch.timestamps, hashes: Vec::new() }))
    }
}

/// Keeps the records for which the function says so.
pub fn filter<T: Data>(function: impl Fn(&T) -> Result<bool, BoxError> + Send + Sync + 'static) -> Arc<dyn OperatorFactory> {
    let function = Arc::new(function);
    Arc::new(Factory(move || -> Box<dyn Operator> { Box::new(Filter { function: function.clone(), types: PhantomData::<fn(T)> }) }))
}

struct Filter<T, F> {
    function: Arc<F>,
    types: PhantomData<fn(T)>,
}

impl<T: Data, F: Fn(&T) -> Result<bool, BoxError>> Operator for Filter<T, F> {
    fn process(&mut self, _: usize, batch: AnyBatch, output: &mut dyn Output) -> Result<(), BoxError> {
        let mut batch = batch.downcast::<T>()?;
        batch.hashes.clear();
        let mut error = None;
        if let Timestamps::Each(all) = &mut batch.timestamps {
            let mut kept = Vec::with_capacity(all.len());
            let mut at = all.iter().copied();
            batch.values.retain(|value| {
                let keep = keep(&*self.function, value, &mut error);
                let timestamp = at.next();
                kept.extend(timestamp.filter(|_| keep));
                keep
            });
            *all = kept;
        } else {
            batch.values.retain(|value| keep(&*self.function, value, &mut error));
        }
        match error {
            Some(error) => Err(error),
            None => output.emit(AnyBatch::new(batch)),
        }
    }
}

/// Whether to keep `value`; nothing is asked after the first error.
#[inline]
fn keep<T>(function: &impl Fn(&T) -> Result<bool, BoxError>, value: &T, error: &mut Option<BoxError>) -> bool {
    if error.is_some() {
        return false;
    }
    function(value).unwrap_or_else(|failed| {
        *error = Some(failed);
        false
    })
}

/// Turns each record into any number of others.
pub fn flat_map<T: Data, U: Data>(
    function: impl Fn(T, &mut Collector<U>) -> Result<(), BoxError> + Send + Sync + 'static,
) -> Arc<dyn OperatorFactory> {
    let function = Arc::new(function);
    Arc::new(Factory(move || -> Box<dyn Operator> {
        Box::new(FlatMap { function: function.clone(), collector: Collector::default(), types: PhantomData::<fn(T)> })
    }))
}

struct FlatMap<T, U, F> {
    function: Arc<F>,
    collector: Collector<U>,
    types: PhantomData<fn(T)>,
}

impl<T: Data, U: Data, F: Fn(T, &mut Collector<U>) -> Result<(), BoxError>> Operator for FlatMap<T, U, F> {
    fn process(&mut self, _: usize, batch: AnyBatch, output: &mut dyn Output) -> Result<(), BoxError> {
        let batch = batch.downcast::<T>()?;
        let timestamps = batch.timestamps;
        // From inside the iterator: a record that comes out of it as an `Option` is copied twice.
        batch.values.into_iter().enumerate().try_for_each(|(index, value)| {
            self.collector.set_timestamp(timestamps.get(index));
            (self.function)(value, &mut self.collector)?;
            self.collector.send_full(output)
        })?;
        self.collector.send(output)
    }
}
