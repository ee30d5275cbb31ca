//! Taps: what people see of the records of a job that runs, and what they do not.

use crate::processes::{Cluster, eventually, example};
use serde_json::Value;
use std::collections::BTreeSet;

/// A cluster with taps, and a job whose records are masked.
fn tapped(options: &[&str]) -> (Cluster, String) {
    let mut cluster = Cluster::start_with(options);
    cluster.add_task_manager("tm0", 1);
    cluster.add_task_manager("tm1", 1);
    let output = cluster.flott().args(["run", "-d", "-p", "2"]).arg(example("tapped_job")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let job = cluster.job();
    eventually("the job runs", || cluster.get(&format!("/jobs/{job}"))["state"] == "RUNNING");
    (cluster, job)
}

fn vertices(cluster: &Cluster, job: &str) -> Vec<String> {
    let described = cluster.get(&format!("/jobs/{job}"));
    described["vertices"].as_array().unwrap().iter().map(|vertex| vertex["id"].as_str().unwrap().to_owned()).collect()
}

/// Looks at a vertex until `enough` of its records have been seen; returns all that was answered.
fn look(cluster: &Cluster, job: &str, vertex: &str, enough: impl Fn(&[Value]) -> bool) -> (Vec<Value>, String) {
    let path = format!("/jobs/{job}/vertices/{vertex}/tap");
    let (status, begun) = cluster.call("POST", &path, ("application/json", b"{}"));
    assert_eq!(status, 200, "{begun}");
    let path = format!("{path}/{}", begun["tap"].as_str().unwrap());
    let (mut records, mut text) = (Vec::new(), String::new());
    eventually("enough records were seen", || {
        let (status, answer) = cluster.send("GET", &path, "", b"");
        assert_eq!(status, 200, "{answer}");
        let seen: Value = serde_json::from_str(&answer).unwrap();
        records.extend(seen["records"].as_array().unwrap().iter().cloned());
        text.push_str(&answer);
        enough(&records)
    });
    assert_eq!(cluster.call("DELETE", &path, ("application/json", b"")).0, 200);
    (records, text)
}

/// Where a record was seen, and what was shown of it.
fn kinds(records: &[Value]) -> BTreeSet<(String, String, String)> {
    let text = |record: &Value, name: &str| record[name].as_str().unwrap().to_owned();
    records.iter().map(|record| (text(record, "operator"), text(record, "direction"), text(record, "shown"))).collect()
}

fn kind(operator: &str, direction: &str, shown: &str) -> (String, String, String) {
    (operator.to_owned(), direction.to_owned(), shown.to_owned())
}

#[test]
fn a_tap_shows_records_of_all_workers_and_what_the_job_masks_is_in_no_answer() {
    let (cluster, job) = tapped(&["-Drest.tap.enabled=true"]);
    let vertices = vertices(&cluster, &job);
    let both = |records: &[Value]| {
        let subtasks: BTreeSet<u64> = records.iter().map(|record| record["subtask"].as_u64().unwrap()).collect();
        subtasks.len() == 2
    };
    let (records, source) = look(&cluster, &job, &vertices[0], |records| both(records) && kinds(records).len() == 2);
    assert_eq!(kinds(&records), BTreeSet::from([kind("Source: payments", "out", "masked"), kind("odd", "out", "masked")]));
    let value: Value = serde_json::from_str(records[0]["value"].as_str().unwrap()).unwrap();
    assert_eq!(value["card"], "masked", "{value}");
    assert!(value["cents"].is_u64() && value["customer"].is_u64(), "{value}");

    let (records, totals) = look(&cluster, &job, &vertices[1], |records| both(records) && kinds(records).len() == 4);
    let name = "Keyed Aggregation";
    let expected =
        [kind(name, "in", "masked"), kind(name, "out", "masked"), kind("cards", "out", "hidden"), kind("lengths", "out", "clear")];
    assert_eq!(kinds(&records), BTreeSet::from(expected));
    let hidden = records.iter().find(|record| record["operator"] == "cards").unwrap();
    assert_eq!(hidden["value"], Value::Null);
    assert!(records.iter().any(|record| record["operator"] == "lengths" && record["value"] == "17"), "{records:?}");

    let (records, _) = look(&cluster, &job, &vertices[2], |records| !records.is_empty());
    assert_eq!(kinds(&records), BTreeSet::from([kind("nothing", "in", "clear")]));
    for text in [source, totals] {
        assert!(!text.contains("4111-"), "{text}");
    }
    assert_eq!(cluster.get(&format!("/jobs/{job}"))["state"], "RUNNING");

    let rest = cluster.rest_address().to_owned();
    let said = cluster.say(&["tap", "payments", "v1", "--subtask", "1", "--direction", "in", "--seconds", "2", "-m", &rest]);
    let first = said.lines().next().unwrap_or_default();
    assert!(first.contains("in  1 Keyed Aggregation") && first.contains(r#""card":"masked""#), "{said}");
    let json = cluster.say(&["tap", &job, "Keyed", "--json", "--seconds", "2", "-m", &rest]);
    let lengths: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lengths.iter().any(|record| record["operator"] == "lengths" && record["value"] == 17), "{json}");
    assert!(!said.contains("4111-") && !json.contains("4111-"));
}

#[test]
fn a_cluster_shows_no_records_unless_it_is_told_to() {
    let (cluster, job) = tapped(&[]);
    let path = format!("/jobs/{job}/vertices/{}/tap", vertices(&cluster, &job)[0]);
    let (status, refused) = cluster.call("POST", &path, ("application/json", b"{}"));
    assert_eq!(status, 409);
    assert!(refused["errors"][0].as_str().unwrap().contains("`rest.tap.enabled`"), "{refused}");
    let output = cluster.ask(&["tap", &job, "0", "-m", cluster.rest_address()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("`rest.tap.enabled`"), "{output:?}");
}
