//! From failures to deployments.

use super::JobMaster;
use crate::{
    checkpoint::CheckpointFailure,
    event::{JobAction, JobNote, Now, StartedFrom},
    execution_graph::ExecutionGraph,
    failover::{CANCELLATION_TIMEOUT, Incident, WaitsFor},
    requirements, restore,
    scheduler::Scheduler,
    source::SourceCoordinator,
};
use flott_core::{
    error::TaskFailure,
    id::{AttemptId, CheckpointId, SubtaskId, VertexId},
};
use flott_graph::settings::FailoverSettings;
use flott_rpc::{
    client::{JobEnd, JobReply},
    status::{JobStatus, TaskStatus},
    task::{TaskCommand, TaskDeployment},
};
use std::{collections::BTreeSet, time::Duration};

impl JobMaster {
    /// The first deployment: of all regions.
    pub(super) fn start(&mut self, now: Now) {
        if !self.started {
            self.started = true;
            let regions = (0..self.graph.regions().len()).collect();
            let kill_at = now.monotonic.saturating_add(CANCELLATION_TIMEOUT);
            self.failover.begin(Incident::new(regions, now.monotonic, kill_at));
        }
    }

    /// An attempt has ended by a failure, or is gone.
    pub(super) fn attempt_ended(&mut self, now: Now, place: usize, failure: TaskFailure, lost: bool, out: &mut Vec<JobAction>) {
        let region = self.graph.regions().of_task(place);
        let canceling = self.graph.task(place).status == TaskStatus::Canceling;
        let attempt = self.graph.task(place).current();
        self.graph.task_mut(place).status = TaskStatus::Failed;
        if self.ending.is_some() || (self.failover.restarts(region) && !failure.unrecoverable) {
            // One that was told to end and is gone has done what it was told.
            if !(canceling && lost) {
                self.remember_failure(attempt, &failure, true, out);
            }
            return;
        }
        let regions = match self.settings.failover {
            FailoverSettings::Region => [region].into(),
            FailoverSettings::Full => self.unfinished_regions(),
        };
        self.restart(now, regions, failure, attempt, lost, out);
    }

    /// Something failed on which all tasks depend.
    pub(super) fn global_failure(&mut self, now: Now, failure: TaskFailure, lost: bool, out: &mut Vec<JobAction>) {
        if self.ending.is_none() {
            let regions = self.unfinished_regions();
            self.restart(now, regions, failure, None, lost, out);
        }
    }

    /// Something failed that is no task.
    pub(super) fn job_failure(&mut self, now: Now, what: &str, reason: String, out: &mut Vec<JobAction>) {
        self.global_failure(now, TaskFailure::without_task(what, reason), false, out);
    }

    pub(super) fn unfinished_regions(&self) -> BTreeSet<usize> {
        (0..self.graph.regions().len()).filter(|region| !self.graph.region_finished(*region)).collect()
    }

    /// Starts regions again because of a failure: of `attempt`, if it was a task.
    pub(super) fn restart(
        &mut self,
        now: Now,
        regions: BTreeSet<usize>,
        failure: TaskFailure,
        attempt: Option<AttemptId>,
        lost: bool,
        out: &mut Vec<JobAction>,
    ) {
        self.remember_failure(attempt, &failure, false, out);
        if regions.is_empty() {
            return;
        }
        let delay = if failure.unrecoverable { None } else { self.failover.decide(now.monotonic, &regions, lost) };
        let Some(delay) = delay else {
            return self.begin_end(now, JobEnd::Failed(failure), out);
        };
        self.restarts += 1;
        let tasks = regions.iter().map(|region| self.graph.regions().tasks(*region).len()).sum();
        let whole_job = tasks == self.graph.tasks().len();
        out.push(JobAction::Note(JobNote::Restarting { tasks, whole_job, delay, cause: failure }));
        self.take_down(now, regions, delay, out);
    }

    /// Ends what runs in the regions, to deploy them again.
    pub(super) fn take_down(&mut self, now: Now, regions: BTreeSet<usize>, delay: Duration, out: &mut Vec<JobAction>) {
        for region in &regions {
            for place in self.graph.regions().tasks(*region).to_vec() {
                self.cancel_task(place, out);
                let subtask = self.graph.task(place).subtask;
                if let Some(source) = self.sources.get_mut(&subtask.vertex) {
                    source.reader_lost(subtask.index);
                }
            }
        }
        self.with_coordinator(now, out, |coordinator, context| coordinator.abort_all(&CheckpointFailure::TaskFailed, context));
        let deploy_at = now.monotonic.saturating_add(delay);
        self.failover.begin(Incident::new(regions, deploy_at, now.monotonic.saturating_add(CANCELLATION_TIMEOUT)));
        self.set_status(JobStatus::Restarting, out);
    }

    pub(super) fn cancel_task(&mut self, place: usize, out: &mut Vec<JobAction>) {
        let mut task = self.graph.task_mut(place);
        if let Some(attempt) = task.alive()
            && task.status != TaskStatus::Canceling
        {
            task.status = TaskStatus::Canceling;
            out.push(JobAction::Send(attempt, TaskCommand::Cancel));
        }
    }

    /// The savepoint with which the job was to stop is complete, but tasks failed before they had ended. Sinks have committed, or
    /// may have, what is in it, so that nothing older can be started from: everything is started again from it, also tasks that have
    /// ended, since they ended for the stop and not for the end of their input. The job goes on, and the client learns it.
    pub(super) fn restart_if_stop_failed(&mut self, now: Now, out: &mut Vec<JobAction>) {
        if self.failover.is_quiet() {
            return;
        }
        if let Some((request, taken)) = self.coordinator.take_stopped() {
            out.push(JobAction::Note(JobNote::StopFailed { checkpoint: taken.checkpoint, location: taken.location.clone() }));
            let reason = format!(
                "the job did not stop: savepoint {} in `{}` is complete, but a task failed before all had ended, so the job was restarted from it \
                 and goes on; what it contains may not be committed yet",
                taken.checkpoint, taken.location
            );
            out.push(JobAction::Reply(request, JobReply::Refused(reason)));
            self.take_down(now, (0..self.graph.regions().len()).collect(), Duration::ZERO, out);
        }
    }

    /// Asks for slots that are missing.
    pub(super) fn advance_slots(&mut self, now: Now, out: &mut Vec<JobAction>) {
        let quiet = self.failover.is_quiet();
        if quiet && !self.slots.wants_more_than_needed() {
            // The slot of a task that has finished may be missing for good.
            self.slots.wait_no_more();
            return;
        }
        if let Some(count) = self.slots.request(now.monotonic) {
            out.push(JobAction::RequestSlots(count));
        }
        if !quiet && self.slots.shortage_at().is_some_and(|at| at <= now.monotonic) {
            self.slots.shortage_told();
            out.push(JobAction::Note(JobNote::WaitingForSlots { needed: self.slots.needed(), available: self.slots.available() }));
        }
        if !quiet && self.slots.deadline().is_some_and(|deadline| deadline <= now.monotonic) {
            let (needed, available) = (self.slots.needed(), self.slots.most_available());
            self.slots.wait_again(now.monotonic);
            let waited = self.slots.timeout().unwrap_or_default().as_secs();
            let reason = format!(
                "the job needs {needed} slots, {available} were there after {waited} s; start more TaskManagers, give them more slots \
                 or lower the parallelism"
            );
            // Regions that run are left alone: they lack nothing.
            let waiting = self.failover.incidents().iter().flat_map(|incident| incident.regions.iter().copied()).collect();
            self.restart(now, waiting, TaskFailure::without_task("scheduler", reason), None, false, out);
        }
        if !quiet && self.ending.is_none() && self.slots.yield_at().is_some_and(|at| at <= now.monotonic) {
            self.give_way(now, out);
        }
    }

    /// Gives back slots that do not suffice, unless something runs in them, or could with another parallelism.
    fn give_way(&mut self, now: Now, out: &mut Vec<JobAction>) {
        if self.best_parallelism().is_some() || self.graph.tasks().iter().any(|task| task.alive().is_some()) {
            return self.slots.hold_again(now.monotonic);
        }
        // It runs again as it did before it can have a parallelism that was asked for since.
        let needed = self.slots.needed().min(requirements::slots_needed(self.graph.topology(), self.rescaling.bounds()));
        let held = self.slots.give_way(needed);
        out.push(JobAction::YieldSlots { held, needed });
    }

    /// Kills what does not end.
    pub(super) fn kill_late(&mut self, now: Now, out: &mut Vec<JobAction>) {
        let late = |incident: &&Incident| incident.kill_at <= now.monotonic && matches!(incident.waits_for, WaitsFor::Tasks { .. });
        let late: Vec<usize> = self.failover.incidents().iter().filter(late).flat_map(|incident| self.alive_in(incident)).collect();
        for place in late {
            self.kill_task(place, out);
        }
    }

    /// Deploys what is ready.
    pub(super) fn advance_restarts(&mut self, now: Now, out: &mut Vec<JobAction>) {
        self.look_at_incidents();
        if self.failover.is_quiet() || self.coordinator.is_finalizing() || self.rescaling.holds {
            return;
        }
        let ready = |incident: &Incident| incident.deploy_at <= now.monotonic && matches!(incident.waits_for, WaitsFor::Time { .. });
        let mut incidents = self.failover.take(ready).into_iter();
        if let Some(mut together) = incidents.next() {
            // One deployment for all: what follows from the checkpoint is worked out once.
            together.regions.extend(incidents.flat_map(|incident| incident.regions));
            self.deploy(&together, out);
        }
    }

    /// Notes in each incident what stands in its way.
    fn look_at_incidents(&mut self) {
        for incident in self.failover.incidents_mut() {
            incident.waits_for = waits_for(incident, &self.graph, &self.slots);
        }
    }

    pub(super) fn kill_task(&mut self, place: usize, out: &mut Vec<JobAction>) {
        let mut task = self.graph.task_mut(place);
        if let Some(attempt) = task.alive() {
            task.status = TaskStatus::Failed;
            out.push(JobAction::Note(JobNote::Killed(attempt)));
            out.push(JobAction::Kill(attempt));
        }
    }

    /// The tasks of an incident that have not ended.
    fn alive_in(&self, incident: &Incident) -> Vec<usize> {
        let places = incident.regions.iter().flat_map(|region| self.graph.regions().tasks(*region));
        places.copied().filter(|place| self.graph.task(*place).alive().is_some()).collect()
    }

    /// When an incident becomes due.
    pub(super) fn wakes_of(&self, incident: &Incident) -> Option<Duration> {
        match incident.waits_for {
            WaitsFor::Tasks { .. } => Some(incident.kill_at),
            // Behind that time it waits for the storage, not for time.
            WaitsFor::Time { .. } => Some(incident.deploy_at).filter(|_| !self.rescaling.holds && !self.coordinator.is_finalizing()),
            WaitsFor::Slot { .. } => None,
        }
    }

    pub(super) fn lacks_slots(&self, incident: &Incident) -> bool {
        if !self.slots.lacks_any() || incident.regions.len() == self.graph.regions().len() {
            return self.slots.lacks_any();
        }
        let places = incident.regions.iter().flat_map(|region| self.graph.regions().tasks(*region));
        let mut subtasks = places.map(|place| self.graph.task(*place).subtask);
        subtasks.any(|subtask| self.slots.slot_of(subtask).is_none())
    }

    fn deploy(&mut self, incident: &Incident, out: &mut Vec<JobAction>) {
        let places: Vec<usize> = incident.regions.iter().flat_map(|region| self.graph.regions().tasks(*region)).copied().collect();
        let snapshot = self.coordinator.completed().latest().cloned();
        let from = snapshot.as_ref().map(|snapshot| snapshot.metadata.checkpoint);
        let subtasks: BTreeSet<SubtaskId> = places.iter().map(|place| self.graph.task(*place).subtask).collect();
        let mut assigned =
            snapshot.as_ref().map(|snapshot| restore::assign(snapshot, self.graph.topology(), &subtasks)).unwrap_or_default();
        for vertex in self.sources.keys().copied().collect::<Vec<_>>() {
            self.restore_source(vertex, incident, from, out);
        }
        let parallelism = self.graph.topology().parallelism();
        let mut deployments = Vec::with_capacity(places.len());
        for place in places {
            let slot = self.slots.slot_of(self.graph.task(place).subtask);
            let mut task = self.graph.task_mut(place);
            let restore = assigned.remove(&task.subtask);
            task.attempt = Some(task.attempt.max(task.attempt_above.take()).map_or(0, |attempt| attempt + 1));
            task.status = TaskStatus::Deploying;
            task.slot = slot;
            task.end_of_data = false;
            task.restored_from = restore.as_ref().map(|restore| restore.checkpoint);
            task.released = false;
            task.final_snapshot = None;
            task.restored_finished = restore.as_ref().is_some_and(|restore| restore.finished);
            task.accumulators.clear();
            if let (Some(attempt), Some(slot)) = (task.current(), slot) {
                let enumerator = self.sources.get(&attempt.subtask.vertex).map_or(0, SourceCoordinator::enumerator);
                deployments.push(TaskDeployment { attempt, slot, restore, parallelism: parallelism.clone(), enumerator });
            }
        }
        self.deployed = true;
        let from = snapshot.map(|snapshot| StartedFrom {
            checkpoint: snapshot.metadata.checkpoint,
            savepoint: snapshot.metadata.kind != flott_storage::SnapshotKind::Checkpoint,
            location: snapshot.location,
        });
        out.push(JobAction::Note(JobNote::Deployed { tasks: deployments.len(), from }));
        out.push(JobAction::Deploy(deployments));
        if self.failover.is_quiet() {
            self.set_status(JobStatus::Running, out);
        }
    }

    /// Brings the enumerator of a source in line with the readers that are about to be started: made anew if none goes on.
    fn restore_source(&mut self, vertex: VertexId, incident: &Incident, from: Option<CheckpointId>, out: &mut Vec<JobAction>) {
        let restarts = |index: u32| {
            let place = self.graph.place(SubtaskId { vertex, index });
            place.is_some_and(|place| incident.regions.contains(&self.graph.regions().of_task(place)))
        };
        let tasks = self.graph.of_vertex(vertex);
        let restarted: Vec<u32> = (0..tasks.len() as u32).filter(|index| restarts(*index)).collect();
        let none_goes_on = tasks.iter().all(|task| task.is_finished() || restarts(task.subtask.index));
        let broken = self.broken_sources.contains(&vertex);
        if restarted.is_empty() && !broken {
            return;
        }
        let Some(source) = self.sources.get_mut(&vertex) else { return };
        if none_goes_on {
            let latest = self.coordinator.completed().latest();
            let state = latest.and_then(|latest| restore::enumerator_state(&latest.metadata, self.graph.topology().vertex(vertex)));
            source.create(from, state, out);
            self.broken_sources.remove(&vertex);
        } else {
            for subtask in restarted {
                source.restart_reader(subtask, from, out);
            }
        }
    }
}

/// What stands in the way of an incident now.
fn waits_for(incident: &Incident, graph: &ExecutionGraph, slots: &Scheduler) -> WaitsFor {
    let lacks = |task: &usize| slots.slot_of(graph.task(*task).subtask).is_none();
    match incident.waits_for {
        WaitsFor::Tasks { region } => {
            if let Some(region) = incident.regions.range(region..).find(|region| !graph.none_alive_in(**region)) {
                return WaitsFor::Tasks { region: *region };
            }
        }
        WaitsFor::Slot { task } if lacks(&task) => return incident.waits_for,
        WaitsFor::Time { slots_lost } if slots_lost == slots.lost() => return incident.waits_for,
        WaitsFor::Slot { .. } | WaitsFor::Time { .. } => {}
    }
    // From the last, since slots are filled from the first: one that is found is among the last to get its slot.
    let mut tasks = incident.regions.iter().rev().flat_map(|region| graph.regions().tasks(*region).iter().rev().copied());
    match slots.lacks_any().then(|| tasks.find(lacks)).flatten() {
        Some(task) => WaitsFor::Slot { task },
        None => WaitsFor::Time { slots_lost: slots.lost() },
    }
}
