//! The picture: jobs of a cluster, or the graph of one job.

use super::text::{NONE, bytes, columns, duration, percent, rate};
use flott_core::Error;
use serde_json::Value;

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    // What a user has named must not steer the terminal.
    value.as_str().unwrap_or(NONE).chars().filter(|c| !c.is_control()).collect()
}

fn has_ended(state: &Value) -> bool {
    matches!(state.as_str(), Some("FINISHED" | "CANCELED" | "FAILED"))
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// The id of the job that is meant; `None`: all of them.
///
/// # Errors
/// There is none, or more than one, like that.
pub(crate) fn find_job(jobs: &Value, wanted: Option<&str>) -> Result<Option<String>, Error> {
    let Some(wanted) = wanted else {
        let mut running = list(jobs, "jobs").filter(|job| !has_ended(&job["state"]));
        return Ok(match (running.next(), running.next()) {
            (Some(only), None) => only["jid"].as_str().map(str::to_owned),
            _ => None,
        });
    };
    let starts = |value: &Value| value.as_str().is_some_and(|text| text.starts_with(wanted));
    let matching: Vec<&Value> = list(jobs, "jobs").filter(|job| starts(&job["jid"]) || starts(&job["name"])).collect();
    let mut running = matching.iter().copied().filter(|job| !has_ended(&job["state"]));
    // One that runs is meant rather than those that have ended.
    match (running.next(), running.next(), matching.as_slice()) {
        (Some(job), None, _) => Ok(job["jid"].as_str().map(str::to_owned)),
        (None, _, [job]) => Ok(job["jid"].as_str().map(str::to_owned)),
        (None, _, []) => Err(Error::invalid(format!("there is no job whose id or name begins with `{wanted}`"))),
        _ => Err(Error::invalid(format!("several jobs begin with `{wanted}`: give more of the id"))),
    }
}

/// What a cluster does.
pub(crate) fn cluster(overview: &Value, jobs: &Value, flows: &Value) -> String {
    let number = |name: &str| overview[name].as_u64().unwrap_or(0);
    let used = number("slots-total").saturating_sub(number("slots-available"));
    let mut shown = format!(
        "TaskManagers {}   slots {used} of {} in use   jobs {} running, {} finished, {} canceled, {} failed\n\n",
        number("taskmanagers"),
        number("slots-total"),
        number("jobs-running"),
        number("jobs-finished"),
        number("jobs-cancelled"),
        number("jobs-failed"),
    );
    let now = flows["now"].as_f64();
    let mut rows = vec![row(["JOB", "NAME", "STATE", "DURATION", "IN", "OUT", "BUSY", "BACK-PRESSURED", "CHECKPOINT", "RESTARTS"])];
    for job in list(jobs, "jobs") {
        let unknown = Value::Null;
        let flow = list(flows, "jobs").find(|flow| flow["jid"] == job["jid"]).unwrap_or(&unknown);
        rows.push(vec![
            text(&job["jid"]).chars().take(8).collect(),
            text(&job["name"]),
            text(&job["state"]).to_lowercase(),
            duration(job["duration"].as_f64()),
            rate(flow["records-in-rate"].as_f64()),
            rate(flow["records-out-rate"].as_f64()),
            percent(flow["busy"].as_f64()),
            percent(flow["backpressured"].as_f64()),
            checkpoint(&flow["last-checkpoint"], now),
            flow["restarts"].as_u64().unwrap_or(0).to_string(),
        ]);
    }
    shown.push_str(&columns(&rows, &[1, 2]));
    shown
}

/// How long ago the last checkpoint was.
fn checkpoint(last: &Value, now: Option<f64>) -> String {
    let Some((ended, now)) = last["ended-at"].as_f64().zip(now) else { return NONE.to_owned() };
    let failed = if last["status"] == "FAILED" { "failed " } else { "" };
    format!("{failed}{} ago", duration(Some((now - ended).max(0.0))))
}

/// The graph of a job.
pub(crate) fn job(job: &Value, flow: &Value) -> String {
    let now = flow["now"].as_f64();
    let last = &flow["last-checkpoint"];
    let mut shown = format!(
        "{}   {}   for {}   restarts {}   last checkpoint {} ({}, {})\n\n",
        text(&job["name"]),
        text(&flow["state"]).to_lowercase(),
        duration(flow["duration"].as_f64()),
        flow["restarts"].as_u64().unwrap_or(0),
        checkpoint(last, now),
        duration(last["duration"].as_f64()),
        bytes(last["size"].as_f64()),
    );
    let mut rows = vec![row(["", "VERTEX", "TASKS", "IN", "OUT", "BUSY", "BACK-PRESSURED", "IDLE", "LAG", "STATE"])];
    for vertex in list(flow, "vertices") {
        let name = list(job, "vertices").find(|known| known["id"] == vertex["id"]).map_or_else(String::new, |known| text(&known["name"]));
        let lag = vertex["watermark"].as_f64().zip(now).map(|(watermark, now)| (now - watermark).max(0.0));
        let slow = flow["bottleneck"]["vertex"] == vertex["id"];
        let tasks = vertex["tasks"].as_object().into_iter().flatten();
        let tasks: Vec<String> = tasks.map(|(state, number)| format!("{number} {}", state.to_lowercase())).collect();
        rows.push(vec![
            if slow { "!" } else { " " }.to_owned(),
            name,
            tasks.join(", "),
            rate(vertex["records-in-rate"].as_f64()),
            rate(vertex["records-out-rate"].as_f64()),
            percent(vertex["busy"]["max"].as_f64()),
            percent(vertex["backpressured"]["max"].as_f64()),
            percent(vertex["idle"]["max"].as_f64()),
            duration(lag),
            bytes(vertex["state-size"].as_f64()),
        ]);
    }
    shown.push_str(&columns(&rows, &[1, 2]));
    if let Some(reason) = flow["bottleneck"]["reason"].as_str() {
        let reason: String = reason.chars().filter(|c| !c.is_control()).collect();
        shown.push_str(&format!("\n! the bottleneck: {reason}\n"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn jobs() -> Value {
        let job = |jid: &str, name: &str, state: &str| json!({"jid": jid, "name": name, "state": state, "duration": 61_000});
        json!({"jobs": [job("aa11", "shop", "RUNNING"), job("ab22", "shop", "FINISHED"), job("cc33", "words\u{1b}[2J", "RUNNING")]})
    }

    #[test]
    fn a_job_is_found_by_the_beginning_of_id_or_name() {
        let jobs = jobs();
        let found = |wanted| find_job(&jobs, Some(wanted)).map(Option::unwrap_or_default).map_err(|error| error.to_string());
        assert_eq!((found("shop"), found("ab"), found("words")), (Ok("aa11".into()), Ok("ab22".into()), Ok("cc33".into())));
        assert!(found("zz").unwrap_err().contains("there is no job"));
        assert!(found("").unwrap_err().contains("several jobs"));
        assert_eq!(find_job(&jobs, None).unwrap(), None);
    }

    #[test]
    fn a_cluster_is_shown_with_its_jobs() {
        let flow = json!({"jid": "aa11", "records-in-rate": 2500.0, "restarts": 3, "busy": 0.5,
            "last-checkpoint": {"status": "COMPLETED", "ended-at": 1000}});
        let shown =
            cluster(&json!({"taskmanagers": 2, "slots-total": 8, "slots-available": 5}), &jobs(), &json!({"now": 4000, "jobs": [flow]}));
        assert!(shown.starts_with("TaskManagers 2   slots 3 of 8 in use"), "{shown}");
        let line = shown.lines().find(|line| line.starts_with("aa11")).unwrap();
        for part in ["shop", "running", "1 min 1 s", "2.5 k/s", "50 %", "3 s ago"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!shown.contains('\u{1b}'));
    }

    #[test]
    fn a_graph_is_shown_with_its_bottleneck() {
        let details = json!({"name": "shop", "vertices": [{"id": "1", "name": "orders"}, {"id": "2", "name": "delivery"}]});
        let vertex = |id: &str, busy: f64| json!({"id": id, "tasks": {"RUNNING": 2}, "busy": {"max": busy}, "watermark": 9000});
        let flow = json!({"now": 10_000, "state": "RUNNING", "duration": 5000, "last-checkpoint": null,
            "bottleneck": {"vertex": "2", "reason": "it is busy 99 % of the time"}, "vertices": [vertex("1", 0.1), vertex("2", 0.99)]});
        let shown = job(&details, &flow);
        assert!(shown.lines().any(|line| line.starts_with("!  delivery") && line.contains("99 %") && line.contains("1 s")), "{shown}");
        assert!(shown.ends_with("! the bottleneck: it is busy 99 % of the time\n"), "{shown}");
    }
}
