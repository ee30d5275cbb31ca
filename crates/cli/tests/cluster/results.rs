//! Programs that take the results of their job back.

use super::processes::{Cluster, eventually, job_program, kill};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

const KEYS: u64 = 50;

/// The counts in a program's output, in their order.
fn counts(path: &Path) -> Vec<(u64, u64)> {
    let text = fs::read_to_string(path).unwrap();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let of_line = |line: &str| {
        let (key, count) = line.trim_matches(['(', ')']).split_once(", ").unwrap();
        (key.parse().unwrap(), count.parse().unwrap())
    };
    whole.lines().map(of_line).collect()
}

/// Each running count of `records` numbers is there once, and those of a key come in their order.
#[track_caller]
fn assert_all(counts: &[(u64, u64)], records: u64) {
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for (key, count) in counts {
        let last = last.entry(*key).or_default();
        assert_eq!(*count, *last + 1, "of key {key}");
        *last = *count;
    }
    assert_eq!(counts.len() as u64, records);
    assert!((0..KEYS).all(|key| last[&key] == records / KEYS));
}

#[test]
fn results_come_back_into_the_program_each_once_while_workers_and_task_managers_are_killed() {
    const RECORDS: u64 = 10_000;
    let mut cluster = Cluster::with_task_managers(&[1, 1]);
    let out = cluster.path("program.out");
    let mut command = cluster.run(&["-p", "2"], "collect", RECORDS, 2000.0);
    let mut program = command.stdout(fs::File::create(&out).unwrap()).spawn().unwrap();
    for round in 0..3 {
        let before = counts(&out).len();
        eventually("results come", || counts(&out).len() > before + 200);
        if round == 1 {
            let id = cluster.task_managers.keys().next().unwrap().clone();
            cluster.kill_task_manager(&id);
            cluster.add_task_manager(&format!("tm{}", round + 10), 1);
        } else {
            eventually("there is a worker to kill", || {
                cluster.workers().first().is_some_and(|worker| {
                    kill(*worker);
                    true
                })
            });
        }
    }
    assert!(program.wait().unwrap().success());
    assert_all(&counts(&out), RECORDS);
}

#[test]
fn results_come_at_once_where_nothing_is_started_again() {
    let cluster = Cluster::with_task_managers(&[1]);
    let output = cluster.flott().arg("run").arg(job_program()).args(["collect", "-", "100", "1e6"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let out = cluster.path("program.out");
    fs::write(&out, output.stdout).unwrap();
    assert_all(&counts(&out), 100);
}

#[test]
fn a_program_that_wants_no_more_results_ends_and_its_job_goes_on() {
    let cluster = Cluster::with_task_managers(&[1]);
    let output = cluster.run(&[], "collect-10", u64::MAX, 1e6).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 10);
    let job = cluster.job();
    let vertices = || cluster.get(&format!("/jobs/{job}"))["vertices"].as_array().unwrap().clone();
    let read = || vertices().iter().filter_map(|vertex| vertex["metrics"]["read-records"].as_u64()).max().unwrap_or(0);
    let before = read();
    // More than the sink would keep for a program that may come back.
    eventually("the job goes on", || read() > before + 500_000);
    cluster.say(&["cancel", &job]);
}

#[test]
fn all_results_of_a_branch_that_has_ended_come_while_another_branch_goes_on() {
    let cluster = Cluster::with_task_managers(&[1]);
    let out = cluster.path("program.out");
    let mut command = cluster.run(&[], "collect-beside-an-endless-branch", 100, 1e6);
    let mut program = command.stdout(fs::File::create(&out).unwrap()).spawn().unwrap();
    eventually("all results are there", || counts(&out).len() == 100);
    let job = cluster.job();
    assert_eq!(cluster.get(&format!("/jobs/{job}"))["state"], "RUNNING");
    cluster.say(&["cancel", &job]);
    assert!(!program.wait().unwrap().success());
    assert_all(&counts(&out), 100);
}

#[test]
fn a_program_that_nobody_waits_for_cannot_take_results() {
    let cluster = Cluster::with_task_managers(&[1]);
    let output = cluster.run(&["-d"], "collect", 10, 1e6).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(text.contains("run it without `-d`, or end the stream in a sink"), "{text}");
    assert!(cluster.say(&["list", "-a"]).contains("No"), "nothing was submitted");
}

#[test]
fn a_program_whose_output_nobody_reads_any_more_fails_and_says_so() {
    let mut program = Command::new(job_program())
        .args(["print", "-", &u64::MAX.to_string(), "1e6"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = program.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("standard output was closed") && !text.contains("panicked at"), "{text}");
}

#[test]
fn a_job_that_prints_goes_on_when_the_task_manager_is_killed_that_reads_it() {
    let mut cluster = Cluster::start();
    let logs = format!("-Denv.log.dir={}", cluster.path("log").display());
    let add = |cluster: &mut Cluster, id: &str| cluster.add_task_manager_with(id, 1, &[&logs]);
    add(&mut cluster, "tm0");
    assert!(cluster.run(&["-d"], "print", u64::MAX, 20_000.0).status().unwrap().success());
    let job = cluster.job();
    let completed = |cluster: &Cluster| cluster.get(&format!("/jobs/{job}/checkpoints"))["counts"]["completed"].as_u64().unwrap();
    for round in 1..4 {
        let before = completed(&cluster);
        eventually("the job goes on", || completed(&cluster) > before + 3);
        cluster.kill_task_manager(&format!("tm{}", round - 1));
        let failures = |cluster: &Cluster| cluster.get(&format!("/jobs/{job}/exceptions"))["exceptionHistory"]["entries"].clone();
        eventually("the loss was noticed", || failures(&cluster).as_array().unwrap().len() >= round);
        let text = failures(&cluster).to_string();
        assert!(!text.contains("standard output") && !text.contains("panic"), "{text}");
        add(&mut cluster, &format!("tm{round}"));
    }
    cluster.say(&["cancel", &job]);
}
