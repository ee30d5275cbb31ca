//! Figures of tasks and operators.

use crate::support::{await_checkpoints, cancel, checkpointed, end_of, endless, env, eventually};
use flott::{AccumulatorValue, JobClient, config::LatencyGranularity, connector::datagen::SequenceSource, metrics::names, prelude::*};

/// The sum over all subtasks of a figure of an operator.
fn of(client: &JobClient, operator: &str, figure: &str) -> i64 {
    let figures = client.figures().unwrap();
    let operators = figures.iter().flat_map(|task| &task.operators).filter(|(name, _)| name == operator);
    let values: Vec<i64> = operators.filter_map(|(_, figures)| figures.get(figure).copied()).collect();
    assert!(!values.is_empty(), "no `{figure}` of `{operator}`");
    values.iter().sum()
}

#[test]
fn records_of_operators_are_counted_exactly_chained_or_not() {
    for chaining in [true, false] {
        for parallelism in [1, 3] {
            let env = env(parallelism);
            env.set(&options::PIPELINE_OPERATOR_CHAINING_ENABLED, chaining);
            let odd = env.from_sequence(1, 10_000).name("numbers").filter(|n| n % 2 == 1).name("odd");
            let all = odd.flat_map_iter(|n| [n, n, n]).name("thrice").broadcast().map(|n| n).name("received");
            all.key_by(|n| n % 10).sum(|n| n).name("sum").discard().name("discard");
            odd.discard().name("second use");
            let client = env.execute_async("counted").unwrap();
            end_of(&client).unwrap();
            let p = i64::from(parallelism);
            for (operator, records_in, records_out) in [
                ("numbers", 0, 10_000),
                ("odd", 10_000, 5000),
                ("thrice", 5000, 15_000),
                ("received", 15_000 * p, 15_000 * p),
                ("sum", 15_000 * p, 15_000 * p),
                ("discard", 15_000 * p, 0),
                ("second use", 5000, 0),
            ] {
                assert_eq!(
                    of(&client, operator, names::NUM_RECORDS_IN),
                    records_in,
                    "into {operator}, chaining {chaining}, parallelism {p}"
                );
                assert_eq!(
                    of(&client, operator, names::NUM_RECORDS_OUT),
                    records_out,
                    "out of {operator}, chaining {chaining}, parallelism {p}"
                );
            }
        }
    }
}

#[test]
fn records_of_tasks_are_those_that_came_in_and_went_out() {
    let env = env(2);
    let numbers = env.from_sequence(1, 1000).name("numbers").filter(|n| *n <= 100).rebalance().map(|n| n).name("behind");
    numbers.discard();
    let client = env.execute_async("counted").unwrap();
    end_of(&client).unwrap();
    let sum = |vertex: &str, figure: &str| -> i64 {
        client.figures().unwrap().iter().filter(|task| task.name.starts_with(vertex)).map(|task| task.task[figure]).sum()
    };
    assert_eq!(sum("numbers", names::NUM_RECORDS_OUT), 100);
    assert_eq!(sum("behind", names::NUM_RECORDS_IN), 100);
    assert!(sum("numbers", names::NUM_BYTES_OUT) > 0);
}

#[test]
fn each_edge_counts_what_is_sent_into_it() {
    let env = env(2);
    let numbers = env.from_sequence(1, 1000).name("numbers");
    let few = numbers.filter(|n| *n <= 100).name("few");
    // Three operators of one chain send into four edges; two of these meet.
    let again = few.map(|n| n).name("again");
    numbers.rebalance().map(|n| n).name("all").discard();
    few.broadcast().map(|n| n).name("copied").discard();
    few.rebalance().union(&again.rebalance()).map(|n| n).name("joined").discard();
    let client = env.execute_async("counted").unwrap();
    end_of(&client).unwrap();
    let figures = client.figures().unwrap();
    let mut edges = std::collections::BTreeMap::new();
    for (edge, records) in figures.iter().flat_map(|task| &task.edges) {
        *edges.entry(*edge).or_insert(0) += records;
    }
    let mut sent: Vec<u64> = edges.into_values().collect();
    sent.sort_unstable();
    assert_eq!(sent, [100, 100, 200, 1000]);
}

#[test]
fn bytes_that_a_file_source_reads_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("input"), "line\n".repeat(2000)).unwrap();
    let env = env(2);
    env.read_text_file(dir.path()).name("files").discard();
    let client = env.execute_async("read").unwrap();
    end_of(&client).unwrap();
    assert_eq!(of(&client, "files", names::NUM_BYTES_IN), 10_000);
    assert_eq!(of(&client, "files", names::NUM_RECORDS_OUT), 2000);
}

#[test]
fn time_is_busy_idle_or_back_pressured() {
    let env = env(1);
    let slow = |n: u64| {
        std::thread::park_timeout(Duration::from_millis(5));
        n
    };
    env.set(&options::EXCHANGE_QUEUE_BATCHES, 1);
    // Ten records a batch, so that a batch does not take seconds.
    endless(&env, 2000.0)
        .name("fast")
        .rebalance()
        .map(slow)
        .name("slow")
        .disable_chaining()
        .filter(|_| false)
        .name("starved")
        .disable_chaining()
        .discard();
    let client = env.execute_async("timed").unwrap();
    let time = |vertex: &str, figure: &str| -> i64 {
        client.figures().unwrap().iter().filter(|task| task.name.starts_with(vertex)).map(|task| task.task[figure]).sum()
    };
    eventually("the fast one is held back", || time("fast", names::BACK_PRESSURED_TIME) > 0);
    eventually("the last one waits", || time("starved", names::IDLE_TIME) > 0);
    cancel(&client);
    for vertex in ["fast", "slow", "starved"] {
        let [busy, idle, held] = [names::BUSY_TIME, names::IDLE_TIME, names::BACK_PRESSURED_TIME].map(|figure| time(vertex, figure));
        assert!(busy >= 0 && idle >= 0 && held >= 0 && busy + idle + held > 0, "{vertex}: busy {busy}, idle {idle}, back-pressured {held}");
    }
}

#[test]
fn a_busy_task_says_so_while_it_is_busy() {
    let env = env(1);
    let slow = |n: u64| {
        std::thread::park_timeout(Duration::from_millis(1));
        n
    };
    endless(&env, 2000.0).map(slow).name("slow").discard();
    let client = env.execute_async("timed").unwrap();
    eventually("the task is busy", || client.figures().unwrap().iter().all(|task| task.task[names::BUSY_TIME] > 0));
    cancel(&client);
}

#[test]
fn a_task_that_waits_for_long_says_so_while_it_waits() {
    let env = env(1);
    // One record in a quarter of an hour: nothing wakes the task meanwhile.
    endless(&env, 0.001).name("quiet").rebalance().map(|n| n).name("starved").discard();
    let client = env.execute_async("timed").unwrap();
    let all_idle = |figures: &[flott::TaskFigures]| figures.len() == 2 && figures.iter().all(|task| task.task[names::IDLE_TIME] > 300);
    eventually("both tasks are idle", || all_idle(&client.figures().unwrap()));
    cancel(&client);
    let ended = client.figures().unwrap();
    assert_eq!(
        client.figures().unwrap().iter().map(|task| &task.task).collect::<Vec<_>>(),
        ended.iter().map(|task| &task.task).collect::<Vec<_>>()
    );
}

#[test]
fn watermarks_follow_the_largest_timestamp_by_the_bound_and_end_with_the_input() {
    let env = env(2);
    env.set(&options::PIPELINE_AUTO_WATERMARK_INTERVAL, Duration::from_millis(1));
    let strategy =
        || WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_millis(50)).with_timestamp_assigner(|n: &u64, _| *n as i64 * 10);
    let source = flott::connector::datagen::GeneratorSource::unbounded(|index, _| index).records_per_second(5000.0);
    env.from_source(source, strategy(), "timed").name("timed").rebalance().map(|n| n).name("behind").discard();
    let client = env.execute_async("watermarks").unwrap();
    let behind = || -> Vec<i64> {
        client
            .figures()
            .unwrap()
            .iter()
            .filter(|task| task.name.starts_with("behind"))
            .map(|task| task.task[names::CURRENT_INPUT_WATERMARK])
            .collect()
    };
    let first = behind();
    assert!(first.iter().all(|watermark| *watermark == i64::MIN || *watermark >= -51), "{first:?}");
    eventually("event time goes on", || behind().iter().filter(|watermark| **watermark > 1000).count() == 2);
    let (watermarks, read) = (behind(), of(&client, "timed", names::NUM_RECORDS_OUT));
    assert!(watermarks.iter().all(|watermark| *watermark < read * 10 * 2), "{watermarks:?} after {read} records");
    assert!(watermarks.iter().all(|watermark| (watermark + 51) % 10 == 0), "{watermarks:?}: each is 51 ms behind a timestamp");
    cancel(&client);

    let env = crate::support::env(2);
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_millis(50)).with_timestamp_assigner(|n: &i64, _| *n);
    env.from_source(SequenceSource::new(1, 100), strategy, "ending").name("ending").rebalance().discard().name("behind");
    let client = env.execute_async("watermarks").unwrap();
    end_of(&client).unwrap();
    for task in client.figures().unwrap().iter().filter(|task| task.name == "behind") {
        assert_eq!(task.task[names::CURRENT_INPUT_WATERMARK], i64::MAX, "the input has ended");
    }
}

#[test]
fn a_source_tells_how_far_it_is_behind_the_clock_if_its_records_have_a_time() {
    let env = env(1);
    env.set(&options::PIPELINE_AUTO_WATERMARK_INTERVAL, Duration::from_millis(1));
    // Everything happens in the first seconds of 1970.
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::ZERO).with_timestamp_assigner(|n: &u64, _| *n as i64);
    let source = flott::connector::datagen::GeneratorSource::unbounded(|index, _| index).records_per_second(5000.0);
    env.from_source(source, strategy, "timed").name("timed").discard();
    endless(&env, 5000.0).name("timeless").discard();
    let client = env.execute_async("lags").unwrap();
    let lags = |operator: &str| -> Vec<i64> {
        let figures = client.figures().unwrap();
        let of_operator = figures.iter().flat_map(|task| &task.operators).filter(|(name, _)| name == operator);
        let names = [names::CURRENT_EMIT_EVENT_TIME_LAG, names::WATERMARK_LAG];
        of_operator.flat_map(|(_, figures)| names.map(|name| figures.get(name).copied())).flatten().collect()
    };
    eventually("the lags are there", || lags("timed").len() == 2 && of(&client, "timeless", names::NUM_RECORDS_OUT) > 0);
    assert!(lags("timed").iter().all(|lag| *lag > 1_000_000_000_000), "{:?}", lags("timed"));
    assert!(lags("timeless").is_empty());
    cancel(&client);
}

#[test]
fn draining_drives_event_time_to_its_end_and_stopping_does_not() {
    for drain in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let env = checkpointed(2, &dir);
        env.set(&options::PIPELINE_AUTO_WATERMARK_INTERVAL, Duration::from_millis(1));
        let strategy = WatermarkStrategy::for_monotonous_timestamps().with_timestamp_assigner(|n: &u64, _| *n as i64);
        let source = flott::connector::datagen::GeneratorSource::unbounded(|index, _| index).records_per_second(5000.0);
        env.from_source(source, strategy, "timed").rebalance().discard().name("behind");
        let client = env.execute_async("stopped").unwrap();
        await_checkpoints(&client, 1);
        client.stop_with_savepoint(drain, Some(dir.path().to_str().unwrap())).unwrap();
        end_of(&client).unwrap();
        for task in client.figures().unwrap().iter().filter(|task| task.name == "behind") {
            assert_eq!(task.task[names::CURRENT_INPUT_WATERMARK] == i64::MAX, drain, "{task:?}");
        }
    }
}

#[test]
fn figures_of_a_restarted_task_are_those_of_its_newest_attempt() {
    let env = env(1);
    crate::support::restarts(&env, 1);
    let failed = std::sync::atomic::AtomicBool::new(false);
    let once = move |n: i64| {
        assert!(n != 5000 || failed.swap(true, std::sync::atomic::Ordering::SeqCst), "once");
        n
    };
    env.from_sequence(1, 10_000).map(once).name("once").discard();
    let client = env.execute_async("restarted").unwrap();
    assert_eq!(end_of(&client).unwrap().restarts, 1);
    assert_eq!(of(&client, "once", names::NUM_RECORDS_IN), 10_000);
}

#[test]
fn functions_have_meters_histograms_and_accumulators_that_are_seen_while_they_run() {
    struct Watched {
        calls: flott::metrics::Meter,
        sizes: flott::metrics::Histogram,
    }
    impl ProcessFunction for Watched {
        type In = u64;
        type Out = u64;
        fn process(&mut self, number: u64, context: &mut ProcessContext<'_, u64>) -> Result<(), BoxError> {
            self.calls.mark(1);
            self.sizes.update(7);
            context.accumulate("numbers", AccumulatorValue::Long(1))?;
            context.emit(number);
            Ok(())
        }
    }
    let env = env(2);
    let open = |context: &mut RuntimeContext<'_>| {
        Ok(Watched { calls: context.metrics().meter("calls"), sizes: context.metrics().histogram("sizes") })
    };
    endless(&env, 10_000.0).rebalance().process(open).name("watched").discard();
    let client = env.execute_async("watched").unwrap();
    eventually("all tasks count", || {
        let figures = client.figures().unwrap();
        let watched: Vec<_> = figures.iter().filter(|task| task.name.starts_with("watched")).collect();
        let counted = |task: &&flott::TaskFigures| {
            task.distributions[0].meters.get("calls").is_some_and(|calls| calls.count > 10)
                && task.distributions[0].histograms.get("sizes").is_some_and(|sizes| (sizes.p50, sizes.p999) == (7.0, 7.0))
        };
        watched.len() == 2 && watched.iter().all(counted)
    });
    let so_far = client.accumulators().unwrap();
    assert!(matches!(so_far["numbers"], AccumulatorValue::Long(numbers) if numbers > 20), "{so_far:?}");
    cancel(&client);
}

#[test]
fn latency_markers_come_to_every_operator_but_the_source_and_only_if_they_are_wanted() {
    for (interval, granularity, ways) in [
        (0, LatencyGranularity::Operator, 0),
        (1, LatencyGranularity::Single, 1),
        (1, LatencyGranularity::Operator, 1),
        (1, LatencyGranularity::Subtask, 2),
    ] {
        let env = env(2);
        env.set(&options::METRICS_LATENCY_INTERVAL, Duration::from_millis(interval));
        env.set(&options::METRICS_LATENCY_GRANULARITY, granularity);
        endless(&env, 10_000.0).name("numbers").map(|n| n).name("chained").rebalance().map(|n| n).name("behind").discard().name("sink");
        let client = env.execute_async("latency").unwrap();
        let latencies = || {
            let figures = client.figures().unwrap();
            figures.into_iter().map(|task| (task.name, task.latencies)).collect::<Vec<_>>()
        };
        eventually("markers or records have come", || {
            let records = |task: &flott::TaskFigures| task.task.get(names::NUM_RECORDS_IN).is_some_and(|records| *records > 100);
            let records = client.figures().unwrap().iter().any(|task| task.name.starts_with("behind") && records(task));
            let latencies = latencies();
            let come = latencies.len() == 4
                && latencies.iter().all(|(name, found)| {
                    // Two operators of the second task: what is behind, and the sink.
                    let operators = if name.starts_with("behind") { 2 * ways } else { 1 };
                    found.len() == operators && found.iter().all(|latency| latency.histogram.count > 3)
                });
            records && (interval == 0 || come)
        });
        if interval == 0 {
            assert!(latencies().iter().all(|(_, found)| found.is_empty()));
        }
        let sources: Vec<bool> = latencies().iter().flat_map(|(_, found)| found).map(|latency| latency.source.is_some()).collect();
        assert!(sources.iter().all(|known| *known == (granularity != LatencyGranularity::Single)));
        cancel(&client);
    }
}
