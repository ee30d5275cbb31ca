//! etcd dies, comes back, and answers that are lost on the way.

use crate::{
    proxy::{Cut, Proxy},
    server::Etcd,
};
use flott_ha::{CoordinationStore, Expected, Key, StoreError, Version, WriteOutcome, testing::written};
use flott_ha_etcd::{EtcdSettings, EtcdStore};
use std::{collections::HashSet, net::TcpListener, time::Duration};

fn store(endpoints: Vec<String>) -> EtcdStore {
    EtcdStore::new(EtcdSettings { timeout: Duration::from_secs(20), ..EtcdSettings::new(endpoints) }).unwrap()
}

fn key() -> Key {
    Key::new("leader").unwrap()
}

/// What the store has, when it answers again.
fn read(store: &EtcdStore) -> (Vec<u8>, Version) {
    let found = store.read(&key()).unwrap().unwrap();
    (found.bytes, found.version)
}

#[test]
fn what_was_written_survives_etcds_death_and_no_version_comes_again() {
    let mut etcd = Etcd::start();
    let store = store(vec![etcd.endpoint()]);
    let mut versions = HashSet::new();
    let mut expected = Expected::Absent;
    for round in 0..3u8 {
        let version = written(store.write(&key(), &[round], &expected));
        assert!(versions.insert(version.clone()));
        etcd.kill();
        // Its connections are gone, so nothing is sent: or the write was sent on one that just ended, and nobody knows.
        let error = store.write(&key(), b"lost", &Expected::Version(version.clone())).unwrap_err();
        assert!(matches!(error, StoreError::NotDone { .. } | StoreError::Unknown { .. }), "{error}");
        let error = store.write(&key(), b"lost", &Expected::Version(version.clone())).unwrap_err();
        assert!(matches!(error, StoreError::NotDone { .. }), "nobody listens: {error}");
        assert!(matches!(store.read(&key()).unwrap_err(), StoreError::NotDone { .. }));
        etcd.restart();
        assert_eq!(read(&store), (vec![round], version.clone()));
        expected = Expected::Version(version);
    }
}

#[test]
fn an_answer_that_is_lost_leaves_the_outcome_unknown_and_reading_tells() {
    let etcd = Etcd::start();
    for (cut, done) in [(Cut::Answers, true), (Cut::Requests, false)] {
        let proxy = Proxy::to(etcd.port);
        let (direct, store) = (store(vec![etcd.endpoint()]), store(vec![proxy.endpoint()]));
        let expected = direct.read(&key()).unwrap().map_or(Expected::Absent, |found| Expected::Version(found.version));
        let before = written(store.write(&key(), b"before", &expected));
        proxy.cut(cut);
        let error = store.write(&key(), b"after", &Expected::Version(before.clone())).unwrap_err();
        assert!(error.is_unknown(), "{cut:?}: {error}");
        assert!(matches!(store.read(&key()).unwrap_err(), StoreError::NotDone { .. }));
        proxy.cut(Cut::Nothing);
        let (bytes, version) = read(&store);
        assert_eq!((&bytes[..] == b"after", version != before), (done, done), "{cut:?}");
    }
}

#[test]
fn a_member_that_is_silent_is_given_up_after_a_while() {
    let etcd = Etcd::start();
    let proxy = Proxy::to(etcd.port);
    let settings = EtcdSettings { timeout: Duration::from_millis(500), ..EtcdSettings::new(vec![proxy.endpoint(), etcd.endpoint()]) };
    let store = EtcdStore::new(settings).unwrap();
    proxy.cut(Cut::Silence);
    // A write must not be done twice: the other member is not asked.
    assert!(store.write(&key(), b"a", &Expected::Absent).unwrap_err().is_unknown());
    // It was done. The call after it asks the other member.
    assert_eq!(read(&store).0, b"a");
}

#[test]
fn another_member_is_asked_when_one_is_not_there() {
    let etcd = Etcd::start();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let store = store(vec![nobody, etcd.endpoint()]);
    let version = written(store.write(&key(), b"a", &Expected::Absent));
    assert_eq!(read(&store), (b"a".to_vec(), version));
    assert_eq!(store.write(&key(), b"b", &Expected::Absent).unwrap(), WriteOutcome::Conflict);
}
