use crate::worker::{CAPACITY, PATIENCE, Worker, attempt, batch, key, settings};
use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

#[test]
fn a_sender_that_vanishes_breaks_its_channel_and_one_that_closes_does_not() {
    let (a, b) = (Worker::new(), Worker::new());
    let (mut broken, mut closed) = (b.receiver::<u32>(key(0, 0)), b.receiver::<u32>(key(0, 1)));
    let (vanishing, closing) = (a.sender::<u32>(key(0, 0), b.address()), a.sender::<u32>(key(0, 1), b.address()));
    vanishing.send(batch(1)).unwrap();
    closing.send(batch(2)).unwrap();
    broken.receives(1);
    closed.receives(2);
    drop(vanishing);
    closing.0.close();
    broken.is_broken();
    closed.is_closed();
    // Tasks end so: nothing is wrong with the exchange.
    a.has_no_failure();
    b.has_no_failure();
}

#[test]
fn a_sender_that_vanishes_before_its_receiver_is_there_breaks_the_channel_at_once() {
    let (a, b) = (Worker::new(), Worker::new());
    let sender = a.sender::<u32>(key(0, 0), b.address());
    sender.send(batch(1)).unwrap();
    drop(sender);
    a.is_heard_by(&b, 0);
    b.receiver::<u32>(key(0, 0)).is_broken();
}

#[test]
fn a_sender_learns_that_its_receiver_is_gone() {
    let (a, b) = (Worker::new(), Worker::new());
    let mut receiver = b.receiver::<u32>(key(0, 0));
    let sender = a.sender::<u32>(key(0, 0), b.address());
    sender.send(batch(1)).unwrap();
    receiver.receives(1);
    drop(receiver);
    sender.is_gone();
    // One that was gone before the channel was opened.
    drop(b.receiver::<u32>(key(0, 1)));
    let sender = a.sender::<u32>(key(0, 1), b.address());
    a.is_heard_by(&b, 0);
    b.exchange.forget(key(0, 1).to);
    sender.is_gone();
    a.has_no_failure();
    b.has_no_failure();
}

#[test]
fn attempts_that_never_come_are_forgotten() {
    let (a, b) = (Worker::new(), Worker::new());
    let orphan = a.sender::<u32>(key(0, 0), b.address());
    let mut expecting = b.receiver::<u32>(key(0, 1));
    let mut connected = b.receiver::<u32>(key(0, 2));
    let sender = a.sender::<u32>(key(0, 2), b.address());
    sender.send(batch(1)).unwrap();
    connected.receives(1);
    a.is_heard_by(&b, 0);
    b.exchange.forget(attempt(1, 0));
    orphan.is_gone();
    b.exchange.forget(attempt(0, 1));
    expecting.is_broken();
    // Channels at work are not concerned.
    b.exchange.forget(attempt(0, 2));
    a.exchange.forget(attempt(1, 2));
    sender.send(batch(2)).unwrap();
    connected.receives(2);
    // The sending side can do the same.
    let orphan = a.sender::<u32>(key(0, 3), b.address());
    a.exchange.forget(attempt(1, 3));
    orphan.is_gone();
}

#[test]
fn a_channel_waits_for_its_receiver_for_so_long_and_no_longer() {
    let (a, b) = (Worker::new(), Worker::new());
    let waiting = a.sender::<u32>(key(0, 0), b.address());
    a.is_heard_by(&b, 0);
    b.clock.advance(Duration::from_secs(60));
    a.is_heard_by(&b, 1);
    b.has_no_failure();
    b.clock.advance(Duration::from_millis(1));
    a.is_heard_by(&b, 2);
    waiting.is_gone();
    let failure = b.failure();
    assert_eq!((failure.key, failure.attempt), (key(0, 0), attempt(1, 0)));
    assert_eq!(failure.reason, "its receiver was not deployed within 60000 ms");
}

#[test]
fn only_so_many_channels_wait_for_their_receivers() {
    let (a, mut settings) = (Worker::new(), settings());
    settings.max_waiting = 1;
    let b = Worker::with(settings);
    let first = a.sender::<u32>(key(0, 0), b.address());
    let second = a.sender::<u32>(key(0, 1), b.address());
    second.is_gone();
    assert_eq!(b.failure().to_string(), "channel v0/1#0 -> v1/1#0 of edge 0: 1 other channels wait already for tasks to be deployed");
    first.send(batch(1)).unwrap();
    b.receiver::<u32>(key(0, 0)).receives(1);
}

#[test]
fn shutting_down_sends_first_what_has_credit() {
    let (mut a, b) = (Worker::new(), Worker::new());
    let mut receiver = b.receiver::<u32>(key(0, 0));
    let sender = a.sender::<u32>(key(0, 0), b.address());
    // What follows has credit.
    sender.send(batch(0)).unwrap();
    receiver.receives(0);
    (1..CAPACITY as u32).for_each(|number| sender.send(batch(number)).unwrap());
    sender.0.close();
    a.exchange.shut_down(PATIENCE);
    (1..CAPACITY as u32).for_each(|number| receiver.receives(number));
    receiver.is_closed();
}

#[test]
fn nothing_is_left_of_an_exchange_that_was_dropped() {
    let (a, b) = (Worker::new(), Worker::new());
    let clocks = [a.clock.clone(), b.clock.clone()];
    // One of each state: at work, closed, waiting for its receiver, waiting for its sender, broken by either side.
    let mut receivers: Vec<_> = [0, 1, 3, 4, 5].map(|index| b.receiver::<u32>(key(0, index))).into();
    let mut senders: Vec<_> = [0, 1, 2, 4, 5].map(|index| a.sender::<u32>(key(0, index), b.address())).into();
    for sender in &senders {
        sender.send(batch(1)).unwrap();
    }
    [0, 1, 3, 4].into_iter().for_each(|place| receivers[place].receives(1));
    drop(receivers.remove(4));
    drop(senders.remove(3));
    senders.remove(1).0.close();
    a.is_heard_by(&b, 0);
    drop((a, b));
    receivers.iter_mut().skip(2).for_each(|receiver| receiver.is_broken());
    senders.iter().for_each(|sender| sender.is_gone());
    // Its threads end on their own.
    let deadline = Instant::now() + PATIENCE;
    while clocks.iter().any(|clock| Arc::strong_count(clock) > 1) {
        assert!(Instant::now() < deadline, "something still holds the exchange");
        thread::yield_now();
    }
}
