//! For each key, a value that merges all that is added.

use super::{cells::Single, handle::Handle};
use flott_core::Data;
use std::{fmt, rc::Rc};

type Reduce<T> = Rc<dyn Fn(T, T) -> T>;

/// For each key, one value that a function has made of all that was added. All methods mean the current key and panic if there
/// is none.
pub struct ReducingState<T> {
    pub(super) handle: Handle<Single<T>>,
    pub(super) reduce: Reduce<T>,
}

impl<T: Data> ReducingState<T> {
    /// Adds a value. The function must not use this state.
    pub fn add(&self, value: T) {
        self.handle.change(|cell| {
            let reduced = match cell.take() {
                Some(kept) => (self.reduce)(kept.0, value),
                None => value,
            };
            *cell = Some(Single(reduced));
        });
    }

    /// A copy of the value.
    pub fn get(&self) -> Option<T> {
        self.handle.read(|kept| kept.map(|value| value.0.clone()))
    }

    /// Removes the value.
    pub fn clear(&self) {
        self.handle.take();
    }
}

impl<T> Clone for ReducingState<T> {
    fn clone(&self) -> Self {
        ReducingState { handle: self.handle.clone(), reduce: self.reduce.clone() }
    }
}

impl<T> fmt::Debug for ReducingState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReducingState").field(&self.handle.name()).finish()
    }
}

/// How values become an accumulator, and an accumulator a result.
pub trait AggregateFunction: 'static {
    /// What is added.
    type In;
    /// What is kept.
    type Accumulator: Data;
    /// What it is good for.
    type Out;

    /// An accumulator of nothing.
    fn create_accumulator(&self) -> Self::Accumulator;

    /// Adds a value.
    fn add(&self, value: Self::In, accumulator: &mut Self::Accumulator);

    /// The result of what has been added.
    fn get_result(&self, accumulator: &Self::Accumulator) -> Self::Out;

    /// An accumulator of all that was added to either.
    fn merge(&self, left: Self::Accumulator, right: Self::Accumulator) -> Self::Accumulator;
}

/// For each key, an accumulator of all that was added. All methods mean the current key and panic if there is none.
pub struct AggregatingState<F: AggregateFunction> {
    pub(super) handle: Handle<Single<F::Accumulator>>,
    pub(super) function: Rc<F>,
}

impl<F: AggregateFunction> AggregatingState<F> {
    /// Adds a value. The function must not use this state.
    pub fn add(&self, value: F::In) {
        self.handle.change(|cell| {
            let accumulator = cell.get_or_insert_with(|| Single(self.function.create_accumulator()));
            self.function.add(value, &mut accumulator.0);
        });
    }

    /// The result of what has been added; `None` if nothing has.
    pub fn get(&self) -> Option<F::Out> {
        self.handle.read(|kept| kept.map(|accumulator| self.function.get_result(&accumulator.0)))
    }

    /// Removes the accumulator.
    pub fn clear(&self) {
        self.handle.take();
    }
}

impl<F: AggregateFunction> Clone for AggregatingState<F> {
    fn clone(&self) -> Self {
        AggregatingState { handle: self.handle.clone(), function: self.function.clone() }
    }
}

impl<F: AggregateFunction> fmt::Debug for AggregatingState<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AggregatingState").field(&self.handle.name()).finish()
    }
}
