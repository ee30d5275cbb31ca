//! Operators without state, unions and streams that are used more than once.

use crate::support::{assert_says, collect, env, failure, sorted};
use flott::{Collector, connector::datagen::SequenceSource, prelude::*};

#[test]
fn each_transformation_does_what_its_function_says() {
    let numbers = || env(1).from_sequence(1, 6);
    assert_eq!(collect(&numbers().map(|n| n * 10)), [10, 20, 30, 40, 50, 60]);
    assert_eq!(collect(&numbers().filter(|n| n % 2 == 0)), [2, 4, 6]);
    let twice = |n: i64, out: &mut Collector<String>| (0..n % 3).for_each(|_| out.emit(n.to_string()));
    assert_eq!(collect(&numbers().flat_map(twice)), ["1", "2", "2", "4", "5", "5"]);
    assert_eq!(collect(&numbers().flat_map_iter(|n| (0..n).filter(|m| *m == 3))), [3, 3, 3]);
    assert_eq!(collect(&numbers().try_map(|n| Ok(n + 1))), [2, 3, 4, 5, 6, 7]);
    assert_eq!(collect(&numbers().try_filter(|n| Ok(*n > 4))), [5, 6]);
    assert_eq!(collect(&numbers().try_flat_map_iter(|n| Ok(vec![n; 2]))).len(), 12);
    let try_twice = |n: i64, out: &mut Collector<i64>| {
        out.emit(-n);
        Ok(())
    };
    assert_eq!(collect(&numbers().try_flat_map(try_twice)), [-1, -2, -3, -4, -5, -6]);
}

#[test]
fn the_error_of_each_try_function_fails_the_job() {
    let numbers = || env(1).from_sequence(1, 6);
    let parse = |text: &str| text.parse::<i64>();
    let failures = [
        failure(&numbers().try_map(move |_| Ok(parse("x")?))),
        failure(&numbers().try_filter(move |n| Ok(parse("x")? == *n))),
        failure(&numbers().try_flat_map(move |_, out: &mut Collector<i64>| {
            out.emit(parse("x")?);
            Ok(())
        })),
        failure(&numbers().try_flat_map_iter(move |_| Ok(Some(parse("x")?)))),
    ];
    for (message, operator) in failures.iter().zip(["Map", "Filter", "Flat Map", "Flat Map"]) {
        assert_says(message, &[&format!("operator `{operator}`, subtask 1 of 1"), "invalid digit found in string", "transformations.rs:"]);
    }
}

#[test]
fn one_record_can_become_more_than_many_batches() {
    let records = collect(&env(1).from_elements([100_000u64, 0, 3]).flat_map_iter(|n| 0..n));
    assert_eq!(records.len(), 100_003);
    assert_eq!(records[99_999..], [99_999, 0, 1, 2]);
}

#[test]
fn an_empty_stream_has_an_empty_result_at_every_parallelism() {
    for parallelism in [1, 3] {
        assert!(collect(&env(parallelism).from_data(Vec::<u64>::new()).map(|n| n + 1).key_by(|n| *n).sum(|n| n)).is_empty());
        assert!(collect(&env(parallelism).from_sequence(1, 0)).is_empty());
    }
}

#[test]
fn a_union_has_the_records_of_both_streams() {
    for parallelism in [1, 2, 3, 8] {
        let env = env(parallelism);
        let (few, many) = (env.from_elements([-1i64, -2]), env.from_sequence(0, 4999));
        assert_eq!(sorted(&few.union(&many).map(|n| n)), (-2..5000).collect::<Vec<_>>(), "parallelism {parallelism}");
    }
}

#[test]
fn a_stream_united_with_itself_has_each_record_twice() {
    for parallelism in [1, 2, 3, 8] {
        let numbers = env(parallelism).from_sequence(0, 2999);
        let twice = sorted(&numbers.union(&numbers).map(|n| n));
        assert_eq!(twice, (0..6000).map(|n| n / 2).collect::<Vec<_>>(), "parallelism {parallelism}");
        let numbers = env(parallelism).from_sequence(0, 2999);
        let four = numbers.union(&numbers).union(&numbers.union(&numbers)).key_by(|n| n % 7).fold(0u64, |count, _| *count += 1);
        assert_eq!(collect(&four).len(), 12_000, "parallelism {parallelism}");
    }
}

#[test]
fn a_union_of_differently_partitioned_streams_keeps_all_records() {
    let env = env(3);
    let numbers = env.from_sequence(0, 999);
    let all = numbers.rebalance().union(&numbers.broadcast()).union(&numbers.global()).map(|n| n);
    let records = sorted(&all);
    assert_eq!(records.len(), 5000);
    assert!((0..1000).all(|n| records[n * 5..][..5].iter().all(|record| *record == n as i64)));
}

#[test]
fn a_union_of_two_environments_is_refused_at_execute() {
    let (one, other) = (env(1), env(1));
    let error = one.from_elements([1]).union(&other.from_elements([2])).execute_and_collect("test").unwrap_err();
    assert_says(&error.to_string(), &["a union of streams of two environments"]);
}

#[test]
fn every_use_of_a_stream_gets_all_of_its_records() {
    for chaining in [true, false] {
        let env = env(2);
        env.set(&options::PIPELINE_OPERATOR_CHAINING_ENABLED, chaining);
        let numbers = env.from_sequence(0, 4999);
        let (small, large) = (numbers.filter(|n| *n < 100).map(|n| -n), numbers.rebalance().filter(|n| *n >= 100));
        let mut expected: Vec<i64> = (0..5000).map(|n| if n < 100 { -n } else { n }).chain(0..5000).collect();
        expected.sort_unstable();
        assert_eq!(sorted(&small.union(&large).union(&numbers)), expected, "chaining {chaining}");
    }
}

#[test]
fn batch_mode_gives_each_key_once_and_streaming_mode_each_step() {
    let counts = |mode| {
        let env = env(2);
        env.set_runtime_mode(mode);
        sorted(
            &env.from_elements(["a", "b", "a", "a"].map(str::to_owned))
                .map(|word| (word, 1u64))
                .key_by_ref(|(word, _)| word.as_str())
                .sum(|(_, n)| n),
        )
    };
    let steps = [("a", 1), ("a", 2), ("a", 3), ("b", 1)].map(|(word, n)| (word.to_owned(), n));
    let last = [("a", 3), ("b", 1)].map(|(word, n)| (word.to_owned(), n));
    assert_eq!(counts(RuntimeMode::Streaming), steps);
    assert_eq!(counts(RuntimeMode::Batch), last);
    assert_eq!(counts(RuntimeMode::Automatic), last, "all sources are bounded");
}

#[test]
fn aggregates_one_behind_the_other_give_final_results_in_batch_mode() {
    let env = env(3);
    env.set_runtime_mode(RuntimeMode::Batch);
    let sums = env.from_sequence(1, 10_000).map(|n| (n % 100, n)).key_by(|(group, _)| *group).sum(|(_, n)| n);
    let all = sums.key_by(|_| 0u8).reduce(|a, b| (a.0 + b.0, a.1 + b.1));
    assert_eq!(collect(&all), [(4950, 50_005_000)]);
}

#[test]
fn batch_mode_refuses_a_source_without_an_end_and_automatic_streams_it() {
    let endless = |mode| {
        let env = env(1);
        env.set_runtime_mode(mode);
        let source = flott::connector::datagen::GeneratorSource::unbounded(|index, _| index).records_per_second(1000.0);
        env.from_source(source, WatermarkStrategy::no_watermarks(), "endless")
    };
    let error = endless(RuntimeMode::Batch).execute_and_collect("test").unwrap_err().to_string();
    assert_says(&error, &["runtime mode BATCH needs bounded sources", "`Source: endless` (", "transformations.rs:", "use STREAMING"]);
    let mut results = endless(RuntimeMode::Automatic).execute_and_collect("test").unwrap();
    assert_eq!(results.next().unwrap().unwrap(), 0);
    crate::support::cancel(results.client());
}

#[test]
fn an_environment_is_empty_after_a_job_and_runs_another() {
    let env = env(1);
    assert_eq!(collect(&env.from_elements([1])), [1]);
    assert_eq!(collect(&env.from_elements([2])), [2]);
    assert_says(&env.execute("nothing").unwrap_err().to_string(), &["the job has no operators"]);
}

#[test]
fn an_environment_is_empty_after_an_error_too() {
    let env = env(1);
    let stream = env.from_elements([1]);
    let error = stream.rebalance().name("no operator").execute_and_collect("test").unwrap_err();
    assert_says(&error.to_string(), &["`name` at "]);
    assert_says(&env.execute("nothing").unwrap_err().to_string(), &["the job has no operators"]);
    assert_eq!(collect(&env.from_elements([2])), [2]);
}

#[test]
fn a_stream_of_a_program_that_was_executed_is_refused_at_the_next_execute() {
    let env = env(1);
    let old = env.from_elements([1]);
    assert_eq!(collect(&old), [1]);
    let new = env.from_elements([2]);
    let used = new.union(&old.map(|n| n));
    let place = format!("transformations.rs:{}", line!() - 1);
    assert_says(&failure(&used), &["a stream of a program that was executed before is used at ", &place, "build the next program anew"]);
    let new = env.from_elements([2]);
    drop(old.name("renamed"));
    assert_says(&failure(&new), &["a stream of a program that was executed before"]);
}

#[test]
fn timestamps_survive_every_transformation() {
    let env = env(2);
    let strategy = WatermarkStrategy::for_monotonous_timestamps().with_timestamp_assigner(|n: &i64, _| *n);
    let numbers = env.from_source(SequenceSource::new(0, 1999), strategy, "numbers");
    let dir = tempfile::tempdir().unwrap();
    let sink = flott::connector::file::FileSink::text(dir.path().join("out"))
        .bucket_by(|_: &i64, timestamp| format!("{timestamp:?}").replace(['(', ')'], "_"));
    numbers.filter(|n| n % 1000 == 7).map(|n| n).rebalance().flat_map_iter(|n| [n]).key_by(|n| *n).sum(|n| n).sink_to(sink);
    env.execute("test").unwrap();
    let mut buckets: Vec<_> =
        std::fs::read_dir(dir.path().join("out")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    buckets.sort();
    assert_eq!(buckets, ["Some_1007_", "Some_7_"]);
}
