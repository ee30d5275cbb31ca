//! Snapshots that are triggered and asked about.

use crate::{
    client::{get, post},
    fake::{FINISHED, RUNNING, Served},
};
use flott_core::id::JobId;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

fn trigger(served: &Served, job: JobId, what: &str, body: &str) -> String {
    let answer = post(served.address(), &format!("/jobs/{job}/{what}"), body);
    assert_eq!(answer.status, 202, "{what} {body}");
    answer.json()["request-id"].as_str().unwrap().to_owned()
}

fn poll(served: &Served, job: JobId, what: &str, id: &str) -> Value {
    let answer = get(served.address(), &format!("/jobs/{job}/{what}/{id}"));
    assert_eq!(answer.status, 200, "{what} {id}");
    answer.json()
}

/// Asks until it is done.
fn finished(served: &Served, job: JobId, what: &str, id: &str) -> Value {
    let done = |answer: &Value| answer["status"]["id"] == "COMPLETED";
    let answer = (0..10_000).map(|_| poll(served, job, what, id)).find(done).expect("it ends");
    answer["operation"].clone()
}

#[test]
fn a_savepoint_is_in_progress_until_it_is_complete() {
    let served = Served::new();
    served.fake.shut(true);
    let id = trigger(&served, RUNNING, "savepoints", r#"{"target-directory": "file:///sp", "cancel-job": false, "formatType": "NATIVE"}"#);
    assert_eq!(poll(&served, RUNNING, "savepoints", &id), json!({"status": {"id": "IN_PROGRESS"}, "operation": null}));
    served.fake.shut(false);
    assert_eq!(finished(&served, RUNNING, "savepoints", &id), json!({"location": "file:///sp/savepoint-1"}));
    assert_eq!(*served.fake.calls.lock().unwrap(), ["savepoint Some(\"file:///sp\") false"]);
}

#[test]
fn a_checkpoint_is_told_by_its_number() {
    let served = Served::new();
    let id = trigger(&served, RUNNING, "checkpoints", "");
    assert_eq!(finished(&served, RUNNING, "checkpoints", &id), json!({"checkpointId": 71}));
    assert_eq!(get(served.address(), &format!("/jobs/{RUNNING}/savepoints/{id}")).status, 404);
    assert_eq!(get(served.address(), &format!("/jobs/{FINISHED}/checkpoints/{id}")).status, 404);
}

#[test]
fn a_stop_is_asked_about_as_a_savepoint() {
    let served = Served::new();
    let id = trigger(&served, RUNNING, "stop", r#"{"targetDirectory": null, "drain": "true", "unknown": [1]}"#);
    assert_eq!(finished(&served, RUNNING, "savepoints", &id), json!({"location": "file:///sp/savepoint-1"}));
    assert_eq!(*served.fake.calls.lock().unwrap(), ["stop None true"]);
}

#[test]
fn what_a_snapshot_cannot_be_is_refused_with_the_name_of_the_field() {
    let served = Served::new();
    for (what, body, field) in [
        ("checkpoints", r#"{"checkpointType": "NONSENSE"}"#, "`checkpointType`"),
        ("checkpoints", r#"{"checkpointType": 5}"#, "`checkpointType`"),
        ("savepoints", r#"{"formatType": "NONSENSE"}"#, "`formatType`"),
        ("savepoints", r#"{"target-directory": 5}"#, "`target-directory`"),
        ("savepoints", r#"{"target-directory": "rel/dir"}"#, "`target-directory`"),
        ("stop", r#"{"formatType": []}"#, "`formatType`"),
        ("stop", r#"{"targetDirectory": true}"#, "`targetDirectory`"),
        ("stop", r#"{"targetDirectory": "./dir"}"#, "`targetDirectory`"),
    ] {
        let answer = post(served.address(), &format!("/jobs/{RUNNING}/{what}"), body);
        assert!(answer.status == 400 && answer.errors()[0].contains(field), "{what} {body}: {:?}", answer.errors());
    }
    assert!(served.fake.calls.lock().unwrap().is_empty());
    for (what, body) in [
        ("checkpoints", r#"{"checkpointType": "FULL"}"#),
        ("savepoints", r#"{"target-directory": "/sp", "formatType": "CANONICAL"}"#),
        ("stop", r#"{"targetDirectory": "file:/sp", "formatType": "native"}"#),
    ] {
        trigger(&served, RUNNING, what, body);
    }
}

#[test]
fn a_savepoint_for_which_no_directory_is_known_is_refused_at_once() {
    let served = Served::new();
    served.fake.savepoints.store(false, Ordering::Relaxed);
    for (what, field) in [("savepoints", "`target-directory`"), ("stop", "`targetDirectory`")] {
        let answer = post(served.address(), &format!("/jobs/{RUNNING}/{what}"), "{}");
        let told = answer.errors().concat();
        assert!(answer.status == 400 && told.contains("`execution.checkpointing.savepoint-dir`") && told.contains(field), "{told}");
    }
    assert!(served.fake.calls.lock().unwrap().is_empty());
    trigger(&served, RUNNING, "savepoints", r#"{"target-directory": "/sp"}"#);
}

#[test]
fn an_id_of_the_client_triggers_once() {
    let served = Served::new();
    let chosen = "0123456789abcdef0123456789ABCDEF";
    let body = format!(r#"{{"triggerId": "{chosen}"}}"#);
    for _ in 0..3 {
        assert_eq!(trigger(&served, RUNNING, "savepoints", &body), chosen.to_ascii_lowercase());
    }
    finished(&served, RUNNING, "savepoints", chosen);
    assert_eq!(trigger(&served, RUNNING, "savepoints", &body), chosen.to_ascii_lowercase());
    assert_eq!(served.fake.calls.lock().unwrap().len(), 1);
}

#[test]
fn a_failure_is_a_result_and_is_forgotten_after_five_minutes() {
    let served = Served::new();
    let id = trigger(&served, FINISHED, "savepoints", "{}");
    let operation = finished(&served, FINISHED, "savepoints", &id);
    assert_eq!(operation["failure-cause"]["stack-trace"], "the job has finished");
    assert!(operation.get("location").is_none());
    served.clock.0.store(300, Ordering::Relaxed);
    assert_eq!(get(served.address(), &format!("/jobs/{FINISHED}/savepoints/{id}")).status, 404);
}

#[test]
fn a_savepoint_is_disposed_of() {
    let served = Served::new();
    let answer = post(served.address(), "/savepoint-disposal", r#"{"savepoint-path": "file:///sp/1"}"#);
    assert_eq!(answer.status, 202);
    let id = answer.json()["request-id"].as_str().unwrap().to_owned();
    let path = format!("/savepoint-disposal/{id}");
    let done = (0..10_000).map(|_| get(served.address(), &path).json()).find(|answer| answer["status"]["id"] == "COMPLETED");
    assert_eq!(done.unwrap()["operation"], json!({}));
    assert_eq!(*served.fake.calls.lock().unwrap(), ["dispose file:///sp/1"]);
}

#[test]
fn an_operation_under_way_does_not_keep_the_server_from_ending() {
    let served = Served::new();
    served.fake.shut(true);
    trigger(&served, RUNNING, "savepoints", "");
    let fake = std::sync::Arc::clone(&served.fake);
    served.shutdown();
    fake.shut(false);
}
