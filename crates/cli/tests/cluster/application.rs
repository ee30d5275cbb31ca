//! A program with a cluster of its own.

use crate::{
    RECORDS,
    processes::{Cluster, eventually, job_program},
};
use std::process::Stdio;

/// `flott run-application` in the folder of a cluster that is not used otherwise.
fn application(cluster: &Cluster, options: &[&str], mode: &str, rate: &str) -> std::process::Command {
    let mut command = cluster.flott();
    command
        .args(["-Djobmanager.rpc.port=0", "-Drest.port=0", "-Dexecution.checkpointing.interval=50 ms"])
        .arg("-Dexecution.checkpointing.dir=checkpoints")
        .arg("run-application")
        .args(options)
        .arg(job_program())
        .args([mode, "counts", &RECORDS.to_string(), rate]);
    command
}

#[test]
fn one_command_is_a_cluster_for_one_job_and_ends_with_its_exit_code() {
    let cluster = Cluster::start();
    let output = application(&cluster, &["-p", "2"], "plain", "1e6").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert!(out.contains("REST at http://") && out.contains("the job is at its end after 0 restarts"), "{out}");
    cluster.assert_exact(RECORDS);
    eventually("workers have ended", || cluster.workers().is_empty());
    let output = application(&cluster, &["-Drestart-strategy.type=none"], "fail", "1e6").output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("told to fail"));
}

#[test]
fn a_signal_cancels_the_job_and_leaves_no_process() {
    let cluster = Cluster::start();
    let mut command = application(&cluster, &[], "plain", "1000");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("counts are visible", || !cluster.lines().is_empty());
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{err}");
    assert!(err.contains("the job is being cancelled") && err.contains("was cancelled"), "{err}");
    eventually("workers have ended", || cluster.workers().is_empty());
}

#[test]
fn a_program_that_cannot_run_is_refused_before_there_is_a_cluster_for_it() {
    let cluster = Cluster::start();
    let program = cluster.path("no-program");
    std::fs::write(&program, "this is text").unwrap();
    let ports = ["-Djobmanager.rpc.port=0", "-Drest.port=0"];
    let output = cluster.flott().args(ports).args(["run-application", program.to_str().unwrap()]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && err.contains("is no executable") && out.is_empty(), "{out}{err}");
}

#[test]
fn its_log_is_in_the_folder_for_logs_and_a_program_without_a_job_is_told_of() {
    let cluster = Cluster::start();
    let output = application(&cluster, &["-Denv.log.dir=logs"], "nothing", "1").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && err.contains("no job was submitted"), "{err}");
    let log = std::fs::read_to_string(cluster.path("logs/flott-application.log")).unwrap();
    assert!(log.contains("registered at the JobManager") && !err.contains("registered at the JobManager"), "{log}{err}");
}
