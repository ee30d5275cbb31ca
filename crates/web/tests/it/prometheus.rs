//! What Prometheus gets, read by a parser that forgives nothing.

use crate::{
    client::get,
    fake::{COUNT, FINISHED, RUNNING, Served},
};
use flott_web::{Cluster, Options, Server};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A sample: its name and labels.
type Series = (String, BTreeMap<String, String>);

/// Reads the text format: every sample belongs to the family whose `TYPE` came last, no family comes twice, no sample does, every
/// line is one of the three that there are.
fn parse(text: &str) -> (BTreeMap<String, String>, BTreeMap<Series, f64>) {
    assert!(text.ends_with('\n'), "the last line ends");
    let (mut families, mut samples) = (BTreeMap::new(), BTreeMap::new());
    let mut helped = BTreeSet::new();
    let mut current = (String::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a help has a text");
            assert!(!text.is_empty() && helped.insert(name.to_owned()), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a type has a kind");
            assert!(helped.contains(name) && ["gauge", "summary"].contains(&kind), "{line}");
            assert!(families.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
            current = (name.to_owned(), kind.to_owned());
        } else {
            let (name, labels, value) = sample(line);
            let of_family = name == current.0 || current.1 == "summary" && name == format!("{}_count", current.0);
            assert!(of_family, "`{line}` belongs to no family, least of all to {}", current.0);
            assert_eq!(current.1 == "summary" && name == current.0, labels.contains_key("quantile"), "{line}");
            assert!(samples.insert((name, labels), value).is_none(), "twice: {line}");
        }
    }
    (families, samples)
}

fn is_name(text: &str, colon: bool) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || colon && c == ':';
    text.chars().next().is_some_and(|first| !first.is_ascii_digit()) && text.chars().all(fits)
}

/// Takes a sample apart: `name{label="value",...} number`.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("no labels: {line}"));
    assert!(is_name(name, true), "{line}");
    let mut labels = BTreeMap::new();
    let mut rest = rest;
    while !rest.starts_with('}') {
        let (label, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("no value: {line}"));
        assert!(is_name(label, false), "{line}");
        let (mut value, mut characters) = (String::new(), behind.char_indices());
        let end = loop {
            match characters.next().unwrap_or_else(|| panic!("a value without end: {line}")) {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next().map(|(_, c)| c) {
                    Some('n') => '\n',
                    Some(c @ ('\\' | '"')) => c,
                    other => panic!("{other:?} behind a backslash: {line}"),
                }),
                (_, c) => value.push(c),
            }
        };
        assert!(labels.insert(label.to_owned(), value).is_none(), "a label twice: {line}");
        rest = &behind[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    let number = rest.strip_prefix("} ").unwrap_or_else(|| panic!("no space before the value: {line}"));
    let value = match number {
        "NaN" => f64::NAN,
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        other => other.parse().unwrap_or_else(|_| panic!("no number: {line}")),
    };
    (name.to_owned(), labels, value)
}

/// The value of the only sample of `name` whose labels hold all of `labels`.
#[track_caller]
fn value(samples: &BTreeMap<Series, f64>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let fits = |known: &BTreeMap<String, String>| labels.iter().all(|(label, value)| known.get(*label).is_some_and(|has| has == value));
    let found: Vec<f64> = samples.iter().filter(|((known, has), _)| known == name && fits(has)).map(|(_, value)| *value).collect();
    assert_eq!(found.len(), 1, "{name} {labels:?}");
    found[0]
}

fn expose(served: &Served, path: &str) -> String {
    let answer = get(served.address(), path);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    String::from_utf8(answer.body).unwrap()
}

#[test]
fn all_metrics_are_there_under_flinks_names_and_labels() {
    let (families, samples) = parse(&expose(&Served::new(), "/metrics"));
    assert_eq!(value(&samples, "flink_jobmanager_numRunningJobs", &[("host", "vm")]), 1.0);
    assert_eq!(value(&samples, "flink_jobmanager_taskSlotsAvailable", &[]), 1.0);
    assert_eq!(value(&samples, "flink_jobmanager_numBytesIn", &[("host", "vm")]), 4096.0);
    assert_eq!(value(&samples, "flink_jobmanager_numBytesOutPerSecond", &[("host", "vm")]), 12.5);
    let (job, tm) = (RUNNING.to_string(), "127_0_0_1:39749_12b466");
    assert_eq!(value(&samples, "flink_jobmanager_job_numberOfCompletedCheckpoints", &[("job_id", &job), ("job_name", "recovery")]), 12.0);
    assert_eq!(value(&samples, "flink_jobmanager_job_lastCheckpointDuration", &[]), 99.0);
    assert_eq!(value(&samples, "flink_taskmanager_Status_JVM_Memory_Heap_Used", &[("tm_id", tm), ("host", "vm")]), 353_903_104.0);
    let vertex = format!("{:032x}", COUNT.0);
    let task = [("task_id", vertex.as_str()), ("task_name", "Keyed_Aggregation____Map____Sink:_Writer"), ("subtask_index", "1")];
    assert_eq!(value(&samples, "flink_taskmanager_job_task_numRecordsIn", &task), 364_491.0);
    assert_eq!(value(&samples, "flink_taskmanager_job_task_busyTimeMsPerSecond", &task), 250.0);
    assert_eq!(value(&samples, "flink_taskmanager_job_task_isBackPressured", &task), 1.0);
    assert_eq!(value(&samples, "flink_taskmanager_job_task_busy_ratio", &task), 0.25);
    assert_eq!(value(&samples, "flink_taskmanager_job_task_buffers_inputQueueLength", &task), 3.0);
    assert_eq!(value(&samples, "flink_taskmanager_job_task_Shuffle_Netty_Input_Buffers_inPoolUsage", &task), 0.75);
    assert_eq!(value(&samples, "flink_taskmanager_job_task_buffers_outPoolUsage", &task), 0.0);
    assert_eq!(value(&samples, "flink_taskmanager_job_task_estimatedTimeToConsumeBuffersMs", &task), 4000.0);
    let coordinator = "flink_jobmanager_job_operator_coordinator_enumerator_unassignedSplits";
    assert_eq!(value(&samples, coordinator, &[("job_id", &job), ("operator_id", &vertex), ("operator_name", "Keyed_Aggregation")]), 4.0);
    let of_task_manager = |name: &str| value(&samples, &format!("flink_taskmanager_Status_{name}"), &[("tm_id", tm)]);
    assert_eq!(of_task_manager("Shuffle_Netty_UsedMemorySegments"), 12.0);
    assert_eq!(of_task_manager("Shuffle_Netty_AvailableMemorySegments"), 4.0);
    // 29 bytes a record.
    assert_eq!(of_task_manager("Shuffle_Netty_UsedMemory"), 4.0 * 500.0 * 29.0);
    assert_eq!(of_task_manager("Flink_Memory_Managed_Used"), 0.0);
    let all = [("tm_id", tm), ("job_id", &job), ("task_attempt_num", "1"), task[0], task[2], ("operator_name", "Keyed_Aggregation")];
    assert_eq!(value(&samples, "flink_taskmanager_job_task_operator_numRecordsIn", &all), 364_491.0);
    assert_eq!(value(&samples, "flink_taskmanager_job_task_operator_numRecordsInPerSecond", &all), 125.0);
    assert_eq!(families["flink_taskmanager_job_task_operator_waiting"], "summary");
    assert_eq!(value(&samples, "flink_taskmanager_job_task_operator_waiting_count", &[task[0], ("operator_name", "Map")]), 9.0);
    let name = "flink_taskmanager_job_latency_source_id_operator_id_operator_subtask_index_latency";
    let way = [("source_id", "0000000000000000000000000000bc76"), ("operator_subtask_index", "0"), ("quantile", "0.99")];
    assert_eq!(value(&samples, name, &[&way[..], &[("operator_id", &vertex)]].concat()), 40.0);
    let finished = FINISHED.to_string();
    assert!(samples.keys().all(|(_, labels)| labels.get("job_id") != Some(&finished)), "a job that has ended has no metrics");
}

#[test]
fn values_of_labels_stay_as_they_are_if_wanted() {
    let (_, samples) = parse(&expose(&Served::with(|options| options.filter_label_values = false), "/v1/metrics"));
    let labels = [("task_name", "Keyed Aggregation -> Map -> Sink: Writer"), ("subtask_index", "0")];
    assert_eq!(value(&samples, "flink_taskmanager_job_task_numRecordsIn", &labels), 362_448.0);
}

#[test]
fn every_metric_is_documented() {
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md")).unwrap();
    let (families, _) = parse(&expose(&Served::new(), "/metrics"));
    let user = ["flink_taskmanager_job_task_operator_waiting"];
    for family in families.keys().filter(|family| !user.contains(&family.as_str())) {
        let scopes = [
            "jobmanager_job_operator_",
            "jobmanager_job_",
            "jobmanager_",
            "taskmanager_job_task_operator_",
            "taskmanager_job_task_",
            "taskmanager_job_",
            "taskmanager_",
        ];
        let name = family.strip_prefix("flink_").unwrap();
        let name = scopes.iter().find_map(|scope| name.strip_prefix(scope)).unwrap();
        assert!(documented.contains(&format!("`{name}`")), "docs/metrics.md does not tell of `{name}`");
    }
}

#[test]
fn a_port_of_its_own_gives_metrics_and_nothing_else() {
    let served = Served::new();
    let clock = served.clock.clone();
    let own = Server::bind_metrics("127.0.0.1:0", Arc::clone(&served.fake) as Arc<dyn Cluster>, Options::new(clock)).unwrap();
    for path in ["/", "/metrics"] {
        let answer = get(own.address(), path);
        assert_eq!(answer.status, 200);
        parse(std::str::from_utf8(&answer.body).unwrap());
    }
    assert_eq!(get(own.address(), "/jobs").status, 404);
    assert_eq!(crate::client::send(own.address(), "DELETE", "/metrics", &[], b"").status, 405);
}
