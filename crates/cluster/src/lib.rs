//! Turns the libraries below into running processes.
//!
//! [`EmbeddedCluster`] runs jobs inside the program that wrote them: a thread for the job's decisions (`flott-jobmanager`),
//! one for each task (`flott-runtime`), one for the enumerators of sources, and a few for storage. [`exchange`] leads channels
//! to tasks in other processes.
//!
//! A [`JobManager`], TaskManagers ([`taskmanager`]) and workers ([`WorkerExecutor`]) are the same in several processes;
//! [`RemoteCluster`] submits a job to them.
//!
//! What is not here: decisions, and what tasks do.

mod background;
mod control;
mod embedded;
mod enumerators;
pub mod exchange;
mod executables;
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod job;
mod jobmanager;
mod launch;
mod logs;
mod plan_only;
mod process;
mod remote;
mod restore;
mod rolling;
#[cfg(feature = "stepped")]
pub mod stepped;
mod storage_thread;
mod taps;
pub mod taskmanager;
mod tasks;
mod thread;
mod threads;
mod traffic;
mod worker;

pub use embedded::EmbeddedCluster;
pub use flott_jobmanager::job_master::RESCALES_KEPT;
pub use jobmanager::{
    Acknowledgement, Acknowledgements, AttemptFigures, AttemptRecord, CheckpointEnd, CheckpointRecord, DisposeError, FailureRecord,
    HeldSlot, HighAvailability, JobDetails, JobHistory, JobManager, JobManagerOptions, RestoreRecord, TaskRates, TaskThreads,
    WorkerAnswers,
};
pub use logs::LogFolder;
pub use plan_only::PlanOnly;
pub use process::{ProcessWatch, host_name};
pub use remote::{JobManagerClient, RemoteCluster};
pub use restore::{LATEST, check_start};
pub use rolling::{RollingFile, Rotation};
pub use thread::SystemClock;
pub use threads::threads;
pub use traffic::TrafficWatch;
pub use worker::WorkerExecutor;
