//! `flott rescale`: another parallelism for a running job.

use crate::{
    jobs::JobArgs,
    out::{say, tell},
};
use clap::Args;
use flott_core::{Error, ErrorKind, config::Configuration};
use flott_rpc::client::{JobOverview, JobReply, JobRequest, ParallelismBounds, RescaleState, RescaleSummary};
use std::{
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// How often a job is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(50);

/// Arguments of `flott rescale`.
#[derive(Debug, Args)]
pub(crate) struct RescaleArgs {
    #[command(flatten)]
    of: JobArgs,
    /// The number of subtasks of all vertices, or `FROM..TO`: as many as there are slots for
    #[arg(short, long, value_name = "N|FROM..TO", value_parser = parse_bounds)]
    parallelism: Option<ParallelismBounds>,
    /// Do not wait until the job runs so
    #[arg(short, long)]
    detached: bool,
    /// Give up waiting after so many seconds; the job then changes whenever it can
    #[arg(short, long, value_name = "SECONDS", default_value_t = 300)]
    wait: u64,
    /// The number of subtasks of one vertex, by its id, number, name or uid
    #[arg(value_name = "VERTEX=N|FROM..TO", value_parser = parse_vertex)]
    vertices: Vec<(String, ParallelismBounds)>,
}

fn parse_bounds(text: &str) -> Result<ParallelismBounds, String> {
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{text}` is no parallelism: expected `N` or `FROM..TO`"));
    match text.split_once("..") {
        Some((lower, upper)) => Ok(ParallelismBounds { lower: number(lower)?, upper: number(upper)? }),
        None => number(text).map(ParallelismBounds::exactly),
    }
}

fn parse_vertex(text: &str) -> Result<(String, ParallelismBounds), String> {
    let (vertex, bounds) = text.rsplit_once('=').ok_or_else(|| format!("`{text}` is not `VERTEX=N`"))?;
    Ok((vertex.to_owned(), parse_bounds(bounds)?))
}

/// Changes the parallelism of a job; without any, says what it is.
pub(crate) fn rescale(config: &Configuration, args: &RescaleArgs) -> Result<ExitCode, Error> {
    let (client, job) = (args.of.client(config)?, args.of.job());
    let before = client.overview(job)?;
    if args.parallelism.is_none() && args.vertices.is_empty() {
        for (number, (parallelism, bounds)) in parallelism_of(&before).iter().zip(&before.requirements).enumerate() {
            say!("vertex v{number} : {parallelism} ({}..{})", bounds.lower, bounds.upper);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let request = JobRequest::RescaleTo { all: args.parallelism, vertices: args.vertices.clone() };
    if let JobReply::Refused(reason) = client.request(job, request)? {
        return Err(Error::new(ErrorKind::Invalid, reason));
    }
    if args.detached {
        say!("Job {job} changes its parallelism.");
        return Ok(ExitCode::SUCCESS);
    }
    let mut waits = false;
    let changed = wait(
        &before,
        Duration::from_secs(args.wait),
        || client.overview(job),
        |slots| {
            if !std::mem::replace(&mut waits, true) {
                tell!("Waiting for {slots} more slots.");
            }
        },
    )?;
    match changed {
        None => say!("Job {job} runs with that parallelism already."),
        Some(change) => {
            let times = change.taken_down.zip(change.ended).map_or(0, |(from, to)| to - from);
            say!("Job {job} runs with parallelism {}; its tasks were away for {times} ms.", list(&change.to));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(parallelism: &[u32]) -> String {
    parallelism.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The number of subtasks of each vertex.
pub(crate) fn parallelism_of(overview: &JobOverview) -> Vec<u32> {
    let mut parallelism = Vec::new();
    for (subtask, _) in &overview.tasks {
        let vertex = subtask.vertex.0 as usize;
        parallelism.resize(parallelism.len().max(vertex + 1), 0);
        parallelism[vertex] += 1;
    }
    parallelism
}

/// Waits until a job that was as in `before` runs with the parallelism that it was asked for; `None`: it did so already. `lacks` is
/// told how many slots it waits for.
///
/// # Errors
/// The change was given up, the job has ended, or the time is over.
pub(crate) fn wait(
    before: &JobOverview,
    patience: Duration,
    mut ask: impl FnMut() -> Result<JobOverview, Error>,
    mut lacks: impl FnMut(u32),
) -> Result<Option<RescaleSummary>, Error> {
    let unavailable = |reason: String| Error::new(ErrorKind::Unavailable, reason);
    let last = before.rescales.last().map_or(0, |change| change.number);
    let deadline = Instant::now() + patience;
    loop {
        let overview = ask()?;
        if overview.status.is_terminal() {
            return Err(unavailable(format!("the job has ended: {}", overview.status)));
        }
        let change = overview.rescales.last().filter(|change| change.number > last);
        let fits = |(parallelism, bounds): (&u32, &ParallelismBounds)| (bounds.lower..=bounds.upper).contains(parallelism);
        let fits = parallelism_of(&overview).iter().zip(&overview.requirements).all(fits);
        match change.map(|change| &change.state) {
            Some(RescaleState::Failed(reason)) => return Err(unavailable(format!("{reason}; the job goes on as before"))),
            Some(RescaleState::Completed) if fits => return Ok(change.cloned()),
            None if fits && overview.slots_wanted == 0 => return Ok(None),
            _ => {}
        }
        if overview.slots_wanted > 0 {
            lacks(overview.slots_wanted);
        }
        if Instant::now() >= deadline {
            let reason = match overview.slots_wanted {
                0 => "the job has not changed its parallelism yet; it does as soon as it can".to_owned(),
                slots => format!(
                    "the job lacks {slots} slots and goes on as it is; it changes its parallelism when they come: start another TaskManager"
                ),
            };
            return Err(unavailable(reason));
        }
        thread::sleep(ASK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parallelism_is_a_number_or_a_range_and_a_name_may_hold_anything() {
        assert_eq!(parse_bounds("3"), Ok(ParallelismBounds::exactly(3)));
        assert_eq!(parse_bounds("1..4"), Ok(ParallelismBounds { lower: 1, upper: 4 }));
        assert!(parse_bounds("four").unwrap_err().contains("FROM..TO"));
        assert_eq!(parse_vertex("a = b -> c=2"), Ok(("a = b -> c".to_owned(), ParallelismBounds::exactly(2))));
        assert!(parse_vertex("v0").is_err());
    }
}
