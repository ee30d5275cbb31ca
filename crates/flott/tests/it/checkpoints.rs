//! Checkpoints and savepoints of a running job, and what starts from them.

use crate::support::{
    assert_exactly_once, assert_says, await_checkpoints, cancel, checkpointed, counted, end_of, endless, env, error_of, eventually,
    numbers, pairs_in, start_from, text, try_collect,
};
use flott::{ErrorKind, JobClient, JobStatus, StreamExecutionEnvironment, config::MemorySize, connector::file::FileSink, prelude::*};
use std::path::Path;

const KEYS: u64 = 10;
const RECORDS: u64 = 3000;
/// So slow that a job of `RECORDS` does not end by itself before a test has done what it wants, and so fast that it ends at once.
const SLOW: f64 = 200.0;
const FAST: f64 = 1e6;

/// Starts the counting of numbers into the directory `out`.
fn start(env: &StreamExecutionEnvironment, rate: f64, out: &Path) -> JobClient {
    counted(&numbers(env, RECORDS, rate), KEYS).sink_to(FileSink::text(out)).uid("files");
    env.execute_async("counting").unwrap()
}

#[test]
fn checkpoints_go_on_while_the_job_runs() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    counted(&endless(&env, 10_000.0), KEYS).discard();
    let client = env.execute_async("endless").unwrap();
    await_checkpoints(&client, 5);
    let counts = client.overview().unwrap().checkpoints;
    let last = counts.last.unwrap();
    assert_eq!(counts.failed, 0);
    assert!(last.checkpoint.0 >= 5 && last.bytes > 0 && !last.savepoint && last.completed_at > 0, "{last:?}");
    assert!(Path::new(&last.location).starts_with(dir.path()), "{}", last.location);
    cancel(&client);
}

#[test]
fn a_checkpoint_can_be_asked_for_without_an_interval_and_in_memory() {
    let env = env(2);
    counted(&endless(&env, 10_000.0), KEYS).discard();
    let client = env.execute_async("endless").unwrap();
    assert_eq!(client.trigger_checkpoint().unwrap().checkpoint.0, 1);
    assert_eq!(client.trigger_checkpoint().unwrap().checkpoint.0, 2);
    assert_eq!(client.overview().unwrap().checkpoints.completed, 2);
    cancel(&client);
}

/// Stops a job and starts another one from the savepoint. How many records were visible after each.
fn stopped_and_resumed(drain: bool) -> [Vec<(u64, u64)>; 2] {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let env = checkpointed(2, &dir);
    let client = start(&env, SLOW, out.path());
    await_checkpoints(&client, 2);
    let taken = client.stop_with_savepoint(drain, Some(&text(&dir.path().join("savepoints")))).unwrap();
    assert!(Path::new(&taken.location).starts_with(dir.path().join("savepoints")));
    assert!(Path::new(&taken.location).join("_metadata").is_file());
    end_of(&client).unwrap();
    assert_eq!(client.status().unwrap(), JobStatus::Finished);
    let before = pairs_in(out.path());
    let env = checkpointed(2, &dir);
    start_from(&env, &taken.location);
    end_of(&start(&env, FAST, out.path())).unwrap();
    [before, pairs_in(out.path())]
}

#[test]
fn a_stopped_job_goes_on_from_its_savepoint_with_exact_counts() {
    let [before, all] = stopped_and_resumed(false);
    assert!((before.len() as u64) < RECORDS, "{} records are visible", before.len());
    assert_exactly_once(&all, KEYS, RECORDS);
}

#[test]
fn a_drained_job_has_shown_all_that_it_read_and_does_not_go_on() {
    let [before, all] = stopped_and_resumed(true);
    assert!(!before.is_empty() && (before.len() as u64) < RECORDS, "{} records are visible", before.len());
    assert_exactly_once_from_some_record(&before);
    assert_eq!(all, before);
}

#[test]
fn a_savepoint_is_taken_while_the_job_runs_on() {
    let (dir, out, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let env = checkpointed(2, &dir);
    env.set(&options::CHECKPOINTING_SAVEPOINT_DIR, Some(text(&dir.path().join("configured"))));
    let client = start(&env, SLOW, out.path());
    await_checkpoints(&client, 1);
    let taken = client.trigger_savepoint(None).unwrap();
    assert!(Path::new(&taken.location).starts_with(dir.path().join("configured")));
    await_checkpoints(&client, 2);
    assert_eq!(client.status().unwrap(), JobStatus::Running);
    cancel(&client);
    // The files that were in progress at the savepoint are carried over to another directory.
    let env = checkpointed(2, &dir);
    start_from(&env, &taken.location);
    end_of(&start(&env, FAST, other.path())).unwrap();
    assert_exactly_once(&pairs_in(other.path()), KEYS, RECORDS);
    assert!(Path::new(&taken.location).join("_metadata").is_file(), "a savepoint stays");
}

#[test]
fn a_savepoint_needs_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(1, &dir);
    counted(&endless(&env, 1000.0), KEYS).discard();
    let client = env.execute_async("endless").unwrap();
    let error = client.trigger_savepoint(None).unwrap_err();
    assert_says(&error.to_string(), &["no savepoint was taken", "execution.checkpointing.savepoint-dir"]);
    let error = client.stop_with_savepoint(false, None).unwrap_err();
    assert_says(&error.to_string(), &["no savepoint was taken", "execution.checkpointing.savepoint-dir"]);
    let error = client.trigger_savepoint(Some("/proc/nowhere")).unwrap_err();
    assert_says(&error.to_string(), &["no savepoint was taken", "/proc/nowhere"]);
    assert_eq!(client.status().unwrap(), JobStatus::Running, "a savepoint that fails does not fail the job");
    cancel(&client);
}

#[test]
fn latest_is_the_newest_complete_checkpoint() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Cancelled again and again, and then left to itself.
    for round in 0..4 {
        let env = checkpointed(2, &dir);
        if round > 0 {
            start_from(&env, "latest");
        }
        let client = start(&env, SLOW, out.path());
        await_checkpoints(&client, 2);
        cancel(&client);
    }
    let env = checkpointed(2, &dir);
    start_from(&env, "latest");
    end_of(&start(&env, FAST, out.path())).unwrap();
    assert_exactly_once(&pairs_in(out.path()), KEYS, RECORDS);
}

#[test]
fn latest_without_a_checkpoint_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(1, &dir);
    start_from(&env, "latest");
    let error = error_of(&numbers(&env, 10, FAST));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_says(&error.to_string(), &["there is no complete checkpoint", "execution.checkpointing.dir"]);
}

#[test]
fn a_path_that_leads_to_no_checkpoint_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(1, &dir);
    for path in [dir.path().join("nowhere"), dir.path().to_owned()] {
        // The same environment again: it is empty after an error, too.
        start_from(&env, &text(&path));
        let error = error_of(&numbers(&env, 10, FAST));
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert_says(&error.to_string(), &[&format!("`{}` is no checkpoint", path.display())]);
    }
}

/// A savepoint of a job with state.
fn savepoint(dir: &tempfile::TempDir, uid: Option<&str>) -> String {
    let env = checkpointed(2, dir);
    let counts = numbers(&env, RECORDS, SLOW).map(|n| (n % KEYS, 1u64)).key_by(|(key, _)| *key).sum(|(_, count)| count).name("total");
    match uid {
        Some(uid) => counts.uid(uid).discard(),
        None => counts.discard(),
    };
    let client = env.execute_async("counting").unwrap();
    eventually("there is state", || {
        client.figures().unwrap().iter().filter(|task| task.name.starts_with("total")).any(|task| task.task["numRecordsIn"] > 20)
    });
    let taken = client.stop_with_savepoint(false, Some(&text(dir.path()))).unwrap();
    end_of(&client).unwrap();
    taken.location
}

#[test]
fn state_without_an_operator_is_refused_unless_it_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let path = savepoint(&dir, Some("total"));
    let program = || {
        let env = checkpointed(2, &dir);
        start_from(&env, &path);
        (counted(&numbers(&env, RECORDS, FAST), KEYS), env)
    };
    let error = error_of(&program().0);
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_says(
        &error.to_string(),
        &["holds state of operator `total` (uid `total`)", "`uid`", "execution.state-recovery.ignore-unclaimed-state"],
    );
    let (stream, env) = program();
    env.set(&options::STATE_RECOVERY_IGNORE_UNCLAIMED_STATE, true);
    let counts = try_collect(&stream).unwrap();
    // The source goes on where it was, the counts begin anew.
    assert!((counts.len() as u64) < RECORDS);
    assert_exactly_once_from_some_record(&counts);
}

/// Every key is counted from 1 without a gap.
fn assert_exactly_once_from_some_record(counts: &[(u64, u64)]) {
    for key in 0..KEYS {
        let mut of: Vec<u64> = counts.iter().filter(|(k, _)| *k == key).map(|(_, count)| *count).collect();
        of.sort_unstable();
        assert_eq!(of, (1..=of.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn another_max_parallelism_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = savepoint(&dir, Some("count"));
    let env = checkpointed(2, &dir);
    env.set_max_parallelism(64);
    start_from(&env, &path);
    let error = error_of(&counted(&numbers(&env, RECORDS, FAST), KEYS));
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_says(&error.to_string(), &["operator `total` in 128 key groups", "maximum parallelism of 64", "`.max_parallelism(128)`"]);
}

#[test]
fn state_of_another_type_is_refused_with_both_types() {
    let dir = tempfile::tempdir().unwrap();
    let path = savepoint(&dir, Some("count"));
    let env = checkpointed(2, &dir);
    env.set(&options::RESTART_STRATEGY_TYPE, Some(flott::config::RestartStrategyType::None));
    start_from(&env, &path);
    let counts =
        numbers(&env, RECORDS, FAST).map(|n| (n % KEYS, 1i32)).key_by(|(key, _)| *key).sum(|(_, count)| count).name("renamed").uid("count");
    let error = error_of(&counts);
    assert_says(
        &error.to_string(),
        &[
            "operator `renamed`",
            "is stored as value state of `(u64, u64)`",
            "declares it as value state of `(u64, i32)`",
            "checkpoints.rs:",
        ],
    );
}

#[test]
fn state_without_a_uid_is_restored_while_the_program_is_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = savepoint(&dir, None);
    let program = |changed: bool, may_lose_state: bool| {
        let env = checkpointed(2, &dir);
        env.set(&options::RESTART_STRATEGY_TYPE, Some(flott::config::RestartStrategyType::None));
        env.set(&options::STATE_RECOVERY_IGNORE_UNCLAIMED_STATE, may_lose_state);
        start_from(&env, &path);
        let mut numbers = numbers(&env, RECORDS, FAST);
        if changed {
            numbers = numbers.filter(|_| true);
        }
        let pairs = numbers.map(|n| (n % KEYS, 1u64));
        try_collect(&pairs.key_by(|(key, _)| *key).sum(|(_, count)| count).name("total"))
    };
    let counts = program(false, false).unwrap();
    assert!((0..KEYS).all(|key| counts.iter().filter(|(k, _)| *k == key).map(|(_, count)| *count).max() == Some(RECORDS / KEYS)));
    let error = program(true, false).map(|counts| counts.len()).unwrap_err();
    assert_says(&error.to_string(), &["holds state", "uid", "execution.state-recovery.ignore-unclaimed-state"]);
    assert_exactly_once_from_some_record(&program(true, true).unwrap());
}

#[test]
fn the_size_of_state_decides_whether_it_is_in_the_metadata() {
    for (threshold, inline) in [(0, false), (1 << 20, true)] {
        let dir = tempfile::tempdir().unwrap();
        let env = checkpointed(2, &dir);
        env.set(&options::CHECKPOINTING_DATA_INLINE_THRESHOLD, MemorySize(threshold));
        counted(&endless(&env, 10_000.0), KEYS).discard();
        let client = env.execute_async("endless").unwrap();
        eventually("there is state", || {
            client.figures().unwrap().iter().any(|task| task.name.starts_with("count") && task.task["numRecordsIn"] > 100)
        });
        let taken = client.trigger_savepoint(Some(&text(dir.path()))).unwrap();
        cancel(&client);
        let files = std::fs::read_dir(&taken.location).unwrap().count();
        assert_eq!(files == 1, inline, "{files} files with a threshold of {threshold}");
    }
}
