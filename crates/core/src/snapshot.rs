//! What a snapshot holds: the same for checkpoints and savepoints, for every backend and every parallelism.

use crate::{
    id::OperatorId,
    key_group::{KeyGroup, KeyGroupRange},
    schema::Schema,
};
use serde::{Deserialize, Serialize};

/// How the items of an operator's list state are spread over the subtasks that restore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Redistribution {
    /// Each item goes to one subtask, as evenly as can be.
    Split,
    /// Every subtask gets all items.
    Union,
}

/// One named list of an operator's own (not keyed) state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListStateSnapshot {
    /// The name that the operator gave it.
    pub name: String,
    /// How it is spread at restore.
    pub redistribution: Redistribution,
    /// The codec, as [`crate::codec::CODEC`].
    pub codec: String,
    /// The schema of an item.
    pub schema: Schema,
    /// The items, each encoded.
    pub items: Vec<Vec<u8>>,
}

/// What a keyed state keeps for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateKind {
    /// One value.
    Value,
    /// A list.
    List,
    /// A map.
    Map,
    /// One value, merged by a function.
    Reducing,
    /// An accumulator, from which a result is made.
    Aggregating,
    /// Timers.
    Timers,
}

/// The description of a keyed state, stored beside its content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyedStateMeta {
    /// The name that the operator gave it.
    pub name: String,
    /// What it keeps.
    pub kind: StateKind,
    /// The codec, as [`crate::codec::CODEC`].
    pub codec: String,
    /// The schema of a key.
    pub key: Schema,
    /// The schema of what is kept for a key.
    pub value: Schema,
}

/// Where a block lies: entries of one state and one key group, key and value after each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockRef {
    /// The index of the state in [`KeyedSnapshot::states`].
    pub state: u16,
    /// The key group.
    pub group: KeyGroup,
    /// The first byte.
    pub offset: u64,
    /// The length in bytes.
    pub len: u32,
    /// CRC-32 of the bytes.
    pub crc: u32,
}

/// Where the bytes of blocks are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum BlockData {
    /// Here: they are few.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// In a file of this name in the checkpoint's folder.
    File {
        /// The file's name.
        name: String,
        /// Its length in bytes.
        bytes: u64,
    },
}

/// The keyed state of one operator of one subtask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyedSnapshot {
    /// The maximum parallelism that the key groups were computed with.
    pub max_parallelism: u32,
    /// The key groups of the subtask.
    pub groups: KeyGroupRange,
    /// The states.
    pub states: Vec<KeyedStateMeta>,
    /// The blocks.
    pub blocks: Vec<BlockRef>,
    /// Their bytes.
    pub data: BlockData,
}

/// The state of one operator of one subtask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorSnapshot {
    /// The operator.
    pub operator: OperatorId,
    /// Its name, for messages.
    pub name: String,
    /// Its list states.
    pub lists: Vec<ListStateSnapshot>,
    /// Its keyed state.
    pub keyed: Option<KeyedSnapshot>,
}

impl OperatorSnapshot {
    /// Whether there is nothing to restore.
    pub fn is_empty(&self) -> bool {
        self.lists.iter().all(|list| list.items.is_empty()) && self.keyed.as_ref().is_none_or(|keyed| keyed.blocks.is_empty())
    }
}

/// The state of one subtask.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SubtaskSnapshot {
    /// Its operators, in the order of the chain.
    pub operators: Vec<OperatorSnapshot>,
    /// Whether the subtask had come to the end of its input and finished its operators.
    pub finished: bool,
}

impl SubtaskSnapshot {
    /// The bytes of state.
    pub fn bytes(&self) -> u64 {
        let of_lists =
            |operator: &OperatorSnapshot| -> u64 { operator.lists.iter().flat_map(|list| &list.items).map(|item| item.len() as u64).sum() };
        let of_keyed = |operator: &OperatorSnapshot| match operator.keyed.as_ref().map(|keyed| &keyed.data) {
            Some(BlockData::Inline(bytes)) => bytes.len() as u64,
            Some(BlockData::File { bytes, .. }) => *bytes,
            None => 0,
        };
        self.operators.iter().map(|operator| of_lists(operator) + of_keyed(operator)).sum()
    }
}
