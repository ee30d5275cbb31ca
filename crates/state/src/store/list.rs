//! A list for each key.

use super::{cells::Many, handle::Handle};
use flott_core::Data;
use std::fmt;

/// A list for each key. All methods mean the current key and panic if there is none. An empty list is the same as none.
pub struct ListState<T>(pub(super) Handle<Many<T>>);

impl<T: Data> ListState<T> {
    /// Appends an item.
    pub fn add(&self, item: T) {
        self.0.change(|cell| cell.get_or_insert_with(|| Many(Vec::new())).0.push(item));
    }

    /// Appends items.
    pub fn add_all(&self, items: impl IntoIterator<Item = T>) {
        // The iterator is the user's and may use states, so it runs first.
        let mut items: Vec<T> = items.into_iter().collect();
        if !items.is_empty() {
            self.0.change(|cell| match cell {
                Some(kept) => kept.0.append(&mut items),
                None => *cell = Some(Many(items)),
            });
        }
    }

    /// A copy of the list.
    pub fn get(&self) -> Vec<T> {
        self.with(<[T]>::to_vec)
    }

    /// Calls `f` with the list. It may use other states.
    pub fn with<R>(&self, f: impl FnOnce(&[T]) -> R) -> R {
        self.0.read(|kept| f(kept.map_or(&[], |list| &list.0)))
    }

    /// Calls `f` with each item, in order. It may use other states.
    pub fn for_each(&self, f: impl FnMut(&T)) {
        self.with(|list| list.iter().for_each(f));
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.with(<[T]>::len)
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Replaces the list.
    pub fn update(&self, items: Vec<T>) {
        self.0.change(|cell| *cell = (!items.is_empty()).then(|| Many(items)));
    }

    /// Removes the list and returns it.
    pub fn take(&self) -> Vec<T> {
        self.0.take().map_or_else(Vec::new, |list| list.0)
    }

    /// Removes the list.
    pub fn clear(&self) {
        self.0.take();
    }
}

impl<T> fmt::Debug for ListState<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ListState").field(&self.0.name()).finish()
    }
}

impl<T> Clone for ListState<T> {
    fn clone(&self) -> Self {
        ListState(self.0.clone())
    }
}
