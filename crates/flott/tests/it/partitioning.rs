//! Partitioners, as a program asks for them.

use crate::support::{assert_says, collect, env, failure, sorted};
use flott::{
    Batch, BoxError, DataStream,
    sink::{Committer, Sink, SinkWriter, WriterContext},
};
use std::sync::{Arc, Mutex};

/// Notes which subtask got which record.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<(u32, i64)>>>);

struct Writer {
    subtask: u32,
    received: Received,
}

impl Sink<i64> for Received {
    type Committable = ();
    type WriterState = ();

    fn create_writer(&self, context: &WriterContext, _: Vec<()>) -> Result<Box<dyn SinkWriter<i64, (), ()>>, BoxError> {
        Ok(Box::new(Writer { subtask: context.subtask, received: self.clone() }))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<()>>>, BoxError> {
        Ok(None)
    }
}

impl SinkWriter<i64, (), ()> for Writer {
    fn write(&mut self, batch: Batch<i64>) -> Result<(), BoxError> {
        self.received.0.lock().unwrap().extend(batch.values.iter().map(|value| (self.subtask, *value)));
        Ok(())
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Sends 0 to 2999 through `partition` to a sink of `receivers` subtasks; gives the records of each.
fn spread(senders: u32, receivers: u32, partition: impl Fn(&DataStream<i64>) -> DataStream<i64>) -> Vec<Vec<i64>> {
    let env = env(senders);
    let received = Received::default();
    partition(&env.from_sequence(0, 2999)).sink_to(received.clone()).parallelism(receivers);
    env.execute("test").unwrap();
    let mut spread = vec![Vec::new(); receivers as usize];
    for (subtask, record) in received.0.lock().unwrap().drain(..) {
        spread[subtask as usize].push(record);
    }
    spread.iter_mut().for_each(|records| records.sort_unstable());
    spread
}

fn once(spread: &[Vec<i64>]) -> bool {
    let mut all: Vec<i64> = spread.iter().flatten().copied().collect();
    all.sort_unstable();
    all == (0..3000).collect::<Vec<_>>()
}

const PARALLELISMS: [(u32, u32); 9] = [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 2), (3, 8), (8, 3), (8, 8)];

#[test]
fn every_partitioner_delivers_every_record_once() {
    for (senders, receivers) in PARALLELISMS {
        assert!(once(&spread(senders, receivers, |stream| stream.rebalance())), "rebalance {senders} to {receivers}");
        assert!(once(&spread(senders, receivers, |stream| stream.rescale())), "rescale {senders} to {receivers}");
        assert!(once(&spread(senders, receivers, |stream| stream.shuffle())), "shuffle {senders} to {receivers}");
        assert!(once(&spread(senders, receivers, |stream| stream.global())), "global {senders} to {receivers}");
        let keyed = |stream: &DataStream<i64>| stream.key_by(|n| *n).reduce(|_, last| last).rebalance();
        assert!(once(&spread(senders, receivers, keyed)), "key_by {senders} to {receivers}");
        let custom = |stream: &DataStream<i64>| stream.partition_custom(|key: &i64, channels| *key as usize % channels, |n| n / 7);
        assert!(once(&spread(senders, receivers, custom)), "custom {senders} to {receivers}");
        assert!(once(&spread(senders, receivers, Clone::clone)), "no choice {senders} to {receivers}");
    }
}

#[test]
fn broadcast_delivers_every_record_to_every_subtask() {
    for (senders, receivers) in PARALLELISMS {
        for records in spread(senders, receivers, |stream| stream.broadcast()) {
            assert_eq!(records, (0..3000).collect::<Vec<_>>(), "{senders} to {receivers}");
        }
    }
}

#[test]
fn rebalance_gives_each_subtask_its_share_and_global_all_to_the_first() {
    for (senders, receivers) in PARALLELISMS {
        let share = 3000 / receivers as usize;
        for records in spread(senders, receivers, |stream| stream.rebalance()) {
            assert!(records.len().abs_diff(share) <= senders as usize, "{} of {share}, {senders} to {receivers}", records.len());
        }
        assert_eq!(spread(senders, receivers, |stream| stream.global())[0].len(), 3000);
    }
}

#[test]
fn partition_custom_sends_each_record_where_it_was_told() {
    let spread = spread(2, 3, |stream| stream.partition_custom(|key: &String, channels| key.len() % channels, |n| n.to_string()));
    for (subtask, records) in spread.iter().enumerate() {
        assert!(records.iter().all(|record| record.to_string().len() % 3 == subtask));
    }
    assert_eq!(spread.iter().map(Vec::len).collect::<Vec<_>>(), [900, 10 + 2000, 90]);
}

#[test]
fn partition_custom_that_names_no_subtask_fails_the_job_with_the_operator() {
    let numbers = env(1).from_sequence(0, 9).name("ten").map(|n| n).name("before");
    let message = failure(&numbers.partition_custom(|key: &i64, channels| *key as usize + channels, |n| *n).map(|n| n).parallelism(2));
    assert_says(&message, &["operator `before`, subtask 1 of 1", "the partitioner chose channel 2, but there are 2", "partitioning.rs:"]);
}

#[test]
fn forward_keeps_records_in_their_subtask_and_refuses_unequal_parallelism() {
    let forward = spread(3, 3, |stream| stream.forward());
    assert!(once(&forward));
    assert!(forward.iter().all(|records| records.len() == 1000));
    let env = env(2);
    let error =
        env.from_sequence(0, 9).name("ten").forward().map(|n| n).name("plus").parallelism(3).execute_and_collect("test").unwrap_err();
    assert_eq!(error.kind(), flott::ErrorKind::Invalid);
    assert_says(
        &error.to_string(),
        &[
            "`forward` from `ten` (parallelism 2) to `plus` (",
            "partitioning.rs:",
            "parallelism 3) needs equal parallelism",
            "`rebalance` or `rescale`",
        ],
    );
}

#[test]
fn records_of_one_sender_and_one_key_keep_their_order() {
    let env = env(1);
    let numbers = env.from_sequence(0, 19_999);
    let last = numbers.key_by(|n| n % 11).try_fold(-1i64, |last, n| {
        if *last >= n {
            return Err(format!("{n} comes behind {last}").into());
        }
        *last = n;
        Ok(())
    });
    assert_eq!(collect(&last.parallelism(8)).len(), 20_000);
}

#[test]
fn a_slow_receiver_holds_back_its_senders_and_loses_nothing() {
    let env = env(3);
    env.set(&flott::config::options::EXCHANGE_QUEUE_BATCHES, 1);
    let slow = |n: i64| {
        if n % 500 == 0 {
            std::thread::yield_now();
        }
        n
    };
    let numbers = env.from_sequence(0, 99_999).rebalance().map(slow).global().map(|n| n).rebalance().map(|n| n);
    assert_eq!(sorted(&numbers), (0..100_000).collect::<Vec<_>>());
}
