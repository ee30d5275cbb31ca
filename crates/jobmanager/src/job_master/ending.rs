//! The end of a job.
//!
//! ```text
//!  finished, cancelled, failed ─▶ clients refused, pending checkpoints aborted, tasks cancelled
//!     ─▶ all have ended and the storage has answered, or 180 s are over (then what still runs is killed)
//!     ─▶ checkpoints discarded if they are not to be kept, slots released, Ended
//! ```

use super::JobMaster;
use crate::{
    event::{JobAction, JobNote, Now},
    failover::CANCELLATION_TIMEOUT,
};
use flott_core::{accumulator::AccumulatorValue, error::TaskFailure};
use flott_graph::settings::Retention;
use flott_rpc::{
    client::{JobEnd, JobOutcome, JobReply},
    status::JobStatus,
};
use std::{collections::BTreeMap, time::Duration};

/// How a job is ending.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    end: JobEnd,
    deadline: Duration,
    /// Another leader has taken over: the checkpoints are its own now.
    fenced: bool,
}

impl Ending {
    pub(super) fn deadline(&self) -> Duration {
        self.deadline
    }
}

impl JobMaster {
    /// The end that was decided, whatever becomes of its tasks: the next leader is to go on with it. `None` while the job may still run on,
    /// when all has come to its end by itself, and if another leads.
    pub fn decided_end(&self) -> Option<&JobEnd> {
        let ending = self.ending.as_ref().filter(|ending| !ending.fenced)?;
        Some(&ending.end).filter(|end| **end != JobEnd::Finished)
    }

    /// The job is another leader's, who has decided how it ends. To be called before it begins.
    pub fn take_over_end(&mut self, end: JobEnd) {
        self.decided = Some(end);
    }

    /// Goes on with the end that another leader has decided: what is there is told to end, and what is not has ended. Returns whether there
    /// is one.
    pub(super) fn go_on_ending(&mut self, now: Now, out: &mut Vec<JobAction>) -> bool {
        let Some(end) = self.decided.take() else { return false };
        if let JobEnd::Failed(failure) = &end {
            self.remember_failure(None, failure, false, out);
        }
        self.begin_end(now, end, out);
        true
    }

    /// The job is to end; if it is ending already, that end stays.
    pub(super) fn begin_end(&mut self, now: Now, end: JobEnd, out: &mut Vec<JobAction>) {
        if self.ending.is_some() {
            return;
        }
        match end {
            JobEnd::Finished => {}
            JobEnd::Canceled => self.set_status(JobStatus::Cancelling, out),
            JobEnd::Failed(_) => self.set_status(JobStatus::Failing, out),
        }
        if let Some((request, taken)) = self.coordinator.take_stopped() {
            self.stopped = Some(taken.clone());
            let reply = match end {
                JobEnd::Finished => JobReply::Snapshot(taken),
                _ => JobReply::Refused(format!(
                    "the job ended before it had stopped, but savepoint {} in `{}` is complete; what it contains may not be committed yet",
                    taken.checkpoint, taken.location
                )),
            };
            out.push(JobAction::Reply(request, reply));
        }
        self.ending = Some(Ending { end, deadline: now.monotonic.saturating_add(CANCELLATION_TIMEOUT), fenced: false });
        self.failover.clear();
        for place in 0..self.graph.tasks().len() {
            self.cancel_task(place, out);
        }
        self.with_coordinator(now, out, |coordinator, context| coordinator.shut_down(context));
    }

    /// Another leader has taken over.
    pub(super) fn fenced(&mut self, now: Now, reason: String, out: &mut Vec<JobAction>) {
        let failure = TaskFailure::without_task("checkpoint storage", reason);
        self.remember_failure(None, &failure, false, out);
        self.begin_end(now, JobEnd::Failed(failure), out);
        if let Some(ending) = &mut self.ending {
            ending.fenced = true;
        }
    }

    /// Ends the job if nothing stands in the way any more.
    pub(super) fn advance_ending(&mut self, now: Now, out: &mut Vec<JobAction>) {
        let Some(ending) = &self.ending else { return };
        if ending.deadline <= now.monotonic {
            for place in 0..self.graph.tasks().len() {
                self.kill_task(place, out);
            }
        } else if !self.graph.none_alive() || self.coordinator.is_finalizing() && !ending.fenced {
            return;
        }
        let Some(ending) = self.ending.take() else { return };
        // Whoever was promised a savepoint that the storage never spoke about again.
        self.with_coordinator(now, out, |coordinator, context| coordinator.give_up(context));
        // What stops with a savepoint while it is being cancelled is complete nevertheless.
        if let Some((request, taken)) = self.coordinator.take_stopped() {
            self.stopped = Some(taken.clone());
            out.push(JobAction::Reply(request, JobReply::Snapshot(taken)));
        }
        let discard = match (&ending.end, self.settings.checkpoints.retention) {
            (JobEnd::Finished, _) | (_, Retention::Never) | (JobEnd::Canceled, Retention::DeleteOnCancellation) => true,
            (JobEnd::Canceled, Retention::RetainOnCancellation) => false,
            (JobEnd::Failed(_), _) => false,
        };
        if discard && !ending.fenced {
            out.push(JobAction::DiscardAllCheckpoints);
        }
        let slots = self.slots.release();
        if !slots.is_empty() {
            out.push(JobAction::ReleaseSlots(slots));
        }
        self.ended = true;
        self.set_status(
            match &ending.end {
                JobEnd::Finished => JobStatus::Finished,
                JobEnd::Canceled => JobStatus::Canceled,
                JobEnd::Failed(_) => JobStatus::Failed,
            },
            out,
        );
        let accumulators = self.accumulators(out);
        out.push(JobAction::Ended(Box::new(JobOutcome {
            end: ending.end,
            accumulators,
            restarts: self.restarts,
            checkpoints: self.coordinator.counts(),
        })));
    }

    fn accumulators(&self, out: &mut Vec<JobAction>) -> BTreeMap<String, AccumulatorValue> {
        let mut merged: BTreeMap<String, AccumulatorValue> = BTreeMap::new();
        for task in self.graph.tasks() {
            for (name, value) in &task.accumulators {
                let sum = merged.get(name).map_or(Some(*value), |sum| sum.merge(*value));
                match (sum, task.current()) {
                    (Some(sum), _) => _ = merged.insert(name.clone(), sum),
                    (None, Some(attempt)) => out.push(JobAction::Note(JobNote::AccumulatorMismatch { name: name.clone(), attempt })),
                    (None, None) => {}
                }
            }
        }
        merged
    }
}
