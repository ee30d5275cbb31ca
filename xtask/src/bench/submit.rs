//! `cargo xtask bench submit`: from the command `flott run` to the printed result and the command's end, for a job of one element.
//!
//! Each cluster is new: the first time it does not have the executable yet, and is brought it; the second time it has it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;

use crate::chaos::cluster::{Cluster, Programs, eventually};
use crate::error::{Error, Result};
use crate::process;

/// The TaskManager of a cluster.
const TASK_MANAGER: &str = "tm";
/// What the job prints.
const RESULT: &str = "(hello, 1)";

/// Arguments of `cargo xtask bench submit`.
#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// Clusters that are started; on each the job runs twice
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Programs that are built already
    #[arg(long, hide = true)]
    built: bool,
}

/// Prints a line for each of the two times.
pub(super) fn run(args: &SubmitArgs) -> Result<()> {
    let programs = if args.built { Programs::built(false) } else { Programs::build(false, &["word_count"])? };
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..args.runs {
        let [new, known] = on_new_cluster(&programs)?;
        first.push(new);
        again.push(known);
    }
    for (what, times) in [("the first time, with a new executable", first), ("the second time", again)] {
        println!("{what}: {}", line(times));
    }
    Ok(())
}

fn line(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |index: usize| times[index].as_secs_f64() * 1e3;
    let last = times.len() - 1;
    format!("{} runs: {:.0} ms at the least, {:.0} ms median, {:.0} ms at the most", times.len(), at(0), at(last / 2), at(last))
}

/// The times of two runs.
fn on_new_cluster(programs: &Programs) -> Result<[Duration; 2]> {
    let folder = tempfile::Builder::new().prefix("flott-submit-").tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    let input = folder.path().join("one.txt");
    fs::write(&input, "hello\n").map_err(Error::io("write", &input))?;
    let program = programs.example("word_count");
    let mut cluster = Cluster::start(programs.clone(), folder.path().to_owned(), &[], 1)?;
    cluster.add_task_manager(TASK_MANAGER, 1)?;
    let log = folder.path().join(format!("{TASK_MANAGER}.log"));
    eventually("the TaskManager registers", || (lines_with(&log, "registered at the JobManager") > 0).then_some(()))?;
    // What a new process does in its first second is no part of this.
    thread::sleep(Duration::from_secs(1));
    Ok([once(&cluster, &program, &input, 1)?, once(&cluster, &program, &input, 2)?])
}

/// The time of a run, after which the result has been printed `results` times.
fn once(cluster: &Cluster, program: &Path, input: &Path, results: usize) -> Result<Duration> {
    let mut command = cluster.client();
    command.arg("run").arg(program).arg("--input").arg(input).stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    process::run(&mut command)?;
    let took = begin.elapsed();
    let printed = lines_with(&cluster.folder.join(format!("{TASK_MANAGER}-out.log")), RESULT);
    if printed == results { Ok(took) } else { Err(Error::other(format!("the result was printed {printed} times, and not {results}"))) }
}

fn lines_with(file: &Path, text: &str) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().filter(|line| line.contains(text)).count()
}
