//! What the tests share: environments, results with a deadline, texts of errors.

use flott::{
    Data, DataStream, Error, JobClient, StreamExecutionEnvironment,
    config::{Configuration, RestartStrategyType, options},
    connector::datagen::GeneratorSource,
    prelude::*,
};
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine; reached only if something hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// An environment of this parallelism that knows neither files nor variables of the machine.
pub(crate) fn env(parallelism: u32) -> StreamExecutionEnvironment {
    // With `RUST_LOG` set, a test shows what its jobs do. Only the first call has an effect.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into());
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    let env = StreamExecutionEnvironment::with_configuration(Configuration::new());
    env.set_parallelism(parallelism);
    env
}

/// An environment that takes checkpoints into `dir`.
pub(crate) fn checkpointed(parallelism: u32, dir: &tempfile::TempDir) -> StreamExecutionEnvironment {
    checkpointed_at(parallelism, dir.path())
}

/// An environment that takes checkpoints into `dir`.
pub(crate) fn checkpointed_at(parallelism: u32, dir: &std::path::Path) -> StreamExecutionEnvironment {
    let env = env(parallelism);
    env.enable_checkpointing(Duration::from_millis(20));
    env.set(&options::CHECKPOINTING_DIR, Some(text(dir)));
    env
}

/// Starts the jobs of `env` again at once, `attempts` times.
pub(crate) fn restarts(env: &StreamExecutionEnvironment, attempts: u32) {
    env.set(&options::RESTART_STRATEGY_TYPE, Some(RestartStrategyType::FixedDelay));
    env.set(&options::RESTART_FIXED_DELAY_ATTEMPTS, attempts);
    env.set(&options::RESTART_FIXED_DELAY_DELAY, Duration::ZERO);
}

pub(crate) fn text(path: &std::path::Path) -> String {
    path.to_str().expect("paths of tests are UTF-8").to_owned()
}

/// What `work` returns, unless it takes longer than anything here may.
pub(crate) fn within<R: Send + 'static>(what: &str, work: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let worker = thread::spawn(move || drop(sender.send(work())));
    match receiver.recv_timeout(DEADLINE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(worker.join().expect_err("it has sent nothing")),
    }
}

/// Waits until `done` says so.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "in vain waited until {what}");
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// The records of a stream or why its job failed.
pub(crate) fn try_collect<T: Data>(stream: &DataStream<T>) -> Result<Vec<T>, Error> {
    let results = stream.execute_and_collect("test")?;
    within("a job", move || results.collect())
}

/// The records of a stream.
pub(crate) fn collect<T: Data>(stream: &DataStream<T>) -> Vec<T> {
    try_collect(stream).unwrap_or_else(|error| panic!("{error}"))
}

/// The records of a stream in their own order, since that between subtasks is any.
pub(crate) fn sorted<T: Data + Ord>(stream: &DataStream<T>) -> Vec<T> {
    let mut records = collect(stream);
    records.sort();
    records
}

/// Why a job fails or is refused.
#[track_caller]
pub(crate) fn error_of<T: Data>(stream: &DataStream<T>) -> Error {
    match try_collect(stream) {
        Ok(records) => panic!("the job finished with {} records", records.len()),
        Err(error) => error,
    }
}

/// What a failed job says.
#[track_caller]
pub(crate) fn failure<T: Data>(stream: &DataStream<T>) -> String {
    error_of(stream).to_string()
}

/// Waits for the end of a job.
pub(crate) fn end_of(client: &JobClient) -> Result<flott::JobExecutionResult, Error> {
    let client = client.clone();
    within("a job", move || client.wait())
}

/// Cancels a job and waits for its end.
pub(crate) fn cancel(client: &JobClient) {
    client.cancel().unwrap();
    let error = end_of(client).unwrap_err();
    assert_eq!(error.kind(), flott::ErrorKind::Cancelled, "{error}");
}

/// Waits until `count` checkpoints more are complete.
pub(crate) fn await_checkpoints(client: &JobClient, count: u64) {
    let before = client.overview().unwrap().checkpoints.completed;
    eventually("checkpoints are complete", || {
        let overview = client.overview().unwrap();
        assert!(!overview.status.is_terminal(), "the job ended while it was to take checkpoints: {:?}", overview.failures);
        overview.checkpoints.completed >= before + count
    });
}

/// Numbers from 0, as many a second.
pub(crate) fn numbers(env: &StreamExecutionEnvironment, count: u64, rate: f64) -> DataStream<u64> {
    let source = GeneratorSource::new(count, |index, _| index).records_per_second(rate);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers").uid("numbers")
}

/// Numbers from 0 without an end.
pub(crate) fn endless(env: &StreamExecutionEnvironment, rate: f64) -> DataStream<u64> {
    let source = GeneratorSource::unbounded(|index, _| index).records_per_second(rate);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "endless").uid("endless")
}

/// Asserts that `message` contains all `parts`.
#[track_caller]
pub(crate) fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// What a text sink has made visible in `dir`, pairs of numbers.
pub(crate) fn pairs_in(dir: &std::path::Path) -> Vec<(u64, u64)> {
    let mut pairs = Vec::new();
    for line in lines_in(dir) {
        let (key, value) = line.trim_matches(['(', ')']).split_once(", ").unwrap();
        pairs.push((key.parse().unwrap(), value.parse().unwrap()));
    }
    pairs
}

/// The lines of the finished part files in `dir`.
pub(crate) fn lines_in(dir: &std::path::Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("part-") {
            lines.extend(std::fs::read_to_string(path).unwrap().lines().map(str::to_owned));
        }
    }
    lines
}

/// A number of each of `keys` keys is counted: of each key, the result must have every count from 1 on once.
#[track_caller]
pub(crate) fn assert_exactly_once(counts: &[(u64, u64)], keys: u64, records: u64) {
    let mut by_key = vec![Vec::new(); keys as usize];
    counts.iter().for_each(|(key, count)| by_key[*key as usize].push(*count));
    for (key, counts) in by_key.iter_mut().enumerate() {
        counts.sort_unstable();
        let repeated: Vec<u64> = counts.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        let lost: Vec<u64> = (1..=records / keys).filter(|count| counts.binary_search(count).is_err()).collect();
        let few = |counts: &[u64]| format!("{} {:?}", counts.len(), &counts[..counts.len().min(9)]);
        assert!(repeated.is_empty() && lost.is_empty(), "key {key}: repeated {}, lost {}", few(&repeated), few(&lost));
    }
    assert_eq!(counts.len() as u64, records);
}

/// The running count of each of `keys` keys: the program of the tests of snapshots.
pub(crate) fn counted(numbers: &DataStream<u64>, keys: u64) -> DataStream<(u64, u64)> {
    numbers.map(move |n| (n % keys, 1u64)).key_by(|(key, _)| *key).sum(|(_, count)| count).name("count").uid("count")
}

/// Starts `env` from a snapshot.
pub(crate) fn start_from(env: &StreamExecutionEnvironment, path: &str) {
    env.set(&options::STATE_RECOVERY_PATH, Some(path.to_owned()));
}
