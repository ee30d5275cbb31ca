//! The worker processes of a TaskManager.

use super::{
    TaskManagerOptions, executables, hand_over,
    output::{self, Tag},
    remove_copies,
    standby::{Standby, Standbys},
};
use crate::{control::Link, executables::ExecutableStore};
use flott_core::{Error, ErrorKind, id::JobId};
use flott_rpc::control::{FromTaskManager, Notice, PART_VARIABLE, Part, Program};
use std::{
    collections::HashMap,
    io::Write,
    mem,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// How often it is looked whether a worker has ended.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// After which another one is started to stand by: the start of a job is no time for it.
const STANDBY_AFTER: Duration = Duration::from_secs(1);

/// How long one stands by that may be wanted, but was not yet.
const STANDBY_KEPT: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum Worker {
    /// Its executable is being fetched.
    Starting,
    Running(Child),
    /// It was killed here, and has not ended yet.
    Killed(Child),
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
    standbys: Arc<Standbys>,
}

impl Workers {
    pub(super) fn new(store: ExecutableStore, options: TaskManagerOptions) -> Self {
        Workers { leader: Arc::default(), store, options, running: Running::default(), standbys: Arc::default() }
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
        let (leader, running, standbys) = (self.leader.clone(), self.running.clone(), self.standbys.clone());
        let (store, options) = (self.store.clone(), self.options.clone());
        let ended = move |reason: String| {
            if let Some(link) = &lock(&leader).link {
                link.send(FromTaskManager::WorkerEnded { job, worker, reason });
            }
        };
        let address = lock(&self.leader).address.clone();
        let told = ended.clone();
        let run = move || {
            let ready = standbys.take(job, worker, &program, &token, &address);
            let tag = Tag::new(job);
            tag.is_worker(worker);
            let begun = match ready {
                Some(child) => Ok(child),
                None => spawn(&store, &options, address, job, Some(worker), &program, &token, tag),
            };
            let is_wanted = options.standby.then_some(STANDBY_AFTER);
            let stand_by = || {
                if !standbys.has(job) {
                    let tag = Tag::new(job);
                    match spawn(&store, &options, String::new(), job, None, &program, &token, tag.clone()) {
                        Ok(child) => standbys.put(job, Standby { program: program.clone(), token: token.clone(), child, tag }),
                        Err(error) => tracing::warn!(%error, %job, "no worker stands by"),
                    }
                }
            };
            let end = match begun {
                Ok(child) => watch(&running, (job, worker), child, is_wanted, stand_by),
                Err(error) => Ended { reason: format!("could not be started: {error}"), wanted_no_more: false },
            };
            lock(&running).remove(&(job, worker));
            tracing::info!(%job, worker, reason = end.reason, "a worker has ended");
            ended(end.reason);
            if options.standby || options.copies.is_some() {
                let until = Instant::now() + if end.wanted_no_more { Duration::ZERO } else { STANDBY_KEPT };
                let is_busy = || lock(&running).keys().any(|(other, _)| *other == job);
                while Instant::now() < until && !is_busy() {
                    thread::sleep(STANDBY_AFTER);
                }
                if !is_busy() {
                    standbys.end(job);
                    options.copies.iter().for_each(|folder| remove_copies(&folder.join(job.to_string())));
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("flott-worker".to_owned()).spawn(run) {
            lock(&self.running).remove(&(job, worker));
            told(format!("could not be started: there is no thread to watch it: {error}"));
        }
    }

    /// The way to learn which processes run.
    pub(super) fn processes(&self) -> Processes {
        Processes(self.running.clone())
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
        self.standbys.end_all();
    }
}

/// The workers that run.
#[derive(Debug, Clone)]
pub(super) struct Processes(Running);

impl Processes {
    /// Each with its job, its number and its process.
    pub(super) fn list(&self) -> Vec<(JobId, u64, u32)> {
        let process = |worker: &Worker| match worker {
            Worker::Running(child) | Worker::Killed(child) => Some(child.id()),
            Worker::Starting | Worker::Stopped => None,
        };
        lock(&self.0).iter().filter_map(|((job, number), worker)| Some((*job, *number, process(worker)?))).collect()
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop_all();
    }
}

fn kill(worker: &mut Worker) {
    *worker = match mem::replace(worker, Worker::Stopped) {
        Worker::Running(mut child) => match child.try_wait() {
            Ok(None) => {
                // It may have ended in between.
                let _ = child.kill();
                Worker::Killed(child)
            }
            // It has ended by itself, which is not seen yet.
            _ => Worker::Running(child),
        },
        Worker::Killed(child) => Worker::Killed(child),
        Worker::Starting | Worker::Stopped => Worker::Stopped,
    };
}

/// Starts the program as a worker; without a number it stands by.
#[expect(clippy::too_many_arguments, reason = "each is one thing that a worker is told")]
fn spawn(
    store: &ExecutableStore,
    options: &TaskManagerOptions,
    leader: String,
    job: JobId,
    worker: Option<u64>,
    program: &Program,
    token: &str,
    tag: Tag,
) -> Result<Child, Error> {
    let path = executables::get(store, &leader, &options.security, &program.executable)?;
    if let Some(check) = options.check {
        check(&path, &program.configuration)?;
    }
    let part = Part::Worker {
        job_manager: leader,
        job,
        worker: worker.unwrap_or_default(),
        bind: options.bind.clone(),
        folder: program.folder.clone(),
        survives: options.survives,
        standby: worker.is_none(),
        copies: options.copies.as_ref().map(|folder| folder.join(job.to_string())),
    };
    let part = serde_json::to_string(&part).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
    let mut command = Command::new(&path);
    // In a group of its own: a signal from the terminal is for the TaskManager, with which it ends.
    command.args(&program.arguments).env(PART_VARIABLE, part).stdin(Stdio::piped()).process_group(0);
    if program.folder.is_dir() {
        command.current_dir(&program.folder);
    }
    hand_over::forget_secrets(&mut command);
    output::capture(&mut command, &options.visible);
    tracing::info!(%job, worker, executable = %program.executable, "starting a worker");
    let mut child = command.spawn().map_err(|error| {
        let text = "the executable cannot be started here: it must be built for this platform and for its C library";
        Error::new(ErrorKind::Invalid, text).with_source(error)
    })?;
    hand_over::to_worker(&mut child, &options.security, program.configuration.clone(), token.to_owned())?;
    if let Err(error) = output::follow(&mut child, &options.visible, tag) {
        tracing::error!(%job, worker, %error, "what a worker says is lost");
    }
    Ok(child)
}

/// How a worker ended.
struct Ended {
    /// What became of it, as said of it: `was killed`.
    reason: String,
    /// Whether its job has no work for it.
    wanted_no_more: bool,
}

/// Waits for the end of a worker. Calls `stand_by` once, when it has run for `is_wanted`.
fn watch(running: &Running, key: (JobId, u64), child: Child, mut is_wanted: Option<Duration>, stand_by: impl Fn()) -> Ended {
    {
        let mut running = lock(running);
        let mut worker = Worker::Running(child);
        if let Some(Worker::Stopped) = running.get(&key) {
            kill(&mut worker);
        }
        running.insert(key, worker);
    }
    let started = Instant::now();
    let ended = |reason: String| Ended { reason, wanted_no_more: false };
    loop {
        thread::sleep(WATCH_INTERVAL);
        if is_wanted.is_some_and(|after| started.elapsed() >= after) {
            is_wanted = None;
            stand_by();
        }
        let mut running = lock(running);
        let (child, killed) = match running.get_mut(&key) {
            Some(Worker::Running(child)) => (child, false),
            Some(Worker::Killed(child)) => (child, true),
            _ => return ended("was forgotten".to_owned()),
        };
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return Ended { reason: describe(status, killed), wanted_no_more: status.success() },
            Err(error) => return ended(format!("cannot be watched: {error}")),
        }
    }
}

/// How a worker ended; `killed`: the TaskManager did it.
fn describe(status: ExitStatus, killed: bool) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}; see its output in the TaskManager's log"),
        (None, Some(9)) if killed => "was killed by its TaskManager, which was told to end it or is ending itself".to_owned(),
        (None, Some(9)) => "was killed (signal 9), by someone or by the system for want of memory".to_owned(),
        (None, Some(signal)) => format!("ended by signal {signal}; see its output in the TaskManager's log"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(program: &[&str], told_to_end: bool) -> String {
        let (running, key) = (Running::default(), (JobId(7), 1));
        if told_to_end {
            lock(&running).insert(key, Worker::Stopped);
        }
        let child = Command::new(program[0]).args(&program[1..]).spawn().unwrap();
        watch(&running, key, child, None, || ()).reason
    }

    #[test]
    fn a_worker_that_was_killed_here_is_told_apart_from_one_that_was_killed_elsewhere() {
        assert!(reason(&["sleep", "1000"], true).starts_with("was killed by its TaskManager"));
        assert!(reason(&["sh", "-c", "kill -9 $$"], false).contains("for want of memory"));
        assert!(reason(&["sh", "-c", "exit 3"], false).contains("exit code 3"));
    }
}
