//! Key groups: the unit in which keyed state moves when a job is rescaled.

use crate::id::CheckpointId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest maximum parallelism, as in Flink: key groups are counted in 15 bits.
pub const UPPER_BOUND_MAX_PARALLELISM: u32 = 1 << 15;

/// The number of a key group, from 0 to maximum parallelism - 1.
pub type KeyGroup = u16;

/// The key group of a key whose [`key_hash`](crate::key_hash::key_hash) is `hash`.
///
/// Uses the upper 32 bits, scaled to `max_parallelism` by a multiplication; tables inside a group use the lower 32 bits,
/// or all keys of a group would crowd the same buckets. Part of the savepoint format: never changes.
#[inline]
pub fn key_group_of(hash: u64, max_parallelism: u32) -> KeyGroup {
    (((hash >> 32) * u64::from(max_parallelism)) >> 32) as KeyGroup
}

/// The subtask, of `parallelism`, that owns `group`. Flink's rule.
#[inline]
pub fn subtask_of_group(group: KeyGroup, max_parallelism: u32, parallelism: u32) -> u32 {
    u32::from(group) * parallelism / max_parallelism
}

/// The maximum parallelism of an operator that was given none: Flink's rule, `parallelism * 1.5` rounded up to a power of
/// two, at least 128 and at most 32768.
pub fn default_max_parallelism(parallelism: u32) -> u32 {
    let wanted = u64::from(parallelism) + u64::from(parallelism) / 2;
    (wanted.next_power_of_two().clamp(128, u64::from(UPPER_BOUND_MAX_PARALLELISM))) as u32
}

/// A run of key groups: those of one subtask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyGroupRange {
    /// The first group.
    pub start: u32,
    /// One behind the last.
    pub end: u32,
}

impl KeyGroupRange {
    /// The groups of subtask `index` of `parallelism`: those that [`subtask_of_group`] maps to it.
    pub fn of_subtask(index: u32, parallelism: u32, max_parallelism: u32) -> Self {
        let first = |index: u32| (u64::from(index) * u64::from(max_parallelism)).div_ceil(u64::from(parallelism)) as u32;
        KeyGroupRange { start: first(index), end: first(index + 1) }
    }

    /// Whether `group` is one of these.
    pub fn contains(&self, group: KeyGroup) -> bool {
        (self.start..self.end).contains(&u32::from(group))
    }

    /// The number of groups.
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether there are none: more subtasks than key groups.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }
}

impl fmt::Display for KeyGroupRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// A snapshot was taken with another maximum parallelism than the operator has now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "checkpoint {checkpoint} holds the state of operator `{operator}` in {stored} key groups, but the operator now has a maximum \
     parallelism of {configured}; it cannot change over the life of the state: set `.max_parallelism({stored})` on the operator"
)]
pub struct MaxParallelismChanged {
    /// The snapshot.
    pub checkpoint: CheckpointId,
    /// The operator's name.
    pub operator: String,
    /// The maximum parallelism at the time of the snapshot.
    pub stored: u32,
    /// The one of the job that is to be restored.
    pub configured: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_group_once_and_agree_with_the_owner() {
        for max in [1u32, 7, 128, 1000, 32768] {
            for parallelism in [1u32, 2, 3, 7, 100, 128].into_iter().filter(|p| *p <= max) {
                let mut next = 0;
                for index in 0..parallelism {
                    let range = KeyGroupRange::of_subtask(index, parallelism, max);
                    assert_eq!(range.start, next);
                    next = range.end;
                    for group in range.start..range.end {
                        assert_eq!(subtask_of_group(group as u16, max, parallelism), index);
                    }
                }
                assert_eq!(next, max);
            }
        }
    }

    #[test]
    fn default_max_parallelism_is_flinks() {
        let expected = [(1, 128), (85, 128), (86, 256), (200, 512), (30000, 32768)];
        for (parallelism, max) in expected {
            assert_eq!(default_max_parallelism(parallelism), max, "parallelism {parallelism}");
        }
    }

    #[test]
    fn groups_use_the_upper_half_of_the_hash() {
        assert_eq!(key_group_of(0, 128), 0);
        assert_eq!(key_group_of(u64::MAX, 128), 127);
        assert_eq!(key_group_of(u64::from(u32::MAX), 128), 0);
        assert_eq!(key_group_of(1 << 63, 128), 64);
    }
}
