//! The JobManager as the REST server sees it.

mod executables;
mod flames;
mod jobs;
mod logs;
mod programs;
mod rescaling;
mod tap;
mod task_managers;
mod uploads;

use crate::log::Files;
use executables::Executables;
use flames::{Flames, Key};
use flott_cluster::{AttemptRecord, DisposeError, JobDetails, JobManager, ProcessWatch, TrafficWatch};
use flott_core::{
    Error, ErrorKind,
    config::{
        Configuration,
        options::{self, Scope},
    },
    id::{JobId, OperatorId, SubtaskId},
};
use flott_executable::Machine;
use flott_rpc::{
    client::{JobReply, JobRequest, SnapshotTaken},
    status::{JobStatus, TaskStatus},
};
use flott_web::{Cluster, ClusterError, Result, model};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
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
    logs: Option<Files>,
    watch: ProcessWatch,
    traffic: TrafficWatch,
    flames: Flames,
    jobs: Mutex<HashMap<JobId, (Instant, Arc<model::Job>)>>,
}

impl Rest {
    /// Behind it is `manager`, which was started with `configuration` and logs to `logs`. Uploaded executables are kept in `uploads`, if
    /// that is given.
    ///
    /// # Errors
    /// An option has a value that makes no sense, or the folder cannot be used.
    pub(crate) fn new(
        manager: JobManager,
        configuration: Configuration,
        (logs, uploads): (Option<Files>, Option<PathBuf>),
    ) -> std::result::Result<Self, Error> {
        let (executables, watch) = (Executables::open(uploads)?, ProcessWatch::default());
        let traffic = TrafficWatch::new(manager.traffic().clone());
        let flames = Flames::start(manager.clone(), &configuration)?;
        Ok(Rest { executables, jobs: Mutex::default(), manager, configuration, logs, watch, traffic, flames })
    }

    /// The machines of the TaskManagers of a job that are there.
    fn hosts(&self, details: &JobDetails) -> BTreeMap<String, String> {
        let task_managers: BTreeSet<&String> = details.slots.values().collect();
        let host = |id: &String| Some((id.clone(), self.manager.process_figures(id)?.1.host));
        task_managers.into_iter().filter_map(host).collect()
    }

    /// The configuration of this process. A port of 0 stands for any: what is shown is the one that it got.
    fn settings(&self) -> Vec<model::Setting> {
        let mut settings = model::Setting::all(&self.configuration, Scope::JobManager);
        let port = settings.iter_mut().find(|setting| setting.key == options::JOBMANAGER_RPC_PORT.key() && setting.value == "0");
        if let Some(port) = port {
            port.value = self.manager.address().port().to_string();
        }
        settings
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
                // Only they know whether it opens its functions.
                let on_its_way = overview.tasks.iter().any(|(_, status)| *status == TaskStatus::Deploying);
                let figures = if on_its_way { self.manager.figures(job.id).ok()? } else { Vec::new() };
                Some(jobs::summary(&job, &overview, &details, &figures))
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
        let rates = self.manager.rates(job).map_err(missing)?;
        let enumerators = self.manager.enumerators(job).map_err(missing)?;
        let measured = (&figures[..], &rates, &enumerators);
        let described = Arc::new(jobs::job(job, &overview, &details, &self.hosts(&details), measured, outcome.as_ref()));
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
        let hosts = self.hosts(&details);
        Ok(details.history.failures.iter().map(|failure| jobs::failure(failure, &details, &hosts)).collect())
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

    fn savepoint_directory(&self, job: JobId) -> Result<Option<String>> {
        let details = self.manager.details(job).map_err(|_| ClusterError::NotFound(format!("Job {job} not found")))?;
        Ok(details.settings.checkpoints.savepoint_dir.as_ref().map(|directory| directory.display().to_string()))
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

    fn requirements(&self, job: JobId) -> Result<Vec<model::VertexBounds>> {
        self.bounds(job)
    }

    fn set_requirements(&self, job: JobId, requirements: &[model::VertexBounds]) -> Result<()> {
        self.set_bounds(job, requirements)
    }

    fn rescale(&self, job: JobId, parallelism: u32) -> Result<()> {
        self.change_parallelism(job, parallelism)
    }

    fn rescales(&self, job: JobId) -> Result<model::Rescales> {
        self.changes_of_parallelism(job)
    }

    fn dispose_savepoint(&self, location: &str) -> Result<()> {
        self.manager.dispose_savepoint(location).map_err(|error| match error {
            DisposeError::Unknown { .. } => ClusterError::NotFound(error.to_string()),
            DisposeError::Checkpoint { .. } | DisposeError::InUse { .. } => ClusterError::Conflict(error.to_string()),
            other => of(&other.into()),
        })
    }

    fn task_managers(&self) -> Result<Vec<model::TaskManager>> {
        let all = self.manager.task_managers();
        let described = all.iter().map(|(info, held)| {
            let (figures, from) = (self.manager.process_figures(&info.id), self.manager.task_manager_address(&info.id));
            task_managers::task_manager(info, held, figures.as_ref(), from)
        });
        Ok(described.collect())
    }

    fn job_manager(&self) -> Result<model::JobManager> {
        let figures = self.watch.read(&[]);
        let mut metrics = task_managers::metrics(&figures);
        metrics.extend(self.traffic.metrics().map(|(name, value)| (name.to_owned(), value)));
        Ok(model::JobManager { metrics, host: figures.host, arguments: std::env::args().skip(1).collect() })
    }

    fn logs(&self, process: &model::Process) -> Result<Vec<model::LogFile>> {
        logs::list(&self.manager, self.logs.as_ref(), process)
    }

    fn read_log(&self, process: &model::Process, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        logs::read(&self.manager, self.logs.as_ref(), process, name, offset, length)
    }

    fn configuration(&self, process: &model::Process) -> Result<Vec<model::Setting>> {
        match process {
            model::Process::JobManager => Ok(self.settings()),
            model::Process::TaskManager(id) => logs::options(&self.manager, id),
        }
    }

    fn threads(&self, process: &model::Process) -> Result<Vec<model::ThreadInfo>> {
        logs::threads(&self.manager, process)
    }

    fn stacks(&self, job: JobId, vertex: OperatorId) -> Result<model::Stacks> {
        let details = self.manager.details(job).map_err(|_| ClusterError::NotFound(format!("Job {job} not found")))?;
        let found = details.topology.vertices.iter().find(|one| one.operators[0].id == vertex);
        let found = found.ok_or_else(|| ClusterError::NotFound("the job has no such vertex".to_owned()))?;
        let overview = self.manager.overview(job).map_err(|error| of(&error))?;
        let mut tasks = overview.tasks.iter().filter(|(subtask, _)| subtask.vertex == found.id);
        if overview.status.is_terminal() || tasks.all(|(_, status)| *status == TaskStatus::Finished) {
            return Ok(model::Stacks::Ended);
        }
        let newest = |(subtask, attempts): (&SubtaskId, &VecDeque<AttemptRecord>)| Some((subtask.index, attempts.back()?.number));
        let of_vertex = details.history.attempts.iter().filter(|(subtask, _)| subtask.vertex == found.id);
        let attempts = of_vertex.filter_map(newest).collect();
        Ok(self.flames.get(Key { job, vertex: found.id, operator: vertex, attempts }))
    }

    fn tap(&self, job: JobId, vertex: OperatorId, wanted: model::TapWanted) -> Result<model::Tapped> {
        self.tapped(job, vertex, wanted)
    }

    fn executables(&self) -> Result<Vec<model::Executable>> {
        self.executables.list()
    }

    fn add_executable(&self, name: &str, file: &Path) -> Result<model::Executable> {
        flott_executable::check_named(file, name, Machine::here()).map_err(|error| of(&error))?;
        let id = self.manager.add_executable(file).map_err(|error| of(&error))?;
        self.executables.add(&self.manager, name, id)
    }

    fn remove_executable(&self, executable: &str) -> Result<()> {
        self.executables.remove(executable)
    }

    fn plan(&self, executable: &str, request: &model::RunRequest) -> Result<model::Plan> {
        programs::plan(&self.manager, &self.executables.get(&self.manager, executable)?, request)
    }

    fn run(&self, executable: &str, request: &model::RunRequest) -> Result<JobId> {
        programs::run(&self.manager, &self.executables.get(&self.manager, executable)?, request)
    }

    fn shut_down(&self) -> Result<()> {
        tracing::info!("told to end by REST, with the whole cluster");
        self.manager.end_cluster().map_err(|error| of(&error))?;
        let manager = self.manager.clone();
        let end = move || {
            // The answer goes out first, and what the TaskManagers are told.
            thread::sleep(Duration::from_millis(500));
            manager.retire();
            std::process::exit(0);
        };
        thread::Builder::new().spawn(end).map(|_| ()).map_err(|error| ClusterError::Failed(error.to_string()))
    }
}
