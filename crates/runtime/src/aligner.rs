//! Barrier alignment: a pure state machine.
//!
//! ```text
//!            first barrier of n                    last barrier of n: snapshot
//!   Idle ─────────────────────────▶ Aligning(n) ─────────────────────────────────▶ Idle
//!                                     │  ▲ barrier of a newer m: n is given up
//!                                     └──┘ abort of n: back to Idle, later barriers of n are ignored
//! ```
//! Exactly-once blocks the channels that have delivered the barrier until the last one has. Channels that are closed count
//! as delivered. A task whose inputs have all ended is triggered by the coordinator instead of by barriers.

use flott_core::id::CheckpointId;
use flott_graph::settings::CheckpointMode;
use flott_rpc::task::Barrier;

/// What the task has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlignerAction {
    /// All inputs stand at the barrier: take the snapshot.
    Snapshot(Barrier),
    /// A newer barrier came before this checkpoint's last one: it cannot be taken here any more.
    GiveUp(CheckpointId),
}

#[derive(Debug)]
struct Alignment {
    barrier: Barrier,
    delivered: Vec<bool>,
}

/// Aligns the barriers of a task's channels.
#[derive(Debug)]
pub struct Aligner {
    mode: CheckpointMode,
    closed: Vec<bool>,
    blocked: Vec<bool>,
    current: Option<Alignment>,
    /// The largest checkpoint that was taken, given up or aborted: barriers up to it are late.
    done: Option<CheckpointId>,
}

impl Aligner {
    /// For a task with `channels` inputs.
    pub fn new(channels: usize, mode: CheckpointMode) -> Self {
        Aligner { mode, closed: vec![false; channels], blocked: vec![false; channels], current: None, done: None }
    }

    /// Which channels must not be read.
    pub fn blocked(&self) -> &[bool] {
        &self.blocked
    }

    /// Whether a checkpoint is being aligned.
    pub fn is_aligning(&self) -> bool {
        self.current.is_some()
    }

    /// A barrier came on a channel.
    pub fn barrier(&mut self, channel: usize, barrier: Barrier) -> Vec<AlignerAction> {
        let mut actions = Vec::new();
        if !self.start(barrier, &mut actions) {
            return actions;
        }
        if let Some(current) = &mut self.current {
            current.delivered[channel] = true;
            self.blocked[channel] = self.mode == CheckpointMode::ExactlyOnce;
        }
        self.complete(&mut actions);
        actions
    }

    /// The coordinator asks for a snapshot, since all inputs have ended for it. Barriers of a channel whose end has not yet
    /// been read are waited for no longer than until that end.
    pub fn trigger(&mut self, barrier: Barrier) -> Vec<AlignerAction> {
        let mut actions = Vec::new();
        if self.start(barrier, &mut actions) {
            self.complete(&mut actions);
        }
        actions
    }

    /// A channel was closed: it delivers no barrier any more.
    pub fn closed(&mut self, channel: usize) -> Vec<AlignerAction> {
        self.closed[channel] = true;
        self.blocked[channel] = false;
        let mut actions = Vec::new();
        self.complete(&mut actions);
        actions
    }

    /// The coordinator has given a checkpoint up.
    pub fn aborted(&mut self, checkpoint: CheckpointId) {
        if self.current.as_ref().is_some_and(|current| current.barrier.checkpoint <= checkpoint) {
            self.release();
        }
        self.done = self.done.max(Some(checkpoint));
    }

    /// Makes `barrier` the current one. False if it is late.
    fn start(&mut self, barrier: Barrier, actions: &mut Vec<AlignerAction>) -> bool {
        if self.done.is_some_and(|done| barrier.checkpoint <= done) {
            return false;
        }
        if let Some(current) = &self.current {
            let at_work = current.barrier.checkpoint;
            if at_work == barrier.checkpoint {
                return true;
            }
            if at_work > barrier.checkpoint {
                return false;
            }
            actions.push(AlignerAction::GiveUp(at_work));
            self.done = self.done.max(Some(at_work));
            self.release();
        }
        self.current = Some(Alignment { barrier, delivered: vec![false; self.closed.len()] });
        true
    }

    fn complete(&mut self, actions: &mut Vec<AlignerAction>) {
        let Some(current) = &self.current else { return };
        if current.delivered.iter().zip(&self.closed).all(|(delivered, closed)| *delivered || *closed) {
            let barrier = current.barrier.clone();
            self.done = Some(barrier.checkpoint);
            self.release();
            actions.push(AlignerAction::Snapshot(barrier));
        }
    }

    fn release(&mut self) {
        self.current = None;
        self.blocked.fill(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_rpc::task::SnapshotKind;

    fn barrier(id: u64) -> Barrier {
        Barrier { checkpoint: CheckpointId(id), kind: SnapshotKind::Checkpoint }
    }

    #[test]
    fn channels_that_delivered_are_blocked_until_the_last_one_has() {
        let mut aligner = Aligner::new(3, CheckpointMode::ExactlyOnce);
        assert_eq!(aligner.barrier(1, barrier(1)), []);
        assert_eq!(aligner.blocked(), [false, true, false]);
        assert_eq!(aligner.barrier(0, barrier(1)), []);
        assert_eq!(aligner.barrier(2, barrier(1)), [AlignerAction::Snapshot(barrier(1))]);
        assert_eq!(aligner.blocked(), [false, false, false]);
    }

    #[test]
    fn at_least_once_blocks_nothing() {
        let mut aligner = Aligner::new(2, CheckpointMode::AtLeastOnce);
        aligner.barrier(0, barrier(1));
        assert_eq!(aligner.blocked(), [false, false]);
        assert_eq!(aligner.barrier(1, barrier(1)), [AlignerAction::Snapshot(barrier(1))]);
    }

    #[test]
    fn a_newer_barrier_gives_up_the_older_checkpoint() {
        let mut aligner = Aligner::new(2, CheckpointMode::ExactlyOnce);
        aligner.barrier(0, barrier(1));
        assert_eq!(aligner.barrier(1, barrier(2)), [AlignerAction::GiveUp(CheckpointId(1))]);
        assert_eq!(aligner.blocked(), [false, true]);
        assert_eq!(aligner.barrier(0, barrier(1)), []);
        assert_eq!(aligner.barrier(0, barrier(2)), [AlignerAction::Snapshot(barrier(2))]);
    }

    #[test]
    fn late_barriers_of_an_aborted_checkpoint_are_ignored() {
        let mut aligner = Aligner::new(2, CheckpointMode::ExactlyOnce);
        aligner.barrier(0, barrier(1));
        aligner.aborted(CheckpointId(1));
        assert_eq!(aligner.blocked(), [false, false]);
        assert_eq!(aligner.barrier(1, barrier(1)), []);
        assert!(!aligner.is_aligning());
    }

    #[test]
    fn a_closed_channel_counts_as_delivered() {
        let mut aligner = Aligner::new(2, CheckpointMode::ExactlyOnce);
        aligner.barrier(0, barrier(1));
        assert_eq!(aligner.closed(1), [AlignerAction::Snapshot(barrier(1))]);
        assert_eq!(aligner.barrier(0, barrier(2)), [AlignerAction::Snapshot(barrier(2))]);
    }

    #[test]
    fn a_trigger_waits_for_channels_whose_end_was_not_read_yet() {
        let mut aligner = Aligner::new(2, CheckpointMode::ExactlyOnce);
        aligner.closed(0);
        assert_eq!(aligner.trigger(barrier(4)), []);
        assert_eq!(aligner.closed(1), [AlignerAction::Snapshot(barrier(4))]);
        assert_eq!(aligner.trigger(barrier(5)), [AlignerAction::Snapshot(barrier(5))]);
    }

    #[test]
    fn a_source_without_channels_snapshots_at_once() {
        let mut aligner = Aligner::new(0, CheckpointMode::ExactlyOnce);
        assert_eq!(aligner.trigger(barrier(1)), [AlignerAction::Snapshot(barrier(1))]);
    }
}
