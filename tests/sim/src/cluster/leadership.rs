//! A JobManager's candidacy: its election, and what follows from it, one thing after another.

use super::{
    connections::Side,
    world::{Happening, Lane, Process, World},
};
use crate::{
    plant::Plant,
    sim::{Seen, hold},
};
use flott_cluster::stepped::Prepared;
use flott_core::ErrorKind;
use flott_ha::{
    ElectionAction, ElectionEvent, JobStore, RevokeReason, StoreError,
    election::perform,
    job_store::{EndedJob, RunningJob},
};
use std::{collections::VecDeque, time::Duration};

/// The pause before the job store or a job's storage is asked again.
const STORE_RETRY: Duration = Duration::from_millis(200);

/// A new leader on its way to lead.
pub(crate) struct LeadStep {
    store: JobStore,
    to_prepare: Option<VecDeque<RunningJob>>,
    prepared: Vec<Prepared>,
    ended: Vec<EndedJob>,
}

impl World {
    /// Something happens to a candidate.
    pub(crate) fn elect(&mut self, process: Process, mut event: ElectionEvent) {
        let now = self.now();
        let Some(manager) = self.job_managers.get_mut(&process) else { return };
        if let ElectionEvent::Read(Ok(Some(lease))) = &mut event
            && self.sim.planted(Plant::ImpatientStandby)
            && lease.record.holder != manager.holder
        {
            lease.record.duration_ms /= 4;
        }
        let local = manager.local(now);
        let actions = manager.election.handle(local, event);
        manager.wakes += 1;
        let number = manager.wakes;
        if let Some(wake) = manager.election.next_wake() {
            let at = manager.global(wake).max(now);
            self.at(at, Some(process), Happening::ElectionWakes(number));
        }
        for action in actions {
            match action {
                ElectionAction::Read | ElectionAction::Write { .. } => {
                    let slow = if self.sim.fault(2) { self.sim.random().millis(1_500) } else { Duration::ZERO };
                    let at = self.now() + self.sim.random().delay() + slow;
                    self.at(at, None, Happening::StoreCall(process, action));
                }
                change => {
                    self.sim.trace(format_args!("candidate {process}: {change:?}"));
                    if self.sim.planted(Plant::BeyondLease) && matches!(change, ElectionAction::Revoked { .. }) {
                        continue;
                    }
                    if let ElectionAction::Revoked { reason, .. } = &change {
                        match reason {
                            RevokeReason::Expired => self.saw(Seen::LeaseExpired),
                            RevokeReason::Superseded { .. } => self.saw(Seen::Superseded),
                            _ => {}
                        }
                    }
                    if let Some(manager) = self.job_managers.get_mut(&process) {
                        manager.to_follow.push_back(change);
                        self.soon(process, Happening::Follow);
                    }
                }
            }
        }
        let retired = self.job_managers.get(&process).is_some_and(|manager| manager.election.is_done());
        if retired {
            let machine = self.processes[&process].machine;
            self.exit(process);
            self.start_again(machine);
        }
    }

    pub(crate) fn election_wakes(&mut self, process: Process, number: u64) {
        if self.job_managers.get(&process).is_some_and(|manager| manager.wakes == number) {
            self.elect(process, ElectionEvent::Wake);
        }
    }

    /// The coordination store gets to a call, whether or not its caller is still there.
    pub(crate) fn store_called(&mut self, process: Process, action: ElectionAction) {
        let Some(manager) = self.job_managers.get(&process) else {
            // Its caller is gone, but what it wanted may be done all the same.
            if matches!(action, ElectionAction::Write { .. }) && self.sim.random().percent(50) {
                self.late_write(&action);
            }
            return;
        };
        let Some(event) = perform(&manager.store, &action) else { return };
        if let ElectionEvent::Write(Err(StoreError::Unknown { .. })) = &event
            && self.sim.random().percent(50)
        {
            let at = self.now() + self.sim.random().millis(3_000);
            self.at(at, None, Happening::LateWrite(action));
        }
        let at = self.now() + self.sim.random().delay();
        self.over(at, Lane::Store(process), Some(process), Happening::Election(event));
    }

    /// A write of which nobody knew whether it was done is done now.
    pub(crate) fn late_write(&mut self, action: &ElectionAction) {
        self.saw(Seen::LateWrite);
        let event = perform(&self.store, action);
        self.sim.trace(format_args!("late: {action:?} gives {event:?}"));
    }

    /// The thread that does what the election says does the next thing.
    pub(crate) fn follow(&mut self, process: Process) {
        let Some(manager) = self.job_managers.get_mut(&process).filter(|manager| !manager.leading) else { return };
        match manager.to_follow.pop_front() {
            Some(ElectionAction::Granted { epoch }) => {
                let store = JobStore::new(std::sync::Arc::new(manager.store.clone()), epoch, manager.holder.clone());
                manager.leading = true;
                let step = LeadStep { store, to_prepare: None, prepared: Vec::new(), ended: Vec::new() };
                self.soon(process, Happening::Lead(Box::new(step)));
            }
            Some(ElectionAction::Revoked { .. }) => {
                manager.stepped.step_down();
                for connection in std::mem::take(&mut manager.peers) {
                    self.close(connection, Side::Server);
                }
                self.flush(process);
                self.soon(process, Happening::Follow);
            }
            Some(_) => self.soon(process, Happening::Follow),
            None => {}
        }
    }

    /// A step of a new leader.
    pub(crate) fn lead(&mut self, process: Process, mut step: LeadStep) {
        let now = self.now();
        let planted_early = self.sim.planted(Plant::SlotsNotHeld);
        let Some(manager) = self.job_managers.get_mut(&process) else { return };
        let leads = manager.is_leader(now);
        let epoch = step.store.epoch();
        let Some(to_prepare) = &mut step.to_prepare else {
            match step.store.recover() {
                Ok(jobs) => {
                    if !jobs.damaged.is_empty() {
                        return self.sim.violation(format!("jobs are damaged: {:?}", jobs.damaged));
                    }
                    step.to_prepare = Some(jobs.running.into());
                    step.ended = jobs.ended;
                    return self.soon(process, Happening::Lead(Box::new(step)));
                }
                Err(error) if error.is_fenced() || !leads => return self.leads_not(process),
                Err(_) => return self.at(now + STORE_RETRY, Some(process), Happening::Lead(Box::new(step))),
            }
        };
        if let Some(job) = to_prepare.front() {
            let id = job.id;
            let seed = self.sim.random().next();
            let result = manager.stepped.prepare(epoch, job, seed);
            match result {
                Ok(prepared) => {
                    self.sim.trace(format_args!("{process} takes over {id} from {:?}", prepared.from()));
                    if hold(&self.ended).contains(&id) {
                        return self.sim.violation(format!("job {id} has ended, and is run again"));
                    }
                    self.saw(Seen::TookOver);
                    self.begun.insert(id, prepared.storage_epoch());
                    to_prepare.pop_front();
                    step.prepared.push(prepared);
                    self.note_checkpoints(id);
                    return self.soon(process, Happening::Lead(Box::new(step)));
                }
                Err(error) if error.kind() == ErrorKind::Unavailable && leads => {
                    self.sim.trace(format_args!("{process} cannot take over {id} yet: {error}"));
                    return self.at(now + STORE_RETRY, Some(process), Happening::Lead(Box::new(step)));
                }
                Err(error) => {
                    self.sim.trace(format_args!("{process} cannot take over {id} in epoch {epoch}: {error}"));
                    // Of one whose submission has failed nobody was told that it is there: its client tries again.
                    if leads && self.is_acknowledged(id) {
                        return self.sim.violation(format!("a leader cannot take over {id}: {error}"));
                    }
                    to_prepare.pop_front();
                    return self.soon(process, Happening::Lead(Box::new(step)));
                }
            }
        }
        manager.leading = false;
        manager.stepped.lead(step.store, step.prepared, step.ended, leads);
        if planted_early {
            manager.stepped.serve_early();
        }
        self.sim.trace(format_args!("{process} {} in epoch {epoch}", if leads { "leads" } else { "would have led" }));
        self.flush(process);
        self.soon(process, Happening::Follow);
    }

    fn leads_not(&mut self, process: Process) {
        if let Some(manager) = self.job_managers.get_mut(&process) {
            manager.leading = false;
            self.soon(process, Happening::Follow);
        }
    }
}
