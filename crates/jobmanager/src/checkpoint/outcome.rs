//! What becomes of a checkpoint that was triggered: answers, completion, failure.
//!
//! ```text
//!  all acknowledged ─▶ CompleteCheckpoint ─▶ storage: complete ─▶ registered, older pending ones dropped, tasks and enumerators
//!                                                │                told, clients answered
//!                                                ├─ unknown ────▶ asked again until it is known
//!  declined, expired, enumerator failed ─┐       │
//!  a task failed or finished ────────────┼───────┴─ failed ─────▶ tasks told, files discarded, clients refused;
//!                                        └──────────────────────▶ too many in a row: the job fails
//! ```
//! One checkpoint is finalized at a time, in the order of their numbers, since the register only goes up.

use super::{
    CheckpointFailure,
    coordinator::{CheckpointCoordinator, Context, RescaleCheckpoint, Stop, release_all},
    metadata,
    pending::{Acknowledgement, Cause, PendingCheckpoint, Phase, Wanted},
};
use crate::{
    event::{CompletionOutcome, JobAction, JobNote},
    restore::RestoredSnapshot,
};
use flott_core::{
    id::{AttemptId, CheckpointId, VertexId},
    snapshot::{BlockData, OperatorSnapshot, SubtaskSnapshot},
};
use flott_rpc::{
    client::{CheckpointSummary, JobReply, SnapshotTaken},
    task::{SnapshotKind, SubtaskCheckpointStats, TaskCommand},
};
use flott_storage::CompletedCheckpoint;
use std::{sync::Arc, time::Duration};

/// How often a final checkpoint may fail in a row, beyond the failures that are tolerated: tasks wait for it, data would have to be
/// read again.
const FINAL_RETRIES: u32 = 3;
/// The time before a final checkpoint is tried again, and before the storage is asked again; doubled each time.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// The longest such time.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(30);
/// How many aborted checkpoints are remembered, for late answers.
const ABORTED_REMEMBERED: usize = 64;

fn pause(times: u32) -> Duration {
    RETRY_PAUSE.saturating_mul(1 << times.min(10)).min(RETRY_PAUSE_MAX)
}

impl CheckpointCoordinator {
    /// A task has stored its state.
    pub(crate) fn acknowledged(
        &mut self,
        attempt: AttemptId,
        id: CheckpointId,
        snapshot: SubtaskSnapshot,
        stats: SubtaskCheckpointStats,
        context: &mut Context<'_>,
    ) {
        let Some(pending) = self.pending.get_mut(&id) else { return self.acknowledged_late(id, context) };
        if pending.acknowledge(attempt, snapshot, stats) && pending.all_acknowledged() {
            pending.phase = Phase::Acknowledged;
            self.finalize_next(context);
        }
    }

    /// An answer to a checkpoint that was aborted: the files that came with it go, too.
    pub(crate) fn acknowledged_late(&mut self, id: CheckpointId, context: &mut Context<'_>) {
        if let Some((checkpoint, kind)) = self.aborted.iter().find(|(aborted, _)| *aborted == id) {
            context.out.push(JobAction::DiscardCheckpoint { checkpoint: *checkpoint, kind: kind.clone() });
        }
    }

    /// A task cannot take part.
    pub(crate) fn declined(&mut self, attempt: AttemptId, id: CheckpointId, reason: String, context: &mut Context<'_>) {
        if self.pending.get(&id).is_some_and(|pending| pending.waits_for(attempt)) {
            self.abort(id, CheckpointFailure::Declined { attempt, reason }, context);
        }
    }

    /// An enumerator cannot give its state.
    pub(crate) fn enumerator_refuses(&mut self, vertex: VertexId, id: CheckpointId, reason: String, context: &mut Context<'_>) {
        let awaited = |phase: &Phase| matches!(phase, Phase::Preparing { enumerators, .. } if enumerators.contains(&vertex));
        if self.pending.get(&id).is_some_and(|pending| awaited(&pending.phase)) {
            self.abort(id, CheckpointFailure::Enumerator { vertex, reason }, context);
        }
    }

    /// A task has finished; checkpoints that wait for it are taken again without it.
    pub(crate) fn task_finished(&mut self, attempt: AttemptId, context: &mut Context<'_>) {
        let waiting: Vec<CheckpointId> =
            self.pending.values().filter(|pending| pending.waits_for(attempt)).map(|pending| pending.id).collect();
        // From the last to the first, so that what is queued again keeps its order.
        for id in waiting.into_iter().rev() {
            self.abort(id, CheckpointFailure::TaskFinished(attempt), context);
        }
    }

    /// Hands the oldest checkpoint that all have acknowledged to the storage, if that is not busy with another.
    pub(super) fn finalize_next(&mut self, context: &mut Context<'_>) {
        while !self.is_finalizing() {
            let (job, epoch) = (self.job, self.epoch);
            let Some(pending) = self.pending.values_mut().find(|pending| matches!(pending.phase, Phase::Acknowledged)) else { return };
            let id = pending.id;
            match metadata::of(pending, job, epoch, context) {
                Ok(metadata) => {
                    let metadata = Arc::new(metadata);
                    let kind = pending.kind.clone();
                    pending.phase = Phase::Finalizing { metadata: metadata.clone(), unknown: 0, retry_at: None };
                    context.out.push(JobAction::CompleteCheckpoint { metadata, kind });
                }
                Err(reason) => self.abort(id, CheckpointFailure::Storage(reason), context),
            }
        }
    }

    /// The storage has answered.
    pub(crate) fn finalized(&mut self, id: CheckpointId, outcome: CompletionOutcome, context: &mut Context<'_>) {
        let Some(Phase::Finalizing { unknown, retry_at, .. }) = self.pending.get_mut(&id).map(|pending| &mut pending.phase) else { return };
        match outcome {
            CompletionOutcome::Complete(completed) => {
                if let Some(pending) = self.pending.remove(&id) {
                    self.complete(pending, completed, context);
                }
            }
            CompletionOutcome::Failed(reason) => self.fail(id, CheckpointFailure::Storage(reason), context),
            CompletionOutcome::Unknown(reason) => {
                let retry_in = pause(*unknown);
                *unknown += 1;
                *retry_at = Some(context.now.monotonic.saturating_add(retry_in));
                context.out.push(JobAction::Note(JobNote::CheckpointUnconfirmed { checkpoint: id, reason, retry_in }));
            }
        }
        self.finalize_next(context);
    }

    /// Asks the storage again where its answer was unknown and the pause is over.
    pub(super) fn ask_again(&mut self, context: &mut Context<'_>) {
        for pending in self.pending.values_mut() {
            if let Phase::Finalizing { metadata, retry_at, .. } = &mut pending.phase
                && retry_at.take_if(|time| *time <= context.now.monotonic).is_some()
            {
                context.out.push(JobAction::CompleteCheckpoint { metadata: metadata.clone(), kind: pending.kind.clone() });
            }
        }
    }

    fn complete(&mut self, pending: PendingCheckpoint, completed: CompletedCheckpoint, context: &mut Context<'_>) {
        let id = pending.id;
        self.last_end = Some(context.now.monotonic);
        let summary = summary(&pending, &completed, context);
        self.completed.count_completed(summary.clone());
        context.out.push(JobAction::Note(JobNote::CheckpointCompleted(summary)));
        let taken = SnapshotTaken { checkpoint: id, location: completed.folder.clone() };
        if matches!(pending.kind, SnapshotKind::Savepoint { .. }) {
            if let Cause::Client { request, .. } = pending.cause {
                context.reply(request, JobReply::Snapshot(taken));
            }
            return;
        }
        self.failures_in_a_row = 0;
        self.final_not_before = None;
        if let Phase::Finalizing { metadata, .. } = pending.phase {
            self.completed.register(RestoredSnapshot { metadata, location: completed.folder, owned: !pending.kind.is_savepoint() });
        }
        let older = self.pending.values().filter(|other| other.id < id && !other.kind.is_savepoint());
        for subsumed in older.map(|other| other.id).collect::<Vec<_>>() {
            self.abort(subsumed, CheckpointFailure::Subsumed(id), context);
        }
        for participant in pending.participants.into_values() {
            let Some(place) = context.graph.place_of_alive(participant.attempt) else { continue };
            let mut task = context.graph.task_mut(place);
            // Those that are being ended are told nothing: whoever comes after them starts from this checkpoint, and commits it.
            if task.running().is_none() {
                continue;
            }
            if let Some(Acknowledgement { finished: true, snapshot, .. }) = participant.acknowledged {
                task.released = true;
                task.final_snapshot = snapshot.map(without_files);
            }
            context.out.push(JobAction::Send(participant.attempt, TaskCommand::CheckpointCompleted(id)));
        }
        for source in context.sources.values_mut() {
            source.completed(id, context.out);
        }
        context.out.push(JobAction::RetainCheckpoints(self.settings.num_retained.max(1)));
        match pending.cause {
            // The client is answered when the tasks have ended.
            Cause::Client { request, wanted: Wanted::Stop { .. } } => self.stop = Some(Stop::Completed { request, taken }),
            Cause::Client { request, .. } => context.reply(request, JobReply::Snapshot(taken)),
            Cause::Rescale => self.end_rescale_checkpoint(Ok(id)),
            Cause::Periodic | Cause::Final => {}
        }
    }

    fn end_rescale_checkpoint(&mut self, outcome: Result<CheckpointId, String>) {
        // Unless nobody waits for it any more.
        if self.rescale == Some(RescaleCheckpoint::Pending) {
            self.rescale = Some(RescaleCheckpoint::Ended(outcome));
        }
    }

    /// Gives up a checkpoint, unless the storage is about to decide on it.
    pub(super) fn abort(&mut self, id: CheckpointId, failure: CheckpointFailure, context: &mut Context<'_>) {
        if self.pending.get(&id).is_some_and(|pending| !pending.is_finalizing()) {
            self.fail(id, failure, context);
        }
    }

    /// Gives up all checkpoints that the storage is not about to decide on.
    pub(crate) fn abort_all(&mut self, failure: &CheckpointFailure, context: &mut Context<'_>) {
        self.again = false;
        for id in self.pending.keys().copied().collect::<Vec<_>>() {
            self.abort(id, failure.clone(), context);
        }
    }

    fn fail(&mut self, id: CheckpointId, failure: CheckpointFailure, context: &mut Context<'_>) {
        let Some(pending) = self.pending.remove(&id) else { return };
        let now = context.now.monotonic;
        self.last_end = Some(now);
        let after = now.saturating_sub(pending.started.monotonic);
        context.out.push(JobAction::Note(JobNote::CheckpointFailed { checkpoint: id, reason: failure.clone(), after }));
        // Of one that another has overtaken the tasks need not be told: completing the later one completes it for them.
        if !pending.is_preparing() && !matches!(failure, CheckpointFailure::Subsumed(_)) {
            for participant in pending.participants.values() {
                let place = context.graph.place_of_alive(participant.attempt);
                if let Some(attempt) = place.and_then(|place| context.graph.task(place).running()) {
                    context.out.push(JobAction::Send(attempt, TaskCommand::CheckpointAborted(id)));
                }
            }
        }
        if pending.is_preparing() {
            release_all(context);
        }
        context.out.push(JobAction::DiscardCheckpoint { checkpoint: id, kind: pending.kind.clone() });
        if self.aborted.len() == ABORTED_REMEMBERED {
            self.aborted.pop_front();
        }
        self.aborted.push_back((id, pending.kind.clone()));
        if pending.kind.stops() {
            self.stop = None;
        }
        if matches!(failure, CheckpointFailure::TaskFinished(_)) {
            match pending.cause {
                Cause::Client { request, wanted } => self.queue.push_front((request, wanted)),
                Cause::Periodic => self.again = true,
                Cause::Rescale if self.rescale.is_some() => self.rescale = Some(RescaleCheckpoint::Wanted),
                Cause::Rescale | Cause::Final => {}
            }
            return;
        }
        if !matches!(failure, CheckpointFailure::Subsumed(_)) {
            self.completed.count_failed();
        }
        if let Cause::Client { request, .. } = &pending.cause {
            context.reply(*request, JobReply::Refused(format!("checkpoint {id} failed: {failure}")));
        }
        if matches!(pending.cause, Cause::Rescale) {
            // Who wants the change decides what follows.
            self.end_rescale_checkpoint(Err(format!("checkpoint {id} failed: {failure}")));
        } else if failure.counts() && !pending.kind.is_savepoint() {
            self.count_failure(&failure, context);
        }
    }

    fn count_failure(&mut self, failure: &CheckpointFailure, context: &mut Context<'_>) {
        self.failures_in_a_row += 1;
        let ending = context.graph.all_ended();
        let limit = self.settings.tolerable_failures.saturating_add(if ending { FINAL_RETRIES } else { 0 });
        if self.failures_in_a_row > limit {
            let count = std::mem::take(&mut self.failures_in_a_row);
            self.fatal = Some(format!(
                "{count} checkpoints failed in a row, {limit} are borne (`execution.checkpointing.tolerable-failed-checkpoints`); the last one: \
                 {failure}"
            ));
        } else {
            self.final_not_before = Some(context.now.monotonic.saturating_add(pause(self.failures_in_a_row - 1)));
        }
    }

    /// The job ends: what is under way is given up, what waits is refused.
    pub(crate) fn shut_down(&mut self, context: &mut Context<'_>) {
        self.abort_all(&CheckpointFailure::JobEnded, context);
        for (request, _) in std::mem::take(&mut self.queue) {
            context.reply(request, JobReply::Refused("the job has ended".into()));
        }
        self.fatal = None;
        self.rescale = None;
    }

    /// The job has ended although the storage has not spoken: whoever waits for it is told.
    pub(crate) fn give_up(&mut self, context: &mut Context<'_>) {
        for pending in std::mem::take(&mut self.pending).into_values() {
            if let Cause::Client { request, .. } = pending.cause {
                let reason =
                    format!("the job has ended before the storage said whether checkpoint {} is complete; look for it there", pending.id);
                context.reply(request, JobReply::Refused(reason));
            }
        }
    }
}

/// The final state of a task, as later checkpoints hold it: without keyed state in files, which lie in the folder of the checkpoint
/// that they were written for and go with it. Nothing needs it: the exchange before keyed state connects all with all, so that
/// its subtasks come to their end in the same checkpoint, and a vertex that has ended as a whole is not run again.
pub(crate) fn without_files(snapshot: Arc<SubtaskSnapshot>) -> Arc<SubtaskSnapshot> {
    let in_file = |operator: &OperatorSnapshot| operator.keyed.as_ref().is_some_and(|keyed| matches!(keyed.data, BlockData::File { .. }));
    if !snapshot.operators.iter().any(in_file) {
        return snapshot;
    }
    let mut snapshot = Arc::unwrap_or_clone(snapshot);
    snapshot.operators.iter_mut().filter(|operator| in_file(operator)).for_each(|operator| operator.keyed = None);
    Arc::new(snapshot)
}

fn summary(pending: &PendingCheckpoint, completed: &CompletedCheckpoint, context: &Context<'_>) -> CheckpointSummary {
    let answers = || pending.participants.values().filter_map(|participant| participant.acknowledged.as_ref());
    let longest =
        |of: fn(&SubtaskCheckpointStats) -> u64| Duration::from_micros(answers().map(|answer| of(&answer.stats)).max().unwrap_or(0));
    CheckpointSummary {
        checkpoint: pending.id,
        location: completed.folder.clone(),
        savepoint: pending.kind.is_savepoint(),
        duration: context.now.monotonic.saturating_sub(pending.started.monotonic),
        bytes: answers().map(|answer| answer.bytes).sum(),
        longest_sync: longest(|stats| stats.sync_us),
        longest_step: longest(|stats| stats.longest_step_us),
        longest_alignment: longest(|stats| stats.alignment_us),
        completed_at: context.now.wall,
    }
}
