//! Flink's side: a standalone cluster on loopback and our own Java program.

mod cluster;
mod install;
mod recovery;

use std::path::{Path, PathBuf};

use super::input::Input;
use super::measure::{self, Usage};
use super::side::{Side, SideName};
use crate::error::{Error, Result};
use crate::{paths, process};
use cluster::{Cluster, Settings};
pub(crate) use recovery::FlinkRecovery;

/// Slots of the cluster's one TaskManager: the highest parallelism.
const SLOTS: u32 = 8;
/// TaskManagers of a cluster of more than one; each has one slot.
const TASK_MANAGERS: u32 = 2;

/// A running Flink with the job's jar.
#[derive(Debug)]
pub(super) struct Flink {
    name: SideName,
    cluster: Cluster,
    jar: PathBuf,
}

impl Flink {
    /// Installs Flink, builds the jar, starts the cluster of a side and runs a small job, so that the machine code of the hot paths is
    /// there.
    pub(super) fn prepare(name: SideName, input: &Input) -> Result<Flink> {
        check_programs()?;
        let home = install::flink()?;
        let jar = build_jar(&home, "flink-word-count", "WordCount")?;
        let cluster = if name == SideName::FlinkCluster {
            let mut cluster = Cluster::start(&home, name.as_str(), &Settings { slots: 1, task_manager_memory_mb: 2048, more: "" })?;
            (1..TASK_MANAGERS).try_for_each(|_| cluster.add_task_manager())?;
            cluster.wait_for_slots(TASK_MANAGERS)?;
            cluster
        } else {
            Cluster::start(&home, name.as_str(), &Settings { slots: SLOTS, task_manager_memory_mb: 4096, more: "" })?
        };
        let mut flink = Flink { name, cluster, jar };
        let warm_up = input.parts()?.join("part-1.txt");
        flink.count(&warm_up, 2)?;
        Ok(flink)
    }

    fn count(&mut self, path: &Path, parallelism: u32) -> Result<Usage> {
        let mut command = self.cluster.client();
        command.args(["run", "--parallelism", &parallelism.to_string()]).arg(&self.jar).arg(path);
        measure::run(&mut command, self.name.as_str(), &self.cluster.processes(), || Ok(()))
    }
}

impl Side for Flink {
    fn name(&self) -> SideName {
        self.name
    }

    fn only(&self) -> Option<u32> {
        (self.name == SideName::FlinkCluster).then_some(TASK_MANAGERS)
    }

    fn run(&mut self, input: &Input, parallelism: u32) -> Result<Usage> {
        let mut usage = self.count(&input.parts()?, parallelism)?;
        let job = usage.stdout.split_once("JobID ").and_then(|(_, rest)| rest.split_whitespace().next());
        let checkpoints = job.map_or_else(|| Err(Error::other("the client named no job")), |job| self.cluster.checkpoints(job))?;
        let job_s = usage.summary.job_ms.unwrap_or(0) as f64 / 1000.0;
        usage.note = format!("job {job_s:.1} s, {checkpoints} checkpoints");
        Ok(usage)
    }
}

/// What Flink's side needs.
fn check_programs() -> Result<()> {
    let missing = ["java", "javac", "jar", "python3"].into_iter().find(|program| process::find(program).is_none());
    missing.map_or(Ok(()), |program| {
        Err(Error::other(format!("`{program}` is not installed (a Java 17 development kit and Python 3 with pip are needed)")))
    })
}

/// Compiles the program `class` of the folder `name` against Flink's own jars.
fn build_jar(home: &Path, name: &str, class: &str) -> Result<PathBuf> {
    let source = paths::repository().join("benchmarks").join(name).join(format!("src/{class}.java"));
    let work = paths::bench()?.join(format!("{name}-jar"));
    paths::remove_dir(&work)?;
    let (classes, jar) = (paths::create_dir(work.join("classes"))?, work.join("job.jar"));
    let mut compile = std::process::Command::new("javac");
    process::output(compile.arg("-cp").arg(home.join("lib/*")).arg("-d").arg(&classes).arg(source))?;
    let mut pack = std::process::Command::new("jar");
    process::output(pack.args(["--create", "--main-class", class, "--file"]).arg(&jar).arg("-C").arg(&classes).arg("."))?;
    Ok(jar)
}
