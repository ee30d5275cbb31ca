//! A task's part in a checkpoint: gathers what operators write, stores it in the background, acknowledges.

use crate::{env::TaskEnv, upload::Upload};
use flott_core::{
    BoxError,
    block_pool::BlockPool,
    id::{AttemptId, CheckpointId},
    key_group::KeyGroup,
    operator::SnapshotWriter,
    snapshot::{BlockData, BlockRef, KeyedSnapshot, KeyedStateMeta, ListStateSnapshot, OperatorSnapshot, SubtaskSnapshot},
};
use flott_rpc::task::{Barrier, SubtaskCheckpointStats, TaskReport};
use flott_storage::{block_crc, extended_block_crc};
use std::{sync::Arc, task::Waker, time::Duration};

/// Bytes that are gathered before they are handed to the background.
const UPLOAD_CHUNK_BYTES: usize = 1 << 20;
/// Blocks of one group that follow each other are made one, up to this many bytes: what they are found by takes memory in the
/// JobManager, and a reader holds one of them at a time.
const MERGED_BLOCK_BYTES: usize = 1 << 20;

/// Keyed state of one operator while it is being written.
struct KeyedPart {
    states: Vec<KeyedStateMeta>,
    blocks: Vec<BlockRef>,
    /// The bytes of blocks that were not handed to the background yet.
    waiting: Vec<Vec<u8>>,
    waiting_bytes: usize,
    /// Bytes of all blocks.
    bytes: u64,
    upload: Option<Upload>,
    pool: Arc<BlockPool>,
}

/// What one operator wrote.
pub(crate) struct OperatorPart {
    template: OperatorSnapshot,
    max_parallelism: u32,
    groups: flott_core::key_group::KeyGroupRange,
    keyed: KeyedPart,
}

impl OperatorPart {
    pub(crate) fn new(info: &flott_core::context::OperatorInfo, pool: &Arc<BlockPool>) -> Self {
        OperatorPart {
            template: OperatorSnapshot { operator: info.id, name: info.name.clone(), lists: Vec::new(), keyed: None },
            max_parallelism: info.max_parallelism,
            groups: info.key_groups(),
            keyed: KeyedPart {
                states: Vec::new(),
                blocks: Vec::new(),
                waiting: Vec::new(),
                waiting_bytes: 0,
                bytes: 0,
                upload: None,
                pool: pool.clone(),
            },
        }
    }

    /// Hands gathered bytes to the background if they are many.
    fn hand_over(&mut self, barrier: &Barrier, attempt: AttemptId, env: &TaskEnv, least: usize) {
        if self.keyed.waiting_bytes < least.max(1) {
            return;
        }
        let hint = format!("{}-{}-{}", attempt.subtask.vertex, attempt.subtask.index, self.template.operator);
        let upload = self.keyed.upload.get_or_insert_with(|| Upload::start(env, barrier, hint, self.keyed.pool.clone()));
        self.keyed.waiting_bytes = 0;
        upload.append(std::mem::take(&mut self.keyed.waiting));
    }
}

impl SnapshotWriter for OperatorPart {
    fn list(&mut self, list: ListStateSnapshot) {
        self.template.lists.push(list);
    }

    fn keyed_state(&mut self, meta: KeyedStateMeta) {
        self.keyed.states.push(meta);
    }

    fn keyed_block(&mut self, state: u16, group: KeyGroup, entries: Vec<u8>) {
        match self.keyed.blocks.last_mut() {
            Some(last) if (last.state, last.group) == (state, group) && last.len as usize + entries.len() <= MERGED_BLOCK_BYTES => {
                last.crc = extended_block_crc(last.crc, u64::from(last.len), &entries);
                last.len += entries.len() as u32;
            }
            _ => {
                let (offset, len) = (self.keyed.bytes, entries.len() as u32);
                self.keyed.blocks.push(BlockRef { state, group, offset, len, crc: block_crc(&entries) });
            }
        }
        self.keyed.bytes += entries.len() as u64;
        self.keyed.waiting_bytes += entries.len();
        self.keyed.waiting.push(entries);
    }

    fn pool(&self) -> Arc<BlockPool> {
        self.keyed.pool.clone()
    }
}

/// A snapshot that is being taken.
pub(crate) struct PendingSnapshot {
    pub(crate) barrier: Barrier,
    pub(crate) parts: Vec<OperatorPart>,
    /// The operators that still have something to write, as places in the chain.
    pub(crate) unfinished: Vec<usize>,
    /// Whether the task had come to the end of its input.
    pub(crate) finished: bool,
    pub(crate) started: Duration,
    pub(crate) stats: SubtaskCheckpointStats,
}

impl PendingSnapshot {
    pub(crate) fn checkpoint(&self) -> CheckpointId {
        self.barrier.checkpoint
    }

    /// Hands what was gathered to the background.
    pub(crate) fn hand_over(&mut self, attempt: AttemptId, env: &TaskEnv, inline_threshold: usize) {
        for part in &mut self.parts {
            part.hand_over(&self.barrier, attempt, env, UPLOAD_CHUNK_BYTES.max(inline_threshold.saturating_add(1)));
        }
    }

    /// Whether so much waits to be stored that nothing more should be written.
    pub(crate) fn is_behind(&self) -> bool {
        self.parts.iter().filter_map(|part| part.keyed.upload.as_ref()).any(Upload::is_behind)
    }

    /// Whether [`PendingSnapshot::is_behind`]; if so, `waker` is woken when that is over.
    pub(crate) fn is_behind_until(&self, waker: &Waker) -> bool {
        self.parts.iter().filter_map(|part| part.keyed.upload.as_ref()).any(|upload| upload.is_behind_until(waker))
    }

    /// Gives up what was stored.
    pub(crate) fn abandon(self) {
        for part in self.parts {
            if let Some(upload) = part.keyed.upload {
                upload.abandon();
            }
        }
    }

    /// Everything was written: stores the rest and acknowledges, at once if all of it is small, otherwise from the background.
    pub(crate) fn acknowledge(mut self, attempt: AttemptId, env: &TaskEnv, inline_threshold: usize) {
        for part in &mut self.parts {
            // What has begun to go to a file ends there; what is small stays inline.
            let least = if part.keyed.upload.is_some() { 0 } else { inline_threshold.saturating_add(1) };
            part.hand_over(&self.barrier, attempt, env, least);
        }
        let in_files = self.parts.iter().any(|part| part.keyed.upload.is_some());
        let (reporter, clock) = (env.reporter.clone(), env.clock.clone());
        let checkpoint = self.barrier.checkpoint;
        let finish = move || {
            let started = self.started;
            let mut stats = self.stats;
            let report = match self.complete() {
                Ok(snapshot) => {
                    stats.total_us = clock.monotonic().saturating_sub(started).as_micros() as u64;
                    stats.bytes = snapshot.bytes();
                    TaskReport::CheckpointAcknowledged { checkpoint, snapshot: Box::new(snapshot), stats }
                }
                Err(error) => TaskReport::CheckpointDeclined { checkpoint, reason: format!("cannot store state: {error}") },
            };
            reporter.report(attempt, report);
        };
        if in_files { env.background.run(Box::new(finish)) } else { finish() }
    }

    fn complete(self) -> Result<SubtaskSnapshot, BoxError> {
        let mut operators = Vec::with_capacity(self.parts.len());
        for part in self.parts {
            let mut operator = part.template;
            if !part.keyed.states.is_empty() {
                let data = match part.keyed.upload {
                    None => {
                        let bytes = part.keyed.waiting.concat();
                        part.keyed.waiting.into_iter().for_each(|block| part.keyed.pool.put(block));
                        BlockData::Inline(bytes)
                    }
                    Some(upload) => {
                        let (name, bytes) = upload.finish()?;
                        BlockData::File { name, bytes }
                    }
                };
                let (max_parallelism, groups) = (part.max_parallelism, part.groups);
                let (states, blocks) = (part.keyed.states, part.keyed.blocks);
                operator.keyed = Some(KeyedSnapshot { max_parallelism, groups, states, blocks, data });
            }
            operators.push(operator);
        }
        Ok(SubtaskSnapshot { operators, finished: self.finished })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::{context::OperatorInfo, id::OperatorId};

    #[test]
    fn blocks_of_a_group_that_follow_each_other_become_one() {
        let info =
            OperatorInfo { id: OperatorId(1), name: "counts".to_owned(), subtask: 0, parallelism: 1, max_parallelism: 128, attempt: 0 };
        let mut part = OperatorPart::new(&info, &Arc::default());
        let blocks: [(u16, KeyGroup, &[u8]); 5] = [(0, 7, b"one"), (0, 7, b"two"), (0, 8, b"three"), (1, 8, b"four"), (0, 7, b"five")];
        blocks.iter().for_each(|(state, group, bytes)| part.keyed_block(*state, *group, bytes.to_vec()));
        let found: Vec<_> = part.keyed.blocks.iter().map(|block| (block.state, block.group, block.offset, block.len)).collect();
        assert_eq!(found, [(0, 7, 0, 6), (0, 8, 6, 5), (1, 8, 11, 4), (0, 7, 15, 4)]);
        let all = part.keyed.waiting.concat();
        for block in &part.keyed.blocks {
            let bytes = &all[block.offset as usize..][..block.len as usize];
            assert_eq!(block.crc, block_crc(bytes));
        }
        part.keyed_block(0, 7, vec![0; MERGED_BLOCK_BYTES]);
        assert_eq!(part.keyed.blocks.len(), 5, "a block has a bound");
    }
}
