//! Savepoints, several jobs in one directory, and checkpoints that change hands.

use crate::support::{JOB, OTHER_JOB, Place, complete_and_sound, everywhere, pending, read_all, take, take_of};
use flott_core::id::CheckpointId;
use flott_storage::{CheckpointStorage, SnapshotKind, SnapshotTarget, StorageError, files::FileSystem, files::MemoryFiles};
use std::path::Path;

fn savepoint(place: &Place, storage: &dyn CheckpointStorage, checkpoint: u64, kind: SnapshotKind) -> String {
    let target = place.savepoint(&format!("s{checkpoint}"));
    let metadata = pending(storage, JOB, 1, checkpoint, kind, &target).unwrap();
    let completed = storage.complete(&target, &metadata).unwrap();
    assert_eq!(SnapshotTarget::Savepoint { folder: completed.folder.clone() }, target);
    completed.folder
}

#[test]
fn a_savepoint_belongs_to_the_user() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        take(&storage, 1, 1).unwrap();
        let folder = savepoint(place, &storage, 2, SnapshotKind::Savepoint);
        assert!(folder.ends_with("savepoint-123456-s2"), "{folder}");
        // The job does not recover from it, and its number may come between those of checkpoints.
        assert_eq!(complete_and_sound(&storage), [1]);
        take(&storage, 1, 4).unwrap();
        savepoint(place, &storage, 3, SnapshotKind::Savepoint);
        assert!(storage.retain(1, 1).unwrap().failed.is_empty());
        assert!(storage.discard_all(1).unwrap().failed.is_empty());
        read_all(&storage, &storage.load(&folder).unwrap()).unwrap();
        // Nobody writes over it.
        let target = place.savepoint("s2");
        assert!(matches!(storage.begin(1, CheckpointId(9), &target), Err(StorageError::Retained { .. })));
        assert!(matches!(storage.discard(1, CheckpointId(2), &target), Err(StorageError::Retained { .. })));
        storage.dispose_savepoint(&format!("{folder}/_metadata")).unwrap();
        assert!(!place.exists(&folder));
        assert!(matches!(storage.dispose_savepoint(&folder), Err(StorageError::NotACheckpoint { .. })));
    });
}

#[test]
fn the_savepoint_that_a_job_stops_with_is_what_it_recovers_from() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        take(&storage, 1, 1).unwrap();
        let folder = savepoint(place, &storage, 2, SnapshotKind::StopWithSavepoint);
        assert_eq!(complete_and_sound(&storage), [2, 1]);
        assert_eq!(place.directory.latest().unwrap().unwrap().folder, folder);
        assert!(storage.discard_all(1).unwrap().failed.is_empty());
        read_all(&storage, &storage.load(&folder).unwrap()).unwrap();
    });
}

#[test]
fn an_aborted_savepoint_goes_away() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        let target = place.savepoint("a");
        pending(&storage, JOB, 1, 1, SnapshotKind::Savepoint, &target).unwrap();
        storage.discard(1, CheckpointId(1), &target).unwrap();
        let SnapshotTarget::Savepoint { folder } = target else { unreachable!() };
        assert!(!place.exists(&folder));
        assert!(matches!(storage.load(&folder), Err(StorageError::NotACheckpoint { .. })));
    });
}

#[test]
fn a_savepoint_can_be_moved_and_is_named_in_every_way_a_user_may_try() {
    let place = Place::disk();
    let storage = place.storage();
    storage.begin_term(1).unwrap();
    let folder = savepoint(&place, &storage, 1, SnapshotKind::Savepoint);
    let moved = format!("{}/moved here", place.savepoints);
    std::fs::rename(folder, &moved).unwrap();
    let url = format!("file://{}", moved.replace(' ', "%20"));
    for given in [moved.clone(), format!("{moved}/"), format!("{moved}/_metadata"), url.clone(), format!("{url}/_metadata")] {
        read_all(&storage, &storage.load(&given).unwrap()).unwrap();
    }
    assert!(matches!(storage.load(&format!("{moved}/v0-0-op")), Err(StorageError::NotACheckpoint { .. })));
    // A savepoint that only has its metadata copied is not one.
    std::fs::remove_file(format!("{moved}/v0-1-op")).unwrap();
    let error = storage.load(&moved).unwrap_err();
    assert!(error.to_string().contains("v0-1-op` is missing") && error.is_damage(), "{error}");
}

#[test]
fn a_whole_checkpoint_directory_can_be_moved() {
    let place = Place::disk();
    place.storage().begin_term(1).unwrap();
    take(&place.storage(), 1, 1).unwrap();
    let moved = format!("{}/moved", place.path.trim_end_matches("/checkpoints"));
    std::fs::rename(&place.path, &moved).unwrap();
    let directory = flott_storage::CheckpointDirectory::on_disk(&format!("file://{moved}")).unwrap();
    assert_eq!(complete_and_sound(&directory.storage(JOB)), [1]);
    let latest = directory.latest().unwrap().unwrap();
    assert_eq!(latest.folder, format!("{moved}/{JOB}/chk-1"));
}

#[test]
fn jobs_in_one_directory_do_not_meet_but_the_newest_checkpoint_of_all_is_found() {
    everywhere(|place| {
        let (first, second) = (place.storage(), place.directory.storage(OTHER_JOB));
        assert!(place.directory.latest().unwrap().is_none());
        first.begin_term(first.next_epoch().unwrap()).unwrap();
        take(&first, 1, 8).unwrap();
        take(&first, 1, 9).unwrap();
        second.begin_term(second.next_epoch().unwrap()).unwrap();
        take_of(&second, OTHER_JOB, 2, 3).unwrap();
        assert_eq!((complete_and_sound(&first), complete_and_sound(&second)), (vec![9, 8], vec![3]));
        let found = place.directory.completed().unwrap();
        assert!(found.unreadable.is_empty());
        let order: Vec<_> = found.checkpoints.iter().map(|completed| (completed.job, completed.checkpoint.0)).collect();
        assert_eq!(order, [(OTHER_JOB, 3), (JOB, 9), (JOB, 8)]);
        assert_eq!(place.directory.latest().unwrap().unwrap(), found.checkpoints[0]);
        assert_eq!(place.directory.next_epoch().unwrap(), 3);
        assert!(second.discard_all(2).unwrap().failed.is_empty());
        assert_eq!(complete_and_sound(&first), [9, 8]);
    });
}

#[test]
fn one_damaged_register_does_not_hide_the_others_but_is_not_passed_over_either() {
    let files = MemoryFiles::new();
    let place = Place::memory(&files);
    place.storage().begin_term(1).unwrap();
    take(&place.storage(), 1, 1).unwrap();
    let other = place.directory.storage(OTHER_JOB);
    other.begin_term(2).unwrap();
    assert!(files.tamper(place.register().as_ref(), |bytes| bytes[30] ^= 4));
    let found = place.directory.completed().unwrap();
    assert_eq!((found.checkpoints.len(), found.unreadable.len()), (0, 1));
    assert!(place.directory.latest().unwrap_err().to_string().contains("_completed.2` is damaged"));
    // Other jobs start all the same: each is fenced by its own register.
    assert_eq!(place.directory.next_epoch().unwrap(), 3);
    // A register that was copied to another job's folder is not its own.
    files.rename(place.register_of(OTHER_JOB).as_ref(), place.register().as_ref()).unwrap();
    assert!(place.storage().completed().unwrap_err().is_damage());
}

#[test]
fn a_claimed_checkpoint_is_removed_by_its_new_owner_alone() {
    everywhere(|place| {
        let (origin, heir, late) = (place.storage(), place.directory.storage(OTHER_JOB), place.directory.storage(flott_core::id::JobId(5)));
        origin.begin_term(1).unwrap();
        take(&origin, 1, 1).unwrap();
        let last = take(&origin, 1, 2).unwrap();
        let loaded = heir.load_completed(&last).unwrap();
        heir.begin_term(2).unwrap();
        let claimed = heir.claim(2, &loaded).unwrap();
        assert_eq!(heir.claim(2, &loaded).unwrap(), claimed);
        assert_eq!((claimed.owner, &claimed.folder), (Some(OTHER_JOB), &last.folder));
        assert_eq!(complete_and_sound(&heir), [2]);
        assert_eq!(place.directory.completed().unwrap().checkpoints.len(), 2);
        late.begin_term(3).unwrap();
        assert!(matches!(late.claim(3, &loaded), Err(StorageError::Claimed { owner: OTHER_JOB, .. })));
        // Numbers go on above it.
        assert!(take_of(&heir, OTHER_JOB, 2, 2).unwrap_err().is_fenced());
        take_of(&heir, OTHER_JOB, 2, 3).unwrap();
        // The first job comes back and cleans up: what it has lost stays.
        let restarted = place.storage();
        restarted.begin_term(4).unwrap();
        assert!(restarted.remove_unreferenced(4, CheckpointId(9)).unwrap().failed.is_empty());
        take(&restarted, 4, 3).unwrap();
        assert!(restarted.retain(4, 1).unwrap().failed.is_empty());
        assert_eq!(complete_and_sound(&heir), [3, 2]);
        let removal = heir.retain(2, 1).unwrap();
        assert!(removal.failed.is_empty(), "{removal:?}");
        assert_eq!(complete_and_sound(&heir), [3]);
        assert!(heir.load_completed(&claimed).is_err());
    });
}

#[test]
fn the_job_that_a_claimed_checkpoint_came_from_forgets_it_when_it_is_removed() {
    everywhere(|place| {
        let (origin, heir) = (place.storage(), place.directory.storage(OTHER_JOB));
        origin.begin_term(1).unwrap();
        take(&origin, 1, 1).unwrap();
        let last = take(&origin, 1, 2).unwrap();
        heir.begin_term(2).unwrap();
        heir.claim(2, &heir.load(&last.folder).unwrap()).unwrap();
        take_of(&heir, OTHER_JOB, 2, 3).unwrap();
        assert!(heir.retain(2, 1).unwrap().failed.is_empty());
        assert_eq!(complete_and_sound(&origin), [1]);
    });
}

#[test]
fn claiming_a_savepoint_removes_no_other_file_from_the_users_folder() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        let (first, second) =
            (savepoint(place, &storage, 1, SnapshotKind::Savepoint), savepoint(place, &storage, 2, SnapshotKind::Savepoint));
        let heir = place.directory.storage(OTHER_JOB);
        heir.begin_term(2).unwrap();
        heir.claim(2, &heir.load(&first).unwrap()).unwrap();
        heir.claim(2, &heir.load(&second).unwrap()).unwrap();
        let note = Path::new(&second).join("note.txt");
        place.files.create_file(&note).unwrap();
        take_of(&heir, OTHER_JOB, 2, 3).unwrap();
        let removal = heir.retain(2, 1).unwrap();
        assert_eq!((removal.subsumed.len(), removal.failed.len()), (2, 1));
        assert!(removal.failed[0].to_string().contains(&second));
        assert!(!place.exists(&first));
        assert_eq!(place.files.list(Path::new(&second)).unwrap(), ["note.txt"]);
        assert_eq!(complete_and_sound(&heir), [3]);
    });
}
