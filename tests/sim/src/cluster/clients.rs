//! Clients: they submit, look, ask for things, and ask again whoever leads next.

use super::{
    job_manager::JobManager,
    pipeline::Phase,
    world::{Happening, Process, World},
};
use crate::{graph, oracle, sim::Seen, storage::honest};
use flott_cluster::stepped::Submission;
use flott_core::{config::Configuration, id::JobId};
use flott_graph::settings::{ClaimMode, RestoreSettings};
use flott_rpc::{
    client::{JobEnd, JobReply, JobRequest},
    control::{ExecutableId, Program},
};
use flott_storage::CheckpointStorage;
use std::{sync::mpsc::TryRecvError, time::Duration};

impl World {
    /// A client looks after its job.
    pub(crate) fn client_acts(&mut self, number: usize) {
        if self.pipelines[number].is_done() {
            return;
        }
        let now = self.now();
        let leads = |(process, manager): &(&Process, &JobManager)| {
            !self.paused.contains_key(process) && manager.stepped.epoch().is_some() && manager.is_leader(now)
        };
        let leader = self.job_managers.iter().find(leads).map(|(process, _)| *process);
        if self.pipelines[number].job.is_none() {
            self.next_job(number, None);
        }
        if let (Some(leader), Some(job)) = (leader, self.pipelines[number].job) {
            match self.pipelines[number].phase {
                Phase::Submits { tried } => self.submit(leader, number, job, tried),
                Phase::Runs => self.look_after(leader, number, job),
                Phase::Done => {}
            }
        }
        let at = self.now() + Duration::from_millis(50) + self.sim.random().millis(300);
        self.at(at, None, Happening::Client(number));
    }

    fn submit(&mut self, leader: Process, number: usize, job: JobId, tried: bool) {
        let now = self.now();
        if tried {
            self.saw(Seen::SubmittedAgain);
        }
        self.pipelines[number].phase = Phase::Submits { tried: true };
        let spec = self.specs[&job].clone();
        let pipeline = &self.pipelines[number];
        let graph = graph::build(&pipeline.sim, 0, &pipeline.shape, spec.widths);
        let mut settings = graph.settings.clone();
        if let Some((path, claim)) = spec.from {
            if claim {
                self.claimed.insert(path.clone(), job);
            }
            let claim = if claim { ClaimMode::Claim } else { ClaimMode::NoClaim };
            settings.restore = Some(RestoreSettings { path, claim, allow_non_restored_state: false });
        }
        let program = Program {
            executable: ExecutableId("simulated".to_owned()),
            arguments: Vec::new(),
            configuration: Configuration::default(),
            folder: "/".into(),
        };
        let seed = self.sim.random().next();
        let submission = Submission { id: job, program, topology: graph.topology(), settings, seed };
        let Some(manager) = self.job_managers.get_mut(&leader).filter(|manager| manager.is_leader(now)) else { return };
        if manager.stepped.outcome(job).is_some() {
            self.pipelines[number].phase = Phase::Runs;
            return;
        }
        let submitted = manager.stepped.submit(submission);
        self.sim.trace(format_args!("{leader} is given {job}: {:?}", submitted.as_ref().map_err(ToString::to_string)));
        match submitted {
            Ok(thread) => {
                if self.has_ended(job) {
                    return self.sim.violation(format!("job {job} has ended, and is run again"));
                }
                if let Some(epoch) = self.job_managers.get(&leader).and_then(|manager| manager.stepped.storage_epoch(thread)) {
                    self.begun.insert(job, epoch);
                }
                self.note_checkpoints(job);
                // Now and then the client does not hear of it.
                if !self.sim.fault(15) {
                    self.pipelines[number].phase = Phase::Runs;
                }
            }
            Err(error) if error.to_string().contains("there was a job") => self.pipelines[number].phase = Phase::Runs,
            Err(error) => {
                if error.to_string().contains("claimed")
                    && let Some(spec) = self.specs.get_mut(&job)
                {
                    // Another job has claimed it before.
                    spec.from = spec.from.take().map(|(from, _)| (from, false));
                }
            }
        }
        self.flush(leader);
    }

    fn look_after(&mut self, leader: Process, number: usize, job: JobId) {
        let Some(manager) = self.job_managers.get(&leader) else { return };
        match manager.stepped.outcome(job) {
            None => self.sim.violation(format!("{leader} leads, and does not know {job}")),
            Some(Some(outcome)) => {
                if self.ended_by.get(&job) != Some(&leader) {
                    self.saw(Seen::EndedWhileDown);
                }
                self.job_has_ended(number, job, &outcome.end);
            }
            Some(None) => {
                if self.has_ended(job) && self.ended_by.get(&job).is_some_and(|by| *by != leader) {
                    return self.sim.violation(format!("{job} has ended, but runs at {leader}"));
                }
                self.ask(leader, number, job);
            }
        }
    }

    fn ask(&mut self, leader: Process, number: usize, job: JobId) {
        let pipeline = &mut self.pipelines[number];
        if let Some((of, request, answer)) = &pipeline.asked {
            match answer.try_recv() {
                Err(TryRecvError::Empty) if *of == leader => return,
                Err(_) => {
                    self.sim.saw(Seen::AskedAgain);
                    self.sim.trace(format_args!("{of} has not answered {request:?}"));
                }
                Ok(reply) => {
                    self.sim.trace(format_args!("{of} answers {request:?}: {reply:?}"));
                    let gone_on = matches!(reply, JobReply::Refused(_)) && *request != JobRequest::Cancel;
                    if *request == JobRequest::Cancel && reply == JobReply::Accepted {
                        // It ends, whoever leads: nobody asks again.
                        pipeline.cancel_accepted = true;
                    }
                    if gone_on || matches!(request, JobRequest::TriggerCheckpoint | JobRequest::TriggerSavepoint { .. }) {
                        pipeline.wish = None;
                    }
                }
            }
            pipeline.asked = None;
        }
        if pipeline.cancel_accepted {
            return;
        }
        if pipeline.wish.is_none() {
            pipeline.wish = if pipeline.shape.unbounded() && pipeline.all_read {
                Some(JobRequest::StopWithSavepoint { directory: None, drain: true })
            } else if self.sim.fault(3) {
                Some(match self.sim.random().below(100) {
                    0..20 => JobRequest::TriggerCheckpoint,
                    20..40 => JobRequest::TriggerSavepoint { directory: None },
                    40..65 => JobRequest::StopWithSavepoint { directory: None, drain: false },
                    65..75 => JobRequest::StopWithSavepoint { directory: None, drain: true },
                    _ => JobRequest::Cancel,
                })
            } else {
                None
            };
        }
        let Some(wish) = pipeline.wish.clone() else { return };
        pipeline.cancelled |= wish == JobRequest::Cancel;
        self.sim.trace(format_args!("{leader} is asked {wish:?} of {job}"));
        let answer = self.job_managers.get(&leader).and_then(|manager| manager.stepped.request(job, wish.clone()));
        self.pipelines[number].asked = answer.map(|answer| (leader, wish, answer));
    }

    fn job_has_ended(&mut self, number: usize, job: JobId, end: &JobEnd) {
        self.sim.trace(format_args!("the client of {job} learns that it has ended: {end:?}"));
        let pipeline = &self.pipelines[number];
        match end {
            JobEnd::Finished if pipeline.cancel_accepted => {
                return self.sim.violation(format!("{job} has finished, although it was accepted that it is cancelled"));
            }
            JobEnd::Finished => {
                if let Some(stop) = pipeline.stops.get(&job).cloned() {
                    let result = oracle::result(&pipeline.sim, &pipeline.shape, &stop.positions, stop.drained);
                    if result.is_ok() && stop.drained {
                        self.saw(Seen::Drained);
                        return self.pipeline_done(number, stop.positions);
                    }
                    if result.is_ok() {
                        self.saw(Seen::Stopped);
                        return self.next_job(number, Some(stop.folder));
                    }
                    self.saw(Seen::StopFailed);
                }
                if let Some(drained) = pipeline.drained.clone()
                    && oracle::result(&pipeline.sim, &pipeline.shape, &drained, true).is_ok()
                {
                    return self.pipeline_done(number, drained);
                }
                if pipeline.shape.unbounded() {
                    return self.sim.violation("a source that never ends has ended");
                }
                let ends = oracle::ends(&pipeline.shape);
                if let Err(error) = oracle::result(&pipeline.sim, &pipeline.shape, &ends, true) {
                    return self.sim.violation(format!("{job} has finished: {error}"));
                }
                return self.pipeline_done(number, ends);
            }
            JobEnd::Canceled if !pipeline.cancelled => {
                return self.sim.violation(format!("{job} was cancelled, but nobody did that"));
            }
            JobEnd::Canceled => self.saw(Seen::Cancelled),
            JobEnd::Failed(failure) if failure.causes.iter().any(|cause| cause.contains("workers in a row")) => self.saw(Seen::JobFailed),
            // The first attempt of a job that starts from something says whether it fits; here it is the storage that fails.
            JobEnd::Failed(failure) if failure.attempt == 0 && self.specs[&job].from.is_some() => self.saw(Seen::JobFailed),
            JobEnd::Failed(failure) => return self.sim.violation(format!("{job} has failed: {failure:?}")),
        }
        let own = honest(&self.files).storage(job).completed().unwrap_or_default().into_iter().max_by_key(|completed| completed.checkpoint);
        let before = self.specs[&job].from.clone().map(|(folder, _)| folder);
        self.next_job(number, own.map(|own| own.folder).or(before));
    }

    fn pipeline_done(&mut self, number: usize, positions: oracle::Positions) {
        let pipeline = &mut self.pipelines[number];
        pipeline.expected = Some((positions, true));
        pipeline.phase = Phase::Done;
        self.look_for_the_end();
    }
}
