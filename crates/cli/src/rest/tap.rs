//! Records of tasks, as their workers show them.

use super::{Rest, of};
use flott_core::id::{JobId, OperatorId};
use flott_rpc::tap::{TapRequest, WorkerAnswer, WorkerQuestion};
use flott_web::{ClusterError, Result, model};
use std::time::Duration;

/// How long a worker may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);

impl Rest {
    /// Asks all workers of a job for the records that tasks of a vertex have shown.
    pub(super) fn tapped(&self, job: JobId, vertex: OperatorId, wanted: model::TapWanted) -> Result<model::Tapped> {
        let missing = |_| ClusterError::NotFound(format!("Job {job} not found"));
        let details = self.manager.details(job).map_err(missing)?;
        let found = details.topology.vertices.iter().find(|one| one.operators[0].id == vertex);
        let found = found.ok_or_else(|| ClusterError::NotFound("the job has no such vertex".to_owned()))?;
        let overview = self.manager.overview(job).map_err(missing)?;
        if overview.status.is_terminal() {
            return Err(ClusterError::Conflict(format!("job {job} has ended: {}", overview.status)));
        }
        let model::TapWanted { subtask, per_second, lease_ms } = wanted;
        let question = WorkerQuestion::Tap(TapRequest { vertex: found.id, subtask, per_second, lease_ms });
        let asked = self.manager.ask_workers(job, question, TIMEOUT).map_err(|error| of(&error))?;
        let mut tapped = model::Tapped::default();
        let mut reasons = Vec::new();
        for answer in asked.answers {
            match answer {
                WorkerAnswer::Tapped(sample) => {
                    tapped.records.extend(sample.records);
                    tapped.missed += sample.missed;
                }
                WorkerAnswer::Failed(reason) => reasons.push(reason),
            }
        }
        tapped.records.sort_by_key(|record| record.at);
        if asked.silent > 0 {
            reasons.push(format!("{} workers did not answer within {} ms", asked.silent, TIMEOUT.as_millis()));
        }
        if asked.unable > 0 {
            reasons
                .push(format!("{} workers run a program that was built with a version of Flott without taps: build it anew", asked.unable));
        }
        tapped.message = (!reasons.is_empty()).then(|| reasons.join("; "));
        Ok(tapped)
    }
}
