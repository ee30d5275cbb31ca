//! Between the processes of a cluster: JobManager, TaskManagers, workers, clients.
//!
//! ```text
//!  client ──submit, ask──▶ JobManager ◀──register, workers that ended── TaskManager
//!                              │  ▲                                          │ starts and ends
//!                     deploy, commands  reports ◀──────────────────────── worker, one for each job
//! ```
//! Every message is encoded with the names of its fields, so that a process of another version passes over what it does not know and
//! takes the default of what it misses. New fields get `#[serde(default)]`; a field is never given another meaning.

use crate::{
    client::{JobOutcome, JobOverview, JobReply, JobRequest, OperatorReply},
    figures::{ProcessFigures, TaskFigures},
    inventory::WorkerInventory,
    observe::{Answer, Question},
    status::JobStatus,
    tap::{WorkerAnswer, WorkerQuestion},
    task::{EnumeratorCommand, EnumeratorReport, TaskCommand, TaskDeployment, TaskReport},
};
use flott_core::{
    ErrorKind, Timestamp,
    config::Configuration,
    error::TaskFailure,
    id::{AttemptId, JobId, OperatorId, VertexId},
    secret::Secret,
};
use flott_graph::{JobTopology, settings::JobSettings};
use serde::{Deserialize, Serialize};
use std::{fmt, net::SocketAddr, path::PathBuf};

pub use crate::protocol::{OLDEST_PROTOCOL, PROTOCOL, refusal};

/// The first message of a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`] of the process.
    pub protocol: u32,
    /// The version of Flott that it was built with.
    pub version: String,
    /// Who it is.
    pub role: Role,
    /// The token of a client, where the cluster asks for one.
    #[serde(default, with = "flott_core::secret::in_message")]
    pub token: Option<Secret>,
}

/// Who speaks to the JobManager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Role {
    /// Someone with one request.
    Client,
    /// A process that offers slots.
    TaskManager(TaskManagerInfo),
    /// A process that runs tasks of one job.
    Worker(WorkerInfo),
}

/// The answer to a [`Hello`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Welcome {
    /// Go on.
    Accepted,
    /// This JobManager does not lead. Where the one is that does, `host:port`, as far as this one knows.
    NotLeader(Option<String>),
    /// Why not, and what to do about it.
    Refused(String),
}

/// The content of an executable: SHA-256, as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExecutableId(pub String);

impl fmt::Debug for ExecutableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExecutableId({self})")
    }
}

impl fmt::Display for ExecutableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A TaskManager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskManagerInfo {
    /// Its name, unique in the cluster.
    pub id: String,
    /// The slots that it offers.
    pub slots: u32,
    /// The process.
    pub process: u32,
    /// Processors of its machine.
    pub cpu_cores: u32,
    /// Bytes of memory of its machine.
    pub memory_bytes: u64,
    /// Tells this process from others that had its name.
    #[serde(default)]
    pub incarnation: String,
    /// The workers that it runs: of jobs that another leader had given slots here.
    #[serde(default)]
    pub workers: Vec<(JobId, u64)>,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerInfo {
    /// The job that it works for.
    pub job: JobId,
    /// Its number, unique in the job.
    pub worker: u64,
    /// Where other workers bring it records.
    pub data_address: SocketAddr,
    /// The graph that it has built: must be the one that was submitted.
    pub topology: JobTopology,
    /// What it runs, if it has worked for another leader.
    #[serde(default)]
    pub inventory: Option<WorkerInventory>,
    /// Whether it answers questions: one of an older version would take them for a broken connection.
    #[serde(default)]
    pub answers: bool,
}

/// A job to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSubmission {
    /// The number that it is to have; chosen by the JobManager if there is none.
    pub job: Option<JobId>,
    /// What is run.
    pub program: Program,
    /// The graph that the program builds.
    pub topology: JobTopology,
    /// What it is run with.
    pub settings: JobSettings,
}

/// A program, its arguments, and what it finds around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// The executable.
    pub executable: ExecutableId,
    /// Its arguments, without its own name.
    pub arguments: Vec<String>,
    /// The options that it was started with.
    pub configuration: Configuration,
    /// The folder that it was started in: relative paths mean the same in workers on a machine that has it.
    pub folder: PathBuf,
}

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ClientRequest {
    /// Whether an executable is there.
    HasExecutable(ExecutableId),
    /// The next bytes of an executable; the last are empty.
    PutExecutable(ExecutableId, #[serde(with = "serde_bytes")] Vec<u8>),
    /// Bytes of an executable, from an offset on; none behind its end.
    GetExecutable(ExecutableId, u64),
    /// Run a job.
    Submit(Box<JobSubmission>),
    /// All jobs.
    ListJobs,
    /// A job as it stands.
    Overview(JobId),
    /// The figures of its tasks.
    Figures(JobId),
    /// Something of a job.
    Job(JobId, JobRequest),
    /// Answer when it has ended.
    Wait(JobId),
    /// A question to the first subtask of an operator, which understands what is in it.
    AskOperator(JobId, OperatorId, #[serde(with = "serde_bytes")] Vec<u8>),
    /// Remove the savepoint at this path, if the JobManager knows it.
    DisposeSavepoint(String),
}

/// The answer to a [`ClientRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ClientReply {
    /// Yes or no.
    Is(bool),
    /// Taken.
    Done,
    /// Bytes of an executable.
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The job was started.
    Submitted(JobId),
    /// All jobs, the newest last.
    Jobs(Vec<JobSummary>),
    /// A job.
    Overview(Box<JobOverview>),
    /// Figures.
    Figures(Vec<TaskFigures>),
    /// What became of a request to a job.
    Job(JobReply),
    /// How it has ended.
    Ended(Box<JobOutcome>),
    /// It cannot be: which kind of error, and why.
    Failed(ErrorKind, String),
    /// What became of a question to an operator.
    Operator(OperatorReply),
}

/// A job in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSummary {
    /// The job.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its state.
    pub status: JobStatus,
    /// When it was submitted, ms since 1970.
    pub started: Timestamp,
    /// When it ended, ms since 1970.
    pub ended: Option<Timestamp>,
}

/// To a TaskManager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToTaskManager {
    /// Start a worker.
    StartWorker {
        /// The job that it is for.
        job: JobId,
        /// Its number.
        worker: u64,
        /// What to run.
        program: Program,
        /// The secret that the workers of the job share.
        token: String,
    },
    /// End a worker, if it still runs.
    StopWorker {
        /// The job.
        job: JobId,
        /// Its number.
        worker: u64,
    },
    /// Still there.
    Heartbeat,
    /// Something that people want to see, with a number for the answer.
    Ask(u64, Question),
    /// The whole cluster ends: so are its workers, and it itself.
    End,
}

/// From a TaskManager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromTaskManager {
    /// A worker has ended, or could not be started.
    WorkerEnded {
        /// The job.
        job: JobId,
        /// Its number.
        worker: u64,
        /// How: an exit code, a signal, an error.
        reason: String,
    },
    /// Still there.
    Heartbeat,
    /// What it and its workers use, every now and then; also a sign of life.
    Figures(ProcessFigures),
    /// The answer to the question of this number.
    Answer(u64, Answer),
}

/// To a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Start tasks.
    Deploy {
        /// Those that run here.
        here: Vec<TaskDeployment>,
        /// All attempts that start together, here and elsewhere, and where records are brought to them.
        region: Vec<(AttemptId, SocketAddr)>,
    },
    /// For a task.
    Command(AttemptId, TaskCommand),
    /// For an enumerator.
    Enumerator {
        /// The source.
        vertex: VertexId,
        /// Counts the commands of an enumerator.
        number: u64,
        /// What to do.
        command: EnumeratorCommand,
    },
    /// The job has ended, or needs this worker no more.
    Stop,
    /// Something that people want to see, with a number for the answer. Only for one that says that it answers.
    Ask(u64, WorkerQuestion),
}

/// From a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// From a task.
    Task(AttemptId, TaskReport),
    /// A task is gone without a word.
    TaskLost(AttemptId, String),
    /// From an enumerator.
    Enumerator {
        /// The source.
        vertex: VertexId,
        /// The number of the last command that it had handled.
        after: u64,
        /// What it says.
        report: EnumeratorReport,
    },
    /// The figures of its tasks, every now and then.
    Figures(Vec<TaskFigures>),
    /// It cannot work for the job.
    Failed(TaskFailure),
    /// The answer to the question of this number.
    Answer(u64, WorkerAnswer),
}

/// What a program finds in its environment when it was started for a cluster, as JSON in the variable [`PART_VARIABLE`]. Nothing of it
/// is a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Part {
    /// Submit the job to this JobManager.
    Client {
        /// The JobManager.
        job_manager: String,
        /// The program, which the JobManager has already.
        executable: ExecutableId,
        /// Whether the program ends when its job is submitted.
        detached: bool,
        /// The number that its job is to have.
        #[serde(default)]
        job: Option<JobId>,
        /// Whether there is a [`Handover`](crate::handover::Handover).
        #[serde(default)]
        handover: bool,
    },
    /// Print the plan of the job, as JSON, and end.
    Plan,
    /// Print the graph of the job, as JSON, and end.
    Graph,
    /// Run tasks. There is a [`Handover`](crate::handover::Handover).
    Worker {
        /// The JobManager.
        job_manager: String,
        /// The job.
        job: JobId,
        /// The number of the worker.
        worker: u64,
        /// The address that records of other workers are taken on.
        bind: String,
        /// The folder that the program was submitted from.
        folder: PathBuf,
        /// Whether it goes on without a JobManager until its TaskManager names the next one.
        #[serde(default)]
        survives: bool,
        /// Whether it waits for [`Notice::Begin`], which names worker and JobManager.
        #[serde(default)]
        standby: bool,
        /// Where copies of the job's state are kept on this machine; none are without.
        #[serde(default)]
        copies: Option<PathBuf>,
    },
}

/// A line on the standard input of a worker, from its TaskManager, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Notice {
    /// This JobManager leads now, `host:port`; any earlier one is not to be heard any more.
    Leader(String),
    /// One that has stood by is this worker from now on.
    Begin {
        /// The number of the worker.
        worker: u64,
        /// The JobManager that leads, `host:port`.
        job_manager: String,
    },
}

/// The environment variable that holds a [`Part`].
pub const PART_VARIABLE: &str = "_FLOTT_PART";

/// The environment variable that says where the options were given that a program finds in its other variables, because whoever has
/// started it was given them: origins by key, as JSON. For people.
pub const ORIGINS_VARIABLE: &str = "_FLOTT_ORIGINS";
