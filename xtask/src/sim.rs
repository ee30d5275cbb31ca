//! `cargo xtask sim`: the deterministic simulation, built with optimisations and run on all cores.

use std::process::Command;

use crate::error::Result;
use crate::process::{cargo, run as run_command};

/// Arguments of `cargo xtask sim`.
#[derive(Debug, clap::Args)]
pub(crate) struct SimArgs {
    /// What the simulation itself takes: `--cluster`, `--seeds N`, `--from S`, `--seed S` to replay one, `--plant NAME`, `--plants`; `--help` for all
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
    args: Vec<String>,
}

/// Runs the simulation.
///
/// # Errors
/// When it cannot be built, a seed failed, or a planted fault was not found.
pub(crate) fn run(args: &SimArgs) -> Result<()> {
    run_command(cargo_sim("run").arg("--").args(&args.args))
}

/// Builds it.
///
/// # Errors
/// When that fails.
pub(crate) fn build() -> Result<()> {
    run_command(&mut cargo_sim("build"))
}

/// The part of `cargo xtask test`: many seeds of jobs and some of clusters, and every plant.
///
/// # Errors
/// As [`run`].
pub(crate) fn check() -> Result<()> {
    run_command(cargo_sim("run").args(["--", "--seeds", "2000"]))?;
    run_command(cargo_sim("run").args(["--", "--plants", "--seeds", "2000"]))?;
    run_command(cargo_sim("run").args(["--", "--cluster", "--seeds", "200"]))?;
    run_command(cargo_sim("run").args(["--", "--cluster", "--plants", "--seeds", "2000"]))
}

fn cargo_sim(subcommand: &str) -> Command {
    let mut command = cargo();
    command.args([subcommand, "--quiet", "--release", "--package", "flott-sim"]);
    command
}
