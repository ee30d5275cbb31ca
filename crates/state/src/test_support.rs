//! For tests: random numbers from a seed, and a snapshot in memory.

use flott_core::{
    BoxError,
    context::{BlockVisitor, RestoredState},
    id::CheckpointId,
    key_group::KeyGroup,
    operator::SnapshotWriter,
    snapshot::{KeyedStateMeta, ListStateSnapshot},
};

/// Xorshift.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }
}

/// What was written to a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) states: Vec<KeyedStateMeta>,
    pub(crate) blocks: Vec<(u16, KeyGroup, Vec<u8>)>,
}

impl Stored {
    /// All of several subtasks; their states must be announced in the same order.
    pub(crate) fn join(parts: impl IntoIterator<Item = Stored>) -> Stored {
        let mut all = Stored::default();
        for part in parts {
            all.states = part.states;
            all.blocks.extend(part.blocks);
        }
        all
    }
}

impl SnapshotWriter for Stored {
    fn list(&mut self, _: ListStateSnapshot) {}
    fn keyed_state(&mut self, meta: KeyedStateMeta) {
        self.states.push(meta);
    }
    fn keyed_block(&mut self, state: u16, group: KeyGroup, entries: Vec<u8>) {
        self.blocks.push((state, group, entries));
    }
}

impl RestoredState for Stored {
    fn checkpoint(&self) -> CheckpointId {
        CheckpointId(1)
    }
    fn lists(&self) -> &[ListStateSnapshot] {
        &[]
    }
    fn keyed_blocks(&self, visit: &mut BlockVisitor<'_>) -> Result<(), BoxError> {
        self.blocks.iter().try_for_each(|(state, group, bytes)| visit(&self.states[usize::from(*state)], *group, bytes))
    }
}
