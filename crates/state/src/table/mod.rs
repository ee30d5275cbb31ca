//! One value for each key: the table of reductions, aggregations and windows.

mod entry;
mod restore;
mod snapshot;
#[cfg(test)]
mod tests;

pub use entry::{Entry, OccupiedEntry, VacantEntry};

use crate::{
    blocks::Run,
    slots::{Position, SEGMENT_SLOTS, Slots},
};
use flott_core::{
    Data, Key, codec,
    key_group::KeyGroupRange,
    key_hash::key_hash,
    schema::Schema,
    snapshot::{KeyedStateMeta, StateKind},
};

/// The entries of one operator's subtask, by key group, with incremental copy-on-write snapshots.
///
/// Every access takes the key's 64-bit hash, which the record already carries, and a closure that recognises the key, so that
/// an owned key is made for new keys alone. The upper half of the hash decides the group, the lower half the place in it.
/// Entries never move, so neither a growing table nor a snapshot stalls a batch for long.
///
/// # Panics
/// All methods that take a hash panic if its key group is not of this subtask: the record was sent to the wrong one.
#[derive(Debug)]
pub struct KeyedTable<K, V> {
    slots: Slots<(K, V)>,
    meta: KeyedStateMeta,
    hash: fn(&K, &V) -> u64,
    run: Option<Run>,
}

impl<K: Key, V: Data> KeyedTable<K, V> {
    /// An empty table for the key groups `groups`; `name` and `kind` are what it is stored as.
    pub fn new(name: impl Into<String>, kind: StateKind, max_parallelism: u32, groups: KeyGroupRange) -> Self {
        let (key, value) = (Schema::of::<K>(), Schema::of::<V>());
        let meta = KeyedStateMeta { name: name.into(), kind, codec: codec::CODEC.to_owned(), key, value };
        KeyedTable { slots: Slots::new(max_parallelism, groups), meta, hash: |key, _| key_hash(key), run: None }
    }

    /// Sets how to compute the hash of an entry that is restored or found by iteration: by default, the key's `key_hash`. For
    /// keys of which only a part decides the key group, as a key and its window: the upper half must be that part's.
    pub fn with_hash(mut self, hash: fn(&K, &V) -> u64) -> Self {
        self.hash = hash;
        self
    }

    /// The name it is stored as.
    pub fn name(&self) -> &str {
        &self.meta.name
    }

    /// The key groups of the subtask.
    pub fn groups(&self) -> KeyGroupRange {
        self.slots.range()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the table itself, without what keys and values own on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.slots.heap_bytes()
    }

    /// Asks for the memory that look-ups of keys with these hashes read first, without waiting for it. A look-up is a chain of two
    /// reads; asked for ahead, a few dozen keys at a time, those of many keys arrive side by side.
    #[inline]
    pub fn prefetch_places(&self, hashes: &[u64]) {
        self.slots.prefetch_places(hashes);
    }

    /// Asks for the entries of keys with these hashes, some time after [`KeyedTable::prefetch_places`].
    #[inline]
    pub fn prefetch_entries(&self, hashes: &[u64]) {
        self.slots.prefetch_entries(hashes);
    }

    /// The value of the key with `hash` that `matches` recognises.
    #[inline]
    pub fn get(&self, hash: u64, mut matches: impl FnMut(&K) -> bool) -> Option<&V> {
        let at = self.slots.find(hash, |(key, _)| matches(key))?;
        self.slots.get(at).map(|(_, value)| value)
    }

    /// The value of the key with `hash` that `matches` recognises, to change it.
    #[inline]
    pub fn get_mut(&mut self, hash: u64, mut matches: impl FnMut(&K) -> bool) -> Option<&mut V> {
        let at = self.slots.find(hash, |(key, _)| matches(key))?;
        self.before_change(at);
        self.slots.get_mut(at).map(|(_, value)| value)
    }

    /// The value of the key with `hash` that `matches` recognises; if there is none, `make` provides key and value.
    #[inline]
    pub fn get_or_insert_with(&mut self, hash: u64, mut matches: impl FnMut(&K) -> bool, make: impl FnOnce() -> (K, V)) -> &mut V {
        let at = match self.slots.find(hash, |(key, _)| matches(key)) {
            Some(at) => {
                self.before_change(at);
                at
            }
            None => {
                let (key, value) = make();
                self.insert_new(hash, key, value)
            }
        };
        &mut self.slots.get_mut(at).expect("was found or filled").1
    }

    /// The place of the key with `hash` that `matches` recognises, there or not.
    #[inline]
    pub fn entry(&mut self, hash: u64, mut matches: impl FnMut(&K) -> bool) -> Entry<'_, K, V> {
        match self.slots.find(hash, |(key, _)| matches(key)) {
            Some(at) => {
                self.before_change(at);
                Entry::Occupied(OccupiedEntry::new(self, at, hash))
            }
            None => Entry::Vacant(VacantEntry::new(self, hash)),
        }
    }

    /// Sets the value of `key`; returns the one it had.
    pub fn insert(&mut self, hash: u64, key: K, value: V) -> Option<V> {
        match self.get_mut(hash, |other| *other == key) {
            Some(old) => Some(std::mem::replace(old, value)),
            None => {
                self.insert_new(hash, key, value);
                None
            }
        }
    }

    /// Takes out the key with `hash` that `matches` recognises.
    pub fn remove(&mut self, hash: u64, mut matches: impl FnMut(&K) -> bool) -> Option<(K, V)> {
        let at = self.slots.find(hash, |(key, _)| matches(key))?;
        self.take_at(at, hash)
    }

    /// All entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots.iter().map(|(_, (key, value))| (key, value))
    }

    /// Takes out all entries that `keep` declines; `keep` may change those it keeps.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for group in 0..self.slots.group_count() {
            for segment in 0..self.slots.segment_count(group) {
                let first = Position { group: group as u32, slot: (segment * SEGMENT_SLOTS) as u32 };
                self.before_change(first);
                for slot in first.slot..first.slot + SEGMENT_SLOTS as u32 {
                    let at = Position { slot, ..first };
                    let Some((key, value)) = self.slots.get_mut(at) else { continue };
                    // The hash may be made from the value, which `keep` may change.
                    let hash = (self.hash)(key, value);
                    if !keep(key, value) {
                        self.slots.take(at, hash);
                    }
                }
            }
        }
    }

    /// The position of the entry with `hash` that `matches` recognises.
    pub(crate) fn find_entry(&self, hash: u64, mut matches: impl FnMut(&K, &V) -> bool) -> Option<Position> {
        self.slots.find(hash, |(key, value)| matches(key, value))
    }

    /// Adds an entry for a key that is not there.
    #[cold]
    pub(crate) fn insert_new(&mut self, hash: u64, key: K, value: V) -> Position {
        let at = self.slots.free_slot(self.slots.group_of(hash));
        self.before_change(at);
        self.slots.fill(at, hash, (key, value));
        at
    }

    /// Takes out the entry at a position, which has `hash`.
    pub(crate) fn take_at(&mut self, at: Position, hash: u64) -> Option<(K, V)> {
        self.before_change(at);
        self.slots.take(at, hash)
    }

    /// The entry at a position.
    pub(crate) fn entry_at(&self, at: Position) -> Option<&(K, V)> {
        self.slots.get(at)
    }

    /// The positions of all entries.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (Position, &(K, V))> {
        self.slots.iter()
    }

    /// Must be called before anything of the position's segment changes.
    #[inline]
    fn before_change(&mut self, at: Position) {
        if self.slots.segment(at.group(), at.segment()).version != self.slots.version {
            self.write_segment(at.group(), at.segment());
        }
    }
}
