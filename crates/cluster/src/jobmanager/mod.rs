//! A JobManager: takes jobs and TaskManagers, gives slots to jobs, runs the JobMaster of each job.

mod access;
mod acknowledged;
mod archive;
mod connections;
mod decisions;
mod history;
mod jobs;
mod last_figures;
mod leadership;
mod observed;
mod questions;
mod rates;
mod records;
mod remote_host;
mod savepoints;
mod starting;
#[cfg(feature = "stepped")]
pub(crate) mod stepped;
#[cfg(test)]
mod testing;
mod worker_figures;

use crate::{control::Link, executables::ExecutableStore, launch::no_thread, thread::SystemClock};
pub use acknowledged::{Acknowledgement, Acknowledgements};
use archive::Archive;
use flott_core::{
    Error, ErrorKind, Timestamp,
    id::{JobId, OperatorId, SubtaskId, VertexId},
    time::Clock,
};
use flott_graph::{
    JobTopology,
    settings::{JobSettings, SchedulerSettings},
};
use flott_ha::{JobStore, Leadership};
use flott_jobmanager::resource_manager::{ResourceManager, SlotGrant};
use flott_rpc::{
    client::{JobOutcome, JobOverview, JobReply, JobRequest, OperatorReply},
    control::{ExecutableId, JobSummary, Program, TaskManagerInfo, ToTaskManager},
    figures::EnumeratorFigures,
    gateway::TaskFigures,
};
use flott_security::{Entrance, Stream, Traffic};
pub(crate) use history::SharedHistory;
pub use history::{AttemptRecord, CheckpointEnd, CheckpointRecord, FailureRecord, JobHistory, RestoreRecord};
use jobs::Job;
pub use last_figures::AttemptFigures;
use leadership::Candidate;
pub use leadership::HighAvailability;
pub use observed::{TaskThreads, WorkerAnswers};
pub use rates::TaskRates;
use remote_host::Cluster;
pub use savepoints::DisposeError;
use starting::record_of_abandoned;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

/// Ended jobs that are remembered. Flink's `jobstore.max-capacity`, though that is unbounded unless set.
const ENDED_JOBS: usize = 100;

/// What a JobManager is started with.
#[derive(Debug, Clone)]
pub struct JobManagerOptions {
    /// Where it takes connections, `host:port`.
    pub bind: String,
    /// What it asks of those who connect. Where other machines reach it, it must.
    pub security: Entrance,
    /// Where it keeps executables.
    pub folder: PathBuf,
    /// Time between signs of life.
    pub heartbeat_interval: Duration,
    /// Silence after which a process counts as gone.
    pub heartbeat_timeout: Duration,
    /// How the parallelism of jobs that say nothing about it follows the slots.
    pub scheduler: SchedulerSettings,
    /// Where jobs that have ended are kept over a restart, if no other JobManager keeps them.
    pub archive: Option<PathBuf>,
    /// Where savepoints are put, if that is configured: those in it may be removed, whoever has taken them.
    pub savepoints: Option<PathBuf>,
    /// Ends this process: called when the cluster was ended while this JobManager waited. `None`: it is never ended so.
    pub on_end: Option<fn()>,
    /// Whether others may lead: then this one serves nobody until [`JobManager::stand`] has made it the leader.
    pub elected: bool,
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
    /// Its graph, with the parallelism that it is run with.
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

/// A slot that a job holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldSlot {
    /// The job.
    pub job: JobId,
    /// The number of tasks in it.
    pub tasks: u32,
}

struct Inner {
    address: SocketAddr,
    options: JobManagerOptions,
    executables: ExecutableStore,
    clock: SystemClock,
    observed: observed::Observed,
    /// What goes over its connections, and over those of servers that are told to count here.
    traffic: Traffic,
    archive: Option<Archive>,
    candidate: OnceLock<Candidate>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    resources: ResourceManager,
    task_managers: BTreeMap<String, Registered>,
    jobs: BTreeMap<JobId, Job>,
    /// Jobs that are being submitted.
    starting: BTreeSet<JobId>,
    /// Jobs of the leader before that do not know yet what of them still runs.
    recovering: BTreeSet<JobId>,
    /// While this JobManager leads.
    term: Option<Term>,
    /// The connections of this term.
    peers: HashMap<u64, Stream>,
    next_peer: u64,
}

/// A TaskManager that is there.
struct Registered {
    info: TaskManagerInfo,
    link: Link<ToTaskManager>,
    /// Its connection, by which a newer one of the same TaskManager is told from it.
    peer: u64,
    /// Where that comes from.
    from: Option<SocketAddr>,
}

/// A time of leadership.
#[derive(Debug, Clone)]
struct Term {
    /// Its number; 0 where nobody else can lead.
    epoch: u64,
    /// Where the next leader finds the jobs, if there can be one.
    store: Option<JobStore>,
    /// Whether it is over, if it can be.
    leadership: Option<Leadership>,
}

impl Term {
    /// Whether this JobManager still leads. Only asked under the lock of the state it is certain that [`JobManager::step_down`] will
    /// see what is done because of it.
    fn is_valid(&self) -> bool {
        self.leadership.as_ref().is_none_or(|leadership| leadership.is_leader_in(self.epoch))
    }
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
        options.security.check_listen(address, "jobmanager.rpc.address")?;
        let executables = ExecutableStore::open(&options.folder)?;
        let archive = options.archive.as_deref().map(Archive::open).transpose()?;
        let mut ended = archive.as_ref().map(Archive::load).unwrap_or_default();
        let clock = SystemClock::default();
        if let Some(archive) = &archive {
            for abandoned in archive.abandoned() {
                let record = record_of_abandoned(abandoned.id, abandoned.record.clone(), clock.wall());
                tracing::warn!(job = %abandoned.id, "a job ran when its JobManager ended");
                archive.keep(abandoned.id, &record);
                ended.push((abandoned.id, record));
            }
        }
        let term = (!options.elected).then_some(Term { epoch: 0, store: None, leadership: None });
        let inner = Inner {
            address,
            options,
            executables,
            clock,
            observed: observed::Observed::default(),
            traffic: Traffic::default(),
            archive,
            candidate: OnceLock::new(),
            state: Mutex::new(State { term, ..State::default() }),
        };
        let manager = JobManager(Arc::new(inner));
        for (id, record) in ended {
            manager.lock().jobs.insert(id, Job::ended(record));
        }
        connections::accept(manager.clone(), listener)?;
        Ok(manager)
    }

    /// What it asks of those who connect.
    pub fn security(&self) -> &Entrance {
        &self.0.options.security
    }

    /// Counts the bytes of the connections that it takes. Servers beside it can count into the same.
    pub fn traffic(&self) -> &Traffic {
        &self.0.traffic
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        if state.term.is_none() {
            return Err(self.leads_no_more());
        }
        let job = state.jobs.get(&id).ok_or_else(|| Error::invalid(format!("there is no job {id}")))?;
        Ok(job.handle())
    }

    /// Whether there is a job of this number.
    pub fn has_job(&self, job: JobId) -> bool {
        self.lock().jobs.contains_key(&job)
    }

    /// Whether a job of this number is being submitted.
    pub fn is_starting(&self, job: JobId) -> bool {
        self.lock().starting.contains(&job)
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
        let history = known.history.read();
        let submitted = &known.topology;
        let topology = if history.parallelism.is_empty() || history.parallelism == submitted.parallelism() {
            submitted.clone()
        } else {
            Arc::new(submitted.with_parallelism(&history.parallelism))
        };
        Ok(JobDetails {
            topology,
            settings: known.settings.clone(),
            program: known.program.clone(),
            started: known.started,
            ended: known.ended_at,
            history,
            slots,
        })
    }

    /// The TaskManagers, each with those of its slots that are held.
    pub fn task_managers(&self) -> Vec<(TaskManagerInfo, Vec<HeldSlot>)> {
        let state = self.lock();
        let running = state.jobs.values().filter(|known| known.ended_at.is_none());
        // The number of a slot names it among those of all TaskManagers.
        let tasks: BTreeMap<u32, u32> = running.flat_map(|known| known.history.tasks_by_slot()).collect();
        let held_on = |task_manager| {
            let held = state.resources.held_on(task_manager).into_iter();
            held.map(|(slot, job)| HeldSlot { job, tasks: tasks.get(&slot).copied().unwrap_or(0) }).collect()
        };
        state.task_managers.values().map(|registered| (registered.info.clone(), held_on(&registered.info.id))).collect()
    }

    /// Where the connection of a TaskManager comes from: its machine, and a port of no other process there.
    pub fn task_manager_address(&self, task_manager: &str) -> Option<SocketAddr> {
        self.lock().task_managers.get(task_manager)?.from
    }

    /// The figures of a job's tasks, up to a second old.
    ///
    /// # Errors
    /// There is no job of this number.
    pub fn figures(&self, job: JobId) -> Result<Vec<TaskFigures>, Error> {
        Ok(self.handle(job)?.figures())
    }

    /// What the enumerators of a job's sources say of themselves, by vertex, up to a second old.
    ///
    /// # Errors
    /// There is no job of this number.
    pub fn enumerators(&self, job: JobId) -> Result<BTreeMap<VertexId, EnumeratorFigures>, Error> {
        Ok(self.handle(job)?.enumerators())
    }

    /// What a job's tasks do each second, on the mean of the last two.
    ///
    /// # Errors
    /// There is no job of this number.
    pub fn rates(&self, job: JobId) -> Result<BTreeMap<SubtaskId, TaskRates>, Error> {
        Ok(self.handle(job)?.rates())
    }

    /// Asks something of a job and waits for the answer.
    ///
    /// # Errors
    /// There is no job of this number, or it has ended.
    pub fn request(&self, job: JobId, request: JobRequest) -> Result<JobReply, Error> {
        self.handle(job)?.request(job, request)
    }

    /// Asks the first subtask of an operator something.
    ///
    /// # Errors
    /// There is no job of this number, the operator has no answer, or another JobManager leads by now.
    pub fn ask_operator(&self, job: JobId, operator: OperatorId, body: Vec<u8>) -> Result<OperatorReply, Error> {
        match self.handle(job)?.ask_operator(operator, body)? {
            Some(reply) => Ok(reply),
            None => Err(self.leads_no_more()),
        }
    }

    /// Waits for the end of a job.
    ///
    /// # Errors
    /// There is no job of this number, or another JobManager leads by now.
    pub fn wait(&self, job: JobId) -> Result<JobOutcome, Error> {
        self.handle(job)?.wait().ok_or_else(|| self.leads_no_more())
    }
}

impl Cluster for JobManager {
    fn request_slots(&self, job: JobId, count: u32) {
        let state = &mut *self.lock();
        let grants = state.resources.request(job, count);
        state.grant(grants);
    }

    fn withdraw_slots(&self, job: JobId, count: u32) {
        self.lock().resources.withdraw(job, count);
    }

    fn release_slots(&self, job: JobId, slots: &[u32]) {
        let state = &mut *self.lock();
        let grants = state.resources.release(job, slots);
        state.grant(grants);
    }

    fn yield_slots(&self, job: JobId, held: &[u32], needed: u32) {
        let state = &mut *self.lock();
        let grants = state.resources.yield_slots(job, held, needed);
        state.grant(grants);
    }

    fn retire_worker(&self, job: JobId, worker: u64) {
        if let Some(job) = self.lock().jobs.get_mut(&job) {
            job.retire_worker(worker);
        }
    }

    fn stop_worker(&self, job: JobId, worker: u64) {
        self.lock().stop_worker(job, worker);
    }

    fn recovered(&self, job: JobId) {
        self.lock().recovered(job);
    }
}

impl State {
    /// Tells jobs of the slots that they got, and starts workers where they have none yet.
    fn grant(&mut self, grants: Vec<SlotGrant>) {
        for grant in grants {
            let Some(job) = self.jobs.get_mut(&grant.job) else { continue };
            let (worker, fresh) = job.worker_on(&grant.task_manager);
            job.granted(worker, grant.slots);
            if fresh {
                let (program, token) = (job.program.clone(), job.token.clone());
                self.tell(&grant.task_manager, ToTaskManager::StartWorker { job: grant.job, worker, program, token });
            }
        }
    }

    /// A job knows again what runs where.
    fn recovered(&mut self, job: JobId) {
        let missing = self.jobs.get_mut(&job).map(Job::forget_missing_workers).unwrap_or_default();
        for (worker, task_manager) in missing {
            self.tell(&task_manager, ToTaskManager::StopWorker { job, worker });
        }
        self.recovering.remove(&job);
        self.serve_if_recovered();
    }

    /// Keeps the last ended jobs. Returns those that are forgotten.
    fn forget_old_jobs(&mut self) -> Vec<JobId> {
        let mut ended: Vec<(Timestamp, JobId)> = self.jobs.iter().filter_map(|(id, job)| Some((job.ended_at?, *id))).collect();
        ended.sort_unstable();
        let surplus = ended.len().saturating_sub(ENDED_JOBS);
        ended.truncate(surplus);
        ended.iter().for_each(|(_, id)| drop(self.jobs.remove(id)));
        ended.into_iter().map(|(_, id)| id).collect()
    }

    fn stop_worker(&self, job: JobId, worker: u64) {
        if let Some(task_manager) = self.jobs.get(&job).and_then(|job| job.task_manager_of(worker)) {
            self.tell(task_manager, ToTaskManager::StopWorker { job, worker });
        }
    }

    fn tell(&self, task_manager: &str, message: ToTaskManager) {
        if let Some(registered) = self.task_managers.get(task_manager) {
            registered.link.send(message);
        }
    }

    /// Gives slots away as soon as it is known which are free.
    fn serve_if_recovered(&mut self) {
        if self.recovering.is_empty() {
            let grants = self.resources.resume();
            self.grant(grants);
        }
    }

    /// A connection of this term; `None` if the term is over.
    fn peer(&mut self, stream: &Stream) -> std::io::Result<Option<u64>> {
        if self.term.is_none() {
            return Ok(None);
        }
        self.next_peer += 1;
        self.peers.insert(self.next_peer, stream.try_clone()?);
        Ok(Some(self.next_peer))
    }
}
