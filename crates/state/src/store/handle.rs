//! What all handles of states are made of.

use super::{Current, Cursor, MakeKey, column::Column};
use std::rc::Rc;

/// A handle of the state of a column, for the current key.
pub(super) struct Handle<C> {
    pub(super) column: Rc<Column<C>>,
    pub(super) cursor: Rc<Cursor>,
    pub(super) keys: Rc<dyn MakeKey>,
}

impl<C> Clone for Handle<C> {
    fn clone(&self) -> Self {
        Handle { column: self.column.clone(), cursor: self.cursor.clone(), keys: self.keys.clone() }
    }
}

#[cold]
#[inline(never)]
fn no_key(name: &str) -> ! {
    panic!(
        "state `{name}` was used while there is no current key: use keyed state only while a record or timer is processed, not in `open` or `close`"
    )
}

impl<C> Handle<C> {
    pub(super) fn name(&self) -> &str {
        &self.column.meta.name
    }

    /// Calls `f` with what is kept for the current key.
    #[inline]
    pub(super) fn read<R>(&self, f: impl FnOnce(Option<&C>) -> R) -> R {
        match self.cursor.current.get() {
            Current::At(at) => f(self.column.read().get(at)),
            Current::Absent => f(None),
            Current::Nothing => no_key(self.name()),
        }
    }

    /// Calls `f` with the cell of the current key.
    #[inline]
    pub(super) fn change<R>(&self, f: impl FnOnce(&mut Option<C>) -> R) -> R {
        match self.cursor.current.get() {
            Current::At(at) => {
                let mut cells = self.column.change();
                let cell = cells.cell(at);
                let result = f(cell);
                if cell.is_none() {
                    self.cursor.emptied.set(true);
                }
                result
            }
            Current::Absent => {
                // No slot yet: one is made only if something is to be kept.
                let mut cell = None;
                let result = f(&mut cell);
                if cell.is_some() {
                    let at = self.keys.position();
                    *self.column.change().cell(at) = cell;
                }
                result
            }
            Current::Nothing => no_key(self.name()),
        }
    }

    /// Calls `f` with what is kept for the current key, if there is something. It must leave something.
    pub(super) fn change_existing<R>(&self, f: impl FnOnce(&mut C) -> R) -> Option<R> {
        match self.cursor.current.get() {
            Current::At(at) => self.column.change().existing(at).and_then(Option::as_mut).map(f),
            Current::Absent => None,
            Current::Nothing => no_key(self.name()),
        }
    }

    /// Removes what is kept for the current key.
    pub(super) fn take(&self) -> Option<C> {
        match self.cursor.current.get() {
            Current::At(at) => {
                let content = self.column.change().existing(at).and_then(Option::take);
                self.cursor.emptied.set(true);
                content
            }
            Current::Absent => None,
            Current::Nothing => no_key(self.name()),
        }
    }
}
