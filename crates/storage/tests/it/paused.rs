//! A leader that is stopped at any file operation, while its successors go on: they wait for nothing, and when it wakes up, it does
//! no harm. What the others do is done in the hook that is called before the operation: would they wait, the test would not end.

use crate::support::{JOB, OTHER_JOB, Place, complete_and_sound, pending, take, take_of};
use flott_core::id::CheckpointId;
use flott_storage::{
    CheckpointDirectory, CheckpointStorage, SnapshotKind, SnapshotTarget, StorageError,
    files::{Fault, MemoryFiles, Operation},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

const CHECKPOINT: SnapshotTarget = SnapshotTarget::Checkpoint;

/// Runs `scenario` with a stop before each of its operations in turn, in which `meanwhile` runs on the same files; then `check`.
fn stopped_at_every_step<T>(
    prepare: impl Fn(&Place),
    scenario: impl Fn(&CheckpointDirectory) -> Result<T, StorageError>,
    meanwhile: impl Fn(&CheckpointDirectory) + Send + Sync + Clone + 'static,
    check: impl Fn(&Place, Result<T, StorageError>),
) {
    for disk in [false, true] {
        let mut step = 0;
        loop {
            let place = if disk { Place::disk() } else { Place::memory(&MemoryFiles::new()) };
            prepare(&place);
            let count = Arc::new(AtomicUsize::new(0));
            let (counted, others, meanwhile) = (count.clone(), place.directory.clone(), meanwhile.clone());
            let hook = move |_: Operation, _: &Path| {
                if counted.fetch_add(1, Ordering::Relaxed) == step {
                    meanwhile(&others);
                }
                Fault::None
            };
            let result = scenario(&place.with_faults(hook));
            let steps = count.load(Ordering::Relaxed);
            println!("{} of {steps} on {}: {}", step, place.name, result.as_ref().map_or_else(ToString::to_string, |_| "ok".into()));
            if steps <= step {
                assert!(step > 5, "the scenario did too little to show anything");
                break;
            }
            check(&place, result);
            step += if disk { 5 } else { 1 };
        }
    }
}

/// Leads for one term: takes a checkpoint, keeps the newest two, and cleans up.
fn lead(directory: &CheckpointDirectory, epoch: u64) {
    let storage = directory.storage(JOB);
    let next = storage.begin_term(epoch).unwrap();
    take(&storage, epoch, next.0).unwrap();
    assert!(storage.retain(epoch, 2).unwrap().failed.is_empty());
    assert!(storage.remove_unreferenced(epoch, CheckpointId(next.0 + 1)).unwrap().failed.is_empty());
}

/// Leads for a term in which no checkpoint is completed.
fn lead_in_vain(directory: &CheckpointDirectory, epoch: u64) {
    let storage = directory.storage(JOB);
    let next = storage.begin_term(epoch).unwrap();
    pending(&storage, JOB, epoch, next.0, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
    storage.discard(epoch, next, &CHECKPOINT).unwrap();
    assert!(storage.remove_unreferenced(epoch, CheckpointId(next.0 + 1)).unwrap().failed.is_empty());
}

fn two_checkpoints(place: &Place) {
    let storage = place.storage();
    storage.begin_term(1).unwrap();
    take(&storage, 1, 1).unwrap();
    take(&storage, 1, 2).unwrap();
}

/// What is left is sound, was made by the successors last, and another term goes on from it.
fn sound_and_led_by(place: &Place, epoch: u64) {
    let storage = place.storage();
    complete_and_sound(&storage);
    assert_eq!(storage.completed().unwrap()[0].epoch, epoch, "{:?}", storage.completed().unwrap());
    lead(&place.directory, epoch + 1);
    complete_and_sound(&storage);
    assert_eq!(place.names().iter().filter(|name| name.starts_with('_')).collect::<Vec<_>>(), ["_completed"]);
}

/// What a leader of term 1 does that has two checkpoints and a pending third.
type Scenario = fn(&CheckpointDirectory) -> Result<(), StorageError>;

const SCENARIOS: [(&str, Scenario); 6] = [
    ("take", |directory| take(&directory.storage(JOB), 1, 4).map(drop)),
    ("complete", |directory| {
        let storage = directory.storage(JOB);
        let metadata = pending(&storage, JOB, 1, 4, SnapshotKind::Checkpoint, &CHECKPOINT)?;
        storage.complete(&CHECKPOINT, &metadata)?;
        storage.complete(&CHECKPOINT, &metadata).map(drop)
    }),
    ("discard", |directory| directory.storage(JOB).discard(1, CheckpointId(3), &CHECKPOINT)),
    ("retain", |directory| directory.storage(JOB).retain(1, 1).map(drop)),
    ("sweep", |directory| directory.storage(JOB).remove_unreferenced(1, CheckpointId(4)).map(drop)),
    ("discard all", |directory| directory.storage(JOB).discard_all(1).map(drop)),
];

#[test]
fn a_leader_that_is_stopped_anywhere_keeps_no_successor_from_leading_and_harms_none_when_it_wakes_up() {
    for (name, scenario) in SCENARIOS {
        println!("{name}");
        let prepare = |place: &Place| {
            two_checkpoints(place);
            pending(&place.storage(), JOB, 1, 3, SnapshotKind::Checkpoint, &CHECKPOINT).unwrap();
        };
        stopped_at_every_step(prepare, scenario, |directory| lead(directory, 2), |place, _| sound_and_led_by(place, 2));
        // Numbers that a term in between has begun and given up are not begun again under the feet of the first.
        let three_terms = |directory: &CheckpointDirectory| {
            lead_in_vain(directory, 2);
            lead_in_vain(directory, 3);
            lead(directory, 4);
        };
        stopped_at_every_step(prepare, scenario, three_terms, |place, _| sound_and_led_by(place, 4));
    }
}

#[test]
fn a_term_that_begins_slowly_is_over_if_a_later_one_has_begun_before() {
    let begin = |directory: &CheckpointDirectory| directory.storage(JOB).begin_term(2);
    stopped_at_every_step(
        two_checkpoints,
        begin,
        |directory| lead(directory, 3),
        |place, result| {
            // At its last steps it had begun.
            assert!(result.is_ok() || result.unwrap_err().is_fenced());
            assert!(take(&place.storage(), 2, 9).unwrap_err().is_fenced());
            sound_and_led_by(place, 3);
        },
    );
    // Of two that begin the same term, one does.
    let twice = |directory: &CheckpointDirectory| Ok([begin(directory).is_ok(), take(&directory.storage(JOB), 2, 3).is_ok()]);
    let first = |directory: &CheckpointDirectory| drop(directory.storage(JOB).begin_term(2));
    stopped_at_every_step(two_checkpoints, twice, first, |place, _| {
        assert!(place.storage().begin_term(2).unwrap_err().is_fenced());
        lead(&place.directory, 3);
    });
}

#[test]
fn a_claim_that_is_stopped_anywhere_does_not_keep_the_job_that_it_claims_from_from_going_on() {
    let prepare = |place: &Place| {
        two_checkpoints(place);
        place.directory.storage(OTHER_JOB).begin_term(1).unwrap();
    };
    let claim = |directory: &CheckpointDirectory| {
        let heir = directory.storage(OTHER_JOB);
        let last = directory.storage(JOB).completed()?.remove(0);
        heir.claim(1, &heir.load_completed(&last)?)?;
        take_of(&heir, OTHER_JOB, 1, 9)
    };
    let go_on = |directory: &CheckpointDirectory| drop(take(&directory.storage(JOB), 1, 3).unwrap());
    stopped_at_every_step(prepare, claim, go_on, |place, result| {
        result.unwrap();
        assert_eq!(complete_and_sound(&place.storage()), [3, 2, 1]);
        let heir = place.directory.storage(OTHER_JOB);
        let found = complete_and_sound(&heir);
        assert!(found == [9, 2] || found == [9, 3], "{found:?}");
        // Each removes what is its own.
        assert!(place.storage().retain(1, 1).unwrap().failed.is_empty());
        assert_eq!(complete_and_sound(&heir), found);
    });
}

#[test]
fn a_register_of_the_first_release_is_read_and_gone_on_from() {
    let place = Place::disk();
    two_checkpoints(&place);
    // As that release wrote it: one file, version 1, without the number that was added later.
    let found = std::fs::read(place.register()).unwrap();
    std::fs::remove_file(place.register()).unwrap();
    let mut old = found[..found.len() - 4].to_vec();
    // Job (16 bytes and more), term 1, last 2; then whether a number was used: no.
    let used = old.windows(4).position(|bytes| bytes == [1, 1, 2, 0]).unwrap() + 3;
    assert!(used < 50);
    old.remove(used);
    old[8] = 1;
    let length = (old.len() - 20) as u64;
    old[12..20].copy_from_slice(&length.to_le_bytes());
    let crc = flott_storage::block_crc(&old);
    old.extend_from_slice(&crc.to_le_bytes());
    std::fs::write(place.at("_completed"), old).unwrap();
    assert_eq!(complete_and_sound(&place.storage()), [2, 1]);
    lead(&place.directory, 2);
    assert_eq!(complete_and_sound(&place.storage()), [3, 2]);
    assert!(!place.exists(&place.at("_completed")));
}
