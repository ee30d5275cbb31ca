//! Transformations of single records.

use super::DataStream;
use flott_core::{BoxError, Data};
use flott_operators::{
    Collector,
    process::{self, ProcessFunction, RuntimeContext},
    stateless,
};
use std::panic::Location;

impl<T: Data> DataStream<T> {
    /// Turns each record into one other.
    #[track_caller]
    pub fn map<U: Data>(&self, function: impl Fn(T) -> U + Send + Sync + 'static) -> DataStream<U> {
        self.then("Map", stateless::map(move |value| Ok(function(value))), Location::caller())
    }

    /// As [`map`](DataStream::map), with a function that may fail. An error fails the task.
    #[track_caller]
    pub fn try_map<U: Data>(&self, function: impl Fn(T) -> Result<U, BoxError> + Send + Sync + 'static) -> DataStream<U> {
        self.then("Map", stateless::map(function), Location::caller())
    }

    /// Keeps the records for which the function returns true.
    #[track_caller]
    pub fn filter(&self, function: impl Fn(&T) -> bool + Send + Sync + 'static) -> DataStream<T> {
        self.then("Filter", stateless::filter(move |value| Ok(function(value))), Location::caller()).like_its_input(Location::caller())
    }

    /// As [`filter`](DataStream::filter), with a function that may fail. An error fails the task.
    #[track_caller]
    pub fn try_filter(&self, function: impl Fn(&T) -> Result<bool, BoxError> + Send + Sync + 'static) -> DataStream<T> {
        self.then("Filter", stateless::filter(function), Location::caller()).like_its_input(Location::caller())
    }

    /// Turns each record into any number of others, which the function emits into a [`Collector`]. The fastest form.
    #[track_caller]
    pub fn flat_map<U: Data>(&self, function: impl Fn(T, &mut Collector<U>) + Send + Sync + 'static) -> DataStream<U> {
        let function = move |value, out: &mut Collector<U>| {
            function(value, out);
            Ok(())
        };
        self.then("Flat Map", stateless::flat_map(function), Location::caller())
    }

    /// As [`flat_map`](DataStream::flat_map), with a function that may fail. An error fails the task.
    #[track_caller]
    pub fn try_flat_map<U: Data>(
        &self,
        function: impl Fn(T, &mut Collector<U>) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> DataStream<U> {
        self.then("Flat Map", stateless::flat_map(function), Location::caller())
    }

    /// Turns each record into any number of others, which the function returns as an iterator.
    #[track_caller]
    pub fn flat_map_iter<U: Data, I: IntoIterator<Item = U>>(&self, function: impl Fn(T) -> I + Send + Sync + 'static) -> DataStream<U> {
        let function = move |value, out: &mut Collector<U>| {
            function(value).into_iter().for_each(|item| out.emit(item));
            Ok(())
        };
        self.then("Flat Map", stateless::flat_map(function), Location::caller())
    }

    /// As [`flat_map_iter`](DataStream::flat_map_iter), with a function that may fail. An error fails the task.
    #[track_caller]
    pub fn try_flat_map_iter<U: Data, I: IntoIterator<Item = U>>(
        &self,
        function: impl Fn(T) -> Result<I, BoxError> + Send + Sync + 'static,
    ) -> DataStream<U> {
        let function = move |value, out: &mut Collector<U>| {
            function(value)?.into_iter().for_each(|item| out.emit(item));
            Ok(())
        };
        self.then("Flat Map", stateless::flat_map(function), Location::caller())
    }

    /// Runs user code with state of the operator as a whole. `open` makes the function in each subtask and registers its states.
    #[track_caller]
    pub fn process<P: ProcessFunction<In = T>>(
        &self,
        open: impl Fn(&mut RuntimeContext<'_>) -> Result<P, BoxError> + Send + Sync + 'static,
    ) -> DataStream<P::Out> {
        self.then("Process", process::process::<T, P, _>(open), Location::caller())
    }
}
