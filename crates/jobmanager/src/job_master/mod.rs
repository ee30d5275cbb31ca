//! The master of a job: takes events, decides, gives actions.
//!
//! ```text
//!  Created ──Start──▶ Running ◀──all deployed── Restarting
//!                      │  │ └──────failure──────────▲ │
//!        all tasks     │  │ cancel                    │ no restart left
//!        finished      │  ▼                           ▼
//!                      │ Cancelling ──▶ Canceled     Failing ──▶ Failed
//!                      └───────────────▶ Finished
//! ```
//! A leader that takes over a job that runs starts as Reconciling instead, and adopts what is there.
//!
//! The parts: `tasks` hears what tasks, enumerators and slots say; `restarts` turns failures into deployments; `rescale`
//! changes the parallelism; `ending` brings the job to its end; `recovery` takes it over from another leader. After each event [`JobMaster::handle`] does all that has become due.

mod ending;
mod recovery;
mod rescale;
mod restarts;
mod tasks;

use crate::{
    checkpoint::{CheckpointCoordinator, CompletedCheckpoints, Context},
    event::{CompletionOutcome, JobAction, JobEvent, JobNote, Now, StorageReport},
    execution_graph::{ExecutionGraph, is_source},
    failover::Failover,
    random::Random,
    requirements,
    restore::{self, RestoreError, RestoredSnapshot},
    scheduler::Scheduler,
    source::SourceCoordinator,
};
use ending::Ending;
use flott_core::{
    context::RuntimeMode,
    error::TaskFailure,
    id::{AttemptId, JobId, VertexId},
};
use flott_graph::{
    JobTopology,
    settings::{JobSettings, SchedulerSettings},
};
use flott_rpc::{
    client::{JobEnd, JobOverview, JobReply, JobRequest, RequestId, SnapshotTaken},
    status::JobStatus,
};
use recovery::Recovery;
pub use rescale::HISTORY as RESCALES_KEPT;
use rescale::Rescaling;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// How many failures are kept for display. Flink's `web.exception-history-size`.
const FAILURES_KEPT: usize = 16;

/// The master of one job, from its start to its end.
#[derive(Debug, Clone)]
pub struct JobMaster {
    id: JobId,
    settings: JobSettings,
    status: JobStatus,
    graph: ExecutionGraph,
    sources: BTreeMap<VertexId, SourceCoordinator>,
    /// Sources whose enumerator is gone and has to be made again.
    broken_sources: BTreeSet<VertexId>,
    coordinator: CheckpointCoordinator,
    failover: Failover,
    slots: Scheduler,
    rescaling: Rescaling,
    started: bool,
    /// Some of its tasks have been deployed, by this leader or another.
    deployed: bool,
    /// Workers are awaited: the job was another leader's.
    recovery: Option<Recovery>,
    ending: Option<Ending>,
    /// How another leader had decided that it ends.
    decided: Option<JobEnd>,
    /// The savepoint that it was to stop with, since it ends.
    stopped: Option<SnapshotTaken>,
    ended: bool,
    restarts: u64,
    failures: VecDeque<TaskFailure>,
}

impl JobMaster {
    /// A job that has not begun. `epoch` is the term of this JobManager; `restored` is what the job starts from; `seed` decides
    /// everything that is random. The same seed and the same events give the same actions.
    ///
    /// # Errors
    /// [`RestoreError`]: the snapshot does not fit the job.
    pub fn new(
        job: JobId,
        epoch: u64,
        topology: JobTopology,
        settings: JobSettings,
        restored: Option<RestoredSnapshot>,
        seed: u64,
    ) -> Result<Self, RestoreError> {
        if let Some(restored) = &restored {
            let allow = settings.restore.as_ref().is_some_and(|restore| restore.allow_non_restored_state);
            restore::check(&restored.metadata, &topology, allow)?;
        }
        let topology = Arc::new(topology);
        let sources = topology.vertices.iter().enumerate().filter_map(|(number, vertex)| {
            let id = VertexId(number as u32);
            is_source(&topology, id).then(|| (id, SourceCoordinator::new(id, vertex.parallelism)))
        });
        let bounds = match settings.mode {
            RuntimeMode::Streaming => requirements::initial(&topology, &settings.scheduler),
            RuntimeMode::Batch => requirements::initial(&topology, &SchedulerSettings::default()),
        };
        let mut slots = Scheduler::new(&topology);
        slots.set_timeout(settings.scheduler.resource_wait_timeout);
        slots.want(requirements::slots_wanted(&topology, &bounds));
        Ok(JobMaster {
            id: job,
            status: JobStatus::Created,
            sources: sources.collect(),
            broken_sources: BTreeSet::new(),
            coordinator: CheckpointCoordinator::new(job, epoch, &settings, restored),
            failover: Failover::new(settings.restart.clone(), Random::new(seed).next()),
            slots,
            rescaling: Rescaling::new(bounds),
            graph: ExecutionGraph::new(topology),
            settings,
            started: false,
            deployed: false,
            recovery: None,
            ending: None,
            decided: None,
            stopped: None,
            ended: false,
            restarts: 0,
            failures: VecDeque::new(),
        })
    }

    /// Takes an event. The actions are to be performed in their order.
    pub fn handle(&mut self, now: Now, event: JobEvent) -> Vec<JobAction> {
        let mut out = Vec::new();
        if self.ended {
            match event {
                JobEvent::Client { request, .. } => out.push(JobAction::Reply(request, JobReply::Refused("the job has ended".into()))),
                JobEvent::Slots(slots) if !slots.is_empty() => out.push(JobAction::ReleaseSlots(slots)),
                _ => {}
            }
            return out;
        }
        if self.recovery.is_some() {
            self.while_recovering(now, event, &mut out);
            return out;
        }
        match event {
            JobEvent::Start { last_checkpoint } => {
                if let Some(last) = last_checkpoint {
                    self.coordinator.continue_above(last);
                }
                self.start(now);
            }
            JobEvent::Recover { last_checkpoint, wait } => {
                if let Some(last) = last_checkpoint {
                    self.coordinator.continue_above(last);
                }
                self.recover(now, wait, &mut out);
                return out;
            }
            JobEvent::Adopted(inventory) => {
                // It came too late: others do its work by now.
                let slots: BTreeSet<u32> = inventory.tasks.iter().map(|task| task.slot).collect();
                if !slots.is_empty() {
                    out.push(JobAction::ReleaseSlots(slots.into_iter().collect()));
                }
            }
            JobEvent::Tick => {}
            JobEvent::Task(attempt, report) => self.task_reports(now, attempt, report, &mut out),
            JobEvent::AttemptLost(attempt, reason) => self.attempt_lost(now, attempt, reason, &mut out),
            JobEvent::Slots(offered) => self.slots_offered(offered, &mut out),
            JobEvent::SlotsLost { slots, reason } => self.slots_lost(now, &slots, &reason, &mut out),
            JobEvent::Failed(failure) => self.global_failure(now, failure, false, &mut out),
            JobEvent::Enumerator { vertex, after, report } => self.enumerator_reports(now, vertex, after, report, &mut out),
            JobEvent::EnumeratorLost { vertex, reason } => self.enumerator_lost(now, vertex, reason, &mut out),
            JobEvent::Storage(report) => self.storage_reports(now, report, &mut out),
            JobEvent::Client { request, body } => self.client_asks(now, request, body, &mut out),
        }
        self.advance(now, &mut out);
        out
    }

    /// When to send [`JobEvent::Tick`], in monotonic time, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Duration> {
        if self.ended {
            return None;
        }
        if let Some(recovery) = &self.recovery {
            return Some(recovery.deadline());
        }
        let ending = self.ending.as_ref().map(Ending::deadline);
        let incidents = self.failover.incidents().iter().flat_map(|incident| self.wakes_of(incident));
        let waits_for_slots = self.ending.is_none() && !self.failover.is_quiet();
        let slots =
            [self.slots.deadline(), self.slots.yield_at(), self.slots.shortage_at()].into_iter().flatten().filter(|_| waits_for_slots);
        let rescaling = self.rescaling.wake.filter(|_| self.ending.is_none());
        ending.into_iter().chain(incidents).chain(slots).chain(rescaling).chain(self.coordinator.next_wake()).min()
    }

    /// The job as it stands.
    pub fn overview(&self) -> JobOverview {
        JobOverview {
            id: self.id,
            name: self.graph.topology().name.clone(),
            status: self.status,
            tasks: self.graph.tasks().iter().map(|task| (task.subtask, task.status)).collect(),
            checkpoints: self.coordinator.counts(),
            restarts: self.restarts,
            failures: self.failures.iter().cloned().collect(),
            requirements: self.rescaling.bounds().to_vec(),
            slots_wanted: self.slots.missing(),
            rescales: self.rescaling.history(),
            rescale_totals: self.rescaling.totals(),
            stopped: self.stopped.clone().or_else(|| self.coordinator.stopped().cloned()),
        }
    }

    /// The job's graph.
    pub fn topology(&self) -> &JobTopology {
        self.graph.topology()
    }

    /// What the job is run with.
    pub fn settings(&self) -> &JobSettings {
        &self.settings
    }

    /// The complete checkpoints.
    pub fn checkpoints(&self) -> &CompletedCheckpoints {
        self.coordinator.completed()
    }

    /// The job's state.
    pub fn status(&self) -> JobStatus {
        self.status
    }

    /// Does all that has become due. One thing may make the next due, so that the order matters: failures first.
    fn advance(&mut self, now: Now, out: &mut Vec<JobAction>) {
        loop {
            if self.ending.is_some() {
                self.with_coordinator(now, out, |coordinator, context| coordinator.advance(false, context));
                return self.advance_ending(now, out);
            }
            if !self.started {
                return;
            }
            self.restart_if_stop_failed(now, out);
            self.advance_slots(now, out);
            self.kill_late(now, out);
            self.advance_rescale(now, out);
            self.advance_restarts(now, out);
            if self.ending.is_none() && self.failover.is_quiet() && self.graph.all_finished() {
                self.begin_end(now, JobEnd::Finished, out);
            }
            let ready = self.failover.is_quiet() && self.ending.is_none();
            self.with_coordinator(now, out, |coordinator, context| coordinator.advance(ready, context));
            match self.coordinator.take_fatal() {
                Some(reason) => self.job_failure(now, "checkpoint coordinator", reason, out),
                None if self.ending.is_none() && !self.coordinator.rescale_checkpoint_ended() => return,
                None => {}
            }
        }
    }

    fn storage_reports(&mut self, now: Now, report: StorageReport, out: &mut Vec<JobAction>) {
        match report {
            StorageReport::Begun { checkpoint, outcome } => {
                self.with_coordinator(now, out, |c, context| c.begun(checkpoint, outcome, context))
            }
            StorageReport::Completed { checkpoint, outcome } => {
                let complete = matches!(outcome, CompletionOutcome::Complete(_));
                self.with_coordinator(now, out, |c, context| c.finalized(checkpoint, outcome, context));
                if complete {
                    self.failover.progressed();
                }
            }
            StorageReport::DiscardFailed(reason) => out.push(JobAction::Note(JobNote::DiscardFailed(reason))),
            StorageReport::Fenced(reason) => self.fenced(now, reason, out),
        }
    }

    fn client_asks(&mut self, now: Now, request: RequestId, body: JobRequest, out: &mut Vec<JobAction>) {
        if body == JobRequest::Cancel {
            out.push(JobAction::Reply(request, JobReply::Accepted));
            self.begin_end(now, JobEnd::Canceled, out);
        } else if self.ending.is_some() {
            out.push(JobAction::Reply(request, JobReply::Refused("the job is ending".into())));
        } else if let JobRequest::Rescale(bounds) = body {
            self.rescale_asked(request, bounds, out);
        } else if let JobRequest::RescaleTo { all, vertices } = body {
            self.rescale_asked_by_name(request, all, &vertices, out);
        } else {
            self.with_coordinator(now, out, |coordinator, context| coordinator.request(request, body, context));
        }
    }

    fn with_coordinator(&mut self, now: Now, out: &mut Vec<JobAction>, act: impl FnOnce(&mut CheckpointCoordinator, &mut Context<'_>)) {
        let mut context = Context { now, graph: &mut self.graph, sources: &mut self.sources, out };
        act(&mut self.coordinator, &mut context);
    }

    fn set_status(&mut self, status: JobStatus, out: &mut Vec<JobAction>) {
        if self.status != status {
            self.status = status;
            out.push(JobAction::StatusChanged(status));
        }
    }

    fn remember_failure(&mut self, attempt: Option<AttemptId>, failure: &TaskFailure, along: bool, out: &mut Vec<JobAction>) {
        out.push(JobAction::Note(JobNote::Failed { attempt, failure: failure.clone(), along }));
        if self.failures.len() == FAILURES_KEPT {
            self.failures.pop_front();
        }
        self.failures.push_back(failure.clone());
    }
}

#[cfg(test)]
mod tests;
