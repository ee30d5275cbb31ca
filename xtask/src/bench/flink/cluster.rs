//! A standalone cluster: one JobManager and TaskManagers, all on loopback, ended with this program.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::{http, paths, process};

/// How long the slots may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// What differs between the clusters of the benchmarks.
#[derive(Debug)]
pub(super) struct Settings {
    /// Slots of each TaskManager.
    pub(super) slots: u32,
    /// Memory of each TaskManager's process, in MiB.
    pub(super) task_manager_memory_mb: u32,
    /// Further lines of the configuration.
    pub(super) more: &'static str,
}

/// A running cluster; stopped when dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    home: PathBuf,
    work: PathBuf,
    rest_port: u16,
    job_manager: Child,
    task_managers: Vec<Child>,
}

impl Cluster {
    /// Starts a JobManager and a TaskManager, and waits until all slots have been offered. What they write lies in the folder `name`
    /// of the benchmarks' folder; what an earlier cluster left there is removed.
    pub(super) fn start(home: &Path, name: &str, settings: &Settings) -> Result<Cluster> {
        let work = paths::bench()?.join(name);
        paths::remove_dir(&work)?;
        for directory in ["log", "pid", "tmp", "checkpoints", "conf"] {
            paths::create_dir(work.join(directory))?;
        }
        let (rpc_port, rest_port) = free_ports()?;
        configure(home, &work, &configuration(&work, rpc_port, rest_port, settings)?)?;
        let job_manager = daemon(home, &work, "jobmanager.sh", "jobmanager")?;
        let mut cluster = Cluster { home: home.to_owned(), work, rest_port, job_manager, task_managers: Vec::new() };
        cluster.add_task_manager()?;
        cluster.wait_for_slots(settings.slots)?;
        Ok(cluster)
    }

    /// Starts another TaskManager, and does not wait for it.
    pub(super) fn add_task_manager(&mut self) -> Result<()> {
        self.task_managers.push(daemon(&self.home, &self.work, "taskmanager.sh", "taskmanager")?);
        Ok(())
    }

    /// Kills the TaskManager of a process id with SIGKILL.
    pub(super) fn kill_task_manager(&mut self, process: u32) -> Result<()> {
        let position = self.task_managers.iter().position(|one| one.id() == process);
        let position = position.ok_or_else(|| Error::other(format!("process {process} is none of Flink's TaskManagers")))?;
        end(&mut self.task_managers.swap_remove(position));
        Ok(())
    }

    /// A command for Flink's client, to be given its arguments.
    pub(super) fn client(&self) -> Command {
        script(&self.home, &self.work, "flink")
    }

    /// The process ids of JobManager and TaskManagers.
    pub(super) fn processes(&self) -> Vec<u32> {
        std::iter::once(&self.job_manager).chain(&self.task_managers).map(Child::id).collect()
    }

    /// How many checkpoints a job has completed.
    pub(super) fn checkpoints(&self, job: &str) -> Result<u64> {
        let json = http::get(self.rest_port, &format!("/jobs/{job}/checkpoints"))?;
        json["counts"]["completed"].as_u64().ok_or_else(|| Error::other(format!("Flink knows no checkpoints of job {job}: {json}")))
    }

    /// Waits until so many slots are free.
    pub(super) fn wait_for_slots(&mut self, slots: u32) -> Result<()> {
        let start = Instant::now();
        loop {
            let available = http::get(self.rest_port, "/overview").ok().and_then(|json| json["slots-available"].as_u64());
            if available == Some(u64::from(slots)) {
                return Ok(());
            }
            for daemon in std::iter::once(&mut self.job_manager).chain(&mut self.task_managers) {
                if let Ok(Some(status)) = daemon.try_wait() {
                    return Err(Error::other(format!("a process of Flink's cluster ended by itself ({status}); {}", self.logs())));
                }
            }
            if start.elapsed() > START_TIMEOUT {
                return Err(Error::other(format!("Flink offered no slots within {} s; {}", START_TIMEOUT.as_secs(), self.logs())));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Where the logs are, for an error.
    pub(super) fn logs(&self) -> String {
        let log = self.work.join("log");
        format!("see `{}`; the JobManager's last lines:\n{}", log.display(), process::tail(&log.join("jobmanager.out"), 10))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.task_managers.iter_mut().for_each(end);
        end(&mut self.job_manager);
    }
}

/// Nothing of a process is kept, so there is nothing to shut down in order.
fn end(process: &mut Child) {
    // It may have ended already.
    let _ = process.kill();
    let _ = process.wait();
}

/// A command of Flink's that uses our configuration.
fn script(home: &Path, work: &Path, name: &str) -> Command {
    let mut command = process::tied_command(home.join("bin").join(name));
    command.env("FLINK_CONF_DIR", work.join("conf"));
    command.env("FLINK_LOG_DIR", work.join("log"));
    command.env("FLINK_PID_DIR", work.join("pid"));
    command
}

/// Starts a daemon's script in the foreground: it becomes the Java process, so that its process id is the one to measure and to kill.
fn daemon(home: &Path, work: &Path, name: &str, log: &str) -> Result<Child> {
    let log = work.join("log").join(log).with_extension("out");
    let out = File::options().create(true).append(true).open(&log).map_err(Error::io("create", &log))?;
    let err = out.try_clone().map_err(Error::io("write", &log))?;
    let mut command = script(home, work, name);
    command.arg("start-foreground").stdin(Stdio::null()).stdout(out).stderr(err);
    command.spawn().map_err(process::start_error(&command))
}

/// Two ports that nobody listens on.
fn free_ports() -> Result<(u16, u16)> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
    let failed = |error| Error::other(format!("no free port on loopback: {error}"));
    // Both are held until both are known.
    let (first, second) = (bind().map_err(failed)?, bind().map_err(failed)?);
    Ok((first.0, second.0))
}

/// Flink's configuration for a fair comparison: exactly-once checkpoints every second, state on the heap, objects reused.
fn configuration(work: &Path, rpc_port: u16, rest_port: u16, settings: &Settings) -> Result<String> {
    let Settings { slots, task_manager_memory_mb, more } = settings;
    let work = work.to_str().ok_or_else(|| Error::other(format!("`{}` is not UTF-8, which Flink needs", work.display())))?;
    Ok(format!(
        "\
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc_port}
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 1600m
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.memory.process.size: {task_manager_memory_mb}m
taskmanager.numberOfTaskSlots: {slots}
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: {rest_port}
rest.bind-port: {rest_port}
io.tmp.dirs: {work}/tmp
pipeline.object-reuse: true
state.backend.type: hashmap
execution.runtime-mode: STREAMING
execution.checkpointing.interval: 1s
execution.checkpointing.mode: EXACTLY_ONCE
execution.checkpointing.storage: filesystem
execution.checkpointing.dir: file://{work}/checkpoints
{more}"
    ))
}

/// Writes the directory of configuration files: our settings with the options for Java 17 and the log settings of the package.
fn configure(home: &Path, work: &Path, settings: &str) -> Result<()> {
    let (from, to) = (home.join("conf"), work.join("conf"));
    let shipped = from.join("config.yaml");
    let shipped = std::fs::read_to_string(&shipped).map_err(Error::io("read", &shipped))?;
    let java_options = shipped.lines().find_map(|line| line.trim().strip_prefix("all: ")).unwrap_or_default();
    let config = to.join("config.yaml");
    std::fs::write(&config, format!("{settings}env.java.opts.all: {java_options}\n")).map_err(Error::io("write", &config))?;
    for file in std::fs::read_dir(&from).map_err(Error::io("read", &from))?.flatten() {
        if file.file_name().to_string_lossy().starts_with("log4j") {
            std::fs::copy(file.path(), to.join(file.file_name())).map_err(Error::io("copy", &file.path()))?;
        }
    }
    Ok(())
}
