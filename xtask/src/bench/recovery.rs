//! `cargo xtask bench recovery`: the time from a kill until output flows again, under load.
//!
//! The job is the example `recovery_bench`: 100 MB of keyed state, 50 000 records a second, checkpoints every second. Its output
//! lines say which process wrote them when, so that the time is that from the signal to the first line of another process than the
//! killed one, or, where none of the job's processes was killed, to the first line at all.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::chaos::cluster::{Cluster, Programs, eventually, signal};
use crate::error::{Error, Result};
use crate::text::Prng;

/// Arguments of `cargo xtask bench recovery`.
#[derive(Debug, Args)]
pub(crate) struct RecoveryArgs {
    /// Kills of each kind
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Kinds of kills
    #[arg(long, value_delimiter = ',', default_values = ["worker", "task-manager", "job-manager"])]
    kinds: Vec<Kind>,
    /// Decides when they come
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run the programs of the development profile
    #[arg(long)]
    debug: bool,
    /// They are built already
    #[arg(long, hide = true)]
    built: bool,
}

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The only worker of the job; its TaskManager starts another
    Worker,
    /// The TaskManager that the job runs on; there is a spare one
    TaskManager,
    /// The JobManager that leads; there is another
    JobManager,
}

/// Runs the kinds after each other and prints a table.
pub(super) fn run(args: &RecoveryArgs) -> Result<()> {
    let programs = if args.built { Programs::built(args.debug) } else { Programs::build(args.debug, &["recovery_bench"])? };
    println!("{:16} {:>6} {:>12} {:>12} {:>12}", "killed", "times", "median, ms", "p90, ms", "max, ms");
    for kind in &args.kinds {
        let mut times = kind_of_kill(args, *kind, programs.clone())?;
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
        println!("{:16} {:>6} {:>12.0} {:>12.0} {:>12.0}", format!("{kind:?}"), times.len(), at(0.5), at(0.9), at(1.0));
    }
    Ok(())
}

fn kind_of_kill(args: &RecoveryArgs, kind: Kind, programs: Programs) -> Result<Vec<f64>> {
    let folder = tempfile::Builder::new().prefix("flott-recovery-").tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    let output = folder.path().join("times");
    let options = [
        "execution.checkpointing.interval=1 s".to_owned(),
        format!("execution.checkpointing.dir={}", folder.path().join("checkpoints").display()),
        "restart-strategy.type=fixed-delay".to_owned(),
        "restart-strategy.fixed-delay.attempts=1000000".to_owned(),
        "restart-strategy.fixed-delay.delay=0 ms".to_owned(),
    ];
    let program = programs.example("recovery_bench");
    let mut cluster = Cluster::start(programs, folder.path().to_owned(), &options, if kind == Kind::JobManager { 2 } else { 1 })?;
    cluster.add_task_manager("tm-a", 2)?;
    cluster.submit(2, &program, &["--output".to_owned(), output.display().to_string()])?;
    let mut times = Times::of(output);
    times.wait("the job begins", |_, _| true)?;
    if kind == Kind::TaskManager {
        cluster.add_task_manager("tm-b", 2)?;
    }
    // The state is complete, and is in a checkpoint.
    thread::sleep(Duration::from_secs(6));
    let mut prng = Prng::new(args.seed);
    let mut taken = Vec::new();
    for _ in 0..args.runs {
        thread::sleep(Duration::from_millis(u64::from(1500 + prng.below(1000))));
        taken.push(kill(&mut cluster, kind, &mut times)?);
        restore(&mut cluster)?;
    }
    Ok(taken)
}

/// Kills, and gives the ms until output flows again.
fn kill(cluster: &mut Cluster, kind: Kind, times: &mut Times) -> Result<f64> {
    let workers = cluster.workers();
    let [worker] = workers[..] else { return Err(Error::other(format!("the job has {} workers, and not one", workers.len()))) };
    let task_manager = cluster.task_managers.iter().find(|(_, one)| one.id().is_some_and(|id| cluster.workers_of(id).contains(&worker)));
    let task_manager = task_manager.map(|(name, _)| name.clone()).ok_or_else(|| Error::other("nobody has started the worker"))?;
    times.skip()?;
    let begin = now_ms();
    match kind {
        Kind::Worker => signal("KILL", worker),
        Kind::TaskManager => cluster.kill_task_manager(&task_manager),
        Kind::JobManager => cluster.kill_job_manager(cluster.leader()?),
    }
    let survives = kind == Kind::JobManager;
    let first = times.wait("output flows again", |process, at| at >= begin && (survives || process != worker))?;
    Ok(first - begin)
}

/// Starts again what was killed.
fn restore(cluster: &mut Cluster) -> Result<()> {
    let gone: Vec<String> = cluster.task_managers.iter().filter(|(_, one)| one.id().is_none()).map(|(name, _)| name.clone()).collect();
    gone.iter().try_for_each(|name| cluster.start_task_manager(name, 2))?;
    cluster.gone_job_managers().into_iter().try_for_each(|number| cluster.start_job_manager(number))
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3
}

/// The lines of the job, as they come.
#[derive(Debug)]
pub(super) struct Times {
    path: PathBuf,
    read: u64,
}

impl Times {
    pub(super) fn of(path: PathBuf) -> Times {
        Times { path, read: 0 }
    }

    /// Passes over what is there.
    pub(super) fn skip(&mut self) -> Result<()> {
        self.read = std::fs::metadata(&self.path).map_err(Error::io("look at", &self.path))?.len();
        Ok(())
    }

    /// Waits for a line whose process and time `is_wanted`, and gives the time.
    pub(super) fn wait(&mut self, what: &str, is_wanted: impl Fn(u32, f64) -> bool) -> Result<f64> {
        eventually(what, || {
            let text = self.news(&self.path).unwrap_or_default();
            // A line that is not whole is read again.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            self.read += whole as u64;
            let lines = text.get(..whole)?.lines().filter_map(|line| line.split_once(' '));
            let mut parsed = lines.filter_map(|(process, at)| Some((process.parse().ok()?, at.parse().ok()?)));
            parsed.find(|(process, at)| is_wanted(*process, *at)).map(|(_, at)| at)
        })
    }

    fn news(&self, path: &Path) -> std::io::Result<String> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    }
}
