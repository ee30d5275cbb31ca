//! A server that asks for tokens.

use crate::{
    client::{get, post_file, send},
    fake::{RUNNING, Served},
};
use flott_security::{Role, Tokens};
use serde_json::{Value, json};
use std::collections::BTreeMap;

struct Asking {
    served: Served,
    tokens: BTreeMap<Role, String>,
    folder: tempfile::TempDir,
}

impl Asking {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        let token = |role: Role| (role, Tokens::add(&path, role.as_str(), role).unwrap().expose().to_owned());
        let tokens = Role::ALL.map(token).into();
        let known = Tokens::open(&path).unwrap();
        Asking { served: Served::with(|options| options.tokens = Some(known)), tokens, folder }
    }

    fn call(&self, role: Role, method: &str, path: &str) -> u16 {
        let line = format!("Authorization: Bearer {}", self.tokens[&role]);
        send(self.served.address(), method, path, &[&line], b"").status
    }

    /// All calls: method, path with some values, and the role that is said to be needed.
    fn calls(&self) -> Vec<(String, String, Role)> {
        let line = format!("Authorization: Bearer {}", self.tokens[&Role::Viewer]);
        let document = send(self.served.address(), "GET", "/openapi.json", &[&line], b"").json();
        assert_eq!(document["security"], json!([{"token": []}]));
        let mut calls = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let filled = path.replace("{job}", &RUNNING.to_string());
            let filled: String = filled.split('/').map(|part| if part.starts_with('{') { "0/" } else { part }.to_owned() + "/").collect();
            let filled = filled.trim_end_matches('/').replace("//", "/");
            for (method, operation) in methods.as_object().unwrap() {
                let role = operation["x-role"].as_str().unwrap().parse().unwrap();
                calls.push((method.to_ascii_uppercase(), filled.clone(), role));
            }
        }
        assert!(calls.len() > 60);
        calls
    }
}

#[test]
fn no_call_is_answered_without_a_token_and_none_reaches_the_cluster() {
    let asking = Asking::start();
    let mut bodies: Vec<Value> = Vec::new();
    for (method, path, _) in asking.calls() {
        for path in [path.clone(), format!("/v1{path}")] {
            for header in [None, Some("Authorization: Bearer x"), Some("Authorization: Basic eDp5")] {
                let headers: Vec<&str> = header.into_iter().collect();
                let answer = send(asking.served.address(), &method, &path, &headers, b"");
                assert_eq!(answer.status, 401, "{method} {path}");
                assert!(answer.header("www-authenticate").is_some());
                bodies.push(answer.json());
            }
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(asking.served.fake.calls.lock().unwrap().is_empty());
}

#[test]
fn a_role_below_the_one_that_a_call_needs_is_refused_and_that_one_is_not() {
    let asking = Asking::start();
    let calls = asking.calls();
    for (method, path, needed) in &calls {
        assert!(method == "GET" || *needed > Role::Viewer, "{method} {path} changes something");
        for role in Role::ALL {
            let status = asking.call(role, method, path);
            assert_eq!(status == 403, role < *needed, "{method} {path} as {role}: {status}");
            assert_ne!(status, 401);
        }
    }
    let of = |method: &str, end: &str| calls.iter().find(|(m, path, _)| m == method && path.ends_with(end)).unwrap().2;
    assert_eq!(of("PATCH", &RUNNING.to_string()), Role::Operator);
    assert_eq!(of("GET", "/yarn-cancel"), Role::Operator);
    assert_eq!(of("POST", "/0/cancel"), Role::Operator);
    assert_eq!(of("POST", "/savepoints"), Role::Operator);
    assert_eq!(of("POST", "/jars/upload"), Role::Deployer);
    assert_eq!(of("POST", "/run"), Role::Deployer);
    assert_eq!(of("DELETE", "/cluster"), Role::Admin);
}

#[test]
fn a_token_that_is_revoked_is_refused_at_once() {
    let asking = Asking::start();
    assert_eq!(asking.call(Role::Admin, "GET", "/overview"), 200);
    Tokens::revoke(&asking.folder.path().join("tokens"), "admin").unwrap();
    assert_eq!(asking.call(Role::Admin, "GET", "/overview"), 401);
    assert_eq!(asking.call(Role::Viewer, "GET", "/overview"), 200);
}

#[test]
fn where_no_tokens_are_asked_for_everything_goes_without() {
    let served = Served::new();
    assert_eq!(get(served.address(), "/overview").status, 200);
    assert_eq!(post_file(served.address(), "/jars/upload", "a", b"x").status, 200);
}

#[test]
fn who_calls_learns_the_own_name_and_role() {
    let asking = Asking::start();
    let line = format!("Authorization: Bearer {}", asking.tokens[&Role::Operator]);
    let known = send(asking.served.address(), "GET", "/auth/whoami", &[&line], b"").json();
    assert_eq!(known, json!({"name": "operator", "role": "operator"}));
    let open = Served::new();
    assert_eq!(send(open.address(), "GET", "/auth/whoami", &[], b"").json()["role"], "admin");
}
