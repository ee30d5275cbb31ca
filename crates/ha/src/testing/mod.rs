//! What every coordination store must do: the suite that each of them is given, and a way to its server that can be cut.

mod proxy;

pub use proxy::{Cut, Proxy};

use crate::{CoordinationStore, Expected, Key, RemoveOutcome, Version, WriteOutcome};
use std::{
    collections::HashSet,
    sync::{Arc, Barrier},
    thread,
};

/// Stores that are the same one, opened anew with each call.
pub type Open<'a> = &'a dyn Fn() -> Arc<dyn CoordinationStore>;

/// Runs the suite on an empty store.
///
/// # Panics
/// The store breaks the contract of [`CoordinationStore`].
pub fn conformance(open: Open<'_>) {
    values_are_written_and_read(open);
    conditions_hold(open);
    versions_never_come_again(open);
    keys_are_listed_below_their_prefix(open);
    of_many_writers_one_wins(open);
    increments_are_not_lost(open);
}

fn key(text: &str) -> Key {
    text.parse().expect("a key")
}

/// The version after a write that must succeed.
///
/// # Panics
/// It does not.
pub fn written(outcome: Result<WriteOutcome, crate::StoreError>) -> Version {
    match outcome.expect("the store answers") {
        WriteOutcome::Written(version) => version,
        WriteOutcome::Conflict => panic!("the write met a conflict"),
    }
}

fn values_are_written_and_read(open: Open<'_>) {
    let (store, key) = (open(), key("values/a"));
    assert_eq!(store.read(&key).expect("read"), None);
    let mut expected = Expected::Absent;
    let large: Vec<u8> = (0..300_000u32).map(|byte| (byte % 251) as u8).collect();
    for bytes in [&b""[..], b"{\"a\": \"\xc3\xa4\"}", &[0, 255, 10, 13, 0], &large] {
        let version = written(store.write(&key, bytes, &expected));
        for other in [&store, &open()] {
            let found = other.read(&key).expect("read").expect("the value is there");
            assert_eq!((found.bytes.len(), &found.version), (bytes.len(), &version));
            assert!(found.bytes == bytes, "the value is another");
        }
        expected = Expected::Version(version);
    }
}

fn conditions_hold(open: Open<'_>) {
    let (store, key) = (open(), key("conditions"));
    let first = written(store.write(&key, b"1", &Expected::Absent));
    assert_eq!(store.write(&key, b"x", &Expected::Absent).expect("write"), WriteOutcome::Conflict);
    let second = written(store.write(&key, b"2", &Expected::Version(first.clone())));
    assert_eq!(store.write(&key, b"x", &Expected::Version(first.clone())).expect("write"), WriteOutcome::Conflict);
    assert_eq!(store.remove(&key, &first).expect("remove"), RemoveOutcome::Conflict);
    assert_eq!(store.read(&key).expect("read").expect("the value is there").bytes, b"2");
    assert_eq!(store.remove(&key, &second).expect("remove"), RemoveOutcome::Removed);
    assert_eq!(store.remove(&key, &second).expect("remove"), RemoveOutcome::Conflict);
    assert_eq!(store.read(&key).expect("read"), None);
    assert_eq!(store.write(&key, b"x", &Expected::Version(second)).expect("write"), WriteOutcome::Conflict);
}

fn versions_never_come_again(open: Open<'_>) {
    let key = key("versions/of/one");
    let mut versions = HashSet::new();
    for round in 0..10 {
        let store = open();
        // The same bytes each time, as a store may make versions from them.
        let first = written(store.write(&key, b"same", &Expected::Absent));
        let second = written(store.write(&key, b"same", &Expected::Version(first.clone())));
        assert!(versions.insert(first.clone()) && versions.insert(second.clone()), "a version came again in round {round}");
        assert_eq!(store.remove(&key, &first).expect("remove"), RemoveOutcome::Conflict);
        assert_eq!(store.remove(&key, &second).expect("remove"), RemoveOutcome::Removed);
        for old in &versions {
            assert_eq!(store.write(&key, b"x", &Expected::Version(old.clone())).expect("write"), WriteOutcome::Conflict);
        }
    }
}

fn keys_are_listed_below_their_prefix(open: Open<'_>) {
    let store = open();
    assert_eq!(store.list(&key("listed")).expect("list"), []);
    let names = ["listed/a", "listed/a/b", "listed/c", "listed", "listed-too/d"];
    let versions = names.map(|name| written(store.write(&key(name), name.as_bytes(), &Expected::Absent)));
    assert_eq!(open().list(&key("listed")).expect("list"), ["listed/a", "listed/a/b", "listed/c"].map(key));
    assert_eq!(store.list(&key("listed/a")).expect("list"), [key("listed/a/b")]);
    assert_eq!(store.remove(&key("listed/a"), &versions[0]).expect("remove"), RemoveOutcome::Removed);
    assert_eq!(store.list(&key("listed")).expect("list"), ["listed/a/b", "listed/c"].map(key));
    assert_eq!(store.read(&key("listed/a/b")).expect("read").expect("the value is there").bytes, b"listed/a/b");
    // More than what one answer of some stores holds is listed all the same.
    let many: Vec<Key> = (0..30).map(|index| key(&format!("many/{index:02}"))).collect();
    many.iter().for_each(|key| drop(written(store.write(key, b"", &Expected::Absent))));
    assert_eq!(store.list(&key("many")).expect("list"), many);
}

fn of_many_writers_one_wins(open: Open<'_>) {
    const WRITERS: usize = 4;
    for round in 0..5 {
        let (key, barrier) = (key(&format!("race-{round}")), Barrier::new(WRITERS));
        let stores: Vec<_> = (0..WRITERS).map(|_| open()).collect();
        let outcomes: Vec<WriteOutcome> = thread::scope(|scope| {
            let write = |(index, store): (usize, &Arc<dyn CoordinationStore>)| {
                let (key, barrier, store) = (&key, &barrier, store.clone());
                scope.spawn(move || {
                    barrier.wait();
                    store.write(key, &[index as u8], &Expected::Absent).expect("the store answers")
                })
            };
            let writers: Vec<_> = stores.iter().enumerate().map(write).collect();
            writers.into_iter().map(|writer| writer.join().expect("the writer does not panic")).collect()
        });
        let winners: Vec<usize> = (0..WRITERS).filter(|index| matches!(outcomes[*index], WriteOutcome::Written(_))).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        let found = stores[0].read(&key).expect("read").expect("the value is there");
        assert_eq!(found.bytes, [winners[0] as u8]);
        assert_eq!(outcomes[winners[0]], WriteOutcome::Written(found.version));
    }
}

fn increments_are_not_lost(open: Open<'_>) {
    const WRITERS: u64 = 3;
    const EACH: u64 = 10;
    let key = key("counter/value");
    let count = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            let (store, key) = (open(), &key);
            scope.spawn(move || {
                let mut done = 0;
                while done < EACH {
                    let found = store.read(key).expect("read");
                    let (value, expected) =
                        found.map_or((0, Expected::Absent), |found| (count(&found.bytes), Expected::Version(found.version)));
                    let outcome = store.write(key, &(value + 1).to_le_bytes(), &expected).expect("the store answers");
                    done += u64::from(outcome != WriteOutcome::Conflict);
                }
            });
        }
    });
    let found = open().read(&key).expect("read").expect("the value is there");
    assert_eq!(count(&found.bytes), WRITERS * EACH);
}
