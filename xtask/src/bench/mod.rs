//! `cargo xtask bench`: Flott and its peers, alternately in one run on the same input.

mod flink;
mod flott;
mod input;
mod measure;
mod peers;
mod recovery;
mod report;
mod side;
mod single;
mod submit;

use clap::{Args, Subcommand};

use crate::error::{Error, Result};
use crate::{paths, process, text};
use input::Input;
use report::{Report, Row};
use side::{Side, SideName};

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Benchmark {
    /// Words of a text file counted: running counts keyed by the word, the result discarded
    WordCount(WordCountArgs),
    /// Latency from source to sink: 100 000 records a second, keyed state, checkpoints every second
    Latency(single::SingleArgs),
    /// Ten million keys: update rate, memory for each key, checkpoints, the longest standstill
    State(single::SingleArgs),
    /// From the start of a process to its end, for a tiny job
    Start(single::SingleArgs),
    /// From `flott run` to the printed result of a job of one element, on clusters that do not have its executable yet
    Submit(submit::SubmitArgs),
    /// From a kill until output flows again, with 100 MB of keyed state under load
    Recovery(recovery::RecoveryArgs),
    /// The coordinator alone, simulated: CPU time and messages of a checkpoint and of a restart, and how they grow with the job
    Coordinator,
}

/// Arguments of `cargo xtask bench word-count`.
#[derive(Debug, Args)]
pub(crate) struct WordCountArgs {
    /// Size of the text, for example 500MB
    #[arg(long, default_value = "500MB", value_parser = text::parse_bytes)]
    bytes: u64,
    /// Rounds; each runs every side once at every parallelism
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Sides to run, in this order
    #[arg(long, value_delimiter = ',', default_values = ["flott-string", "flott-compact", "flink", "timely", "loop"])]
    sides: Vec<SideName>,
    /// Parallelisms to run the sides at, at most 8 each; the loop runs once a round
    #[arg(long, value_delimiter = ',', default_values = ["1", "2"], value_parser = clap::value_parser!(u32).range(1..=8))]
    parallelism: Vec<u32>,
}

/// One side at one parallelism.
struct Case {
    side: usize,
    parallelism: u32,
    row: Row,
    /// Set by a failed run; the case is left out of later rounds.
    failure: Option<String>,
}

/// Runs a benchmark and prints its table.
///
/// # Errors
/// When the input cannot be made, no side can run, or a run fails (after the others have run).
pub(crate) fn run(benchmark: &Benchmark) -> Result<()> {
    match benchmark {
        Benchmark::WordCount(args) => word_count(args),
        Benchmark::Latency(args) => single::latency(args),
        Benchmark::State(args) => single::state(args),
        Benchmark::Start(args) => single::start(args),
        Benchmark::Submit(args) => submit::run(args),
        Benchmark::Recovery(args) => recovery::run(args),
        Benchmark::Coordinator => {
            process::run(process::cargo().args(["bench", "--quiet", "--package", "flott-jobmanager", "--bench", "coordinator"]))
        }
    }
}

fn word_count(args: &WordCountArgs) -> Result<()> {
    let input = Input::of_size(args.bytes)?;
    println!("input: {} bytes, {} words in `{}`", input.stats.bytes, input.stats.words, input.file.display());
    let mut sides = prepare(&args.sides, &input)?;
    let mut cases = cases(&sides, &args.parallelism);
    for round in 1..=args.runs {
        for case in cases.iter_mut().filter(|case| case.failure.is_none()) {
            let side = &mut sides[case.side];
            match run_once(side.as_mut(), &input, case.parallelism) {
                Ok(usage) => {
                    println!("round {round}: {:24} {}", case.row.name, report::usage(&usage, input.stats.words));
                    case.row.runs.push((round, usage));
                }
                Err(error) => {
                    println!("round {round}: {:24} FAILED: {error}", case.row.name);
                    case.failure = Some(format!("{}: {error}", case.row.name));
                }
            }
        }
    }
    drop(sides);
    let failures: Vec<String> = cases.iter_mut().filter_map(|case| case.failure.take()).collect();
    let report = Report { words: input.stats.words, bytes: input.stats.bytes, rows: cases.into_iter().map(|case| case.row).collect() };
    print!("\n{}", report.table());
    let path = paths::bench()?.join("word-count.md");
    std::fs::write(&path, report.markdown()).map_err(Error::io("write", &path))?;
    println!("\nwritten to `{}`", path.display());
    if failures.is_empty() { Ok(()) } else { Err(Error::other(failures.join("\n"))) }
}

/// Builds and starts the sides; one that cannot be had on this machine is left out with a message.
fn prepare(names: &[SideName], input: &Input) -> Result<Vec<Box<dyn Side>>> {
    let mut sides = Vec::new();
    for &name in names {
        match side::prepare(name, input) {
            Ok(side) => sides.push(side),
            Err(error) => println!("skipped: {name}: {error}"),
        }
    }
    if sides.is_empty() { Err(Error::other("no side can run")) } else { Ok(sides) }
}

fn cases(sides: &[Box<dyn Side>], parallelism: &[u32]) -> Vec<Case> {
    let mut cases = Vec::new();
    for (index, side) in sides.iter().enumerate() {
        let parallelism = side.only().map_or_else(|| parallelism.to_vec(), |only| vec![only]);
        for parallelism in parallelism {
            let row = Row::new(side.name(), parallelism);
            cases.push(Case { side: index, parallelism, row, failure: None });
        }
    }
    // By parallelism first, so that a pair that is compared runs close together.
    cases.sort_by_key(|case| case.parallelism);
    cases
}

fn run_once(side: &mut dyn Side, input: &Input, parallelism: u32) -> Result<measure::Usage> {
    let usage = side.run(input, parallelism)?;
    let (counted, expected) = (usage.summary.words, input.stats.words);
    if counted != expected {
        return Err(Error::other(format!("it counted {counted} words, but the text holds {expected}")));
    }
    Ok(usage)
}
