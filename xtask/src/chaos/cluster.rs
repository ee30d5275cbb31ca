//! A cluster of processes on this machine, each TaskManager behind a link of its own, and the job that runs on it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
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

/// A JobManager.
#[derive(Debug)]
pub(crate) struct JobManager {
    /// `None` while it is killed.
    process: Option<Child>,
    port: u16,
    /// The port of its REST server.
    pub(crate) rest: u16,
}

impl JobManager {
    /// Its process, if it is there.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }
}

/// A TaskManager and its links to the JobManagers.
#[derive(Debug)]
pub(crate) struct TaskManager {
    pub(super) links: Vec<Proxy>,
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

/// JobManagers and TaskManagers. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    programs: Programs,
    pub(crate) folder: PathBuf,
    options: Vec<String>,
    pub(crate) job_managers: Vec<JobManager>,
    pub(crate) task_managers: BTreeMap<String, TaskManager>,
}

impl Cluster {
    /// Starts JobManagers that keep everything in `folder`; more than one stand in for each other. All processes are given
    /// `options`, as `key=value`.
    ///
    /// # Errors
    /// When one cannot be started.
    pub(crate) fn start(programs: Programs, folder: PathBuf, options: &[String], job_managers: usize) -> Result<Cluster> {
        let mut options: Vec<String> = options.iter().map(|option| format!("-D{option}")).collect();
        if job_managers > 1 {
            options.push("-Dhigh-availability.type=file".to_owned());
            options.push(format!("-Dhigh-availability.storageDir={}", folder.join("high-availability").display()));
        }
        let mut cluster = Cluster { programs, folder, options, job_managers: Vec::new(), task_managers: BTreeMap::new() };
        for number in 0..job_managers {
            cluster.job_managers.push(JobManager { process: None, port: free_port()?, rest: free_port()? });
            cluster.start_job_manager(number)?;
        }
        Ok(cluster)
    }

    /// Starts a JobManager that is not running, and waits until it says that it is there.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start_job_manager(&mut self, number: usize) -> Result<()> {
        let name = format!("jobmanager-{number}");
        let log_file = log(&self.folder, &name)?;
        let mut command = flott(&self.programs, &self.folder, &self.options);
        let Some(job_manager) = self.job_managers.get_mut(number) else { return Ok(()) };
        command
            .arg(format!("-Djobmanager.rpc.port={}", job_manager.port))
            .arg(format!("-Drest.port={}", job_manager.rest))
            .arg("jobmanager");
        command.stdout(Stdio::piped()).stderr(log_file);
        let mut process = command.spawn().map_err(process::start_error(&command))?;
        let lines = process.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        let is_there = lines.is_some_and(|lines| lines.map_while(std::result::Result::ok).any(|line| line.starts_with("JobManager at ")));
        job_manager.process = Some(process);
        if is_there {
            return Ok(());
        }
        Err(Error::other(format!("{name} did not start:\n{}", process::tail(&self.folder.join(format!("{name}.log")), 20))))
    }

    /// Kills a JobManager with SIGKILL.
    pub(crate) fn kill_job_manager(&mut self, number: usize) {
        if let Some(mut process) = self.job_managers.get_mut(number).and_then(|job_manager| job_manager.process.take()) {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// The JobManager that leads: the only one, or the last that has said so.
    ///
    /// # Errors
    /// When none says so.
    pub(crate) fn leader(&self) -> Result<usize> {
        let said = |number: usize| {
            let text = fs::read_to_string(self.folder.join(format!("jobmanager-{number}.log"))).unwrap_or_default();
            let line = text.lines().rfind(|line| line.contains("this JobManager leads"))?;
            line.rsplit_once("epoch=")?.1.trim().parse::<u64>().ok()
        };
        let alive = (0..self.job_managers.len()).filter(|number| self.job_managers[*number].id().is_some());
        let leader = alive.max_by_key(|number| said(*number));
        leader.ok_or_else(|| Error::other("no JobManager is running"))
    }

    /// The JobManagers whose process is gone, also by itself.
    pub(crate) fn gone_job_managers(&mut self) -> Vec<usize> {
        let gone = |one: &mut JobManager| one.process.as_mut().is_none_or(|process| matches!(process.try_wait(), Ok(Some(_))));
        self.job_managers.iter_mut().enumerate().filter_map(|(number, one)| gone(one).then_some(number)).collect()
    }

    /// The options that say where the JobManagers are.
    fn addresses(&self, ports: &[u16]) -> Vec<String> {
        match ports {
            [port] => vec![format!("-Djobmanager.rpc.port={port}")],
            ports => {
                let all: Vec<String> = ports.iter().map(|port| format!("localhost:{port}")).collect();
                vec![format!("-Dhigh-availability.jobmanagers={}", all.join(","))]
            }
        }
    }

    /// Adds a TaskManager.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn add_task_manager(&mut self, name: &str, slots: u32) -> Result<()> {
        let link = |one: &JobManager| Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, one.port)));
        let links = self.job_managers.iter().map(link).collect::<Result<_>>()?;
        self.task_managers.insert(name.to_owned(), TaskManager { links, process: None, starts: 0 });
        self.start_task_manager(name, slots)
    }

    /// Starts a TaskManager that is not running.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start_task_manager(&mut self, name: &str, slots: u32) -> Result<()> {
        let ports: Vec<u16> = self.task_managers.get(name).into_iter().flat_map(|one| one.links.iter().map(|link| link.port)).collect();
        let mut command = flott(&self.programs, &self.folder, &self.options);
        command.args(self.addresses(&ports));
        let Some(task_manager) = self.task_managers.get_mut(name) else { return Ok(()) };
        task_manager.starts += 1;
        command
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
        command.args(self.addresses(&self.job_managers.iter().map(|one| one.port).collect::<Vec<_>>()));
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

    /// The process ids of JobManagers and TaskManagers that run.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.job_managers.iter().filter_map(JobManager::id).chain(self.task_managers.values().filter_map(TaskManager::id)).collect()
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

    /// Whether a process that this cluster's processes have started is there, be it one that has ended and that its parent has not noticed yet.
    pub(crate) fn has_children(&self) -> bool {
        let parents = self.processes();
        let Ok(processes) = fs::read_dir("/proc") else { return false };
        let numbers = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter_map(parent).any(|process| parents.contains(&process))
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
        (0..self.job_managers.len()).for_each(|number| self.kill_job_manager(number));
        for worker in workers {
            signal("KILL", worker);
        }
    }
}

/// A port that nobody listens on now.
fn free_port() -> Result<u16> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| Error::other(format!("no free port on loopback: {error}")))
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
