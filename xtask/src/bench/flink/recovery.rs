//! Flink's side of `cargo xtask bench recovery`: the same job on its own cluster, whose TaskManagers are killed.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::super::recovery::{Kind, Times, now_ms};
use super::cluster::{Cluster, Settings};
use super::{build_jar, check_programs, install};
use crate::chaos::cluster::eventually;
use crate::error::{Error, Result};
use crate::text::Prng;
use crate::{paths, process};

/// Slots of each TaskManager, which the job needs all.
const SLOTS: u32 = 2;

/// An installed Flink with the job's jar.
#[derive(Debug)]
pub(crate) struct FlinkRecovery {
    home: PathBuf,
    jar: PathBuf,
}

impl FlinkRecovery {
    /// Installs Flink and builds the jar.
    pub(crate) fn prepare() -> Result<FlinkRecovery> {
        check_programs()?;
        let home = install::flink()?;
        let jar = build_jar(&home, "flink-recovery", "Recovery")?;
        Ok(FlinkRecovery { home, jar })
    }

    /// Its name in tables.
    pub(crate) fn name(&self) -> String {
        format!("Flink {}", install::VERSION)
    }

    /// Kills `count` times, and gives the ms until output flowed again; `None` where Flink has nothing of that kind.
    pub(crate) fn kills(&self, kind: Kind, count: u32, seed: u64) -> Result<Option<Vec<f64>>> {
        if kind == Kind::JobManager {
            return Ok(None);
        }
        let cluster = Cluster::start(&self.home, "flink-recovery", &settings())?;
        let output = paths::bench()?.join("flink-recovery/times");
        let mut job = RunningJob { times: Times::of(output), cluster };
        job.begin(&self.jar, kind)?;
        let mut prng = Prng::new(seed);
        let mut taken = Vec::new();
        for number in 1..=count {
            thread::sleep(Duration::from_millis(u64::from(1500 + prng.below(1000))));
            let one = job.kill(kind).map_err(|error| Error::other(format!("Flink's kill {number}: {error}; {}", job.cluster.logs())))?;
            taken.push(one);
        }
        Ok(Some(taken))
    }
}

/// As in Flott's run; heartbeats and all else are Flink's defaults.
fn settings() -> Settings {
    let restarts = "\
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 1000000
restart-strategy.fixed-delay.delay: 0 ms
";
    Settings { slots: SLOTS, task_manager_memory_mb: 3072, more: restarts }
}

/// The job on its cluster.
#[derive(Debug)]
struct RunningJob {
    times: Times,
    cluster: Cluster,
}

impl RunningJob {
    /// Submits the job, and waits until its state is complete and in a checkpoint.
    fn begin(&mut self, jar: &Path, kind: Kind) -> Result<()> {
        let mut command = self.cluster.client();
        command.args(["run", "--detached", "--parallelism", &SLOTS.to_string()]).arg(jar).arg(self.times.path());
        let said = process::output(&mut command)?;
        let job = said.split_once("JobID ").and_then(|(_, rest)| rest.split_whitespace().next());
        let job = job.ok_or_else(|| Error::other(format!("Flink's client named no job:\n{said}")))?;
        self.times.wait("Flink's job begins", |_, _| true)?;
        if kind == Kind::TaskManager {
            self.cluster.add_task_manager()?;
            self.cluster.wait_for_slots(SLOTS)?;
        }
        thread::sleep(Duration::from_secs(6));
        // One may be under way that began earlier.
        let before = self.cluster.checkpoints(job)?;
        eventually("Flink completes checkpoints", || self.cluster.checkpoints(job).ok().filter(|completed| *completed >= before + 2))?;
        Ok(())
    }

    /// Kills the TaskManager that the job runs on, gives the ms until output flows again, and sees to the next one.
    fn kill(&mut self, kind: Kind) -> Result<f64> {
        self.times.skip()?;
        let (process, _) = self.times.wait("Flink's job writes", |_, _| true)?;
        let begin = now_ms();
        self.cluster.kill_task_manager(process)?;
        if kind == Kind::Worker {
            self.cluster.add_task_manager()?;
        }
        let (_, first) = self.times.wait("output flows again", |writer, at| at >= begin && writer != process)?;
        if kind == Kind::TaskManager {
            self.cluster.add_task_manager()?;
            self.cluster.wait_for_slots(SLOTS)?;
        }
        Ok(first - begin)
    }
}
