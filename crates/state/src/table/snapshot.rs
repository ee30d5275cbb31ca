//! Snapshots of a table, incremental: each segment is written once, before it changes or when the walk comes to it.

use super::KeyedTable;
use crate::blocks::Run;
use flott_core::{
    BoxError, Data, Key, codec,
    operator::{SnapshotProgress, SnapshotWriter},
};

impl<K: Key, V: Data> KeyedTable<K, V> {
    /// Begins a snapshot of the content of this moment, as the operator's keyed state number `state`, and announces it. Takes no
    /// time that depends on the number of keys. An unfinished earlier snapshot is forgotten.
    ///
    /// An entry is stored as key, then value.
    pub fn snapshot_begin(&mut self, state: u16, writer: &mut dyn SnapshotWriter) {
        writer.keyed_state(self.meta.clone());
        self.slots.version = self.slots.version.wrapping_add(1);
        self.run = Some(Run::new(state, 1, self.slots.range(), writer.pool()));
    }

    /// Writes about `budget` entries and counts them down; whole segments, so it may be a few more. Hands out all finished blocks.
    /// What changes between two steps is written before it does, without being counted.
    ///
    /// # Errors
    /// A key or value refused to be serialised, now or when it was about to change. The snapshot is over.
    pub fn snapshot_step(&mut self, budget: &mut usize, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        loop {
            let Some(run) = &mut self.run else { return Ok(SnapshotProgress::Done) };
            if let Some(failure) = run.take_failure() {
                self.run = None;
                return Err(failure.into());
            }
            run.drain(writer);
            if run.group == self.slots.group_count() {
                self.run = None;
                return Ok(SnapshotProgress::Done);
            }
            let (group, segment) = (run.group, run.segment);
            if segment == self.slots.segment_count(group) {
                run.next_group();
            } else if *budget == 0 {
                return Ok(SnapshotProgress::More);
            } else {
                run.segment += 1;
                let content = self.slots.segment(group, segment);
                let written = content.version == self.slots.version;
                // A segment passed over costs a little too, or steps over a table that was written by its changes would be long.
                *budget = budget.saturating_sub(if written { 1 } else { content.len().max(1) });
                if !written {
                    self.write_segment(group, segment);
                }
            }
        }
    }

    /// Forgets an unfinished snapshot.
    pub fn snapshot_cancel(&mut self) {
        self.run = None;
    }

    /// Writes a segment, if there is a snapshot, and marks it as written in any case.
    #[cold]
    #[inline(never)]
    pub(super) fn write_segment(&mut self, group: usize, segment: usize) {
        self.slots.set_written(group, segment);
        let Some(run) = self.run.as_mut().filter(|run| !run.failed()) else { return };
        for (_, (key, value)) in self.slots.segment(group, segment).iter() {
            let result = run.entry(0, group, |bytes| {
                codec::encode_into(key, bytes)?;
                codec::encode_into(value, bytes)
            });
            if let Err(source) = result {
                return run.fail(&self.meta.name, source);
            }
        }
    }
}
