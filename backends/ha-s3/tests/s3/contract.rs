//! What every store must do, on S3.

use crate::server::Server;
use flott_ha::{
    CoordinationStore, ElectionSettings, Elector, Expected, JobStore, Key, LeadershipEvent,
    testing::{conformance, written},
};
use flott_ha_s3::{S3Settings, S3Store};
use std::{
    sync::{Arc, mpsc::channel},
    time::Duration,
};

#[test]
fn the_store_in_s3_keeps_the_contract() {
    let server = Server::start();
    let settings = server.settings();
    conformance(&|| Arc::new(S3Store::new(settings.clone())) as Arc<dyn CoordinationStore>);
}

#[test]
fn where_objects_cannot_be_removed_on_a_condition_they_are_marked() {
    let server = Server::start();
    let settings = server.settings();
    conformance(&|| Arc::new(S3Store::new(settings.clone()).that_marks_removed()) as Arc<dyn CoordinationStore>);
}

#[test]
fn clusters_with_other_ids_do_not_meet() {
    let server = Server::start();
    let store = |prefix: &str| S3Store::new(S3Settings { prefix: prefix.to_owned(), ..server.settings() });
    let key = Key::new("jobs/1").unwrap();
    written(store("with space+/a/").write(&key, b"a", &Expected::Absent));
    assert_eq!(store("with space+/a/").list(&Key::new("jobs").unwrap()).unwrap(), std::slice::from_ref(&key));
    assert_eq!(store("with space+/b/").read(&key).unwrap(), None);
    assert_eq!(store("with space+/b/").list(&Key::new("jobs").unwrap()).unwrap(), []);
}

#[test]
fn a_leader_is_elected_and_keeps_jobs() {
    let server = Server::start();
    let store: Arc<dyn CoordinationStore> = Arc::new(S3Store::new(server.settings()));
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
