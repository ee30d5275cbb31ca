//! Jobs of a real cluster whose parallelism changes while they run.

use crate::{
    RECORDS,
    processes::{Cluster, eventually, state_machine},
};
use serde_json::{Value, json};
use std::process::Command;

const JSON: &str = "application/json";

/// Events of the state machine, and how many a second.
const EVENTS: &str = "60000";
const RATE: &str = "10000";

/// Submits the example that checks itself; gives its job.
fn submit_state_machine(cluster: &Cluster) -> String {
    let (output, checkpoints) = (cluster.path("alerts"), cluster.path("shop"));
    let submitted = cluster
        .flott()
        .args(["run", "-d", "-p", "1"])
        .arg(state_machine())
        .args(["--events", EVENTS, "--rate", RATE, "--keys", "60", "--checkpoint-interval", "100"])
        .arg("--output")
        .arg(output)
        .arg("--checkpoint-dir")
        .arg(checkpoints)
        .output()
        .unwrap();
    assert!(submitted.status.success(), "{}", String::from_utf8_lossy(&submitted.stderr));
    cluster.job()
}

/// No event may be lost or handled twice.
fn assert_checked(cluster: &Cluster) {
    let checked =
        Command::new(state_machine()).args(["--events", EVENTS, "--keys", "60", "--check"]).arg(cluster.path("alerts")).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success(), "{out}{err}");
    assert!(out.contains(&format!("prove that {EVENTS} events of 60 of 60 keys")), "{out}");
}

/// The number of subtasks of each vertex, as REST tells it.
fn parallelism(cluster: &Cluster, job: &str) -> Vec<u64> {
    let details = cluster.get(&format!("/jobs/{job}"));
    details["vertices"].as_array().unwrap().iter().map(|vertex| vertex["parallelism"].as_u64().unwrap()).collect()
}

fn is_running(cluster: &Cluster, job: &str) -> bool {
    let details = cluster.get(&format!("/jobs/{job}"));
    // A reader for which there is no split has finished.
    let count = |vertex: &Value, status: &str| vertex["tasks"][status].as_u64().unwrap();
    let tasks = |vertex: &Value| Some(count(vertex, "RUNNING") + count(vertex, "FINISHED")) == vertex["parallelism"].as_u64();
    details["state"] == "RUNNING" && details["vertices"].as_array().unwrap().iter().all(tasks)
}

#[test]
fn a_running_job_is_rescaled_up_and_down_and_over_task_managers_and_loses_nothing() {
    let mut cluster = Cluster::with_task_managers(&[2]);
    let job = submit_state_machine(&cluster);
    eventually("the job runs", || is_running(&cluster, &job));
    for wanted in ["2", "1", "2"] {
        let said = cluster.say(&["rescale", &job, "--parallelism", wanted]);
        assert!(said.contains(&format!("runs with parallelism {wanted}, {wanted}")), "{said}");
    }
    cluster.add_task_manager("tm1", 1);
    let said = cluster.say(&["rescale", &job, "--parallelism", "3"]);
    assert!(said.contains("runs with parallelism 3, 3"), "{said}");
    eventually("REST says so", || parallelism(&cluster, &job) == [3, 3]);
    let said = cluster.say(&["rescale", &job, "v0=1"]);
    assert!(said.contains("runs with parallelism 1, 3"), "{said}");
    let history = cluster.get(&format!("/jobs/{job}/rescales/history"));
    assert_eq!(history.as_array().unwrap().len(), 5, "{history}");
    let last = &history[0];
    assert_eq!((&last["triggerCause"], &last["terminatedReason"]), (&json!("UPDATE_REQUIREMENT"), &json!("SUCCEEDED")));
    let before_and_after = |vertex: &Value| (vertex["preRescaleParallelism"].clone(), vertex["postRescaleParallelism"].clone());
    let mut changes: Vec<_> = last["vertices"].as_object().unwrap().values().map(before_and_after).collect();
    changes.sort_by_key(|(_, after)| after.as_u64());
    assert_eq!(changes, [(json!(3), json!(1)), (json!(3), json!(3))]);
    let details = cluster.get(&format!("/jobs/{job}/rescales/details/{}", last["rescaleUuid"].as_str().unwrap()));
    assert_eq!(details["schedulerStates"][0]["state"], "Executing");
    assert_eq!(cluster.get(&format!("/jobs/{job}/rescales/overview"))["rescalesCounts"]["completed"], 5);
    eventually("the job is at its end", || cluster.say(&["list", "-a"]).contains("(FINISHED)"));
    assert_checked(&cluster);
    let ended = cluster.ask(&["rescale", &job, "-p", "1"]);
    assert!(String::from_utf8_lossy(&ended.stderr).contains("has ended"), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn requirements_are_changed_by_rest_and_what_cannot_work_is_refused_with_the_reason() {
    let cluster = Cluster::with_task_managers(&[2]);
    assert!(cluster.run(&["-d"], "plain", RECORDS, 2000.0).status().unwrap().success());
    let job = cluster.job();
    eventually("the job runs", || is_running(&cluster, &job));
    let path = format!("/jobs/{job}/resource-requirements");
    let requirements = cluster.get(&path);
    let vertices: Vec<String> = requirements.as_object().unwrap().keys().cloned().collect();
    let all = |lower: i64, upper: i64| {
        let bounds = json!({"parallelism": {"lowerBound": lower, "upperBound": upper}});
        vertices.iter().map(|vertex| (vertex.clone(), bounds.clone())).collect::<serde_json::Map<_, _>>()
    };
    assert_eq!(requirements, Value::Object(all(1, 1)));
    let put = |body: &Value| cluster.call("PUT", &path, (JSON, body.to_string().as_bytes()));
    let one = json!({&vertices[0]: {"parallelism": {"lowerBound": 1, "upperBound": 2}}});
    for (body, reason) in [
        (Value::Object(all(1, 129)), "exceeds its maximum parallelism 128"),
        (Value::Object(all(0, 1)), "is 0, and must be 1 or more"),
        (Value::Object(all(3, 2)), "higher than its upper bound"),
        (one, "lacks the requirements of"),
        (json!({"zz": {}}), "is no vertex"),
        (json!({&vertices[0]: {"parallelism": {"upperBound": 2}}}), "lowerBound"),
    ] {
        let (status, answer) = put(&body);
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer["errors"][0].as_str().unwrap().contains(reason), "{answer}");
    }
    assert_eq!(put(&Value::Object(all(1, 2))).0, 200);
    eventually("the job runs with both slots", || parallelism(&cluster, &job) == [2, 2] && is_running(&cluster, &job));
    let (status, begun) = cluster.call("PATCH", &format!("/jobs/{job}/rescaling?parallelism=1"), (JSON, b""));
    assert_eq!(status, 202, "{begun}");
    let polled = format!("/jobs/{job}/rescaling/{}", begun["request-id"].as_str().unwrap());
    eventually("the change is done", || cluster.get(&polled)["status"]["id"] == "COMPLETED");
    assert_eq!(cluster.get(&polled)["operation"], json!({}));
    eventually("the job runs with one slot", || parallelism(&cluster, &job) == [1, 1]);
    assert_eq!(cluster.get("/config")["features"]["web-rescale"], true);
    eventually("the job is at its end", || cluster.say(&["list", "-a"]).contains("(FINISHED)"));
    cluster.assert_exact(RECORDS);
}

#[test]
fn a_job_that_lacks_slots_goes_on_as_it_is_and_changes_when_they_come() {
    let mut cluster = Cluster::with_task_managers(&[1]);
    assert!(cluster.run(&["-d"], "plain", RECORDS, 2000.0).status().unwrap().success());
    let job = cluster.job();
    eventually("the job runs", || is_running(&cluster, &job));
    let lacking = cluster.ask(&["rescale", &job, "--parallelism", "2", "--wait", "0"]);
    assert!(!lacking.status.success());
    assert!(String::from_utf8_lossy(&lacking.stderr).contains("lacks 1 slots"), "{}", String::from_utf8_lossy(&lacking.stderr));
    assert_eq!(parallelism(&cluster, &job), [1, 1]);
    cluster.add_task_manager("late", 1);
    eventually("the late slot is used", || parallelism(&cluster, &job) == [2, 2]);
    eventually("the job is at its end", || cluster.say(&["list", "-a"]).contains("(FINISHED)"));
    cluster.assert_exact(RECORDS);
}

#[test]
fn a_reactive_job_uses_whatever_slots_there_are() {
    let mut cluster =
        Cluster::start_with(&["-Dscheduler-mode=reactive", "-Djobmanager.adaptive-scheduler.executing.cooldown-after-rescaling=0 ms"]);
    cluster.add_task_manager("tm0", 1);
    assert!(cluster.run(&["-d", "-p", "1"], "plain", RECORDS, 2000.0).status().unwrap().success());
    let job = cluster.job();
    eventually("counts are visible", || !cluster.lines().is_empty());
    assert_eq!(parallelism(&cluster, &job), [1, 1]);
    cluster.add_task_manager("tm1", 2);
    eventually("what has joined is used", || parallelism(&cluster, &job) == [3, 3] && is_running(&cluster, &job));
    let before = cluster.lines().len();
    eventually("counts are visible", || cluster.lines().len() > before + 100);
    cluster.kill_task_manager("tm1");
    eventually("the job goes on without it", || parallelism(&cluster, &job) == [1, 1] && is_running(&cluster, &job));
    eventually("the job is at its end", || cluster.say(&["list", "-a"]).contains("(FINISHED)"));
    cluster.assert_exact(RECORDS);
}
