//! The parallelism of jobs as REST changes it.

use super::Rest;
use crate::rescale;
use flott_cluster::RESCALES_KEPT;
use flott_core::id::{JobId, OperatorId};
use flott_graph::settings::SchedulerMode;
use flott_rpc::client::{JobReply, JobRequest, ParallelismBounds};
use flott_web::{
    ClusterError, Result,
    model::{RescaleConfig, Rescales, VertexBounds},
};
use std::{collections::BTreeMap, time::Duration};

/// How long whoever asks for a change is kept waiting.
const PATIENCE: Duration = Duration::from_secs(300);

impl Rest {
    /// The parallelism that each vertex may have.
    pub(super) fn bounds(&self, job: JobId) -> Result<Vec<VertexBounds>> {
        let missing = |_| ClusterError::NotFound(format!("Job {job} not found"));
        let overview = self.manager.overview(job).map_err(missing)?;
        let details = self.manager.details(job).map_err(missing)?;
        let vertices = details.topology.vertices.iter().zip(&overview.requirements);
        Ok(vertices.filter_map(|(vertex, bounds)| Some((vertex.operators.first()?.id, *bounds))).collect())
    }

    /// Asks for another parallelism of all vertices.
    pub(super) fn set_bounds(&self, job: JobId, wanted: &[VertexBounds]) -> Result<()> {
        let details = self.manager.details(job).map_err(|_| ClusterError::NotFound(format!("Job {job} not found")))?;
        let mut wanted: BTreeMap<OperatorId, ParallelismBounds> = wanted.iter().copied().collect();
        let mut bounds = Vec::new();
        let mut missing = Vec::new();
        for vertex in &details.topology.vertices {
            match vertex.operators.first().and_then(|head| wanted.remove(&head.id)) {
                Some(ParallelismBounds { lower, upper: u32::MAX }) => {
                    bounds.push(ParallelismBounds { lower, upper: vertex.parallelism_limit() })
                }
                Some(given) => bounds.push(given),
                None => missing.push(format!("`{}`", vertex.name)),
            }
        }
        if !missing.is_empty() {
            return Err(ClusterError::BadRequest(format!("the request lacks the requirements of {}", missing.join(", "))));
        }
        if let Some(unknown) = wanted.keys().next() {
            return Err(ClusterError::BadRequest(format!("the job has no vertex {:032x}", unknown.0)));
        }
        accepted(self.request(job, JobRequest::Rescale(bounds))?)
    }

    /// The changes of the parallelism so far.
    pub(super) fn changes_of_parallelism(&self, job: JobId) -> Result<Rescales> {
        let missing = |_| ClusterError::NotFound(format!("Job {job} not found"));
        let overview = self.manager.overview(job).map_err(missing)?;
        let details = self.manager.details(job).map_err(missing)?;
        let settings = &details.settings.scheduler;
        let config = RescaleConfig {
            history: RESCALES_KEPT,
            reactive: settings.mode == SchedulerMode::Reactive,
            wait_timeout: settings.resource_wait_timeout,
            submission_stabilization: settings.submission_stabilization,
            executing_stabilization: settings.executing_stabilization,
            cooldown: settings.cooldown,
            max_checkpoint_failures: settings.max_checkpoint_failures,
        };
        Ok(Rescales { changes: overview.rescales, totals: overview.rescale_totals, config })
    }

    /// Asks for another parallelism, and waits until the job has it.
    pub(super) fn change_parallelism(&self, job: JobId, parallelism: u32) -> Result<()> {
        let before = self.manager.overview(job).map_err(|error| self.of_job(job, &error))?;
        let all = Some(ParallelismBounds::exactly(parallelism));
        accepted(self.request(job, JobRequest::RescaleTo { all, vertices: Vec::new() })?)?;
        let changed = rescale::wait(&before, PATIENCE, || self.manager.overview(job), |_| ());
        changed.map(drop).map_err(|error| ClusterError::Failed(error.to_string()))
    }
}

fn accepted(reply: JobReply) -> Result<()> {
    match reply {
        JobReply::Refused(reason) => Err(ClusterError::BadRequest(reason)),
        JobReply::Accepted | JobReply::Snapshot(_) => Ok(()),
    }
}
