//! State of an operator as a whole, not of a key: lists whose items are spread anew when a job is restored.

use flott_core::{
    BoxError, Data,
    codec::{CODEC, decode, encode},
    context::RestoredState,
    operator::SnapshotWriter,
    schema::Schema,
    snapshot::{ListStateSnapshot, Redistribution},
};
use std::{
    cell::{Ref, RefCell, RefMut},
    rc::Rc,
};

/// A list of an operator's own. What it holds at a barrier is part of the checkpoint.
#[derive(Debug)]
pub struct OperatorListState<T>(Rc<RefCell<Vec<T>>>);

impl<T> OperatorListState<T> {
    /// The items.
    pub fn get(&self) -> Ref<'_, [T]> {
        Ref::map(self.0.borrow(), Vec::as_slice)
    }

    /// The items, to change them.
    pub fn get_mut(&self) -> RefMut<'_, Vec<T>> {
        self.0.borrow_mut()
    }

    /// Appends an item.
    pub fn add(&self, item: T) {
        self.0.borrow_mut().push(item);
    }

    /// Puts these items in place of what there is.
    pub fn update(&self, items: Vec<T>) {
        *self.0.borrow_mut() = items;
    }

    /// Removes all items.
    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

trait AnyList {
    fn name(&self) -> &str;
    fn snapshot(&self) -> Result<ListStateSnapshot, BoxError>;
}

struct Registered<T> {
    name: String,
    redistribution: Redistribution,
    items: Rc<RefCell<Vec<T>>>,
}

impl<T: Data> AnyList for Registered<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn snapshot(&self) -> Result<ListStateSnapshot, BoxError> {
        let items = self.items.borrow().iter().map(encode).collect::<Result<_, _>>()?;
        let (name, redistribution) = (self.name.clone(), self.redistribution);
        Ok(ListStateSnapshot { name, redistribution, codec: CODEC.to_owned(), schema: Schema::of::<T>(), items })
    }
}

/// All list states of an operator.
#[derive(Default)]
pub(crate) struct OperatorStates(Vec<Box<dyn AnyList>>);

impl OperatorStates {
    /// Registers a list, with what was restored for it.
    pub(crate) fn register<T: Data>(
        &mut self,
        name: &str,
        redistribution: Redistribution,
        restored: Option<&dyn RestoredState>,
    ) -> Result<OperatorListState<T>, BoxError> {
        if self.0.iter().any(|list| list.name() == name) {
            return Err(format!("the operator has two list states of the name `{name}`; give each its own").into());
        }
        let mut items = Vec::new();
        for list in restored.map_or(&[][..], |restored| restored.lists()).iter().filter(|list| list.name == name) {
            Schema::of::<T>().compatibility(&list.schema).map_err(|error| format!("list state `{name}` has changed its type: {error}"))?;
            for item in &list.items {
                items.push(decode(item).map_err(|error| format!("an item of list state `{name}` cannot be read: {error}"))?);
            }
        }
        let items = Rc::new(RefCell::new(items));
        self.0.push(Box::new(Registered { name: name.to_owned(), redistribution, items: items.clone() }));
        Ok(OperatorListState(items))
    }

    pub(crate) fn snapshot(&self, writer: &mut dyn SnapshotWriter) -> Result<(), BoxError> {
        for list in &self.0 {
            writer.list(list.snapshot()?);
        }
        Ok(())
    }
}
