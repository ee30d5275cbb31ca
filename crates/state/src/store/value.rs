//! One value for each key.

use super::{cells::Single, handle::Handle};
use flott_core::Data;
use std::fmt;

/// One value for each key. All methods mean the current key and panic if there is none.
pub struct ValueState<T>(pub(super) Handle<Single<T>>);

impl<T: Data> ValueState<T> {
    /// A copy of the value.
    pub fn value(&self) -> Option<T> {
        self.0.read(|kept| kept.map(|value| value.0.clone()))
    }

    /// Calls `f` with the value. It may use other states.
    pub fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        self.0.read(|kept| f(kept.map(|value| &value.0)))
    }

    /// Whether there is a value.
    pub fn is_set(&self) -> bool {
        self.0.read(|kept| kept.is_some())
    }

    /// Sets the value.
    pub fn update(&self, value: T) {
        self.0.change(|cell| *cell = Some(Single(value)));
    }

    /// Calls `f` with the value, which it may set, change or take out. It may use other states.
    pub fn modify<R>(&self, f: impl FnOnce(&mut Option<T>) -> R) -> R {
        self.0.change(|cell| {
            let mut value = cell.take().map(|value| value.0);
            let result = f(&mut value);
            *cell = value.map(Single);
            result
        })
    }

    /// Calls `f` with the value, which is made by `default` if there is none. It may use other states.
    pub fn update_with<R>(&self, default: impl FnOnce() -> T, f: impl FnOnce(&mut T) -> R) -> R {
        self.0.change(|cell| f(&mut cell.get_or_insert_with(|| Single(default())).0))
    }

    /// Removes the value and returns it.
    pub fn take(&self) -> Option<T> {
        self.0.take().map(|value| value.0)
    }

    /// Removes the value.
    pub fn clear(&self) {
        self.0.take();
    }
}

impl<T> fmt::Debug for ValueState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValueState").field(&self.0.name()).finish()
    }
}

impl<T> Clone for ValueState<T> {
    fn clone(&self) -> Self {
        ValueState(self.0.clone())
    }
}
