//! Registering states, and giving them what was restored for them.

use super::{
    AggregateFunction, AggregatingState, KeyedStore, ListState, MapState, ReducingState, Shared, ValueState,
    cells::{Content, Many, Single, UserMap},
    column::Column,
    handle::Handle,
};
use crate::{
    blocks::{TakeError, decode_block},
    error::{StateError, check_meta, describe},
};
use flott_core::{
    Data, Key, codec,
    key_group::KeyGroup,
    key_hash::key_hash,
    schema::Schema,
    snapshot::{KeyedStateMeta, StateKind},
};
use std::rc::Rc;

/// Registering a name again, alike, gives another handle of the same state.
impl<K: Key> KeyedStore<K> {
    /// A state that keeps one value.
    ///
    /// # Errors
    /// The name is taken by another state, or what is stored under it is something else or damaged.
    pub fn value_state<T: Data>(&self, name: &str) -> Result<ValueState<T>, StateError> {
        self.register::<Single<T>>(name, StateKind::Value, Schema::of::<T>()).map(ValueState)
    }

    /// A state that keeps a list.
    ///
    /// # Errors
    /// As [`KeyedStore::value_state`].
    pub fn list_state<T: Data>(&self, name: &str) -> Result<ListState<T>, StateError> {
        self.register::<Many<T>>(name, StateKind::List, Schema::of::<T>()).map(ListState)
    }

    /// A state that keeps a map.
    ///
    /// # Errors
    /// As [`KeyedStore::value_state`].
    pub fn map_state<MK: Key, MV: Data>(&self, name: &str) -> Result<MapState<MK, MV>, StateError> {
        self.register::<UserMap<MK, MV>>(name, StateKind::Map, Schema::of::<(MK, MV)>()).map(MapState)
    }

    /// A state that keeps one value, which `reduce` makes of the one it had and the one that is added.
    ///
    /// # Errors
    /// As [`KeyedStore::value_state`].
    pub fn reducing_state<T: Data>(&self, name: &str, reduce: impl Fn(T, T) -> T + 'static) -> Result<ReducingState<T>, StateError> {
        let handle = self.register::<Single<T>>(name, StateKind::Reducing, Schema::of::<T>())?;
        Ok(ReducingState { handle, reduce: Rc::new(reduce) })
    }

    /// A state that keeps an accumulator.
    ///
    /// # Errors
    /// As [`KeyedStore::value_state`].
    pub fn aggregating_state<F: AggregateFunction>(&self, name: &str, function: F) -> Result<AggregatingState<F>, StateError> {
        let schema = Schema::of::<F::Accumulator>();
        let handle = self.register::<Single<F::Accumulator>>(name, StateKind::Aggregating, schema)?;
        Ok(AggregatingState { handle, function: Rc::new(function) })
    }

    fn register<C: Content>(&self, name: &str, kind: StateKind, value: Schema) -> Result<Handle<C>, StateError> {
        let meta = KeyedStateMeta { name: name.to_owned(), kind, codec: codec::CODEC.to_owned(), key: Schema::of::<K>(), value };
        let known = self.0.columns.borrow().iter().find(|column| column.meta().name == name).cloned();
        let column = match known {
            Some(known) => {
                let (first, second) = (describe(known.meta()), describe(&meta));
                let twice = || StateError::RegisteredTwice { name: name.to_owned(), first, second };
                let same_kind = known.meta().kind == kind;
                known.as_any().downcast::<Column<C>>().ok().filter(|_| same_kind).ok_or_else(twice)?
            }
            None => {
                let column = Rc::new(Column::<C>::new(meta, self.0.keys.borrow().slots.group_count()));
                self.0.restore(&column)?;
                self.0.columns.borrow_mut().push(column.clone());
                column
            }
        };
        Ok(Handle { column, cursor: self.0.cursor.clone(), keys: self.0.clone() })
    }
}

impl<K: Key> Shared<K> {
    /// Gives a new column what was stored under its name.
    fn restore<C: Content>(&self, column: &Column<C>) -> Result<(), StateError> {
        // All must fit before any is taken out, so that a refused state stays unclaimed.
        let mine = |name: &str| name == column.meta.name;
        self.keys
            .borrow()
            .unclaimed
            .iter()
            .filter(|state| mine(&state.meta.name))
            .try_for_each(|state| check_meta(&state.meta, &column.meta))?;
        let claimed: Vec<_> = self.keys.borrow_mut().unclaimed.extract_if(.., |state| mine(&state.meta.name)).collect();
        for (group, bytes) in claimed.into_iter().flat_map(|state| state.blocks) {
            self.restore_block(column, group, &bytes)?;
        }
        Ok(())
    }

    fn restore_block<C: Content>(&self, column: &Column<C>, group: KeyGroup, bytes: &[u8]) -> Result<(), StateError> {
        let keys = &mut *self.keys.borrow_mut();
        let name = &column.meta.name;
        decode_block(name, group, bytes, |key: K, bytes, entry| {
            let hash = key_hash(&key);
            let computed = keys.slots.key_group(hash);
            if computed != group {
                return Err(TakeError::Refused(StateError::WrongGroup { name: name.clone(), group, computed }));
            }
            let at = match keys.slots.find(hash, |other| *other == key) {
                Some(at) => {
                    self.before_change(keys, at);
                    at
                }
                None => self.add_key(keys, hash, key),
            };
            column.restore_entry(at, group, entry, bytes)
        })
    }
}
