//! A TaskManager: offers slots to a JobManager, and runs a worker process for each job that got some of them.

mod executables;
mod hand_over;
mod observer;
mod output;
mod standby;
mod workers;

pub use observer::{StackSampler, Visible, WorkerOutput};

use crate::{
    control::{ConnectionError, Incoming, Link, find_leader},
    executables::ExecutableStore,
    launch::random_u128,
};
use flott_core::{Error, ErrorKind, config::Configuration};
use flott_rpc::control::{FromTaskManager, Role, TaskManagerInfo, ToTaskManager};
use flott_security::Connector;
use observer::Observer;
use std::{
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use workers::Workers;

/// The pause before the JobManager is looked for again.
const RETRY: Duration = Duration::from_millis(100);

/// How long workers go on while nobody leads. Flink's `taskmanager.registration.timeout`.
const ABANDONED_AFTER: Duration = Duration::from_secs(300);

/// Says why an executable cannot run on this machine with a job's configuration.
pub type ExecutableCheck = fn(&Path, &Configuration) -> Result<(), Error>;

/// What a TaskManager is started with.
#[derive(Debug, Clone)]
pub struct TaskManagerOptions {
    /// Where the JobManager is, `host:port`; of several that may lead, separated by commas.
    pub job_manager: String,
    /// Whether workers go on without a JobManager until another one leads.
    pub survives: bool,
    /// Its name, unique in the cluster.
    pub id: String,
    /// The slots that it offers.
    pub slots: u32,
    /// The host on which its workers take records of others.
    pub bind: String,
    /// What it shows other processes, and its workers do.
    pub security: Connector,
    /// Where it keeps executables.
    pub folder: PathBuf,
    /// What people may see of it.
    pub visible: Visible,
    /// Time between signs of life.
    pub heartbeat_interval: Duration,
    /// Silence after which the JobManager counts as gone.
    pub heartbeat_timeout: Duration,
    /// Whether for each job another worker is started that waits to take the place of one that is gone.
    pub standby: bool,
    /// Where copies of the state of its tasks are kept, if they are: a folder for each job.
    pub copies: Option<PathBuf>,
    /// Asked before a worker is started.
    pub check: Option<ExecutableCheck>,
    /// Told the address of the JobManager at which it has registered, again after each loss of it.
    pub registered: Option<fn(&str)>,
}

/// Runs a TaskManager until the cluster is ended, or the process. A JobManager that is gone is looked for again. Workers end with it, unless they are to
/// survive: then they go on, and end only if nobody leads for long.
///
/// # Errors
/// Its folder cannot be used, or the JobManager refuses it.
pub fn run(options: &TaskManagerOptions) -> Result<(), Error> {
    crate::exchange::check_host(&options.bind, options.security.is_encrypted())?;
    let incarnation = format!("{:032x}", random_u128());
    if let Some(copies) = &options.copies {
        remove_copies(copies);
    }
    let workers = Workers::new(ExecutableStore::open(&options.folder)?, options.clone());
    let mut lost_at: Option<Instant> = None;
    let mut waited = false;
    loop {
        match serve(options, &incarnation, &workers) {
            Ok(Gone::Ended) => {
                tracing::info!("the cluster has ended");
                workers.stop_all();
                return Ok(());
            }
            Ok(Gone::Lost(error)) => {
                tracing::warn!(%error, "the JobManager is gone; it is looked for again");
                workers.unlink();
                waited = false;
                lost_at = Some(Instant::now());
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                if !waited {
                    tracing::warn!(%error, "waiting for the JobManager");
                }
                waited = true;
            }
            Err(error) => return Err(error),
        }
        let abandoned = lost_at.is_some_and(|lost_at| lost_at.elapsed() > ABANDONED_AFTER);
        if !options.survives || abandoned {
            workers.stop_all();
        }
        thread::sleep(RETRY);
    }
}

/// Removes copies of state. They are of no use to jobs that this TaskManager does not work for.
fn remove_copies(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, folder = %folder.display(), "copies of state are left that nobody needs");
        }
        _ => {}
    }
}

/// Why a JobManager is served no more.
enum Gone {
    /// Its connection is lost.
    Lost(ConnectionError),
    /// The whole cluster ends.
    Ended,
}

/// Serves a JobManager until it is gone; returns why.
fn serve(options: &TaskManagerOptions, incarnation: &str, workers: &Workers) -> Result<Gone, Error> {
    let reported = workers.running();
    let info = TaskManagerInfo {
        id: options.id.clone(),
        slots: options.slots,
        process: std::process::id(),
        cpu_cores: thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
        memory_bytes: memory_bytes(),
        incarnation: incarnation.to_owned(),
        workers: reported.clone(),
    };
    let leader = find_leader(&options.job_manager, &options.security, &Role::TaskManager(info))?;
    tracing::info!(job_manager = leader.address, slots = options.slots, "registered at the JobManager");
    if let Some(registered) = options.registered {
        registered(&leader.address);
    }
    let no_link = |error| Error::new(ErrorKind::Unavailable, "the link to the JobManager broke").with_source(error);
    let link: Link<FromTaskManager> = Link::start(leader.stream.try_clone().map_err(no_link)?).map_err(no_link)?;
    let mut incoming: Incoming<ToTaskManager> = Incoming::new(leader.stream, Some(options.heartbeat_timeout)).map_err(no_link)?;
    workers.link(link.clone(), &leader.address);
    let running = workers.running();
    for (job, worker) in reported.into_iter().filter(|reported| !running.contains(reported)) {
        // Nobody could be told.
        link.send(FromTaskManager::WorkerEnded { job, worker, reason: "the worker ended while no JobManager led".to_owned() });
    }
    let observer = Observer::start(link.clone(), workers.processes(), options.visible.clone())?;
    let _heart = beat(link, options.heartbeat_interval)?;
    loop {
        match incoming.next() {
            Ok(ToTaskManager::StartWorker { job, worker, program, token }) => workers.start(job, worker, program, token),
            Ok(ToTaskManager::StopWorker { job, worker }) => workers.stop(job, worker),
            Ok(ToTaskManager::Ask(number, question)) => observer.ask(number, question),
            Ok(ToTaskManager::Heartbeat) => {}
            Ok(ToTaskManager::End) => return Ok(Gone::Ended),
            // To end would end the workers of all jobs.
            Err(error @ ConnectionError::NotUnderstood { .. }) => tracing::error!(%error, "passed over"),
            Err(error) => return Ok(Gone::Lost(error)),
        }
    }
}

/// Sends signs of life until what is returned is dropped.
fn beat(link: Link<FromTaskManager>, interval: Duration) -> Result<mpsc::Sender<()>, Error> {
    let (alive, dropped) = mpsc::channel::<()>();
    let beat = move || {
        while dropped.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
            link.send(FromTaskManager::Heartbeat);
        }
    };
    thread::Builder::new().name("flott-heartbeat".to_owned()).spawn(beat).map_err(crate::launch::no_thread)?;
    Ok(alive)
}

/// The memory of the machine; 0 where the system does not tell.
fn memory_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
