//! The REST server of a real cluster.

use crate::{
    RECORDS,
    processes::{Cluster, eventually, job_program},
};
use serde_json::{Value, json};

const JSON: &str = "application/json";

#[test]
fn a_job_is_watched_and_cancelled_by_rest() {
    let cluster = Cluster::with_task_managers(&[1, 1]);
    assert!(cluster.run(&["-d", "-p", "2"], "plain", RECORDS, 1000.0).status().unwrap().success());
    let job = cluster.job();
    eventually("the job runs", || cluster.get(&format!("/jobs/{job}"))["state"] == "RUNNING" && !cluster.lines().is_empty());
    let overview = cluster.get("/v1/jobs/overview");
    assert_eq!((&overview["jobs"][0]["jid"], &overview["jobs"][0]["name"]), (&json!(job), &json!("cluster-job")));
    assert_eq!(cluster.get("/overview")["slots-total"], 2);
    let details = cluster.get(&format!("/jobs/{job}"));
    let vertices = details["vertices"].as_array().unwrap();
    assert_eq!(vertices.iter().map(|vertex| &vertex["parallelism"]).collect::<Vec<_>>(), [2, 2]);
    assert!(details["timestamps"]["RUNNING"].as_i64().unwrap() > 0);
    eventually("records are counted", || {
        let details = cluster.get(&format!("/jobs/{job}"));
        details["vertices"][1]["metrics"]["read-records"].as_u64().is_some_and(|read| read > 0)
    });
    let vertex = vertices[1]["id"].as_str().unwrap();
    let subtasks = cluster.get(&format!("/jobs/{job}/vertices/{vertex}"));
    let mut hosts: Vec<&str> = subtasks["subtasks"].as_array().unwrap().iter().map(|one| one["taskmanager-id"].as_str().unwrap()).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["tm0", "tm1"]);
    let checkpoints = cluster.get(&format!("/jobs/{job}/checkpoints"));
    assert!(checkpoints["counts"]["completed"].as_u64().unwrap() > 0, "{checkpoints}");
    assert_eq!(cluster.get("/taskmanagers")["taskmanagers"].as_array().unwrap().len(), 2);
    eventually("the TaskManager has told what it uses", || cluster.get("/taskmanagers/tm0")["usage"]["bytesInRate"].is_number());
    let listed = cluster.get("/taskmanagers")["taskmanagers"][0].clone();
    let path = text(&listed["path"]);
    let port = path.strip_prefix("flott://127.0.0.1:").and_then(|rest| rest.strip_suffix("/tm0"));
    assert!(port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0)), "{path}");
    let (used, most) = (listed["usage"]["memoryUsed"].as_u64().unwrap(), listed["usage"]["memoryMax"].as_u64().unwrap());
    assert!(used > 0 && listed["memoryConfiguration"]["totalProcessMemory"] == most, "{listed}");
    assert!(listed["hardware"]["freeMemory"].as_u64().is_some_and(|free| free > 0 && free < most), "{listed}");
    let (status, _) = cluster.call("PATCH", &format!("/jobs/{job}?mode=cancel"), (JSON, b""));
    assert_eq!(status, 202);
    eventually("the job is cancelled", || cluster.get(&format!("/jobs/{job}/status"))["status"] == "CANCELED");
    let (status, body) = cluster.call("GET", "/jobs/00000000000000000000000000000000", (JSON, b""));
    assert_eq!(status, 404, "{body}");
}

#[test]
fn an_executable_is_uploaded_planned_run_and_stopped_by_rest() {
    let cluster = Cluster::with_task_managers(&[2]);
    let mut body = b"--cut\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"cluster_job\"\r\n\r\n".to_vec();
    body.extend(std::fs::read(job_program()).unwrap());
    body.extend(b"\r\n--cut--\r\n");
    let (status, uploaded) = cluster.call("POST", "/jars/upload", ("multipart/form-data; boundary=cut", &body));
    assert_eq!(status, 200, "{uploaded}");
    let id = uploaded["filename"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(cluster.get("/jars")["files"][0]["id"], id);
    let output = cluster.path("counts");
    let arguments = json!(["plain", output, RECORDS.to_string(), "2000"]);
    let request = json!({"programArgsList": arguments, "parallelism": 2});
    let (status, plan) = cluster.call("POST", &format!("/jars/{id}/plan"), (JSON, request.to_string().as_bytes()));
    assert_eq!(status, 200, "{plan}");
    assert_eq!(plan["plan"]["nodes"].as_array().unwrap().len(), 2, "{plan}");
    assert_eq!(plan["slots"], json!({"required": 2, "free": 2, "total": 2}));
    let plan_of = |request: Value| {
        let (status, refused) = cluster.call("POST", &format!("/jars/{id}/plan"), (JSON, request.to_string().as_bytes()));
        assert_eq!(status, 400, "{refused}");
        refused["errors"][0].as_str().unwrap().to_owned()
    };
    let refused = plan_of(json!({"programArgsList": arguments, "savepointPath": cluster.path("nowhere")}));
    assert!(refused.starts_with("it cannot start from `") && refused.contains("nowhere"), "{refused}");
    let refused = plan_of(json!({"programArgsList": ["plain"]}));
    let reason = refused.find("too few arguments").unwrap_or_else(|| panic!("{refused}"));
    assert!(reason < refused.find("the program ended (exit status: 1)").unwrap(), "{refused}");
    let wanted = "0123456789abcdef0123456789abcdef";
    let checkpoints = cluster.path("checkpoints");
    let request = json!({
        "programArgsList": arguments,
        "parallelism": "2",
        "jobId": wanted,
        "flinkConfiguration": {"execution.checkpointing.interval": "50 ms", "execution.checkpointing.dir": checkpoints},
    });
    let (status, run) = cluster.call("POST", &format!("/jars/{id}/run"), (JSON, request.to_string().as_bytes()));
    assert_eq!((status, &run["jobid"]), (200, &Value::from(wanted)), "{run}");
    let (status, again) = cluster.call("POST", &format!("/jars/{id}/run"), (JSON, request.to_string().as_bytes()));
    assert_eq!(status, 400);
    assert!(again["errors"][0].as_str().unwrap().contains("there is a job"), "{again}");
    eventually("counts are visible", || !cluster.lines().is_empty());
    let stop = json!({"targetDirectory": cluster.path("savepoints"), "drain": false});
    let (status, trigger) = cluster.call("POST", &format!("/jobs/{wanted}/stop"), (JSON, stop.to_string().as_bytes()));
    assert_eq!(status, 202, "{trigger}");
    let poll = format!("/jobs/{wanted}/savepoints/{}", trigger["request-id"].as_str().unwrap());
    eventually("the savepoint is complete", || cluster.get(&poll)["status"]["id"] == "COMPLETED");
    let location = cluster.get(&poll)["operation"]["location"].as_str().unwrap().to_owned();
    let request = json!({"programArgsList": ["plain", output, RECORDS.to_string(), "1e6"], "savepointPath": location});
    let (status, run) = cluster.call("POST", &format!("/jars/{id}/run"), (JSON, request.to_string().as_bytes()));
    assert_eq!(status, 200, "{run}");
    let job = run["jobid"].as_str().unwrap();
    eventually("the job is at its end", || cluster.get(&format!("/jobs/{job}/status"))["status"] == "FINISHED");
    cluster.assert_exact(RECORDS);
    let checkpoints = cluster.get(&format!("/jobs/{job}/checkpoints"));
    let restored = &checkpoints["latest"]["restored"];
    assert_eq!((&restored["is_savepoint"], &restored["external_path"]), (&json!(true), &json!(location)), "{checkpoints}");
    assert_eq!(checkpoints["counts"]["restored"], 1);
    // A job that has finished leaves none behind.
    for checkpoint in array(&checkpoints["history"]).iter().filter(|checkpoint| checkpoint["status"] == "COMPLETED") {
        assert_eq!(checkpoint["discarded"], true, "{checkpoint}");
    }
}

#[test]
fn what_is_no_job_is_refused_by_rest() {
    let cluster = Cluster::with_task_managers(&[1]);
    let body = b"--cut\r\nContent-Disposition: form-data; name=\"jarfile\"; filename=\"text.txt\"\r\n\r\nthis is text\r\n--cut--\r\n";
    let (status, refused) = cluster.call("POST", "/jars/upload", ("multipart/form-data; boundary=cut", body));
    assert_eq!(status, 400);
    assert!(refused["errors"][0].as_str().unwrap().contains("`text.txt` is no executable"), "{refused}");
    assert_eq!(cluster.get("/jars")["files"].as_array().unwrap().len(), 0);
}

#[test]
fn slots_say_what_is_in_them_and_a_failure_what_came_with_it() {
    let mut cluster = Cluster::with_task_managers(&[3]);
    for _ in 0..2 {
        assert!(cluster.run(&["-d", "-p", "1"], "plain", RECORDS, 1000.0).status().unwrap().success());
    }
    let mut jobs: Vec<String> = array(&cluster.get("/jobs")["jobs"]).iter().map(|job| text(&job["id"]).to_owned()).collect();
    jobs.sort_unstable();
    let slots = || {
        let task_manager = cluster.get("/taskmanagers/tm0");
        let slots = array(&task_manager["allocatedSlots"]).iter();
        let mut slots: Vec<_> = slots.map(|slot| (text(&slot["jobId"]).to_owned(), slot["assignedTasks"].as_u64().unwrap())).collect();
        slots.sort_unstable();
        slots
    };
    eventually("each job has its two tasks in a slot", || slots() == [(jobs[0].clone(), 2), (jobs[1].clone(), 2)]);
    let listed = cluster.get("/taskmanagers")["taskmanagers"][0].clone();
    assert_eq!((&listed["assignedTasks"], &listed["freeSlots"], &listed["slotsNumber"]), (&json!(4), &json!(1), &json!(3)));

    cluster.kill_task_manager("tm0");
    for job in &jobs {
        let failures = || cluster.get(&format!("/jobs/{job}/exceptions"))["exceptionHistory"]["entries"].clone();
        eventually("the loss was noticed", || failures()[0]["concurrentExceptions"][0].is_object());
        let failure = failures()[0].clone();
        for failed in [&failure, &failure["concurrentExceptions"][0]] {
            assert_eq!(failed["taskManagerId"], "tm0", "{failure}");
            assert!(text(&failed["stacktrace"]).contains("TaskManager `tm0` is gone: "), "{failure}");
            assert!(text(&failed["taskName"]).ends_with(" (1/1) - execution #0"), "{failure}");
        }
        assert_ne!(failure["taskName"], failure["concurrentExceptions"][0]["taskName"]);
    }
}

#[test]
fn every_option_says_where_it_was_given() {
    let mut cluster = Cluster::start_with(&["-Dheartbeat.interval=900 ms"]);
    cluster.add_task_manager("tm0", 1);
    assert!(cluster.run(&["-d", "-p", "1"], "plain", RECORDS, 1000.0).status().unwrap().success());
    let job = cluster.job();
    let option = |path: &str, key: &str| {
        let all = cluster.get(path);
        let found = array(&all).iter().find(|entry| entry["key"] == key).unwrap_or_else(|| panic!("`{key}` is not in {all}")).clone();
        (text(&found["value"]).to_owned(), text(&found["origin"]).to_owned())
    };
    let own = |key| option("/jobmanager/config", key);
    assert_eq!(own("heartbeat.interval"), ("900 ms".to_owned(), "argument `-Dheartbeat.interval=900 ms`".to_owned()));
    assert_eq!(own("heartbeat.timeout"), ("5 s".to_owned(), "default".to_owned()));
    let rest_port = cluster.rest_address().rsplit(':').next().unwrap().to_owned();
    assert_eq!(own("rest.port"), (rest_port, "argument `-Drest.port=0`".to_owned()));
    assert_eq!(own("jobmanager.rpc.port").0, cluster.port());

    assert_eq!(option("/jobmanager/configuration", "jobmanager.rpc.port").0, cluster.port());

    let answers = || cluster.send("GET", "/taskmanagers/tm0/configuration", "", b"").0 == 200;
    eventually("the TaskManager answers", answers);
    let of_task_manager = |key| option("/taskmanagers/tm0/configuration", key);
    assert_eq!(of_task_manager("taskmanager.resource-id"), ("tm0".to_owned(), "argument `-Dtaskmanager.resource-id=tm0`".to_owned()));
    assert_eq!(of_task_manager("heartbeat.timeout"), ("5 s".to_owned(), "default".to_owned()));
    assert_eq!(cluster.send("GET", "/taskmanagers/tm1/configuration", "", b"").0, 404);

    let of_job = |key| option(&format!("/jobs/{job}/configuration"), key);
    let given = "argument `-Dexecution.checkpointing.interval=50 ms`".to_owned();
    assert_eq!(of_job("execution.checkpointing.interval"), ("50 ms".to_owned(), given));
    assert_eq!(of_job("parallelism.default"), ("1".to_owned(), "argument `parallelism.default=1`".to_owned()));
    assert_eq!(of_job("execution.checkpointing.timeout"), ("10 min".to_owned(), "default".to_owned()));
    let config = cluster.get(&format!("/jobs/{job}/config"))["execution-config"].clone();
    assert_eq!(config["job-parallelism"], 1, "{config}");
    let given = config["user-config"].as_object().unwrap();
    assert!(given.contains_key("parallelism.default") && !given.contains_key("execution.checkpointing.timeout"), "{config}");
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
