//! `cargo xtask bench recovery`: the time from a kill until output flows again, under load.
//!
//! The job is the example `recovery_bench`: 100 MB of keyed state, 50 000 records a second, checkpoints every second. Its output
//! lines say which process wrote them when, so that the time is that from the signal to the first line of another process than the
//! killed one, or, where none of the job's processes was killed, to the first line at all. With `--flink`, Flink does the same next to it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;

use super::flink::FlinkRecovery;
use crate::chaos::cluster::{Cluster, Programs, eventually, signal};
use crate::error::{Error, Result};
use crate::text::Prng;

/// Arguments of `cargo xtask bench recovery`.
#[derive(Debug, Args)]
pub(crate) struct RecoveryArgs {
    /// Kills of each kind; with 0 Flott is not measured
    #[arg(long, default_value_t = 50)]
    runs: u32,
    /// Kills of each kind for Flink's rows; with 0 there are none, and no Java is needed
    #[arg(long, value_name = "KILLS", default_value_t = 0)]
    flink: u32,
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
    // What is missing for Flink shows before the long part begins.
    let flink = if args.flink > 0 { Some(FlinkRecovery::prepare()?) } else { None };
    let programs = match (args.runs, args.built) {
        (0, _) => None,
        (_, true) => Some(Programs::built(args.debug)),
        (_, false) => Some(Programs::build(args.debug, &["recovery_bench"])?),
    };
    println!("{}", row("killed", "who", ["times", "median, ms", "p90, ms", "max, ms"].map(str::to_owned)));
    for kind in &args.kinds {
        if let Some(programs) = &programs {
            print_row(*kind, "Flott", Some(kind_of_kill(args, *kind, programs.clone())?));
        }
        if let Some(flink) = &flink {
            print_row(*kind, &flink.name(), flink.kills(*kind, args.flink, args.seed)?);
        }
    }
    if flink.is_some() {
        print!("{FLINK_NOTES}");
    }
    Ok(())
}

/// Below a table with Flink's rows.
const FLINK_NOTES: &str = "
Heartbeats as each has them by default. Flink has no worker processes: in its row `Worker` its only TaskManager is killed, and
another is started at once. A JobManager that stands by needs ZooKeeper or Kubernetes there, and is not measured (`-`).
";

/// `times` are in ms; `None` where there is nothing to measure.
fn print_row(kind: Kind, who: &str, times: Option<Vec<f64>>) {
    let figures = times.map_or_else(|| ["-"; 4].map(str::to_owned), figures);
    println!("{}", row(&format!("{kind:?}"), who, figures));
}

/// How many times, and their median, 90th percentile and maximum.
fn figures(mut times: Vec<f64>) -> [String; 4] {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times.get((times.len().saturating_sub(1) as f64 * share).round() as usize);
    let shown = |share: f64| at(share).map_or_else(|| "-".to_owned(), |ms| format!("{ms:.0}"));
    [times.len().to_string(), shown(0.5), shown(0.9), shown(1.0)]
}

fn row(killed: &str, who: &str, [times, median, p90, max]: [String; 4]) -> String {
    format!("{killed:16} {who:12} {times:>6} {median:>12} {p90:>12} {max:>12}")
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
    let (_, first) = times.wait("output flows again", |process, at| at >= begin && (survives || process != worker))?;
    Ok(first - begin)
}

/// Starts again what was killed.
fn restore(cluster: &mut Cluster) -> Result<()> {
    let gone: Vec<String> = cluster.task_managers.iter().filter(|(_, one)| one.id().is_none()).map(|(name, _)| name.clone()).collect();
    gone.iter().try_for_each(|name| cluster.start_task_manager(name, 2))?;
    cluster.gone_job_managers().into_iter().try_for_each(|number| cluster.start_job_manager(number))
}

/// The time in ms since 1970, as the lines have it.
pub(super) fn now_ms() -> f64 {
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

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Passes over what is there.
    pub(super) fn skip(&mut self) -> Result<()> {
        self.read = std::fs::metadata(&self.path).map_err(Error::io("look at", &self.path))?.len();
        Ok(())
    }

    /// Waits for a line whose process and time `is_wanted`, and gives both.
    pub(super) fn wait(&mut self, what: &str, is_wanted: impl Fn(u32, f64) -> bool) -> Result<(u32, f64)> {
        eventually(what, || {
            let text = self.news(&self.path).unwrap_or_default();
            // A line that is not whole is read again.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            self.read += whole as u64;
            let lines = text.get(..whole)?.lines().filter_map(|line| line.split_once(' '));
            let mut parsed = lines.filter_map(|(process, at)| Some((process.parse().ok()?, at.parse().ok()?)));
            parsed.find(|(process, at)| is_wanted(*process, *at))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_do_not_depend_on_the_order_of_the_kills() {
        assert_eq!(figures(vec![30.0, 10.0, 20.0]), ["3", "20", "30", "30"]);
        assert_eq!(figures(Vec::new()), ["0", "-", "-", "-"]);
    }

    #[test]
    fn a_line_that_is_not_whole_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("times");
        std::fs::write(&path, "7 1000\n8 10").unwrap();
        let mut times = Times::of(path.clone());
        assert_eq!(times.wait("a line", |_, _| true).unwrap(), (7, 1000.0));
        std::fs::write(&path, "7 1000\n8 1001\n").unwrap();
        assert_eq!(times.wait("a line", |_, _| true).unwrap(), (8, 1001.0));
    }
}
