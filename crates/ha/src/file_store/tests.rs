//! What becomes of a change that ends anywhere, by an error or because the process dies, or that is stopped anywhere.

use super::*;
use crate::testing::written;
use std::sync::{Mutex, atomic::AtomicUsize};

const STEPS: [Step; 9] = [
    Step::Find,
    Step::CreateTemporary,
    Step::WriteTemporary,
    Step::SyncTemporary,
    Step::Publish,
    Step::Verify,
    Step::SyncFolder,
    Step::CleanUp,
    Step::Bury,
];

fn key() -> Key {
    Key::new("a/b").unwrap()
}

fn with_hook(directory: &Path, hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) -> FileStore {
    let inner = Inner { directory: directory.to_owned(), opened: random_u128(), writes: AtomicU64::new(0), faults: Some(Box::new(hook)) };
    FileStore { inner: Arc::new(inner) }
}

/// A store whose changes fail at `step`.
fn failing(directory: &Path, step: Step) -> FileStore {
    with_hook(directory, move |now| if now == step { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) })
}

/// A store whose first change stops at `step` until `meanwhile` is done.
fn stopping(directory: &Path, step: Step, meanwhile: impl FnOnce() + Send + 'static) -> FileStore {
    let meanwhile = Mutex::new(Some(meanwhile));
    with_hook(directory, move |now| {
        if now == step
            && let Some(meanwhile) = meanwhile.lock().unwrap().take()
        {
            meanwhile();
        }
        Ok(())
    })
}

/// The files below a folder whose names do not begin with a point, and how many begin with one.
fn files(folder: &Path) -> (Vec<String>, usize) {
    let (mut names, mut hidden) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') {
            hidden += 1;
        } else if entry.path().is_dir() {
            let (below, more) = files(&entry.path());
            names.extend(below);
            hidden += more;
        } else {
            names.push(name);
        }
    }
    names.sort();
    (names, hidden)
}

/// The file of the value of the key.
fn value_file(directory: &Path) -> PathBuf {
    let found = chain::find(&directory.join("a/b.value")).unwrap().unwrap();
    found.chain.join(found.number.to_string())
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
            Ok(WriteOutcome::Written(_)) => assert!(matches!(step, Step::CleanUp | Step::Bury) && found == b"after"),
            Ok(WriteOutcome::Conflict) => panic!("nobody else writes"),
            Err(StoreError::Unknown { .. }) => assert!(matches!(step, Step::Verify | Step::SyncFolder) && found == b"after", "{step:?}"),
            Err(error) => assert!(found == b"before", "{step:?}: {error}"),
        }
        let left = files(directory.path());
        let superseded = matches!(step, Step::Verify | Step::SyncFolder | Step::CleanUp);
        assert_eq!((left.0.len(), left.1), (1 + usize::from(superseded), 0), "{step:?}: {left:?}");
        // Nobody is locked out by it, and what it left goes.
        let version = store.read(&key()).unwrap().unwrap().version;
        written(store.write(&key(), b"next", &Expected::Version(version)));
        assert_eq!(files(directory.path()).0.len(), 1);
    }
}

#[test]
fn a_first_write_that_fails_says_truly_whether_it_was_done_and_leaves_nothing_behind() {
    for step in STEPS {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::open(directory.path()).unwrap();
        let result = failing(directory.path(), step).write(&key(), b"first", &Expected::Absent);
        let found = store.read(&key()).unwrap();
        match result {
            Ok(outcome) => assert!(outcome != WriteOutcome::Conflict && found.is_some(), "{step:?}"),
            Err(error) => {
                assert!(error.is_unknown() == found.is_some() && (step == Step::SyncFolder) == found.is_some(), "{step:?}: {error}")
            }
        }
        assert_eq!(files(directory.path()).1, 0, "{step:?}");
        if found.is_none() {
            written(store.write(&key(), b"next", &Expected::Absent));
        }
    }
}

#[test]
fn a_removal_that_fails_says_truly_whether_it_was_done() {
    for step in STEPS {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::open(directory.path()).unwrap();
        let version = written(store.write(&key(), b"x", &Expected::Absent));
        let result = failing(directory.path(), step).remove(&key(), &version);
        let is_gone = store.read(&key()).unwrap().is_none();
        match result {
            Ok(outcome) => assert!(outcome == RemoveOutcome::Removed && is_gone && matches!(step, Step::CleanUp | Step::Bury)),
            Err(error) => assert!(error.is_unknown() == is_gone && is_gone == matches!(step, Step::Verify | Step::SyncFolder), "{step:?}"),
        }
        assert_eq!(store.list(&Key::new("a").unwrap()).unwrap().is_empty(), is_gone);
        // Whatever is left of it, another value can be made.
        if is_gone {
            let version = written(store.write(&key(), b"y", &Expected::Absent));
            assert_eq!(store.remove(&key(), &version).unwrap(), RemoveOutcome::Removed);
            assert_eq!(files(directory.path()), (vec![], 0));
            assert!(!directory.path().join("a").exists());
        }
    }
}

#[test]
fn a_writer_that_is_stopped_anywhere_keeps_nobody_from_writing_and_knows_what_became_of_its_write() {
    for (step, writes) in STEPS.into_iter().flat_map(|step| [0, 1, 2, 5, 100].map(|writes| (step, writes))) {
        let directory = tempfile::tempdir().unwrap();
        let store = FileStore::open(directory.path()).unwrap();
        let version = written(store.write(&key(), b"before", &Expected::Absent));
        let (other, seen) = (store.clone(), Arc::new(Mutex::new(None)));
        let saw = seen.clone();
        let stopped = stopping(directory.path(), step, move || {
            *saw.lock().unwrap() = other.read(&key()).unwrap().map(|found| found.bytes);
            for _ in 0..writes {
                let version = other.read(&key()).unwrap().unwrap().version;
                written(other.write(&key(), b"other", &Expected::Version(version)));
            }
        });
        let result = stopped.write(&key(), b"stopped", &Expected::Version(version));
        let found = store.read(&key()).unwrap().unwrap().bytes;
        let was_visible = *seen.lock().unwrap() == Some(b"stopped".to_vec());
        match result {
            Ok(WriteOutcome::Written(_)) => assert!(was_visible || writes == 0 || step == Step::Bury, "{step:?} {writes}"),
            Ok(WriteOutcome::Conflict) => assert!(!was_visible && writes > 0, "{step:?} {writes}"),
            Err(error) => assert!(error.is_unknown() && writes == 100, "{step:?} {writes}: {error:?}"),
        }
        assert!(if writes == 0 || step == Step::Bury { found == b"stopped" } else { found == b"other" }, "{step:?} {writes}: {found:?}");
        let version = store.read(&key()).unwrap().unwrap().version;
        written(store.write(&key(), b"next", &Expected::Version(version)));
        assert_eq!((files(directory.path()).0.len(), files(directory.path()).1), (1, 0), "{step:?} {writes}");
    }
}

#[test]
fn a_writer_that_is_stopped_anywhere_does_not_bring_back_a_value_that_was_removed() {
    for (step, again) in STEPS.into_iter().flat_map(|step| [false, true].map(|again| (step, again))) {
        for remove in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let store = FileStore::open(directory.path()).unwrap();
            let version = written(store.write(&key(), b"before", &Expected::Absent));
            let other = store.clone();
            let stopped = stopping(directory.path(), step, move || {
                if let Some(found) = other.read(&key()).unwrap() {
                    assert_eq!(other.remove(&key(), &found.version).unwrap(), RemoveOutcome::Removed);
                }
                if again {
                    written(other.write(&key(), b"again", &Expected::Absent));
                }
            });
            // Whatever it says: it was before the removal, or not at all.
            let result = if remove {
                stopped.remove(&key(), &version).map(|_| ())
            } else {
                stopped.write(&key(), b"stopped", &Expected::Version(version)).map(|_| ())
            };
            assert!(result.is_ok() || result.unwrap_err().is_unknown(), "{step:?}");
            if step == Step::Bury && !remove {
                continue;
            }
            let found = store.read(&key()).unwrap().map(|found| found.bytes);
            assert_eq!(found, again.then(|| b"again".to_vec()), "{step:?}, removes: {remove}");
            assert_eq!(files(directory.path()).1, 0, "{step:?}");
        }
    }
}

#[test]
fn of_two_that_make_a_value_where_there_is_none_one_does_wherever_the_other_is_stopped() {
    for step in STEPS {
        let directory = tempfile::tempdir().unwrap();
        let other = FileStore::open(directory.path()).unwrap();
        let outcome = Arc::new(Mutex::new(None));
        let (store, of_other) = (other.clone(), outcome.clone());
        let stopped = stopping(directory.path(), step, move || {
            *of_other.lock().unwrap() = Some(other.write(&key(), b"other", &Expected::Absent).unwrap());
        });
        let own = stopped.write(&key(), b"stopped", &Expected::Absent).unwrap();
        let found = store.read(&key()).unwrap().unwrap();
        let other = outcome.lock().unwrap().take();
        match (own, other) {
            (WriteOutcome::Written(version), None | Some(WriteOutcome::Conflict)) => assert_eq!(found.version, version),
            (WriteOutcome::Conflict, Some(WriteOutcome::Written(version))) => assert_eq!(found.version, version),
            outcomes => panic!("{step:?}: {outcomes:?}"),
        }
    }
}

#[test]
fn what_a_killed_writer_leaves_is_no_value_and_is_removed_when_the_store_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path()).unwrap();
    written(store.write(&key(), b"x", &Expected::Absent));
    let chain = value_file(directory.path()).parent().unwrap().to_owned();
    let left = [chain.join("00ff-1.tmp"), directory.path().join(".00ff-2.tmp"), directory.path().join("a/.00ff-3.tmp")];
    fs::write(&left[0], b"FLOTTcoo").unwrap();
    fs::create_dir_all(left[1].join("00ff-2")).unwrap();
    fs::write(&left[2], b"").unwrap();
    assert_eq!(store.list(&Key::new("a").unwrap()).unwrap(), [key()]);
    // They may still be at work.
    FileStore::open(directory.path()).unwrap();
    assert!(left.iter().all(|left| left.exists()));
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
    for left in &left {
        fs::File::open(left).unwrap().set_modified(long_ago).unwrap();
    }
    assert_eq!(FileStore::open(directory.path()).unwrap().read(&key()).unwrap().unwrap().bytes, b"x");
    assert!(!left.iter().any(|left| left.exists()));
}

#[test]
fn a_damaged_file_is_reported_with_its_path_and_never_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path()).unwrap();
    let version = written(store.write(&key(), b"x", &Expected::Absent));
    let path = value_file(directory.path());
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
