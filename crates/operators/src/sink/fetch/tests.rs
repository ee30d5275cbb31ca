use super::{FetchedResults, SILENCE, fetch_sink};
use flott_core::{
    AnyBatch, Batch, BoxError, Timestamp,
    accumulator::Accumulators,
    context::{BlockVisitor, OpenContext, OperatorInfo, RestoredState, RuntimeMode},
    id::{CheckpointId, OperatorId},
    key_group::KeyGroup,
    metrics::MetricGroup,
    operator::{Operator, Output, SnapshotWriter, WatermarkStatus},
    snapshot::{KeyedStateMeta, ListStateSnapshot},
    time::{Clock, SharedClock},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

struct Nowhere;

impl Output for Nowhere {
    fn emit(&mut self, _: AnyBatch) -> Result<(), BoxError> {
        Ok(())
    }
    fn emit_watermark(&mut self, _: Timestamp) -> Result<(), BoxError> {
        Ok(())
    }
    fn emit_status(&mut self, _: WatermarkStatus) -> Result<(), BoxError> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Kept(Vec<ListStateSnapshot>);

impl SnapshotWriter for Kept {
    fn list(&mut self, list: ListStateSnapshot) {
        self.0.push(list);
    }
    fn keyed_state(&mut self, _: KeyedStateMeta) {}
    fn keyed_block(&mut self, _: u16, _: KeyGroup, _: Vec<u8>) {}
}

impl RestoredState for Kept {
    fn checkpoint(&self) -> CheckpointId {
        CheckpointId(1)
    }
    fn lists(&self) -> &[ListStateSnapshot] {
        &self.0
    }
    fn keyed_blocks(&self, _: &mut BlockVisitor<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[derive(Default)]
struct Seconds(AtomicU64);

impl Clock for Seconds {
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
    fn wall(&self) -> Timestamp {
        0
    }
    fn wake_at(&self, _: Duration, _: &Waker) {}
}

fn values(with_bytes: Vec<(u64, u64)>) -> Vec<u64> {
    with_bytes.into_iter().map(|(value, _)| value).collect()
}

/// A sink of numbers that is started again and again.
struct Job {
    sink: Box<dyn Operator>,
    clock: Arc<Seconds>,
    attempt: u32,
    /// What this attempt and those that it goes on from have emitted.
    emitted: Vec<u64>,
    checkpoints: u64,
    complete: Option<(Kept, Vec<u64>)>,
    at_once: bool,
}

impl Job {
    fn new(at_once: bool) -> Self {
        let clock = Arc::new(Seconds::default());
        let sink = fetch_sink::<u64>(at_once).create();
        let mut job = Job { sink, clock, attempt: 0, emitted: Vec::new(), checkpoints: 0, complete: None, at_once };
        job.start();
        job
    }

    fn start(&mut self) {
        let info = OperatorInfo {
            id: OperatorId(7),
            name: "collect".into(),
            subtask: 0,
            parallelism: 1,
            max_parallelism: 1,
            attempt: self.attempt,
        };
        let clock: SharedClock = self.clock.clone();
        let restored = self.complete.clone();
        let mut context = OpenContext {
            info: &info,
            mode: RuntimeMode::Streaming,
            restored: restored.as_ref().map(|(kept, _)| kept as &dyn RestoredState),
            clock: &clock,
            metrics: &MetricGroup::default(),
            accumulators: &Accumulators::default(),
            watermark_interval: Duration::ZERO,
            commit_retries: 0,
            seed: u64::from(self.attempt),
        };
        self.sink = fetch_sink::<u64>(self.at_once).create();
        self.sink.open(&mut context).unwrap();
        self.emitted = restored.map(|(_, emitted)| emitted).unwrap_or_default();
        self.attempt += 1;
    }

    fn emit(&mut self, count: u64) {
        // What an attempt emits differs from what another one does, from where they start.
        let attempt = u64::from(self.attempt - 1);
        let first = self.emitted.len() as u64;
        let values: Vec<u64> = (first..first + count).map(|index| index * 1000 + attempt).collect();
        self.emitted.extend(&values);
        self.sink.process(0, AnyBatch::new(Batch::of(values)), &mut Nowhere).unwrap();
    }

    fn checkpoint(&mut self, completes: bool) {
        self.checkpoints += 1;
        let mut kept = Kept::default();
        self.sink.snapshot(CheckpointId(self.checkpoints), &mut kept).unwrap();
        if completes {
            self.complete = Some((kept, self.emitted.clone()));
            self.sink.checkpoint_completed(CheckpointId(self.checkpoints)).unwrap();
        }
    }

    fn fetch(&mut self, results: &mut FetchedResults<u64>, most_bytes: u64) -> Vec<u64> {
        let answer = self.sink.request(&results.request(most_bytes, false).unwrap()).unwrap();
        values(results.answer(&answer).unwrap())
    }
}

#[test]
fn a_result_comes_when_it_was_there_before_a_checkpoint_that_is_complete() {
    let (mut job, mut results) = (Job::new(false), FetchedResults::default());
    job.emit(3);
    assert_eq!(job.fetch(&mut results, 1000), [0u64; 0], "they may be taken back");
    job.checkpoint(false);
    job.emit(1);
    assert_eq!(job.fetch(&mut results, 1000), [0u64; 0]);
    job.checkpoint(true);
    job.emit(1);
    assert_eq!(job.fetch(&mut results, 1000), [0, 1000, 2000, 3000]);
    assert!(results.end(false, Duration::ZERO).unwrap().is_empty());
}

#[test]
fn what_a_checkpoint_has_is_not_fetched_again_after_a_restart() {
    let (mut job, mut results) = (Job::new(false), FetchedResults::default());
    job.emit(3);
    job.checkpoint(true);
    assert_eq!(job.fetch(&mut results, 1000), [0, 1000, 2000]);
    job.emit(2);
    job.fetch(&mut results, 1000);
    assert_eq!(results.fetched(), 5);
    // The checkpoint did not know that any of them were here.
    job.start();
    job.emit(1);
    assert_eq!(job.fetch(&mut results, 1000), [0u64; 0]);
    assert_eq!(results.fetched(), 3);
    job.fetch(&mut results, 1000);
    job.checkpoint(true);
    assert_eq!(job.fetch(&mut results, 1000), [3001]);
}

#[test]
fn the_last_results_are_handed_out_while_another_branch_of_the_job_goes_on() {
    let (mut job, mut results) = (Job::new(false), FetchedResults::<u64>::default());
    job.emit(2);
    job.sink.finish(&mut Nowhere).unwrap();
    while !results.is_complete() {
        job.fetch(&mut results, 1000);
    }
    job.fetch(&mut results, 1000);
    assert!(job.sink.is_settled(), "without checkpoints they stand at the end of the job only");
    job.checkpoint(true);
    assert!(!job.sink.is_settled(), "the program does not know yet that they stand");
    assert_eq!(job.fetch(&mut results, 1000), [0, 1000]);
    job.fetch(&mut results, 1000);
    assert!(job.sink.is_settled());
}

#[test]
fn without_restarts_results_come_at_once() {
    let (mut job, mut results) = (Job::new(true), FetchedResults::default());
    job.emit(2);
    assert_eq!(job.fetch(&mut results, 1000), [0, 1000]);
    job.start();
    job.emit(1);
    let answer = job.sink.request(&results.request(1000, false).unwrap()).unwrap();
    assert!(results.answer(&answer).unwrap_err().to_string().contains("they would be repeated"));
}

#[test]
fn a_sink_whose_program_is_slow_takes_no_more_and_one_whose_program_is_silent_gives_up() {
    let (mut job, mut results) = (Job::new(false), FetchedResults::<u64>::default());
    assert!(job.sink.is_ready());
    job.emit(100_000);
    assert!(!job.sink.is_ready());
    while results.fetched() < 90_000 {
        job.fetch(&mut results, 1 << 20);
    }
    assert!(job.sink.is_ready());
    job.emit(100_000);
    assert!(!job.sink.is_ready());
    job.clock.0.store(SILENCE.as_secs(), Ordering::Relaxed);
    assert_eq!(job.sink.next_wake(), Some(SILENCE));
    job.sink.on_wake(&mut Nowhere).unwrap();
    assert!(job.sink.is_ready());
    job.sink.finish(&mut Nowhere).unwrap();
    assert!(job.sink.is_settled());
    job.fetch(&mut results, 1 << 20);
    assert!(results.end(true, Duration::ZERO).unwrap_err().to_string().contains("results are missing"));
}

/// A job that has given up 5 results of 10. The program got the others, if it has asked at all, and 2 are certain to stand.
fn given_up(has_asked: bool) -> (Job, FetchedResults<u64>) {
    let (mut job, mut results) = (Job::new(false), FetchedResults::<u64>::default());
    job.emit(2);
    if has_asked {
        job.fetch(&mut results, 1000);
        // That the first two are here.
        job.sink.request(&results.request(0, false).unwrap()).unwrap();
    }
    job.checkpoint(true);
    job.emit(3);
    if has_asked {
        job.sink.request(&results.request(0, false).unwrap()).unwrap();
    }
    job.emit(5);
    job.clock.0.store(SILENCE.as_secs(), Ordering::Relaxed);
    job.sink.on_wake(&mut Nowhere).unwrap();
    (job, results)
}

fn is_missing<R: std::fmt::Debug>(result: Result<R, flott_core::Error>) -> bool {
    result.unwrap_err().to_string().contains("results are missing")
}

#[test]
fn a_program_that_comes_back_after_its_results_were_given_up_gets_what_stands_and_then_an_error() {
    let (mut job, mut results) = given_up(true);
    assert_eq!(job.fetch(&mut results, 1000), [0, 1000]);
    assert!(is_missing(results.request(1000, false)));
    assert!(results.request(0, true).is_ok(), "that it wants no more can still be said");
    assert!(is_missing(results.end(true, Duration::ZERO)));
}

#[test]
fn a_program_whose_first_question_comes_too_late_is_told() {
    let (mut job, mut results) = given_up(false);
    assert!(job.fetch(&mut results, 1000).is_empty());
    assert!(job.fetch(&mut results, 1000).is_empty());
    assert!(is_missing(results.request(1000, false)));
}

#[test]
fn that_results_were_given_up_is_noticed_after_a_restart_too() {
    let (mut job, mut results) = given_up(true);
    job.checkpoint(true);
    job.start();
    job.emit(1);
    let answer = job.sink.request(&results.request(1000, false).unwrap()).unwrap();
    assert!(is_missing(results.answer(&answer)));
    // A later program has lost nothing: it begins where the checkpoint does.
    let mut later = FetchedResults::default();
    job.fetch(&mut later, 1000);
    assert_eq!(later.fetched(), 11);
    assert_eq!(later.end(true, Duration::ZERO).unwrap().len(), 1);
}

#[test]
fn a_job_that_ended_while_the_program_was_cut_off_has_not_given_it_all() {
    let mut job = Job::new(false);
    let fetched = |job: &mut Job| {
        let mut results = FetchedResults::default();
        job.fetch(&mut results, 60);
        results
    };
    job.emit(5);
    assert!(fetched(&mut job).end(true, Duration::from_secs(1)).is_ok(), "a stop, behind the last result");
    assert!(is_missing(fetched(&mut job).end(true, SILENCE)));
    job.sink.finish(&mut Nowhere).unwrap();
    assert!(is_missing(fetched(&mut job).end(true, Duration::ZERO)), "there are more than were fetched");
    assert!(fetched(&mut job).end(false, SILENCE).is_ok(), "a job that failed says why");
}

#[test]
fn a_stop_with_a_savepoint_does_not_wait_for_ever_for_a_program_that_is_gone() {
    let mut job = Job::new(false);
    assert_eq!(job.sink.next_wake(), None, "nothing waits for the program");
    job.emit(3);
    // The barrier of the stop: input does not end.
    job.checkpoint(true);
    assert!(!job.sink.is_settled());
    assert_eq!(job.sink.next_wake(), Some(SILENCE));
    job.clock.0.store(SILENCE.as_secs(), Ordering::Relaxed);
    job.sink.on_wake(&mut Nowhere).unwrap();
    assert!(job.sink.is_settled());
    job.start();
    let mut results = FetchedResults::default();
    job.fetch(&mut results, 1000);
    assert_eq!(results.fetched(), 3, "the savepoint has them");
}

#[test]
fn whatever_happens_in_whichever_order_each_result_comes_once_and_in_order() {
    for seed in 0..3000u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let (mut job, mut results) = (Job::new(false), FetchedResults::default());
        let mut handed_out: Vec<u64> = Vec::new();
        for _ in 0..60 {
            match random(10) {
                0..3 => job.emit(random(5)),
                3 => job.checkpoint(random(3) > 0),
                4 => job.start(),
                5 => {
                    // The answer is lost on its way.
                    job.sink.request(&results.request(200, false).unwrap()).unwrap();
                }
                _ => handed_out.extend(job.fetch(&mut results, random(300))),
            }
            assert!(job.emitted.starts_with(&handed_out), "seed {seed}: {handed_out:?} of {:?}", job.emitted);
        }
        job.sink.finish(&mut Nowhere).unwrap();
        job.checkpoint(true);
        for turn in 0.. {
            assert!(turn < 1000, "seed {seed}: it does not come to its end");
            if job.sink.is_settled() {
                break;
            }
            handed_out.extend(job.fetch(&mut results, 100));
        }
        assert_eq!(handed_out, job.emitted, "seed {seed}");
        assert!(results.end(true, Duration::ZERO).unwrap().is_empty());
    }
}
