use crate::worker::{Worker, attempt, batch, key, settings};
use flott_core::{AnyBatch, Batch, id::JobId};
use flott_runtime::StreamElement;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::net::{Ipv4Addr, TcpListener};

#[test]
fn a_lost_connection_breaks_all_its_channels_on_both_sides() {
    let (mut a, b, c) = (Worker::new(), Worker::new(), Worker::new());
    let mut receivers: Vec<_> = (0..3).map(|index| b.receiver::<u32>(key(0, index))).collect();
    let senders: Vec<_> = (0..3).map(|index| a.sender::<u32>(key(0, index), b.address())).collect();
    let back = b.sender::<u32>(key(1, 0), a.address());
    let mut back_end = a.receiver::<u32>(key(1, 0));
    let (other, mut other_end) = (c.sender::<u32>(key(2, 0), b.address()), b.receiver::<u32>(key(2, 0)));
    back.send(batch(1)).unwrap();
    back_end.receives(1);
    for (number, (sender, receiver)) in senders.iter().zip(&mut receivers).enumerate() {
        sender.send(batch(number as u32)).unwrap();
        receiver.receives(number as u32);
    }
    // As if the process had been killed.
    drop(std::mem::replace(&mut a, Worker::new()));
    receivers.iter_mut().for_each(|receiver| receiver.is_broken());
    senders.iter().for_each(|sender| sender.is_gone());
    back_end.is_broken();
    back.is_gone();
    let mut failed: Vec<_> = (0..4).map(|_| b.failure()).collect();
    failed.sort_by_key(|failure| failure.key);
    for (failure, (key, here)) in
        failed.iter().zip([(key(0, 0), attempt(1, 0)), (key(0, 1), attempt(1, 1)), (key(0, 2), attempt(1, 2)), (key(1, 0), attempt(1, 0))])
    {
        assert_eq!((failure.key, failure.attempt), (key, here));
        assert!(failure.reason.contains("the connection to worker `127.0.0.1:"), "{failure}");
    }
    // The next attempt finds the way again, and others have not lost it.
    let sender = a.sender::<u32>(key(0, 9), b.address());
    sender.send(batch(5)).unwrap();
    b.receiver::<u32>(key(0, 9)).receives(5);
    other.send(batch(6)).unwrap();
    other_end.receives(6);
}

#[test]
fn a_worker_that_cannot_be_reached_is_named() {
    let a = Worker::new();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let sender = a.sender::<u32>(key(0, 0), nobody);
    sender.is_gone();
    let failure = a.failure();
    assert_eq!((failure.key, failure.attempt), (key(0, 0), attempt(0, 0)));
    assert!(failure.reason.starts_with(&format!("cannot connect to `{nobody}`: ")), "{failure}");
    assert_eq!(a.exchange.failures(), [failure]);
}

#[test]
fn workers_of_another_job_or_without_the_token_are_turned_away() {
    let b = Worker::new();
    let mut stranger = settings();
    stranger.token = b"guess".to_vec();
    let a = Worker::with(stranger);
    a.sender::<u32>(key(0, 0), b.address()).is_gone();
    assert!(a.failure().reason.ends_with("refused: the token is wrong"));
    let mut neighbour = settings();
    neighbour.job = JobId(8);
    let a = Worker::with(neighbour);
    a.sender::<u32>(key(0, 0), b.address()).is_gone();
    let reason = a.failure().reason;
    assert!(reason.contains("this worker belongs to job 00000000000000000000000000000007"), "{reason}");
}

/// Cannot be sent if it is 1, panics if it is 2; cannot be read if it is 3, panics when it is read as 4.
#[derive(Debug, Clone, PartialEq)]
struct Moody(u8);

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, 2, "I am 2");
        if self.0 == 1 { Err(serde::ser::Error::custom("I am 1")) } else { serializer.serialize_u8(self.0) }
    }
}

impl<'de> Deserialize<'de> for Moody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u8::deserialize(deserializer)?;
        assert_ne!(value, 4, "I am 4");
        if value == 3 { Err(serde::de::Error::custom("I am 3")) } else { Ok(Moody(value)) }
    }
}

#[test]
fn a_batch_that_cannot_be_encoded_or_decoded_breaks_its_channel_alone() {
    let (a, b) = (Worker::new(), Worker::new());
    let moody = |value| StreamElement::Batch(AnyBatch::new(Batch::of(vec![Moody(value)])));
    let mut good_end = b.receiver::<Moody>(key(0, 0));
    let good = a.sender::<Moody>(key(0, 0), b.address());
    for value in 1..=4u8 {
        let key = key(0, u32::from(value));
        let mut receiver = b.receiver::<Moody>(key);
        let sender = a.sender::<Moody>(key, b.address());
        sender.send(moody(0)).unwrap();
        sender.send(moody(value)).unwrap();
        assert!(matches!(receiver.element(), StreamElement::Batch(_)));
        if value <= 2 {
            receiver.is_broken();
            sender.is_gone_sending(&moody(0));
            let failure = a.failure();
            assert_eq!((failure.key, failure.attempt), (key, key.from));
            let says = [
                "a batch cannot be sent: it cannot be encoded: ",
                "a batch cannot be sent: it cannot be encoded: its code panicked: assertion",
            ];
            assert!(failure.reason.starts_with(says[usize::from(value) - 1]), "{failure}");
        } else {
            // The task that receives fails of it.
            let error = receiver.decoded().unwrap_err().to_string();
            assert!(error.starts_with(if value == 3 { "" } else { "its code panicked: assertion" }), "{error}");
            drop(receiver);
            sender.is_gone_sending(&moody(0));
        }
        good.send(moody(0)).unwrap();
        good_end.element();
    }
    assert_eq!((a.exchange.failures().len(), b.exchange.failures().len()), (2, 0));
}

#[test]
fn a_long_batch_that_cannot_be_encoded_or_decoded_breaks_its_channel_alone() {
    let (a, b) = (Worker::new(), Worker::new());
    let long = |last| {
        let mut values = vec![Moody(0); 100_000];
        values.push(Moody(last));
        StreamElement::Batch(AnyBatch::new(Batch::of(values)))
    };
    for (value, says) in [
        (1, "a batch cannot be sent: it cannot be encoded: "),
        (2, "a batch cannot be sent: it cannot be encoded: its code panicked: assertion"),
        (3, "what came cannot be decoded: "),
        (4, "what came cannot be decoded: its code panicked: assertion"),
    ] {
        let key = key(0, value);
        let mut receiver = b.receiver::<Moody>(key);
        let sender = a.sender::<Moody>(key, b.address());
        sender.send(long(0)).unwrap();
        assert!(matches!(receiver.element(), StreamElement::Batch(batch) if batch.len() == 100_001));
        sender.send(long(value as u8)).unwrap();
        receiver.is_broken();
        let (failure, attempt) = if value <= 2 { (a.failure(), key.from) } else { (b.failure(), key.to) };
        assert_eq!((failure.key, failure.attempt), (key, attempt));
        assert!(failure.reason.starts_with(says), "{failure}");
    }
}

#[test]
fn workers_that_run_different_programs_notice() {
    let (a, b) = (Worker::new(), Worker::new());
    let mut receiver = b.receiver::<String>(key(0, 0));
    let sender = a.sender::<u32>(key(0, 0), b.address());
    sender.send(batch(100_000)).unwrap();
    receiver.decoded().unwrap_err();
    drop(receiver);
    sender.is_gone();
}
