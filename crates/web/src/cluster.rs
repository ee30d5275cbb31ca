//! The cluster as the server sees it.

use crate::model::{
    Checkpoints, Executable, Failure, Job, JobManager, JobSummary, LogFile, Plan, Process, Rescales, RunRequest, Setting, Stacks,
    TapWanted, Tapped, TaskManager, ThreadInfo, VertexBounds,
};
use flott_core::id::{JobId, OperatorId};
use flott_rpc::client::SnapshotTaken;
use std::{path::Path, sync::Arc};

/// Why the cluster does not answer a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// What was named does not exist: status 404.
    #[error("{0}")]
    NotFound(String),
    /// It exists, and its state does not allow the call: status 409.
    #[error("{0}")]
    Conflict(String),
    /// The call makes no sense: status 400.
    #[error("{0}")]
    BadRequest(String),
    /// Not now; try again: status 503.
    #[error("{0}")]
    Unavailable(String),
    /// It was tried, and failed: status 500.
    #[error("{0}")]
    Failed(String),
}

/// Answers of a cluster.
pub type Result<T> = std::result::Result<T, ClusterError>;

/// The cluster behind the server. Every method may block: the server calls them on threads that may wait.
///
/// `# Errors` of all methods: see [`ClusterError`]; a job, TaskManager, file or executable that does not exist is `NotFound`.
#[allow(clippy::missing_errors_doc)]
pub trait Cluster: Send + Sync + 'static {
    /// All jobs that are known: running ones, then the last ended ones, newest first.
    fn jobs(&self) -> Result<Vec<JobSummary>>;

    /// A job with everything in it. Called often: an implementation may hand out the same value for a second or so.
    fn job(&self, job: JobId) -> Result<Arc<Job>>;

    /// The checkpoints of a job.
    fn checkpoints(&self, job: JobId) -> Result<Arc<Checkpoints>>;

    /// The failures of a job, newest first.
    fn failures(&self, job: JobId) -> Result<Vec<Failure>>;

    /// Begins to cancel a job. One that is cancelled already is no error; one that has ended otherwise is a `Conflict`.
    fn cancel(&self, job: JobId) -> Result<()>;

    /// Takes a checkpoint and waits for it.
    fn checkpoint(&self, job: JobId) -> Result<SnapshotTaken>;

    /// The directory of savepoints of a job for which none is named.
    fn savepoint_directory(&self, job: JobId) -> Result<Option<String>>;

    /// Takes a savepoint, under `directory` if one is given, and waits for it; then cancels the job if `cancel` says so.
    fn savepoint(&self, job: JobId, directory: Option<&str>, cancel: bool) -> Result<SnapshotTaken>;

    /// Stops a job with a savepoint and waits for its end.
    fn stop(&self, job: JobId, directory: Option<&str>, drain: bool) -> Result<SnapshotTaken>;

    /// The parallelism that each vertex of a job may have.
    fn requirements(&self, job: JobId) -> Result<Vec<VertexBounds>>;

    /// Runs a job with another parallelism from now on; takes all vertices or none. Does not wait until it does.
    fn set_requirements(&self, job: JobId, requirements: &[VertexBounds]) -> Result<()>;

    /// Runs a job with this parallelism, as far as its vertices can have it. Returns when it does.
    fn rescale(&self, job: JobId, parallelism: u32) -> Result<()>;

    /// The changes of a job's parallelism.
    fn rescales(&self, job: JobId) -> Result<Rescales>;

    /// Removes the savepoint at `location`.
    fn dispose_savepoint(&self, location: &str) -> Result<()>;

    /// The TaskManagers.
    fn task_managers(&self) -> Result<Vec<TaskManager>>;

    /// The JobManager.
    fn job_manager(&self) -> Result<JobManager>;

    /// The log files of a process.
    fn logs(&self, process: &Process) -> Result<Vec<LogFile>>;

    /// Up to `length` bytes from `offset` of the log file `name`, which is one that [`Cluster::logs`] has listed; fewer only at its
    /// end.
    fn read_log(&self, process: &Process, name: &str, offset: u64, length: usize) -> Result<Vec<u8>>;

    /// The options that a process reads, and others that it was given. Values that look like secrets never leave the server.
    fn configuration(&self, process: &Process) -> Result<Vec<Setting>>;

    /// What the threads of a process are doing.
    fn threads(&self, process: &Process) -> Result<Vec<ThreadInfo>>;

    /// Where the tasks of a vertex were when they were last looked at. The first who asks has them looked at, and does not wait for it.
    fn stacks(&self, job: JobId, vertex: OperatorId) -> Result<Stacks>;

    /// Has the tasks of a vertex show some of their records for a while longer, and takes what they have shown since this was last
    /// asked. A job whose tasks show nothing, as it has ended, is a `Conflict`.
    fn tap(&self, job: JobId, vertex: OperatorId, wanted: TapWanted) -> Result<Tapped>;

    /// The executables that were uploaded.
    fn executables(&self) -> Result<Vec<Executable>>;

    /// Takes in the executable at `file`, which is removed afterwards. `name` is for people: it is not a path.
    fn add_executable(&self, name: &str, file: &Path) -> Result<Executable>;

    /// Removes an executable.
    fn remove_executable(&self, executable: &str) -> Result<()>;

    /// The graph of an executable's program.
    fn plan(&self, executable: &str, request: &RunRequest) -> Result<Plan>;

    /// Starts an executable's program and waits until its job is known.
    fn run(&self, executable: &str, request: &RunRequest) -> Result<JobId>;

    /// Begins to end the whole cluster.
    fn shut_down(&self) -> Result<()>;
}
