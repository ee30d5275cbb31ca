use crate::worker::{CAPACITY, Worker, batch, key};
use flott_core::{
    AnyBatch, Batch,
    batch::Timestamps,
    id::{CheckpointId, OperatorId},
    operator::WatermarkStatus,
};
use flott_rpc::task::{Barrier, SnapshotKind};
use flott_runtime::{LatencyMarker, StreamElement};
use std::thread;

#[test]
fn all_kinds_of_elements_arrive_as_they_were_sent_in_their_order() {
    let (a, b) = (Worker::new(), Worker::new());
    let mut receiver = b.receiver::<(String, u64)>(key(0, 0));
    let sender = a.sender::<(String, u64)>(key(0, 0), b.address());
    let records = Batch {
        values: vec![("a".to_owned(), 1), ("b".to_owned(), u64::MAX)],
        timestamps: Timestamps::Each(vec![-5, i64::MAX]),
        // They do not travel.
        hashes: vec![3, 4],
    };
    let savepoint = Barrier {
        checkpoint: CheckpointId(9),
        kind: SnapshotKind::StopWithSavepoint { folder: "file:/savepoints/1".to_owned(), drain: true },
    };
    let last = Barrier { checkpoint: CheckpointId(10), kind: SnapshotKind::Checkpoint };
    let elements = [
        StreamElement::Watermark(i64::MIN + 1),
        StreamElement::Batch(AnyBatch::new(records.clone())),
        StreamElement::Status(WatermarkStatus::Idle),
        StreamElement::Barrier(savepoint),
        StreamElement::Batch(AnyBatch::new(Batch::<(String, u64)>::default())),
        StreamElement::Status(WatermarkStatus::Active),
        StreamElement::LatencyMarker(LatencyMarker { source: OperatorId(u64::MAX), subtask: 3, marked_at: -1 }),
        StreamElement::Watermark(i64::MAX),
        StreamElement::EndOfInput,
        StreamElement::Barrier(last),
    ];
    for element in &elements {
        sender.send(element.clone()).unwrap();
    }
    sender.0.close();
    for (number, expected) in elements.into_iter().enumerate() {
        match (receiver.element(), expected) {
            (StreamElement::Batch(found), StreamElement::Batch(_)) => {
                let found = found.downcast::<(String, u64)>().unwrap();
                let expected = if number == 1 { records.clone() } else { Batch::default() };
                assert_eq!((found.values, found.timestamps, found.hashes), (expected.values, expected.timestamps, Vec::new()));
            }
            (found, expected) => assert_eq!(format!("{found:?}"), format!("{expected:?}")),
        }
    }
    receiver.is_closed();
    a.has_no_failure();
    b.has_no_failure();
}

#[test]
fn a_slow_receiver_holds_its_sender_back() {
    let (a, b) = (Worker::new(), Worker::new());
    let mut receiver = b.receiver::<u32>(key(0, 0));
    let sender = a.sender::<u32>(key(0, 0), b.address());
    let room = 2 * CAPACITY as u32;
    (0..room).for_each(|number| sender.send(batch(number)).unwrap());
    assert!(!sender.takes(batch(room)), "more is under way than both sides hold");
    let mut sent = room;
    for taken in 0..1000 {
        receiver.receives(taken);
        while sender.takes(batch(sent)) {
            sent += 1;
        }
        assert!(sent <= taken + 1 + room, "{sent} were sent when {} were taken", taken + 1);
    }
    (1000..sent).for_each(|number| receiver.receives(number));
    // All of it was taken, and all but perhaps one batch of room is known to the sender.
    (sent..sent + room - 1).for_each(|number| sender.send(batch(number)).unwrap());
}

#[test]
fn a_slow_channel_does_not_hold_back_another() {
    let (a, b) = (Worker::new(), Worker::new());
    let (mut slow_end, mut fast_end) = (b.receiver::<u32>(key(0, 0)), b.receiver::<u32>(key(0, 1)));
    let (slow, fast) = (a.sender::<u32>(key(0, 0), b.address()), a.sender::<u32>(key(0, 1), b.address()));
    let room = 2 * CAPACITY as u32;
    (0..room).for_each(|number| slow.send(batch(number)).unwrap());
    for number in 0..2000 {
        fast.send(batch(number)).unwrap();
        fast_end.receives(number);
        assert!(!slow.takes(batch(room)));
    }
    (0..room).for_each(|number| slow_end.receives(number));
}

#[test]
fn what_is_no_batch_passes_without_credit() {
    let (a, b) = (Worker::new(), Worker::new());
    let mut receiver = b.receiver::<u32>(key(0, 0));
    let sender = a.sender::<u32>(key(0, 0), b.address());
    let room = CAPACITY as u32;
    sender.send(batch(0)).unwrap();
    receiver.receives(0);
    (1..room).for_each(|number| sender.send(batch(number)).unwrap());
    // No credit is left, and one batch taken is too little to get more.
    for watermark in 0..100 {
        sender.send(StreamElement::Watermark(watermark)).unwrap();
    }
    // Had they stayed on this side, its channel would be full.
    (room..2 * room).for_each(|number| assert!(sender.takes(batch(number))));
    assert!(!sender.takes(batch(2 * room)));
    sender.0.close();
    (1..room).for_each(|number| receiver.receives(number));
    for watermark in 0..100 {
        assert!(matches!(receiver.element(), StreamElement::Watermark(found) if found == watermark));
    }
    (room..2 * room).for_each(|number| receiver.receives(number));
    receiver.is_closed();
}

#[test]
fn a_receiver_that_is_deployed_late_misses_nothing() {
    let (a, b) = (Worker::new(), Worker::new());
    let sender = a.sender::<u32>(key(0, 0), b.address());
    (0..CAPACITY as u32).for_each(|number| sender.send(batch(number)).unwrap());
    sender.send(StreamElement::EndOfInput).unwrap();
    assert!(!sender.takes(batch(9)), "something was sent before the receiver was there");
    let empty = a.sender::<u32>(key(0, 1), b.address());
    empty.0.close();
    a.is_heard_by(&b, 0);
    let mut receiver = b.receiver::<u32>(key(0, 0));
    (0..CAPACITY as u32).for_each(|number| receiver.receives(number));
    assert!(matches!(receiver.element(), StreamElement::EndOfInput));
    sender.0.close();
    receiver.is_closed();
    b.receiver::<u32>(key(0, 1)).is_closed();
    a.has_no_failure();
    b.has_no_failure();
}

#[test]
fn many_channels_in_both_directions_keep_their_order() {
    const CHANNELS: u32 = 16;
    const BATCHES: u32 = 500;
    let (a, b) = (Worker::new(), Worker::new());
    thread::scope(|scope| {
        for index in 0..CHANNELS {
            for (edge, from, to) in [(0, &a, &b), (10, &b, &a)] {
                scope.spawn(move || {
                    let sender = from.sender::<u32>(key(edge, index), to.address());
                    for number in 0..BATCHES {
                        sender.send(batch(number)).unwrap();
                        if number % 7 == index % 7 {
                            sender.send(StreamElement::Watermark(i64::from(number))).unwrap();
                        }
                    }
                    sender.0.close();
                });
                scope.spawn(move || {
                    let mut receiver = to.receiver::<u32>(key(edge, index));
                    for number in 0..BATCHES {
                        receiver.receives(number);
                        if number % 7 == index % 7 {
                            assert!(matches!(receiver.element(), StreamElement::Watermark(found) if found == i64::from(number)));
                        }
                    }
                    receiver.is_closed();
                });
            }
        }
    });
    a.has_no_failure();
    b.has_no_failure();
}
