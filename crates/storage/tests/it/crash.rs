//! Failures and crashes at every single file operation.
//!
//! Each scenario runs again and again, with the first, second, … operation going wrong, until one run gets through. What
//! follows is checked against what a recovery may rely on.

use crate::support::{JOB, OTHER_JOB, Place, complete_and_sound, pending, read_all, take, take_of};
use flott_core::id::CheckpointId;
use flott_storage::{
    CheckpointDirectory, CheckpointStorage, FileStorage, SnapshotKind, SnapshotTarget, StorageError,
    files::{Fault, FileSystem, MemoryFiles, Operation},
};
use std::{
    io::ErrorKind,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    /// It alone fails.
    Fails(Fault),
    /// The process dies at it, or right after it.
    Dies { done: bool },
    /// The machine loses power at it, or right after it.
    PowerFails { done: bool },
}

const TROUBLES: [Trouble; 7] = [
    Trouble::Fails(Fault::Fail(ErrorKind::StorageFull)),
    Trouble::Fails(Fault::Half(ErrorKind::StorageFull)),
    Trouble::Fails(Fault::Lost(ErrorKind::TimedOut)),
    Trouble::Dies { done: false },
    Trouble::Dies { done: true },
    Trouble::PowerFails { done: false },
    Trouble::PowerFails { done: true },
];

impl Trouble {
    /// A hook that makes it happen at operation number `step`, and the count of operations.
    fn hook(self, step: usize) -> (impl Fn(Operation, &Path) -> Fault + Send + Sync + 'static, Arc<AtomicUsize>) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let hook = move |_: Operation, _: &Path| {
            let now = counted.fetch_add(1, Ordering::Relaxed);
            let first = |done| if done { Fault::Lost(ErrorKind::Other) } else { Fault::Half(ErrorKind::Other) };
            match self {
                Trouble::Fails(fault) if now == step => fault,
                Trouble::Dies { done } | Trouble::PowerFails { done } if now == step => first(done),
                Trouble::Dies { .. } | Trouble::PowerFails { .. } if now > step => Fault::Fail(ErrorKind::Other),
                _ => Fault::None,
            }
        };
        (hook, count)
    }
}

/// Runs `scenario` with every trouble at every step, from the state that `prepare` makes. `check` gets the result, after the
/// process was started again.
fn at_every_step<T>(
    prepare: impl Fn(&Place),
    scenario: impl Fn(&Place, &CheckpointDirectory) -> Result<T, StorageError>,
    check: impl Fn(&Place, Trouble, Result<T, StorageError>),
) {
    for trouble in TROUBLES {
        for disk in [false, true] {
            // A real disk waits for every sync, so that it gets a sample.
            if disk && !matches!(trouble, Trouble::Fails(Fault::Lost(_)) | Trouble::Dies { done: false }) {
                continue;
            }
            let stride = if disk { 7 } else { 1 };
            let mut step = 0;
            loop {
                let files = MemoryFiles::new();
                let place = if disk { Place::disk() } else { Place::memory(&files) };
                prepare(&place);
                let (hook, count) = trouble.hook(step);
                let result = scenario(&place, &place.with_faults(hook));
                if let Trouble::PowerFails { .. } = trouble {
                    files.power_failure();
                }
                let done = count.load(Ordering::Relaxed) <= step;
                println!(
                    "{trouble:?} on {} at step {step}: {}",
                    place.name,
                    result.as_ref().map_or_else(ToString::to_string, |_| "ok".into())
                );
                check(&place, trouble, result);
                if done {
                    assert!(step > 5, "the scenario did too little to show anything");
                    println!("{step} steps");
                    break;
                }
                step += stride;
            }
        }
    }
}

/// What a new term does; it must get through whatever happened. Returns the numbers it found.
fn recover(place: &Place) -> Vec<u64> {
    let storage = place.storage();
    let epoch = storage.next_epoch().unwrap();
    let next = storage.begin_term(epoch).unwrap().0;
    let found = complete_and_sound(&storage);
    take(&storage, epoch, next).unwrap();
    assert_eq!(complete_and_sound(&storage)[0], next);
    let removal = storage.retain(epoch, 1).unwrap();
    assert!(removal.failed.is_empty(), "{removal:?}");
    assert!(storage.remove_unreferenced(epoch, CheckpointId(next)).unwrap().failed.is_empty());
    // Nothing is left of what went wrong.
    assert_eq!(place.names(), ["_completed".to_owned(), format!("chk-{next}")]);
    assert_eq!(place.files.list(place.at(&format!("chk-{next}")).as_ref()).unwrap(), ["_metadata", "v0-0-op", "v0-1-op"]);
    found
}

fn one_checkpoint(place: &Place) {
    let storage = place.storage();
    storage.begin_term(1).unwrap();
    take(&storage, 1, 1).unwrap();
}

#[test]
fn a_checkpoint_is_complete_or_not_and_whoever_asked_knows() {
    at_every_step(
        one_checkpoint,
        |_, directory| take(&directory.storage(JOB), 1, 2),
        |place, trouble, result| {
            let found = recover(place);
            match result {
                Ok(_) => assert_eq!(found, [2, 1]),
                // Either is right: it may or may not be complete. But not if it was neither renamed nor lost.
                Err(StorageError::Unconfirmed { .. }) => assert!(found == [1] || found == [2, 1], "{found:?}"),
                Err(error) => {
                    assert_eq!(found, [1], "{error} was reported");
                    if trouble == Trouble::Fails(Fault::Fail(ErrorKind::StorageFull)) {
                        assert!(matches!(error, StorageError::Full { .. }), "{error:?}");
                    }
                }
            }
        },
    );
}

#[test]
fn a_completion_that_failed_can_be_tried_again_and_a_discarded_one_is_gone() {
    for again in [true, false] {
        at_every_step(
            one_checkpoint,
            |_, directory| {
                let storage = directory.storage(JOB);
                let metadata = pending(&storage, JOB, 1, 2, SnapshotKind::Checkpoint, &SnapshotTarget::Checkpoint)?;
                Ok(storage.complete(&SnapshotTarget::Checkpoint, &metadata).map_err(|error| (error, metadata)))
            },
            |place, trouble, result| {
                let (Trouble::Fails(_), Ok(Err((error, metadata)))) = (trouble, result) else { return };
                let storage = place.storage();
                if !matches!(trouble, Trouble::Fails(Fault::Lost(_))) {
                    let names = place.files.list(place.at("chk-2").as_ref()).unwrap();
                    assert!(!names.iter().any(|name| name.contains("tmp")), "{names:?} after {error}");
                }
                if again {
                    storage.complete(&SnapshotTarget::Checkpoint, &metadata).unwrap();
                    assert_eq!(complete_and_sound(&storage), [2, 1]);
                } else {
                    match storage.discard(1, CheckpointId(2), &SnapshotTarget::Checkpoint) {
                        Ok(()) => assert_eq!(complete_and_sound(&storage), [1]),
                        Err(StorageError::Retained { .. }) => {
                            assert!(matches!(error, StorageError::Unconfirmed { .. }), "{error}");
                            assert_eq!(complete_and_sound(&storage), [2, 1]);
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
                recover(place);
            },
        );
    }
}

#[test]
fn a_term_has_begun_or_not() {
    at_every_step(
        |place| {
            one_checkpoint(place);
            pending(&place.storage(), JOB, 1, 2, SnapshotKind::Checkpoint, &SnapshotTarget::Checkpoint).unwrap();
        },
        |_, directory| {
            let storage = directory.storage(JOB);
            storage.begin_term(5)?;
            storage.completed()
        },
        |place, _, result| {
            if result.is_ok() {
                assert!(take(&place.storage(), 1, 2).unwrap_err().is_fenced());
            }
            assert_eq!(recover(place), [1]);
        },
    );
}

#[test]
fn the_first_term_of_a_job_begins_whatever_is_left_of_an_attempt() {
    at_every_step(
        |_| (),
        |_, directory| {
            let storage = directory.storage(JOB);
            storage.begin_term(1)?;
            take(&storage, 1, 1)
        },
        |place, _, result| {
            let completed = result.is_ok();
            let found = recover(place);
            assert!(if completed { found == [1] } else { found.is_empty() || found == [1] }, "{found:?}");
        },
    );
}

#[test]
fn no_checkpoint_is_in_the_register_without_its_files_while_old_ones_are_removed() {
    let prepare = |place: &Place| {
        one_checkpoint(place);
        for checkpoint in 2..=4 {
            take(&place.storage(), 1, checkpoint).unwrap();
        }
    };
    at_every_step(
        prepare,
        |_, directory| directory.storage(JOB).retain(1, 2),
        |place, _, _| {
            let found = recover(place);
            assert!(found == [4, 3] || found == [4, 3, 2, 1], "{found:?}");
        },
    );
    at_every_step(
        prepare,
        |_, directory| directory.storage(JOB).discard_all(1),
        |place, _, _| {
            let found = recover(place);
            assert!(found.is_empty() || found == [4, 3, 2, 1], "{found:?}");
        },
    );
}

#[test]
fn a_discarded_checkpoint_does_not_harm_the_complete_ones() {
    at_every_step(
        |place| {
            one_checkpoint(place);
            pending(&place.storage(), JOB, 1, 2, SnapshotKind::Checkpoint, &SnapshotTarget::Checkpoint).unwrap();
        },
        |_, directory| directory.storage(JOB).discard(1, CheckpointId(2), &SnapshotTarget::Checkpoint),
        |place, _, _| assert_eq!(recover(place), [1]),
    );
}

#[test]
fn a_savepoint_is_there_in_full_or_is_no_savepoint() {
    for kind in [SnapshotKind::Savepoint, SnapshotKind::StopWithSavepoint] {
        at_every_step(
            one_checkpoint,
            |place, directory| {
                let storage = directory.storage(JOB);
                let metadata = pending(&storage, JOB, 1, 2, kind, &place.savepoint("a"))?;
                storage.complete(&place.savepoint("a"), &metadata)
            },
            |place, _, result| {
                let storage = place.storage();
                let SnapshotTarget::Savepoint { folder } = place.savepoint("a") else { unreachable!() };
                let loaded = storage.load(&folder);
                let listed = complete_and_sound(&storage);
                match loaded {
                    Ok(loaded) => read_all(&storage, &loaded).unwrap(),
                    Err(error) => {
                        assert!(result.is_err());
                        assert!(matches!(error, StorageError::NotACheckpoint { .. }), "{error}");
                    }
                }
                match (result, kind) {
                    (_, SnapshotKind::Savepoint) => assert_eq!(listed, [1]),
                    (Ok(_), _) => assert_eq!(listed, [2, 1]),
                    (Err(StorageError::Unconfirmed { .. }), _) => {}
                    (Err(_), _) => assert_eq!(listed, [1]),
                }
            },
        );
    }
}

#[test]
fn a_claim_never_has_two_owners_and_never_loses_the_checkpoint() {
    at_every_step(
        |place| {
            one_checkpoint(place);
            take(&place.storage(), 1, 2).unwrap();
            place.directory.storage(OTHER_JOB).begin_term(2).unwrap();
        },
        |_, directory| {
            let heir = directory.storage(OTHER_JOB);
            let last = directory.storage(JOB).completed()?.remove(0);
            heir.claim(2, &heir.load_completed(&last)?)?;
            take_of(&heir, OTHER_JOB, 2, 3)?;
            heir.retain(2, 1)
        },
        |place, _, result| {
            let heir = place.directory.storage(OTHER_JOB);
            let found = complete_and_sound(&heir);
            match result {
                Ok(_) => assert_eq!(found, [3]),
                Err(_) => assert!([&[][..], &[2], &[3, 2], &[3]].contains(&&found[..]), "{found:?}"),
            }
            let owners = |storage: &FileStorage| {
                storage.completed().unwrap().into_iter().filter(|completed| completed.checkpoint.0 == 2).map(|completed| completed.owner)
            };
            if owners(&heir).next().is_some() {
                let origin: Vec<_> = owners(&place.storage()).collect();
                assert!(origin == [Some(OTHER_JOB)] || origin.is_empty(), "{origin:?}");
            }
            let found = recover(place);
            assert!(found == [2, 1] || found == [1], "{found:?}");
        },
    );
}

#[test]
fn a_state_file_that_could_not_be_written_leaves_nothing() {
    for operation in [Operation::Write, Operation::Sync] {
        let files = MemoryFiles::new();
        let place = Place::memory(&files);
        one_checkpoint(&place);
        let full = move |now: Operation, _: &Path| if now == operation { Fault::Half(ErrorKind::StorageFull) } else { Fault::None };
        let storage = place.with_faults(full).storage(JOB);
        place.storage().begin(1, CheckpointId(2), &SnapshotTarget::Checkpoint).unwrap();
        let mut writer =
            flott_storage::StateFiles::create_state_file(&storage, CheckpointId(2), &SnapshotTarget::Checkpoint, "op").unwrap();
        let written = writer.append(&[1; 300_000]);
        assert_eq!(written.is_err(), operation == Operation::Write);
        if written.is_err() {
            assert!(writer.append(b"more").is_err(), "the file has a hole");
        }
        let error = writer.finish().unwrap_err();
        assert!(written.is_err() || matches!(error, StorageError::Full { .. }), "{error}");
        assert_eq!(files.list(place.at("chk-2").as_ref()).unwrap(), [""; 0]);
    }
}
