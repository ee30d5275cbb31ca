//! Several JobManagers that all believe to lead the job.

use crate::support::{JOB, Place, complete_and_sound, everywhere, pending, take};
use flott_core::id::CheckpointId;
use flott_storage::{
    CheckpointStorage, SnapshotKind, SnapshotTarget, StateFiles, StorageError,
    files::{Fault, MemoryFiles, Operation},
};

const CHECKPOINT: SnapshotTarget = SnapshotTarget::Checkpoint;

#[test]
fn an_old_leader_is_refused_everything_once_a_new_term_has_begun() {
    everywhere(|place| {
        let (old, new) = (place.storage(), place.storage());
        old.begin_term(1).unwrap();
        take(&old, 1, 1).unwrap();
        take(&old, 1, 2).unwrap();
        let metadata = pending(&old, JOB, 1, 3, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        new.begin_term(2).unwrap();
        assert!(old.complete(&CHECKPOINT, &metadata).unwrap_err().is_fenced());
        assert!(old.begin_term(2).unwrap_err().is_fenced());
        assert!(old.begin(1, CheckpointId(4), &CHECKPOINT).unwrap_err().is_fenced());
        assert!(old.discard(1, CheckpointId(3), &CHECKPOINT).unwrap_err().is_fenced());
        assert!(old.retain(1, 1).unwrap_err().is_fenced());
        assert!(old.discard_all(1).unwrap_err().is_fenced());
        assert!(old.remove_unreferenced(1, CheckpointId(9)).unwrap_err().is_fenced());
        let target = place.savepoint("old");
        assert!(pending(&old, JOB, 1, 5, SnapshotKind::Savepoint, &target).unwrap_err().is_fenced());
        assert_eq!(complete_and_sound(&new), [2, 1]);
        let error = old.retain(1, 1).unwrap_err().to_string();
        assert!(error.contains("term 1 of job") && error.contains("is at term 2, checkpoint 2"), "{error}");
    });
}

#[test]
fn an_old_leader_that_wakes_up_while_it_completes_does_not_touch_the_new_ones_checkpoint() {
    let place = Place::memory(&MemoryFiles::new());
    place.storage().begin_term(1).unwrap();
    take(&place.storage(), 1, 1).unwrap();
    let successor = place.storage();
    let hook = move |operation, path: &std::path::Path| {
        // The state files and the metadata are written, and the register says that all is well.
        if operation == Operation::Rename && path.ends_with("chk-2/_metadata") {
            assert_eq!(successor.begin_term(2).unwrap(), CheckpointId(3), "a number is begun again");
            assert!(take(&successor, 2, 2).unwrap_err().is_fenced());
            take(&successor, 2, 3).unwrap();
        }
        Fault::None
    };
    let paused = place.with_faults(hook).storage(JOB);
    assert!(take(&paused, 1, 2).unwrap_err().is_fenced());
    let storage = place.storage();
    assert_eq!(complete_and_sound(&storage), [3, 1]);
    assert_eq!(storage.load(&place.at("chk-3")).unwrap().metadata.epoch, 2);
}

#[test]
fn a_number_is_completed_once_but_the_same_checkpoint_may_be_completed_again() {
    everywhere(|place| {
        let storage = place.storage();
        storage.begin_term(1).unwrap();
        let metadata = pending(&storage, JOB, 1, 7, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        let completed = storage.complete(&CHECKPOINT, &metadata).unwrap();
        assert_eq!(storage.complete(&CHECKPOINT, &metadata).unwrap(), completed);
        let mut other = metadata;
        other.completed_at_ms += 1;
        assert!(storage.complete(&CHECKPOINT, &other).unwrap_err().is_fenced());
        assert_eq!(complete_and_sound(&storage), [7]);
    });
}

/// Leads the job again and again, ten times at the least and until a checkpoint is complete, each time for `count` checkpoints or until
/// somebody else takes over.
fn lead(storage: &dyn CheckpointStorage, count: u64) {
    let mut completions = 0;
    for round in 0.. {
        if round >= 10 && completions > 0 {
            return;
        }
        // Somebody must be left alone for long enough.
        std::thread::sleep(std::time::Duration::from_millis(round % count));
        let epoch = storage.next_epoch().unwrap();
        let first = match storage.begin_term(epoch) {
            Ok(first) => first.0,
            Err(error) if error.is_fenced() => continue,
            Err(error) => panic!("{error}: {error:?}"),
        };
        for checkpoint in first..first + count {
            match take(storage, epoch, checkpoint) {
                Ok(completed) => {
                    assert_eq!(completed.checkpoint.0, checkpoint);
                    completions += 1;
                }
                // The successor begins with clean folders, under the feet of this one.
                Err(StorageError::Fenced { .. } | StorageError::NotPending { .. }) => break,
                // Others went on before this one had made sure of it.
                Err(StorageError::Unconfirmed { .. }) => break,
                Err(error) => panic!("{error}: {error:?}"),
            }
        }
    }
}

#[test]
fn leaders_that_race_leave_only_sound_checkpoints() {
    for place in [Place::disk(), Place::memory(&MemoryFiles::new())] {
        std::thread::scope(|scope| {
            for first in 0..4 {
                let storage = place.storage();
                scope.spawn(move || lead(&storage, 5 + first));
            }
        });
        let storage = place.storage();
        let numbers = complete_and_sound(&storage);
        assert!(numbers.is_sorted_by(|newer, older| newer > older), "{numbers:?}");
        let terms: Vec<u64> = storage.completed().unwrap().iter().map(|completed| completed.epoch).collect();
        assert!(terms.is_sorted_by(|newer, older| newer >= older), "{terms:?}");
        assert!(terms.iter().collect::<std::collections::BTreeSet<_>>().len() > 1, "there was no race: {terms:?}");
    }
}

#[test]
fn a_register_that_is_gone_does_not_pass_for_an_empty_one() {
    let place = Place::memory(&MemoryFiles::new());
    let storage = place.storage();
    storage.begin_term(1).unwrap();
    take(&storage, 1, 1).unwrap();
    place.files.remove_file(place.register().as_ref()).unwrap();
    assert!(matches!(storage.completed(), Err(StorageError::Missing { .. })));
    assert!(matches!(take(&storage, 1, 2), Err(StorageError::Missing { .. })));
}

#[test]
fn tasks_that_do_not_share_the_directory_are_told_so() {
    let (place, elsewhere) = (Place::disk(), Place::disk());
    place.storage().begin_term(1).unwrap();
    place.storage().begin(1, CheckpointId(1), &CHECKPOINT).unwrap();
    let error = elsewhere.storage().create_state_file(CheckpointId(1), &CHECKPOINT, "op").unwrap_err();
    assert!(error.to_string().contains("use a directory that every process of the job shares"), "{error}");
}
