//! What people see of a cluster that runs: metrics, logs, accumulators, checkpoints down to their subtasks.

use crate::{
    RECORDS,
    processes::{Cluster, eventually, example},
};
use std::fs;

/// A cluster of one TaskManager that logs to files of a kilobyte, and the job that the tests look at.
fn observed() -> (Cluster, String) {
    let mut cluster = Cluster::start();
    cluster.add_task_manager_with("tm0", 2, &["-Denv.log.dir=logs", "-Denv.log.size=4 kb", "-Denv.log.max=3"]);
    let program = example("observed_job");
    let options = ["-Dexecution.checkpointing.interval=50 ms", "-Dmetrics.latency.interval=20 ms", "run", "-d", "-p", "2"];
    let output = cluster.flott().args(options).arg(program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let job = cluster.job();
    eventually("the job runs", || cluster.get(&format!("/jobs/{job}"))["state"] == "RUNNING");
    (cluster, job)
}

#[test]
fn metrics_of_functions_tasks_and_processes_reach_prometheus() {
    let (cluster, job) = observed();
    let metrics = || cluster.send("GET", "/metrics", "", b"").1;
    let value = |text: &str, name: &str, labels: &[&str]| -> Option<f64> {
        let fits = |line: &&str| line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label));
        text.lines().find(fits).and_then(|line| line.rsplit(' ').next()?.parse().ok())
    };
    let of_job = format!("job_id=\"{job}\"");
    let function = [of_job.as_str(), "tm_id=\"tm0\"", "job_name=\"observed\"", "operator_name=\"Process\"", "subtask_index=\"1\""];
    let seen = "flink_taskmanager_job_task_operator_seen";
    eventually("a function's counter is there", || value(&metrics(), seen, &function).is_some_and(|seen| seen > 10.0));
    eventually("its meter has a rate", || {
        value(&metrics(), "flink_taskmanager_job_task_operator_calls", &function).is_some_and(|rate| rate > 0.0)
    });
    eventually("a checkpoint is complete", || {
        value(&metrics(), "flink_jobmanager_job_numberOfCompletedCheckpoints", &[&of_job]).is_some_and(|all| all > 0.0)
    });
    let latency = "flink_taskmanager_job_latency_source_id_operator_id_operator_subtask_index_latency";
    let way = [of_job.as_str(), "tm_id=\"tm0\"", "operator_subtask_index=\"1\"", "quantile=\"0.99\""];
    eventually("latency markers have come", || value(&metrics(), latency, &way).is_some_and(|ms| (0.0..60_000.0).contains(&ms)));
    let accumulators = cluster.get(&format!("/jobs/{job}/accumulators"));
    let numbers = &accumulators["user-task-accumulators"][0];
    assert_eq!(numbers["name"], "numbers", "{accumulators}");
    assert!(numbers["value"].as_str().unwrap().parse::<u64>().unwrap() > 10, "{accumulators}");
    let text = metrics();
    let median = value(&text, "flink_taskmanager_job_task_operator_sizes", &[&function[..], &["quantile=\"0.5\""]].concat()).unwrap();
    assert!((0.0..100.0).contains(&median), "{median}");
    assert!(value(&text, "flink_taskmanager_Status_JVM_Memory_Heap_Used", &["tm_id=\"tm0\""]).unwrap() > 1e6);
    assert!(value(&text, "flink_taskmanager_Status_JVM_Threads_Count", &["tm_id=\"tm0\""]).unwrap() > 5.0);
    assert_eq!(value(&text, "flink_jobmanager_taskSlotsTotal", &[]), Some(2.0));
    assert!(value(&text, "flink_taskmanager_job_task_busyTimeMsPerSecond", &function[..3]).is_some());
    assert!(value(&text, "flink_taskmanager_job_task_buffers_inputQueueLength", &function[..3]).is_some());
    assert!(value(&text, "flink_taskmanager_job_task_buffers_outPoolUsage", &function[..3]).is_some());
    assert!(value(&text, "flink_taskmanager_Status_Shuffle_Netty_TotalMemorySegments", &["tm_id=\"tm0\""]).unwrap() > 0.0);
    assert_eq!(value(&text, "flink_jobmanager_job_numRescales", &[&of_job]), Some(0.0));
    let unassigned = "flink_jobmanager_job_operator_coordinator_enumerator_unassignedSplits";
    eventually("the readers of the source have all splits", || value(&metrics(), unassigned, &[&of_job]) == Some(0.0));
    eventually("an edge of the graph has a rate", || {
        let flow = cluster.get(&format!("/jobs/{job}/flow"));
        let edges = flow["edges"].as_array().unwrap();
        assert!(edges.iter().all(|edge| edge["target"].is_string() && edge["num"].is_u64()), "{flow}");
        !edges.is_empty() && edges.iter().all(|edge| edge["records"].as_f64() > Some(10.0) && edge["records-rate"].as_f64() > Some(0.0))
    });
    let (_, job_manager) = cluster.send("GET", "/jobmanager/metrics?get=Status.JVM.Memory.Heap.Used", "", b"");
    assert!(job_manager.contains("Heap.Used\",\"value\""), "{job_manager}");
    // The executable came in, and metrics go out.
    let program = fs::metadata(example("observed_job")).unwrap().len() as f64;
    let exchanged = |name: &str| value(&metrics(), &format!("flink_jobmanager_{name}"), &[]).unwrap();
    assert!(exchanged("numBytesIn") > program, "{program}");
    let sent = exchanged("numBytesOut");
    assert!(exchanged("numBytesOut") >= sent + 1000.0);
    eventually("what the JobManager exchanges has a rate", || {
        let figures = cluster.get("/jobmanager/metrics?get=numBytesInPerSecond,numBytesOutPerSecond");
        let rates: Vec<f64> = figures.as_array().unwrap().iter().map(|one| one["value"].as_str().unwrap().parse().unwrap()).collect();
        rates.len() == 2 && rates.iter().all(|rate| *rate > 0.0)
    });
}

#[test]
fn logs_of_workers_are_kept_in_bounds_and_served_through_the_job_manager() {
    let (cluster, job) = observed();
    let old = |name: &str| cluster.path("logs").join(name).exists();
    eventually("old files are put aside", || old("flott-taskmanager.log.3") && old("flott-taskmanager.out.3"));
    assert!(!old("flott-taskmanager.log.4"));
    let listed = cluster.get("/taskmanagers/tm0/logs");
    let listed: Vec<(&str, u64)> =
        listed["logs"].as_array().unwrap().iter().map(|log| (log["name"].as_str().unwrap(), log["size"].as_u64().unwrap())).collect();
    assert!(listed.iter().any(|(name, _)| *name == "flott-taskmanager.out.2"), "{listed:?}");
    assert!(listed.iter().all(|(_, size)| *size <= 4096), "{listed:?}");
    let prefix = format!("[job {job} worker 0] logged ");
    let (status, log) = cluster.send("GET", "/taskmanagers/tm0/logs/flott-taskmanager.log.2", "", b"");
    assert_eq!(status, 200);
    assert!(log.lines().any(|line| line.starts_with(&prefix)), "{log}");
    let (status, out) = cluster.send("GET", "/taskmanagers/tm0/logs/flott-taskmanager.out.2", "Range: bytes=0-6\r\n", b"");
    assert_eq!((status, out.as_str()), (206, "printed"));
    let current = |path: &str| cluster.send("GET", &format!("/taskmanagers/tm0/{path}"), "", b"").0;
    assert_eq!((current("log"), current("stdout")), (200, 200));
    fs::write(cluster.path("logs/secret"), "secret").unwrap();
    for name in ["secret", "..%2flogs%2fsecret", "%2fetc%2fpasswd", ".flott-taskmanager.lock"] {
        assert_eq!(cluster.send("GET", &format!("/taskmanagers/tm0/logs/{name}"), "", b"").0, 404, "{name}");
    }
}

/// The threads of a process, by name.
fn threads(cluster: &Cluster, process: &str) -> Vec<(String, String)> {
    let dump = cluster.get(&format!("{process}/thread-dump"));
    let text = |thread: &serde_json::Value, key: &str| thread[key].as_str().unwrap().to_owned();
    let infos = dump["threadInfos"].as_array().unwrap().iter();
    infos.map(|thread| (text(thread, "threadName"), text(thread, "stringifiedThreadInfo"))).collect()
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn a_thread_dump_shows_the_calls_of_tasks_of_the_task_manager_and_of_the_job_manager() {
    let cluster = Cluster::with_task_managers(&[2]);
    // Its tasks are in their function almost all of the time.
    let output = cluster.flott().args(["run", "-d", "-p", "2"]).arg(example("observed_job")).arg("200").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let job = cluster.job();
    let is_task = |name: &str| name.starts_with("Process") && name.ends_with(" (2/2)");
    let mut all = Vec::new();
    // It is known a moment after it runs.
    eventually("the task is found in its function", || {
        all = threads(&cluster, "/taskmanagers/tm0");
        let task = all.iter().find(|(name, _)| is_task(name));
        task.is_some_and(|(_, text)| text.contains("\tat observed_job::wait_for_the_world (") && text.contains("observed_job.rs:"))
    });
    let (name, text) = all.iter().find(|(name, _)| is_task(name)).unwrap();
    assert!(text.starts_with(&format!("\"{name}\" Id=")) && text.contains(&format!(", worker 0 of job {job}\n")), "{text}");
    assert!(text.contains("\tat flott_runtime::task::") && text.contains("crates/runtime/src/task/drive.rs:"), "{text}");
    let find =
        |all: &[(String, String)], named: &str| all.iter().find(|(name, _)| name == named).unwrap_or_else(|| panic!("{all:?}")).1.clone();
    let observer = find(&all, "flott-observer");
    assert!(observer.contains("recv_timeout") && observer.contains("taskmanager/observer.rs:"), "{observer}");
    let main = all.iter().filter(|(_, text)| text.contains("the first thread of a child is not stopped")).count();
    assert_eq!(main, 1, "the worker's: {all:?}");

    let own = threads(&cluster, "/jobmanager");
    let main = find(&own, "flott");
    assert!(main.contains("\tat flott::processes::job_manager (") && main.contains("WAITING"), "{main}");
    assert!(own.iter().all(|(_, text)| text.contains("\n\tat ") || text.contains("has ended")), "{own:?}");
    assert!(cluster.get(&format!("/jobs/{job}"))["state"] == "RUNNING", "nothing has happened to the job");
}

#[test]
fn a_checkpoint_is_known_down_to_its_subtasks() {
    let cluster = Cluster::with_task_managers(&[1, 1]);
    assert!(cluster.run(&["-d", "-p", "2"], "plain", RECORDS, 1000.0).status().unwrap().success());
    let job = cluster.job();
    let checkpoints = || cluster.get(&format!("/jobs/{job}/checkpoints"));
    eventually("a checkpoint is complete", || checkpoints()["latest"]["completed"].is_object());
    let id = checkpoints()["latest"]["completed"]["id"].as_u64().unwrap();
    let details = cluster.get(&format!("/jobs/{job}/checkpoints/details/{id}"));
    let tasks = details["tasks"].as_object().unwrap();
    assert_eq!(tasks.len(), 2, "{details}");
    for (vertex, task) in tasks {
        assert_eq!((task["num_subtasks"].as_u64(), task["num_acknowledged_subtasks"].as_u64()), (Some(2), Some(2)), "{task}");
        let part = cluster.get(&format!("/jobs/{job}/checkpoints/details/{id}/subtasks/{vertex}"));
        for subtask in part["subtasks"].as_array().unwrap() {
            assert_eq!(subtask["status"], "completed", "{part}");
            assert!(subtask["ack_timestamp"].as_i64().unwrap() >= details["trigger_timestamp"].as_i64().unwrap(), "{part}");
            assert!(subtask["checkpoint"]["sync"].is_u64() && subtask["alignment"]["duration"].is_u64(), "{part}");
        }
    }
    let sizes = tasks.values().map(|task| task["state_size"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(details["state_size"].as_u64(), Some(sizes));
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn a_flame_graph_shows_where_the_time_of_a_function_goes() {
    let mut cluster = Cluster::start();
    cluster.add_task_manager("tm0", 2);
    let output = cluster.flott().args(["run", "-d", "-p", "2"]).arg(example("observed_job")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let job = cluster.job();
    eventually("the job runs", || cluster.get(&format!("/jobs/{job}"))["state"] == "RUNNING");
    let vertices = cluster.get(&format!("/jobs/{job}"));
    let vertex = vertices["vertices"][1]["id"].as_str().unwrap();
    let graph = |query: &str| cluster.send("GET", &format!("/jobs/{job}/vertices/{vertex}/flamegraph{query}"), "", b"").1;
    assert!(graph("").contains("\"endTimestamp\":-3"), "the first one only begins it");
    eventually("stacks were taken", || !graph("").contains("\"endTimestamp\":-3"));
    let (all, on_cpu, off_cpu) = (graph("?type=full"), graph("?type=on_cpu"), graph("?type=off_cpu&subtaskindex=1"));
    for function in ["observed_job::burn_the_processor", "observed_job::Observed", "flott_runtime::task"] {
        assert!(all.contains(function) && on_cpu.contains(function), "{function}: {all}");
    }
    assert!(off_cpu.contains("park"), "it waits for numbers most of the time: {off_cpu}");
    assert!(cluster.get(&format!("/jobs/{job}"))["state"] == "RUNNING", "nothing has happened to the job");
}
