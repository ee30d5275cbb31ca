//! A standalone cluster: one JobManager, one TaskManager, all on loopback, ended with this program.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::{http, paths, process};

/// How long the slots may take to come up.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A running cluster; stopped when dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    home: PathBuf,
    work: PathBuf,
    rest_port: u16,
    daemons: Vec<Child>,
}

impl Cluster {
    /// Starts both processes and waits until all slots have been offered.
    pub(super) fn start(home: &Path, slots: u32) -> Result<Cluster> {
        let work = paths::bench()?.join("flink");
        paths::remove_dir(&work)?;
        for directory in ["log", "pid", "tmp", "checkpoints", "conf"] {
            paths::create_dir(work.join(directory))?;
        }
        let (rpc_port, rest_port) = free_ports()?;
        configure(home, &work, &configuration(&work, rpc_port, rest_port, slots)?)?;
        let mut cluster = Cluster { home: home.to_owned(), work, rest_port, daemons: Vec::new() };
        for script in ["jobmanager.sh", "taskmanager.sh"] {
            let daemon = cluster.daemon(script)?;
            cluster.daemons.push(daemon);
        }
        cluster.wait_for_slots(slots)?;
        Ok(cluster)
    }

    /// A command for Flink's client, to be given its arguments.
    pub(super) fn client(&self) -> Command {
        self.script("flink")
    }

    /// The process ids of JobManager and TaskManager.
    pub(super) fn processes(&self) -> Vec<u32> {
        self.daemons.iter().map(Child::id).collect()
    }

    /// How many checkpoints a job has completed.
    pub(super) fn checkpoints(&self, job: &str) -> Result<u64> {
        let json = http::get(self.rest_port, &format!("/jobs/{job}/checkpoints"))?;
        json["counts"]["completed"].as_u64().ok_or_else(|| Error::other(format!("Flink knows no checkpoints of job {job}: {json}")))
    }

    fn script(&self, name: &str) -> Command {
        let mut command = process::tied_command(self.home.join("bin").join(name));
        command.env("FLINK_CONF_DIR", self.work.join("conf"));
        command.env("FLINK_LOG_DIR", self.work.join("log"));
        command.env("FLINK_PID_DIR", self.work.join("pid"));
        command
    }

    /// Starts a daemon's script in the foreground: it becomes the Java process, so that its process id is the one to measure.
    fn daemon(&self, script: &str) -> Result<Child> {
        let log = self.work.join("log").join(script).with_extension("out");
        let out = File::create(&log).map_err(Error::io("create", &log))?;
        let err = out.try_clone().map_err(Error::io("write", &log))?;
        let mut command = self.script(script);
        command.arg("start-foreground").stdin(Stdio::null()).stdout(out).stderr(err);
        command.spawn().map_err(process::start_error(&command))
    }

    fn wait_for_slots(&mut self, slots: u32) -> Result<()> {
        let start = Instant::now();
        loop {
            let available = http::get(self.rest_port, "/overview").ok().and_then(|json| json["slots-available"].as_u64());
            if available == Some(u64::from(slots)) {
                return Ok(());
            }
            for daemon in &mut self.daemons {
                if let Ok(Some(status)) = daemon.try_wait() {
                    return Err(Error::other(format!("a process of Flink's cluster ended at once ({status}); {}", self.logs())));
                }
            }
            if start.elapsed() > START_TIMEOUT {
                return Err(Error::other(format!("Flink offered no slots within {} s; {}", START_TIMEOUT.as_secs(), self.logs())));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn logs(&self) -> String {
        let log = self.work.join("log");
        format!("see `{}`; the JobManager's last lines:\n{}", log.display(), process::tail(&log.join("jobmanager.out"), 10))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            // Nothing of it is kept, so there is nothing to shut down in order. A process that has ended already is fine.
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
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
fn configuration(work: &Path, rpc_port: u16, rest_port: u16, slots: u32) -> Result<String> {
    let work = work.to_str().ok_or_else(|| Error::other(format!("`{}` is not UTF-8, which Flink needs", work.display())))?;
    Ok(format!(
        "\
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: {rpc_port}
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 1600m
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.memory.process.size: 4096m
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
"
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
