//! Jobs under leaders that come and go.

use super::*;
use crate::{
    LeaseRecord, MemoryStore,
    election::{lease_key, write_lease},
    memory::{Fault, Operation},
};
use std::sync::atomic::{AtomicUsize, Ordering};

const ONE: JobId = JobId(1);
const TWO: JobId = JobId(2);

/// Makes the leader of `epoch`.
fn lead(store: &MemoryStore, epoch: u64) -> JobStore {
    let record = LeaseRecord {
        epoch,
        holder: format!("holder-{epoch}"),
        renewals: 1,
        duration_ms: 1000,
        address: "a:1".to_owned(),
        rest_address: String::new(),
        released: false,
    };
    let found = store.read(&lease_key()).unwrap();
    let expected = found.map_or(Expected::Absent, |found| Expected::Version(found.version));
    assert!(matches!(write_lease(store, &record, &expected).unwrap(), WriteOutcome::Written(_)));
    JobStore::new(Arc::new(store.clone()), epoch, record.holder)
}

fn running(jobs: &StoredJobs) -> Vec<(JobId, &[u8])> {
    assert!(jobs.damaged.is_empty());
    jobs.running.iter().map(|job| (job.id, &job.bytes[..])).collect()
}

#[test]
fn jobs_are_kept_replaced_ended_and_forgotten() {
    let jobs = lead(&MemoryStore::new(), 1);
    assert_eq!(jobs.put_job(TWO, b"two").unwrap(), PutOutcome::Stored);
    assert_eq!(jobs.put_job(ONE, b"one").unwrap(), PutOutcome::Stored);
    assert_eq!(jobs.put_job(ONE, b"other").unwrap(), PutOutcome::Stored);
    assert_eq!(running(&jobs.jobs().unwrap()), [(ONE, &b"other"[..]), (TWO, b"two")]);
    assert_eq!(jobs.replace_job(TWO, b"more").unwrap(), PutOutcome::Stored);
    jobs.mark_ended(ONE, b"history", 77).unwrap();
    assert_eq!(running(&jobs.jobs().unwrap()), [(TWO, &b"more"[..])]);
    assert_eq!(jobs.ended().unwrap(), [EndedJob { id: ONE, bytes: b"history".to_vec(), ended_at: 77 }]);
    assert_eq!(jobs.put_job(ONE, b"again").unwrap(), PutOutcome::HasEnded);
    assert_eq!(jobs.replace_job(ONE, b"again").unwrap(), PutOutcome::HasEnded);
    jobs.remove(ONE).unwrap();
    assert_eq!(jobs.replace_job(ONE, b"again").unwrap(), PutOutcome::HasEnded, "nobody runs a job that is forgotten");
    jobs.remove(ONE).unwrap();
    assert!(jobs.ended().unwrap().is_empty());
}

#[test]
fn only_the_last_ended_jobs_are_kept() {
    let jobs = lead(&MemoryStore::new(), 1);
    for (id, at) in [(1, 30), (2, 10), (3, 20), (4, 20)] {
        jobs.mark_ended(JobId(id), b"", at).unwrap();
    }
    assert_eq!(jobs.put_job(JobId(5), b"").unwrap(), PutOutcome::Stored);
    assert_eq!(jobs.prune_ended(9).unwrap(), 0);
    assert_eq!(jobs.prune_ended(2).unwrap(), 2);
    assert_eq!(jobs.ended().unwrap().iter().map(|job| job.id).collect::<Vec<_>>(), [JobId(1), JobId(4)]);
    assert_eq!(jobs.jobs().unwrap().running.len(), 1);
}

#[test]
fn a_leader_of_an_older_epoch_is_refused_everything() {
    let store = MemoryStore::new();
    let old = lead(&store, 1);
    assert_eq!(old.put_job(ONE, b"one").unwrap(), PutOutcome::Stored);
    let new = lead(&store, 2);
    assert_eq!(running(&new.recover().unwrap()), [(ONE, &b"one"[..])]);
    for error in [
        old.put_job(ONE, b"x").map(drop).unwrap_err(),
        old.put_job(TWO, b"x").map(drop).unwrap_err(),
        old.replace_job(ONE, b"x").map(drop).unwrap_err(),
        old.mark_ended(ONE, b"x", 1).unwrap_err(),
        old.remove(ONE).unwrap_err(),
        old.recover().map(drop).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Fenced { epoch: 1, current: Some(2) }), "{error}");
    }
    assert_eq!(running(&new.jobs().unwrap()), [(ONE, &b"one"[..])]);
    assert_eq!(new.jobs().unwrap().running[0].epoch, 2);
}

#[test]
fn a_lease_that_was_given_up_lets_nobody_write() {
    let store = MemoryStore::new();
    let jobs = lead(&store, 1);
    let lease = read_lease(&store).unwrap().unwrap();
    let released = LeaseRecord { released: true, ..lease.record };
    assert!(matches!(write_lease(&store, &released, &Expected::Version(lease.version)).unwrap(), WriteOutcome::Written(_)));
    assert!(matches!(jobs.put_job(ONE, b"").unwrap_err(), StoreError::Fenced { epoch: 1, current: None }));
}

/// A store in which, before the old leader's call number `at` that changes something or reads the lease, a new leader takes over.
fn overtaken_at(store: &MemoryStore, at: usize) -> (JobStore, Arc<AtomicUsize>) {
    let old = lead(store, 1);
    let calls = Arc::new(AtomicUsize::new(0));
    let (counted, inner) = (calls.clone(), store.clone());
    let hook = move |_: Operation, _: &Key| {
        if counted.fetch_add(1, Ordering::Relaxed) == at {
            let new = lead(&inner, 2);
            new.recover().unwrap();
        }
        Fault::None
    };
    (JobStore { store: Arc::new(store.with_faults(hook)), ..old }, calls)
}

#[test]
fn what_an_old_leader_reports_as_done_is_what_the_new_one_has_found() {
    for at in 0.. {
        let store = MemoryStore::new();
        assert_eq!(lead(&store, 1).put_job(ONE, b"one").unwrap(), PutOutcome::Stored);
        let (old, calls) = overtaken_at(&store, at);
        let result = old.mark_ended(ONE, b"end", 5);
        let overtaken = calls.load(Ordering::Relaxed) > at;
        let jobs = store_jobs(&store);
        // Either the new leader runs it, or it has found it ended; and never is an end reported that it has not.
        assert_eq!(jobs.running.len() + jobs.ended.len(), 1);
        match result {
            Ok(()) => assert_eq!(jobs.ended.len(), 1, "at call {at}"),
            Err(error) => assert!(error.is_fenced(), "{error}"),
        }
        if jobs.running.len() == 1 {
            assert_eq!(jobs.running[0].epoch, 2, "a job that runs is the new leader's");
        }
        if !overtaken {
            assert!(at > 3);
            break;
        }
    }
}

#[test]
fn a_job_that_was_not_reported_as_stored_runs_only_if_the_new_leader_has_found_it() {
    for at in 0.. {
        let store = MemoryStore::new();
        let (old, calls) = overtaken_at(&store, at);
        let result = old.put_job(ONE, b"one");
        let overtaken = calls.load(Ordering::Relaxed) > at;
        let found = store_jobs(&store).running;
        match &result {
            Ok(_) => assert_eq!(found.len(), 1, "at call {at}"),
            Err(error) => assert!(error.is_fenced() && found.iter().all(|job| job.epoch == 2), "at call {at}: {error}, {found:?}"),
        }
        if !overtaken {
            assert!(result.is_ok() && at > 3);
            break;
        }
    }
}

#[test]
fn a_job_stored_after_the_new_leader_has_looked_is_taken_back() {
    let store = MemoryStore::new();
    // Call 2 is the write.
    let (old, _) = overtaken_at(&store, 2);
    assert!(old.put_job(ONE, b"one").unwrap_err().is_fenced());
    assert!(store_jobs(&store).running.is_empty());
}

fn store_jobs(store: &MemoryStore) -> StoredJobs {
    JobStore::new(Arc::new(store.clone()), 9, "reader").jobs().unwrap()
}

#[test]
fn a_lost_answer_is_found_out() {
    for fault in [Fault::After, Fault::Lost] {
        for remove in [false, true] {
            let store = MemoryStore::new();
            let jobs = lead(&store, 1);
            assert_eq!(jobs.put_job(ONE, b"one").unwrap(), PutOutcome::Stored);
            let faults = AtomicUsize::new(0);
            let hook = move |operation: Operation, _: &Key| match operation {
                Operation::Write | Operation::Remove if faults.fetch_add(1, Ordering::Relaxed) < 2 => fault,
                _ => Fault::None,
            };
            let faulty = JobStore { store: Arc::new(store.with_faults(hook)), ..jobs };
            if remove {
                faulty.remove(ONE).unwrap();
                assert!(store_jobs(&store).running.is_empty());
            } else {
                faulty.mark_ended(ONE, b"end", 1).unwrap();
                assert_eq!(store_jobs(&store).ended.len(), 1);
            }
        }
    }
}

#[test]
fn a_store_that_answers_nothing_is_an_error_that_says_what_is_known() {
    let store = MemoryStore::new();
    let jobs = lead(&store, 1);
    let failing = |fault| JobStore { store: Arc::new(store.with_faults(move |_: Operation, _: &Key| fault)), ..jobs.clone() };
    assert!(matches!(failing(Fault::Before).put_job(ONE, b"").unwrap_err(), StoreError::NotDone { .. }));
    let lost = |operation: Operation, _: &Key| if operation == Operation::Write { Fault::Lost } else { Fault::None };
    let losing = JobStore { store: Arc::new(store.with_faults(lost)), ..jobs.clone() };
    assert!(losing.put_job(ONE, b"").unwrap_err().is_unknown());
    assert_eq!(flott_core::Error::from(losing.put_job(ONE, b"").unwrap_err()).kind(), flott_core::ErrorKind::Unavailable);
}

#[test]
fn one_damaged_job_does_not_hide_the_others() {
    let store = MemoryStore::new();
    let jobs = lead(&store, 1);
    assert_eq!(jobs.put_job(TWO, b"two").unwrap(), PutOutcome::Stored);
    let key = jobs_key().join(&ONE.to_string()).unwrap();
    assert!(matches!(store.write(&key, b"garbage", &Expected::Absent).unwrap(), WriteOutcome::Written(_)));
    for found in [jobs.jobs().unwrap(), jobs.recover().unwrap()] {
        assert_eq!((found.running.len(), found.damaged.len()), (1, 1));
        assert!(found.damaged[0].to_string().contains(&ONE.to_string()));
    }
}
