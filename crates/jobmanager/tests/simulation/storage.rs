//! A toy storage with a register, and the check that every checkpoint is a consistent cut.

use crate::{
    job::{Shape, Split, numbers},
    source::Enumerator,
};
use flott_core::id::CheckpointId;
use flott_rpc::task::SnapshotKind;
use flott_storage::{CheckpointMetadata, CompletedCheckpoint};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

#[derive(Debug, Clone, Default)]
pub(crate) struct Storage {
    pub(crate) epoch: u64,
    /// The largest number that was begun.
    pub(crate) begun: Option<CheckpointId>,
    /// What is complete and kept, as the register has it.
    pub(crate) kept: BTreeMap<CheckpointId, Arc<CheckpointMetadata>>,
    pub(crate) savepoints: BTreeMap<CheckpointId, Arc<CheckpointMetadata>>,
    last: Option<CheckpointId>,
    asked: BTreeMap<CheckpointId, Arc<CheckpointMetadata>>,
    discarded: BTreeSet<CheckpointId>,
    pub(crate) completed: u64,
}

impl Storage {
    pub(crate) fn new() -> Self {
        Storage { epoch: 1, ..Storage::default() }
    }

    pub(crate) fn begin(&mut self, checkpoint: CheckpointId) {
        assert!(self.begun < Some(checkpoint), "checkpoint {checkpoint} after {:?}", self.begun);
        self.begun = Some(checkpoint);
    }

    /// Checks what is to be complete.
    pub(crate) fn ask(&mut self, metadata: &Arc<CheckpointMetadata>, shape: &Shape, totals: &[u64]) {
        let before = self.asked.insert(metadata.checkpoint, metadata.clone());
        assert!(before.is_none_or(|before| before == *metadata), "asked again with another content");
        assert!(!self.discarded.contains(&metadata.checkpoint), "{} was discarded", metadata.checkpoint);
        check_cut(metadata, shape, totals);
    }

    pub(crate) fn complete(&mut self, metadata: &Arc<CheckpointMetadata>, kind: &SnapshotKind) -> CompletedCheckpoint {
        let checkpoint = metadata.checkpoint;
        assert_eq!(metadata.epoch, self.epoch);
        if matches!(kind, SnapshotKind::Savepoint { .. }) {
            self.savepoints.insert(checkpoint, metadata.clone());
        } else if self.last != Some(checkpoint) {
            assert!(self.last < Some(checkpoint), "the register goes back from {:?} to {checkpoint}", self.last);
            self.last = Some(checkpoint);
            self.kept.insert(checkpoint, metadata.clone());
            self.completed += 1;
        }
        CompletedCheckpoint {
            job: metadata.job,
            epoch: metadata.epoch,
            checkpoint,
            kind: metadata.kind,
            folder: format!("chk-{checkpoint}"),
            completed_at_ms: metadata.completed_at_ms,
            bytes: 1,
            metadata_crc: 0,
            owner: None,
        }
    }

    pub(crate) fn discard(&mut self, checkpoint: CheckpointId) {
        assert!(
            !self.kept.contains_key(&checkpoint) && !self.savepoints.contains_key(&checkpoint),
            "complete checkpoint {checkpoint} discarded"
        );
        self.discarded.insert(checkpoint);
    }

    pub(crate) fn retain(&mut self, keep: u32) {
        while self.kept.len() > keep as usize {
            self.kept.pop_first();
        }
    }
}

/// What a checkpoint has counted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cut {
    /// Of each vertex, the records that it has seen.
    pub(crate) seen: Vec<u64>,
}

pub(crate) fn cut(metadata: &CheckpointMetadata, shape: &Shape) -> (Cut, Vec<u64>) {
    let (mut seen, mut left) = (vec![0; shape.vertices], vec![0; shape.vertices]);
    assert_eq!(metadata.operators.len(), shape.vertices);
    for (vertex, operator) in metadata.operators.iter().enumerate() {
        assert_eq!(operator.subtasks.len(), operator.parallelism as usize, "each subtask once");
        assert_eq!(operator.coordinator.is_some(), shape.is_source(vertex));
        left[vertex] += operator.coordinator.as_deref().map_or(0, Enumerator::left_in);
        for list in operator.subtasks.values().flat_map(|subtask| &subtask.snapshot.lists) {
            match list.name.as_str() {
                "count" => seen[vertex] += list.items.iter().map(|item| numbers(item)[0]).sum::<u64>(),
                "splits" => left[vertex] += list.items.iter().map(|item| Split::decode(item).left()).sum::<u64>(),
                _ => {}
            }
        }
    }
    (Cut { seen }, left)
}

fn check_cut(metadata: &CheckpointMetadata, shape: &Shape, totals: &[u64]) {
    let (cut, left) = cut(metadata, shape);
    for vertex in 0..shape.vertices {
        let sent: u64 =
            (0..shape.vertices).filter(|s| shape.is_source(*s)).map(|source| cut.seen[source] * shape.paths(source, vertex)).sum();
        assert_eq!(cut.seen[vertex], sent, "checkpoint {} is no consistent cut at vertex {vertex}", metadata.checkpoint);
        if shape.is_source(vertex) {
            let here = cut.seen[vertex] + left[vertex];
            assert_eq!(
                here, totals[vertex],
                "checkpoint {} has {here} of {} records of source {vertex}",
                metadata.checkpoint, totals[vertex]
            );
        }
    }
}
