//! What every store must do, on etcd.

use crate::server::Etcd;
use flott_ha::{
    CoordinationStore, ElectionSettings, Elector, Expected, JobStore, Key, LeadershipEvent,
    testing::{conformance, written},
};
use flott_ha_etcd::{EtcdSettings, EtcdStore};
use std::{
    sync::{Arc, mpsc::channel},
    time::Duration,
};

#[test]
fn the_store_in_etcd_keeps_the_contract() {
    let etcd = Etcd::start();
    let settings = EtcdSettings { timeout: Duration::from_secs(20), ..EtcdSettings::new(vec![etcd.endpoint()]) };
    conformance(&|| Arc::new(EtcdStore::new(settings.clone()).unwrap()) as Arc<dyn CoordinationStore>);
}

#[test]
fn clusters_with_other_ids_do_not_meet() {
    let etcd = Etcd::start();
    let store = |prefix: &str| {
        let prefix = prefix.to_owned();
        EtcdStore::new(EtcdSettings { prefix, timeout: Duration::from_secs(20), ..EtcdSettings::new(vec![etcd.endpoint()]) }).unwrap()
    };
    let key = Key::new("jobs/1").unwrap();
    written(store("/flott/a/").write(&key, b"a", &Expected::Absent));
    assert_eq!(store("/flott/b/").read(&key).unwrap(), None);
    assert_eq!(store("/flott/b/").list(&Key::new("jobs").unwrap()).unwrap(), []);
}

#[test]
fn a_leader_is_elected_and_keeps_jobs() {
    let etcd = Etcd::start();
    let settings = EtcdSettings { timeout: Duration::from_secs(20), ..EtcdSettings::new(vec![etcd.endpoint()]) };
    let store: Arc<dyn CoordinationStore> = Arc::new(EtcdStore::new(settings).unwrap());
    let (sender, events) = channel();
    let candidate = ElectionSettings::new("a", "a:6123", Duration::from_secs(60));
    let elector = Elector::start(store.clone(), candidate, move |event| drop(sender.send(event))).unwrap();
    assert!(matches!(events.recv().unwrap(), LeadershipEvent::Observed(Some(_))));
    assert_eq!(events.recv().unwrap(), LeadershipEvent::Granted { epoch: 1 });
    let jobs = JobStore::new(store.clone(), 1, "a");
    let _ = jobs.put_job(flott_core::id::JobId(7), b"graph").unwrap();
    assert_eq!(jobs.recover().unwrap().running[0].bytes, b"graph");
    elector.release();
    assert!(jobs.put_job(flott_core::id::JobId(8), b"graph").unwrap_err().is_fenced());
}
