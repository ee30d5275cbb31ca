//! The checkpoint coordinator: decides when a checkpoint is taken.
//!
//! ```text
//!  client asks ──▶ queue ─────────────┐
//!  interval over, min_pause over ─────┤   all tasks run, fewer than max_concurrent under way,
//!  a task finished before its barrier ┼─▶ no stop under way, none preparing          ──▶ PendingCheckpoint
//!  all input has ended ───────────────┘
//! ```
//! Clients come first, then the end of input, then the interval. Clients and the end of input wait for neither interval nor
//! min_pause. A stop with savepoint waits until nothing else is under way, and nothing is begun until it has succeeded or failed.
//! So does the checkpoint with which a change of parallelism begins: whoever asked for others loses none to it.
//!
//! The end of input: tasks that have come to their end wait for a checkpoint with their final state, to commit and finish. It is
//! taken as soon as all running tasks have; where no interval is set, as soon as all of a region have. What becomes of a
//! checkpoint once it is triggered is in `outcome`.

use super::{
    CheckpointFailure, CompletedCheckpoints,
    pending::{Cause, Participant, PendingCheckpoint, Phase, Wanted},
    savepoint,
};
use crate::{
    event::{JobAction, JobNote, Now},
    execution_graph::ExecutionGraph,
    restore::RestoredSnapshot,
    source::SourceCoordinator,
};
use flott_core::{
    context::RuntimeMode,
    id::{AttemptId, CheckpointId, JobId, VertexId},
};
use flott_graph::settings::{CheckpointSettings, JobSettings};
use flott_rpc::{
    client::{CheckpointCounts, JobReply, JobRequest, RequestId, SnapshotTaken},
    task::{Barrier, EnumeratorCommand, SnapshotKind, TaskCommand},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// What the coordinator decides by, and where its decisions go.
pub(crate) struct Context<'a> {
    pub(crate) now: Now,
    pub(crate) graph: &'a mut ExecutionGraph,
    pub(crate) sources: &'a mut BTreeMap<VertexId, SourceCoordinator>,
    pub(crate) out: &'a mut Vec<JobAction>,
}

impl Context<'_> {
    pub(crate) fn reply(&mut self, request: RequestId, reply: JobReply) {
        self.out.push(JobAction::Reply(request, reply));
    }
}

/// The number of a request that nobody waits for.
pub(crate) const NOBODY: RequestId = 0;

/// A stop with savepoint.
#[derive(Debug, Clone)]
pub(crate) enum Stop {
    /// Its savepoint is under way.
    Pending,
    /// Its savepoint is complete, tasks end.
    Completed { request: RequestId, taken: SnapshotTaken },
}

/// The checkpoint with which a change of parallelism begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RescaleCheckpoint {
    /// To be taken.
    Wanted,
    /// Under way.
    Pending,
    /// Its end; nothing is begun before it was heard.
    Ended(Result<CheckpointId, String>),
}

/// Decides when checkpoints are taken, and what becomes of them.
#[derive(Debug, Clone)]
pub(crate) struct CheckpointCoordinator {
    pub(super) job: JobId,
    pub(super) epoch: u64,
    pub(super) settings: CheckpointSettings,
    batch: bool,
    next_id: u64,
    pub(super) pending: BTreeMap<CheckpointId, PendingCheckpoint>,
    pub(super) queue: VecDeque<(RequestId, Wanted)>,
    /// When the next periodic one is due; `None` while not all tasks run.
    next_periodic: Option<Duration>,
    /// A periodic one is taken again at once, because a task finished before its barrier.
    pub(super) again: bool,
    /// When the last one ended.
    pub(super) last_end: Option<Duration>,
    pub(super) failures_in_a_row: u32,
    /// Before that time no final checkpoint is tried again.
    pub(super) final_not_before: Option<Duration>,
    pub(super) stop: Option<Stop>,
    pub(super) rescale: Option<RescaleCheckpoint>,
    pub(super) completed: CompletedCheckpoints,
    /// Aborted ones that tasks may still answer.
    pub(super) aborted: VecDeque<(CheckpointId, SnapshotKind)>,
    /// Too many have failed: why the job must.
    pub(super) fatal: Option<String>,
}

impl CheckpointCoordinator {
    pub(crate) fn new(job: JobId, epoch: u64, settings: &JobSettings, restored: Option<RestoredSnapshot>) -> Self {
        CheckpointCoordinator {
            job,
            epoch,
            settings: settings.checkpoints.clone(),
            batch: settings.mode == RuntimeMode::Batch,
            next_id: restored.as_ref().map_or(1, |restored| restored.metadata.checkpoint.0.saturating_add(1)),
            pending: BTreeMap::new(),
            queue: VecDeque::new(),
            next_periodic: None,
            again: false,
            last_end: None,
            failures_in_a_row: 0,
            final_not_before: None,
            stop: None,
            rescale: None,
            completed: CompletedCheckpoints::new(restored),
            aborted: VecDeque::new(),
            fatal: None,
        }
    }

    /// Numbers new checkpoints above `last`.
    pub(crate) fn continue_above(&mut self, last: CheckpointId) {
        self.next_id = self.next_id.max(last.0.saturating_add(1));
    }

    pub(crate) fn completed(&self) -> &CompletedCheckpoints {
        &self.completed
    }

    pub(crate) fn counts(&self) -> CheckpointCounts {
        self.completed.counts(self.pending.len())
    }

    /// Whether the storage is about to decide on a checkpoint: what tasks are started from may change.
    pub(crate) fn is_finalizing(&self) -> bool {
        self.pending.values().any(PendingCheckpoint::is_finalizing)
    }

    /// Whether the savepoint with which the job stops is complete: tasks end without being at the end of their data.
    pub(crate) fn has_stopped(&self) -> bool {
        matches!(self.stop, Some(Stop::Completed { .. }))
    }

    /// The request of a stop whose savepoint is complete; the stop is over then.
    pub(crate) fn take_stopped(&mut self) -> Option<(RequestId, SnapshotTaken)> {
        match self.stop.take() {
            Some(Stop::Completed { request, taken }) => Some((request, taken)),
            other => {
                self.stop = other;
                None
            }
        }
    }

    /// Whether the job is being stopped with a savepoint, or is about to be.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.is_some() || self.queue.iter().any(|(_, wanted)| matches!(wanted, Wanted::Stop { .. }))
    }

    /// A checkpoint is to be taken for a change of parallelism.
    pub(crate) fn want_for_rescale(&mut self) {
        self.rescale.get_or_insert(RescaleCheckpoint::Wanted);
    }

    /// What became of the checkpoint for a change of parallelism, if it has ended.
    pub(crate) fn take_rescale_checkpoint(&mut self) -> Option<Result<CheckpointId, String>> {
        match self.rescale.take() {
            Some(RescaleCheckpoint::Ended(outcome)) => Some(outcome),
            other => {
                self.rescale = other;
                None
            }
        }
    }

    /// Whether the checkpoint for a change of parallelism has ended, and nobody has heard of it yet.
    pub(crate) fn rescale_checkpoint_ended(&self) -> bool {
        matches!(self.rescale, Some(RescaleCheckpoint::Ended(_)))
    }

    /// There will be no change of parallelism: its checkpoint is one like others, if it is under way.
    pub(crate) fn forget_rescale(&mut self) {
        self.rescale = None;
    }

    /// The savepoint that the job is being stopped with, if it is complete.
    pub(crate) fn stopped(&self) -> Option<&SnapshotTaken> {
        match &self.stop {
            Some(Stop::Completed { taken, .. }) => Some(taken),
            _ => None,
        }
    }

    /// The job was being stopped with a savepoint that is complete, under another leader; whoever asked for it cannot be answered.
    pub(crate) fn stopped_before(&mut self, checkpoint: CheckpointId, location: String) {
        self.stop = Some(Stop::Completed { request: NOBODY, taken: SnapshotTaken { checkpoint, location } });
    }

    /// A number for attempts that is above those of all leaders before, as far as anyone can tell.
    pub(crate) fn epoch_attempts(&self) -> u32 {
        ((self.epoch as u32) & 0xffff).saturating_mul(100)
    }

    /// Why the job must fail, if too many checkpoints have failed.
    pub(crate) fn take_fatal(&mut self) -> Option<String> {
        self.fatal.take()
    }

    /// A client asks for a snapshot.
    pub(crate) fn request(&mut self, request: RequestId, body: JobRequest, context: &mut Context<'_>) {
        let wanted = match body {
            JobRequest::TriggerCheckpoint => Wanted::Checkpoint,
            JobRequest::TriggerSavepoint { directory } => Wanted::Savepoint { directory },
            JobRequest::StopWithSavepoint { directory, drain } => Wanted::Stop { directory, drain },
            JobRequest::Cancel | JobRequest::Rescale(_) | JobRequest::RescaleTo { .. } => {
                return context.reply(request, JobReply::Accepted);
            }
        };
        if self.batch {
            return context.reply(request, JobReply::Refused("a job in batch mode takes no checkpoints and no savepoints".into()));
        }
        let stops = |wanted: &Wanted| matches!(wanted, Wanted::Stop { .. });
        if stops(&wanted) && (self.stop.is_some() || self.queue.iter().any(|(_, queued)| stops(queued))) {
            return context.reply(request, JobReply::Refused("the job is already being stopped with a savepoint".into()));
        }
        let next = CheckpointId(self.next_id);
        if let Wanted::Savepoint { directory } | Wanted::Stop { directory, .. } = &wanted
            && let Err(reason) = savepoint::folder(directory.as_deref(), &self.settings, self.job, self.epoch, next)
        {
            return context.reply(request, JobReply::Refused(reason));
        }
        self.queue.push_back((request, wanted));
    }

    /// When something becomes due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        let pending = self.pending.values().filter_map(|pending| match &pending.phase {
            Phase::Preparing { .. } | Phase::Triggered => Some(self.deadline(pending)),
            Phase::Acknowledged => None,
            Phase::Finalizing { retry_at, .. } => *retry_at,
        });
        // While others come first their end is the next event, not a time.
        let free = !self.is_busy() && self.queue.is_empty() && self.rescale.is_none();
        let periodic = self.next_periodic.filter(|_| free).map(|due| due.max(self.after_pause()));
        pending.chain(periodic).chain(self.final_not_before).min()
    }

    /// Does what has become due. `ready`: the job is neither restarting nor ending.
    pub(crate) fn advance(&mut self, ready: bool, context: &mut Context<'_>) {
        let now = context.now.monotonic;
        let expired: Vec<CheckpointId> = self
            .pending
            .values()
            .filter(|p| (p.is_preparing() || matches!(p.phase, Phase::Triggered)) && self.deadline(p) <= now)
            .map(|p| p.id)
            .collect();
        for id in expired {
            let failure = self.pending.get(&id).map(PendingCheckpoint::expired);
            self.abort(id, failure.unwrap_or(CheckpointFailure::JobEnded), context);
        }
        self.ask_again(context);
        if self.final_not_before.is_some_and(|time| time <= now) {
            self.final_not_before = None;
        }
        if !ready || !context.graph.all_running() {
            self.next_periodic = None;
            return;
        }
        if let Some(interval) = self.settings.interval.filter(|_| !self.batch) {
            self.next_periodic.get_or_insert(now.saturating_add(interval));
        }
        while self.fatal.is_none() && self.trigger_next(context) {}
    }

    /// Triggers the checkpoint whose turn it is, if any.
    fn trigger_next(&mut self, context: &mut Context<'_>) -> bool {
        let now = context.now.monotonic;
        if self.is_busy() {
            return false;
        }
        if let Some((_, wanted)) = self.queue.front() {
            if matches!(wanted, Wanted::Stop { .. }) && !self.pending.is_empty() {
                return false;
            }
            if let Some((request, wanted)) = self.queue.pop_front() {
                self.trigger(Cause::Client { request, wanted }, context);
            }
            return true;
        }
        if self.rescale == Some(RescaleCheckpoint::Wanted) {
            if !self.pending.is_empty() {
                return false;
            }
            self.rescale = Some(RescaleCheckpoint::Pending);
            self.trigger(Cause::Rescale, context);
            return true;
        }
        if self.final_not_before.is_none() && self.needs_final(context.graph) {
            self.trigger(Cause::Final, context);
            return true;
        }
        let due = self.next_periodic.is_some_and(|due| due <= now) && self.after_pause() <= now;
        if self.again || due {
            self.again = false;
            self.next_periodic = self.settings.interval.map(|interval| now.saturating_add(interval));
            self.trigger(Cause::Periodic, context);
            return true;
        }
        false
    }

    /// Whether what is under way leaves no room for another checkpoint.
    fn is_busy(&self) -> bool {
        self.stop.is_some()
            || matches!(self.rescale, Some(RescaleCheckpoint::Pending | RescaleCheckpoint::Ended(_)))
            || self.pending.len() >= self.max_concurrent()
            || self.pending.values().any(PendingCheckpoint::is_preparing)
    }

    fn max_concurrent(&self) -> usize {
        self.settings.max_concurrent.max(1) as usize
    }

    fn deadline(&self, pending: &PendingCheckpoint) -> Duration {
        pending.started.monotonic.saturating_add(self.settings.timeout)
    }

    fn after_pause(&self) -> Duration {
        self.last_end.map_or(Duration::ZERO, |end| end.saturating_add(self.settings.min_pause))
    }

    /// Whether tasks wait for a checkpoint with their final state, and none that may hold it is under way.
    fn needs_final(&self, graph: &ExecutionGraph) -> bool {
        let by_region = self.settings.interval.is_none() || self.batch;
        if !by_region && !graph.all_ended() {
            return false;
        }
        let waiting: Vec<AttemptId> = graph.waiting_for_their_end().collect();
        let covers =
            |pending: &PendingCheckpoint| !pending.kind.is_savepoint() && waiting.iter().all(|attempt| pending.may_cover(*attempt));
        !waiting.is_empty() && !self.pending.values().any(covers)
    }

    fn trigger(&mut self, cause: Cause, context: &mut Context<'_>) {
        let id = CheckpointId(self.next_id);
        let folder = |directory: &Option<String>| savepoint::folder(directory.as_deref(), &self.settings, self.job, self.epoch, id);
        let kind = match &cause {
            Cause::Client { wanted: Wanted::Savepoint { directory }, .. } => {
                folder(directory).map(|folder| SnapshotKind::Savepoint { folder })
            }
            Cause::Client { wanted: Wanted::Stop { directory, drain }, .. } => {
                folder(directory).map(|folder| SnapshotKind::StopWithSavepoint { folder, drain: *drain })
            }
            _ => Ok(SnapshotKind::Checkpoint),
        };
        let kind = match (kind, &cause) {
            (Ok(kind), _) => kind,
            (Err(reason), Cause::Client { request, .. }) => return context.reply(*request, JobReply::Refused(reason)),
            (Err(_), _) => return,
        };
        self.next_id += 1;
        if kind.stops() {
            self.stop = Some(Stop::Pending);
        }
        let running = context.graph.tasks().iter().filter_map(|task| task.running());
        let participants: BTreeMap<_, _> = running.map(|attempt| (attempt.subtask, Participant { attempt, acknowledged: None })).collect();
        context.out.push(JobAction::Note(JobNote::CheckpointTriggered { checkpoint: id, kind: kind.clone(), tasks: participants.len() }));
        context.out.push(JobAction::BeginCheckpoint { checkpoint: id, kind: kind.clone() });
        for source in context.sources.values_mut() {
            source.command(EnumeratorCommand::Snapshot { checkpoint: id }, context.out);
        }
        let enumerators = context.sources.keys().copied().collect();
        self.pending.insert(
            id,
            PendingCheckpoint {
                id,
                kind,
                cause,
                started: context.now,
                phase: Phase::Preparing { begun: false, enumerators },
                participants,
                answered: 0,
                enumerators: BTreeMap::new(),
            },
        );
    }

    /// Tasks may write the files of a checkpoint now.
    pub(crate) fn begun(&mut self, id: CheckpointId, outcome: Result<(), String>, context: &mut Context<'_>) {
        match (self.pending.get_mut(&id).map(|pending| &mut pending.phase), outcome) {
            (Some(Phase::Preparing { begun, .. }), Ok(())) => {
                *begun = true;
                self.send_barriers_if_prepared(id, context);
            }
            (Some(Phase::Preparing { .. }), Err(reason)) => self.abort(id, CheckpointFailure::Storage(reason), context),
            _ => {}
        }
    }

    /// An enumerator has given its state. What it says from now on waits until the barriers are on their way.
    pub(crate) fn enumerator_state(&mut self, vertex: VertexId, id: CheckpointId, state: Vec<u8>, context: &mut Context<'_>) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let Phase::Preparing { enumerators, .. } = &mut pending.phase else { return };
        if enumerators.remove(&vertex) {
            pending.enumerators.insert(vertex, state);
            if let Some(source) = context.sources.get_mut(&vertex) {
                source.hold(id);
            }
            self.send_barriers_if_prepared(id, context);
        }
    }

    fn send_barriers_if_prepared(&mut self, id: CheckpointId, context: &mut Context<'_>) {
        let Some(pending) = self.pending.get_mut(&id).filter(|pending| pending.is_prepared()) else { return };
        pending.phase = Phase::Triggered;
        let barrier = Barrier { checkpoint: id, kind: pending.kind.clone() };
        for attempt in context.graph.without_running_inputs() {
            context.out.push(JobAction::Send(attempt, TaskCommand::TriggerCheckpoint(barrier.clone())));
        }
        release_all(context);
    }
}

/// What enumerators have said since their snapshots reaches the readers.
pub(super) fn release_all(context: &mut Context<'_>) {
    for source in context.sources.values_mut() {
        source.release(context.graph, context.out);
    }
}
