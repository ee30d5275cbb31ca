//! What every storage does when nothing goes wrong.

use crate::support::{JOB, complete_and_sound, everywhere, pending, read_all, take};
use flott_core::id::CheckpointId;
use flott_storage::{CheckpointStorage, SnapshotKind, SnapshotTarget, StateFiles, StorageError};

const CHECKPOINT: SnapshotTarget = SnapshotTarget::Checkpoint;

#[test]
fn a_complete_checkpoint_is_found_and_read_back() {
    everywhere(|place| {
        let storage = place.storage();
        assert_eq!(storage.completed().unwrap(), []);
        assert!(matches!(storage.begin(1, CheckpointId(1), &CHECKPOINT), Err(StorageError::TermNotBegun { .. })));
        assert_eq!(storage.begin_term(storage.next_epoch().unwrap()).unwrap(), CheckpointId(1));
        let metadata = pending(&storage, JOB, 1, 1, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        assert_eq!(storage.completed().unwrap(), []);
        let completed = storage.complete(&CHECKPOINT, &metadata).unwrap();
        assert_eq!(completed.folder, place.at("chk-1"));
        assert_eq!(storage.completed().unwrap(), std::slice::from_ref(&completed));
        let loaded = storage.load(&completed.folder).unwrap();
        assert_eq!((&loaded.metadata, loaded.bytes, &loaded.folder), (&metadata, completed.bytes, &completed.folder));
        read_all(&storage, &loaded).unwrap();
        // Another process sees the same, and begins a later term.
        let successor = place.storage();
        assert_eq!(complete_and_sound(&successor), [1]);
        assert_eq!(successor.next_epoch().unwrap(), 2);
    });
}

#[test]
fn a_term_can_be_resumed_but_not_begun_again_and_not_behind_a_later_one() {
    everywhere(|place| {
        let storage = place.storage();
        assert_eq!(storage.resume_term(3).unwrap(), CheckpointId(1));
        take(&storage, 3, 1).unwrap();
        assert!(matches!(storage.begin_term(3), Err(StorageError::Fenced { .. })));
        // Whoever does not know whether it has begun finds all as it was.
        assert_eq!(place.storage().resume_term(3).unwrap(), CheckpointId(2));
        assert_eq!(complete_and_sound(&storage), [1]);
        place.storage().resume_term(4).unwrap();
        assert!(matches!(storage.resume_term(3), Err(StorageError::Fenced { .. })));
    });
}

#[test]
fn a_checkpoint_that_was_not_completed_does_not_count() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        pending(&storage, JOB, 1, 1, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        assert_eq!(storage.completed().unwrap(), []);
        assert!(matches!(storage.load(&place.at("chk-1")), Err(StorageError::NotACheckpoint { .. })));
        assert!(matches!(storage.load(&place.at("chk-7")), Err(StorageError::NotACheckpoint { .. })));
        let of_job = storage.load(&place.at("")).unwrap_err().to_string();
        assert!(of_job.contains("chk-…"), "{of_job}");
    });
}

#[test]
fn a_number_that_is_used_again_begins_with_a_clean_folder() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        pending(&storage, JOB, 1, 1, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        // A task of the first attempt is still writing.
        let mut late = storage.create_state_file(CheckpointId(1), &CHECKPOINT, "late").unwrap();
        late.append(b"late").unwrap();
        take(&storage, 1, 1).unwrap();
        drop(late);
        let metadata = storage.load(&place.at("chk-1")).unwrap().metadata;
        assert_eq!(metadata.state_files().into_keys().collect::<Vec<_>>(), ["v0-0-op", "v0-1-op"]);
        assert_eq!(complete_and_sound(&storage), [1]);
        assert!(!place.exists(&place.at("chk-1/late")));
        assert!(matches!(storage.begin(1, CheckpointId(1), &CHECKPOINT), Err(StorageError::Fenced { .. })));
        assert_eq!(complete_and_sound(&storage), [1]);
    });
}

#[test]
fn state_files_of_one_hint_get_names_of_their_own() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        storage.begin(1, CheckpointId(1), &CHECKPOINT).unwrap();
        let create = || storage.create_state_file(CheckpointId(1), &CHECKPOINT, "op").unwrap();
        let (mut first, second, third) = (create(), create(), create());
        first.append(&[7; 300_000]).unwrap();
        first.append(&[8; 10]).unwrap();
        assert_eq!(first.position(), 300_010);
        assert_eq!(first.finish().unwrap().bytes, 300_010);
        assert_eq!(second.finish().unwrap().name, "op-1");
        third.abandon();
        drop(storage.create_state_file(CheckpointId(1), &CHECKPOINT, "dropped").unwrap());
        if place.name != "no directory" {
            assert_eq!(place.files.list(place.at("chk-1").as_ref()).unwrap(), ["op", "op-1"]);
        }
    });
}

#[test]
fn an_aborted_checkpoint_leaves_nothing_and_accepts_nothing() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        let metadata = pending(&storage, JOB, 1, 1, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        storage.discard(1, CheckpointId(1), &CHECKPOINT).unwrap();
        storage.discard(1, CheckpointId(1), &CHECKPOINT).unwrap();
        assert!(!place.exists(&place.at("chk-1")));
        let late = storage.create_state_file(CheckpointId(1), &CHECKPOINT, "late");
        assert!(matches!(late, Err(StorageError::NotPending { .. })));
        assert!(matches!(storage.complete(&CHECKPOINT, &metadata), Err(StorageError::NotPending { .. })));
        take(&storage, 1, 2).unwrap();
        assert!(matches!(storage.discard(1, CheckpointId(2), &CHECKPOINT), Err(StorageError::Retained { .. })));
        assert_eq!(complete_and_sound(&storage), [2]);
    });
}

#[test]
fn a_checkpoint_without_all_its_files_is_not_completed() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        let metadata = pending(&storage, JOB, 1, 1, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        storage.begin(1, CheckpointId(1), &CHECKPOINT).unwrap();
        assert!(matches!(storage.complete(&CHECKPOINT, &metadata), Err(StorageError::Missing { .. })));
        let mut writer = storage.create_state_file(CheckpointId(1), &CHECKPOINT, "v0-0-op").unwrap();
        writer.append(b"short").unwrap();
        writer.finish().unwrap();
        let error = storage.complete(&CHECKPOINT, &metadata).unwrap_err();
        assert!(error.to_string().contains("it has 5 bytes instead of"), "{error}");
        assert_eq!(storage.completed().unwrap(), []);
    });
}

#[test]
fn metadata_that_contradicts_itself_is_not_stored() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        let metadata = pending(&storage, JOB, 1, 1, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        let mut twice = metadata.clone();
        twice.operators.extend_from_within(..1);
        let mut foreign = metadata.clone();
        foreign.job.0 += 1;
        let mut savepoint = metadata;
        savepoint.kind = SnapshotKind::Savepoint;
        for metadata in [twice, foreign, savepoint] {
            assert!(matches!(storage.complete(&CHECKPOINT, &metadata), Err(StorageError::Invalid { .. })));
        }
    });
}

#[test]
fn the_newest_are_kept_and_the_others_go_with_their_files() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        for checkpoint in 1..=5 {
            take(&storage, 1, checkpoint).unwrap();
        }
        let removal = storage.retain(1, 2).unwrap();
        assert!(removal.failed.is_empty());
        assert_eq!(removal.subsumed.iter().map(|completed| completed.checkpoint.0).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(complete_and_sound(&storage), [5, 4]);
        assert!(storage.load(&place.at("chk-3")).is_err());
        assert!(storage.retain(1, 2).unwrap().subsumed.is_empty());
        // The last one always stays.
        assert_eq!(storage.retain(1, 0).unwrap().subsumed.len(), 1);
        assert_eq!(complete_and_sound(&storage), [5]);
    });
}

#[test]
fn a_finished_job_keeps_only_its_register() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(4).unwrap();
        take(&storage, 4, 1).unwrap();
        take(&storage, 4, 2).unwrap();
        pending(&storage, JOB, 4, 3, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        let removal = storage.discard_all(4).unwrap();
        assert_eq!((removal.subsumed.len(), removal.failed.len()), (2, 0));
        assert_eq!(storage.completed().unwrap(), []);
        if place.name != "no directory" {
            assert_eq!(place.names(), ["_completed"]);
        }
        // Whoever was presumed dead is still refused.
        assert!(take(&storage, 3, 9).unwrap_err().is_fenced());
        assert_eq!(place.directory.next_epoch().unwrap(), 5);
    });
}

#[test]
fn what_crashes_left_behind_is_removed_and_nothing_else() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        take(&storage, 1, 2).unwrap();
        for left in [1, 3, 5] {
            if left > 2 {
                pending(&storage, JOB, 1, left, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
            }
        }
        take(&storage, 1, 4).unwrap();
        let removal = storage.remove_unreferenced(1, CheckpointId(5)).unwrap();
        assert!(removal.failed.is_empty());
        if place.name != "no directory" {
            assert_eq!(place.names(), ["_completed", "chk-2", "chk-4", "chk-5"]);
        }
        assert_eq!(complete_and_sound(&storage), [4, 2]);
    });
}

#[test]
fn memory_is_not_shared_with_other_processes_but_savepoints_on_disk_are() {
    everywhere(|place| {
        let storage = place.storage();
        let on_disk = place.path.contains("/tmp") || place.path.starts_with(std::env::temp_dir().to_str().unwrap());
        assert_eq!(storage.is_shared(&CHECKPOINT), on_disk);
        if place.name == "no directory" {
            assert!(storage.is_shared(&place.savepoint("a")));
        }
    });
}
