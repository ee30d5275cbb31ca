//! Taps: begun, looked at, ended.

use crate::{
    client::{Answer, get, send},
    fake::{COUNT, FINISHED, RUNNING, Served},
};
use serde_json::{Value, json};

fn path(rest: &str) -> String {
    format!("/jobs/{RUNNING}/vertices/{:032x}/tap{rest}", COUNT.0)
}

fn begin(served: &Served, body: &Value) -> Answer {
    send(served.address(), "POST", &path(""), &["Content-Type: application/json"], body.to_string().as_bytes())
}

#[test]
fn a_tap_shows_what_the_tasks_have_shown_until_it_is_ended() {
    let served = Served::new();
    let begun = begin(&served, &json!({})).json();
    assert_eq!((begun["lease"].as_u64(), begun["records-per-second"].as_u64()), (Some(10_000), Some(10)), "{begun}");
    let tap = path(&format!("/{}", begun["tap"].as_str().unwrap()));
    let seen = get(served.address(), &tap).json();
    let record = |subtask, direction, timestamp: Option<i64>, shown, value: Option<&str>| {
        json!({"subtask": subtask, "operator": "count", "direction": direction, "at": seen["records"][0]["at"], "timestamp": timestamp,
            "shown": shown, "value": value, "truncated": false})
    };
    let expected = json!([
        record(0, "in", Some(5), "masked", Some(r#"{"a":1}"#)),
        record(1, "out", None, "clear", Some("7")),
        record(1, "out", None, "hidden", None),
    ]);
    assert_eq!((&seen["records"], &seen["missed"], &seen["message"]), (&expected, &json!(2), &Value::Null));
    let asked = served.fake.calls.lock().unwrap().clone();
    assert_eq!(asked, [format!("{} TapWanted {{ subtask: None, per_second: 10, lease_ms: 5000 }}", COUNT.0)]);
    assert_eq!(send(served.address(), "DELETE", &tap, &[], b"").status, 200);
    let gone = get(served.address(), &tap);
    assert_eq!(gone.status, 404);
    assert!(gone.errors()[0].contains("has ended"), "{:?}", gone.errors());
}

#[test]
fn a_tap_of_one_subtask_shows_that_one() {
    let served = Served::new();
    let begun = begin(&served, &json!({"subtask": 1})).json();
    let seen = get(served.address(), &path(&format!("/{}", begun["tap"].as_str().unwrap()))).json();
    let subtasks: Vec<&Value> = seen["records"].as_array().unwrap().iter().map(|record| &record["subtask"]).collect();
    assert_eq!(subtasks, [1, 1]);
    assert_eq!(begin(&served, &json!({"subtask": 2})).status, 404);
    assert_eq!(begin(&served, &json!({"subtask": "x"})).status, 400);
}

#[test]
fn nothing_is_shown_where_taps_are_off_or_the_job_has_ended() {
    let off = Served::with(|options| options.tap = false);
    let refused = begin(&off, &json!({}));
    assert_eq!(refused.status, 409);
    assert!(refused.errors()[0].contains("`rest.tap.enabled`"), "{:?}", refused.errors());
    assert_eq!(get(off.address(), &path("/00000000000000000000000000000001")).status, 409);
    assert!(off.fake.calls.lock().unwrap().is_empty());
    assert_eq!(get(off.address(), &path("")).json()["enabled"], false);

    let on = Served::new();
    assert_eq!(get(on.address(), &path("")).json()["enabled"], true);
    let ended = path("").replace(&RUNNING.to_string(), &FINISHED.to_string());
    assert_eq!(send(on.address(), "POST", &ended, &[], b"").status, 409);
    assert_eq!(get(on.address(), &path("/00000000000000000000000000000001")).status, 404);
}
