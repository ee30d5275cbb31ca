//! A job that is started again after a failure has the results of one that never failed.

use crate::support::{
    DEADLINE, assert_exactly_once, assert_says, checkpointed, collect, counted, end_of, env, error_of, numbers, pairs_in, restarts,
};
use flott::{
    DataStream, JobStatus, StreamExecutionEnvironment,
    config::{CheckpointingMode, RestartStrategyType},
    connector::file::FileSink,
    prelude::*,
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
};

const RECORDS: u64 = 3000;

/// Passes records on; the first time that it sees `at` it fails, by `how`.
fn fails_once(stream: &DataStream<u64>, at: u64, panics: bool) -> (DataStream<u64>, Arc<AtomicBool>) {
    let failed = Arc::new(AtomicBool::new(false));
    let seen = failed.clone();
    let stream = stream.try_map(move |n| match n == at && !seen.swap(true, SeqCst) {
        true if panics => panic!("once at {n}"),
        true => Err(format!("once at {n}").into()),
        false => Ok(n),
    });
    (stream, failed)
}

#[test]
fn results_are_exactly_once_after_a_failure_before_behind_and_at_the_state() {
    for (parallelism, panics) in [(1, true), (2, false), (3, true)] {
        let dir = tempfile::tempdir().unwrap();
        let env = checkpointed(parallelism, &dir);
        restarts(&env, 5);
        let (before, failed_before) = fails_once(&numbers(&env, RECORDS, 10_000.0), 1000, panics);
        let counts = counted(&before, 10).map(|(key, n)| key + n * 10);
        let (behind, failed_behind) = fails_once(&counts, 2005, panics);
        let results = collect(&behind.rebalance().map(|n| (n % 10, n / 10)));
        assert!(failed_before.load(SeqCst) && failed_behind.load(SeqCst));
        assert_exactly_once(&results, 10, RECORDS);
    }
}

#[test]
fn files_are_exactly_once_after_failures() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let env = checkpointed(2, &dir);
    restarts(&env, 5);
    let (stream, _) = fails_once(&numbers(&env, RECORDS, 10_000.0), 900, false);
    let (stream, _) = fails_once(&stream, 1900, true);
    let (stream, _) = fails_once(&stream, 2999, true);
    counted(&stream, 10).sink_to(FileSink::text(out.path()).part_bytes(2000));
    let result = end_of(&env.execute_async("files").unwrap()).unwrap();
    assert_eq!(result.restarts, 3);
    assert_exactly_once(&pairs_in(out.path()), 10, RECORDS);
}

#[test]
fn without_checkpoints_a_restart_begins_from_the_beginning() {
    let env = env(2);
    restarts(&env, 1);
    let (stream, failed) = fails_once(&numbers(&env, RECORDS, 1e6), 2500, true);
    let results = collect(&counted(&stream, 10));
    assert!(failed.load(SeqCst));
    assert_exactly_once(&results, 10, RECORDS);
}

#[test]
fn at_least_once_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(3, &dir);
    env.set(&options::CHECKPOINTING_MODE, CheckpointingMode::AtLeastOnce);
    restarts(&env, 1);
    let (stream, _) = fails_once(&numbers(&env, RECORDS, 10_000.0), 2000, false);
    let results = collect(&counted(&stream.rebalance(), 10));
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    results.iter().for_each(|(key, count)| _ = last.entry(*key).and_modify(|last| *last = (*last).max(*count)).or_insert(*count));
    assert!(last.len() == 10 && last.values().all(|count| *count >= RECORDS / 10), "{last:?}");
}

#[test]
fn attempts_that_are_used_up_fail_the_job_with_the_last_cause() {
    let env = env(1);
    restarts(&env, 2);
    let attempts = Arc::new(AtomicU32::new(0));
    let counting = attempts.clone();
    let stream = env.from_sequence(1, 10).try_map(move |n| -> Result<i64, flott::BoxError> {
        if n == 5 { Err(format!("failure number {}", counting.fetch_add(1, SeqCst) + 1).into()) } else { Ok(n) }
    });
    stream.name("always").discard();
    let client = env.execute_async("test").unwrap();
    let message = end_of(&client).unwrap_err().to_string();
    assert_says(&message, &["operator `always`, subtask 1 of 1 (attempt 3) failed", "failure number 3"]);
    assert_eq!(attempts.load(SeqCst), 3);
    let overview = client.overview().unwrap();
    assert_eq!((overview.status, overview.restarts, overview.failures.len()), (JobStatus::Failed, 2, 3));
}

#[test]
fn with_checkpoints_a_job_restarts_even_if_the_configuration_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(1, &dir);
    env.set(&options::RESTART_EXPONENTIAL_INITIAL_BACKOFF, Duration::from_millis(1));
    let (stream, failed) = fails_once(&numbers(&env, RECORDS, 20_000.0), 1000, true);
    assert_exactly_once(&collect(&counted(&stream, 10)), 10, RECORDS);
    assert!(failed.load(SeqCst));
}

#[test]
fn restarts_can_be_turned_off_although_there_are_checkpoints() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(1, &dir);
    env.set(&options::RESTART_STRATEGY_TYPE, Some(RestartStrategyType::None));
    let (stream, _) = fails_once(&numbers(&env, RECORDS, 20_000.0), 1000, true);
    assert_says(&error_of(&stream).to_string(), &["once at 1000", "(attempt 1)"]);
}

#[test]
fn too_many_failures_in_an_interval_fail_the_job() {
    let env = env(1);
    env.set(&options::RESTART_STRATEGY_TYPE, Some(RestartStrategyType::FailureRate));
    env.set(&options::RESTART_FAILURE_RATE_MAX_FAILURES, 3);
    env.set(&options::RESTART_FAILURE_RATE_INTERVAL, DEADLINE);
    env.set(&options::RESTART_FAILURE_RATE_DELAY, Duration::ZERO);
    env.from_sequence(1, 10).map(|n: i64| -> i64 { panic!("always, at {n}") }).discard();
    let client = env.execute_async("test").unwrap();
    assert_says(&end_of(&client).unwrap_err().to_string(), &["always", "(attempt 4)"]);
    assert_eq!(client.overview().unwrap().restarts, 3);
}

#[test]
fn a_job_that_waits_to_be_restarted_can_be_cancelled() {
    let env: StreamExecutionEnvironment = env(1);
    restarts(&env, 1000);
    env.set(&options::RESTART_FIXED_DELAY_DELAY, Duration::from_secs(3600));
    env.from_sequence(1, 10).map(|n: i64| -> i64 { panic!("always, at {n}") }).discard();
    let client = env.execute_async("test").unwrap();
    crate::support::eventually("the job waits", || client.status().unwrap() == JobStatus::Restarting);
    crate::support::cancel(&client);
}

#[test]
fn a_job_that_fails_again_and_again_still_comes_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    restarts(&env, 1000);
    let (calls, failures) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let counting = failures.clone();
    let stream = numbers(&env, RECORDS, 20_000.0).try_map(move |n| {
        // Every so often, until it has failed fifteen times.
        let fails = calls.fetch_add(1, SeqCst) % 400 == 399 && counting.load(SeqCst) < 15;
        if fails { Err(format!("failure {}", counting.fetch_add(1, SeqCst)).into()) } else { Ok(n) }
    });
    let results = collect(&counted(&stream, 10));
    assert!(failures.load(SeqCst) >= 5, "{failures:?}");
    assert_exactly_once(&results, 10, RECORDS);
}
