//! Messages of earlier versions are still understood, and messages of later ones do no harm.
//!
//! `tests/messages/v1/<type>.json` holds messages for people, one of every kind, and `<type>.msgpack` the bytes that they were when they
//! were added, as they travel. Neither is ever changed: a message that must look otherwise is another one, and a new kind of message is
//! one more line in the text, whose bytes `UPDATE_MESSAGES=1 cargo test -p flott-cluster compatibility` adds.

use super::connection::{encode, receive};
use flott_rpc::control::{
    ClientReply, ClientRequest, FromTaskManager, FromWorker, Hello, Notice, Part, Role, ToTaskManager, ToWorker, Welcome,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Debug, fs, path::PathBuf};

/// What travels, and can be compared.
trait Message: Serialize + DeserializeOwned + PartialEq + Debug {}
impl<M: Serialize + DeserializeOwned + PartialEq + Debug> Message for M {}

fn path(name: &str, extension: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/messages/v1").join(format!("{name}.{extension}"))
}

/// The lines of the text: a message each.
fn lines(name: &str) -> Vec<String> {
    let text = fs::read_to_string(path(name, "json")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn read<M: Message>(name: &str) -> Vec<M> {
    lines(name).iter().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"))).collect()
}

/// The names of the variants of an enum, which its decoder lists when it meets another one.
fn variants<M: Message>() -> BTreeSet<String> {
    let error = serde_json::from_str::<M>("\"?\"").unwrap_err().to_string();
    let names = error.split("expected ").nth(1).unwrap_or_default();
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The variant that a message is.
fn variant(line: &str) -> String {
    match serde_json::from_str(line).unwrap() {
        Value::String(name) => name,
        Value::Object(fields) => fields.keys().next().unwrap().clone(),
        other => panic!("{other}"),
    }
}

/// Every message that was ever committed means what it meant, and there is one of each kind.
#[track_caller]
fn are_understood<M: Message>(name: &str) {
    let messages = read::<M>(name);
    if std::env::var_os("UPDATE_MESSAGES").is_some() {
        add_bytes(name, &messages);
    }
    let bytes = fs::read(path(name, "msgpack")).unwrap_or_default();
    let mut rest = bytes.as_slice();
    let missing = "is not in the bytes: UPDATE_MESSAGES=1 cargo test -p flott-cluster compatibility";
    for (line, message) in messages.iter().enumerate() {
        assert!(!rest.is_empty(), "{name}: line {} {missing}", line + 1);
        assert_eq!(&receive::<M>(&mut rest).unwrap(), message, "{name}: line {}", line + 1);
    }
    for (line, message) in lines(name).iter().zip(&messages) {
        let (then, now) = (serde_json::from_str(line).unwrap(), serde_json::to_value(message).unwrap());
        assert!(is_in(&then, &now), "{name}: an older process misses something in\n{now}\nthat is in\n{line}");
    }
    assert!(rest.is_empty(), "{name}: there are more bytes than lines");
}

/// Whether everything of `then` is in `now`, which may have more fields.
fn is_in(then: &Value, now: &Value) -> bool {
    match (then, now) {
        (Value::Object(then), Value::Object(now)) => then.iter().all(|(key, value)| now.get(key).is_some_and(|field| is_in(value, field))),
        (Value::Array(then), Value::Array(now)) => then.len() == now.len() && then.iter().zip(now).all(|(then, now)| is_in(then, now)),
        _ => then == now,
    }
}

/// Adds the bytes of those messages that have none yet.
fn add_bytes<M: Message>(name: &str, messages: &[M]) {
    let mut bytes = fs::read(path(name, "msgpack")).unwrap_or_default();
    let mut known = 0;
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && receive::<M>(&mut rest).is_ok() {
        known += 1;
    }
    assert!(rest.is_empty(), "{name}: message {known} is not understood any more");
    messages.iter().skip(known).for_each(|message| bytes.extend(encode(message).unwrap()));
    fs::write(path(name, "msgpack"), bytes).unwrap();
}

#[track_caller]
fn are_all_there<M: Message>(name: &str) {
    let there: BTreeSet<String> = lines(name).iter().map(|line| variant(line)).collect();
    assert_eq!(there, variants::<M>(), "{name}.json needs a line for each");
}

/// Adds a field of a later version to all structures in `value`. Keys of maps have a dot in these messages; names of variants are alone
/// and begin with a capital.
fn with_fields_of_tomorrow(value: &mut Value) -> u32 {
    let mut added = 0;
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| added += with_fields_of_tomorrow(item)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|field| added += with_fields_of_tomorrow(field));
            // Not to a length of time, which is the standard library's.
            let is_duration = fields.contains_key("nanos");
            if !is_duration && fields.keys().all(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')) {
                fields.insert("of_tomorrow".to_owned(), json!({"a": [1, null, "b"]}));
                added += 1;
            }
        }
        _ => {}
    }
    added
}

#[track_caller]
fn pass_over_what_they_do_not_know<M: Message>(name: &str) {
    for line in lines(name) {
        let mut value: Value = serde_json::from_str(&line).unwrap();
        let added = with_fields_of_tomorrow(&mut value);
        let today: M = serde_json::from_str(&line).unwrap();
        let tomorrow: M = serde_json::from_value(value).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
        assert_eq!(tomorrow, today, "{added} fields added to {line}");
    }
}

macro_rules! for_every_type {
    ($check:ident) => {
        $check::<ClientRequest>("ClientRequest");
        $check::<ClientReply>("ClientReply");
        $check::<ToTaskManager>("ToTaskManager");
        $check::<FromTaskManager>("FromTaskManager");
        $check::<ToWorker>("ToWorker");
        $check::<FromWorker>("FromWorker");
        $check::<Welcome>("Welcome");
        $check::<Part>("Part");
        $check::<Notice>("Notice");
    };
}

#[test]
fn messages_of_protocol_1_are_understood() {
    for_every_type!(are_understood);
    are_understood::<Hello>("Hello");
}

#[test]
fn there_is_a_message_of_every_kind() {
    for_every_type!(are_all_there);
    let roles: BTreeSet<String> =
        lines("Hello").iter().map(|line| variant(&serde_json::from_str::<Value>(line).unwrap()["role"].to_string())).collect();
    assert_eq!(roles, variants::<Role>(), "Hello.json needs a line for each role");
}

#[test]
fn fields_of_tomorrow_are_passed_over() {
    for_every_type!(pass_over_what_they_do_not_know);
    pass_over_what_they_do_not_know::<Hello>("Hello");
}

#[test]
fn fields_that_yesterday_did_not_have_take_their_default() {
    let line = r#"{"Client":{"job_manager":"localhost:1","executable":"ab","detached":true}}"#;
    let Part::Client { job, .. } = serde_json::from_str(line).unwrap() else { panic!("{line}") };
    assert_eq!(job, None);
}

#[test]
fn what_an_older_process_would_miss_is_found() {
    let then = json!({"Stop": {"job": 1, "list": [1, {"a": 2}]}});
    assert!(is_in(&then, &json!({"Stop": {"job": 1, "list": [1, {"a": 2, "more": 3}], "more": 4}})));
    for less in [json!({"Stop": {"job": 1}}), json!({"Stop": {"job": 2, "list": [1, {"a": 2}]}}), json!({"Halt": {}}), json!(null)] {
        assert!(!is_in(&then, &less), "{less}");
    }
}

#[test]
fn a_message_of_tomorrow_is_told_from_a_broken_connection() {
    use super::connection::ConnectionError;
    let frames = [encode(&json!({"ReadMinds": {"of": 7}})).unwrap(), encode(&ClientRequest::ListJobs).unwrap()].concat();
    let mut from = frames.as_slice();
    let error = receive::<ClientRequest>(&mut from).unwrap_err();
    assert!(matches!(&error, ConnectionError::NotUnderstood { reason, .. } if reason.contains("`ReadMinds`")), "{error}");
    assert_eq!(receive::<ClientRequest>(&mut from).unwrap(), ClientRequest::ListJobs);
}

#[test]
fn a_process_that_introduces_itself_in_another_way_is_refused_by_its_protocol() {
    use super::{connection::ConnectionError, refusal_of_stranger};
    let hello = |protocol: u32| json!({"protocol": protocol, "version": "9.0.0", "role": {"Oracle": {}}});
    let refused = |hello: Value| match receive::<Hello>(encode(&hello).unwrap().as_slice()) {
        Err(ConnectionError::NotUnderstood { reason, body }) => refusal_of_stranger(&body, &reason),
        other => panic!("{other:?}"),
    };
    assert!(refused(hello(9)).contains("Flott 9.0.0 (protocol 9)"));
    assert!(refused(hello(1)).contains("`Oracle`"));
    assert!(refused(json!({"hello": "world"})).contains("does not understand how it introduces itself"));
}
