//! A snapshot under way: what has been written and not yet handed out, and how far the walk over the segments is.

use crate::error::StateError;
use flott_core::{
    BoxError, Data, Key,
    block_pool::BlockPool,
    codec,
    key_group::{KeyGroup, KeyGroupRange},
    operator::SnapshotWriter,
};
use std::sync::Arc;

/// The largest blocks, but for single entries that are longer.
const BLOCK_BYTES: usize = 16 << 10;
/// Bytes that all unfinished blocks together may take; with many groups, blocks are smaller.
const BUFFER_BYTES: usize = 4 << 20;
/// The smallest blocks.
const MIN_BLOCK_BYTES: usize = 1 << 10;

/// Entries of one state and one group that wait to become a block.
#[derive(Debug, Default)]
struct Unfinished {
    bytes: Vec<u8>,
    /// Not to be read from `bytes`: an entry may be encoded in none.
    entries: usize,
}

/// A snapshot under way.
#[derive(Debug)]
pub(crate) struct Run {
    first_state: u16,
    range: KeyGroupRange,
    /// By state, then group.
    unfinished: Vec<Unfinished>,
    ready: Vec<(u16, KeyGroup, Vec<u8>)>,
    block_bytes: usize,
    pool: Arc<BlockPool>,
    failure: Option<StateError>,
    /// The segment that the walk comes to next.
    pub(crate) group: usize,
    /// The segment that the walk comes to next.
    pub(crate) segment: usize,
}

impl Run {
    /// A snapshot of `states` states, the first of which has number `first_state` in the operator's snapshot.
    pub(crate) fn new(first_state: u16, states: usize, range: KeyGroupRange, pool: Arc<BlockPool>) -> Self {
        let count = states * range.len();
        let mut unfinished = Vec::new();
        unfinished.resize_with(count, Unfinished::default);
        let block_bytes = (BUFFER_BYTES / count.max(1)).clamp(MIN_BLOCK_BYTES, BLOCK_BYTES);
        Run { first_state, range, unfinished, ready: Vec::new(), block_bytes, pool, failure: None, group: 0, segment: 0 }
    }

    /// The number of states.
    pub(crate) fn states(&self) -> usize {
        self.unfinished.len() / self.range.len().max(1)
    }

    /// Whether writing failed: nothing more needs to be written.
    pub(crate) fn failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Ends the snapshot: the next step returns the error.
    pub(crate) fn fail(&mut self, name: &str, source: BoxError) {
        self.failure = Some(StateError::Unwritable { name: name.to_owned(), source });
    }

    /// Why writing failed.
    pub(crate) fn take_failure(&mut self) -> Option<StateError> {
        self.failure.take()
    }

    /// Appends an entry that `encode` writes.
    #[inline]
    pub(crate) fn entry(
        &mut self,
        state: usize,
        group: usize,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        let unfinished = &mut self.unfinished[state * self.range.len() + group];
        if unfinished.bytes.capacity() == 0 {
            unfinished.bytes = self.pool.take(self.block_bytes);
        }
        encode(&mut unfinished.bytes)?;
        unfinished.entries += 1;
        // The rest is room for the last entry.
        if unfinished.bytes.len() >= self.block_bytes / 8 * 7 {
            self.cut(state, group);
        }
        Ok(())
    }

    fn cut(&mut self, state: usize, group: usize) {
        let unfinished = std::mem::take(&mut self.unfinished[state * self.range.len() + group]);
        if unfinished.entries > 0 {
            let key_group = (self.range.start as usize + group) as KeyGroup;
            self.ready.push((self.first_state + state as u16, key_group, unfinished.bytes));
        }
    }

    /// Everything of the group that the walk is at has been written: goes to the next.
    pub(crate) fn next_group(&mut self) {
        (0..self.states()).for_each(|state| self.cut(state, self.group));
        self.group += 1;
        self.segment = 0;
    }

    /// Hands out finished blocks.
    pub(crate) fn drain(&mut self, writer: &mut dyn SnapshotWriter) {
        self.ready.drain(..).for_each(|(state, group, bytes)| writer.keyed_block(state, group, bytes));
    }
}

/// Reads the entries of a block: calls `take` with the key, the bytes behind it and the entry's number; it returns the bytes behind
/// the value.
pub(crate) fn decode_block<'b, K: Key>(
    name: &str,
    group: KeyGroup,
    bytes: &'b [u8],
    mut take: impl FnMut(K, &'b [u8], usize) -> Result<&'b [u8], TakeError>,
) -> Result<(), StateError> {
    let mut rest = bytes;
    let mut entry = 0;
    loop {
        let unreadable = |source| StateError::Unreadable { name: name.to_owned(), group, entry, source };
        let (key, value) = codec::decode_front::<K>(rest).map_err(unreadable)?;
        rest = take(key, value, entry).map_err(|error| match error {
            TakeError::Unreadable(source) => unreadable(source),
            TakeError::Refused(error) => error,
        })?;
        entry += 1;
        // Tested behind the first entry: a block is never without one, but its entries may be without bytes.
        if rest.is_empty() {
            return Ok(());
        }
    }
}

/// Why an entry of a block was not taken.
#[derive(Debug)]
pub(crate) enum TakeError {
    /// Its value cannot be decoded.
    Unreadable(BoxError),
    /// It does not fit.
    Refused(StateError),
}

/// Decodes a value of an entry.
pub(crate) fn decode_value<V: Data>(bytes: &[u8]) -> Result<(V, &[u8]), TakeError> {
    codec::decode_front(bytes).map_err(TakeError::Unreadable)
}
