//! The server dies, comes back, loses answers, and refuses.

use crate::server::Server;
use flott_core::secret::Secret;
use flott_ha::{
    CoordinationStore, Expected, Key, StoreError,
    testing::{Cut, Proxy, written},
};
use flott_ha_s3::{S3Settings, S3Store};
use std::{error::Error, time::Duration};

fn key() -> Key {
    Key::new("leader").unwrap()
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
fn what_was_written_survives_the_servers_death() {
    let mut server = Server::start();
    let store = S3Store::new(server.settings());
    let version = written(store.write(&key(), b"a", &Expected::Absent));
    server.kill();
    // It was sent on a connection that just ended, so that nobody knows; the next cannot be sent.
    let error = store.write(&key(), b"lost", &Expected::Version(version.clone())).unwrap_err();
    assert!(matches!(error, StoreError::NotDone { .. } | StoreError::Unknown { .. }), "{error}");
    let error = store.write(&key(), b"lost", &Expected::Version(version.clone())).unwrap_err();
    assert!(matches!(error, StoreError::NotDone { .. }), "nobody listens: {error}");
    assert!(matches!(store.read(&key()).unwrap_err(), StoreError::NotDone { .. }));
    server.restart();
    let found = store.read(&key()).unwrap().unwrap();
    assert_eq!((&found.bytes[..], &found.version), (&b"a"[..], &version));
    written(store.write(&key(), b"b", &Expected::Version(version)));
}

#[test]
fn an_answer_that_is_lost_leaves_the_outcome_unknown_and_reading_tells() {
    let server = Server::start();
    for (cut, done) in [(Cut::Answers, true), (Cut::Requests, false)] {
        let proxy = Proxy::to(server.port);
        let direct = S3Store::new(server.settings());
        let store = S3Store::new(S3Settings { endpoint: proxy.endpoint(), ..server.settings() });
        let expected = direct.read(&key()).unwrap().map_or(Expected::Absent, |found| Expected::Version(found.version));
        let before = written(store.write(&key(), b"before", &expected));
        proxy.cut(cut);
        let error = store.write(&key(), b"after", &Expected::Version(before.clone())).unwrap_err();
        assert!(error.is_unknown(), "{cut:?}: {error}");
        assert!(matches!(store.read(&key()).unwrap_err(), StoreError::NotDone { .. }));
        proxy.cut(Cut::Nothing);
        let found = store.read(&key()).unwrap().unwrap();
        assert_eq!((found.bytes == b"after", found.version != before), (done, done), "{cut:?}");
    }
}

#[test]
fn a_server_that_is_silent_is_given_up_after_a_while() {
    let server = Server::start();
    let proxy = Proxy::to(server.port);
    let settings = S3Settings { endpoint: proxy.endpoint(), ..server.settings() };
    let patient = S3Store::new(settings.clone());
    let version = written(patient.write(&key(), b"a", &Expected::Absent));
    proxy.cut(Cut::Silence);
    let store = S3Store::new(S3Settings { timeout: Duration::from_millis(300), ..settings });
    // It has not tried out yet what the server can do, so that the write was not begun.
    let error = store.write(&key(), b"b", &Expected::Version(version)).unwrap_err();
    assert!(!error.is_unknown(), "{error}");
    assert!(matches!(store.read(&key()).unwrap_err(), StoreError::NotDone { .. }));
}

#[test]
fn what_is_refused_says_why_and_shows_no_secret() {
    let server = Server::start();
    let wrong = S3Store::new(S3Settings { secret_key: Secret::new("not-the-secret"), ..server.settings() });
    for error in [wrong.read(&key()).unwrap_err(), wrong.write(&key(), b"a", &Expected::Absent).unwrap_err()] {
        assert!(!error.is_unknown() && text(&error).contains("SignatureDoesNotMatch"), "{}", text(&error));
        assert!(!text(&error).contains("not-the-secret"));
    }
    let nowhere = S3Store::new(S3Settings { bucket: "nowhere".to_owned(), ..server.settings() });
    for error in [nowhere.read(&key()).unwrap_err(), nowhere.write(&key(), b"a", &Expected::Absent).unwrap_err()] {
        assert!(!error.is_unknown() && text(&error).contains("NoSuchBucket"), "{}", text(&error));
    }
}

#[test]
fn an_object_that_is_none_of_ours_is_damage_and_is_not_written_over() {
    let server = Server::start();
    let store = S3Store::new(server.settings());
    let version = written(store.write(&key(), b"a", &Expected::Absent));
    server.garble(&key());
    let error = store.read(&key()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }) && error.to_string().contains("leader"), "{error}");
    assert!(matches!(store.write(&key(), b"b", &Expected::Absent), Err(StoreError::Damaged { .. })));
    let _ = version;
}
