//! A state of a store: what it keeps for each key, by the key's position.

use super::cells::{Content, EntrySink};
use crate::{
    blocks::{Run, TakeError},
    error::StateError,
    slots::{Position, SEGMENT_SLOTS, Segment},
};
use flott_core::{BoxError, Key, key_group::KeyGroup, snapshot::KeyedStateMeta};
use std::{
    any::Any,
    cell::{Ref, RefCell, RefMut},
    rc::Rc,
};

/// The cells of a column: by group, segment and slot. Parts that hold nothing may be missing or shorter.
#[derive(Debug)]
pub(crate) struct Cells<C> {
    groups: Vec<Vec<Box<[Option<C>]>>>,
}

impl<C> Cells<C> {
    /// The content at a position.
    #[inline]
    pub(crate) fn get(&self, at: Position) -> Option<&C> {
        self.groups.get(at.group())?.get(at.segment())?.get(at.offset())?.as_ref()
    }

    /// The cell at a position, if there is memory for it.
    #[inline]
    pub(crate) fn existing(&mut self, at: Position) -> Option<&mut Option<C>> {
        self.groups.get_mut(at.group())?.get_mut(at.segment())?.get_mut(at.offset())
    }

    /// The cell at a position.
    #[inline]
    pub(crate) fn cell(&mut self, at: Position) -> &mut Option<C> {
        if self.existing(at).is_none() {
            self.grow(at);
        }
        self.existing(at).expect("is long enough now")
    }

    #[cold]
    fn grow(&mut self, at: Position) {
        let segments = &mut self.groups[at.group()];
        if segments.len() <= at.segment() {
            segments.resize_with(at.segment() + 1, Box::default);
        }
        let wanted = if at.segment() == 0 { (at.offset() + 1).next_power_of_two().max(4) } else { SEGMENT_SLOTS };
        let segment = &mut segments[at.segment()];
        let mut cells = std::mem::take(segment).into_vec();
        cells.reserve_exact(wanted - cells.len());
        cells.resize_with(wanted, || None);
        *segment = cells.into_boxed_slice();
    }
}

/// A state of a store.
#[derive(Debug)]
pub(crate) struct Column<C> {
    pub(crate) meta: KeyedStateMeta,
    cells: RefCell<Cells<C>>,
}

impl<C> Column<C> {
    pub(crate) fn new(meta: KeyedStateMeta, groups: usize) -> Self {
        Column { meta, cells: RefCell::new(Cells { groups: (0..groups).map(|_| Vec::new()).collect() }) }
    }

    /// The cells, to read.
    ///
    /// # Panics
    /// From inside a closure that changes this state.
    #[inline]
    pub(crate) fn read(&self) -> Ref<'_, Cells<C>> {
        match self.cells.try_borrow() {
            Ok(cells) => cells,
            Err(_) => nested(&self.meta.name),
        }
    }

    /// The cells, to change.
    ///
    /// # Panics
    /// From inside a closure that reads or changes this state.
    #[inline]
    pub(crate) fn change(&self) -> RefMut<'_, Cells<C>> {
        match self.cells.try_borrow_mut() {
            Ok(cells) => cells,
            Err(_) => nested(&self.meta.name),
        }
    }
}

#[cold]
#[inline(never)]
fn nested(name: &str) -> ! {
    panic!("state `{name}` was used inside a closure that has been given its value: end the closure first")
}

/// A column of any type of content.
pub(crate) trait AnyColumn<K> {
    /// What it is stored as.
    fn meta(&self) -> &KeyedStateMeta;

    /// Writes a segment.
    fn write_segment(&self, state: usize, group: usize, segment: usize, keys: &Segment<K>, run: &mut Run) -> Result<(), BoxError>;

    /// Whether nothing is kept there.
    fn is_empty_at(&self, at: Position) -> bool;

    /// Gives back the memory of a segment without keys.
    fn release(&self, group: usize, segment: usize);

    /// To find the type of content again.
    fn as_any(self: Rc<Self>) -> Rc<dyn Any>;
}

impl<K: Key, C: Content> AnyColumn<K> for Column<C> {
    fn meta(&self) -> &KeyedStateMeta {
        &self.meta
    }

    fn write_segment(&self, state: usize, group: usize, segment: usize, keys: &Segment<K>, run: &mut Run) -> Result<(), BoxError> {
        let cells = self.read();
        let Some(cells) = cells.groups[group].get(segment) else { return Ok(()) };
        let mut sink = EntrySink { run, state, group };
        for (offset, key) in keys.iter() {
            if let Some(Some(content)) = cells.get(offset) {
                content.write(key, &mut sink)?;
            }
        }
        Ok(())
    }

    fn is_empty_at(&self, at: Position) -> bool {
        self.read().get(at).is_none()
    }

    fn release(&self, group: usize, segment: usize) {
        if let Some(cells) = self.change().groups[group].get_mut(segment) {
            *cells = Box::default();
        }
    }

    fn as_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }
}

impl<C: Content> Column<C> {
    /// Adds the value of a stored entry to the cell at a position; returns the bytes behind it.
    pub(crate) fn restore_entry<'b>(&self, at: Position, group: KeyGroup, entry: usize, bytes: &'b [u8]) -> Result<&'b [u8], TakeError> {
        let twice = || TakeError::Refused(StateError::StoredTwice { name: self.meta.name.clone(), group, entry });
        C::read(self.change().cell(at), bytes)?.ok_or_else(twice)
    }
}
