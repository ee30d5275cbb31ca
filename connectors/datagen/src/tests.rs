//! The sources as a job uses them.

use crate::{CollectionSource, DatagenError, GeneratorSource, GeneratorSplit, SequenceSource};
use flott_core::{
    Timestamp,
    batch::BATCH_RECORDS,
    codec::{decode, encode},
    id::CheckpointId,
    metrics::{Counter, MetricGroup},
    source::{Assignment, EnumeratorContext, ReadRecords, ReadStatus, ReaderContext, ReaderOutput, Source, SourceReader},
    time::Clock,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Stands still until it is set.
#[derive(Debug, Default)]
struct TestClock(AtomicU64);

impl TestClock {
    fn set(&self, time: Duration) {
        self.0.store(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        0
    }
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
    fn wake_at(&self, _deadline: Duration, _waker: &Waker) {}
}

type Reader<S> = Box<dyn SourceReader<<S as Source>::Out, <S as Source>::Split>>;

fn reader<S: Source>(source: &S, clock: &Arc<TestClock>) -> Reader<S> {
    let context = ReaderContext { subtask: 0, parallelism: 1, clock: clock.clone(), metrics: MetricGroup::default() };
    source.create_reader(&context).unwrap()
}

/// Readers with the splits of a first start.
fn start<S: Source<Split = GeneratorSplit>>(source: &S, parallelism: u32, clock: &Arc<TestClock>) -> Vec<Reader<S>> {
    let context = EnumeratorContext { parallelism, clock: clock.clone() };
    let mut enumerator = source.create_enumerator(&context, None).unwrap();
    let mut readers: Vec<Reader<S>> = (0..parallelism).map(|_| reader(source, clock)).collect();
    let mut out = Vec::new();
    for subtask in 0..parallelism {
        enumerator.add_reader(subtask, &mut out).unwrap();
    }
    for assignment in out {
        match assignment {
            Assignment::Splits { subtask, splits } => readers[subtask as usize].add_splits(splits).unwrap(),
            Assignment::NoMoreSplits { subtask } => readers[subtask as usize].no_more_splits(),
            Assignment::WakeAfter(_) => panic!("nothing changes with time"),
        }
    }
    readers
}

/// What one poll gives; `None` for the end. Nothing and no records is an empty list.
fn poll<T, S>(reader: &mut Box<dyn SourceReader<T, S>>) -> Option<Vec<T>> {
    let mut output = ReaderOutput::new(Counter::default());
    let polled = reader.poll_next(&mut Context::from_waker(Waker::noop()), &mut output);
    let records = output.take().batch.values;
    match polled.map(Result::unwrap) {
        Poll::Ready(ReadStatus::Finished) => None,
        Poll::Ready(ReadStatus::More) => Some(records),
        Poll::Pending => {
            assert!(records.is_empty());
            Some(records)
        }
    }
}

fn read_all<T, S>(reader: &mut Box<dyn SourceReader<T, S>>) -> Vec<T> {
    std::iter::from_fn(|| poll(reader)).flatten().collect()
}

#[test]
fn the_records_of_one_split_come_in_the_order_of_the_index() {
    let source = GeneratorSource::new(2_500, |index, _| index);
    let mut readers = start(&source, 1, &Arc::default());
    assert_eq!(poll(&mut readers[0]).unwrap().len(), BATCH_RECORDS);
    assert_eq!(read_all(&mut readers[0]), (BATCH_RECORDS as u64..2_500).collect::<Vec<_>>());
    assert_eq!(poll(&mut readers[0]), None);
}

#[test]
fn the_records_do_not_depend_on_the_number_of_readers_but_on_the_seed() {
    let all = |parallelism, seed| {
        let source = GeneratorSource::new(5_000, |index, random| (index, random.next_u64())).seed(seed);
        let mut records: Vec<(u64, u64)> = start(&source, parallelism, &Arc::default()).iter_mut().flat_map(read_all).collect();
        records.sort_unstable();
        records
    };
    assert_eq!(all(1, 1).len(), 5_000);
    assert_eq!(all(1, 1), all(3, 1));
    assert_ne!(all(1, 1), all(1, 2));
}

#[test]
fn a_reader_with_several_splits_takes_a_batch_of_each_in_turn() {
    let source = GeneratorSource::unbounded(|index, _| index);
    let mut reader = reader(&source, &Arc::default());
    let split = |number| GeneratorSplit { number, next: u64::from(number), step: 2, end: None };
    reader.add_splits(vec![split(0), split(1)]).unwrap();
    let firsts: Vec<u64> = (0..4).map(|_| poll(&mut reader).unwrap()[0]).collect();
    assert_eq!(firsts, [0, 1, 2 * BATCH_RECORDS as u64, 2 * BATCH_RECORDS as u64 + 1]);
}

#[test]
fn records_are_named_by_their_split_and_its_end_is_told() {
    let source = SequenceSource::new(1, 3);
    let mut readers = start(&source, 2, &Arc::default());
    let mut output = ReaderOutput::new(Counter::default());
    let polled = readers[1].poll_next(&mut Context::from_waker(Waker::noop()), &mut output);
    assert!(matches!(polled, Poll::Ready(Ok(ReadStatus::More))));
    let ReadRecords { batch, starts, finished } = output.take();
    assert_eq!((batch.values, starts, finished), (vec![2], vec![(0, Arc::from("1"))], vec![Arc::from("1")]));
}

#[test]
fn a_restored_reader_goes_on_behind_the_last_record_also_on_fewer_readers() {
    let source = GeneratorSource::new(10_000, |index, random| (index, random.below(1_000)));
    let clock = Arc::default();
    let mut readers = start(&source, 3, &clock);
    let mut records = Vec::new();
    let mut splits: Vec<GeneratorSplit> = Vec::new();
    for (polls, reader) in readers.iter_mut().enumerate() {
        for _ in 0..polls * 2 {
            records.extend(poll(reader).unwrap());
        }
        for split in reader.snapshot(CheckpointId(1)).unwrap() {
            splits.push(decode(&encode(&split).unwrap()).unwrap());
        }
        // Read behind the snapshot: lost in the failure.
        poll(reader);
    }
    let mut restored = reader(&source, &clock);
    restored.add_splits(splits).unwrap();
    restored.no_more_splits();
    records.extend(read_all(&mut restored));
    records.sort_unstable();
    let mut expected = read_all(&mut start(&source, 1, &clock)[0]);
    expected.sort_unstable();
    assert_eq!(records, expected);
    assert_eq!(restored.snapshot(CheckpointId(2)).unwrap(), []);
}

#[test]
fn an_enumerator_that_is_restored_makes_no_splits_again() {
    let source = SequenceSource::new(1, 10);
    let context = EnumeratorContext { parallelism: 2, clock: Arc::<TestClock>::default() };
    let mut enumerator = source.create_enumerator(&context, None).unwrap();
    let mut out = Vec::new();
    enumerator.add_reader(0, &mut out).unwrap();
    enumerator.add_reader(1, &mut out).unwrap();
    let state = enumerator.snapshot(CheckpointId(1)).unwrap();
    out.clear();
    source.create_enumerator(&context, Some(state)).unwrap().add_reader(0, &mut out).unwrap();
    assert_eq!(out, [Assignment::NoMoreSplits { subtask: 0 }]);
}

#[test]
fn a_sequence_includes_both_ends_and_the_extreme_ones() {
    let all = |from, to| read_all(&mut start(&SequenceSource::new(from, to), 1, &Arc::default())[0]);
    assert_eq!(all(-2, 2), [-2, -1, 0, 1, 2]);
    assert_eq!(all(7, 7), [7]);
    assert!(all(8, 7).is_empty());
    assert_eq!(all(i64::MIN, i64::MIN + 1), [i64::MIN, i64::MIN + 1]);
    assert_eq!(all(i64::MAX - 1, i64::MAX), [i64::MAX - 1, i64::MAX]);

    let everything = SequenceSource::new(i64::MIN, i64::MAX);
    assert_eq!(poll(&mut start(&everything, 1, &Arc::default())[0]).unwrap()[0], i64::MIN);
    let mut last = reader(&everything, &Arc::default());
    last.add_splits(vec![GeneratorSplit { number: 0, next: u64::MAX - 4, step: 3, end: None }]).unwrap();
    last.no_more_splits();
    assert_eq!(read_all(&mut last), [i64::MAX - 4, i64::MAX - 1]);
}

#[test]
fn a_collection_gives_each_element_once() {
    let words: Vec<String> = ["to", "be", "or"].map(str::to_owned).to_vec();
    let source = CollectionSource::new(words.clone());
    assert_eq!(read_all(&mut start(&source, 1, &Arc::default())[0]), words);
    let spread: Vec<Vec<String>> = start(&source, 4, &Arc::default()).iter_mut().map(read_all).collect();
    assert_eq!(spread, [vec!["to".to_owned()], vec!["be".to_owned()], vec!["or".to_owned()], vec![]]);
    assert!(read_all(&mut start(&CollectionSource::<u8>::new(vec![]), 2, &Arc::default())[1]).is_empty());
}

#[test]
fn a_collection_that_has_become_shorter_ends_earlier() {
    let mut reader = reader(&CollectionSource::new(vec!['a', 'b']), &Arc::default());
    let split = |next| GeneratorSplit { number: next as u32, next, step: 2, end: Some(9) };
    reader.add_splits(vec![split(1), split(4)]).unwrap();
    reader.no_more_splits();
    assert_eq!(read_all(&mut reader), ['b']);
}

#[test]
fn readers_share_the_rate_and_say_when_the_next_record_is_due() {
    let clock = Arc::<TestClock>::default();
    let source = GeneratorSource::unbounded(|index, _| index).records_per_second(100.0);
    let mut readers = start(&source, 4, &clock);
    assert_eq!(poll(&mut readers[3]), Some(vec![]));
    assert_eq!(readers[3].next_wake(), Some(Duration::from_millis(40)));
    clock.set(Duration::from_millis(100));
    assert_eq!(poll(&mut readers[3]), Some(vec![3, 7]));
    assert_eq!(poll(&mut readers[3]), Some(vec![]));
    assert_eq!(readers[3].next_wake(), Some(Duration::from_millis(120)));
}

#[test]
fn the_total_rate_stays_when_some_readers_have_all_splits() {
    let clock = Arc::<TestClock>::default();
    let source = GeneratorSource::unbounded(|index, _| index).records_per_second(1_000.0);
    let mut reader = reader(&source, &clock);
    let split = |number| GeneratorSplit { number, next: u64::from(number), step: 4, end: None };
    reader.add_splits((0..4).map(split).collect()).unwrap();
    let mut records = 0;
    while clock.monotonic() < Duration::from_secs(2) {
        records += poll(&mut reader).unwrap().len();
        if let Some(next) = reader.next_wake() {
            clock.set(next);
        }
    }
    assert!((1_990..=2_000).contains(&records), "{records}");
}

#[test]
fn a_high_rate_is_emitted_in_batches_of_the_usual_size_at_the_most() {
    let clock = Arc::<TestClock>::default();
    let source = GeneratorSource::unbounded(|index, _| index).records_per_second(1e6);
    let mut readers = start(&source, 1, &clock);
    clock.set(Duration::from_secs(30));
    let sizes: Vec<usize> = std::iter::from_fn(|| poll(&mut readers[0])).map(|batch| batch.len()).take_while(|size| *size > 0).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 1_000_000, "one second of the stall is made up for");
    assert_eq!(sizes.iter().max(), Some(&BATCH_RECORDS));
    assert_eq!(readers[0].next_wake(), Some(Duration::from_secs(30) + Duration::from_micros(100)));
}

#[test]
fn a_rate_that_is_none_fails_the_job_with_advice() {
    let clock = Arc::<TestClock>::default();
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let source = GeneratorSource::new(1, |index, _| index).records_per_second(rate);
        let error = source.create_enumerator(&EnumeratorContext { parallelism: 1, clock: clock.clone() }, None).err().unwrap();
        assert!(error.to_string().contains("is no rate: give a finite number above 0"), "{error}");
    }
}

#[test]
fn a_split_that_would_never_advance_is_refused() {
    let mut reader = reader(&SequenceSource::new(1, 2), &Arc::default());
    let error = reader.add_splits(vec![GeneratorSplit { number: 5, next: 0, step: 0, end: None }]).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&DatagenError::InvalidSplit { split: "5".to_owned() }));
}
