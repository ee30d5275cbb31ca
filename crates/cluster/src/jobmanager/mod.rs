//! A JobManager: takes jobs and TaskManagers, gives slots to jobs, runs the JobMaster of each job.

mod acknowledged;
mod connections;
mod history;
mod jobs;
mod observed;
mod remote_host;

use crate::{
    executables::ExecutableStore,
    job::{Ended, Message},
    launch::{launch, no_thread, random_u128},
    storage_thread,
    thread::SystemClock,
};
pub use acknowledged::{Acknowledgement, Acknowledgements};
use flott_core::{
    Error, ErrorKind, Timestamp,
    id::JobId,
    time::{Clock, SharedClock},
};
use flott_graph::{JobTopology, settings::JobSettings};
use flott_jobmanager::{
    JobEvent,
    resource_manager::{ResourceManager, SlotGrant},
};
use flott_rpc::{
    client::{JobOutcome, JobOverview, JobReply, JobRequest},
    control::{ExecutableId, JobSubmission, JobSummary, Program, TaskManagerInfo, ToTaskManager},
    gateway::TaskFigures,
};
pub(crate) use history::SharedHistory;
pub use history::{AttemptRecord, CheckpointEnd, CheckpointRecord, JobHistory};
use jobs::{Job, JobParts};
pub use observed::TaskThreads;
use remote_host::{Cluster, RemoteHost, WorkerFigures};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How long a worker may take to end when its job has ended.
const WORKER_END_TIMEOUT: Duration = Duration::from_secs(5);

/// Ended jobs that are remembered. Flink's `jobstore.max-capacity`, though that is unbounded unless set.
const ENDED_JOBS: usize = 100;

/// What a JobManager is started with.
#[derive(Debug, Clone)]
pub struct JobManagerOptions {
    /// Where it takes connections, `host:port`. Only of this machine: nobody is asked who they are yet.
    pub bind: String,
    /// Where it keeps executables.
    pub folder: PathBuf,
    /// Time between signs of life.
    pub heartbeat_interval: Duration,
    /// Silence after which a process counts as gone.
    pub heartbeat_timeout: Duration,
}

/// A JobManager, running. Cheap to clone: clones are the same one.
#[derive(Clone)]
pub struct JobManager(Arc<Inner>);

impl std::fmt::Debug for JobManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobManager").field("address", &self.0.address).finish_non_exhaustive()
    }
}

/// What a job is, and what has happened to it.
#[derive(Debug, Clone)]
pub struct JobDetails {
    /// Its graph.
    pub topology: Arc<JobTopology>,
    /// What it is run with.
    pub settings: Arc<JobSettings>,
    /// The program.
    pub program: Program,
    /// When it was submitted, ms since 1970.
    pub started: Timestamp,
    /// When it ended, ms since 1970.
    pub ended: Option<Timestamp>,
    /// What has happened.
    pub history: JobHistory,
    /// The TaskManager of each slot that it has had.
    pub slots: BTreeMap<u32, String>,
}

struct Inner {
    address: SocketAddr,
    options: JobManagerOptions,
    executables: ExecutableStore,
    clock: SystemClock,
    observed: observed::Observed,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    resources: ResourceManager,
    task_managers: BTreeMap<String, (TaskManagerInfo, crate::control::Link<ToTaskManager>)>,
    jobs: BTreeMap<JobId, Job>,
    /// Jobs that are being submitted.
    starting: BTreeSet<JobId>,
}

impl JobManager {
    /// Starts to take connections.
    ///
    /// # Errors
    /// The address is taken or is not this machine's own, or the folder cannot be used.
    pub fn start(options: JobManagerOptions) -> Result<Self, Error> {
        let listener = TcpListener::bind(options.bind.as_str()).map_err(|error| {
            let text = format!(
                "cannot listen on `{}`: is another JobManager running there? Set `jobmanager.rpc.port` to choose another port",
                options.bind
            );
            Error::new(ErrorKind::Unavailable, text).with_source(error)
        })?;
        let address = listener.local_addr().map_err(no_thread)?;
        if !address.ip().is_loopback() {
            return Err(Error::invalid(format!(
                "`{address}` can be reached from other machines, which needs authentication and encryption; they are not there yet: \
                 set `jobmanager.rpc.address` to a loopback address"
            )));
        }
        let executables = ExecutableStore::open(&options.folder)?;
        let inner = Inner {
            address,
            options,
            executables,
            clock: SystemClock::default(),
            observed: observed::Observed::default(),
            state: Mutex::default(),
        };
        let manager = JobManager(Arc::new(inner));
        connections::accept(manager.clone(), listener)?;
        Ok(manager)
    }

    /// Where it takes connections.
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// Takes an executable in.
    ///
    /// # Errors
    /// It cannot be read or kept.
    pub fn add_executable(&self, path: &Path) -> Result<ExecutableId, Error> {
        self.0.executables.add(path)
    }

    /// Where an executable is, if it is there.
    ///
    /// # Errors
    /// The name is no digest.
    pub fn executable(&self, id: &ExecutableId) -> Result<Option<PathBuf>, Error> {
        self.0.executables.find(id)
    }

    /// Starts a job.
    ///
    /// # Errors
    /// Its executable is not there, its number is taken, or what it starts from does not fit.
    pub fn submit(&self, submission: JobSubmission) -> Result<JobId, Error> {
        let id = submission.job.unwrap_or_else(|| JobId(random_u128()));
        let JobSubmission { program, topology, settings, .. } = submission;
        if !self.0.executables.has(&program.executable) {
            return Err(Error::invalid(format!("executable {} was not brought before the job", program.executable)));
        }
        {
            let state = &mut *self.lock();
            // Of two at once, the second would take the storage from the first.
            if state.jobs.contains_key(&id) || !state.starting.insert(id) {
                return Err(Error::invalid(format!("there is a job {id} already")));
            }
        }
        let started = self.start_job(id, program, topology, settings);
        self.lock().starting.remove(&id);
        started.map(|()| id)
    }

    fn start_job(&self, id: JobId, program: Program, topology: JobTopology, settings: JobSettings) -> Result<(), Error> {
        let launch = launch(id, topology.clone(), settings.clone())?;
        let history = SharedHistory::default();
        let (messages, inbox) = mpsc::channel();
        let ended = Arc::new(Ended::default());
        let figures = WorkerFigures::default();
        let clock: SharedClock = Arc::new(self.0.clock);
        let to_job = messages.clone();
        // A job that has ended hears no more.
        let report = move |event: JobEvent| drop(to_job.send(Message::Event(event)));
        let thread = crate::job::JobThread {
            host: RemoteHost::new(id, topology.clone(), Arc::new(self.clone()), figures.clone()),
            storage: storage_thread::start(launch.storage, id, launch.epoch, report).map_err(no_thread)?,
            master: launch.master,
            clock,
            ended: ended.clone(),
            requests: HashMap::new(),
            next_request: 0,
            history: Some(history.clone()),
        };
        let started = self.0.clock.wall();
        history.created(started);
        let first = thread.master.overview();
        let job = Job::new(JobParts { topology, settings, program, started, messages, ended: ended.clone(), figures, history, first });
        self.lock().jobs.insert(id, job);
        tracing::info!(job = %id, "job submitted");
        let manager = self.clone();
        let last_checkpoint = launch.last_checkpoint;
        let run = move || {
            let overview = thread.master.overview();
            if let Err(panic) = flott_runtime::panics::catching(move || thread.run(&inbox, last_checkpoint)) {
                ended.set_panicked(&panic, overview);
            }
            manager.job_ended(id);
        };
        thread::Builder::new().name("flott-job".to_owned()).spawn(run).map(|_| ()).map_err(no_thread)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn job_ended(&self, id: JobId) {
        let state = &mut *self.lock();
        if let Some(job) = state.jobs.get_mut(&id) {
            job.set_ended(self.0.clock.wall());
            let workers = job.take_workers();
            let manager = self.clone();
            // They were told to end.
            let stop = move || {
                thread::sleep(WORKER_END_TIMEOUT);
                let state = manager.lock();
                for (worker, task_manager) in workers {
                    if let Some((_, link)) = state.task_managers.get(&task_manager) {
                        link.send(ToTaskManager::StopWorker { job: id, worker });
                    }
                }
            };
            if let Err(error) = thread::Builder::new().name("flott-stop".to_owned()).spawn(stop) {
                tracing::warn!(%error, "workers of an ended job may stay");
            }
        }
        let grants = state.resources.job_ended(id);
        state.grant(grants);
        state.forget_old_jobs();
    }

    /// All jobs, the newest last.
    pub fn jobs(&self) -> Vec<JobSummary> {
        let handles: Vec<(JobId, jobs::JobHandle, Timestamp, Option<Timestamp>)> =
            self.lock().jobs.iter().map(|(id, job)| (*id, job.handle(), job.started, job.ended_at)).collect();
        let mut jobs: Vec<JobSummary> = handles
            .into_iter()
            .map(|(id, handle, started, ended)| {
                let overview = handle.overview();
                JobSummary { id, name: overview.name, status: overview.status, started, ended }
            })
            .collect();
        jobs.sort_by_key(|job| (job.started, job.id));
        jobs
    }

    fn handle(&self, id: JobId) -> Result<jobs::JobHandle, Error> {
        let state = self.lock();
        let job = state.jobs.get(&id).ok_or_else(|| Error::invalid(format!("there is no job {id}")))?;
        Ok(job.handle())
    }

    /// A job as it stands.
    ///
    /// # Errors
    /// There is none of this number.
    pub fn overview(&self, job: JobId) -> Result<JobOverview, Error> {
        Ok(self.handle(job)?.overview())
    }

    /// What a job is, and what has happened to it.
    ///
    /// # Errors
    /// There is no job of this number.
    pub fn details(&self, job: JobId) -> Result<JobDetails, Error> {
        let state = self.lock();
        let known = state.jobs.get(&job).ok_or_else(|| Error::invalid(format!("there is no job {job}")))?;
        let slots = known.slots_by_task_manager().clone();
        Ok(JobDetails {
            topology: known.topology.clone(),
            settings: known.settings.clone(),
            program: known.program.clone(),
            started: known.started,
            ended: known.ended_at,
            history: known.history.read(),
            slots,
        })
    }

    /// The TaskManagers, each with its slots: all, and those that nobody holds, and the jobs that hold some.
    pub fn task_managers(&self) -> Vec<(TaskManagerInfo, u32, Vec<JobId>)> {
        let state = self.lock();
        let of = |info: &TaskManagerInfo| {
            let free = state.resources.of_task_manager(&info.id).map_or(0, |(_, free)| free);
            (info.clone(), free, state.resources.jobs_on(&info.id).into_iter().collect())
        };
        state.task_managers.values().map(|(info, _)| of(info)).collect()
    }

    /// The figures of a job's tasks, up to a second old.
    ///
    /// # Errors
    /// There is no job of this number.
    pub fn figures(&self, job: JobId) -> Result<Vec<TaskFigures>, Error> {
        Ok(self.handle(job)?.figures())
    }

    /// Asks something of a job and waits for the answer.
    ///
    /// # Errors
    /// There is no job of this number, or it has ended.
    pub fn request(&self, job: JobId, request: JobRequest) -> Result<JobReply, Error> {
        self.handle(job)?.request(job, request)
    }

    /// Waits for the end of a job.
    ///
    /// # Errors
    /// There is no job of this number.
    pub fn wait(&self, job: JobId) -> Result<JobOutcome, Error> {
        Ok(self.handle(job)?.wait())
    }
}

impl Cluster for JobManager {
    fn request_slots(&self, job: JobId, count: u32) {
        let state = &mut *self.lock();
        let grants = state.resources.request(job, count);
        state.grant(grants);
    }

    fn release_slots(&self, job: JobId, slots: &[u32]) {
        let state = &mut *self.lock();
        let grants = state.resources.release(job, slots);
        state.grant(grants);
    }

    fn stop_worker(&self, job: JobId, worker: u64) {
        self.lock().stop_worker(job, worker);
    }
}

impl State {
    /// Tells jobs of the slots that they got, and starts workers where they have none yet.
    fn grant(&mut self, grants: Vec<SlotGrant>) {
        for grant in grants {
            let Some(job) = self.jobs.get_mut(&grant.job) else { continue };
            let (worker, fresh) = job.worker_on(&grant.task_manager);
            job.granted(worker, grant.slots);
            if fresh && let Some((_, link)) = self.task_managers.get(&grant.task_manager) {
                let (program, token) = (job.program.clone(), job.token.clone());
                link.send(ToTaskManager::StartWorker { job: grant.job, worker, program, token });
            }
        }
    }

    /// Keeps the last ended jobs.
    fn forget_old_jobs(&mut self) {
        let mut ended: Vec<(Timestamp, JobId)> = self.jobs.iter().filter_map(|(id, job)| Some((job.ended_at?, *id))).collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(ENDED_JOBS);
        ended.iter().take(surplus).for_each(|(_, id)| drop(self.jobs.remove(id)));
    }

    fn stop_worker(&self, job: JobId, worker: u64) {
        let task_manager = self.jobs.get(&job).and_then(|job| job.task_manager_of(worker));
        if let Some((_, link)) = task_manager.and_then(|name| self.task_managers.get(name)) {
            link.send(ToTaskManager::StopWorker { job, worker });
        }
    }
}
