//! What becomes of a change that ends anywhere: by an error, or because the process dies.

use super::*;
use crate::testing::written;
use std::sync::atomic::AtomicUsize;

const STEPS: [Step; 9] = [
    Step::CreateTemporary,
    Step::WriteTemporary,
    Step::SyncTemporary,
    Step::Lock,
    Step::Prepare,
    Step::Compare,
    Step::Replace,
    Step::SyncFolder,
    Step::Remove,
];

fn key() -> Key {
    Key::new("a/b").unwrap()
}

/// A store whose changes fail at `step`.
fn failing(directory: &Path, step: Step) -> FileStore {
    let faults = move |now: Step| if now == step { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) };
    let inner = Inner { directory: directory.to_owned(), opened: random_u128(), writes: AtomicU64::new(0), faults: Some(Box::new(faults)) };
    FileStore { inner: Arc::new(inner) }
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn a_write_that_fails_says_truly_whether_it_was_done_and_leaves_nothing_behind() {
    for step in STEPS {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::open(directory.path()).unwrap();
        let before = written(store.write(&key(), b"before", &Expected::Absent));
        let result = failing(directory.path(), step).write(&key(), b"after", &Expected::Version(before));
        let found = store.read(&key()).unwrap().unwrap().bytes;
        match result {
            Ok(WriteOutcome::Written(_)) => assert!(step == Step::Remove && found == b"after"),
            Ok(WriteOutcome::Conflict) => panic!("nobody else writes"),
            Err(StoreError::Unknown { .. }) => assert!(step == Step::SyncFolder && found == b"after"),
            Err(error) => assert!(found == b"before", "{step:?}: {error}"),
        }
        assert_eq!(files(&directory.path().join("a")), ["b.value"], "{step:?}");
        // Nobody is locked out by it.
        let version = store.read(&key()).unwrap().unwrap().version;
        written(store.write(&key(), b"next", &Expected::Version(version)));
    }
}

#[test]
fn a_removal_that_fails_says_truly_whether_it_was_done() {
    for step in [Step::Lock, Step::Compare, Step::Remove, Step::SyncFolder] {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::open(directory.path()).unwrap();
        let version = written(store.write(&key(), b"x", &Expected::Absent));
        let error = failing(directory.path(), step).remove(&key(), &version).unwrap_err();
        assert_eq!(error.is_unknown(), step == Step::SyncFolder, "{step:?}");
        assert_eq!(store.read(&key()).unwrap().is_none(), step == Step::SyncFolder);
    }
}

#[test]
fn what_a_killed_writer_leaves_is_no_value_and_is_removed_when_the_store_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path()).unwrap();
    written(store.write(&key(), b"x", &Expected::Absent));
    let left = directory.path().join("a/b.00ff-1-new.tmp");
    fs::write(&left, b"FLOTTcoo").unwrap();
    assert_eq!(store.list(&Key::new("a").unwrap()).unwrap(), [key()]);
    // It may still be at work.
    FileStore::open(directory.path()).unwrap();
    assert!(left.exists());
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&left).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(FileStore::open(directory.path()).unwrap().read(&key()).unwrap().unwrap().bytes, b"x");
    assert!(!left.exists());
}

#[test]
fn a_damaged_file_is_reported_with_its_path_and_never_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path()).unwrap();
    let version = written(store.write(&key(), b"x", &Expected::Absent));
    let path = directory.path().join("a/b.value");
    let whole = fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() - 3], b"", &[&whole[..], b"x"].concat()] {
        fs::write(&path, damaged).unwrap();
        for error in [
            store.read(&key()).unwrap_err(),
            store.write(&key(), b"y", &Expected::Version(version.clone())).unwrap_err(),
            store.write(&key(), b"y", &Expected::Absent).unwrap_err(),
            store.remove(&key(), &version).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains("a/b.value"), "{error}");
        }
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(store.read(&key()).unwrap().unwrap().bytes, b"x");
}

#[test]
fn a_lock_that_is_never_let_go_is_an_error_of_writers_and_no_matter_to_readers() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path()).unwrap();
    let version = written(store.write(&key(), b"x", &Expected::Absent));
    let held = lock(&directory.path().join(".a.lock")).unwrap();
    assert_eq!(store.read(&key()).unwrap().unwrap().bytes, b"x");
    let error = store.write(&key(), b"y", &Expected::Version(version.clone())).unwrap_err();
    assert!(!error.is_unknown() && std::error::Error::source(&error).unwrap().to_string().contains(".a.lock"), "{error}");
    // Other first segments have other locks.
    written(store.write(&Key::new("c").unwrap(), b"z", &Expected::Absent));
    drop(held);
    written(store.write(&key(), b"y", &Expected::Version(version)));
}

#[test]
fn a_directory_that_cannot_be_used_is_refused_when_the_store_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = FileStore::open(file.join("below")).unwrap_err();
    assert!(error.to_string().contains("high-availability.storageDir"), "{error}");
}

#[test]
fn values_in_folders_that_come_and_go_are_not_lost() {
    let directory = tempfile::tempdir().unwrap();
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for name in ["a/x", "a/y", "a/z"] {
            let (store, done) = (FileStore::open(directory.path()).unwrap(), &done);
            scope.spawn(move || {
                let key = Key::new(name).unwrap();
                for _ in 0..30 {
                    let version = written(store.write(&key, b"", &Expected::Absent));
                    assert_eq!(store.remove(&key, &version).unwrap(), RemoveOutcome::Removed);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(done.into_inner(), 90);
}
