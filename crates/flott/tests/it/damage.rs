//! Checkpoints whose files were damaged.

use crate::support::{
    assert_says, await_checkpoints, cancel, checkpointed, counted, end_of, eventually, numbers, restarts, start_from, text, try_collect,
};
use flott::{
    Error, ErrorKind,
    config::{MemorySize, RestartStrategyType},
    prelude::*,
    snapshots::latest_checkpoint,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

const RECORDS: u64 = 4000;
const KEYS: u64 = 10;

/// A directory with retained checkpoints, all with state files; and the folder of the newest.
fn retained() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    env.set(&options::CHECKPOINTING_DATA_INLINE_THRESHOLD, MemorySize(0));
    env.set(&options::CHECKPOINTING_NUM_RETAINED, 3);
    counted(&numbers(&env, RECORDS, 1000.0), KEYS).discard();
    let client = env.execute_async("retained").unwrap();
    await_checkpoints(&client, 6);
    cancel(&client);
    let newest = latest_checkpoint(&text(dir.path())).unwrap().unwrap();
    (dir, newest.into())
}

fn restored_from(dir: &tempfile::TempDir, path: &str) -> Result<Vec<(u64, u64)>, Error> {
    let env = checkpointed(2, dir);
    env.set(&options::RESTART_STRATEGY_TYPE, Some(RestartStrategyType::None));
    start_from(&env, path);
    try_collect(&counted(&numbers(&env, RECORDS, 1e6), KEYS))
}

/// Some state file of a checkpoint.
fn state_file(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().find(|path| path.file_name().unwrap() != "_metadata").unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path, to: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(to).unwrap();
}

type Damage = fn(&Path);

const DAMAGES: [(&str, Damage); 10] = [
    ("the first byte of the metadata flipped", |folder| flip(&folder.join("_metadata"), 0)),
    ("the version of the metadata flipped", |folder| flip(&folder.join("_metadata"), 8)),
    ("a middle byte of the metadata flipped", |folder| flip(&folder.join("_metadata"), 60)),
    ("the metadata cut short", |folder| truncate(&folder.join("_metadata"), 40)),
    ("the metadata emptied", |folder| truncate(&folder.join("_metadata"), 0)),
    ("the metadata deleted", |folder| fs::remove_file(folder.join("_metadata")).unwrap()),
    ("a byte of a state file flipped", |folder| flip(&state_file(folder), 30)),
    ("a state file cut short", |folder| truncate(&state_file(folder), 7)),
    ("a state file deleted", |folder| fs::remove_file(state_file(folder)).unwrap()),
    ("the whole folder deleted", |folder| fs::remove_dir_all(folder).unwrap()),
];

#[test]
fn latest_falls_back_to_the_checkpoint_before_a_damaged_one() {
    for (what, damage) in DAMAGES {
        let (dir, newest) = retained();
        damage(&newest);
        let counts = restored_from(&dir, "latest").unwrap_or_else(|error| panic!("{what}: {error}"));
        for key in 0..KEYS {
            let of = || counts.iter().filter(|(k, _)| *k == key).map(|(_, count)| *count);
            assert_eq!(of().max(), Some(RECORDS / KEYS), "{what}");
        }
        assert!((counts.len() as u64) < RECORDS, "{what}: the job began from the beginning");
    }
}

#[test]
fn a_damaged_checkpoint_is_refused_by_name_before_anything_runs() {
    for (what, damage) in DAMAGES {
        let (dir, newest) = retained();
        damage(&newest);
        let error = restored_from(&dir, &text(&newest)).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Invalid), "{what}: {:?}", error.kind());
        assert_says(&message, &[&text(&newest)]);
        assert!(!message.contains("subtask"), "{what}: found by a task: {message}");
    }
}

#[test]
fn a_damage_is_named_with_its_file_and_a_remedy() {
    let (dir, newest) = retained();
    let file = state_file(&newest);
    flip(&file, 30);
    assert_says(
        &restored_from(&dir, &text(&newest)).unwrap_err().to_string(),
        &[&text(&file), "is damaged", "restore an older checkpoint"],
    );
    fs::remove_file(&file).unwrap();
    assert_says(&restored_from(&dir, &text(&newest)).unwrap_err().to_string(), &[&text(&file), "is missing"]);
}

#[test]
fn every_flipped_bit_of_the_metadata_is_noticed() {
    let (dir, newest) = retained();
    let metadata = newest.join("_metadata");
    let sound = fs::read(&metadata).unwrap();
    for at in (0..sound.len()).step_by(sound.len() / 40 + 1) {
        flip(&metadata, at);
        assert!(restored_from(&dir, &text(&newest)).is_err(), "byte {at}");
        fs::write(&metadata, &sound).unwrap();
    }
    assert!(restored_from(&dir, &text(&newest)).is_ok());
}

#[test]
fn when_every_checkpoint_is_damaged_latest_says_so() {
    let (dir, newest) = retained();
    for entry in fs::read_dir(newest.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            flip(&path.join("_metadata"), 50);
        }
    }
    let error = restored_from(&dir, "latest").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_says(&error.to_string(), &["no checkpoint under the checkpoint directory can be read", "_metadata", "is damaged"]);
}

#[test]
fn a_damaged_register_is_no_silent_start_from_the_beginning() {
    let (dir, newest) = retained();
    let job = newest.parent().unwrap();
    let mut versions = fs::read_dir(job).unwrap().map(|entry| entry.unwrap().path());
    let register = versions.find(|path| text(path).contains("_completed.")).unwrap();
    flip(&register, 30);
    assert_says(&restored_from(&dir, "latest").unwrap_err().to_string(), &["_completed", "is damaged"]);
    // By its path it can still be had.
    let other = tempfile::tempdir().unwrap();
    assert!(restored_from(&other, &text(&newest)).is_ok());
}

#[test]
fn a_failover_to_a_damaged_checkpoint_ends_the_job_and_latest_goes_on_from_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let env = checkpointed(2, &dir);
    // Those that are asked for, no others.
    env.enable_checkpointing(Duration::from_secs(3600));
    env.set(&options::CHECKPOINTING_DATA_INLINE_THRESHOLD, MemorySize(0));
    restarts(&env, 10);
    let fails = Arc::new(AtomicBool::new(false));
    let asked = fails.clone();
    let stream = numbers(&env, RECORDS, 1000.0)
        .try_map(move |number| if asked.swap(false, Ordering::SeqCst) { Err("told to fail".into()) } else { Ok(number) });
    counted(&stream, KEYS).discard();
    let client = env.execute_async("damaged while it runs").unwrap();
    let counting = || client.figures().unwrap().iter().any(|task| task.name.starts_with("count") && task.task["numRecordsIn"] > 100);
    eventually("records are counted", counting);
    client.trigger_checkpoint().unwrap();
    client.trigger_checkpoint().unwrap();
    let newest = latest_checkpoint(&text(dir.path())).unwrap().unwrap();
    let file = state_file(Path::new(&newest));
    flip(&file, 30);
    fails.store(true, Ordering::SeqCst);
    let error = end_of(&client).unwrap_err().to_string();
    assert_says(&error, &["operator `count`", &newest, "cannot be restarted from it", "path: latest", &text(&file), "is damaged"]);
    assert_eq!(client.overview().unwrap().restarts, 1);
    let counts = restored_from(&dir, "latest").unwrap();
    assert!((counts.len() as u64) < RECORDS, "the job began from the beginning");
}
