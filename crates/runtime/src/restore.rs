//! Hands an operator the state that it starts from.

use flott_core::{
    BoxError,
    context::{BlockVisitor, RestoredState},
    id::CheckpointId,
    key_group::KeyGroupRange,
    snapshot::{BlockRef, ListStateSnapshot},
};
use flott_rpc::task::OperatorRestore;
use flott_storage::StateFiles;
use std::sync::Arc;

/// The state of one operator of a subtask, read from storage when it is asked for.
pub(crate) struct RestoredOperator<'a> {
    pub(crate) checkpoint: CheckpointId,
    pub(crate) location: &'a str,
    pub(crate) state: &'a OperatorRestore,
    pub(crate) groups: KeyGroupRange,
    pub(crate) storage: &'a Arc<dyn StateFiles>,
}

impl RestoredState for RestoredOperator<'_> {
    fn checkpoint(&self) -> CheckpointId {
        self.checkpoint
    }

    fn lists(&self) -> &[ListStateSnapshot] {
        &self.state.lists
    }

    fn keyed_blocks(&self, visit: &mut BlockVisitor<'_>) -> Result<(), BoxError> {
        for snapshot in &self.state.keyed {
            let wanted = snapshot.blocks.iter().filter(|block| self.groups.contains(block.group));
            let meta = |block: &BlockRef| {
                let stored = snapshot.states.get(usize::from(block.state));
                stored.ok_or_else(|| format!("checkpoint {} names a state that it does not describe", self.checkpoint))
            };
            let blocks = self.storage.open_blocks(self.location, &snapshot.data)?;
            let mut bytes = Vec::new();
            for block in wanted {
                blocks.read_block(block, &mut bytes)?;
                visit(meta(block)?, block.group, &bytes)?;
            }
        }
        Ok(())
    }
}
