//! Snapshots of a store: as those of a table, all columns together.

use super::{Current, KeyedStore, Keys, Shared};
use crate::blocks::Run;
use flott_core::{
    BoxError, Key,
    operator::{SnapshotProgress, SnapshotWriter},
};

impl<K: Key> KeyedStore<K> {
    /// Begins a snapshot of the content of this moment, as the operator's keyed states from number `first_state` on, and
    /// announces them. Returns the number for the operator's next state. Takes no time that depends on the number of keys. No
    /// key is current afterwards. An unfinished earlier snapshot is forgotten.
    ///
    /// Stored as entries: the key, then its value, accumulator or list; for a map, an entry for each of its keys: the key,
    /// the map's key, the value.
    pub fn snapshot_begin(&self, first_state: u16, writer: &mut dyn SnapshotWriter) -> u16 {
        // The current key's segment may be changed without being looked at again: so there must be none.
        self.clear_current_key();
        let columns = self.0.columns.borrow();
        let keys = &mut *self.0.keys.borrow_mut();
        columns.iter().for_each(|column| writer.keyed_state(column.meta().clone()));
        keys.slots.version = keys.slots.version.wrapping_add(1);
        keys.run = Some(Run::new(first_state, columns.len(), keys.slots.range(), writer.pool()));
        keys.handed_on.clear();
        let mut next = first_state + columns.len() as u16;
        for state in &keys.unclaimed {
            writer.keyed_state(state.meta.clone());
            keys.handed_on.extend(state.blocks.iter().map(|(group, bytes)| (next, *group, bytes.clone())));
            next += 1;
        }
        next
    }

    /// Writes about `budget` entries and counts them down; whole segments, so it may be a few more. Hands out all finished
    /// blocks. What changes between two steps is written before it does, without being counted.
    ///
    /// # Errors
    /// A key or value refused to be serialised, now or when it was about to change. The snapshot is over.
    pub fn snapshot_step(&self, budget: &mut usize, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        let keys = &mut *self.0.keys.borrow_mut();
        loop {
            let Some(run) = &mut keys.run else { return Ok(SnapshotProgress::Done) };
            if let Some(failure) = run.take_failure() {
                keys.run = None;
                keys.handed_on.clear();
                return Err(failure.into());
            }
            run.drain(writer);
            if run.group == keys.slots.group_count() && keys.handed_on.is_empty() {
                keys.run = None;
                return Ok(SnapshotProgress::Done);
            }
            let (group, segment) = (run.group, run.segment);
            if group < keys.slots.group_count() && segment == keys.slots.segment_count(group) {
                run.next_group();
            } else if *budget == 0 {
                return Ok(SnapshotProgress::More);
            } else if group == keys.slots.group_count() {
                if let Some((state, group, bytes)) = keys.handed_on.pop() {
                    *budget = budget.saturating_sub(bytes.len() / 64 + 1);
                    writer.keyed_block(state, group, bytes.to_vec());
                }
            } else {
                run.segment += 1;
                let content = keys.slots.segment(group, segment);
                let written = content.version == keys.slots.version;
                *budget = budget.saturating_sub(if written { 1 } else { content.len().max(1) });
                if !written {
                    self.0.write_segment(keys, group, segment);
                }
            }
        }
    }

    /// Forgets an unfinished snapshot.
    pub fn snapshot_cancel(&self) {
        let keys = &mut *self.0.keys.borrow_mut();
        keys.run = None;
        keys.handed_on.clear();
    }
}

impl<K: Key> Shared<K> {
    /// Writes a segment of all columns, if there is a snapshot, and marks it as written in any case.
    #[cold]
    #[inline(never)]
    pub(super) fn write_segment(&self, keys: &mut Keys<K>, group: usize, segment: usize) {
        debug_assert!(!matches!(self.cursor.current.get(), Current::At(at) if at.group() == group && at.segment() == segment));
        keys.slots.set_written(group, segment);
        let Some(run) = keys.run.as_mut().filter(|run| !run.failed()) else { return };
        let content = keys.slots.segment(group, segment);
        // Columns registered since the beginning are not part of it.
        for (state, column) in self.columns.borrow().iter().enumerate().take(run.states()) {
            if let Err(source) = column.write_segment(state, group, segment, content, run) {
                return run.fail(&column.meta().name, source);
            }
        }
    }
}
