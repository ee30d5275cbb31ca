//! The JobManager as the REST server sees it.

mod executables;
mod jobs;
mod logs;
mod programs;

use executables::Executables;
use flott_cluster::JobManager;
use flott_core::{
    Error, ErrorKind,
    config::{Configuration, options},
    id::JobId,
};
use flott_executable::Machine;
use flott_rpc::{
    client::{JobReply, JobRequest, SnapshotTaken},
    status::JobStatus,
};
use flott_web::{Cluster, ClusterError, Result, model};
use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How old the description of a job may be: dashboards ask for it many times at once.
const JOB_AGE: Duration = Duration::from_millis(500);

/// The JobManager behind the REST server.
pub(crate) struct Rest {
    manager: JobManager,
    configuration: Configuration,
    executables: Executables,
    log_folder: Option<PathBuf>,
    jobs: Mutex<HashMap<JobId, (Instant, Arc<model::Job>)>>,
}

impl Rest {
    /// Behind it is `manager`, which was started with `configuration`.
    ///
    /// # Errors
    /// The folder of logs is none.
    pub(crate) fn new(manager: JobManager, configuration: Configuration) -> std::result::Result<Self, Error> {
        let log_folder = configuration.get(&options::ENV_LOG_DIR)?.map(PathBuf::from);
        Ok(Rest { executables: Executables::default(), jobs: Mutex::default(), manager, configuration, log_folder })
    }

    fn request(&self, job: JobId, request: JobRequest) -> Result<JobReply> {
        self.manager.request(job, request).map_err(|error| self.of_job(job, &error))
    }

    fn snapshot(&self, job: JobId, request: JobRequest) -> Result<SnapshotTaken> {
        match self.request(job, request)? {
            JobReply::Snapshot(taken) => Ok(taken),
            JobReply::Refused(reason) => Err(ClusterError::Failed(reason)),
            JobReply::Accepted => Err(ClusterError::Failed("the job took the snapshot without naming it".to_owned())),
        }
    }

    /// An error that a job answered.
    fn of_job(&self, job: JobId, error: &Error) -> ClusterError {
        match self.manager.overview(job) {
            Err(_) => ClusterError::NotFound(format!("Job {job} not found")),
            Ok(overview) if overview.status.is_terminal() => ClusterError::Conflict(format!("job {job} has ended: {}", overview.status)),
            Ok(_) => of(error),
        }
    }
}

/// An error of the cluster as REST tells it.
fn of(error: &Error) -> ClusterError {
    let text = error.to_string();
    match error.kind() {
        ErrorKind::Invalid => ClusterError::BadRequest(text),
        ErrorKind::Unavailable => ClusterError::Unavailable(text),
        _ => ClusterError::Failed(text),
    }
}

impl Cluster for Rest {
    fn jobs(&self) -> Result<Vec<model::JobSummary>> {
        let mut jobs: Vec<model::JobSummary> = self
            .manager
            .jobs()
            .into_iter()
            .filter_map(|job| {
                let overview = self.manager.overview(job.id).ok()?;
                let details = self.manager.details(job.id).ok()?;
                Some(jobs::summary(&job, &overview, &details))
            })
            .collect();
        jobs.reverse();
        Ok(jobs)
    }

    fn job(&self, job: JobId) -> Result<Arc<model::Job>> {
        let known = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).get(&job).cloned();
        if let Some((at, known)) = known
            && at.elapsed() < JOB_AGE
        {
            return Ok(known);
        }
        let missing = |_| ClusterError::NotFound(format!("Job {job} not found"));
        let overview = self.manager.overview(job).map_err(missing)?;
        let outcome = if overview.status.is_terminal() { Some(self.manager.wait(job).map_err(missing)?) } else { None };
        let details = self.manager.details(job).map_err(missing)?;
        let figures = self.manager.figures(job).map_err(missing)?;
        let described = Arc::new(jobs::job(job, &overview, &details, &figures, outcome.as_ref()));
        let mut cache = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, (at, _)| at.elapsed() < JOB_AGE);
        cache.insert(job, (Instant::now(), described.clone()));
        Ok(described)
    }

    fn checkpoints(&self, job: JobId) -> Result<Arc<model::Checkpoints>> {
        let missing = |_| ClusterError::NotFound(format!("Job {job} not found"));
        let overview = self.manager.overview(job).map_err(missing)?;
        let details = self.manager.details(job).map_err(missing)?;
        Ok(Arc::new(jobs::checkpoints(&overview, &details)))
    }

    fn failures(&self, job: JobId) -> Result<Vec<model::Failure>> {
        let details = self.manager.details(job).map_err(|_| ClusterError::NotFound(format!("Job {job} not found")))?;
        Ok(details.history.failures.iter().map(|(at, failure)| model::Failure::of_task(*at, failure)).collect())
    }

    fn cancel(&self, job: JobId) -> Result<()> {
        match self.request(job, JobRequest::Cancel) {
            Ok(JobReply::Refused(reason)) => Err(ClusterError::Conflict(reason)),
            Ok(_) => Ok(()),
            // One that is cancelled already is what was asked for.
            Err(ClusterError::Conflict(_)) if self.manager.overview(job).is_ok_and(|job| job.status == JobStatus::Canceled) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn checkpoint(&self, job: JobId) -> Result<SnapshotTaken> {
        self.snapshot(job, JobRequest::TriggerCheckpoint)
    }

    fn savepoint(&self, job: JobId, directory: Option<&str>, cancel: bool) -> Result<SnapshotTaken> {
        let taken = self.snapshot(job, JobRequest::TriggerSavepoint { directory: directory.map(str::to_owned) })?;
        if cancel {
            self.cancel(job)?;
        }
        Ok(taken)
    }

    fn stop(&self, job: JobId, directory: Option<&str>, drain: bool) -> Result<SnapshotTaken> {
        self.snapshot(job, JobRequest::StopWithSavepoint { directory: directory.map(str::to_owned), drain })
    }

    fn dispose_savepoint(&self, _: &str) -> Result<()> {
        Err(ClusterError::BadRequest("savepoints cannot be removed by REST yet: remove the savepoint's folder".to_owned()))
    }

    fn task_managers(&self) -> Result<Vec<model::TaskManager>> {
        let all = self.manager.task_managers();
        Ok(all.iter().map(|(info, free, holders)| logs::task_manager(info, *free, holders)).collect())
    }

    fn job_manager(&self) -> Result<model::JobManager> {
        Ok(model::JobManager {
            configuration: self.configuration.iter().map(|(key, value, _)| (key.to_owned(), value.to_owned())).collect(),
            arguments: std::env::args().skip(1).collect(),
            metrics: logs::process_metrics(std::process::id()),
        })
    }

    fn logs(&self, process: &model::Process) -> Result<Vec<model::LogFile>> {
        self.process_number(process)?;
        logs::list(self.log_folder.as_deref(), process)
    }

    fn read_log(&self, process: &model::Process, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        self.process_number(process)?;
        logs::read(self.log_folder.as_deref(), process, name, offset, length)
    }

    fn threads(&self, process: &model::Process) -> Result<Vec<model::ThreadInfo>> {
        logs::threads(self.process_number(process)?)
    }

    fn executables(&self) -> Result<Vec<model::Executable>> {
        Ok(self.executables.list())
    }

    fn add_executable(&self, name: &str, file: &Path) -> Result<model::Executable> {
        flott_executable::check_named(file, name, Machine::here()).map_err(|error| of(&error))?;
        let id = self.manager.add_executable(file).map_err(|error| of(&error))?;
        Ok(self.executables.add(name, id))
    }

    fn remove_executable(&self, executable: &str) -> Result<()> {
        self.executables.remove(executable)
    }

    fn plan(&self, executable: &str, request: &model::RunRequest) -> Result<model::Plan> {
        programs::plan(&self.manager, &self.executables.get(executable)?, request)
    }

    fn run(&self, executable: &str, request: &model::RunRequest) -> Result<JobId> {
        programs::run(&self.manager, &self.executables.get(executable)?, request)
    }

    fn shut_down(&self) -> Result<()> {
        tracing::info!("told to end by REST");
        let end = || {
            // The answer goes out first.
            thread::sleep(Duration::from_millis(500));
            std::process::exit(0);
        };
        thread::Builder::new().spawn(end).map(|_| ()).map_err(|error| ClusterError::Failed(error.to_string()))
    }
}

impl Rest {
    /// The number of a process on this machine.
    fn process_number(&self, process: &model::Process) -> Result<u32> {
        match process {
            model::Process::JobManager => Ok(std::process::id()),
            model::Process::TaskManager(id) => {
                let all = self.manager.task_managers();
                let known = all.iter().find(|(info, _, _)| info.id == *id);
                known.map(|(info, _, _)| info.process).ok_or_else(|| ClusterError::NotFound(format!("there is no TaskManager `{id}`")))
            }
        }
    }
}
