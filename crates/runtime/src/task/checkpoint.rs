//! A task's part in checkpoints.

use super::{Phase, Result, Task};
use crate::{
    aligner::AlignerAction,
    chain::Running,
    element::StreamElement,
    snapshot::{OperatorPart, PendingSnapshot},
};
use flott_core::{id::CheckpointId, operator::SnapshotProgress};
use flott_rpc::task::{Barrier, SnapshotKind, SubtaskCheckpointStats, TaskReport};

/// Entries that are written between two batches: some hundred microseconds.
const STEP_ENTRIES: usize = 4096;

impl Task {
    pub(super) fn align(&mut self, actions: Vec<AlignerAction>) -> Result<()> {
        for action in actions {
            match action {
                AlignerAction::Snapshot(barrier) => self.take_snapshot(barrier)?,
                AlignerAction::GiveUp(checkpoint) => {
                    let reason = "the barrier of a newer checkpoint came first".to_owned();
                    self.report(TaskReport::CheckpointDeclined { checkpoint, reason });
                }
            }
        }
        Ok(())
    }

    fn take_snapshot(&mut self, barrier: Barrier) -> Result<()> {
        // Two at once happens only when a savepoint overtakes a checkpoint that is still being written.
        while self.snapshot.is_some() {
            self.step_snapshot(STEP_ENTRIES)?;
        }
        let started = self.env.clock.monotonic();
        let alignment_us = self.take_alignment(started);
        let drains = matches!(barrier.kind, SnapshotKind::StopWithSavepoint { drain: true, .. });
        let checkpoint = barrier.checkpoint;
        if drains && self.gate.is_none() && self.phase == Phase::Reading {
            self.end_of_input()?;
            self.drained_for = Some(checkpoint);
        }
        let mut pending = PendingSnapshot {
            parts: self.chain.nodes.iter().map(|node| OperatorPart::new(&node.info, &self.blocks)).collect(),
            unfinished: Vec::new(),
            finished: self.phase == Phase::Ended,
            started,
            stats: SubtaskCheckpointStats { alignment_us, ..SubtaskCheckpointStats::default() },
            barrier: barrier.clone(),
        };
        if let Err(reason) = self.snapshot_operators(&mut pending) {
            self.report(TaskReport::CheckpointDeclined { checkpoint, reason });
            return Ok(());
        }
        self.chain.control(&StreamElement::Barrier(barrier));
        if pending.finished {
            self.finished_in = self.finished_in.or(Some(checkpoint));
        }
        if pending.barrier.kind.stops() {
            self.stopping_with = Some(checkpoint);
            if self.gate.is_none() && self.phase == Phase::Reading {
                self.phase = Phase::Suspended(checkpoint);
            }
        }
        pending.stats.sync_us = self.env.clock.monotonic().saturating_sub(started).as_micros() as u64;
        self.snapshot = Some(pending);
        self.acknowledge_if_done();
        Ok(())
    }

    /// Lets every operator take its state. An error declines the checkpoint and leaves the task as it was.
    fn snapshot_operators(&mut self, pending: &mut PendingSnapshot) -> Result<(), String> {
        let checkpoint = pending.checkpoint();
        for index in 0..self.chain.nodes.len() {
            let part = &mut pending.parts[index];
            let result = match &self.chain.nodes[index].running {
                Running::Source(_) => self.chain.source(|source, _| source.snapshot(checkpoint, part).map(|()| SnapshotProgress::Done)),
                Running::Operator(_) => self.chain.operator(index, |operator, _| operator.snapshot(checkpoint, part)),
            };
            match result {
                Ok(SnapshotProgress::Done) => {}
                Ok(SnapshotProgress::More) => pending.unfinished.push(index),
                Err(error) => {
                    self.cancel_operators(&pending.unfinished);
                    return Err(format!("operator `{}` cannot store its state: {error}", self.chain.nodes[index].info.name));
                }
            }
        }
        Ok(())
    }

    /// Between two batches: writes a little more of the snapshot under way, unless storage is too far behind. What is about to
    /// change is written in any case.
    pub(super) fn go_on_with_snapshot(&mut self) -> Result<()> {
        let behind = self.snapshot.as_ref().is_some_and(PendingSnapshot::is_behind);
        self.step_snapshot(if behind { 0 } else { STEP_ENTRIES })
    }

    /// Writes about so many entries of the snapshot under way.
    fn step_snapshot(&mut self, entries: usize) -> Result<()> {
        let Some(mut pending) = self.snapshot.take() else { return Ok(()) };
        if let Some(index) = pending.unfinished.last().copied() {
            let part = &mut pending.parts[index];
            match self.chain.operator(index, |operator, _| operator.snapshot_step(entries, part)) {
                Ok(SnapshotProgress::More) => {}
                Ok(SnapshotProgress::Done) => {
                    pending.unfinished.pop();
                }
                Err(error) => {
                    self.chain.at_work.clear();
                    let checkpoint = pending.checkpoint();
                    let reason = format!("operator `{}` cannot store its state: {error}", self.chain.nodes[index].info.name);
                    self.cancel_operators(&pending.unfinished);
                    pending.abandon();
                    self.report(TaskReport::CheckpointDeclined { checkpoint, reason });
                    return Ok(());
                }
            }
            pending.hand_over(self.attempt, &self.env, self.graph.settings.checkpoints.inline_threshold_bytes);
        }
        self.snapshot = Some(pending);
        self.acknowledge_if_done();
        Ok(())
    }

    fn acknowledge_if_done(&mut self) {
        if self.snapshot.as_ref().is_some_and(|pending| pending.unfinished.is_empty())
            && let Some(pending) = self.snapshot.take()
        {
            pending.acknowledge(self.attempt, &self.env, self.graph.settings.checkpoints.inline_threshold_bytes);
        }
    }

    fn cancel_operators(&mut self, unfinished: &[usize]) {
        for index in unfinished {
            if let Running::Operator(operator) = &mut self.chain.nodes[*index].running {
                operator.snapshot_cancel();
            }
        }
    }

    pub(super) fn checkpoint_completed(&mut self, checkpoint: CheckpointId) -> Result<()> {
        for index in 0..self.chain.nodes.len() {
            match &self.chain.nodes[index].running {
                Running::Source(_) => self.chain.source(|source, _| source.checkpoint_completed(checkpoint))?,
                Running::Operator(_) => self.chain.operator(index, |operator, _| operator.checkpoint_completed(checkpoint))?,
            }
        }
        let finished = self.finished_in.is_some_and(|first| first <= checkpoint);
        let stopped = self.stopping_with == Some(checkpoint);
        self.settling |= finished || stopped;
        Ok(())
    }

    pub(super) fn checkpoint_aborted(&mut self, checkpoint: CheckpointId) -> Result<()> {
        self.aligner.aborted(checkpoint);
        if !self.aligner.is_aligning() {
            self.alignment_started = None;
        }
        if self.snapshot.as_ref().is_some_and(|pending| pending.checkpoint() == checkpoint)
            && let Some(pending) = self.snapshot.take()
        {
            self.cancel_operators(&pending.unfinished);
            pending.abandon();
        }
        for node in &mut self.chain.nodes {
            if let Running::Operator(operator) = &mut node.running {
                operator.checkpoint_aborted(checkpoint);
            }
        }
        if self.stopping_with == Some(checkpoint) {
            self.stopping_with = None;
        }
        if self.phase == Phase::Suspended(checkpoint) {
            self.phase = Phase::Reading;
        }
        if self.drained_for == Some(checkpoint) {
            // The end of input cannot be taken back, and the job must not pass for finished with the rest of it unread.
            return Err(format!(
                "the stop with savepoint {checkpoint} failed after event time had been driven to its end; reading starts again"
            )
            .into());
        }
        Ok(())
    }
}
