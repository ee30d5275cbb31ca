//! Savepoints are removed when somebody asks for it, and nothing else ever is.

use crate::{
    RECORDS,
    processes::{Cluster, eventually},
};
use std::{fs, path::Path};

const JSON: &str = "application/json";

/// Has REST remove a savepoint; `Err` is why it was not.
fn dispose(cluster: &Cluster, path: &str) -> Result<(), String> {
    let body = serde_json::json!({"savepoint-path": path}).to_string();
    let (status, trigger) = cluster.call("POST", "/savepoint-disposal", (JSON, body.as_bytes()));
    assert_eq!(status, 202, "{trigger}");
    let poll = format!("/savepoint-disposal/{}", trigger["request-id"].as_str().unwrap());
    eventually("the removal is over", || cluster.get(&poll)["status"]["id"] == "COMPLETED");
    match cluster.get(&poll)["operation"]["failure-cause"]["stack-trace"].as_str() {
        Some(why) => Err(why.to_owned()),
        None => Ok(()),
    }
}

/// Takes a savepoint in the folder `directory` of the cluster; returns its path.
fn savepoint(cluster: &Cluster, job: &str, directory: &str) -> String {
    let taken = cluster.say(&["savepoint", job, directory]);
    taken.trim().rsplit(' ').next().unwrap().to_owned()
}

fn running(cluster: &Cluster, options: &[&str]) -> String {
    assert!(cluster.run(&[&["-d"], options].concat(), "plain", 10 * RECORDS, 1000.0).status().unwrap().success());
    let listed = cluster.say(&["list"]);
    let job = listed.lines().last().unwrap().split(' ').next().unwrap().to_owned();
    eventually("the job runs", || cluster.get(&format!("/jobs/{job}/status"))["status"] == "RUNNING");
    eventually("it has a checkpoint", || cluster.get(&format!("/jobs/{job}/checkpoints"))["counts"]["completed"].as_u64() > Some(0));
    job
}

#[test]
fn a_savepoint_is_removed_by_rest_and_by_the_command_with_what_belongs_to_it_alone() {
    let cluster = Cluster::with_task_managers(&[1]);
    let job = running(&cluster, &[]);
    let (first, second) = (savepoint(&cluster, &job, "mine"), savepoint(&cluster, &job, "mine"));
    fs::write(Path::new(&second).join("a-note"), "of mine").unwrap();
    dispose(&cluster, &format!("file://{first}/_metadata")).unwrap();
    assert!(!Path::new(&first).exists() && Path::new(&second).join("_metadata").exists());
    let said = cluster.say(&["savepoint", "--dispose", &second]);
    assert!(said.contains(&second) && said.contains("disposed"), "{said}");
    let left: Vec<_> = fs::read_dir(&second).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["a-note"], "what else lies there is not touched");
    let again = dispose(&cluster, &second).unwrap_err();
    assert!(again.contains("_metadata"), "{again}");
    assert_eq!(cluster.get(&format!("/jobs/{job}/status"))["status"], "RUNNING");
}

#[test]
fn only_what_is_known_as_a_savepoint_and_no_job_needs_is_removed() {
    let cluster = Cluster::with_task_managers(&[2]);
    let job = running(&cluster, &[]);
    let path = savepoint(&cluster, &job, "mine");
    // A whole savepoint, but none that anybody has taken.
    let copy = cluster.path("savepoint-copy");
    fs::create_dir(&copy).unwrap();
    for file in fs::read_dir(&path).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
    }
    let up = format!("{path}/../../savepoint-copy");
    for unknown in [copy.to_str().unwrap(), &up, "/etc", cluster.path("mine").to_str().unwrap()] {
        let why = dispose(&cluster, unknown).unwrap_err();
        assert!(why.contains("no savepoint is known at") && why.contains("execution.checkpointing.savepoint-dir"), "{unknown}: {why}");
    }
    assert!(dispose(&cluster, "mine").unwrap_err().contains("give the full path"));
    let taken = cluster.say(&["checkpoint", &job]);
    let checkpoint = taken.trim().rsplit(' ').next().unwrap();
    let why = dispose(&cluster, checkpoint).unwrap_err();
    assert!(why.contains("is a checkpoint of job"), "{why}");
    let claims = running(&cluster, &["-s", &path, "--claim-mode", "CLAIM"]);
    let why = dispose(&cluster, &path).unwrap_err();
    assert!(why.contains(&format!("job {claims} owns")), "{why}");
    assert!(copy.join("_metadata").exists() && Path::new(&path).parent().unwrap().exists());
}

#[test]
fn a_savepoint_in_the_configured_directory_is_known_whoever_has_taken_it() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved");
    let option = format!("-Dexecution.checkpointing.savepoint-dir={}", saved.display());
    let mut before = Cluster::start_with(&[]);
    before.add_task_manager("tm0", 1);
    let job = running(&before, &[]);
    let path = savepoint(&before, &job, saved.to_str().unwrap());
    drop(before);
    let cluster = Cluster::start_with(&[&option]);
    let metadata = Path::new(&path).join("_metadata");
    let whole = fs::read(&metadata).unwrap();
    fs::write(&metadata, &whole[..whole.len() - 1]).unwrap();
    let why = dispose(&cluster, &path).unwrap_err();
    assert!(why.contains("is damaged"), "{why}");
    fs::write(&metadata, &whole).unwrap();
    dispose(&cluster, &path).unwrap();
    assert!(!Path::new(&path).exists() && saved.exists());
}
