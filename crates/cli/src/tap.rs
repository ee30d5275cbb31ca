//! `flott tap`: some of the records that go in and out of a vertex right now, a line each.

use crate::{
    out::tell,
    top::{find_job, rest::Rest},
};
use clap::{Args, ValueEnum};
use flott_core::{Error, ErrorKind, config::Configuration};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

/// How often the cluster is asked.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Arguments of `flott tap`.
#[derive(Debug, Args)]
pub(crate) struct TapArgs {
    /// The job: its id, or the beginning of its id or name
    job: String,
    /// The vertex: its id, its number (`1` or `v1`, counted from 0), or its name or the beginning of it
    vertex: String,
    /// One subtask, counted from 0
    #[arg(short, long)]
    subtask: Option<u32>,
    /// Only records that the vertex takes, or only those that its operators emit
    #[arg(long)]
    direction: Option<Direction>,
    /// Ends after so many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// A JSON object for each record
    #[arg(long)]
    json: bool,
    /// Where the REST server is, `host:port`; else as configured
    #[arg(short = 'm', long, value_name = "ADDRESS")]
    rest: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Direction {
    In,
    Out,
}

/// Shows records until the time is over, the job ends, or it is interrupted.
pub(crate) fn tap(config: &Configuration, args: &TapArgs) -> Result<ExitCode, Error> {
    let rest = Rest::new(args.rest.as_deref(), config)?;
    let none = || Error::invalid("there is no such job");
    let job = find_job(&rest.get("/jobs/overview")?, Some(&args.job))?.ok_or_else(none)?;
    let vertex = find_vertex(&rest.get(&format!("/jobs/{job}"))?, &args.vertex)?;
    let path = format!("/jobs/{job}/vertices/{vertex}/tap");
    let begin = || -> Result<String, Error> {
        let begun = rest.send("POST", &path, Some(&json!({"subtask": args.subtask})))?;
        Ok(format!("{path}/{}", begun["tap"].as_str().unwrap_or_default()))
    };
    let mut tap = begin()?;
    let until = args.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut said = None;
    loop {
        let seen = match rest.call("GET", &tap, None)? {
            (200, seen) => seen,
            // Whoever reads what is shown has taken so long that the tap was closed.
            (404, _) if is_running(&rest, &job)? => {
                tap = begin()?;
                continue;
            }
            (_, refusal) if is_running(&rest, &job)? => return Err(rest.refused(&tap, &refusal)),
            _ => {
                tell!("flott: the job runs no more");
                return Ok(ExitCode::SUCCESS);
            }
        };
        if show(&seen, args).is_err() {
            // Whoever reads it has enough.
            break;
        }
        let message = seen["message"].as_str().map(str::to_owned);
        if message != said {
            message.iter().for_each(|message| tell!("flott: {message}"));
            said = message;
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        thread::sleep(ASK_EVERY);
    }
    // It may be closed already.
    rest.call("DELETE", &tap, None)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether there is anything to see of a job.
fn is_running(rest: &Rest, job: &str) -> Result<bool, Error> {
    let state = rest.get(&format!("/jobs/{job}"))?;
    Ok(!matches!(state["state"].as_str(), Some("FINISHED" | "FAILED" | "CANCELED")))
}

/// Writes the records that are wanted.
fn show(seen: &Value, args: &TapArgs) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let direction = args.direction.map(|direction| if matches!(direction, Direction::In) { "in" } else { "out" });
    for record in seen["records"].as_array().into_iter().flatten() {
        if direction.is_some_and(|wanted| record["direction"] != wanted) {
            continue;
        }
        if args.json {
            writeln!(out, "{}", parsed(record))?;
        } else {
            writeln!(out, "{}", line(record))?;
        }
    }
    out.flush()
}

/// The record with its value as JSON, where it is such.
fn parsed(record: &Value) -> Value {
    let mut record = record.clone();
    if let Some(value) = record["value"].as_str().and_then(|text| serde_json::from_str(text).ok()) {
        record["value"] = value;
    }
    record
}

/// `12:30:01.250 in  0  Count  @1700000000000  {"word":"the"}`
fn line(record: &Value) -> String {
    let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
    let at = record["at"].as_i64().unwrap_or_default();
    let event_time = record["timestamp"].as_i64().map_or_else(|| "-".to_owned(), |timestamp| format!("@{timestamp}"));
    let value = match (record["shown"].as_str(), record["truncated"].as_bool()) {
        (Some("hidden"), _) => "<hidden by the job>".to_owned(),
        (Some("failed"), _) => "<cannot be shown: what masks or writes it panicked>".to_owned(),
        (_, Some(true)) => format!("{}…", text("value")),
        _ => text("value"),
    };
    let shown = format!("{} {:<3} {} {}  {event_time}  {value}", time(at), text("direction"), record["subtask"], text("operator"));
    // What is in records must not steer the terminal.
    shown.chars().filter(|c| !c.is_control()).collect()
}

/// The time of day, UTC.
fn time(at: i64) -> String {
    let of_day = at.rem_euclid(86_400_000);
    format!("{:02}:{:02}:{:02}.{:03}", of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60, of_day % 1000)
}

/// The id of the vertex that is meant.
///
/// # Errors
/// There is none, or more than one, like that.
fn find_vertex(job: &Value, wanted: &str) -> Result<String, Error> {
    let vertices: Vec<(&str, &str)> = job["vertices"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|vertex| Some((vertex["id"].as_str()?, vertex["name"].as_str()?)))
        .collect();
    if let Some((id, _)) = vertices.iter().find(|(id, name)| *id == wanted || *name == wanted) {
        return Ok((*id).to_owned());
    }
    let number = wanted.strip_prefix('v').unwrap_or(wanted).parse::<usize>().ok();
    if let Some((id, _)) = number.and_then(|number| vertices.get(number)) {
        return Ok((*id).to_owned());
    }
    let listed = || {
        let lines = vertices.iter().enumerate().map(|(number, (_, name))| format!("\n  v{number}  {name}"));
        lines.collect::<String>()
    };
    let lower = wanted.to_lowercase();
    let matching: Vec<&str> = vertices.iter().filter(|(_, name)| name.to_lowercase().starts_with(&lower)).map(|(id, _)| *id).collect();
    match matching.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => Err(Error::new(ErrorKind::Invalid, format!("the job has no vertex `{wanted}`; it has{}", listed()))),
        _ => Err(Error::new(ErrorKind::Invalid, format!("several vertices begin with `{wanted}`; there are{}", listed()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(shown: &str, value: Value) -> Value {
        json!({"subtask": 3, "operator": "Count", "direction": "in", "at": 45_001_250, "timestamp": 7, "shown": shown, "value": value,
            "truncated": false})
    }

    #[test]
    fn a_vertex_is_named_by_id_number_name_or_the_beginning_of_its_name() {
        let vertex = |id: &str, name: &str| json!({"id": id, "name": name});
        let job = json!({"vertices": [vertex("0a", "Source: words -> Map"), vertex("0b", "Count"), vertex("0c", "Counted -> Sink")]});
        for (wanted, id) in [("0b", "0b"), ("2", "0c"), ("v0", "0a"), ("Count", "0b"), ("source", "0a"), ("Counted", "0c")] {
            assert_eq!(find_vertex(&job, wanted).unwrap(), id, "{wanted}");
        }
        assert!(find_vertex(&job, "Cou").unwrap_err().to_string().contains("several vertices"));
        let none = find_vertex(&job, "Reduce").unwrap_err().to_string();
        assert!(none.contains("no vertex `Reduce`") && none.contains("v1  Count"), "{none}");
        assert!(find_vertex(&job, "v9").is_err());
    }

    #[test]
    fn a_record_is_a_line_that_does_not_steer_the_terminal() {
        let shown = line(&record("clear", json!("{\"word\":\"\u{1b}[31mthe\"}")));
        assert_eq!(shown, "12:30:01.250 in  3 Count  @7  {\"word\":\"[31mthe\"}");
        assert!(line(&record("hidden", Value::Null)).ends_with("<hidden by the job>"));
        assert_eq!(parsed(&record("clear", json!("{\"a\":1}")))["value"], json!({"a": 1}));
        assert_eq!(parsed(&record("clear", json!("(a, 1)")))["value"], "(a, 1)");
    }
}
