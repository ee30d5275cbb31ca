//! A cluster of processes on this machine, each TaskManager behind a link of its own, and the job that runs on it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::proxy::Proxy;
use crate::error::{Error, Result};
use crate::{paths, process};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The programs that are run.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) flott: PathBuf,
    examples: PathBuf,
}

impl Programs {
    /// Builds `flott` and examples; with optimisation unless `debug`.
    ///
    /// # Errors
    /// When the build fails.
    pub(crate) fn build(debug: bool, examples: &[&str]) -> Result<Programs> {
        for (package, targets) in
            [("flott-cli", vec!["--bin", "flott"]), ("flott", examples.iter().flat_map(|name| ["--example", name]).collect())]
        {
            let mut command = process::cargo();
            command.args(["build", "--quiet", "--package", package]).args(targets);
            if !debug {
                command.arg("--release");
            }
            process::run(&mut command)?;
        }
        Ok(Programs::built(debug))
    }

    /// Those that were built before.
    pub(crate) fn built(debug: bool) -> Programs {
        let folder = paths::target().join(if debug { "debug" } else { "release" });
        Programs { flott: folder.join("flott"), examples: folder.join("examples") }
    }

    /// Where an example is.
    pub(crate) fn example(&self, name: &str) -> PathBuf {
        self.examples.join(name)
    }
}

/// A TaskManager and its link to the JobManager.
#[derive(Debug)]
pub(crate) struct TaskManager {
    pub(super) link: Proxy,
    /// `None` while it is killed.
    process: Option<Child>,
    starts: u32,
}

impl TaskManager {
    /// Its process, if it is there.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }
}

/// A JobManager and TaskManagers. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    programs: Programs,
    pub(crate) folder: PathBuf,
    options: Vec<String>,
    pub(crate) job_manager: Child,
    pub(crate) port: u16,
    pub(crate) task_managers: BTreeMap<String, TaskManager>,
}

impl Cluster {
    /// Starts a JobManager that keeps everything in `folder`. All processes are given `options`, as `key=value`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(programs: Programs, folder: PathBuf, options: &[String]) -> Result<Cluster> {
        let options: Vec<String> = options.iter().map(|option| format!("-D{option}")).collect();
        let mut command = flott(&programs, &folder, &options);
        command.args(["-Djobmanager.rpc.port=0", "-Drest.port=0", "jobmanager"]).stdout(Stdio::piped());
        command.stderr(log(&folder, "jobmanager")?);
        let mut job_manager = command.spawn().map_err(process::start_error(&command))?;
        let lines = BufReader::new(job_manager.stdout.take().ok_or_else(|| Error::other("the JobManager has no standard output"))?).lines();
        let port =
            lines.map_while(std::result::Result::ok).find_map(|line| line.strip_prefix("JobManager at ")?.rsplit(':').next()?.parse().ok());
        let port = port
            .ok_or_else(|| Error::other(format!("the JobManager did not start:\n{}", process::tail(&folder.join("jobmanager.log"), 20))))?;
        Ok(Cluster { programs, folder, options, job_manager, port, task_managers: BTreeMap::new() })
    }

    /// Adds a TaskManager.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn add_task_manager(&mut self, name: &str, slots: u32) -> Result<()> {
        let link = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)))?;
        self.task_managers.insert(name.to_owned(), TaskManager { link, process: None, starts: 0 });
        self.start_task_manager(name, slots)
    }

    /// Starts a TaskManager that is not running.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start_task_manager(&mut self, name: &str, slots: u32) -> Result<()> {
        let Some(task_manager) = self.task_managers.get_mut(name) else { return Ok(()) };
        task_manager.starts += 1;
        let mut command = flott(&self.programs, &self.folder, &self.options);
        command
            .arg(format!("-Djobmanager.rpc.port={}", task_manager.link.port))
            // Whoever comes back after a kill is another one.
            .arg(format!("-Dtaskmanager.resource-id={name}-{}", task_manager.starts))
            .arg(format!("-Dtaskmanager.numberOfTaskSlots={slots}"))
            .arg("taskmanager")
            .stdout(log(&self.folder, &format!("{name}-out"))?)
            .stderr(log(&self.folder, name)?);
        task_manager.process = Some(command.spawn().map_err(process::start_error(&command))?);
        Ok(())
    }

    /// Kills a TaskManager with SIGKILL.
    pub(crate) fn kill_task_manager(&mut self, name: &str) {
        if let Some(mut process) = self.task_managers.get_mut(name).and_then(|task_manager| task_manager.process.take()) {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The names of TaskManagers whose process has ended without having been killed by us.
    pub(crate) fn ended_task_managers(&mut self) -> Vec<String> {
        let ended =
            |task_manager: &mut TaskManager| task_manager.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(Some(_))));
        self.task_managers.iter_mut().filter_map(|(name, task_manager)| ended(task_manager).then(|| name.clone())).collect()
    }

    /// `flott`, as a client of this cluster.
    pub(crate) fn client(&self) -> Command {
        let mut command = flott(&self.programs, &self.folder, &self.options);
        command.arg(format!("-Djobmanager.rpc.port={}", self.port));
        command
    }

    /// Submits a program and gives its job's id.
    ///
    /// # Errors
    /// When it is refused.
    pub(crate) fn submit(&self, parallelism: u32, program: &Path, arguments: &[String]) -> Result<String> {
        let mut command = self.client();
        command.args(["run", "-d", "-p", &parallelism.to_string()]).arg(program).args(arguments);
        process::output(&mut command)?;
        let listed = process::output(self.client().args(["list", "-a"]))?;
        let job = listed
            .lines()
            .find_map(|line| line.split(' ').find(|word| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())));
        job.map(ToOwned::to_owned).ok_or_else(|| Error::other(format!("the job is not listed:\n{listed}")))
    }

    /// The worker processes, which are started from this cluster's folder.
    pub(crate) fn workers(&self) -> Vec<u32> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let mut workers: Vec<u32> = processes
            .flatten()
            .filter(|entry| fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe.starts_with(&self.folder)))
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        workers.sort_unstable();
        workers
    }

    /// The workers of a TaskManager's process.
    pub(crate) fn workers_of(&self, task_manager: u32) -> Vec<u32> {
        self.workers().into_iter().filter(|worker| parent(*worker) == Some(task_manager)).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let workers = self.workers();
        for name in self.task_managers.keys().cloned().collect::<Vec<_>>() {
            self.kill_task_manager(&name);
        }
        // Neither may be there any more.
        let _ = self.job_manager.kill();
        let _ = self.job_manager.wait();
        for worker in workers {
            signal("KILL", worker);
        }
    }
}

fn flott(programs: &Programs, folder: &Path, options: &[String]) -> Command {
    let mut command = process::tied_command(&programs.flott);
    command.args(options).current_dir(folder).env("FLOTT_IO_TMP_DIRS", folder).env_remove("FLOTT_CONF_DIR").stdin(Stdio::null());
    command
}

fn log(folder: &Path, name: &str) -> Result<File> {
    let path = folder.join(format!("{name}.log"));
    File::options().create(true).append(true).open(&path).map_err(Error::io("create", &path))
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, which may hold anything, ends with the last bracket; then come the state and the parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Sends a signal to a process; fine if it is gone.
pub(crate) fn signal(name: &str, process: u32) {
    // It may be gone by now, which is what `kill` would say.
    let _ = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).stderr(Stdio::null()).status();
}

/// Waits until `done` gives something.
///
/// # Errors
/// When it takes too long: what was waited for.
pub(crate) fn eventually<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(value) = done() {
            return Ok(value);
        }
        if start.elapsed() > DEADLINE {
            return Err(Error::other(format!("in {} s it did not happen that {what}", DEADLINE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
