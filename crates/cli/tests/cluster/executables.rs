//! Executables that are none, that do not fit, and programs that are no jobs.

use crate::processes::{Cluster, eventually, example, job_program};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    path::{Path, PathBuf},
    process::Output,
};

const FORM: &str = "multipart/form-data; boundary=cut";
const HEAD: &str = "--cut\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"my-job\"\r\n\r\n";

fn upload(cluster: &Cluster, content: &[u8]) -> (u16, Value) {
    let body = [HEAD.as_bytes(), content, b"\r\n--cut--\r\n"].concat();
    cluster.call("POST", "/jars/upload", (FORM, &body))
}

/// What `flott run` prints on its standard error.
fn run(cluster: &Cluster, options: &[&str], program: &Path, arguments: &[&str]) -> (Output, String) {
    let output = cluster.flott().arg("run").args(options).arg(program).args(arguments).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, err)
}

/// The start of an executable for another processor.
fn for_aarch64() -> Vec<u8> {
    let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    head.resize(16, 0);
    head.extend([2, 0, 183, 0, 1, 0, 0, 0]);
    head.resize(4096, 0);
    head
}

/// A library that is no program.
fn a_library() -> Vec<u8> {
    let mut head = for_aarch64();
    (head[16], head[18]) = (3, if cfg!(target_arch = "x86_64") { 62 } else { 183 });
    head
}

/// Files that an upload or an executable under way is in.
fn temporary_files(cluster: &Cluster) -> Vec<PathBuf> {
    let mut folders = vec![cluster.folder.path().to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if name.starts_with("upload-") || name.ends_with(".tmp") {
                found.push(entry.path());
            }
        }
    }
    found
}

/// The most memory that the JobManager has had, bytes.
fn peak_memory(cluster: &Cluster) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", cluster.job_manager_process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn what_is_no_job_is_refused_by_upload_and_by_run_with_the_same_words() {
    let cluster = Cluster::start();
    let whole = fs::read(job_program()).unwrap();
    let stranger = fs::read("/bin/true").unwrap();
    let aarch64 = if cfg!(target_arch = "x86_64") { "was built for aarch64" } else { "cut off" };
    for (content, says) in [
        (&b""[..], "is empty"),
        (b"this is text", "is no executable"),
        (b"#!/bin/sh\nexec my-job", "is a script"),
        (&a_library(), "is a shared library"),
        (&for_aarch64(), aarch64),
        (&stranger, "is a program, but no job"),
        (&whole[..whole.len() / 2], "is cut off"),
    ] {
        let (status, refused) = upload(&cluster, content);
        let message = refused["errors"][0].as_str().unwrap_or_default();
        assert!(status == 400 && message.contains(says) && message.contains("`my-job`"), "{says}: {status} {refused}");
        let program = cluster.path("my-job");
        fs::write(&program, content).unwrap();
        for command in ["run", "info"] {
            let output = cluster.ask(&[command, program.to_str().unwrap()]);
            let err = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && err.contains(says), "{command} {says}: {err}");
        }
    }
    assert_eq!(cluster.get("/jars")["files"], json!([]));
    assert_eq!(temporary_files(&cluster), Vec::<PathBuf>::new());
}

#[test]
fn an_upload_that_is_too_large_is_refused_before_it_costs_memory_or_disk() {
    const TWO_GB: u64 = 2 << 30;
    let cluster = Cluster::start_with(&["-Drest.server.max-content-length=2 mb"]);
    upload(&cluster, b"text");
    let before = peak_memory(&cluster);
    for length in [format!("Content-Length: {TWO_GB}"), "Transfer-Encoding: chunked".to_owned()] {
        let mut stream = TcpStream::connect(cluster.rest_address()).unwrap();
        let chunked = length.starts_with('T');
        write!(stream, "POST /jars/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n{length}\r\n\r\n").unwrap();
        let mut sent = 0;
        let mut send = |bytes: &[u8]| {
            let head = if chunked { format!("{:x}\r\n", bytes.len()) } else { String::new() };
            let tail = if chunked { "\r\n" } else { "" };
            sent += bytes.len() as u64;
            stream.write_all(&[head.as_bytes(), bytes, tail.as_bytes()].concat()).is_ok()
        };
        // As sparse as a file of this size would be.
        let mut goes_on = send(HEAD.as_bytes());
        for _ in 0..if chunked { 64 } else { 0 } {
            goes_on = goes_on && send(&vec![0; 1 << 20]);
        }
        let mut answer = String::new();
        // The server may close the connection while there is still something on the way.
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 413 ") || (chunked && answer.is_empty()), "{length}: {answer}");
        assert!(answer.is_empty() || answer.contains("rest.server.max-content-length"), "{answer}");
        assert!(sent < TWO_GB);
    }
    // Half of what was sent in chunks; buffers of connections and pages of the program itself are some MiB.
    assert!(peak_memory(&cluster) < before + (32 << 20), "{before} {}", peak_memory(&cluster));
    eventually("nothing is left of it", || temporary_files(&cluster).is_empty());
    let program = cluster.path("large");
    fs::copy(job_program(), &program).unwrap();
    fs::OpenOptions::new().append(true).open(&program).unwrap().set_len(TWO_GB + 1).unwrap();
    let (output, err) = run(&cluster, &[], &program, &[]);
    assert!(!output.status.success() && err.contains("more than the 2147483648 that a cluster takes"), "{err}");
}

#[test]
fn an_upload_that_is_cut_off_leaves_nothing() {
    let cluster = Cluster::start();
    let whole = fs::read(job_program()).unwrap();
    let mut stream = TcpStream::connect(cluster.rest_address()).unwrap();
    let length = whole.len() + 200;
    write!(stream, "POST /jars/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n\r\n{HEAD}")
        .unwrap();
    stream.write_all(&whole[..whole.len() / 2]).unwrap();
    eventually("half of it has come", || temporary_files(&cluster).iter().any(|path| path.metadata().is_ok_and(|file| file.len() > 0)));
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    eventually("nothing is left of it", || temporary_files(&cluster).is_empty());
    assert_eq!(cluster.get("/jars")["files"], json!([]));
}

#[test]
fn programs_without_a_job_end_as_they_end_or_with_1_and_leave_the_cluster_alone() {
    let cluster = Cluster::with_task_managers(&[1]);
    let program = example("odd_job");
    for (mode, code, says) in [("crash", 101, "crashes before it has a job"), ("exit", 7, ""), ("never", 1, "no job was submitted")] {
        let (output, err) = run(&cluster, &[], &program, &[mode]);
        assert_eq!(output.status.code(), Some(code), "{mode}: {err}");
        assert!(err.contains(says), "{mode}: {err}");
    }
    let (status, uploaded) = upload(&cluster, &fs::read(&program).unwrap());
    assert_eq!(status, 200, "{uploaded}");
    let id = uploaded["filename"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    for (mode, says) in [("crash", "crashes before it has a job"), ("exit", "exit status: 7"), ("never", "it must call `execute`")] {
        let request = json!({"programArgsList": [mode]}).to_string();
        for call in ["plan", "run"] {
            let (status, refused) = cluster.call("POST", &format!("/jars/{id}/{call}"), ("application/json", request.as_bytes()));
            let message = refused["errors"][0].as_str().unwrap_or_default();
            assert!(status == 400 && message.contains(says), "{mode} {call}: {status} {refused}");
        }
    }
    assert!(cluster.say(&["list", "-a"]).contains("No jobs."));
    let request = json!({"programArgsList": ["chatty"]}).to_string();
    let (status, plan) = cluster.call("POST", &format!("/jars/{id}/plan"), ("application/json", request.as_bytes()));
    assert_eq!(status, 200, "{plan}");
    assert!(!plan["plan"]["nodes"].as_array().unwrap().is_empty(), "{plan}");
}

#[test]
fn a_program_that_has_submitted_its_job_is_not_waited_for_because_of_what_it_has_started() {
    let cluster = Cluster::with_task_managers(&[]);
    let (status, uploaded) = upload(&cluster, &fs::read(example("odd_job")).unwrap());
    assert_eq!(status, 200, "{uploaded}");
    let id = uploaded["filename"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let child = cluster.path("child");
    let request = json!({"programArgsList": ["leaves-a-child", child]}).to_string();
    let (status, run) = cluster.call("POST", &format!("/jars/{id}/run"), ("application/json", request.as_bytes()));
    let child = fs::read_to_string(child).unwrap();
    let lives = Path::new("/proc").join(&child).join("exe").exists();
    crate::processes::kill(child.parse().unwrap());
    assert!(lives, "the answer came when the child had ended");
    assert_eq!(status, 200, "{run}");
    assert_eq!(cluster.job(), run["jobid"].as_str().unwrap());
}

#[test]
fn a_second_execute_is_not_reached_when_detached_and_refused_by_name_when_not() {
    let cluster = Cluster::with_task_managers(&[1]);
    let program = example("odd_job");
    let (output, err) = run(&cluster, &["-d"], &program, &["twice"]);
    assert!(output.status.success(), "{err}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("behind"), "{err}");
    eventually("its job is at its end", || cluster.say(&["list", "-a"]).contains("first (FINISHED)"));
    let (output, err) = run(&cluster, &[], &program, &["twice"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("behind the first job"), "{err}");
    assert!(!output.status.success() && err.contains("one job on a cluster"), "{err}");
    assert!(!cluster.say(&["list", "-a"]).contains("second"));
}

#[test]
fn a_program_that_builds_another_graph_each_time_fails_by_name() {
    let cluster = Cluster::with_task_managers(&[1]);
    let (output, err) = run(&cluster, &[], &example("odd_job"), &["another-each-time"]);
    assert!(!output.status.success() && err.contains("has built another graph"), "{err}");
}

#[test]
fn two_job_managers_on_one_port_are_one_and_an_error() {
    let cluster = Cluster::start();
    let output = cluster.ask(&["-Drest.port=0", "jobmanager"]);
    let err = String::from_utf8_lossy(&output.stderr);
    let address = format!("cannot listen on `localhost:{}`: is another JobManager running there?", cluster.port());
    assert!(!output.status.success() && err.contains(&address), "{err}");
    let rest = cluster.rest_address().rsplit(':').next().unwrap();
    let output = cluster.ask(&["-Djobmanager.rpc.port=0", &format!("-Drest.port={rest}"), "jobmanager"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && err.contains("Set `rest.port` to choose another port"), "{err}");
    assert!(cluster.say(&["list"]).contains("No running jobs."));
}

#[test]
fn storage_that_is_not_in_an_executable_is_refused_before_it_is_brought() {
    let cluster = Cluster::start();
    let program = job_program();
    let arguments = ["-Dexecution.checkpointing.dir=s3://bucket/checkpoints", "run", program.to_str().unwrap()];
    let output = cluster.ask(&arguments);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && err.contains("was built without the storage `s3`"), "{err}");
    let (_, uploaded) = upload(&cluster, &fs::read(&program).unwrap());
    let id = uploaded["filename"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let request = json!({"flinkConfiguration": {"execution.checkpointing.dir": "s3://bucket/checkpoints"}}).to_string();
    let (status, refused) = cluster.call("POST", &format!("/jars/{id}/run"), ("application/json", request.as_bytes()));
    assert!(status == 400 && refused["errors"][0].as_str().unwrap().contains("without the storage `s3`"), "{refused}");
}

#[test]
fn an_executable_says_what_it_was_built_with_without_being_run() {
    let cluster = Cluster::start();
    let program = job_program();
    let said = cluster.say(&["info", "--executable", program.to_str().unwrap()]);
    for line in [
        format!("flott:            {} (protocol 1)", env!("CARGO_PKG_VERSION")),
        "storage:          file".to_owned(),
        "state backends:   hashmap".to_owned(),
        "panics:           unwind".to_owned(),
        format!("overflow checks:  {}", if cfg!(debug_assertions) { "yes" } else { "no" }),
        format!("debug assertions: {}", if cfg!(debug_assertions) { "yes" } else { "no" }),
    ] {
        assert!(said.lines().any(|one| one == line), "{line}: {said}");
    }
    assert!(said.contains("could be built better"), "{said}");
}
