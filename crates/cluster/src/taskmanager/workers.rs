//! The worker processes of a TaskManager.

use super::{TaskManagerOptions, executables};
use crate::{control::Link, executables::ExecutableStore};
use flott_core::{Error, ErrorKind, id::JobId};
use flott_rpc::control::{FromTaskManager, Notice, PART_VARIABLE, Part, Program};
use std::{
    collections::HashMap,
    io::Write,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How often it is looked whether a worker has ended.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Debug)]
enum Worker {
    /// Its executable is being fetched.
    Starting,
    Running(Child),
    /// To end as soon as it is there.
    Stopped,
}

type Running = Arc<Mutex<HashMap<(JobId, u64), Worker>>>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The JobManager that leads.
#[derive(Debug, Default)]
struct Leader {
    address: String,
    link: Option<Link<FromTaskManager>>,
}

/// Starts, watches and ends workers. Those that still run are ended when it is dropped.
#[derive(Debug)]
pub(super) struct Workers {
    leader: Arc<Mutex<Leader>>,
    store: ExecutableStore,
    options: TaskManagerOptions,
    running: Running,
}

impl Workers {
    pub(super) fn new(store: ExecutableStore, options: TaskManagerOptions) -> Self {
        Workers { leader: Arc::default(), store, options, running: Running::default() }
    }

    /// The workers that are there.
    pub(super) fn running(&self) -> Vec<(JobId, u64)> {
        lock(&self.running).keys().copied().collect()
    }

    /// A JobManager leads from now on: workers learn of it.
    pub(super) fn link(&self, link: Link<FromTaskManager>, address: &str) {
        *lock(&self.leader) = Leader { address: address.to_owned(), link: Some(link) };
        let notice = match serde_json::to_string(&Notice::Leader(address.to_owned())) {
            Ok(notice) => notice + "\n",
            Err(error) => return tracing::error!(%error, "workers cannot be told who leads"),
        };
        for (key, worker) in &mut *lock(&self.running) {
            if let Worker::Running(child) = worker
                && let Some(input) = &mut child.stdin
                && let Err(error) = input.write_all(notice.as_bytes())
            {
                tracing::debug!(%error, job = %key.0, worker = key.1, "a worker has ended that was to be told who leads");
            }
        }
    }

    /// Nobody leads.
    pub(super) fn unlink(&self) {
        lock(&self.leader).link = None;
    }

    /// Starts a worker on a thread of its own, which reports its end.
    pub(super) fn start(&self, job: JobId, worker: u64, program: Program, token: String) {
        lock(&self.running).insert((job, worker), Worker::Starting);
        let (leader, running) = (self.leader.clone(), self.running.clone());
        let (store, options) = (self.store.clone(), self.options.clone());
        let ended = move |reason: String| {
            if let Some(link) = &lock(&leader).link {
                link.send(FromTaskManager::WorkerEnded { job, worker, reason });
            }
        };
        let address = lock(&self.leader).address.clone();
        let told = ended.clone();
        let run = move || {
            let reason = match spawn(&store, &options, address, job, worker, program, token) {
                Ok(child) => watch(&running, (job, worker), child),
                Err(error) => error.to_string(),
            };
            lock(&running).remove(&(job, worker));
            tracing::info!(%job, worker, reason, "a worker has ended");
            ended(reason);
        };
        if let Err(error) = thread::Builder::new().name("flott-worker".to_owned()).spawn(run) {
            lock(&self.running).remove(&(job, worker));
            told(format!("cannot start a thread: {error}"));
        }
    }

    /// Ends a worker.
    pub(super) fn stop(&self, job: JobId, worker: u64) {
        if let Some(worker) = lock(&self.running).get_mut(&(job, worker)) {
            kill(worker);
        }
    }

    /// Ends all workers.
    pub(super) fn stop_all(&self) {
        lock(&self.running).values_mut().for_each(kill);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn kill(worker: &mut Worker) {
    match worker {
        Worker::Starting => *worker = Worker::Stopped,
        // It may have ended in between.
        Worker::Running(child) => drop(child.kill()),
        Worker::Stopped => {}
    }
}

fn spawn(
    store: &ExecutableStore,
    options: &TaskManagerOptions,
    leader: String,
    job: JobId,
    worker: u64,
    program: Program,
    token: String,
) -> Result<Child, Error> {
    let path = executables::get(store, &leader, &program.executable)?;
    if let Some(check) = options.check {
        check(&path, &program.configuration)?;
    }
    let part = Part::Worker {
        job_manager: leader,
        job,
        worker,
        bind: options.bind.clone(),
        configuration: program.configuration,
        folder: program.folder.clone(),
        token,
        survives: options.survives,
    };
    let part = serde_json::to_string(&part).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let mut command = Command::new(&path);
    command.args(&program.arguments).env(PART_VARIABLE, part).stdin(Stdio::piped());
    if program.folder.is_dir() {
        command.current_dir(&program.folder);
    }
    tracing::info!(%job, worker, executable = %program.executable, "starting a worker");
    command.spawn().map_err(|error| {
        let text = "the executable cannot be started here: it must be built for this platform and for its C library";
        Error::new(ErrorKind::Invalid, text).with_source(error)
    })
}

/// Waits for the end of a worker; returns how it ended.
fn watch(running: &Running, key: (JobId, u64), mut child: Child) -> String {
    {
        let mut running = lock(running);
        if let Some(Worker::Stopped) = running.get(&key) {
            // It may have ended in between.
            let _ = child.kill();
        }
        running.insert(key, Worker::Running(child));
    }
    loop {
        thread::sleep(WATCH_INTERVAL);
        let mut running = lock(running);
        let Some(Worker::Running(child)) = running.get_mut(&key) else { return "it was forgotten".to_owned() };
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return describe(status),
            Err(error) => return format!("cannot be watched: {error}"),
        }
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the worker process ended with exit code {code}; see its output in the TaskManager's log"),
        (None, Some(9)) => "the worker process was killed (signal 9): by someone, or by the system for want of memory".to_owned(),
        (None, Some(signal)) => format!("the worker process ended by signal {signal}; see its output in the TaskManager's log"),
        (None, None) => "the worker process ended".to_owned(),
    }
}
