//! A job that never ends: follows a small state machine for each of many keys, and tells events that are wrong.
//!
//!     cargo run --release --example state_machine
//!     cargo run --release --example state_machine -- --output alerts --parallelism 2 --checkpoint-dir checkpoints
//!     cargo run --release --example state_machine -- --check alerts
//!
//! The events are made up from a seed. Customers of a shop fill baskets, order, pay; `machine.rs` draws what may happen when. The
//! output has a line for each wrong event (`alert`), for every fiftieth event of each customer (`report`), and for each customer
//! at the end of the input (`end`). Since seed and number tell an event, `--check` proves from these lines alone that no event was
//! lost or handled twice, also if the job was killed, or still runs. It needs the job's `--seed`, `--keys`, `--error-rate` and
//! `--report-every`, and its `--events` if it is at its end.

mod basket;
mod check;
mod files;
mod job;
mod line;
mod machine;
#[cfg(test)]
mod tests;
mod traffic;

use check::{Expected, Proof};
use clap::Parser;
use files::CheckError;
use std::{
    error::Error,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};
use traffic::Traffic;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Follows a state machine for each key, or proves that a job that did so has lost nothing.
#[derive(Debug, Parser)]
struct Arguments {
    /// The number of events of all keys; without, the job never ends.
    #[arg(long)]
    events: Option<u64>,
    /// Events a second, of all subtasks together.
    #[arg(long, default_value_t = 10_000.0, value_parser = rate)]
    rate: f64,
    /// The number of keys. All subtasks generate if it is a multiple of their number, otherwise fewer do.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=u64::from(u32::MAX)))]
    keys: u64,
    /// The share of wrong events, from 0 to 1.
    #[arg(long, default_value_t = 0.01, value_parser = share)]
    error_rate: f64,
    /// A key has a report after so many events.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    report_every: u64,
    /// Decides which events there are.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The number of subtasks of each operator.
    #[arg(long)]
    parallelism: Option<u32>,
    /// Where to write lines, exactly once; without, they are printed.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Time between checkpoints, ms; 1000 unless set where lines are written to files, which become visible with each.
    #[arg(long)]
    checkpoint_interval: Option<u64>,
    /// Where checkpoints are kept; without, in memory.
    #[arg(long)]
    checkpoint_dir: Option<String>,
    /// A checkpoint or savepoint to start from, or `latest`: the newest complete one in the checkpoint directory.
    #[arg(long)]
    from_savepoint: Option<String>,
    /// Does not run the job, but checks the output in this directory; ends with code 1 at the first contradiction.
    #[arg(long, value_name = "DIR")]
    check: Option<PathBuf>,
    /// With `--check`: prints for each key up to which event it is proven.
    #[arg(long, requires = "check")]
    per_key: bool,
}

impl Arguments {
    fn traffic(&self) -> Traffic {
        Traffic::new(self.seed, self.keys, self.error_rate)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    rate.ok_or_else(|| "give a number above 0".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "give a number from 0 to 1".to_owned())
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .init();
    Ok(run(&Arguments::parse_from(flott::program_arguments()?))?.into())
}

/// Runs or checks; the code to end with.
fn run(arguments: &Arguments) -> Result<u8, Box<dyn Error>> {
    let Some(dir) = &arguments.check else { return job::run(arguments).map(|()| 0) };
    let expected = Expected { traffic: arguments.traffic(), report_every: arguments.report_every, events: arguments.events };
    match check::check(dir, &expected) {
        Ok(proof) => {
            tell(dir, &proof, arguments.per_key)?;
            Ok(0)
        }
        Err(error @ CheckError::Contradiction { .. }) => {
            eprintln!("{error}");
            eprintln!("(if the job had other `--seed`, `--keys`, `--error-rate` or `--report-every`, check with those)");
            Ok(1)
        }
        Err(CheckError::Io { path, source }) => {
            eprintln!("cannot read `{}`: {source}", path.display());
            Ok(2)
        }
    }
}

/// Says what is proven.
fn tell(dir: &Path, Proof { proven, lines, files }: &Proof, per_key: bool) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    if per_key {
        for (key, last) in proven.iter().enumerate() {
            writeln!(out, "key={key} proven={last}")?;
        }
    }
    let (some, events) = (proven.iter().filter(|last| **last > 0).count(), proven.iter().sum::<u64>());
    let (least, most) = (proven.iter().min().unwrap_or(&0), proven.iter().max().unwrap_or(&0));
    writeln!(
        out,
        "{lines} lines in {files} files of `{}` prove that {events} events of {some} of {} keys were handled exactly once, up to \
         event {least} to {most} of each key",
        dir.display(),
        proven.len()
    )?;
    Ok(out.flush()?)
}
