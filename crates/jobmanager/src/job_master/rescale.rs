//! Changes of a running job's parallelism.
//!
//! ```text
//!  bounds changed, slots came ─▶ another parallelism could be had
//!     ─▶ all slots wanted are there, or it was waited for them long enough
//!     ─▶ a checkpoint, so that little is read twice; after several failures the latest complete one serves
//!     ─▶ all tasks end ─▶ a new execution graph ─▶ deployed from that checkpoint
//!  slots lost ─▶ a restart waits for slots ─▶ none came for a while, but there are enough for a smaller parallelism
//!     ─▶ all tasks end ─▶ a new execution graph ─▶ deployed from the latest checkpoint
//!  slots came, but too few for another parallelism
//!     ─▶ given back after a while; so many as suffice are waited for all at once
//! ```
//! Which parallelism is possible is the matter of [`requirements`]; that a restart finds the same state at another
//! parallelism that of [`restore`](crate::restore).

use super::JobMaster;
use crate::{
    event::{JobAction, JobNote, Now},
    requirements,
    restore::RestoredSnapshot,
};
use flott_core::{context::RuntimeMode, id::CheckpointId};
use flott_graph::{VertexTopology, settings::SchedulerMode};
use flott_rpc::{
    client::{JobReply, ParallelismBounds, RequestId, RescaleCause, RescaleState, RescaleSummary, RescaleTotals},
    status::JobStatus,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// How many changes are kept for display.
pub const HISTORY: usize = 10;
/// The time before a checkpoint for a change is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How far a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A checkpoint is taken for it, not before that time.
    Checkpoint { not_before: Duration },
    /// The old tasks are being ended.
    TakenDown,
    /// The new tasks start.
    Deployed,
}

#[derive(Debug, Clone)]
struct Change {
    phase: Phase,
    failed_checkpoints: u32,
    summary: RescaleSummary,
}

/// What the parallelism may be, and the change that is under way.
#[derive(Debug, Clone)]
pub(super) struct Rescaling {
    bounds: Vec<ParallelismBounds>,
    /// Somebody asked for the bounds, and there was no change since: it waits for no cooldown.
    asked: bool,
    /// Somebody asked the leader before for the bounds.
    taken_over: bool,
    /// Since when another parallelism could be had.
    possible_since: Option<Duration>,
    /// Since when a restart lacks slots.
    lacking_since: Option<Duration>,
    /// Since when slots are held that nothing runs in, nor could with any parallelism.
    useless_since: Option<Duration>,
    last_change: Option<Duration>,
    change: Option<Change>,
    /// Nobody tries this one again until something is different.
    given_up: Option<Vec<u32>>,
    /// Nothing is deployed yet: the graph is about to be another.
    pub(super) holds: bool,
    /// When something becomes due.
    pub(super) wake: Option<Duration>,
    number: u64,
    history: VecDeque<RescaleSummary>,
    totals: RescaleTotals,
}

impl Rescaling {
    pub(super) fn new(bounds: Vec<ParallelismBounds>) -> Self {
        Rescaling {
            bounds,
            asked: false,
            taken_over: false,
            possible_since: None,
            lacking_since: None,
            useless_since: None,
            last_change: None,
            change: None,
            given_up: None,
            holds: false,
            wake: None,
            number: 0,
            history: VecDeque::new(),
            totals: RescaleTotals::default(),
        }
    }

    pub(super) fn totals(&self) -> RescaleTotals {
        self.totals
    }

    pub(super) fn bounds(&self) -> &[ParallelismBounds] {
        &self.bounds
    }

    pub(super) fn history(&self) -> Vec<RescaleSummary> {
        self.history.iter().chain(self.change.as_ref().map(|change| &change.summary)).cloned().collect()
    }

    fn phase(&self) -> Option<Phase> {
        self.change.as_ref().map(|change| change.phase)
    }

    /// Ends the change that is under way.
    fn finish(&mut self, now: Now, state: RescaleState, out: &mut Vec<JobAction>) {
        let Some(Change { mut summary, .. }) = self.change.take() else { return };
        match &state {
            RescaleState::Completed => self.totals.completed += 1,
            RescaleState::Failed(_) => self.totals.failed += 1,
            _ => self.totals.superseded += 1,
        }
        summary.state = state;
        summary.ended = Some(now.wall);
        out.push(JobAction::Note(JobNote::Rescale(summary.clone())));
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(summary);
    }
}

impl JobMaster {
    /// A client wants another parallelism.
    pub(super) fn rescale_asked(&mut self, request: RequestId, bounds: Vec<ParallelismBounds>, out: &mut Vec<JobAction>) {
        let refused = if self.settings.mode == RuntimeMode::Batch {
            Err("a job in batch mode takes no checkpoints, and so keeps its parallelism".to_owned())
        } else if self.coordinator.is_stopping() {
            Err("the job is being stopped with a savepoint".to_owned())
        } else {
            requirements::check(self.graph.topology(), &bounds)
        };
        if let Err(reason) = refused {
            return out.push(JobAction::Reply(request, JobReply::Refused(reason)));
        }
        // Kept before anybody relies on it.
        out.push(JobAction::Note(JobNote::Required(bounds.clone())));
        out.push(JobAction::Reply(request, JobReply::Accepted));
        self.rescaling.bounds = bounds;
        self.rescaling.asked = true;
        self.rescaling.possible_since = None;
        self.rescaling.given_up = None;
        self.want_slots(out);
    }

    /// A client wants another parallelism, for all vertices or some.
    pub(super) fn rescale_asked_by_name(
        &mut self,
        request: RequestId,
        all: Option<ParallelismBounds>,
        vertices: &[(String, ParallelismBounds)],
        out: &mut Vec<JobAction>,
    ) {
        match requirements::resolve(self.graph.topology(), &self.rescaling.bounds, all, vertices) {
            Ok(bounds) => self.rescale_asked(request, bounds, out),
            Err(reason) => out.push(JobAction::Reply(request, JobReply::Refused(reason))),
        }
    }

    /// Makes known how many slots the job has use for.
    fn want_slots(&mut self, out: &mut Vec<JobAction>) {
        let withdrawn = self.slots.want(requirements::slots_wanted(self.graph.topology(), &self.rescaling.bounds));
        if withdrawn > 0 {
            out.push(JobAction::WithdrawSlots(withdrawn));
        }
        let surplus = self.slots.release_surplus();
        if !surplus.is_empty() {
            out.push(JobAction::ReleaseSlots(surplus));
        }
    }

    /// The job is another leader's, of whom somebody has asked these bounds. To be called before it begins.
    pub fn take_over_bounds(&mut self, bounds: Vec<ParallelismBounds>) {
        if requirements::check(self.graph.topology(), &bounds).is_ok() {
            self.rescaling.bounds = bounds;
            self.rescaling.taken_over = true;
            self.slots.want(requirements::slots_wanted(self.graph.topology(), &self.rescaling.bounds));
        }
    }

    /// The job is another leader's, who ran it with this parallelism.
    pub(super) fn take_over_parallelism(&mut self, parallelism: &[u32]) {
        let present = self.graph.topology();
        if parallelism.len() != present.vertices.len() || present.parallelism() == parallelism {
            return;
        }
        let topology = Arc::new(present.with_parallelism(parallelism));
        for (vertex, source) in &mut self.sources {
            source.rescale(topology.vertex(*vertex).parallelism);
        }
        let adaptive = self.settings.scheduler.mode != SchedulerMode::Default;
        let widened = self.rescaling.bounds.iter_mut().zip(parallelism.iter().copied()).filter(|_| !self.rescaling.taken_over);
        for (bounds, parallelism) in widened {
            *bounds = match adaptive {
                true => ParallelismBounds { lower: bounds.lower.min(parallelism), upper: bounds.upper.max(parallelism) },
                false => ParallelismBounds::exactly(parallelism),
            };
        }
        self.slots.rescale(&topology);
        self.slots.want(requirements::slots_wanted(&topology, &self.rescaling.bounds));
        self.graph = self.graph.rescaled(topology);
    }

    /// The parallelism with which this job has written a checkpoint; `None` if another job has.
    pub(super) fn parallelism_of(&self, checkpoint: &RestoredSnapshot) -> Option<Vec<u32>> {
        let of = |vertex: &VertexTopology| {
            let stored = vertex.operators.first().and_then(|head| checkpoint.metadata.operator(head.id)).map(|state| state.parallelism);
            stored.filter(|stored| (1..=vertex.parallelism_limit()).contains(stored)).unwrap_or(vertex.parallelism)
        };
        (checkpoint.metadata.job == self.id).then(|| self.graph.topology().vertices.iter().map(of).collect())
    }

    /// Does what has become due.
    pub(super) fn advance_rescale(&mut self, now: Now, out: &mut Vec<JobAction>) {
        self.rescaling.wake = None;
        self.rescaling.holds = false;
        if self.rescaling.phase() == Some(Phase::Deployed) && self.failover.is_quiet() && self.graph.all_running() {
            self.rescaling.finish(now, RescaleState::Completed, out);
        }
        if self.failover.is_quiet() {
            self.rescale_running(now, out);
        } else {
            self.rescale_restarting(now, out);
        }
        self.give_back_useless(now, out);
    }

    /// Gives back slots that nothing runs in and that are too few for another parallelism, so that another job can have them. Those that
    /// come later are of use only if there are enough at once.
    fn give_back_useless(&mut self, now: Now, out: &mut Vec<JobAction>) {
        let current = self.graph.topology().parallelism();
        let changes = matches!(self.rescaling.phase(), Some(Phase::Checkpoint { .. } | Phase::TakenDown));
        if changes || !self.slots.has_spare() || self.best_parallelism().is_some_and(|best| best != current) {
            self.rescaling.useless_since = None;
            return;
        }
        let due = self.rescaling.useless_since.get_or_insert(now.monotonic).saturating_add(self.slots.hold_time());
        if due > now.monotonic {
            return self.wake_for_rescale(due);
        }
        self.rescaling.useless_since = None;
        let (topology, bounds) = (self.graph.topology(), &self.rescaling.bounds);
        let useful = requirements::slots_for_another(topology, bounds, &current, self.slots.held());
        let (held, needed) = self.slots.give_back_spare(useful);
        out.push(JobAction::YieldSlots { held, needed });
    }

    /// The best parallelism that can be had with the slots that the job holds.
    pub(super) fn best_parallelism(&self) -> Option<Vec<u32>> {
        requirements::choose(self.graph.topology(), &self.rescaling.bounds, self.slots.held())
    }

    /// Whether there is nothing better, however many slots come.
    fn is_desired(&self, parallelism: &[u32]) -> bool {
        requirements::choose(self.graph.topology(), &self.rescaling.bounds, u32::MAX).is_some_and(|desired| desired == parallelism)
    }

    fn wake_for_rescale(&mut self, at: Duration) {
        self.rescaling.wake = Some(self.rescaling.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Whether tasks read no more input: it is too late for another parallelism.
    fn all_input_read(&self) -> bool {
        self.graph.tasks().iter().all(|task| task.is_finished() || task.end_of_data)
    }

    /// The job runs, or its tasks are on their way to.
    fn rescale_running(&mut self, now: Now, out: &mut Vec<JobAction>) {
        self.rescaling.lacking_since = None;
        let current = self.graph.topology().parallelism();
        let target = self.best_parallelism().filter(|best| *best != current && !self.all_input_read());
        match self.rescaling.phase() {
            Some(Phase::Checkpoint { not_before }) => {
                let outcome = self.coordinator.take_rescale_checkpoint();
                let Some(target) = target else {
                    self.coordinator.forget_rescale();
                    return self.rescaling.finish(now, RescaleState::Superseded, out);
                };
                if let Some(change) = &mut self.rescaling.change {
                    change.summary.to = target;
                }
                match outcome {
                    Some(Ok(checkpoint)) => self.take_down_for_rescale(now, Some(checkpoint), out),
                    Some(Err(reason)) => self.rescale_checkpoint_failed(now, reason, out),
                    None if not_before <= now.monotonic => self.coordinator.want_for_rescale(),
                    None => self.wake_for_rescale(not_before),
                }
            }
            Some(Phase::TakenDown | Phase::Deployed) => {}
            None => self.begin_change_if_due(now, target, out),
        }
    }

    fn begin_change_if_due(&mut self, now: Now, target: Option<Vec<u32>>, out: &mut Vec<JobAction>) {
        let Some(target) = target.filter(|target| self.rescaling.given_up.as_ref() != Some(target)) else {
            self.rescaling.possible_since = None;
            return;
        };
        if self.coordinator.is_stopping() || !self.graph.all_running() {
            return;
        }
        let settings = &self.settings.scheduler;
        let since = *self.rescaling.possible_since.get_or_insert(now.monotonic);
        let mut due = if self.is_desired(&target) { since } else { since.saturating_add(settings.executing_stabilization) };
        if let Some(last) = self.rescaling.last_change.filter(|_| !self.rescaling.asked) {
            due = due.max(last.saturating_add(settings.cooldown));
        }
        if due > now.monotonic {
            return self.wake_for_rescale(due);
        }
        let why = match self.rescaling.asked {
            true => (RescaleCause::Requirements, "other resource requirements"),
            false => (RescaleCause::Slots, "other slots are there"),
        };
        self.begin_change(now, why, target, Phase::Checkpoint { not_before: now.monotonic }, out);
        self.coordinator.want_for_rescale();
    }

    fn begin_change(&mut self, now: Now, (cause, reason): (RescaleCause, &str), to: Vec<u32>, phase: Phase, out: &mut Vec<JobAction>) {
        self.rescaling.number += 1;
        let summary = RescaleSummary {
            number: self.rescaling.number,
            reason: reason.to_owned(),
            cause,
            bounds: self.rescaling.bounds.clone(),
            from: self.graph.topology().parallelism(),
            to,
            checkpoint: None,
            started: now.wall,
            taken_down: None,
            ended: None,
            state: RescaleState::TakingCheckpoint,
        };
        out.push(JobAction::Note(JobNote::Rescale(summary.clone())));
        self.rescaling.change = Some(Change { phase, failed_checkpoints: 0, summary });
    }

    fn rescale_checkpoint_failed(&mut self, now: Now, reason: String, out: &mut Vec<JobAction>) {
        let Some(change) = &mut self.rescaling.change else { return };
        change.failed_checkpoints += 1;
        if change.failed_checkpoints < self.settings.scheduler.max_checkpoint_failures {
            let not_before = now.monotonic.saturating_add(RETRY_PAUSE);
            change.phase = Phase::Checkpoint { not_before };
            return self.wake_for_rescale(not_before);
        }
        if self.coordinator.completed().latest().is_some() {
            return self.take_down_for_rescale(now, None, out);
        }
        // Without any the job would begin again from nothing.
        self.rescaling.given_up = Some(change.summary.to.clone());
        let reason = format!("no checkpoint could be taken from which the job could go on with another parallelism: {reason}");
        self.rescaling.finish(now, RescaleState::Failed(reason), out);
    }

    /// Ends all tasks, to start them again with another parallelism.
    fn take_down_for_rescale(&mut self, now: Now, checkpoint: Option<CheckpointId>, out: &mut Vec<JobAction>) {
        let Some(change) = &mut self.rescaling.change else { return };
        change.phase = Phase::TakenDown;
        change.summary.state = RescaleState::Restarting;
        change.summary.taken_down = Some(now.wall);
        change.summary.checkpoint = checkpoint.or_else(|| self.coordinator.completed().latest().map(|latest| latest.metadata.checkpoint));
        out.push(JobAction::Note(JobNote::Rescale(change.summary.clone())));
        let first = self.status == JobStatus::Created;
        self.take_down(now, (0..self.graph.regions().len()).collect(), Duration::ZERO, out);
        if first {
            // Nothing of it is known yet to anybody.
            out.retain(|action| *action != JobAction::StatusChanged(JobStatus::Restarting));
            self.status = JobStatus::Created;
        }
        self.rescale_restarting(now, out);
    }

    /// Tasks are being started again, for whatever reason.
    fn rescale_restarting(&mut self, now: Now, out: &mut Vec<JobAction>) {
        // Its barriers went down with the tasks.
        _ = self.coordinator.take_rescale_checkpoint();
        self.coordinator.forget_rescale();
        self.rescaling.possible_since = self.rescaling.possible_since.filter(|_| self.never_deployed());
        let lacks = self.failover.incidents().iter().any(|incident| self.lacks_slots(incident));
        self.rescaling.lacking_since = self.rescaling.lacking_since.or(Some(now.monotonic)).filter(|_| lacks);
        let settled = self.graph.none_alive() && !self.coordinator.is_finalizing();
        let current = self.graph.topology().parallelism();
        let best = self.best_parallelism();
        if self.rescaling.phase() == Some(Phase::TakenDown) {
            self.rescaling.holds = true;
            if settled {
                // Slots may have come or gone since.
                self.rebuild(now, best.unwrap_or(current), out);
            }
            return;
        }
        let Some(best) = best else { return };
        let all: usize = self.failover.incidents().iter().map(|incident| incident.regions.len()).sum();
        let all_down = settled && all == self.graph.regions().len();
        let first = self.never_deployed() && self.settings.scheduler.mode != SchedulerMode::Default;
        if (best == current && !first) || !(lacks || all_down) || self.coordinator.is_finalizing() {
            return;
        }
        let stabilization = self.settings.scheduler.submission_stabilization;
        let due = if self.is_desired(&best) {
            now.monotonic
        } else if first {
            // The first slots that come are rarely all.
            self.rescaling.possible_since.get_or_insert(now.monotonic).saturating_add(stabilization)
        } else {
            self.rescaling.lacking_since.map_or(now.monotonic, |since| since.saturating_add(stabilization))
        };
        if due > now.monotonic {
            self.rescaling.holds = first;
            return self.wake_for_rescale(due);
        }
        if best == current {
            return;
        }
        let why = match (first, lacks) {
            (true, _) => (RescaleCause::Start, "the slots that are there at the start"),
            (_, true) => (RescaleCause::Failover, "slots are gone"),
            _ => (RescaleCause::Failover, "the job is started again"),
        };
        self.rescaling.finish(now, RescaleState::Superseded, out);
        self.begin_change(now, why, best, Phase::TakenDown, out);
        self.take_down_for_rescale(now, None, out);
    }

    fn never_deployed(&self) -> bool {
        !self.deployed
    }

    /// Nothing of the job runs any more: its graph becomes another.
    fn rebuild(&mut self, now: Now, target: Vec<u32>, out: &mut Vec<JobAction>) {
        if target != self.graph.topology().parallelism() {
            let topology = Arc::new(self.graph.topology().with_parallelism(&target));
            for (vertex, source) in &mut self.sources {
                source.rescale(topology.vertex(*vertex).parallelism);
            }
            self.slots.rescale(&topology);
            self.graph = self.graph.rescaled(topology);
            self.failover.rescaled(self.graph.regions().len(), now.monotonic);
            self.want_slots(out);
        }
        self.rescaling.holds = false;
        self.rescaling.asked = false;
        self.rescaling.possible_since = None;
        self.rescaling.last_change = Some(now.monotonic);
        if let Some(change) = &mut self.rescaling.change {
            change.phase = Phase::Deployed;
            change.summary.to = target;
        }
    }
}

#[cfg(test)]
mod tests;
