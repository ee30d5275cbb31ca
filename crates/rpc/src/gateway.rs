//! What a client can do with a cluster, whichever it is: embedded, or behind a connection.

use crate::client::{JobOutcome, JobOverview, JobReply, JobRequest};
use flott_core::{Error, id::JobId};
use flott_graph::JobGraph;
use std::sync::Arc;

pub use crate::figures::TaskFigures;

/// Runs jobs.
pub trait JobExecutor: Send + Sync {
    /// Starts a job.
    ///
    /// # Errors
    /// The job cannot be started: its snapshot does not fit, its checkpoint directory cannot be used, or nobody answers.
    fn submit(&self, graph: JobGraph) -> Result<Arc<dyn JobGateway>, Error>;

    /// Whether jobs run in this process, so that their results can be handed over in it.
    fn is_local(&self) -> bool {
        false
    }
}

/// A job that was started.
pub trait JobGateway: Send + Sync {
    /// The job.
    fn id(&self) -> JobId;

    /// The job as it stands.
    ///
    /// # Errors
    /// Nobody answers.
    fn overview(&self) -> Result<JobOverview, Error>;

    /// Asks something of the job and waits for the answer.
    ///
    /// # Errors
    /// The job has ended, or nobody answers.
    fn request(&self, request: JobRequest) -> Result<JobReply, Error>;

    /// Waits for the end of the job.
    ///
    /// # Errors
    /// Nobody answers.
    fn wait(&self) -> Result<JobOutcome, Error>;

    /// The figures of the newest attempt of each subtask.
    ///
    /// # Errors
    /// Nobody answers.
    fn figures(&self) -> Result<Vec<TaskFigures>, Error>;
}
