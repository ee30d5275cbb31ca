//! Development tasks of Flott, run as `cargo xtask …`: tests, architecture checks, test data and benchmarks.

mod arch;
mod bench;
mod chaos;
mod error;
mod fuzz;
mod http;
mod kill_test;
mod paths;
mod process;
mod rest_test;
mod sim;
mod static_build;
mod test;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::Result;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, about = "Development tasks of Flott")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every check and test; installs what it needs
    Test(test::TestArgs),
    /// Check that the crates depend on each other only along the edges of docs/internals/arrows.toml
    Arch,
    /// Write a text of made-up words with a Zipf distribution, the same for the same bytes and seed
    GenText {
        /// Size of the text, for example 500MB or 64KiB
        #[arg(long, value_parser = text::parse_bytes)]
        bytes: u64,
        /// Seed of the words and of their order
        #[arg(long, default_value_t = text::DEFAULT_SEED)]
        seed: u64,
        /// File to write
        #[arg(long)]
        output: PathBuf,
    },
    /// Run Flott and its peers side by side on the same input
    Bench {
        #[command(subcommand)]
        benchmark: bench::Benchmark,
    },
    /// Run the deterministic simulation of whole jobs, from seeds
    #[command(disable_help_flag = true)]
    Sim(sim::SimArgs),
    /// Kill a word count again and again, and check that its output has every count exactly once
    KillTest(kill_test::KillTestArgs),
    /// Kill, stop and cut off the processes of a cluster at random, and check that its job's output is exact
    Chaos(chaos::ChaosArgs),
    /// Feed a decoder with made-up bytes; needs a nightly compiler
    Fuzz(fuzz::FuzzArgs),
    /// Build a job that needs no C library, and run it; skipped where the target cannot be installed
    StaticBuild,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Test(args) => test::run(&args),
        Task::Arch => arch::run(),
        Task::GenText { bytes, seed, output } => gen_text(bytes, seed, &output),
        Task::Bench { benchmark } => bench::run(&benchmark),
        Task::Sim(args) => sim::run(&args),
        Task::KillTest(args) => kill_test::run(&args),
        Task::Chaos(args) => chaos::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::StaticBuild => static_build::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn gen_text(bytes: u64, seed: u64, output: &std::path::Path) -> Result<()> {
    let stats = text::write_file(output, bytes, seed)?;
    println!("{}", serde_json::to_string(&stats).expect("plain numbers always serialise"));
    Ok(())
}
