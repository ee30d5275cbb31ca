//! Clusters of real processes: jobs are submitted to them, and parts of them are killed.

mod application;
mod commands;
mod executables;
mod high_availability;
mod history;
mod observe;
mod processes;
mod rescale;
mod rest;
mod results;
mod savepoints;
mod scripts;
mod security;
mod shortage;
mod tap;

use processes::{Cluster, eventually, kill, signal};

const RECORDS: u64 = 10_000;

#[test]
fn a_job_runs_over_two_task_managers_and_its_program_gets_the_result() {
    let cluster = Cluster::with_task_managers(&[1, 1]);
    let output = cluster.run(&["-p", "2"], "plain", RECORDS, 1e6).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    assert!(out.contains("the job is at its end after 0 restarts"), "{out}");
    assert!(err.contains("Job has been submitted with JobID "), "{err}");
    cluster.assert_exact(RECORDS);
    let listed = cluster.say(&["list", "-a"]);
    assert!(listed.contains(" : cluster-job (FINISHED)"), "{listed}");
    assert!(cluster.say(&["list"]).contains("No running jobs."));
    eventually("workers have ended", || cluster.workers().is_empty());
}

#[test]
fn killed_workers_and_task_managers_lose_and_double_nothing() {
    let mut cluster = Cluster::with_task_managers(&[1, 1]);
    let mut program = cluster.run(&["-p", "2"], "plain", RECORDS, 2000.0).spawn().unwrap();
    for round in 0..4 {
        let before = cluster.lines().len();
        eventually("counts are visible", || cluster.lines().len() > before + 200);
        match round {
            2 => {
                cluster.kill_task_manager("tm0");
                cluster.add_task_manager("spare", 1);
            }
            _ => kill(*cluster.workers().first().expect("workers run")),
        }
    }
    let job = cluster.job();
    eventually("it is known how the last one ended", || {
        cluster.get(&format!("/jobs/{job}/exceptions")).to_string().contains(" was killed (signal 9), by someone or by the system")
    });
    assert!(program.wait().unwrap().success());
    cluster.assert_exact(RECORDS);
}

#[test]
fn workers_end_with_their_task_manager_also_when_they_log_and_the_job_manager_does_not_see_it() {
    let mut cluster = Cluster::with_task_managers(&[1]);
    assert!(cluster.run(&["-d"], "logs", RECORDS, 100.0).status().unwrap().success());
    eventually("counts are visible", || !cluster.lines().is_empty());
    signal("-STOP", cluster.job_manager_process());
    cluster.kill_task_manager("tm0");
    eventually("the worker has ended", || cluster.workers().is_empty());
    signal("-CONT", cluster.job_manager_process());
}

#[test]
fn a_worker_that_stands_by_takes_the_place_of_one_that_was_killed() {
    let mut cluster = Cluster::start();
    cluster.add_task_manager_with("tm0", 1, &["-Dtaskmanager.standby-worker=true"]);
    let mut program = cluster.run(&[], "plain", RECORDS, 2000.0).spawn().unwrap();
    eventually("counts are visible", || !cluster.lines().is_empty());
    let [first] = cluster.workers()[..] else { panic!("{:?}", cluster.workers()) };
    eventually("another one stands by", || cluster.workers().len() == 2);
    let standby = cluster.workers().into_iter().find(|worker| *worker != first).unwrap();
    let before = cluster.lines().len();
    kill(first);
    eventually("output flows again", || cluster.lines().len() > before + 200);
    assert!(cluster.workers().contains(&standby), "it is the only one that can have written them");
    assert!(program.wait().unwrap().success());
    cluster.assert_exact(RECORDS);
    eventually("nobody stands by for a job that is over", || cluster.workers().is_empty());
}

#[test]
fn copies_of_state_are_there_as_long_as_their_job_is() {
    let mut cluster = Cluster::start();
    cluster.add_task_manager_with("tm0", 1, &["-Dexecution.checkpointing.local-backup.enabled=true"]);
    let options = ["-Dexecution.checkpointing.data-inline-threshold=0 b"];
    let mut program = cluster.run(&options, "plain", RECORDS, 2000.0).spawn().unwrap();
    let copies = || -> Vec<std::path::PathBuf> {
        let own = std::fs::read_dir(cluster.folder.path()).unwrap().flatten().map(|entry| entry.path().join("state/tm0"));
        let jobs = own.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        jobs.filter_map(|job| std::fs::read_dir(job.path()).ok()).flatten().flatten().map(|checkpoint| checkpoint.path()).collect()
    };
    eventually("copies are there", || !copies().is_empty());
    let before = cluster.lines().len();
    kill(*cluster.workers().first().expect("a worker runs"));
    eventually("output flows again", || cluster.lines().len() > before + 200);
    assert!(copies().len() <= 3, "{:?}", copies());
    assert!(program.wait().unwrap().success());
    cluster.assert_exact(RECORDS);
    eventually("nobody needs them", || copies().is_empty());
}

#[test]
fn a_dropped_client_does_not_end_its_job() {
    let cluster = Cluster::with_task_managers(&[1]);
    let mut program = cluster.run(&[], "plain", RECORDS, 5000.0).spawn().unwrap();
    eventually("counts are visible", || !cluster.lines().is_empty());
    program.kill().unwrap();
    program.wait().unwrap();
    eventually("the job is at its end", || cluster.say(&["list", "-a"]).contains("(FINISHED)"));
    cluster.assert_exact(RECORDS);
}

#[test]
fn a_job_that_was_stopped_with_a_savepoint_goes_on_from_it_at_another_parallelism() {
    let cluster = Cluster::with_task_managers(&[2]);
    assert!(cluster.run(&["-d"], "plain", RECORDS, 2000.0).status().unwrap().success());
    let job = cluster.job();
    eventually("counts are visible", || !cluster.lines().is_empty());
    let checkpoint = cluster.say(&["checkpoint", &job]);
    assert!(checkpoint.contains("Checkpoint completed. Path: "), "{checkpoint}");
    let savepoint = cluster.say(&["savepoint", &job, "mine"]);
    assert!(savepoint.contains("/mine/savepoint-"), "{savepoint}");
    let stopped = cluster.say(&["stop", "--savepoint-path", "savepoints", &job]);
    let path = stopped.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(cluster.say(&["list", "-a"]).contains("(FINISHED)"));
    assert!((cluster.lines().len() as u64) < RECORDS);
    let output = cluster.run(&["-p", "2", "-s", &path], "plain", RECORDS, 1e6).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    cluster.assert_exact(RECORDS);
}

#[test]
fn a_cancelled_job_ends_and_its_program_says_so() {
    let cluster = Cluster::with_task_managers(&[1]);
    let program = cluster.run(&[], "plain", RECORDS, 1000.0).stderr(std::process::Stdio::piped()).spawn().unwrap();
    eventually("counts are visible", || !cluster.lines().is_empty());
    let job = cluster.job();
    assert!(cluster.say(&["cancel", &job]).contains(&job));
    let output = program.wait_with_output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("was cancelled"));
    assert!(cluster.say(&["list", "-a"]).contains("(CANCELED)"));
    let again = cluster.ask(&["cancel", &job]);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("has ended"), "{}", String::from_utf8_lossy(&again.stderr));
}

#[test]
fn a_job_waits_for_slots_that_come_later() {
    let mut cluster = Cluster::with_task_managers(&[1]);
    assert!(cluster.run(&["-d", "-p", "3"], "plain", RECORDS, 1e6).status().unwrap().success());
    assert!(cluster.say(&["list", "-a"]).contains("(CREATED)"));
    cluster.add_task_manager("late", 2);
    eventually("the job is at its end", || cluster.say(&["list", "-a"]).contains("(FINISHED)"));
    cluster.assert_exact(RECORDS);
}

#[test]
fn a_failure_of_user_code_comes_back_with_its_place() {
    let cluster = Cluster::with_task_managers(&[1]);
    let output = cluster.run(&["-Drestart-strategy.type=none"], "fail", RECORDS, 1e6).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(err.contains("told to fail") && err.contains("cluster_job.rs:"), "{err}");
    assert!(cluster.say(&["list", "-a"]).contains("(FAILED)"));
}

#[test]
fn a_program_that_is_another_one_in_a_worker_fails_its_job_by_name() {
    let cluster = Cluster::with_task_managers(&[1]);
    for (mode, reason) in
        [("crash-in-worker", "workers in a row could not be started"), ("other-graph-in-worker", "has built another graph")]
    {
        let output = cluster.run(&[], mode, RECORDS, 1e6).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(err.contains(reason), "{mode}: {err}");
    }
}

#[test]
fn what_cannot_be_submitted_is_refused_with_the_cure() {
    let cluster = Cluster::start();
    let program = cluster.path("no-program");
    std::fs::write(&program, "this is text").unwrap();
    let output = cluster.ask(&["run", program.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is no executable"), "{}", String::from_utf8_lossy(&output.stderr));
    let output = cluster.ask(&["cancel", "00000000000000000000000000000000"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no job 00000000000000000000000000000000"));
    let output = cluster.ask(&["-Djobmanager.rpc.port=1", "list"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("nobody answers at `localhost:1`"));
    let output = cluster.ask(&["-Djobmanager.rpc.address=0.0.0.0", "-Djobmanager.rpc.port=0", "-Drest.port=0", "jobmanager"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs authentication"), "{}", String::from_utf8_lossy(&output.stderr));
    let output = cluster.ask(&["-Drest.bind-address=0.0.0.0", "-Djobmanager.rpc.port=0", "-Drest.port=0", "jobmanager"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs authentication"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_plan_is_printed_without_running_anything() {
    let cluster = Cluster::start();
    let mut command = cluster.run(&[], "plain", RECORDS, 1e6);
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let info = arguments.iter().map(|argument| if argument == "run" { "info".into() } else { argument.clone() });
    command = cluster.flott();
    let output = command.args(info).output().unwrap();
    let plan = String::from_utf8_lossy(&output.stdout);
    assert!(plan.contains("\"nodes\"") && plan.contains("numbers"), "{plan}{}", String::from_utf8_lossy(&output.stderr));
    assert!(cluster.lines().is_empty());
}
