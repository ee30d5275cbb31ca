//! What a client can do with a cluster, whichever it is: embedded, or behind a connection.

use crate::client::{JobOutcome, JobOverview, JobReply, JobRequest, OperatorReply};
use flott_core::{
    Error,
    id::{JobId, OperatorId},
};
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

    /// How results of jobs come back into the program. The same for the program that submits a job and for its workers, which must build
    /// the same graph.
    fn results(&self) -> ResultsBy {
        ResultsBy::Fetching
    }
}

/// How results of a job come back into the program that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultsBy {
    /// In the memory of this process.
    Memory,
    /// The program asks the job's sink: [`JobGateway::ask_operator`].
    Fetching,
    /// They do not: why.
    Nothing(&'static str),
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

    /// Asks the first subtask of an operator something that it understands.
    ///
    /// # Errors
    /// The operator has no answer, or nobody answers.
    fn ask_operator(&self, operator: OperatorId, body: Vec<u8>) -> Result<OperatorReply, Error> {
        let _ = (operator, body);
        Err(Error::invalid("operators of this job cannot be asked"))
    }
}
