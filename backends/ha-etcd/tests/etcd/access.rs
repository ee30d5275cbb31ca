//! An etcd that asks who is there.

use crate::server::Etcd;
use flott_core::secret::Secret;
use flott_ha::{CoordinationStore, Expected, Key, StoreError, testing::written};
use flott_ha_etcd::{EtcdSettings, EtcdStore};
use std::{error::Error, time::Duration};

fn key() -> Key {
    Key::new("leader").unwrap()
}

fn settings(etcd: &Etcd) -> EtcdSettings {
    EtcdSettings { timeout: Duration::from_secs(20), ..EtcdSettings::new(vec![etcd.endpoint()]) }
}

/// The text of an error and of what is behind it.
fn text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

#[test]
fn a_user_is_let_in_with_the_password_and_again_after_etcd_was_started_anew() {
    let mut etcd = Etcd::start();
    etcd.post("/v3/auth/user/add", r#"{"name": "root", "password": "sesame"}"#);
    etcd.post("/v3/auth/role/add", r#"{"name": "root"}"#);
    etcd.post("/v3/auth/user/grant", r#"{"user": "root", "role": "root"}"#);
    etcd.post("/v3/auth/enable", "{}");
    let user = |password: &str| Some(("root".to_owned(), Secret::new(password)));
    let store = EtcdStore::new(EtcdSettings { user: user("sesame"), ..settings(&etcd) }).unwrap();
    let version = written(store.write(&key(), b"a", &Expected::Absent));
    // It forgets who was let in.
    etcd.kill();
    etcd.restart();
    assert_eq!(store.read(&key()).unwrap().unwrap().version, version);
    etcd.kill();
    etcd.restart();
    written(store.write(&key(), b"b", &Expected::Version(store.read(&key()).unwrap().unwrap().version)));

    let stranger = EtcdStore::new(settings(&etcd)).unwrap();
    let error = stranger.write(&key(), b"x", &Expected::Absent).unwrap_err();
    assert!(!error.is_unknown() && text(&error).contains("user name is empty"), "{}", text(&error));
    let mistaken = EtcdStore::new(EtcdSettings { user: user("wrong-word"), ..settings(&etcd) }).unwrap();
    let error = text(&mistaken.read(&key()).unwrap_err());
    assert!(error.contains("`root` is not let in") && !error.contains("wrong-word"), "{error}");
}

#[test]
fn with_tls_both_sides_show_certificates() {
    let etcd = Etcd::with_tls();
    let identity = Some((etcd.file("client.pem"), etcd.file("client.key")));
    let known = EtcdSettings { ca: Some(etcd.file("ca.pem")), identity, ..settings(&etcd) };
    let store = EtcdStore::new(known.clone()).unwrap();
    written(store.write(&key(), b"a", &Expected::Absent));
    assert_eq!(store.read(&key()).unwrap().unwrap().bytes, b"a");

    let stranger = EtcdStore::new(EtcdSettings { identity: None, ..known.clone() }).unwrap();
    // It is turned away after it has begun to write, so that it may not hear why.
    assert!(matches!(stranger.read(&key()), Err(StoreError::NotDone { .. })));
    let mistrusting = EtcdStore::new(EtcdSettings { ca: None, ..known.clone() }).unwrap();
    let error = text(&mistrusting.read(&key()).unwrap_err());
    assert!(error.contains("UnknownIssuer"), "{error}");
    let missing = EtcdStore::new(EtcdSettings { ca: Some("/nowhere/ca.pem".into()), ..known }).unwrap_err();
    assert!(missing.to_string().contains("/nowhere/ca.pem"), "{missing}");
}
