//! `flott run-application`: one command is the whole cluster for one program.
//!
//! ```text
//!  this process: JobManager, REST, TaskManager ──▶ workers, which end with it
//!        └─▶ the program, as their client: its end is the end of everything, its exit code this one's (1 if it submits no job)
//!  SIGINT, SIGTERM ─▶ its jobs are cancelled, then it ends; at the second signal, or after a while, at once
//! ```

use crate::{
    log,
    out::tell,
    processes,
    run::{self, JobOptions},
};
use clap::Args;
use flott_cluster::{JobManager, taskmanager};
use flott_core::{
    Error, ErrorKind,
    config::{Configuration, options},
};
use flott_rpc::{client::JobRequest, control::Part};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ExitCode, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How often it is looked whether the program has ended.
const WATCH_INTERVAL: Duration = Duration::from_millis(20);
/// How long cancelled jobs have to end.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(30);

/// Arguments of `flott run-application`.
#[derive(Debug, Args)]
pub(crate) struct ApplicationArgs {
    #[command(flatten)]
    job: JobOptions,
    /// Start no TaskManager here: others join from elsewhere
    #[arg(long)]
    without_taskmanager: bool,
    /// The program
    program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Runs a program with a cluster of its own; ends with its exit code, or with 1 if it has submitted no job.
pub(crate) fn run_application(config: &Configuration, args: &ApplicationArgs) -> Result<ExitCode, Error> {
    // From here on a signal ends nothing by itself.
    let signals = signals()?;
    let config = args.job.apply(config)?;
    run::check(&args.program, &config)?;
    // One process, one log: what tasks print is in its file, too.
    let logs = log::to_files(&config, "flott-application")?;
    let (manager, _rest) = processes::start_job_manager(&config, logs.clone())?;
    if !args.without_taskmanager {
        let mut options = processes::task_manager_options(&config, logs)?;
        options.job_manager = manager.address().to_string();
        options.slots = options.slots.max(config.get(&options::PARALLELISM_DEFAULT)?);
        let serve = move || {
            if let Err(error) = taskmanager::run(&options) {
                tracing::error!(%error, "the TaskManager has ended");
            }
        };
        thread::Builder::new().name("flott-taskmanager".to_owned()).spawn(serve).map_err(no_thread)?;
    }
    let executable = manager.add_executable(&args.program)?;
    let part = Part::Client { job_manager: manager.address().to_string(), executable, detached: false, job: None, handover: false };
    let mut command = run::command(&config, Some(&part), &args.program, &args.arguments)?;
    // In a group of its own: what is pressed at the terminal is for this process, which ends the others in their order.
    let mut program = command.process_group(0).stdin(Stdio::null()).spawn().map_err(|error| run::not_startable(&args.program, error))?;
    let status = watch(&manager, &mut program, &signals)?;
    let has_no_job = matches!(status, Ended::Program(status) if status.success()) && manager.jobs().is_empty();
    if has_no_job {
        tell!("{}", run::NO_JOB);
    }
    end_jobs(&manager);
    Ok(match status {
        Ended::Program(_) if has_no_job => ExitCode::FAILURE,
        Ended::Program(status) => run::exit_code(status),
        Ended::Signal(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)),
    })
}

/// Why everything ends.
enum Ended {
    Program(ExitStatus),
    Signal(i32),
}

fn signals() -> Result<mpsc::Receiver<i32>, Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(no_thread)?;
    let (sender, receiver) = mpsc::channel();
    let forward = move || signals.forever().take_while(|signal| sender.send(*signal).is_ok()).for_each(drop);
    thread::Builder::new().name("flott-signals".to_owned()).spawn(forward).map_err(no_thread)?;
    Ok(receiver)
}

/// Waits for the end of the program, or for a signal, which ends its jobs and with them the program.
fn watch(manager: &JobManager, program: &mut Child, signals: &mpsc::Receiver<i32>) -> Result<Ended, Error> {
    let mut interrupted: Option<(i32, Instant)> = None;
    loop {
        if let Some(status) = program.try_wait().map_err(no_thread)? {
            return Ok(interrupted.map_or(Ended::Program(status), |(signal, _)| Ended::Signal(signal)));
        }
        match (signals.recv_timeout(WATCH_INTERVAL), interrupted) {
            (Ok(signal), None) => {
                tell!("flott: the job is being cancelled; once more ends it at once");
                interrupted = Some((signal, Instant::now()));
                cancel_jobs(manager);
                if manager.jobs().is_empty() {
                    // It has submitted nothing yet.
                    kill(program);
                }
            }
            (Ok(_), Some(_)) => kill(program),
            (Err(_), Some((_, since))) if since.elapsed() > CANCEL_TIMEOUT => kill(program),
            (Err(_), _) => {}
        }
    }
}

fn kill(program: &mut Child) {
    // It may have ended in between.
    let _ = program.kill();
}

fn cancel_jobs(manager: &JobManager) {
    for job in manager.jobs().iter().filter(|job| !job.status.is_terminal()) {
        // It may have ended in between.
        let _ = manager.request(job.id, JobRequest::Cancel);
    }
}

/// Ends what the program has left behind, and waits for that.
fn end_jobs(manager: &JobManager) {
    cancel_jobs(manager);
    let since = Instant::now();
    while manager.jobs().iter().any(|job| !job.status.is_terminal()) && since.elapsed() < CANCEL_TIMEOUT {
        thread::sleep(WATCH_INTERVAL);
    }
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Internal, "the operating system does not allow another thread or process").with_source(error)
}
