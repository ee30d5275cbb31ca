//! The place of one key in a table, found once and used at will.

use super::KeyedTable;
use crate::slots::Position;
use flott_core::{Data, Key};

/// The place of a key.
#[derive(Debug)]
pub enum Entry<'a, K, V> {
    /// The key is there.
    Occupied(OccupiedEntry<'a, K, V>),
    /// The key is not there.
    Vacant(VacantEntry<'a, K, V>),
}

/// The place of a key that is there.
#[derive(Debug)]
pub struct OccupiedEntry<'a, K, V> {
    table: &'a mut KeyedTable<K, V>,
    at: Position,
    hash: u64,
}

impl<'a, K: Key, V: Data> OccupiedEntry<'a, K, V> {
    pub(super) fn new(table: &'a mut KeyedTable<K, V>, at: Position, hash: u64) -> Self {
        OccupiedEntry { table, at, hash }
    }

    /// The key.
    pub fn key(&self) -> &K {
        &self.table.slots.get(self.at).expect("is occupied").0
    }

    /// The value.
    pub fn get(&self) -> &V {
        &self.table.slots.get(self.at).expect("is occupied").1
    }

    /// The value, to change it.
    #[inline]
    pub fn get_mut(&mut self) -> &mut V {
        &mut self.table.slots.get_mut(self.at).expect("is occupied").1
    }

    /// The value, for as long as the table is borrowed.
    #[inline]
    pub fn into_mut(self) -> &'a mut V {
        &mut self.table.slots.get_mut(self.at).expect("is occupied").1
    }

    /// Takes the entry out.
    pub fn remove(self) -> (K, V) {
        self.table.take_at(self.at, self.hash).expect("is occupied")
    }
}

/// The place of a key that is not there.
#[derive(Debug)]
pub struct VacantEntry<'a, K, V> {
    table: &'a mut KeyedTable<K, V>,
    hash: u64,
}

impl<'a, K: Key, V: Data> VacantEntry<'a, K, V> {
    pub(super) fn new(table: &'a mut KeyedTable<K, V>, hash: u64) -> Self {
        VacantEntry { table, hash }
    }

    /// Adds the key, which must be the one that was looked for.
    pub fn insert(self, key: K, value: V) -> &'a mut V {
        let at = self.table.insert_new(self.hash, key, value);
        &mut self.table.slots.get_mut(at).expect("was filled").1
    }
}
