//! Single rules of the election, each with a history of its own.

use super::*;
use crate::{Key, MemoryStore};

const SECOND: Duration = Duration::from_secs(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn candidate(name: &str) -> LeaderElection {
    LeaderElection::new(ElectionSettings::new(name, format!("{name}:6123"), SECOND))
}

/// Lets a candidate do all that it wants of `store` at `now`; gives what else it said.
fn settle(candidate: &mut LeaderElection, now: Duration, event: ElectionEvent, store: &MemoryStore) -> Vec<ElectionAction> {
    let mut said = Vec::new();
    let mut events = vec![event];
    while let Some(event) = events.pop() {
        for action in candidate.handle(now, event) {
            match perform(store, &action) {
                Some(event) => events.push(event),
                None => said.push(action),
            }
        }
    }
    said
}

/// Lets a candidate do what it wants of `store` at `now`, but for a write, which is given back.
fn settle_but_for_the_last(candidate: &mut LeaderElection, now: Duration, store: &MemoryStore) -> ElectionAction {
    let mut actions = candidate.handle(now, ElectionEvent::Wake);
    while let Some(ElectionAction::Read) = actions.last() {
        actions = candidate.handle(now, perform(store, &ElectionAction::Read).unwrap());
    }
    actions.pop().expect("it wants to write")
}

/// Lets time pass until `until`, waking the candidate when it wants to be. Gives what it said.
fn pass(candidate: &mut LeaderElection, from: Duration, until: Duration, store: &MemoryStore) -> Vec<ElectionAction> {
    let mut said = Vec::new();
    let mut now = from;
    while let Some(wake) = candidate.next_wake().filter(|wake| *wake <= until) {
        now = now.max(wake);
        said.extend(settle(candidate, now, ElectionEvent::Wake, store));
    }
    said
}

fn is_granted(actions: &[ElectionAction], epoch: u64) -> bool {
    actions.contains(&ElectionAction::Granted { epoch })
}

#[test]
fn a_candidate_leads_at_once_where_nobody_ever_has() {
    let (store, mut a) = (MemoryStore::new(), candidate("a"));
    let said = settle(&mut a, ms(5), ElectionEvent::Wake, &store);
    assert!(is_granted(&said, 1), "{said:?}");
    assert!(matches!(&said[0], ElectionAction::Observed(Some(record)) if record.address == "a:6123"));
    assert!(a.is_leader(ms(5)) && a.is_leader(ms(804)) && !a.is_leader(ms(805)));
    assert_eq!(a.epoch(), Some(1));
}

#[test]
fn a_standby_takes_over_a_lease_duration_after_the_last_sign_of_life_and_not_before() {
    let store = MemoryStore::new();
    let (mut a, mut b) = (candidate("a"), candidate("b"));
    settle(&mut a, ms(0), ElectionEvent::Wake, &store);
    assert_eq!(settle(&mut b, ms(50), ElectionEvent::Wake, &store).len(), 1, "it only observes the leader");
    assert_eq!(pass(&mut b, ms(50), ms(320), &store), []);
    // a renews once more, which b sees at 335 or later, and dies.
    assert_eq!(pass(&mut a, ms(50), ms(400), &store), []);
    assert_eq!(pass(&mut b, ms(320), ms(1334), &store), []);
    let said = pass(&mut b, ms(1334), ms(1500), &store);
    assert!(is_granted(&said, 2), "{said:?}");
}

#[test]
fn a_released_lease_is_taken_with_the_next_look() {
    let store = MemoryStore::new();
    let (mut a, mut b) = (candidate("a"), candidate("b"));
    settle(&mut a, ms(0), ElectionEvent::Wake, &store);
    settle(&mut b, ms(0), ElectionEvent::Wake, &store);
    let said = settle(&mut a, ms(100), ElectionEvent::Release, &store);
    assert_eq!(said[0], ElectionAction::Revoked { epoch: 1, reason: RevokeReason::Released });
    assert!(a.is_done() && !a.is_leader(ms(100)) && a.next_wake().is_none());
    assert!(is_granted(&pass(&mut b, ms(100), ms(250), &store), 2));
    assert!(settle(&mut a, ms(300), ElectionEvent::Wake, &store).is_empty());
}

#[test]
fn a_release_while_a_renewal_is_under_way_still_frees_the_lease() {
    let (store, mut a) = (MemoryStore::new(), candidate("a"));
    settle(&mut a, ms(0), ElectionEvent::Wake, &store);
    let renewal = a.handle(ms(400), ElectionEvent::Wake);
    assert!(matches!(renewal[..], [ElectionAction::Write { .. }]));
    let said = a.handle(ms(410), ElectionEvent::Release);
    assert_eq!(said, [ElectionAction::Revoked { epoch: 1, reason: RevokeReason::Released }]);
    let answer = perform(&store, &renewal[0]).unwrap();
    settle(&mut a, ms(420), answer, &store);
    assert!(a.is_done());
    assert!(read_lease(&store).unwrap().unwrap().record.released);
}

#[test]
fn a_leader_whose_store_does_not_answer_stops_before_others_may_take_over() {
    let store = MemoryStore::new();
    let mut a = candidate("a");
    settle(&mut a, ms(0), ElectionEvent::Wake, &store);
    let actions = a.handle(ms(334), ElectionEvent::Wake);
    assert!(matches!(actions[..], [ElectionAction::Write { .. }]));
    assert_eq!(a.next_wake(), Some(ms(800)));
    assert_eq!(a.handle(ms(799), ElectionEvent::Wake), []);
    assert_eq!(a.handle(ms(800), ElectionEvent::Wake), [ElectionAction::Revoked { epoch: 1, reason: RevokeReason::Expired }]);
    // The renewal was done after all: nobody else can lead, but the old term does not come back.
    let answer = perform(&store, &actions[0]).unwrap();
    let said = settle(&mut a, ms(900), answer, &store);
    assert!(is_granted(&said, 2), "{said:?}");
}

#[test]
fn a_lease_is_longer_while_the_store_is_slow_and_the_leader_counts_with_the_shorter_one_when_that_is_over() {
    let (store, mut a) = (MemoryStore::new(), candidate("a"));
    let asked = settle_but_for_the_last(&mut a, ms(0), &store);
    assert!(matches!(&asked, ElectionAction::Write { record, .. } if record.duration_ms == 1000), "{asked:?}");
    assert!(is_granted(&settle(&mut a, ms(500), perform(&store, &asked).unwrap(), &store), 1));
    let duration = || read_lease(&store).unwrap().unwrap().record.duration_ms;
    assert_eq!(duration(), 2000);
    assert_eq!(pass(&mut a, ms(500), ms(60_900), &store), []);
    assert_eq!(duration(), 2000);
    let last = a.leader_until().unwrap();
    assert!(last > ms(62_000), "{last:?}");
    // The slow write is forgotten; until the store says that the shorter lease was not seen, it may have been.
    let shorter = settle_but_for_the_last(&mut a, ms(61_200), &store);
    assert!(matches!(&shorter, ElectionAction::Write { record, .. } if record.duration_ms == 1000), "{shorter:?}");
    assert_eq!(a.leader_until(), Some(ms(61_200) + ms(800)));
}

#[test]
fn a_pause_shorter_than_the_lease_costs_nothing() {
    let (store, mut a) = (MemoryStore::new(), candidate("a"));
    settle(&mut a, ms(0), ElectionEvent::Wake, &store);
    assert_eq!(settle(&mut a, ms(750), ElectionEvent::Wake, &store), []);
    assert!(a.is_leader(ms(1500)));
    let renewal = a.handle(ms(1500), ElectionEvent::Wake);
    // The process is held up while the answer is there: the renewal counts from its start.
    let answer = perform(&store, &renewal[0]).unwrap();
    assert_eq!(settle(&mut a, ms(1700), answer, &store), []);
    assert!(a.is_leader(ms(2299)) && !a.is_leader(ms(2300)));
}

#[test]
fn a_leader_that_sees_another_is_one_no_more() {
    let store = MemoryStore::new();
    let (mut a, mut b) = (candidate("a"), candidate("b"));
    settle(&mut a, ms(0), ElectionEvent::Wake, &store);
    settle(&mut b, ms(0), ElectionEvent::Wake, &store);
    // a's clock hardly moves: its process was suspended with it.
    assert!(is_granted(&pass(&mut b, ms(0), ms(1200), &store), 2));
    let said = settle(&mut a, ms(400), ElectionEvent::Wake, &store);
    assert_eq!(said[0], ElectionAction::Revoked { epoch: 1, reason: RevokeReason::Superseded { epoch: 2, holder: "b".to_owned() } });
    assert!(matches!(&said[1], ElectionAction::Observed(Some(record)) if record.holder == "b"));
}

#[test]
fn an_unknown_write_is_resolved_by_reading() {
    use crate::memory::{Fault, Operation};
    for (fault, done) in [(Fault::After, true), (Fault::Lost, false)] {
        let store = MemoryStore::new();
        let first = std::sync::atomic::AtomicBool::new(true);
        let faulty = store.with_faults(move |operation: Operation, _: &Key| {
            let now = operation == Operation::Write && first.swap(false, std::sync::atomic::Ordering::Relaxed);
            if now { fault } else { Fault::None }
        });
        let mut a = candidate("a");
        let said = settle(&mut a, ms(0), ElectionEvent::Wake, &faulty);
        assert!(is_granted(&said, 1), "{fault:?}: {said:?}");
        assert_eq!(read_lease(&store).unwrap().unwrap().record.renewals, if done { 1 } else { 2 });
    }
}

#[test]
fn a_lease_that_was_removed_ends_the_term_but_epochs_go_on() {
    let (store, mut a) = (MemoryStore::new(), candidate("a"));
    settle(&mut a, ms(0), ElectionEvent::Wake, &store);
    let version = read_lease(&store).unwrap().unwrap().version;
    assert_eq!(store.remove(&lease_key(), &version).unwrap(), crate::RemoveOutcome::Removed);
    let said = settle(&mut a, ms(400), ElectionEvent::Wake, &store);
    assert_eq!(said[0], ElectionAction::Revoked { epoch: 1, reason: RevokeReason::Removed });
    assert!(is_granted(&said, 2), "{said:?}");
}

#[test]
fn epochs_begin_above_the_floor() {
    let store = MemoryStore::new();
    let mut a = LeaderElection::new(ElectionSettings { epoch_floor: 41, ..ElectionSettings::new("a", "a:1", SECOND) });
    assert!(is_granted(&settle(&mut a, ms(0), ElectionEvent::Wake, &store), 42));
}

#[test]
fn a_garbled_lease_makes_nobody_leader_and_stops_nobody_from_looking_again() {
    let store = MemoryStore::new();
    let garbled = store.write(&lease_key(), b"{\"epoch\":", &Expected::Absent).unwrap();
    let WriteOutcome::Written(version) = garbled else { panic!("it was written") };
    let mut a = candidate("a");
    assert_eq!(pass(&mut a, ms(0), ms(5000), &store), []);
    assert!(read_lease(&store).unwrap_err().to_string().contains("leader"));
    assert_eq!(store.remove(&lease_key(), &version).unwrap(), crate::RemoveOutcome::Removed);
    assert!(is_granted(&pass(&mut a, ms(5000), ms(5200), &store), 1));
}

#[test]
fn a_record_of_an_older_release_is_read() {
    let record = LeaseRecord::decode(br#"{"epoch":3,"holder":"h","renewals":9,"duration_ms":1000,"address":"a:1","later":true}"#).unwrap();
    assert_eq!((record.epoch, record.rest_address.as_str(), record.released), (3, "", false));
    assert_eq!(LeaseRecord::decode(&record.encode()).unwrap(), record);
}
