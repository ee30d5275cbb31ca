//! The program `flott`: starts the processes of a cluster, submits programs to it, and asks about their jobs.
//!
//! Flags are Flink's where the thing is the same.

mod application;
mod config;
mod high_availability;
mod jobs;
mod log;
mod new;
mod out;
mod processes;
mod rescale;
mod rest;
mod run;
mod security;
mod stacks;
mod tap;
mod top;

use clap::{Parser, Subcommand};
use flott_core::{
    Error,
    config::{Configuration, options},
};
use out::tell;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Stateful computation over data streams.
///
/// Options of Flott are given as `-Dkey=value`, in `conf/config.yaml` (or the one in `$FLOTT_CONF_DIR`), or as environment variables.
#[derive(Debug, Parser)]
#[command(name = "flott", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs a JobManager in this process
    Jobmanager,
    /// Runs a TaskManager in this process
    Taskmanager,
    /// Runs a program, whose jobs are submitted to the cluster
    Run(run::RunArgs),
    /// Runs a program with a cluster of its own, which ends with it
    RunApplication(application::ApplicationArgs),
    /// Prints the plan of a program's job, as JSON, without running it
    Info(run::InfoArgs),
    /// Writes a package for a job
    New(new::NewArgs),
    /// Prints the options that are set, and where
    Config(config::ConfigArgs),
    /// Lists jobs
    List(jobs::ListArgs),
    /// Ends a job without finishing anything
    Cancel(jobs::JobArgs),
    /// Takes a savepoint and ends the job with it
    Stop(jobs::StopArgs),
    /// Takes a savepoint
    Savepoint(jobs::SavepointArgs),
    /// Changes the parallelism of a running job
    Rescale(rescale::RescaleArgs),
    /// Takes a checkpoint now
    Checkpoint(jobs::JobArgs),
    /// Shows what runs and what slows it down, again and again
    Top(top::TopArgs),
    /// Shows some of the records that go in and out of a vertex right now
    Tap(tap::TapArgs),
    /// Makes certificates and tokens for a cluster
    #[command(subcommand)]
    Security(security::SecurityCommand),
}

fn main() -> ExitCode {
    if let Some(code) = stacks::looks_at_parent() {
        return code;
    }
    log::init();
    let (config, rest) = match configuration() {
        Ok(split) => split,
        Err(error) => return failed(&error),
    };
    let result = match Arguments::parse_from(rest).command {
        Command::Jobmanager => processes::job_manager(&config),
        Command::Taskmanager => processes::task_manager(&config),
        Command::Run(args) => run::run(&config, &args),
        Command::RunApplication(args) => application::run_application(&config, &args),
        Command::Info(args) => run::info(&config, &args),
        Command::New(args) => new::new(&args),
        Command::Config(args) => config::config(&config, &args),
        Command::List(args) => jobs::list(&config, &args),
        Command::Cancel(args) => jobs::cancel(&config, &args),
        Command::Stop(args) => jobs::stop(&config, &args),
        Command::Savepoint(args) => jobs::savepoint(&config, &args),
        Command::Rescale(args) => rescale::rescale(&config, &args),
        Command::Checkpoint(args) => jobs::checkpoint(&config, &args),
        Command::Top(args) => top::top(&config, &args),
        Command::Tap(args) => tap::tap(&config, &args),
        Command::Security(command) => security::security(&config, &command),
    };
    result.unwrap_or_else(|error| failed(&error))
}

fn failed(error: &Error) -> ExitCode {
    tell!("flott: {error}");
    ExitCode::FAILURE
}

/// The configuration, and the arguments without its `-D`. Those behind the name of a program to run are the program's own.
fn configuration() -> Result<(Configuration, Vec<String>), Error> {
    let mut arguments: Vec<String> = std::env::args().collect();
    let own = run::own_arguments(&arguments);
    let of_program = arguments.split_off(own);
    run::lengthen_flags(&mut arguments);
    let mut arguments = arguments.into_iter();
    let name = arguments.next().unwrap_or_default();
    let loaded = Configuration::load_with_arguments(arguments)?;
    loaded.warn();
    Ok((loaded.configuration, [name].into_iter().chain(loaded.arguments).chain(of_program).collect()))
}

/// Where a JobManager listens.
fn bind_address(config: &Configuration) -> Result<String, Error> {
    let (host, port) = (config.get(&options::JOBMANAGER_RPC_ADDRESS)?, config.get(&options::JOBMANAGER_RPC_PORT)?);
    Ok(format!("{host}:{port}"))
}

/// Where the JobManager is; of several that may lead, separated by commas.
fn job_manager_addresses(config: &Configuration) -> Result<String, Error> {
    match config.get(&options::HIGH_AVAILABILITY_JOBMANAGERS)? {
        Some(addresses) => Ok(addresses),
        None => bind_address(config),
    }
}
