//! Values that follow from what the cluster says.

use crate::{
    client::{get, send},
    fake::{COUNT, FINISHED, RUNNING, START, Served, TASK_MANAGER},
};
use bytes::Bytes;
use flott_web::{Asset, Leading};
use serde_json::{Value, json};
use std::sync::Arc;

fn ask(served: &Served, path: &str) -> Value {
    let path = path.replace(":job", &RUNNING.to_string()).replace(":vertex", &format!("{:032x}", COUNT.0));
    let answer = get(served.address(), &path);
    assert_eq!(answer.status, 200, "{path}");
    answer.json()
}

#[test]
fn the_overview_counts_jobs_and_slots() {
    let overview = ask(&Served::new(), "/overview");
    assert_eq!((&overview["slots-total"], &overview["slots-available"]), (&json!(2), &json!(1)));
    assert_eq!((&overview["jobs-running"], &overview["jobs-finished"], &overview["jobs-failed"]), (&json!(1), &json!(1), &json!(0)));
}

#[test]
fn a_running_job_has_no_end_and_lasts_until_now() {
    let served = Served::new();
    let jobs = ask(&served, "/jobs/overview");
    assert_eq!((&jobs["jobs"][0]["end-time"], &jobs["jobs"][0]["duration"]), (&json!(-1), &json!(30_000)));
    assert_eq!((&jobs["jobs"][1]["end-time"], &jobs["jobs"][1]["duration"]), (&json!(START + 2043), &json!(2043)));
    assert_eq!((&jobs["jobs"][0]["tasks"]["running"], &jobs["jobs"][0]["tasks"]["total"]), (&json!(4), &json!(4)));
    assert_eq!(ask(&served, "/jobs/:job/status"), json!({"status": "RUNNING"}));
}

#[test]
fn the_zone_is_that_of_the_moment_and_streaming_jobs_are_adaptive() {
    let served = Served::with(|options| options.time_zone = || ("Europe/Berlin".to_owned(), 3_600_000));
    let config = ask(&served, "/config");
    assert_eq!((&config["timezone-name"], &config["timezone-offset"]), (&json!("Europe/Berlin"), &json!(3_600_000)));
    assert_eq!(ask(&served, "/jobs/:job")["schedulerType"], "Adaptive");
}

#[test]
fn a_vertex_sums_its_subtasks() {
    let served = Served::new();
    let job = ask(&served, "/jobs/:job");
    let vertex = &job["vertices"][1];
    assert_eq!(vertex["metrics"]["read-records"], 726_939);
    assert_eq!(vertex["metrics"]["read-records-complete"], true);
    assert_eq!((&vertex["status"], &vertex["start-time"], &vertex["end-time"]), (&json!("RUNNING"), &json!(START + 300), &json!(-1)));
    assert_eq!(job["plan"]["nodes"][0]["inputs"][0]["id"], job["vertices"][0]["id"]);
    assert_eq!(job["timestamps"]["RUNNING"], START + 155);
    let detail = ask(&served, "/jobs/:job/vertices/:vertex");
    assert_eq!(detail["aggregated"]["metrics"]["read-records"]["median"], 363_469);
    let durations = json!({"CREATED": 30, "SCHEDULED": 170, "DEPLOYING": 100, "INITIALIZING": 100, "RUNNING": 29_500});
    assert_eq!(detail["subtasks"][1]["status-duration"], durations);
    assert_eq!((&detail["subtasks"][0]["attempt"], &detail["subtasks"][1]["attempt"]), (&json!(0), &json!(1)));
    let earlier = ask(&served, "/jobs/:job/vertices/:vertex/subtasks/1/attempts/0");
    assert_eq!(earlier["metrics"]["read-records"], 5);
}

#[test]
fn the_flow_of_a_job_tells_what_each_edge_carries() {
    let flow = ask(&Served::new(), "/jobs/:job/flow");
    let (source, target) = (&flow["vertices"][0]["id"], &flow["vertices"][1]["id"]);
    let edge = json!({"source": source, "target": target, "num": 0, "records": 726_944.0, "records-rate": 250.0});
    assert_eq!(flow["edges"], json!([edge]));
}

#[test]
fn metrics_are_texts_and_may_be_aggregated() {
    let served = Served::new();
    let path = "/jobs/:job/vertices/:vertex/metrics?get=0.numRecordsIn,1.Sink__Writer.numRecordsIn&get=0.unknown";
    let both = json!([{"id": "0.numRecordsIn", "value": "362448"}, {"id": "1.Sink__Writer.numRecordsIn", "value": "364491"}]);
    assert_eq!(ask(&served, path), both);
    let watermark = json!({"id": "0.currentInputWatermark", "value": "-9223372036854775808"});
    assert_eq!(ask(&served, "/jobs/:job/vertices/:vertex/watermarks")[0], watermark);
    let path = "/jobs/:job/vertices/:vertex/subtasks/metrics?get=numRecordsIn&subtasks=1-5";
    assert_eq!(
        ask(&served, path),
        json!([{"id": "numRecordsIn", "min": 364491.0, "max": 364491.0, "avg": 364491.0, "sum": 364491.0, "skew": 0.0}])
    );
    let path = "/jobs/:job/vertices/:vertex/subtasks/metrics?get=numRecordsIn&agg=max";
    assert_eq!(ask(&served, path), json!([{"id": "numRecordsIn", "max": 364491.0}]));
    let path = "/jobs/:job/metrics?get=numRestarts,lastCheckpointDuration,uptime,numberOfCompletedCheckpoints";
    let texts: Vec<Value> = ask(&served, path).as_array().unwrap().iter().map(|metric| metric["value"].clone()).collect();
    assert_eq!(texts, ["3", "99", "29845", "12"]);
}

#[test]
fn checkpoints_are_summed_up() {
    let served = Served::new();
    let checkpoints = ask(&served, "/jobs/:job/checkpoints");
    assert_eq!(checkpoints["counts"], json!({"restored": 0, "total": 13, "in_progress": 0, "completed": 12, "failed": 1}));
    assert_eq!(checkpoints["history"].as_array().unwrap().len(), 10);
    assert_eq!((&checkpoints["latest"]["completed"]["id"], &checkpoints["latest"]["savepoint"]), (&json!(32), &Value::Null));
    let failed = &checkpoints["latest"]["failed"];
    assert_eq!((&failed["className"], &failed["failure_message"]), (&json!("failed"), &json!("expired")));
    assert_eq!(failed["end_to_end_duration"], 7);
    let detail = ask(&served, "/jobs/:job/checkpoints/details/32");
    assert_eq!((&detail["state_size"], &detail["num_acknowledged_subtasks"]), (&json!(2_123_840), &json!(4)));
    let subtasks = ask(&served, "/jobs/:job/checkpoints/details/32/subtasks/:vertex");
    assert_eq!(subtasks["subtasks"][0]["checkpoint"], json!({"sync": 8, "async": 72}));
    assert_eq!((&subtasks["state_size"], &subtasks["summary"]["state_size"]["avg"]), (&json!(2_123_310), &json!(1_061_655)));
}

#[test]
fn backpressure_follows_from_metrics() {
    let backpressure = ask(&Served::new(), "/jobs/:job/vertices/:vertex/backpressure");
    assert_eq!((&backpressure["backpressure-level"], &backpressure["backpressureLevel"]), (&json!("low"), &json!("low")));
    let subtask = &backpressure["subtasks"][0];
    assert_eq!((&subtask["ratio"], &subtask["busyRatio"], &subtask["idleRatio"]), (&json!(0.3), &json!(0.25), &json!(0.45)));
}

#[test]
fn failures_are_truncated_and_say_where() {
    let served = Served::new();
    let all = ask(&served, "/jobs/:job/exceptions");
    let first = &all["exceptionHistory"]["entries"][0];
    assert_eq!(first["stacktrace"], "no such word\nCaused by: disk full\n\tat src/main.rs:7:3");
    assert_eq!(first["exceptionName"], "panic in `count`");
    assert_eq!(first["taskName"], "count (1/2) - execution #1");
    assert_eq!(all["exceptionHistory"]["truncated"], false);
    let one = ask(&served, "/jobs/:job/exceptions?maxExceptions=1");
    assert_eq!((one["exceptionHistory"]["entries"].as_array().unwrap().len(), &one["exceptionHistory"]["truncated"]), (1, &json!(true)));
}

#[test]
fn an_ended_job_has_a_result_and_a_running_one_none() {
    let served = Served::new();
    let running = ask(&served, "/jobs/:job/execution-result");
    assert_eq!(running, json!({"status": {"id": "IN_PROGRESS"}}));
    let finished = ask(&served, &format!("/jobs/{FINISHED}/execution-result"));
    assert_eq!(finished["status"]["id"], "COMPLETED");
    let result = &finished["job-execution-result"];
    assert_eq!((&result["application-status"], &result["net-runtime"]), (&json!("SUCCEEDED"), &json!(2043)));
}

#[test]
fn an_application_is_a_job_with_the_jobs_id() {
    let served = Served::new();
    let application = ask(&served, "/applications/:job");
    assert_eq!((&application["id"], &application["name"]), (&json!(RUNNING.to_string()), &json!("recovery")));
    assert_eq!(
        (&application["status"], &application["start-time"], &application["duration"]),
        (&json!("RUNNING"), &json!(START), &json!(30_000))
    );
    assert_eq!((&application["timestamps"]["RUNNING"], &application["timestamps"]["FINISHED"]), (&json!(START), &json!(0)));
    assert_eq!(application["jobs"], json!([ask(&served, "/jobs/overview")["jobs"][0]]));
    let failures = ask(&served, "/applications/:job/exceptions");
    let first = &failures["exceptionHistory"]["entries"][0];
    assert_eq!((&first["jobId"], &first["exceptionName"]), (&json!(RUNNING.to_string()), &json!("panic in `count`")));
    let ended = ask(&served, &format!("/applications/{FINISHED}"));
    assert_eq!((&ended["status"], &ended["end-time"]), (&json!("FINISHED"), &json!(START + 2043)));
}

#[test]
fn secrets_are_not_shown() {
    let served = Served::new();
    let of_task_manager = format!("/taskmanagers/{TASK_MANAGER}/configuration");
    let of_jobs = ["/jobs/:job/configuration", "/jobs/:job/config", "/jobs/:job/jobmanager/config"];
    let of_processes = ["/jobmanager/config", "/jobmanager/configuration", "/jobmanager/environment", &of_task_manager];
    for path in of_jobs.into_iter().chain(of_processes) {
        let text = ask(&served, path).to_string();
        assert!(text.contains("******") && !text.contains("hunter2"), "{path}: {text}");
    }
}

#[test]
fn processes_tell_of_their_options_in_the_form_that_jobs_do() {
    let served = Served::new();
    let own = ask(&served, "/jobmanager/configuration");
    assert_eq!(own, ask(&served, "/jobmanager/config"));
    assert_eq!(own[0]["value"], json!(served.address().port().to_string()), "the port that the server has got");
    let of_task_manager = ask(&served, &format!("/taskmanagers/{TASK_MANAGER}/configuration"));
    let id = json!({
        "key": "taskmanager.resource-id",
        "value": TASK_MANAGER,
        "origin": format!("argument `-Dtaskmanager.resource-id={TASK_MANAGER}`"),
    });
    assert_eq!((&of_task_manager[0], &of_task_manager[2]["value"]), (&id, &json!("0")));
    assert_eq!(get(served.address(), "/taskmanagers/other/configuration").status, 404);
}

#[test]
fn a_dashboard_is_served_beside_the_calls() {
    let served = Served::with(|options| {
        let page = Asset::plain("text/html", Bytes::from_static(b"<html>"));
        options.assets = Some(Arc::new(move |name: &str| (name == "index.html").then(|| page.clone())));
    });
    let page = get(served.address(), "/");
    assert_eq!((page.status, page.header("content-type"), &page.body[..]), (200, Some("text/html"), &b"<html>"[..]));
    assert_eq!(get(served.address(), "/overview").json()["taskmanagers"], 1);
    assert_eq!(get(served.address(), "/other.js").status, 404);
}

#[test]
fn a_server_that_is_shut_down_lets_go_of_the_cluster() {
    let served = Served::new();
    assert_eq!(send(served.address(), "HEAD", "/overview", &[], b"").status, 200);
    let cluster = Arc::downgrade(&served.fake);
    served.shutdown();
    // Its threads end a moment later.
    let gone = (0..10_000_000).any(|_| {
        std::thread::yield_now();
        cluster.strong_count() == 0
    });
    assert!(gone);
}

#[test]
fn addresses_are_those_that_the_client_uses() {
    let served = Served::new();
    let path = format!("/jobs/{RUNNING}/jobmanager/log-url");
    let answer = send(served.address(), "GET", &path, &["Host: localhost:9999"], b"");
    assert_eq!(answer.json()["url"], "http://localhost:9999/#/job-manager/logs");
}

#[test]
fn a_flame_graph_is_the_tree_of_the_stacks_that_are_wanted() {
    let served = Served::new();
    let graph = |query: &str| ask(&served, &format!("/jobs/:job/vertices/:vertex/flamegraph{query}"));
    let hash = json!({"name": "hash", "value": 30, "children": []});
    let wait = json!({"name": "wait", "value": 70, "children": []});
    let process = |value, children: Vec<&Value>| json!({"name": "process", "value": value, "children": children});
    let root = |value, children: Vec<Value>| {
        let drive = json!({"name": "drive", "value": value, "children": children});
        json!({"endTimestamp": START, "data": {"name": "root", "value": value, "children": [drive]}})
    };
    assert_eq!(graph(""), root(105, vec![process(35, vec![&hash]), wait.clone()]));
    assert_eq!(graph("?type=on_cpu"), root(35, vec![process(35, vec![&hash])]));
    assert_eq!(graph("?type=OFF_CPU&subtaskindex=0"), root(70, vec![wait]));
    assert_eq!(graph("?type=on_cpu&subtaskindex=1"), root(5, vec![process(5, vec![])]));
    let empty = json!({"endTimestamp": START, "data": {"name": "root", "value": 0, "children": []}});
    assert_eq!(graph("?type=off_cpu&subtaskindex=1"), empty);
    let path = |job, vertex: u64, query: &str| format!("/jobs/{job}/vertices/{vertex:032x}/flamegraph{query}");
    let get = |path: String| get(served.address(), &path);
    assert_eq!(get(path(RUNNING, crate::fake::SOURCE.0, "")).json(), json!({"endTimestamp": -3}));
    assert_eq!(get(path(FINISHED, COUNT.0, "")).json(), json!({"endTimestamp": -1}));
    assert_eq!(get(path(RUNNING, COUNT.0, "?type=hot")).status, 400);
    assert_eq!(get(path(RUNNING, COUNT.0, "?subtaskindex=2")).status, 404);
}

#[test]
fn changes_of_the_parallelism_say_what_they_came_from_and_how_they_ended() {
    let served = Served::new();
    let overview = ask(&served, "/jobs/:job/rescales/overview");
    assert_eq!(overview["rescalesCounts"], json!({"ignored": 1, "inProgress": 1, "completed": 7, "failed": 1}));
    assert_eq!(overview["latest"]["failed"]["terminatedReason"], "EXCEPTION_OCCURRED");
    assert_eq!(overview["latest"]["ignored"]["terminatedReason"], "JOB_FAILOVER_RESTARTING", "the next one took its place");
    let history = ask(&served, "/jobs/:job/rescales/history");
    let all = |field: &str| history.as_array().unwrap().iter().map(|change| change[field].clone()).collect::<Vec<_>>();
    assert_eq!(all("triggerCause"), ["UPDATE_REQUIREMENT", "NEW_RESOURCE_AVAILABLE", "RECOVERABLE_FAILOVER", "NEW_RESOURCE_AVAILABLE"]);
    assert_eq!(all("terminalState"), [json!(null), json!("FAILED"), json!("COMPLETED"), json!("IGNORED")]);
    assert_eq!(all("rescaleAttemptId"), [1, 3, 2, 1], "three with the same requirements");
    let requirements = all("resourceRequirementsUuid");
    assert!(requirements[0] != requirements[1] && requirements[1] == requirements[3]);
    assert_eq!(history[2]["schedulerStates"], json!(null));
    let done = ask(&served, &format!("/jobs/:job/rescales/details/{}", history[2]["rescaleUuid"].as_str().unwrap()));
    let vertex = &done["vertices"][format!("{:032x}", COUNT.0)];
    let parallelism = ["desired", "sufficient", "preRescale", "postRescale"].map(|name| vertex[format!("{name}Parallelism")].clone());
    assert_eq!(parallelism, [4, 1, 2, 3]);
    let slots = done["slots"].as_object().unwrap().values().next().unwrap();
    let slots = ["desiredSlots", "minimalRequiredSlots", "preRescaleSlots", "postRescaleSlots"].map(|name| slots[name].clone());
    assert_eq!(slots, [4, 2, 2, 3]);
    let states = done["schedulerStates"].as_array().unwrap();
    assert_eq!((&states[0]["state"], &states[0]["durationInMillis"]), (&json!("Executing"), &json!(20)));
    assert_eq!((&states[1]["state"], &states[1]["durationInMillis"]), (&json!("Restarting"), &json!(80)));
    let summary = ask(&served, "/jobs/:job/rescales/summary");
    assert_eq!(summary["rescalesDurationStatsInMillis"]["avg"], 50);
    assert_eq!(summary["completedRescalesDurationStatsInMillis"]["max"], 100);
    let config = ask(&served, "/jobs/:job/rescales/config");
    assert_eq!((&config["schedulerExecutionMode"], &config["executingCooldownTimeoutInMillis"]), (&json!("REACTIVE"), &json!(30_000)));
    let unknown = get(served.address(), &format!("/jobs/{RUNNING}/rescales/details/{:032x}", 5));
    assert_eq!(unknown.status, 404);
}

#[test]
fn a_task_manager_tells_what_its_tasks_send_and_what_it_uses() {
    let served = Served::new();
    let listed = get(served.address(), "/taskmanagers").json()["taskmanagers"][0].clone();
    let usage = &listed["usage"];
    assert!(usage["bytesInRate"].as_f64().unwrap() > 0.0, "{usage}");
    assert_eq!((&usage["bytesOutRate"], &usage["memoryUsed"], &usage["memoryMax"]), (&json!(0.0), &json!(353_903_104), &Value::Null));
    assert_eq!(get(served.address(), &format!("/taskmanagers/{TASK_MANAGER}")).json()["usage"]["cpuLoad"], 0.138);
    let metric = get(served.address(), &format!("/taskmanagers/{TASK_MANAGER}/metrics?get=numBytesInPerSecond")).json();
    assert!(metric[0]["value"].as_str().unwrap().parse::<f64>().unwrap() > 0.0, "{metric}");
    // What is not known is 0.
    assert_eq!((&listed["hardware"]["freeMemory"], &listed["memoryConfiguration"]["totalProcessMemory"]), (&json!(0), &json!(3u64 << 30)));
}

#[test]
fn while_nobody_leads_callers_are_told_so_and_only_what_is_the_processs_own_is_answered() {
    let serve = |leading: Leading| Served::with(|options| options.elsewhere = Some(Arc::new(move || leading.clone())));
    let served = serve(Leading::Nobody);
    for own in ["/config", "/v1/config", "/openapi.json", "/jobmanager/logs", "/jobmanager/config", "/metrics"] {
        assert_eq!(get(served.address(), own).status, 200, "{own}");
    }
    for path in ["/overview", "/v1/jobs", "/taskmanagers", "/jobs/overview", "/nothing"] {
        let answer = get(served.address(), path);
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.json()["errors"][0].as_str().unwrap().contains("no JobManager leads"), "{path}");
    }
    assert_eq!(send(served.address(), "DELETE", "/cluster", &[], b"").status, 503);
    let sent = get(serve(Leading::At("http://host:8081".to_owned())).address(), "/overview?a=b");
    assert_eq!((sent.status, sent.header("location")), (307, Some("http://host:8081/overview?a=b")));
    assert_eq!(get(serve(Leading::Here).address(), "/overview").status, 200);
}
