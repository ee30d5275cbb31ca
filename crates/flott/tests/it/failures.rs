//! What fails a job says which operator, which subtask, where and why.

use crate::support::{assert_says, collect, end_of, env, error_of, failure, restarts};
use flott::{
    Batch, BoxError, DataStream, ErrorKind,
    connector::datagen::GeneratorSource,
    prelude::*,
    sink::{Committer, Sink, SinkWriter, WriterContext},
};
use std::{error::Error, fmt};

/// Where the line before the call stands.
macro_rules! here {
    () => {
        &format!("failures.rs:{}", line!() - 1)
    };
}

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot read the price")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_in_a_map_says_operator_subtask_declaration_and_the_whole_chain_of_causes() {
    let parse = |n: i64| if n == 7 { Err(Outer("seven".parse::<i64>().unwrap_err()).into()) } else { Ok(n) };
    let stream = env(1).from_sequence(1, 10).rebalance().try_map(parse).name("parse").parallelism(2);
    let place = here!().clone();
    let error = error_of(&stream);
    assert_eq!(error.kind(), ErrorKind::User);
    let message = error.to_string();
    assert_says(&message, &["operator `parse`, subtask ", " of 2 (attempt 1) failed at ", &place]);
    let (outer, inner) =
        (message.find("cannot read the price").unwrap(), message.find("caused by: invalid digit found in string").unwrap());
    assert!(outer < inner, "{message}");
}

#[test]
fn a_panic_in_a_map_says_where_it_happened() {
    let stream = env(2).from_sequence(1, 10).map(|n| {
        assert!(n < 7, "{n} is no digit below seven");
        n
    });
    let message = failure(&stream.name("digits"));
    assert_says(&message, &["operator `digits`, subtask ", " of 2 (attempt 1) panicked at ", "failures.rs:", "is no digit below seven"]);
    let panicked: DataStream<i64> = env(1).from_sequence(1, 1).map(|_| panic!("at this place"));
    let place = here!();
    assert_says(&failure(&panicked), &[place, "at this place", "operator `Map`"]);
}

#[test]
fn a_panic_with_a_value_that_is_no_text_still_fails_the_job() {
    let stream = env(1).from_sequence(1, 10).map(|n| if n == 3 { std::panic::panic_any(n) } else { n });
    assert_says(&failure(&stream), &["operator `Map`, subtask 1 of 1 (attempt 1) panicked", "failures.rs:"]);
}

#[test]
fn a_panic_in_a_key_function_fails_the_job_with_its_place() {
    let stream = env(1).from_sequence(1, 10).name("numbers").key_by(|n| 100 / (n - 5)).sum(|n| n).name("total");
    let place = here!();
    assert_says(&failure(&stream), &["panicked at ", place, "attempt to divide by zero", "operator `numbers`"]);
    // The operator behind the exchange makes the key once more.
    let counted = std::sync::atomic::AtomicU32::new(0);
    let key = move |n: &i64| if counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 10 { panic!("no key for {n}") } else { *n };
    assert_says(
        &failure(&env(1).from_sequence(1, 10).key_by(key).sum(|n| n).name("total")),
        &["no key for ", "operator `total`", "failures.rs:"],
    );
}

#[test]
fn an_overflow_in_a_sum_fails_the_job() {
    let numbers = env(1).from_elements([200u8, 100]).map(|n| ((), n)).key_by(|_| 0u8).sum(|(_, n)| n).name("total");
    assert_says(&failure(&numbers), &["operator `total`, subtask 1 of 1", "panicked", "attempt to add with overflow"]);
}

#[test]
fn errors_and_panics_in_functions_of_aggregates_fail_the_job() {
    let keyed = || env(2).from_sequence(1, 10).key_by(|_| 0u8);
    let reduced = keyed().reduce(|a, b| if b > 5 { panic!("too large") } else { a + b }).name("total");
    assert_says(&failure(&reduced), &["operator `total`", "too large", "failures.rs:"]);
    let field = keyed().sum(|n| if *n == 9 { panic!("no field") } else { n }).name("total");
    assert_says(&failure(&field), &["operator `total`", "no field", "failures.rs:"]);
}

#[test]
fn a_panic_in_a_source_fails_the_job() {
    let env = env(2);
    let source = GeneratorSource::new(100, |index, _| if index == 70 { panic!("nothing to generate") } else { index });
    let stream = env.from_source(source, WatermarkStrategy::no_watermarks(), "broken");
    assert_says(&failure(&stream), &["operator `Source: broken`, subtask ", " of 2", "nothing to generate", "failures.rs:"]);
}

#[test]
fn a_source_that_cannot_be_made_fails_the_job() {
    let env = env(2);
    let source = GeneratorSource::new(100, |index, _| index).records_per_second(f64::NAN);
    let stream = env.from_source(source, WatermarkStrategy::no_watermarks(), "broken");
    assert_says(&failure(&stream), &["operator `Source: broken`", "NaN", "failures.rs:"]);
}

#[test]
fn a_panic_in_a_timestamp_assigner_fails_the_job() {
    let env = env(1);
    let strategy = WatermarkStrategy::for_monotonous_timestamps()
        .with_timestamp_assigner(|n: &u64, _| if *n == 5 { panic!("no time") } else { *n as i64 });
    let stream = env.from_source(GeneratorSource::new(10, |index, _| index), strategy, "timed");
    assert_says(&failure(&stream), &["operator `Source: timed`", "no time", "failures.rs:"]);
}

/// A sink that fails where it is told to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Broken {
    Create,
    Write,
    Panic,
    Flush,
    Close,
    Commit,
}

impl Sink<i64> for Broken {
    type Committable = u8;
    type WriterState = ();

    fn create_writer(&self, _: &WriterContext, _: Vec<()>) -> Result<Box<dyn SinkWriter<i64, u8, ()>>, BoxError> {
        self.fail_at(Broken::Create)?;
        Ok(Box::new(*self))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<u8>>>, BoxError> {
        Ok(Some(Box::new(*self)))
    }
}

impl Broken {
    fn fail_at(self, place: Broken) -> Result<(), BoxError> {
        if self == place { Err(format!("the disk is gone at {place:?}").into()) } else { Ok(()) }
    }
}

impl SinkWriter<i64, u8, ()> for Broken {
    fn write(&mut self, _: Batch<i64>) -> Result<(), BoxError> {
        assert!(*self != Broken::Panic, "the disk is gone at Panic");
        self.fail_at(Broken::Write)
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        self.fail_at(Broken::Flush)
    }

    fn prepare_commit(&mut self, _: flott::id::CheckpointId) -> Result<Vec<u8>, BoxError> {
        Ok(vec![1])
    }

    fn close(&mut self) -> Result<(), BoxError> {
        self.fail_at(Broken::Close)
    }
}

impl Committer<u8> for Broken {
    fn commit(&mut self, _: &u8) -> flott::sink::CommitOutcome {
        match self.fail_at(Broken::Commit) {
            Ok(()) => flott::sink::CommitOutcome::Committed,
            Err(error) => flott::sink::CommitOutcome::Failed(error),
        }
    }
}

#[test]
fn a_sink_that_fails_anywhere_fails_the_job() {
    for place in [Broken::Create, Broken::Write, Broken::Panic, Broken::Flush, Broken::Close, Broken::Commit] {
        let env = env(2);
        env.from_sequence(1, 10).sink_to(place).name("disk");
        let message = end_of(&env.execute_async("test").unwrap()).unwrap_err().to_string();
        assert_says(&message, &["operator `disk`, subtask ", " of 2", &format!("the disk is gone at {place:?}"), "failures.rs:"]);
    }
}

#[test]
fn results_come_before_the_error_and_nothing_after_it() {
    let stream = env(1).from_sequence(1, 10_000).try_map(|n| if n == 9_000 { Err("enough".into()) } else { Ok(n) });
    let results = stream.execute_and_collect("test").unwrap();
    let all: Vec<_> = crate::support::within("a job", move || {
        let mut results = results;
        let all = results.by_ref().collect();
        assert!(results.next().is_none());
        all
    });
    let (last, before) = all.split_last().unwrap();
    assert!(last.as_ref().is_err_and(|error| error.to_string().contains("enough")));
    assert!(before.iter().enumerate().all(|(index, result)| result.as_ref().is_ok_and(|n| *n == index as i64 + 1)));
}

#[test]
fn a_panic_in_one_job_leaves_others_and_the_process_alone() {
    let fine = env(2).from_sequence(1, 50_000).map(|n| n);
    let results = fine.execute_and_collect("fine").unwrap();
    for _ in 0..3 {
        failure(&env(2).from_sequence(1, 1000).map(|n: i64| -> i64 { panic!("{n}") }));
    }
    assert_eq!(crate::support::within("a job", move || results.count()), 50_000);
    assert_eq!(collect(&env(1).from_elements([1])), [1]);
}

#[test]
fn many_failures_at_once_end_the_job_with_one_of_them() {
    let stream = env(8).from_sequence(1, 100_000).rebalance().map(|n: i64| -> i64 { panic!("all fail: {n}") });
    assert_says(&failure(&stream), &["all fail: ", "of 8"]);
}

#[test]
fn an_unrecoverable_error_ends_the_job_whatever_its_restart_strategy() {
    let env = env(1);
    restarts(&env, 1000);
    let stream = env.from_sequence(1, 10).try_map(|number: i64| match number {
        7 => Err(flott::Unrecoverable::new("the licence has expired").into()),
        number => Ok(number),
    });
    stream.discard();
    let client = env.execute_async("unrecoverable").unwrap();
    assert_says(&end_of(&client).unwrap_err().to_string(), &["the licence has expired", "failures.rs:"]);
    assert_eq!(client.overview().unwrap().restarts, 0);
}
