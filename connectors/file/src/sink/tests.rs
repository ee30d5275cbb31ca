use super::*;
use crate::test_clock::TestClock;
use flott_core::{
    batch::{Batch, Timestamps},
    id::CheckpointId,
    metrics::MetricGroup,
    sink::CommitOutcome,
};
use std::{collections::BTreeMap, fs};

type Record = (String, u64);
type Writer = Box<dyn SinkWriter<Record, FileCommittable, FileWriterState>>;

/// What a checkpoint stores.
#[derive(Clone, Default)]
struct Checkpoint {
    states: Vec<FileWriterState>,
    committables: Vec<FileCommittable>,
}

/// A directory, and the writers of a sink's subtasks.
struct Harness {
    root: tempfile::TempDir,
    configure: fn(FileSink<Record>) -> FileSink<Record>,
    clock: Arc<TestClock>,
    writers: Vec<Writer>,
    seed: u64,
}

impl Harness {
    fn new(parallelism: u32, configure: fn(FileSink<Record>) -> FileSink<Record>) -> Self {
        let mut harness = Harness { root: tempfile::tempdir().unwrap(), configure, clock: TestClock::new(), writers: Vec::new(), seed: 0 };
        harness.restore(parallelism, &Checkpoint::default()).unwrap();
        harness
    }

    fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    fn sink(&self) -> FileSink<Record> {
        (self.configure)(FileSink::for_row_format(self.out(), |(word, count): &Record, line: &mut Vec<u8>| {
            line.extend_from_slice(format!("{word} {count}").as_bytes());
            Ok(())
        }))
    }

    fn context(&mut self, subtask: u32, parallelism: u32) -> WriterContext {
        self.seed += 1;
        WriterContext {
            operator: "sink".into(),
            subtask,
            parallelism,
            attempt: 0,
            restored: None,
            clock: self.clock.clone(),
            metrics: MetricGroup::default(),
            seed: self.seed,
        }
    }

    /// Crashes all writers, commits what the checkpoint holds and starts new writers from it.
    fn restore(&mut self, parallelism: u32, checkpoint: &Checkpoint) -> Result<(), BoxError> {
        self.writers.clear();
        self.commit(checkpoint)?;
        let mut shares = vec![Vec::new(); parallelism as usize];
        for (index, state) in coded(&checkpoint.states).into_iter().enumerate() {
            shares[index % parallelism as usize].push(state);
        }
        for (subtask, share) in shares.into_iter().enumerate() {
            let context = self.context(subtask as u32, parallelism);
            self.writers.push(self.sink().create_writer(&context, share)?);
        }
        Ok(())
    }

    fn write(&mut self, subtask: usize, numbers: std::ops::Range<u64>) {
        let records = numbers.map(|n| ("n".to_owned(), n)).collect();
        self.writers[subtask].write(Batch::of(records)).unwrap();
    }

    fn checkpoint(&mut self, end_of_input: bool) -> Checkpoint {
        let mut checkpoint = Checkpoint::default();
        for writer in &mut self.writers {
            writer.flush(end_of_input).unwrap();
            checkpoint.committables.extend(writer.prepare_commit(CheckpointId(1)).unwrap());
            checkpoint.states.extend(writer.snapshot(CheckpointId(1)).unwrap());
        }
        checkpoint
    }

    fn commit(&mut self, checkpoint: &Checkpoint) -> Result<Vec<bool>, BoxError> {
        let context = self.context(0, 1);
        let mut committer = self.sink().create_committer(&context)?.unwrap();
        let outcomes = coded(&checkpoint.committables).into_iter().map(|committable| match committer.commit(&committable) {
            CommitOutcome::Committed => Ok(true),
            CommitOutcome::AlreadyCommitted => Ok(false),
            CommitOutcome::Retry(error) => panic!("{error}"),
            CommitOutcome::Failed(error) => Err(error),
        });
        outcomes.collect()
    }

    fn finish(&mut self) {
        let last = self.checkpoint(true);
        self.commit(&last).unwrap();
        assert_eq!(self.hidden(), [""; 0]);
    }

    /// Finished files with their content, by path below the output directory.
    fn finished(&self) -> BTreeMap<String, String> {
        let all = files(&self.out(), "");
        all.into_iter().filter(|(name, _)| !name.contains(".inprogress.")).collect()
    }

    fn hidden(&self) -> Vec<String> {
        files(&self.out(), "").into_keys().filter(|name| name.contains(".inprogress.")).collect()
    }

    /// All numbers in finished files, sorted.
    fn numbers(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> =
            self.finished().values().flat_map(|text| text.lines()).map(|line| line.strip_prefix("n ").unwrap().parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    }
}

fn files(dir: &Path, prefix: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            found.extend(files(&path, &format!("{name}/")));
        } else {
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

fn coded<T: Data>(value: &T) -> T {
    flott_core::codec::decode(&flott_core::codec::encode(value).unwrap()).unwrap()
}

fn all_below(n: u64) -> Vec<u64> {
    (0..n).collect()
}

#[test]
fn results_appear_when_the_checkpoint_is_committed_not_before() {
    let mut harness = Harness::new(1, |sink| sink.part_bytes(20).part_suffix(".txt"));
    harness.write(0, 0..12);
    assert!(harness.finished().is_empty());
    let checkpoint = harness.checkpoint(false);
    assert!(harness.finished().is_empty());
    assert_eq!(harness.commit(&checkpoint).unwrap(), [true, true]);
    let expected = [("part-0-0.txt", "n 0\nn 1\nn 2\nn 3\nn 4\n"), ("part-0-1.txt", "n 5\nn 6\nn 7\nn 8\nn 9\n")];
    assert_eq!(harness.finished(), expected.map(|(name, text)| (name.to_owned(), text.to_owned())).into());
    let hidden = harness.hidden();
    assert!(hidden.len() == 1 && hidden[0].starts_with(".part-0-2.txt.inprogress."), "{hidden:?}");
    harness.finish();
    assert_eq!(harness.finished()["part-0-2.txt"], "n 10\nn 11\n");
}

#[test]
fn a_crash_at_any_point_gives_each_record_once() {
    // Small parts roll within batches, large ones stay open over checkpoints.
    let variants: [fn(FileSink<Record>) -> FileSink<Record>; 3] =
        [|sink| sink.part_bytes(50), |sink| sink.part_bytes(1000), |sink| sink.roll_on_checkpoint(true)];
    for configure in variants {
        for committed_before_crash in [true, false] {
            let mut harness = Harness::new(1, configure);
            for round in 0..20 {
                let from = round * 10;
                harness.write(0, from..from + 10);
                let checkpoint = harness.checkpoint(false);
                if committed_before_crash {
                    harness.commit(&checkpoint).unwrap();
                }
                // Written after the checkpoint, partly to disk, and lost in the crash.
                harness.write(0, from + 10..from + 17);
                if round % 3 == 0 {
                    harness.checkpoint(false);
                }
                harness.restore(1, &checkpoint).unwrap();
            }
            harness.write(0, 200..250);
            let checkpoint = harness.checkpoint(true);
            harness.commit(&checkpoint).unwrap();
            assert_eq!(harness.numbers(), all_below(250));
        }
    }
}

#[test]
fn committing_twice_does_no_harm() {
    let mut harness = Harness::new(1, |sink| sink.roll_on_checkpoint(true));
    harness.write(0, 0..10);
    let checkpoint = harness.checkpoint(false);
    assert_eq!(harness.commit(&checkpoint).unwrap(), [true]);
    assert_eq!(harness.commit(&checkpoint).unwrap(), [false]);
    harness.restore(1, &checkpoint).unwrap();
    assert_eq!(harness.numbers(), all_below(10));

    // A crash between the two steps of a rename leaves both names on one file.
    fs::hard_link(&checkpoint.committables[0].to, &checkpoint.committables[0].from).unwrap();
    assert_eq!(harness.commit(&checkpoint).unwrap(), [true]);
    assert_eq!(harness.hidden(), [""; 0]);
    assert_eq!(harness.numbers(), all_below(10));
}

#[test]
fn a_commit_that_would_lose_or_overwrite_results_fails() {
    let mut harness = Harness::new(1, |sink| sink.roll_on_checkpoint(true));
    harness.write(0, 0..10);
    let checkpoint = harness.checkpoint(false);
    let FileCommittable { from, to, .. } = checkpoint.committables[0].clone();
    fs::write(&to, "somebody else's").unwrap();
    let error = harness.commit(&checkpoint).unwrap_err().to_string();
    assert!(error.contains(&from) && error.contains(&to) && error.contains("another file"), "{error}");
    assert_eq!(fs::read_to_string(&to).unwrap(), "somebody else's");

    fs::remove_file(&from).unwrap();
    let error = harness.commit(&checkpoint).unwrap_err().to_string();
    assert!(error.contains("has 15 bytes, but 40 were written"), "{error}");

    fs::remove_file(&to).unwrap();
    let error = harness.commit(&checkpoint).unwrap_err().to_string();
    assert!(error.contains("results are lost") && error.contains(&from) && error.contains(&to), "{error}");

    fs::write(&from, "too short").unwrap();
    assert!(harness.commit(&checkpoint).unwrap_err().to_string().contains("has 9 bytes, but 40"));
}

#[test]
fn rescaling_gives_each_record_once_and_never_the_same_name() {
    let mut harness = Harness::new(2, |sink| sink.part_bytes(1000));
    harness.write(0, 0..100);
    harness.write(1, 100..200);
    let checkpoint = harness.checkpoint(false);
    harness.write(0, 990..999);
    assert_eq!(checkpoint.states.iter().filter(|state| state.part.is_some()).count(), 2);

    harness.restore(1, &checkpoint).unwrap();
    harness.write(0, 200..600);
    let checkpoint = harness.checkpoint(false);
    // The second file of the bucket was closed, and the first went on.
    assert!(checkpoint.committables.iter().any(|committable| committable.to.ends_with("/part-1-0")));
    assert_eq!(checkpoint.states.len(), 1);

    harness.restore(3, &checkpoint).unwrap();
    for (subtask, from) in [(0, 600), (1, 700), (2, 800)] {
        harness.write(subtask, from..from + 100);
    }
    harness.finish();
    assert_eq!(harness.numbers(), all_below(900));
    let finished = harness.finished();
    assert!(finished.contains_key("part-1-1") && finished.contains_key("part-2-0"), "{:?}", finished.keys());
}

#[test]
fn buckets_are_directories_each_with_its_own_files() {
    let mut harness = Harness::new(1, |sink| sink.bucket_by(|(_, n), timestamp| format!("t={}/{}", timestamp.unwrap_or(-1), n % 2)));
    let mut batch = Batch::of((0..6).map(|n| ("n".to_owned(), n)).collect::<Vec<_>>());
    batch.timestamps = Timestamps::Each(vec![7, 7, 7, 8, 8, 8]);
    harness.writers[0].write(batch).unwrap();
    let checkpoint = harness.checkpoint(false);
    assert_eq!(checkpoint.states.len(), 4);
    harness.restore(1, &checkpoint).unwrap();
    harness.write(0, 6..7);
    harness.finish();
    let finished: Vec<(String, String)> = harness
        .finished()
        .into_iter()
        .map(|(name, text)| (name.rsplit_once('/').unwrap().0.to_owned(), text.replace("n ", "").replace('\n', ",")))
        .collect();
    let expected = [("t=-1/0", "6,"), ("t=7/0", "0,2,"), ("t=7/1", "1,"), ("t=8/0", "4,"), ("t=8/1", "3,5,")];
    assert_eq!(finished, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
}

#[test]
fn a_bucket_outside_the_directory_is_refused_and_the_writer_stays_failed() {
    let mut harness = Harness::new(1, |sink| sink.bucket_by(|_, _| "../elsewhere".to_owned()));
    let error = harness.writers[0].write(Batch::of(vec![("n".to_owned(), 1)])).unwrap_err().to_string();
    assert!(error.contains("`../elsewhere`"), "{error}");
    for error in [harness.writers[0].flush(false).unwrap_err(), harness.writers[0].snapshot(CheckpointId(1)).unwrap_err()] {
        assert!(error.to_string().contains("failed before") && error.to_string().contains("../elsewhere"), "{error}");
    }
}

#[test]
fn files_are_closed_when_they_are_old_or_not_written_to() {
    let mut harness =
        Harness::new(1, |sink| sink.rollover_interval(Duration::from_millis(100)).inactivity_interval(Duration::from_millis(40)));
    assert_eq!(harness.writers[0].next_wake(), None);
    harness.write(0, 0..1);
    assert_eq!(harness.writers[0].next_wake(), Some(Duration::from_millis(40)));
    // Written to every 30 ms, it is closed for its age.
    for n in 1..=3 {
        harness.clock.advance(30);
        harness.writers[0].on_wake().unwrap();
        harness.write(0, n..n + 1);
    }
    assert_eq!(harness.checkpoint(false).committables, []);
    assert!(harness.writers[0].next_wake().unwrap() <= Duration::from_millis(100));
    harness.clock.advance(10);
    harness.writers[0].on_wake().unwrap();
    assert_eq!(harness.writers[0].next_wake(), None);
    let checkpoint = harness.checkpoint(false);
    assert_eq!(checkpoint.committables.len(), 1);
    harness.commit(&checkpoint).unwrap();
    // The next one is closed because nothing comes; a write alone notices, too.
    harness.write(0, 4..5);
    harness.clock.advance(40);
    harness.write(0, 5..6);
    let checkpoint = harness.checkpoint(false);
    harness.commit(&checkpoint).unwrap();
    assert_eq!(harness.numbers(), all_below(5));
}

#[test]
fn a_missing_or_short_in_progress_file_is_an_error_that_names_it() {
    let mut harness = Harness::new(1, |sink| sink);
    harness.write(0, 0..10);
    let checkpoint = harness.checkpoint(false);
    let path = checkpoint.states[0].part.as_ref().unwrap().from();
    fs::File::options().write(true).open(&path).unwrap().set_len(39).unwrap();
    let error = harness.restore(1, &checkpoint).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("has 39 bytes") && error.contains("counts on 40"), "{error}");
    fs::remove_file(&path).unwrap();
    let error = harness.restore(1, &checkpoint).unwrap_err().to_string();
    assert!(error.contains(path.to_str().unwrap()) && error.contains("is missing"), "{error}");
}

#[test]
fn an_older_checkpoint_than_the_last_visible_one_is_refused_but_restores_into_another_directory() {
    let mut harness = Harness::new(1, |sink| sink);
    harness.write(0, 0..10);
    let older = harness.checkpoint(false);
    harness.write(0, 10..20);
    harness.finish();
    let error = harness.restore(1, &older).unwrap_err().to_string();
    assert!(error.contains("newer checkpoint") && error.contains("/out/part-0-0`"), "{error}");
    assert_eq!(harness.numbers(), all_below(20));

    let before = harness.finished();
    let moved = harness.root.path().join("moved");
    fs::rename(harness.out(), &moved).unwrap();
    let mut elsewhere = older.clone();
    elsewhere.states[0].part.as_mut().unwrap().dir = moved.to_str().unwrap().to_owned();
    harness.restore(1, &elsewhere).unwrap();
    harness.write(0, 10..15);
    harness.finish();
    assert_eq!(harness.numbers(), all_below(15));
    assert_eq!(files(&moved, ""), before);
}

#[test]
fn names_are_never_used_twice_after_a_fresh_start_in_a_full_directory() {
    let mut harness = Harness::new(1, |sink| sink);
    harness.write(0, 0..10);
    harness.finish();
    harness.write(0, 10..20);
    // Lost in a crash without a checkpoint; its hidden file stays, as does its counter.
    harness.restore(1, &Checkpoint::default()).unwrap();
    harness.write(0, 10..30);
    let last = harness.checkpoint(true);
    harness.commit(&last).unwrap();
    assert_eq!(harness.finished().into_keys().collect::<Vec<_>>(), ["part-0-0", "part-0-2"]);
    assert_eq!(harness.numbers(), all_below(30));
    assert_eq!(harness.hidden().len(), 1);
}

#[test]
fn a_file_in_the_place_of_the_directory_or_a_bad_prefix_is_an_error() {
    let mut harness = Harness::new(1, |sink| sink);
    let context = harness.context(0, 1);
    let path = harness.root.path().join("file");
    fs::write(&path, "").unwrap();
    let error = FileSink::<Record>::text(&path).create_writer(&context, Vec::new()).err().unwrap().to_string();
    assert!(error.ends_with("/file` is not a directory"), "{error}");
    let error = harness.sink().part_prefix("a/b").create_writer(&context, Vec::new()).err().unwrap().to_string();
    assert!(error.starts_with("`a/b`"), "{error}");
}

#[test]
fn the_encoders_error_is_returned() {
    let mut harness = Harness::new(1, |sink| sink);
    let context = harness.context(0, 1);
    let sink = FileSink::for_row_format(harness.out(), |_: &Record, _: &mut Vec<u8>| Err("no".into()));
    let error = sink.create_writer(&context, Vec::new()).unwrap().write(Batch::of(vec![("n".to_owned(), 1)])).unwrap_err();
    assert_eq!(std::error::Error::source(&*error).unwrap().to_string(), "no");
}

#[test]
fn text_is_written_as_records_are_printed() {
    let mut harness = Harness::new(1, |sink| sink);
    let context = harness.context(0, 1);
    harness.writers = vec![FileSink::text(harness.out()).create_writer(&context, Vec::new()).unwrap()];
    harness.write(0, 7..8);
    harness.finish();
    assert_eq!(harness.finished()["part-0-0"], "(n, 7)\n");
}

/// `/dev/full` refuses every write as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_nothing_gets_into_a_checkpoint_after_it() {
    let mut harness = Harness::new(1, |sink| sink);
    harness.write(0, 0..10);
    let checkpoint = harness.checkpoint(false);
    let path = checkpoint.states[0].part.as_ref().unwrap().from();
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let mut state = checkpoint.states[0].clone();
    state.part.as_mut().unwrap().length = 0;
    let context = harness.context(0, 1);
    let mut writer = harness.sink().create_writer(&context, vec![state]).unwrap();
    writer.write(Batch::of(vec![("n".to_owned(), 1)])).unwrap();
    assert!(writer.flush(false).unwrap_err().to_string().contains("cannot write to"));
    assert!(writer.prepare_commit(CheckpointId(2)).unwrap_err().to_string().contains("failed before"));
    assert!(writer.snapshot(CheckpointId(2)).unwrap_err().to_string().contains("failed before"));
}
