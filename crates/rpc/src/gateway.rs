//! What a client can do with a cluster, whichever it is: embedded, or behind a connection.

use crate::client::{JobOutcome, JobOverview, JobReply, JobRequest};
use flott_core::{
    Error,
    id::{JobId, SubtaskId},
};
use flott_graph::JobGraph;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

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

/// The figures of a task, by metric name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFigures {
    /// The subtask.
    pub subtask: SubtaskId,
    /// The name of its vertex.
    pub name: String,
    /// The task's own.
    pub task: BTreeMap<String, i64>,
    /// Those of its operators, in the order of the chain.
    pub operators: Vec<(String, BTreeMap<String, i64>)>,
}
