//! Filling a table from a snapshot.

use super::KeyedTable;
use crate::{
    blocks::{TakeError, decode_block, decode_value},
    error::{StateError, check_meta},
};
use flott_core::{BoxError, Data, Key, context::RestoredState, key_group::KeyGroup, snapshot::KeyedStateMeta};

impl<K: Key, V: Data> KeyedTable<K, V> {
    /// Adds the entries of all blocks stored under this table's name.
    ///
    /// # Errors
    /// They cannot be read, or what is stored is not what the table holds.
    pub fn restore(&mut self, restored: &dyn RestoredState) -> Result<(), BoxError> {
        restored.keyed_blocks(&mut |meta, group, bytes| {
            if meta.name == self.meta.name {
                self.restore_block(meta, group, bytes)?;
            }
            Ok(())
        })
    }

    /// Adds the entries of a block. One of a group that is not of this subtask is ignored.
    ///
    /// # Errors
    /// It cannot be read, or it is not what the table holds. The table then has some of its entries.
    pub fn restore_block(&mut self, meta: &KeyedStateMeta, group: KeyGroup, bytes: &[u8]) -> Result<(), StateError> {
        self.restore_entries(meta, group, bytes, |_, _| false)
    }

    /// As [`KeyedTable::restore_block`]; `distinct` tells whether two entries with one key are to be kept both.
    pub(crate) fn restore_entries(
        &mut self,
        meta: &KeyedStateMeta,
        group: KeyGroup,
        bytes: &[u8],
        distinct: impl Fn(&V, &V) -> bool,
    ) -> Result<(), StateError> {
        check_meta(meta, &self.meta)?;
        if !self.slots.range().contains(group) {
            return Ok(());
        }
        let name = self.meta.name.clone();
        decode_block(&name, group, bytes, |key: K, bytes, entry| {
            let (value, rest) = decode_value::<V>(bytes)?;
            let hash = (self.hash)(&key, &value);
            let computed = self.slots.key_group(hash);
            if computed != group {
                return Err(TakeError::Refused(StateError::WrongGroup { name: name.clone(), group, computed }));
            }
            if self.find_entry(hash, |other, kept| *other == key && !distinct(kept, &value)).is_some() {
                return Err(TakeError::Refused(StateError::StoredTwice { name: name.clone(), group, entry }));
            }
            self.insert_new(hash, key, value);
            Ok(rest)
        })
    }
}
