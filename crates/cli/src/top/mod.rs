//! `flott top`: what runs and what slows it down, in a terminal. It asks the REST server what the dashboard asks.

mod draw;
pub(crate) mod rest;
mod text;

use clap::Args;
pub(crate) use draw::find_job;
use flott_core::{Error, config::Configuration};
use rest::Rest;
use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    thread,
    time::Duration,
};

/// Arguments of `flott top`.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// The job whose graph to show: its id, or the beginning of its id or name. Without: all jobs, or the only one that runs
    job: Option<String>,
    /// Where the REST server is, `host:port` or `https://host:port`; else as configured
    #[arg(short = 'm', long, value_name = "ADDRESS")]
    rest: Option<String>,
    /// Seconds between two looks
    #[arg(short = 'd', long, default_value_t = 2.0, value_parser = seconds)]
    delay: f64,
    /// Prints once and ends, as it also does where the output is no terminal
    #[arg(long)]
    once: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|seconds: &f64| (0.1..=3600.0).contains(seconds));
    number.ok_or_else(|| "must be between 0.1 and 3600".to_owned())
}

/// Shows jobs until it is interrupted.
pub(crate) fn top(config: &Configuration, args: &TopArgs) -> Result<ExitCode, Error> {
    let rest = Rest::new(args.rest.as_deref(), config)?;
    let mut out = std::io::stdout();
    let live = out.is_terminal() && !args.once;
    if !live {
        // The first look at a task only begins to count: a rate needs two.
        look(&rest, args.job.as_deref())?;
        thread::sleep(Duration::from_millis(2100));
    }
    loop {
        let text = match look(&rest, args.job.as_deref()) {
            Ok(text) => text,
            Err(error) if !live => return Err(error),
            // The JobManager may come back.
            Err(error) => format!("{error}\n"),
        };
        let shown = if live {
            // From the upper left corner, over what was there; each line and what is below them is cleared.
            let lines: String = text.lines().map(|line| format!("{line}\x1b[K\n")).collect();
            format!("\x1b[H{lines}\x1b[J")
        } else {
            text
        };
        let written = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
        if written.is_err() || !live {
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_secs_f64(args.delay));
    }
}

/// One picture of the cluster, or of a job.
fn look(rest: &Rest, wanted: Option<&str>) -> Result<String, Error> {
    let jobs = rest.get("/jobs/overview")?;
    let flows = rest.get("/jobs/flow")?;
    let found = draw::find_job(&jobs, wanted)?;
    match found {
        Some(job) => Ok(draw::job(&rest.get(&format!("/jobs/{job}"))?, &rest.get(&format!("/jobs/{job}/flow"))?)),
        None => Ok(draw::cluster(&rest.get("/overview")?, &jobs, &flows)),
    }
}
