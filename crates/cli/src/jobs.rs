//! Questions about jobs.

use crate::{job_manager_addresses, out::say};
use clap::Args;
use flott_cluster::JobManagerClient;
use flott_core::{Error, ErrorKind, config::Configuration, id::JobId};
use flott_rpc::{
    client::{JobReply, JobRequest},
    control::JobSummary,
    status::JobStatus,
};
use flott_security::Connector;
use std::process::ExitCode;

/// Where the JobManager is.
#[derive(Debug, Args)]
struct Target {
    /// Where the JobManager is, `host:port`; else as configured
    #[arg(short = 'm', long, value_name = "ADDRESS")]
    jobmanager: Option<String>,
}

impl Target {
    fn client(&self, config: &Configuration) -> Result<JobManagerClient, Error> {
        let address = self.jobmanager.clone().map_or_else(|| job_manager_addresses(config), Ok)?;
        Ok(JobManagerClient::new(address).with_security(Connector::of_client(config)?))
    }
}

/// Arguments of `flott list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: Target,
    /// Ended jobs, too
    #[arg(short, long)]
    all: bool,
    /// Only those that run
    #[arg(short, long)]
    running: bool,
}

/// Arguments of what needs only a job.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    #[command(flatten)]
    target: Target,
    /// The job: 32 hexadecimal digits
    #[arg(value_parser = parse_job)]
    job: JobId,
}

impl JobArgs {
    /// The way to the JobManager.
    pub(crate) fn client(&self, config: &Configuration) -> Result<JobManagerClient, Error> {
        self.target.client(config)
    }

    /// The job.
    pub(crate) fn job(&self) -> JobId {
        self.job
    }
}

/// Arguments of `flott savepoint`.
#[derive(Debug, Args)]
pub(crate) struct SavepointArgs {
    #[command(flatten)]
    target: Target,
    /// The job: 32 hexadecimal digits
    #[arg(value_parser = parse_job, required_unless_present = "dispose")]
    job: Option<JobId>,
    /// Where to put it; else as configured
    directory: Option<String>,
    /// Remove the savepoint at this path instead
    #[arg(short, long, value_name = "PATH", conflicts_with_all = ["job", "directory"])]
    dispose: Option<String>,
}

/// Arguments of `flott stop`.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    of: JobArgs,
    /// Where to put the savepoint; else as configured
    #[arg(short = 'p', long, value_name = "DIR", visible_alias = "savepointPath")]
    savepoint_path: Option<String>,
    /// Drive event time to its end first, which fires all timers
    #[arg(short, long)]
    drain: bool,
}

fn parse_job(text: &str) -> Result<JobId, String> {
    if text.len() != 32 {
        return Err("a job's number has 32 hexadecimal digits: see `flott list`".to_owned());
    }
    u128::from_str_radix(text, 16).map(JobId).map_err(|error| error.to_string())
}

/// Lists jobs, the newest last.
pub(crate) fn list(config: &Configuration, args: &ListArgs) -> Result<ExitCode, Error> {
    let jobs = args.target.client(config)?.jobs()?;
    let wanted = |job: &&JobSummary| match job.status {
        JobStatus::Running | JobStatus::Restarting => true,
        status if args.running => !status.is_terminal() && status != JobStatus::Created,
        status => args.all || !status.is_terminal(),
    };
    let jobs: Vec<&JobSummary> = jobs.iter().filter(wanted).collect();
    if jobs.is_empty() {
        say!("No {}jobs.", if args.all { "" } else { "running " });
    }
    for job in jobs {
        say!("{} : {} ({})", job.id, job.name, job.status);
    }
    Ok(ExitCode::SUCCESS)
}

/// Cancels a job.
pub(crate) fn cancel(config: &Configuration, args: &JobArgs) -> Result<ExitCode, Error> {
    ask(config, &args.target, args.job, JobRequest::Cancel)?;
    say!("Cancelled job {}.", args.job);
    Ok(ExitCode::SUCCESS)
}

/// Stops a job with a savepoint.
pub(crate) fn stop(config: &Configuration, args: &StopArgs) -> Result<ExitCode, Error> {
    let request = JobRequest::StopWithSavepoint { directory: args.savepoint_path.as_deref().map(absolute).transpose()?, drain: args.drain };
    let location = ask(config, &args.of.target, args.of.job, request)?;
    say!("Savepoint completed. Path: {}", location.unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

/// Takes a savepoint, or removes one.
pub(crate) fn savepoint(config: &Configuration, args: &SavepointArgs) -> Result<ExitCode, Error> {
    let Some(job) = args.job else {
        let path = absolute(args.dispose.as_deref().unwrap_or_default())?;
        args.target.client(config)?.dispose_savepoint(&path)?;
        say!("Savepoint '{path}' disposed.");
        return Ok(ExitCode::SUCCESS);
    };
    let request = JobRequest::TriggerSavepoint { directory: args.directory.as_deref().map(absolute).transpose()? };
    let location = ask(config, &args.target, job, request)?;
    say!("Savepoint completed. Path: {}", location.unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

/// Takes a checkpoint.
pub(crate) fn checkpoint(config: &Configuration, args: &JobArgs) -> Result<ExitCode, Error> {
    let location = ask(config, &args.target, args.job, JobRequest::TriggerCheckpoint)?;
    say!("Checkpoint completed. Path: {}", location.unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}

/// Asks something of a job; returns where the snapshot is that was asked for.
fn ask(config: &Configuration, target: &Target, job: JobId, request: JobRequest) -> Result<Option<String>, Error> {
    match target.client(config)?.request(job, request)? {
        JobReply::Accepted => Ok(None),
        JobReply::Snapshot(taken) => Ok(Some(taken.location)),
        JobReply::Refused(reason) => Err(Error::new(ErrorKind::Unavailable, reason)),
    }
}

/// The JobManager has another working folder than the person who names a path.
fn absolute(path: &str) -> Result<String, Error> {
    if path.contains("://") {
        return Ok(path.to_owned());
    }
    let absolute = std::path::absolute(path).map_err(|error| Error::invalid(format!("`{path}` is no path")).with_source(error))?;
    Ok(absolute.to_string_lossy().into_owned())
}
