//! What holds for every call, as far as `/openapi.json` knows them.

use crate::{
    client::{get, post_file, send},
    fake::{COUNT, RUNNING, Served, TASK_MANAGER},
};
use serde_json::Value;

/// All calls: method and path.
fn calls(served: &Served) -> Vec<(String, String)> {
    let document = get(served.address(), "/openapi.json").json();
    let mut calls = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        calls.extend(methods.as_object().unwrap().keys().map(|method| (method.to_ascii_uppercase(), path.clone())));
    }
    assert!(calls.len() > 60);
    calls
}

/// `path` with values for its parameters.
fn filled(path: &str, value: impl Fn(&str) -> String) -> String {
    let part = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).map_or(part.to_owned(), &value);
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[test]
fn every_call_that_is_described_is_answered() {
    let served = Served::new();
    post_file(served.address(), "/jars/upload", "a", b"x");
    let history = get(served.address(), &format!("/jobs/{RUNNING}/rescales/history")).json();
    let rescale = history[0]["rescaleUuid"].as_str().unwrap().to_owned();
    let value = |name: &str| match name {
        "job" | "application" => RUNNING.to_string(),
        "vertex" => format!("{:032x}", COUNT.0),
        "tm" => TASK_MANAGER.to_owned(),
        "file" => "flott.log".to_owned(),
        "executable" => "0_a".to_owned(),
        "checkpoint" => "32".to_owned(),
        "rescale" => rescale.clone(),
        _ => "0".to_owned(),
    };
    // The executable is removed last.
    let (removing, others): (Vec<_>, Vec<_>) =
        calls(&served).into_iter().partition(|(method, path)| method == "DELETE" && path != "/cluster");
    for (method, path) in others.into_iter().chain(removing) {
        // There is no operation to ask about, no file in the upload, no path in the disposal.
        let refused =
            path.contains("{trigger}") || path.ends_with("/upload") || path == "/savepoint-disposal" || path.ends_with("/rescaling");
        let answer = send(served.address(), &method, &filled(&path, value), &[], b"");
        let expected: &[u16] = if refused { &[400, 404] } else { &[200, 202] };
        assert!(expected.contains(&answer.status), "{method} {path}: {}", answer.status);
    }
}

#[test]
fn nothing_that_clients_send_is_a_server_error() {
    let served = Served::new();
    post_file(served.address(), "/jars/upload", "a", b"x");
    let strange =
        ["x", "-1", "99999999999999999999999999", "%00", "%2e%2e%2f", "%C3%A9", "%FF", "a%20b", "ffffffffffffffffffffffffffffffff", "{}"];
    let bodies: [&[u8]; 5] =
        [b"", b"{\"a\":", b"[[]]", b"\xff\xfe", b"{\"parallelism\":1e99,\"jobId\":{},\"triggerId\":[],\"drain\":\"x\"}"];
    for (at, (method, path)) in calls(&served).into_iter().enumerate() {
        for (turn, value) in strange.iter().enumerate() {
            let known = |name: &str| if name == "job" && turn % 2 == 0 { RUNNING.to_string() } else { (*value).to_owned() };
            let query =
                format!("?get={value}&agg={value}&subtasks={value}&maxExceptions={value}&parallelism={value}&jobs={value}&mode={value}");
            let path = filled(&path, known) + if turn % 3 == 0 { "" } else { &query };
            let answer = send(served.address(), &method, &path, &[], bodies[(at + turn) % bodies.len()]);
            assert!(answer.status < 500, "{method} {path}: {}", answer.status);
            if answer.status >= 400 {
                assert_eq!(answer.errors().len(), 1, "{method} {path}");
            }
        }
    }
}

#[test]
fn every_described_call_has_its_parameters_and_answers() {
    let served = Served::new();
    let document = get(served.address(), "/v1/openapi.json").json();
    let call = &document["paths"]["/jobs/{job}/vertices/{vertex}/subtasks/metrics"]["get"];
    let names: Vec<&Value> = call["parameters"].as_array().unwrap().iter().map(|parameter| &parameter["name"]).collect();
    assert_eq!(names, ["job", "vertex", "get", "agg", "subtasks"]);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for call in methods.as_object().unwrap().values() {
            assert!(call["summary"].as_str().is_some_and(|text| !text.is_empty()), "{path}");
            assert!(call["responses"]["default"].is_object(), "{path}");
        }
    }
    let without = Served::with(|options| options.submit = false);
    assert!(get(without.address(), "/openapi.json").json()["paths"].get("/jars").is_none());
}
