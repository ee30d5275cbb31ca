//! From failures to deployments.

use super::JobMaster;
use crate::{
    checkpoint::CheckpointFailure,
    event::{JobAction, JobNote, Now},
    failover::{CANCELLATION_TIMEOUT, Incident},
    restore,
    source::SourceCoordinator,
};
use flott_core::{
    error::TaskFailure,
    id::{CheckpointId, VertexId},
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
            self.failover.begin(Incident { regions, deploy_at: now.monotonic, kill_at });
        }
    }

    /// An attempt has ended by a failure, or is gone.
    pub(super) fn attempt_ended(&mut self, now: Now, place: usize, failure: TaskFailure, lost: bool, out: &mut Vec<JobAction>) {
        let region = self.graph.regions().of_task(place);
        let canceling = self.graph.task(place).status == TaskStatus::Canceling;
        self.graph.task_mut(place).status = TaskStatus::Failed;
        if self.ending.is_some() || (self.failover.restarts(region) && !failure.unrecoverable) {
            // One that was told to end and is gone has done what it was told.
            if !(canceling && lost) {
                self.remember_failure(&failure);
            }
            return;
        }
        let regions = match self.settings.failover {
            FailoverSettings::Region => [region].into(),
            FailoverSettings::Full => self.unfinished_regions(),
        };
        self.restart(now, regions, failure, lost, out);
    }

    /// Something failed on which all tasks depend.
    pub(super) fn global_failure(&mut self, now: Now, failure: TaskFailure, lost: bool, out: &mut Vec<JobAction>) {
        if self.ending.is_none() {
            let regions = self.unfinished_regions();
            self.restart(now, regions, failure, lost, out);
        }
    }

    /// Something failed that is no task.
    pub(super) fn job_failure(&mut self, now: Now, what: &str, reason: String, out: &mut Vec<JobAction>) {
        self.global_failure(now, TaskFailure::without_task(what, reason), false, out);
    }

    pub(super) fn unfinished_regions(&self) -> BTreeSet<usize> {
        (0..self.graph.regions().len()).filter(|region| !self.graph.region_finished(*region)).collect()
    }

    pub(super) fn restart(&mut self, now: Now, regions: BTreeSet<usize>, failure: TaskFailure, lost: bool, out: &mut Vec<JobAction>) {
        self.remember_failure(&failure);
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
        self.failover.begin(Incident { regions, deploy_at, kill_at: now.monotonic.saturating_add(CANCELLATION_TIMEOUT) });
        self.set_status(JobStatus::Restarting, out);
    }

    pub(super) fn cancel_task(&mut self, place: usize, out: &mut Vec<JobAction>) {
        let task = self.graph.task_mut(place);
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
            return;
        }
        if let Some(count) = self.slots.request(now.monotonic) {
            let (needed, available) = (self.slots.needed(), self.slots.available());
            if needed > available {
                out.push(JobAction::Note(JobNote::WaitingForSlots { needed, available }));
            }
            out.push(JobAction::RequestSlots(count));
        }
        if !quiet && self.slots.deadline().is_some_and(|deadline| deadline <= now.monotonic) {
            self.slots.wait_again(now.monotonic);
            let (needed, available) = (self.slots.needed(), self.slots.available());
            let waited = self.slots.timeout().unwrap_or_default().as_secs();
            let reason = format!(
                "the job needs {needed} slots, {available} were there after {waited} s; start more TaskManagers, give them more slots \
                 or lower the parallelism"
            );
            // Regions that run are left alone: they lack nothing.
            let waiting = self.failover.incidents().iter().flat_map(|incident| incident.regions.iter().copied()).collect();
            self.restart(now, waiting, TaskFailure::without_task("scheduler", reason), false, out);
        }
    }

    /// Kills what does not end.
    pub(super) fn kill_late(&mut self, now: Now, out: &mut Vec<JobAction>) {
        let late: Vec<usize> =
            self.failover.incidents().iter().filter(|incident| incident.kill_at <= now.monotonic).flat_map(|i| self.alive_in(i)).collect();
        for place in late {
            self.kill_task(place, out);
        }
    }

    /// Deploys what is ready.
    pub(super) fn advance_restarts(&mut self, now: Now, out: &mut Vec<JobAction>) {
        while !self.coordinator.is_finalizing() && !self.rescaling.holds {
            let ready = |incident: &Incident| {
                incident.deploy_at <= now.monotonic && self.alive_in(incident).is_empty() && !self.lacks_slots(incident)
            };
            let Some(place) = self.failover.incidents().iter().position(ready) else { break };
            let incident = self.failover.remove(place);
            self.deploy(&incident, out);
        }
    }

    pub(super) fn kill_task(&mut self, place: usize, out: &mut Vec<JobAction>) {
        let task = self.graph.task_mut(place);
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
        if !self.alive_in(incident).is_empty() {
            return Some(incident.kill_at);
        }
        // Behind that time it waits for slots or for the storage, not for time.
        Some(incident.deploy_at).filter(|_| !self.rescaling.holds && !self.coordinator.is_finalizing() && !self.lacks_slots(incident))
    }

    pub(super) fn lacks_slots(&self, incident: &Incident) -> bool {
        let places = incident.regions.iter().flat_map(|region| self.graph.regions().tasks(*region));
        let mut subtasks = places.map(|place| self.graph.task(*place).subtask);
        subtasks.any(|subtask| self.slots.slot_of(self.graph.topology(), subtask).is_none())
    }

    fn deploy(&mut self, incident: &Incident, out: &mut Vec<JobAction>) {
        let places: Vec<usize> = incident.regions.iter().flat_map(|region| self.graph.regions().tasks(*region)).copied().collect();
        let snapshot = self.coordinator.completed().latest().cloned();
        let from = snapshot.as_ref().map(|snapshot| snapshot.metadata.checkpoint);
        let vertices: BTreeSet<VertexId> = places.iter().map(|place| self.graph.task(*place).subtask.vertex).collect();
        let mut assigned =
            snapshot.as_ref().map(|snapshot| restore::assign(snapshot, self.graph.topology(), &vertices)).unwrap_or_default();
        for vertex in self.sources.keys().copied().collect::<Vec<_>>() {
            self.restore_source(vertex, incident, from, out);
        }
        let parallelism = self.graph.topology().parallelism();
        let mut deployments = Vec::with_capacity(places.len());
        for place in places {
            let slot = self.slots.slot_of(self.graph.topology(), self.graph.task(place).subtask);
            let task = self.graph.task_mut(place);
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
        out.push(JobAction::Note(JobNote::Deployed { tasks: deployments.len(), from }));
        out.push(JobAction::Deploy(deployments));
        if self.failover.is_quiet() {
            self.set_status(JobStatus::Running, out);
        }
    }

    /// Brings the enumerator of a source in line with the readers that are about to be started: made anew if none goes on.
    fn restore_source(&mut self, vertex: VertexId, incident: &Incident, from: Option<CheckpointId>, out: &mut Vec<JobAction>) {
        let restarts = |index: u32| {
            let place = self.graph.place(flott_core::id::SubtaskId { vertex, index });
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
