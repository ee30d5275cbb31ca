//! Calls that are refused, and with which status.

use crate::{
    client::{get, post, send},
    fake::{COUNT, FINISHED, RUNNING, Served},
};
use bytes::Bytes;
use flott_web::Asset;
use std::sync::Arc;

#[test]
fn what_is_not_there_is_404() {
    let served = Served::new();
    let unknown = "0".repeat(32);
    for path in [
        format!("/jobs/{unknown}"),
        format!("/jobs/{unknown}/config"),
        format!("/jobs/{unknown}/checkpoints"),
        format!("/jobs/{unknown}/exceptions"),
        format!("/jobs/{unknown}/yarn-cancel"),
        format!("/applications/{unknown}"),
        format!("/applications/{unknown}/exceptions"),
        format!("/jobs/{RUNNING}/vertices/{unknown}"),
        format!("/jobs/{RUNNING}/vertices/{}", "f".repeat(32)),
        format!("/jobs/{RUNNING}/vertices/{:032x}/subtasks/9", COUNT.0),
        format!("/jobs/{RUNNING}/vertices/{:032x}/subtasks/0/attempts/9", COUNT.0),
        format!("/jobs/{RUNNING}/checkpoints/details/999"),
        format!("/jobs/{RUNNING}/checkpoints/details/32/subtasks/{unknown}"),
        format!("/jobs/{RUNNING}/savepoints/{unknown}"),
        format!("/jobs/{FINISHED}/checkpoints"),
        "/taskmanagers/unknown".to_owned(),
        "/taskmanagers/unknown/metrics".to_owned(),
        "/jobmanager/profiler".to_owned(),
        "/".to_owned(),
    ] {
        let answer = get(served.address(), &path);
        assert_eq!((answer.status, answer.errors().len()), (404, 1), "{path}");
    }
    let answer = get(served.address(), "/nope");
    assert_eq!(answer.errors(), ["Unable to load requested file /nope."]);
    assert_eq!(get(served.address(), "/v1/nope").errors(), ["Unable to load requested file /v1/nope."]);
    assert_eq!(send(served.address(), "PUT", "/overview", &[], b"").status, 404);
    assert_eq!(get(served.address(), &format!("/jobs/{unknown}")).errors(), [format!("Job {unknown} not found")]);
}

#[test]
fn what_makes_no_sense_is_400() {
    let served = Served::new();
    for path in [
        "/jobs/xyz".to_owned(),
        "/applications/xyz".to_owned(),
        format!("/jobs/+{}", "0".repeat(31)),
        format!("/jobs/{RUNNING}/vertices/v1"),
        format!("/jobs/{RUNNING}/vertices/{:032x}/subtasks/-1", COUNT.0),
        format!("/jobs/{RUNNING}/checkpoints/details/last"),
        format!("/jobs/{RUNNING}/exceptions?maxExceptions=many"),
        format!("/jobs/{RUNNING}/vertices/{:032x}/subtasks/metrics?get=a&agg=mode", COUNT.0),
        format!("/jobs/{RUNNING}/vertices/{:032x}/subtasks/metrics?get=a&subtasks=x", COUNT.0),
        "/jobs/metrics?jobs=1".to_owned(),
        "/taskmanagers/%FF".to_owned(),
    ] {
        let answer = get(served.address(), &path);
        assert_eq!((answer.status, answer.errors().len()), (400, 1), "{path}");
    }
    let path = format!("/jobs/{RUNNING}/savepoints");
    for body in ["{", "[]", r#"{"cancel-job": "perhaps"}"#, r#"{"triggerId": "1"}"#] {
        assert_eq!(post(served.address(), &path, body).status, 400, "{body}");
    }
    assert_eq!(post(served.address(), "/savepoint-disposal", "{}").status, 400);
    assert!(served.fake.calls.lock().unwrap().is_empty());
}

#[test]
fn bounds_that_no_vertex_can_have_are_told_as_they_were_given() {
    let served = Served::new();
    for (lower, upper, told) in [(-1, 1, "`lowerBound` of vertex"), (1, 0, "`upperBound` of vertex"), (1, -2, "is -2, and must be")] {
        let body = format!(r#"{{"{:032x}": {{"parallelism": {{"lowerBound": {lower}, "upperBound": {upper}}}}}}}"#, COUNT.0);
        let answer = send(served.address(), "PUT", &format!("/jobs/{RUNNING}/resource-requirements"), &[], body.as_bytes());
        assert!(answer.status == 400 && answer.errors()[0].contains(told), "{:?}", answer.errors());
    }
    assert!(served.fake.calls.lock().unwrap().is_empty());
}

#[test]
fn slashes_behind_the_path_of_a_call_mean_nothing_and_open_no_way_around_what_is_refused() {
    let served = Served::with(|options| {
        let page = |path: &str| (path == "index.html").then(|| Asset::plain("text/html", Bytes::from_static(b"page")));
        options.assets = Some(Arc::new(page));
    });
    for path in ["/jobs/overview", "/v1/jobs", "/overview", "/jobs/metrics?get=a"] {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        for slashes in ["/", "//"] {
            let (with, without) = (format!("{path}{slashes}?{query}"), format!("{path}?{query}"));
            let (with, without) = (get(served.address(), &with), get(served.address(), &without));
            assert_eq!((with.status, with.json()), (200, without.json()), "{path}{slashes}");
        }
    }
    assert_eq!(get(served.address(), "/index.html").body, b"page");
    for path in ["/index.html/", "/v1/", "//", "/jobs/overview/x/"] {
        assert_eq!(get(served.address(), path).status, 404, "{path}");
    }
    let strange = send(served.address(), "GET", &format!("/jobs/{RUNNING}/yarn-cancel/"), &["Origin: http://evil.example"], b"");
    assert_eq!(strange.status, 403);
    assert!(served.fake.calls.lock().unwrap().is_empty());
}

#[test]
fn a_job_is_cancelled_in_each_way_that_tools_know() {
    let served = Served::new();
    let path = format!("/jobs/{RUNNING}");
    for (method, path) in [
        ("PATCH", path.clone()),
        ("PATCH", format!("{path}?mode=cancel")),
        ("PATCH", format!("/v1{path}?mode=CANCEL")),
        ("GET", format!("{path}/yarn-cancel")),
        ("POST", format!("/applications/{RUNNING}/cancel")),
    ] {
        let answer = send(served.address(), method, &path, &[], b"");
        assert_eq!((answer.status, answer.json()), (202, serde_json::json!({})), "{method} {path}");
    }
    assert_eq!(served.fake.calls.lock().unwrap().len(), 5);
}

#[test]
fn modes_that_are_gone_and_jobs_that_have_ended_are_not_cancelled() {
    let served = Served::new();
    let patch = |path: String| send(served.address(), "PATCH", &path, &[], b"").status;
    assert_eq!(patch(format!("/jobs/{RUNNING}?mode=stop")), 308);
    assert_eq!(patch(format!("/jobs/{RUNNING}?mode=other")), 400);
    assert_eq!(patch(format!("/jobs/{FINISHED}")), 409);
    assert_eq!(patch(format!("/jobs/{}", "1".repeat(32))), 404);
    assert_eq!(post(served.address(), &format!("/applications/{FINISHED}/cancel"), "").status, 409);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let served = Served::new();
    let path = format!("/jobs/{RUNNING}");
    let strange = |method, path: &str| send(served.address(), method, path, &["Origin: http://evil.example"], b"").status;
    assert_eq!(strange("PATCH", &path), 403);
    assert_eq!(strange("POST", "/jars/upload"), 403);
    assert_eq!(strange("GET", &format!("{path}/yarn-cancel")), 403);
    assert_eq!(send(served.address(), "GET", "/overview", &["Host: rebound.example"], b"").status, 403);
    assert!(served.fake.calls.lock().unwrap().is_empty());
}

#[test]
fn a_body_that_is_too_long_is_413() {
    let served = Served::new();
    let body = vec![b' '; (1 << 20) + 1];
    assert_eq!(send(served.address(), "POST", &format!("/jobs/{RUNNING}/stop"), &[], &body).status, 413);
}

#[test]
fn the_cluster_can_be_ended() {
    let served = Served::new();
    assert_eq!(send(served.address(), "DELETE", "/cluster", &[], b"").status, 202);
    assert_eq!(*served.fake.calls.lock().unwrap(), ["shut down"]);
}
