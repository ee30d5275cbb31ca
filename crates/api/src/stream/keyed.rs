//! Streams grouped by a key.

use super::DataStream;
use flott_core::{BoxError, Data};
use flott_operators::{
    key::KeySelector,
    process::{self, KeyedProcessFunction, KeyedRuntimeContext},
    rolling::{self, Extreme, ExtremeBy, Fold, Reduce, Rolling, Sum},
};
use std::{marker::PhantomData, ops::AddAssign, panic::Location, sync::Arc};

/// A stream of records of `T` in which all records of a key go to one subtask.
///
/// Rolling aggregates emit a key's new result for each record in streaming mode, and its last one in batch mode.
pub struct KeyedStream<T, S> {
    stream: DataStream<T>,
    selector: Arc<S>,
}

impl<T, S> Clone for KeyedStream<T, S> {
    fn clone(&self) -> Self {
        KeyedStream { stream: self.stream.clone(), selector: self.selector.clone() }
    }
}

impl<T, S> std::fmt::Debug for KeyedStream<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyedStream<{}>", std::any::type_name::<T>())
    }
}

impl<T: Data, S: KeySelector<T>> KeyedStream<T, S> {
    pub(super) fn new(stream: DataStream<T>, selector: Arc<S>) -> Self {
        KeyedStream { stream, selector }
    }

    fn rolling<R: Rolling<T>>(&self, rolling: R, at: &Location<'_>) -> DataStream<R::Out> {
        self.stream.then("Keyed Aggregation", rolling::rolling(self.selector.clone(), rolling), at)
    }

    /// Sums a field of the records of each key: `sum(|(_, n)| n)`. The other fields are those of the key's first record.
    #[track_caller]
    pub fn sum<N: AddAssign + Clone + 'static>(&self, field: impl Fn(&mut T) -> &mut N + Send + Sync + 'static) -> DataStream<T> {
        self.rolling(Sum(field, PhantomData), Location::caller()).like_its_input(Location::caller())
    }

    /// The smallest value of a field. The other fields are those of the key's first record; see [`min_by`](KeyedStream::min_by).
    #[track_caller]
    pub fn min<N: PartialOrd + Clone + 'static>(&self, field: impl Fn(&mut T) -> &mut N + Send + Sync + 'static) -> DataStream<T> {
        self.rolling(Extreme { field, largest: false, types: PhantomData }, Location::caller()).like_its_input(Location::caller())
    }

    /// The largest value of a field. The other fields are those of the key's first record; see [`max_by`](KeyedStream::max_by).
    #[track_caller]
    pub fn max<N: PartialOrd + Clone + 'static>(&self, field: impl Fn(&mut T) -> &mut N + Send + Sync + 'static) -> DataStream<T> {
        self.rolling(Extreme { field, largest: true, types: PhantomData }, Location::caller()).like_its_input(Location::caller())
    }

    /// The whole record with the smallest value; of equal ones the first.
    #[track_caller]
    pub fn min_by<N: PartialOrd + 'static>(&self, value: impl Fn(&T) -> N + Send + Sync + 'static) -> DataStream<T> {
        self.rolling(ExtremeBy { value, largest: false, types: PhantomData }, Location::caller()).like_its_input(Location::caller())
    }

    /// The whole record with the largest value; of equal ones the first.
    #[track_caller]
    pub fn max_by<N: PartialOrd + 'static>(&self, value: impl Fn(&T) -> N + Send + Sync + 'static) -> DataStream<T> {
        self.rolling(ExtremeBy { value, largest: true, types: PhantomData }, Location::caller()).like_its_input(Location::caller())
    }

    /// Merges the records of each key, two at a time.
    #[track_caller]
    pub fn reduce(&self, function: impl Fn(T, T) -> T + Send + Sync + 'static) -> DataStream<T> {
        self.rolling(Reduce(move |kept, record| Ok(function(kept, record))), Location::caller())
    }

    /// As [`reduce`](KeyedStream::reduce), with a function that may fail. An error fails the task.
    #[track_caller]
    pub fn try_reduce(&self, function: impl Fn(T, T) -> Result<T, BoxError> + Send + Sync + 'static) -> DataStream<T> {
        self.rolling(Reduce(function), Location::caller())
    }

    /// Takes the records of each key into an accumulator that starts as `initial`.
    #[track_caller]
    pub fn fold<A: Data + Sync>(&self, initial: A, function: impl Fn(&mut A, T) + Send + Sync + 'static) -> DataStream<A> {
        let add = move |state: &mut A, record| {
            function(state, record);
            Ok(())
        };
        self.rolling(Fold { initial, add }, Location::caller())
    }

    /// As [`fold`](KeyedStream::fold), with a function that may fail. An error fails the task.
    #[track_caller]
    pub fn try_fold<A: Data + Sync>(
        &self,
        initial: A,
        function: impl Fn(&mut A, T) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> DataStream<A> {
        self.rolling(Fold { initial, add: function }, Location::caller())
    }

    /// Runs user code with state and timers for each key. `open` makes the function in each subtask and registers its states.
    #[track_caller]
    pub fn process<P: KeyedProcessFunction<Key = S::Key, In = T>>(
        &self,
        open: impl Fn(&mut KeyedRuntimeContext<'_, S::Key>) -> Result<P, BoxError> + Send + Sync + 'static,
    ) -> DataStream<P::Out> {
        self.stream.then("KeyedProcess", process::keyed_process::<T, S, P, _>(self.selector.clone(), open), Location::caller())
    }
}
