//! Benchmarks of Flott alone: latency, state, start.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::Args;

use crate::error::{Error, Result};
use crate::{paths, process};

/// Arguments of the benchmarks of Flott alone.
#[derive(Debug, Args)]
pub(crate) struct SingleArgs {
    /// How often it is run
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Arguments for the example, behind `--`
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Latency, of an example that prints its figures itself, as a line of JSON.
pub(super) fn latency(args: &SingleArgs) -> Result<()> {
    let program = build("latency_bench")?;
    repeat(args, || process::run(Command::new(&program).args(&args.arguments)))
}

/// State, with checkpoints on disk, of an example that prints its figures itself, as a line of JSON.
pub(super) fn state(args: &SingleArgs) -> Result<()> {
    let program = build("state_bench")?;
    let checkpoints = paths::bench()?.join("state-checkpoints");
    repeat(args, || {
        process::run(Command::new(&program).arg("--checkpoint-dir").arg(&checkpoints).args(&args.arguments))?;
        paths::remove_dir(&checkpoints)
    })
}

fn repeat(args: &SingleArgs, mut run: impl FnMut() -> Result<()>) -> Result<()> {
    for number in 1..=args.runs {
        eprint!("run {number}: ");
        run()?;
    }
    Ok(())
}

/// The time from the start of a process to its end, for a job of four lines.
pub(super) fn start(args: &SingleArgs) -> Result<()> {
    let program = build("word_count")?;
    let mut times = Vec::new();
    for _ in 0..args.runs.max(11) {
        let start = Instant::now();
        let status = Command::new(&program).args(&args.arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let status = status.map_err(|error| Error::other(format!("cannot start `{}`: {error}", program.display())))?;
        if !status.success() {
            return Err(Error::other(format!("`{}` failed: {status}", program.display())));
        }
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "process start to end, {} runs: {:.1} ms at the least, {:.1} ms median, {:.1} ms at the most",
        times.len(),
        ms(times[0]),
        ms(times[times.len() / 2]),
        ms(times[times.len() - 1])
    );
    Ok(())
}

fn build(example: &str) -> Result<std::path::PathBuf> {
    process::run(process::cargo().args(["build", "--release", "--package", "flott", "--example", example]))?;
    Ok(paths::target().join("release/examples").join(example))
}
