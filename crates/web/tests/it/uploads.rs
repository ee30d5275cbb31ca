//! Executables: upload, list, plan, run, remove.

use crate::{
    client::{get, post, post_file, send},
    fake::Served,
};
use serde_json::json;

fn served_in(folder: &tempfile::TempDir) -> Served {
    let path = folder.path().to_owned();
    Served::with(move |options| {
        options.upload_bytes_max = 100_000;
        options.upload_folder = path;
    })
}

#[test]
fn an_upload_is_kept_under_a_name_that_is_no_path() {
    let folder = tempfile::tempdir().unwrap();
    let served = served_in(&folder);
    let content: Vec<u8> = (0..90_000_u32).map(|at| at as u8).collect();
    let answer = post_file(served.address(), "/v1/jars/upload", "../../etc/cron.d/word-count", &content);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"filename": "executables/0_word-count", "status": "success"}));
    assert_eq!(served.fake.executables.lock().unwrap()[0].1, content);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the temporary file is gone");
    let listed = get(served.address(), "/jars").json();
    assert_eq!((&listed["files"][0]["id"], &listed["files"][0]["entry"][0]["name"]), (&json!("0_word-count"), &json!("count")));
}

#[test]
fn an_upload_that_is_too_large_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let served = served_in(&folder);
    for bytes in [100_001, 1_000_000] {
        assert_eq!(post_file(served.address(), "/jars/upload", "big", &vec![0; bytes]).status, 413, "{bytes}");
    }
    assert_eq!(post_file(served.address(), "/jars/upload", "fits", &[0; 100_000]).status, 200);
    served.shutdown();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_upload_needs_a_file_with_a_name() {
    let served = Served::new();
    for answer in [post(served.address(), "/jars/upload", "{}"), send(served.address(), "POST", "/jars/upload", &[], b"")] {
        let told = answer.errors().concat();
        assert!(answer.status == 400 && told.contains("`multipart/form-data` in the field `jarfile`"), "{told}");
    }
    assert_eq!(post_file(served.address(), "/jars/upload", "..", b"x").status, 400);
    let empty = send(served.address(), "POST", "/jars/upload", &["Content-Type: multipart/form-data; boundary=edge"], b"--edge--\r\n");
    assert_eq!(empty.status, 400);
    let cut = b"--edge\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"a\"\r\n\r\nhalf";
    let cut = send(served.address(), "POST", "/jars/upload", &["Content-Type: multipart/form-data; boundary=edge"], cut);
    assert_eq!(cut.status, 400);
    assert!(served.fake.executables.lock().unwrap().is_empty());
}

#[test]
fn a_job_id_that_cannot_be_read_is_told_by_where_it_stands() {
    let served = Served::new();
    post_file(served.address(), "/jars/upload", "a", b"x");
    for (query, body, place) in [("", r#"{"jobId": "xyz"}"#, "the field `jobId`"), ("?jobid=xyz", "", "the query parameter `jobid`")] {
        let answer = post(served.address(), &format!("/jars/0_a/run{query}"), body);
        assert!(answer.status == 400 && answer.errors()[0].starts_with(place), "{:?}", answer.errors());
    }
    assert!(served.fake.calls.lock().unwrap().is_empty());
}

#[test]
fn arguments_may_be_spelt_in_every_way_that_tools_do() {
    let served = Served::new();
    post_file(served.address(), "/jars/upload", "a", b"x");
    for (query, body, arguments) in [
        ("", r#"{"programArgsList": ["--in", "a b"], "programArgs": "ignored"}"#, r#"["--in", "a b"]"#),
        ("", r#"{"programArgs": "--in 'a b'"}"#, r#"["--in", "a b"]"#),
        ("?programArg=--in,x&program-args=ignored", "", r#"["--in", "x"]"#),
        ("?program-args=--in%20x", r#"{"programArgs": null}"#, r#"["--in", "x"]"#),
        ("?programArg=query", r#"{"programArgsList": ["body"]}"#, r#"["body"]"#),
        ("", "", "[]"),
    ] {
        let answer = post(served.address(), &format!("/jars/0_a/run{query}"), body);
        assert_eq!((answer.status, &answer.json()["jobid"]), (200, &json!("00000000000000000000000000000008")), "{query} {body}");
        let told = served.fake.calls.lock().unwrap().pop().unwrap();
        assert!(told.contains(&format!("arguments: {arguments},")), "{query} {body}: {told}");
    }
}

#[test]
fn a_form_with_texts_and_nulls_runs_a_job_under_the_id_that_it_names() {
    let served = Served::new();
    post_file(served.address(), "/jars/upload", "a", b"x");
    let body = r#"{"entryClass": "count", "parallelism": "4", "jobId": "000000000000000000000000000000ff", "allowNonRestoredState": true,
                   "savepointPath": "", "restoreMode": "NO_CLAIM", "flinkConfiguration": {"a.b": 1}, "programArgs": null}"#;
    let answer = post(served.address(), "/jars/0_a/run?parallelism=9&savepointPath=file:///sp", body);
    assert_eq!(answer.json()["jobid"], "000000000000000000000000000000ff");
    let told = served.fake.calls.lock().unwrap().pop().unwrap();
    for part in [
        r#"program: Some("count")"#,
        "parallelism: Some(4)",
        r#"savepoint: Some("file:///sp")"#,
        "allow_non_restored_state: true",
        "claim_mode: Some(NoClaim)",
        r#"configuration: {"a.b": "1"}"#,
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    for body in [r#"{"parallelism": "many"}"#, r#"{"parallelism": 0}"#, r#"{"jobId": "1"}"#, r#"{"claimMode": "MINE"}"#] {
        assert_eq!(post(served.address(), "/jars/0_a/run", body).status, 400, "{body}");
    }
}

#[test]
fn an_executable_is_planned_and_removed() {
    let served = Served::new();
    post_file(served.address(), "/jars/upload", "a", b"x");
    assert_eq!(get(served.address(), "/jars/0_a/plan?parallelism=2").json()["plan"]["name"], "planned");
    assert_eq!(post(served.address(), "/jars/0_a/plan", "{}").json()["plan"]["nodes"].as_array().unwrap().len(), 2);
    let strange = ["..%2f..%2fetc%2fpasswd", "0_", "0_a%00", "other"];
    for name in strange {
        assert_eq!(post(served.address(), &format!("/jars/{name}/run"), "{}").status, 404, "{name}");
        assert_eq!(get(served.address(), &format!("/jars/{name}/plan")).status, 404, "{name}");
        assert_eq!(send(served.address(), "DELETE", &format!("/jars/{name}"), &[], b"").status, 404, "{name}");
    }
    assert_eq!(send(served.address(), "DELETE", "/jars/0_a", &[], b"").status, 200);
    assert_eq!(send(served.address(), "DELETE", "/jars/0_a", &[], b"").status, 404);
    assert_eq!(post(served.address(), "/jars/0_a/run", "{}").status, 404);
}

#[test]
fn nothing_can_be_submitted_where_that_is_switched_off() {
    let served = Served::with(|options| options.submit = false);
    assert_eq!(get(served.address(), "/config").json()["features"]["web-submit"], false);
    assert_eq!(get(served.address(), "/jars").status, 404);
    assert_eq!(post_file(served.address(), "/jars/upload", "a", b"x").status, 404);
}
