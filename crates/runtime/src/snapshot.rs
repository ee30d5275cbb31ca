//! A task's part in a checkpoint: gathers what operators write, stores it in the background, acknowledges.

use crate::{env::TaskEnv, upload::Upload};
use flott_core::{
    BoxError,
    id::{AttemptId, CheckpointId},
    key_group::KeyGroup,
    operator::SnapshotWriter,
    snapshot::{BlockData, BlockRef, KeyedSnapshot, KeyedStateMeta, ListStateSnapshot, OperatorSnapshot, SubtaskSnapshot},
};
use flott_rpc::task::{Barrier, SubtaskCheckpointStats, TaskReport};
use std::time::Duration;

/// Bytes that are gathered before they are handed to the background.
const UPLOAD_CHUNK_BYTES: usize = 1 << 20;

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
}

/// What one operator wrote.
pub(crate) struct OperatorPart {
    template: OperatorSnapshot,
    max_parallelism: u32,
    groups: flott_core::key_group::KeyGroupRange,
    keyed: KeyedPart,
}

impl OperatorPart {
    pub(crate) fn new(info: &flott_core::context::OperatorInfo) -> Self {
        OperatorPart {
            template: OperatorSnapshot { operator: info.id, name: info.name.clone(), lists: Vec::new(), keyed: None },
            max_parallelism: info.max_parallelism,
            groups: info.key_groups(),
            keyed: KeyedPart { states: Vec::new(), blocks: Vec::new(), waiting: Vec::new(), waiting_bytes: 0, bytes: 0, upload: None },
        }
    }

    /// Hands gathered bytes to the background if they are many.
    fn hand_over(&mut self, barrier: &Barrier, attempt: AttemptId, env: &TaskEnv, least: usize) {
        if self.keyed.waiting_bytes < least.max(1) {
            return;
        }
        let hint = format!("{}-{}-{}", attempt.subtask.vertex, attempt.subtask.index, self.template.operator);
        let upload = self.keyed.upload.get_or_insert_with(|| Upload::start(env, barrier, hint));
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
        let crc = flott_storage::block_crc(&entries);
        self.keyed.blocks.push(BlockRef { state, group, offset: self.keyed.bytes, len: entries.len() as u32, crc });
        self.keyed.bytes += entries.len() as u64;
        self.keyed.waiting_bytes += entries.len();
        self.keyed.waiting.push(entries);
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
    pub(crate) fn hand_over(&mut self, attempt: AttemptId, env: &TaskEnv) {
        for part in &mut self.parts {
            part.hand_over(&self.barrier, attempt, env, UPLOAD_CHUNK_BYTES);
        }
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
                    None => BlockData::Inline(part.keyed.waiting.concat()),
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
