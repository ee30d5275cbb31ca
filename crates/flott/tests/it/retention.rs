//! What stays of checkpoints and savepoints, and whose they are.

use crate::support::{
    assert_says, await_checkpoints, cancel, checkpointed, counted, end_of, endless, error_of, eventually, numbers, start_from, text,
};
use flott::{
    config::{CheckpointRetention, ClaimMode},
    prelude::*,
    snapshots::latest_checkpoint,
};
use std::path::{Path, PathBuf};

/// The folders of checkpoints below a checkpoint directory.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let Ok(jobs) = std::fs::read_dir(dir) else { return Vec::new() };
    let folders = jobs.flat_map(|job| std::fs::read_dir(job.unwrap().path()).into_iter().flatten());
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Runs a job with this retention to an end by `end` and says whether a checkpoint is left.
fn left(retention: Option<CheckpointRetention>, end: impl Fn(&JobClient)) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    env.set(&options::RESTART_STRATEGY_TYPE, Some(flott::config::RestartStrategyType::None));
    if let Some(retention) = retention {
        env.set(&options::CHECKPOINTING_EXTERNALIZED_CHECKPOINT_RETENTION, retention);
    }
    counted(&numbers(&env, 1_000_000, 5000.0).map(|n| if n == 2000 { n / (n - 2000) } else { n }), 10).discard();
    let client = env.execute_async("retained").unwrap();
    await_checkpoints(&client, 2);
    end(&client);
    let latest = latest_checkpoint(&text(dir.path())).unwrap();
    assert_eq!(latest.is_none(), folders(dir.path()).is_empty(), "{latest:?}, but there is {:?}", folders(dir.path()));
    latest.is_some()
}

#[test]
fn retention_decides_what_stays_after_cancellation_and_failure() {
    let fail = |client: &JobClient| assert_says(&end_of(client).unwrap_err().to_string(), &["divide by zero"]);
    assert!(left(None, cancel), "by default checkpoints stay");
    assert!(left(None, fail));
    assert!(left(Some(CheckpointRetention::RetainOnCancellation), cancel));
    assert!(!left(Some(CheckpointRetention::DeleteOnCancellation), cancel));
    assert!(left(Some(CheckpointRetention::DeleteOnCancellation), fail));
    assert!(!left(Some(CheckpointRetention::NoExternalizedCheckpoints), cancel));
    assert!(!left(Some(CheckpointRetention::NoExternalizedCheckpoints), fail));
}

#[test]
fn a_job_that_comes_to_its_end_leaves_no_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    counted(&numbers(&env, 1000, 5000.0), 10).discard();
    assert!(env.execute("finished").unwrap().checkpoints.completed > 0);
    assert_eq!(folders(dir.path()), [] as [PathBuf; 0]);
    assert_eq!(latest_checkpoint(&text(dir.path())).unwrap(), None);
}

#[test]
fn as_many_checkpoints_are_kept_as_the_option_says() {
    for kept in [1, 3] {
        let dir = tempfile::tempdir().unwrap();
        let env = checkpointed(2, &dir);
        env.set(&options::CHECKPOINTING_NUM_RETAINED, kept);
        counted(&endless(&env, 5000.0), 10).discard();
        let client = env.execute_async("retained").unwrap();
        await_checkpoints(&client, 6);
        cancel(&client);
        assert_eq!(folders(dir.path()).len(), kept as usize);
    }
}

/// A savepoint of a job that has ended with it.
fn savepoint(dir: &Path) -> String {
    let checkpoints = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &checkpoints);
    counted(&numbers(&env, 1_000_000, 1000.0), 10).discard();
    let client = env.execute_async("saved").unwrap();
    let taken = client.stop_with_savepoint(false, Some(&text(dir))).unwrap();
    end_of(&client).unwrap();
    taken.location
}

fn started_from(path: &str, claim: ClaimMode, dir: &tempfile::TempDir) -> JobClient {
    let env = checkpointed(2, dir);
    start_from(&env, path);
    env.set(&options::STATE_RECOVERY_CLAIM_MODE, claim);
    counted(&numbers(&env, 1_000_000, 1000.0), 10).discard();
    env.execute_async("restored").unwrap()
}

#[test]
fn a_savepoint_that_is_not_claimed_stays_and_can_be_used_again() {
    let (dir, checkpoints) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = savepoint(dir.path());
    for _ in 0..2 {
        let client = started_from(&path, ClaimMode::NoClaim, &checkpoints);
        await_checkpoints(&client, 4);
        cancel(&client);
        assert!(Path::new(&path).join("_metadata").is_file());
    }
}

#[test]
fn a_savepoint_that_is_claimed_goes_when_newer_checkpoints_have_taken_its_place() {
    let (dir, checkpoints) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = savepoint(dir.path());
    let client = started_from(&path, ClaimMode::Claim, &checkpoints);
    await_checkpoints(&client, 4);
    eventually("the savepoint is gone", || !Path::new(&path).exists());
    cancel(&client);
    let env = checkpointed(2, &checkpoints);
    start_from(&env, &path);
    assert_says(&error_of(&numbers(&env, 10, 1e6)).to_string(), &[&path, "is no checkpoint"]);
}

#[test]
fn a_checkpoint_that_one_job_has_claimed_is_refused_to_another() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    let program = || counted(&numbers(&env, 1_000_000, 1000.0), 10).discard();
    program();
    let client = env.execute_async("retained").unwrap();
    await_checkpoints(&client, 2);
    cancel(&client);
    let path = latest_checkpoint(&text(dir.path())).unwrap().unwrap();
    env.set(&options::CHECKPOINTING_INTERVAL, None);
    start_from(&env, &path);
    env.set(&options::STATE_RECOVERY_CLAIM_MODE, ClaimMode::Claim);
    program();
    let first = env.execute_async("first").unwrap();
    program();
    let error = env.execute_async("second").unwrap_err();
    assert_says(&error.to_string(), &[&path, "was claimed by job", &first.job_id().to_string(), "without claiming"]);
    cancel(&first);
}

#[test]
fn a_retained_checkpoint_can_be_claimed_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    counted(&numbers(&env, 1_000_000, 1000.0), 10).discard();
    let client = env.execute_async("first").unwrap();
    await_checkpoints(&client, 3);
    cancel(&client);
    let first = latest_checkpoint(&text(dir.path())).unwrap().unwrap();
    let client = started_from("latest", ClaimMode::Claim, &dir);
    await_checkpoints(&client, 4);
    eventually("the claimed checkpoint is gone", || !Path::new(&first).exists());
    cancel(&client);
    assert!(latest_checkpoint(&text(dir.path())).unwrap().is_some_and(|latest| latest != first));
}
