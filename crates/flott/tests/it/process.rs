//! Process functions: state of all kinds, timers, operator state, accumulators.

use crate::support::{await_checkpoints, checkpointed, collect, end_of, endless, env, restarts, sorted, start_from, text};
use flott::{AccumulatorValue, connector::datagen::GeneratorSource, prelude::*};
use std::sync::{Arc, Mutex};

/// The mean of what was added, in whole numbers.
struct Mean;

impl AggregateFunction for Mean {
    type In = u64;
    type Accumulator = (u64, u64);
    type Out = u64;

    fn create_accumulator(&self) -> (u64, u64) {
        (0, 0)
    }
    fn add(&self, value: u64, accumulator: &mut (u64, u64)) {
        *accumulator = (accumulator.0 + value, accumulator.1 + 1);
    }
    fn get_result(&self, accumulator: &(u64, u64)) -> u64 {
        accumulator.0 / accumulator.1
    }
    fn merge(&self, one: (u64, u64), other: (u64, u64)) -> (u64, u64) {
        (one.0 + other.0, one.1 + other.1)
    }
}

/// Keeps each value in a state of every kind.
struct AllStates {
    last: ValueState<u64>,
    all: ListState<u64>,
    seen: MapState<u64, u64>,
    largest: ReducingState<u64>,
    mean: AggregatingState<Mean>,
}

impl KeyedProcessFunction for AllStates {
    type Key = u64;
    type In = u64;
    type Out = (u64, Option<u64>, Vec<u64>, u64, Option<u64>, Option<u64>);

    fn process(&mut self, value: u64, context: &mut KeyedContext<'_, u64, Self::Out>) -> Result<(), BoxError> {
        let before = self.last.value();
        self.last.update(value);
        self.all.add(value);
        let times = self.seen.get(&(value % 2)).unwrap_or(0) + 1;
        self.seen.put(value % 2, times);
        self.largest.add(value);
        self.mean.add(value);
        context.emit((*context.current_key(), before, self.all.get(), times, self.largest.get(), self.mean.get()));
        Ok(())
    }
}

#[test]
fn a_function_has_state_of_all_five_kinds_for_each_key() {
    let env = env(2);
    let results = env.from_data([11u64, 21, 12, 14, 13]).key_by(|value| value / 10).process(|context| {
        Ok(AllStates {
            last: context.value_state("last")?,
            all: context.list_state("all")?,
            seen: context.map_state("seen")?,
            largest: context.reducing_state("largest", |a: u64, b| a.max(b))?,
            mean: context.aggregating_state("mean", Mean)?,
        })
    });
    let expected = vec![
        (1, None, vec![11], 1, Some(11), Some(11)),
        (1, Some(11), vec![11, 12], 1, Some(12), Some(11)),
        (1, Some(12), vec![11, 12, 14], 2, Some(14), Some(12)),
        (1, Some(14), vec![11, 12, 14, 13], 2, Some(14), Some(12)),
        (2, None, vec![21], 1, Some(21), Some(21)),
    ];
    assert_eq!(sorted(&results), expected);
}

#[test]
fn a_state_name_that_is_taken_by_another_kind_fails_the_job() {
    struct Nothing;
    impl KeyedProcessFunction for Nothing {
        type Key = u64;
        type In = u64;
        type Out = u64;
        fn process(&mut self, _: u64, _: &mut KeyedContext<'_, u64, u64>) -> Result<(), BoxError> {
            Ok(())
        }
    }
    let results = env(1).from_data([1u64]).key_by(|value| *value).process(|context| {
        context.value_state::<u64>("twice")?;
        context.list_state::<u64>("twice")?;
        Ok(Nothing)
    });
    let message = crate::support::failure(&results);
    assert!(message.contains("twice"), "{message}");
}

/// Sets a timer for each record and emits when it fires.
struct Alarm {
    delay_ms: i64,
    processing_time: bool,
    waiting: ValueState<i64>,
}

impl KeyedProcessFunction for Alarm {
    type Key = u64;
    type In = (u64, i64);
    type Out = (u64, Timestamp, i64);

    fn process(&mut self, (_, at): (u64, i64), context: &mut KeyedContext<'_, u64, Self::Out>) -> Result<(), BoxError> {
        self.waiting.update(at);
        if self.processing_time {
            context.register_processing_time_timer(context.current_processing_time() + self.delay_ms);
        } else {
            // Twice: a key has one timer for a time.
            context.register_event_time_timer(at + self.delay_ms);
            context.register_event_time_timer(at + self.delay_ms);
        }
        Ok(())
    }

    fn on_timer(&mut self, timestamp: Timestamp, context: &mut KeyedContext<'_, u64, Self::Out>) -> Result<(), BoxError> {
        context.emit((*context.current_key(), timestamp, self.waiting.value().unwrap_or(-1)));
        Ok(())
    }
}

#[test]
fn event_time_timers_fire_once_each_in_the_order_of_their_times() {
    let env = env(1);
    let source = GeneratorSource::new(30, |index, _| (index % 3, index as i64 * 10));
    let strategy = WatermarkStrategy::for_monotonous_timestamps().with_timestamp_assigner(|(_, at): &(u64, i64), _| *at);
    let alarms = env
        .from_source(source, strategy, "events")
        .key_by(|(key, _)| *key)
        .process(|context| Ok(Alarm { delay_ms: 5, processing_time: false, waiting: context.value_state("waiting")? }));
    let fired = collect(&alarms);
    let times: Vec<i64> = fired.iter().map(|(_, at, _)| *at).collect();
    assert_eq!(times, (0..30).map(|index| index * 10 + 5).collect::<Vec<_>>());
    assert!(fired.iter().all(|(key, at, _)| (at / 10) % 3 == *key as i64));
}

#[test]
fn processing_time_timers_fire_while_the_job_runs() {
    let env = env(1);
    let results = endless(&env, 100.0)
        .map(|index| (index, 7))
        .key_by(|(key, _)| *key)
        .process(|context| Ok(Alarm { delay_ms: 20, processing_time: true, waiting: context.value_state("waiting")? }))
        .execute_and_collect("alarms")
        .unwrap();
    let client = results.client().clone();
    let fired = crate::support::within("timers", move || results.take(10).collect::<Result<Vec<_>, _>>()).unwrap();
    assert!(fired.iter().all(|(_, _, waiting)| *waiting == 7));
    crate::support::cancel(&client);
}

/// Remembers in operator state what it has seen, and tells what it found at its start.
struct Remembers {
    split: OperatorListState<u64>,
    union: OperatorListState<u32>,
}

impl ProcessFunction for Remembers {
    type In = u64;
    type Out = u64;

    fn process(&mut self, value: u64, context: &mut ProcessContext<'_, u64>) -> Result<(), BoxError> {
        self.split.add(value);
        if self.union.get().len() != 1 {
            return Err("the union state is this subtask's own from the start on".into());
        }
        context.accumulate("seen", AccumulatorValue::Long(1))?;
        context.emit(value);
        Ok(())
    }
}

/// What subtasks found in their split and union states when they were opened.
type Found = Arc<Mutex<Vec<(Vec<u64>, Vec<u32>)>>>;

fn remembering(env: &StreamExecutionEnvironment, found: &Found) {
    let found = found.clone();
    endless(env, 500.0)
        .rebalance()
        .process(move |context| {
            let subtask = context.info().subtask;
            let split = context.operator_list_state("split")?;
            let union = context.union_list_state("union")?;
            found.lock().unwrap().push((split.get().to_vec(), union.get().to_vec()));
            union.update(vec![subtask]);
            Ok(Remembers { split, union })
        })
        .uid("remembers")
        .discard();
}

#[test]
fn operator_state_is_split_or_united_at_another_parallelism() {
    let dir = tempfile::tempdir().unwrap();
    let first = checkpointed(2, &dir);
    restarts(&first, 0);
    remembering(&first, &Found::default());
    let client = first.execute_async("first").unwrap();
    await_checkpoints(&client, 3);
    let savepoint = client.stop_with_savepoint(false, Some(&text(dir.path()))).unwrap().location;
    let AccumulatorValue::Long(seen) = end_of(&client).unwrap().accumulators["seen"] else { panic!("another kind of accumulator") };

    let second = checkpointed(3, &dir);
    restarts(&second, 0);
    start_from(&second, &savepoint);
    let found = Found::default();
    remembering(&second, &found);
    let client = second.execute_async("second").unwrap();
    await_checkpoints(&client, 1);
    crate::support::cancel(&client);

    let found = found.lock().unwrap();
    assert_eq!(found.len(), 3);
    let mut split: Vec<u64> = found.iter().flat_map(|(split, _)| split.clone()).collect();
    split.sort_unstable();
    assert_eq!(split, (0..seen as u64).collect::<Vec<_>>(), "every item is with exactly one subtask");
    let sizes: Vec<usize> = found.iter().map(|(split, _)| split.len()).collect();
    assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
    for (_, union) in found.iter() {
        let mut union = union.clone();
        union.sort_unstable();
        assert_eq!(union, [0, 1], "every subtask has the items of all");
    }
}
