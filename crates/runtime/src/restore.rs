//! Hands an operator the state that it starts from.

use flott_core::{
    BoxError,
    context::{BlockVisitor, RestoredState},
    error::Unrecoverable,
    id::CheckpointId,
    key_group::KeyGroupRange,
    snapshot::{BlockRef, ListStateSnapshot},
};
use flott_rpc::task::OperatorRestore;
use flott_storage::{StateFiles, StorageError};
use std::{cell::Cell, sync::Arc};

/// The state of one operator of a subtask, read from storage when it is asked for.
pub(crate) struct RestoredOperator<'a> {
    pub(crate) checkpoint: CheckpointId,
    pub(crate) location: &'a str,
    pub(crate) state: &'a OperatorRestore,
    pub(crate) groups: KeyGroupRange,
    pub(crate) storage: &'a Arc<dyn StateFiles>,
    /// Whether the operator has asked for the lists, and for the keyed blocks.
    pub(crate) asked: Cell<(bool, bool)>,
}

impl RestoredOperator<'_> {
    /// Whether the operator has asked for all kinds of state that there are for it. One without a uid may have got the id that another
    /// one had before the program was changed, and would lose that one's state.
    pub(crate) fn check_asked(&self) -> Result<(), BoxError> {
        let (lists, keyed) = self.asked.get();
        let has_lists = self.state.lists.iter().any(|list| !list.items.is_empty());
        let has_keyed = self.state.keyed.iter().flat_map(|snapshot| &snapshot.blocks).any(|block| self.groups.contains(block.group));
        if (has_lists && !lists) || (has_keyed && !keyed) {
            return Err(format!(
                "checkpoint {} holds state for this operator, which keeps none of that kind: the program was changed before an operator \
                 without a uid; undo the change and give every operator with state a `uid`, or set \
                 `execution.state-recovery.ignore-unclaimed-state` to leave the state behind",
                self.checkpoint
            )
            .into());
        }
        Ok(())
    }

    /// What is damaged stays so: starting again from it would fail again. And only a person can tell whether starting from an older
    /// one does no harm outside, where what was committed since stays.
    fn unreadable(&self, error: StorageError) -> BoxError {
        if !error.is_damage() {
            return error.into();
        }
        let message = format!(
            "checkpoint {} in `{}` is damaged, so the job cannot be restarted from it; start it with `execution.state-recovery.path: latest` \
             to go on from the newest one that is whole",
            self.checkpoint, self.location
        );
        Unrecoverable { message, source: Some(error.into()) }.into()
    }
}

impl RestoredState for RestoredOperator<'_> {
    fn checkpoint(&self) -> CheckpointId {
        self.checkpoint
    }

    fn lists(&self) -> &[ListStateSnapshot] {
        self.asked.set((true, self.asked.get().1));
        &self.state.lists
    }

    fn keyed_blocks(&self, visit: &mut BlockVisitor<'_>) -> Result<(), BoxError> {
        self.asked.set((self.asked.get().0, true));
        for snapshot in &self.state.keyed {
            let wanted = snapshot.blocks.iter().filter(|block| self.groups.contains(block.group));
            let meta = |block: &BlockRef| {
                let stored = snapshot.states.get(usize::from(block.state));
                stored.ok_or_else(|| format!("checkpoint {} names a state that it does not describe", self.checkpoint))
            };
            let blocks = self.storage.open_blocks(self.location, &snapshot.data).map_err(|error| self.unreadable(error))?;
            let mut bytes = Vec::new();
            for block in wanted {
                blocks.read_block(block, &mut bytes).map_err(|error| self.unreadable(error))?;
                visit(meta(block)?, block.group, &bytes)?;
            }
        }
        Ok(())
    }
}
