//! A job that runs, in the hands of the program that started it.

use flott_core::{Error, ErrorKind, accumulator::AccumulatorValue, id::JobId};
use flott_rpc::{
    client::{CheckpointCounts, JobEnd, JobOverview, JobReply, JobRequest, SnapshotTaken},
    figures::{TaskFigures, merged_accumulators},
    gateway::JobGateway,
    status::JobStatus,
};
use std::{collections::BTreeMap, sync::Arc};

/// What a finished job leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct JobExecutionResult {
    /// The job.
    pub job: JobId,
    /// The accumulators of all tasks, merged.
    pub accumulators: BTreeMap<String, AccumulatorValue>,
    /// How often it, or a region of it, was restarted.
    pub restarts: u64,
    /// Its checkpoints.
    pub checkpoints: CheckpointCounts,
}

/// A job that was started. Dropping it does not end the job.
#[derive(Clone)]
pub struct JobClient {
    gateway: Arc<dyn JobGateway>,
}

impl std::fmt::Debug for JobClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobClient").field("job", &self.gateway.id()).finish()
    }
}

impl JobClient {
    pub(crate) fn new(gateway: Arc<dyn JobGateway>) -> Self {
        JobClient { gateway }
    }

    /// The job.
    pub fn job_id(&self) -> JobId {
        self.gateway.id()
    }

    /// Its state.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub fn status(&self) -> Result<JobStatus, Error> {
        Ok(self.gateway.overview()?.status)
    }

    /// The job as it stands: tasks, checkpoints, failures.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub fn overview(&self) -> Result<JobOverview, Error> {
        self.gateway.overview()
    }

    /// The figures of its tasks.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub fn figures(&self) -> Result<Vec<TaskFigures>, Error> {
        self.gateway.figures()
    }

    /// The accumulators of its tasks so far, merged; on a cluster up to a second old. Those of a job that has ended are in its result.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub fn accumulators(&self) -> Result<BTreeMap<String, AccumulatorValue>, Error> {
        Ok(merged_accumulators(&self.gateway.figures()?))
    }

    /// Ends the job without finishing anything; [`JobClient::wait`] tells when that is done.
    ///
    /// # Errors
    /// The job has ended already.
    pub fn cancel(&self) -> Result<(), Error> {
        match self.gateway.request(JobRequest::Cancel)? {
            JobReply::Refused(reason) => Err(Error::invalid(format!("the job cannot be cancelled: {reason}"))),
            JobReply::Accepted | JobReply::Snapshot(_) => Ok(()),
        }
    }

    /// Takes a checkpoint and waits until it is complete.
    ///
    /// # Errors
    /// It failed, or the job has ended.
    pub fn trigger_checkpoint(&self) -> Result<SnapshotTaken, Error> {
        self.snapshot(JobRequest::TriggerCheckpoint, "checkpoint")
    }

    /// Takes a savepoint under `directory`, or under `execution.checkpointing.savepoint-dir`, and waits until it is complete.
    ///
    /// # Errors
    /// It failed, no directory is known, or the job has ended.
    pub fn trigger_savepoint(&self, directory: Option<&str>) -> Result<SnapshotTaken, Error> {
        self.snapshot(JobRequest::TriggerSavepoint { directory: directory.map(str::to_owned) }, "savepoint")
    }

    /// Takes a savepoint and ends the job with it. With `drain`, event time is driven to its end first, so that all timers
    /// fire; a drained job must not be resumed.
    ///
    /// # Errors
    /// The savepoint failed (the job goes on), no directory is known, or the job has ended.
    pub fn stop_with_savepoint(&self, drain: bool, directory: Option<&str>) -> Result<SnapshotTaken, Error> {
        self.snapshot(JobRequest::StopWithSavepoint { directory: directory.map(str::to_owned), drain }, "savepoint")
    }

    fn snapshot(&self, request: JobRequest, what: &str) -> Result<SnapshotTaken, Error> {
        match self.gateway.request(request)? {
            JobReply::Snapshot(taken) => Ok(taken),
            JobReply::Refused(reason) => Err(Error::new(ErrorKind::Unavailable, format!("no {what} was taken: {reason}"))),
            JobReply::Accepted => Err(Error::new(ErrorKind::Internal, format!("the job took the {what} without naming it"))),
        }
    }

    /// Waits for the end of the job.
    ///
    /// # Errors
    /// It failed or was cancelled.
    pub fn wait(&self) -> Result<JobExecutionResult, Error> {
        let outcome = self.gateway.wait()?;
        match outcome.end {
            JobEnd::Finished => Ok(JobExecutionResult {
                job: self.gateway.id(),
                accumulators: outcome.accumulators,
                restarts: outcome.restarts,
                checkpoints: outcome.checkpoints,
            }),
            JobEnd::Canceled => Err(Error::new(ErrorKind::Cancelled, format!("job {} was cancelled", self.gateway.id()))),
            JobEnd::Failed(failure) => Err(Error::new(ErrorKind::User, format!("job {} failed", self.gateway.id())).with_source(failure)),
        }
    }
}
