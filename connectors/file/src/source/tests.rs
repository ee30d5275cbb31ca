use super::*;
use crate::test_clock::TestClock;
use flott_core::{
    id::CheckpointId,
    metrics::{Counter, MetricGroup},
    source::{Assignment, ReadRecords, ReadStatus, ReaderOutput},
};
use std::{
    fs,
    io::Write,
    task::{Context, Poll, Waker},
};

/// One reader and its enumerator, driven as a task drives them.
struct Harness {
    source: FileSource,
    enumerator: Box<dyn SplitEnumerator<FileSplit, FileEnumeratorState>>,
    reader: Box<dyn SourceReader<String, FileSplit>>,
    output: ReaderOutput<String>,
    bytes: Counter,
    metrics: MetricGroup,
    lines: Vec<String>,
    started: Vec<String>,
    finished: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Step {
    More,
    Idle,
    Finished,
}

impl Harness {
    fn new(source: FileSource) -> Self {
        Harness::restored(source, None, Vec::new(), Vec::new())
    }

    fn restored(source: FileSource, state: Option<FileEnumeratorState>, splits: Vec<FileSplit>, lines: Vec<String>) -> Self {
        let (metrics, bytes) = (MetricGroup::default(), Counter::default());
        let mut enumerator = source.create_enumerator(&EnumeratorContext { parallelism: 1, clock: TestClock::new() }, state).unwrap();
        let context = ReaderContext { subtask: 0, parallelism: 1, clock: TestClock::new(), metrics: metrics.clone() };
        let mut reader = source.create_reader(&context).unwrap();
        if !splits.is_empty() {
            reader.add_splits(splits).unwrap();
        }
        enumerator.add_reader(0, &mut Vec::new()).unwrap();
        let (started, finished) = (Vec::new(), Vec::new());
        let output = ReaderOutput::new(bytes.clone());
        Harness { source, enumerator, reader, output, bytes, metrics, lines, started, finished }
    }

    fn obey(&mut self, assignments: Vec<Assignment<FileSplit>>) {
        for assignment in assignments {
            match assignment {
                // Encoded on the way, as between processes.
                Assignment::Splits { splits, .. } => self.reader.add_splits(coded(&splits)).unwrap(),
                Assignment::NoMoreSplits { .. } => self.reader.no_more_splits(),
                Assignment::WakeAfter(_) => {}
            }
        }
    }

    fn step(&mut self) -> Result<Step, BoxError> {
        let step = match self.reader.poll_next(&mut Context::from_waker(Waker::noop()), &mut self.output) {
            Poll::Pending => Step::Idle,
            Poll::Ready(Ok(ReadStatus::More)) => Step::More,
            Poll::Ready(Ok(ReadStatus::Finished)) => Step::Finished,
            Poll::Ready(Err(error)) => return Err(error),
        };
        let ReadRecords { batch, starts: started, finished } = self.output.take();
        self.lines.extend(batch.values);
        self.started.extend(started.into_iter().map(|(_, split)| split.to_string()));
        self.finished.extend(finished.into_iter().map(|split| split.to_string()));
        if self.reader.take_split_request() {
            assert!(!self.reader.take_split_request());
            let mut out = Vec::new();
            self.enumerator.request_split(0, &mut out).unwrap();
            if !out.is_empty() {
                self.obey(out);
                return Ok(if step == Step::Idle { Step::More } else { step });
            }
        }
        Ok(step)
    }

    /// Reads until nothing more comes.
    fn run(&mut self) -> Result<Vec<String>, BoxError> {
        while self.step()? == Step::More {}
        Ok(std::mem::take(&mut self.lines))
    }

    /// The same after a crash, from a snapshot of this moment.
    fn crash(mut self) -> Self {
        let state = self.enumerator.snapshot(CheckpointId(1)).unwrap();
        let splits = self.reader.snapshot(CheckpointId(1)).unwrap();
        Harness::restored(self.source, Some(coded(&state)), coded(&splits), self.lines)
    }
}

fn coded<T: flott_core::Data>(value: &T) -> T {
    flott_core::codec::decode(&flott_core::codec::encode(value).unwrap()).unwrap()
}

struct Dir(tempfile::TempDir);

impl Dir {
    fn with(name: &str, content: &[u8]) -> Self {
        let dir = Dir(tempfile::tempdir().unwrap());
        dir.write(name, content);
        dir
    }
    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.0.path().join(name), content).unwrap();
    }
    fn source(&self) -> FileSource {
        FileSource::text_lines(self.0.path())
    }
    fn read(&self) -> Result<Vec<String>, BoxError> {
        Harness::new(self.source()).run()
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

fn many_lines(n: usize) -> String {
    (0..n).map(|n| format!("line {n} {}\n", "é".repeat(n % 50))).collect()
}

fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

const TEXTS: [&str; 8] = [
    "a\nbc\n\ndef\n",
    "a\nbc\n\ndef",
    "a\r\nbc\r\n\r\nd\re\r\n\r",
    "\n\n\n",
    "no end at all",
    "\u{feff}mark\nnext \u{feff}\n",
    "é\n\u{1F600}x\nü",
    "\u{feff}",
];

#[test]
fn each_line_is_read_once_whatever_the_size_of_splits() {
    for text in TEXTS {
        let dir = Dir::with("f", text.as_bytes());
        let expected = lines_of(text.strip_prefix('\u{feff}').unwrap_or(text));
        for bytes in 1..=text.len() as u64 + 1 {
            let mut harness = Harness::new(dir.source().split_bytes(bytes));
            assert_eq!(harness.run().unwrap(), expected, "{text:?} in splits of {bytes} bytes");
            assert_eq!(harness.bytes.get(), text.len() as u64, "{text:?} in splits of {bytes} bytes");
            assert_eq!(harness.finished.len() as u64, (text.len() as u64).div_ceil(bytes));
            harness.started.dedup();
            assert_eq!(harness.started, harness.finished);
        }
    }
}

#[test]
fn a_split_that_starts_inside_a_line_skips_it_at_every_offset() {
    let text = "a\nbc\r\n\ndef\n\u{1F600}\nlast";
    let dir = Dir::with("f", text.as_bytes());
    let path = dir.0.path().join("f").to_str().unwrap().to_owned();
    for start in 0..text.len() {
        for end in start + 1..=text.len() {
            let split = FileSplit::new(&path, Compression::None, start as u64, end as u64);
            let state = FileEnumeratorState::default();
            let lines = Harness::restored(dir.source(), Some(state), vec![split], Vec::new()).run().unwrap();
            let mut offset = 0;
            let mut expected = Vec::new();
            for line in text.split_inclusive('\n') {
                if (start..end).contains(&offset) {
                    expected.extend(lines_of(line));
                }
                offset += line.len();
            }
            assert_eq!(lines, expected, "{start}..{end}");
        }
    }
}

#[test]
fn a_restore_after_any_poll_repeats_and_loses_nothing() {
    let text = many_lines(5000);
    for (name, content) in [("f", text.clone().into_bytes()), ("f.gz", gzip(text.as_bytes())), ("f.zst", zstd(text.as_bytes()))] {
        let dir = Dir::with(name, &content);
        let mut crash_after = 0;
        loop {
            let mut harness = Harness::new(dir.source().split_bytes(30_000));
            let mut steps = 0;
            while steps < crash_after && harness.step().unwrap() == Step::More {
                steps += 1;
            }
            let mut harness = harness.crash();
            assert_eq!(harness.run().unwrap(), lines_of(&text), "{name}, restored after {crash_after} polls");
            if steps < crash_after {
                break;
            }
            crash_after += 1;
        }
        assert!(crash_after > 10);
        // And after each of them in one run.
        let mut harness = Harness::new(dir.source().split_bytes(30_000));
        for _ in 0..200 {
            harness.step().unwrap();
            harness = harness.crash();
        }
        assert_eq!(harness.run().unwrap(), lines_of(&text), "{name}");
    }
}

#[test]
fn a_poll_stops_after_about_half_a_batch_or_64_kib() {
    let dir = Dir::with("f", "x\n".repeat(2000).as_bytes());
    let mut harness = Harness::new(dir.source());
    harness.step().unwrap();
    harness.step().unwrap();
    assert_eq!(harness.lines.len(), 512);
    let dir = Dir::with("f", format!("{}\n", "x".repeat(9_999)).repeat(100).as_bytes());
    let mut harness = Harness::new(dir.source());
    harness.step().unwrap();
    harness.step().unwrap();
    assert_eq!(harness.lines.len(), 7);
}

#[test]
fn several_gzip_members_and_empty_compressed_text_are_read() {
    let dir = Dir::with("a.gz", &[gzip(b"one\ntwo"), gzip(b"\nthree")].concat());
    dir.write("b.gz", &gzip(b""));
    dir.write("c.zst", &[zstd(b"four"), zstd(b" five")].concat());
    dir.write("d", b"");
    assert_eq!(dir.read().unwrap(), ["one", "two", "three", "four five"]);
}

#[test]
fn damaged_or_misnamed_compressed_files_are_errors_that_name_them() {
    let full = gzip(many_lines(1000).as_bytes());
    let error = Dir::with("cut.gz", &full[..full.len() - 9]).read().unwrap_err().to_string();
    assert!(error.contains("cut.gz` at byte") && error.contains("uncompressed"), "{error}");
    for name in ["text.gz", "text.zst"] {
        let error = Dir::with(name, b"plain text").read().unwrap_err().to_string();
        assert!(error.contains(&format!("{name}` is named as if compressed")), "{error}");
    }
    let error = Dir::with("f.txt", &full).read().unwrap_err().to_string();
    assert!(error.contains("looks like gzip"), "{error}");
}

#[test]
fn invalid_utf8_fails_is_skipped_or_is_replaced() {
    let text = b"good\nb\xc3\xa9 b\xffd\r\nfine\n\xc3";
    let dir = Dir::with("f", text);
    for bytes in [3, 100] {
        let source = dir.source().split_bytes(bytes);
        let error = Harness::new(source.clone()).run().unwrap_err();
        let error = error.downcast_ref::<FileSourceError>().unwrap();
        assert!(matches!(error, FileSourceError::InvalidUtf8 { offset: 10, line_start: 5, .. }), "{error}");
        assert!(error.to_string().contains("/f` has invalid UTF-8 at byte 10, in the line that starts at byte 5;"), "{error}");

        let mut harness = Harness::new(source.clone().invalid_utf8(InvalidUtf8::Skip));
        assert_eq!(harness.run().unwrap(), ["good", "fine"]);
        assert_eq!(harness.metrics.read()["numRecordsInErrors"], 2);

        let mut harness = Harness::new(source.invalid_utf8(InvalidUtf8::Replace));
        assert_eq!(harness.run().unwrap(), ["good", "bé b\u{fffd}d", "fine", "\u{fffd}"]);
        assert_eq!(harness.metrics.read()["numRecordsInErrors"], 2);
    }
}

#[test]
fn a_line_of_64_mb_is_read_across_splits_and_polls() {
    let long = "0123456789abcdef".repeat(4_000_000);
    let text = format!("first\n{long}\nlast\n");
    let dir = Dir::with("f", text.as_bytes());
    let mut harness = Harness::new(dir.source());
    // No poll reads the whole line at once, and one may crash in the middle of it.
    for _ in 0..10 {
        harness.step().unwrap();
    }
    assert_eq!(harness.lines.len(), 1);
    let lines = harness.crash().run().unwrap();
    assert_eq!(lines.len(), 3);
    assert!(lines[1] == long && lines[2] == "last");
}

#[test]
fn a_line_above_the_limit_is_an_error_and_one_at_the_limit_is_not() {
    for ending in ["", "\n", "\r\n"] {
        for length in [10, 11, 400_000] {
            let dir = Dir::with("f", format!("ok\n{}{ending}", "x".repeat(length)).as_bytes());
            let result = Harness::new(dir.source().max_line_bytes(10)).run();
            match length {
                10 => assert_eq!(result.unwrap().len(), 2),
                _ => {
                    let error = result.unwrap_err().to_string();
                    assert!(error.contains("/f` has a line of more than 10 bytes, which starts at byte 3;"), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_file_that_shrinks_or_changes_is_an_error() {
    let dir = Dir::with("f", many_lines(5000).as_bytes());
    let mut harness = Harness::new(dir.source());
    harness.step().unwrap();
    dir.write("f", b"short\n");
    let error = harness.run().unwrap_err().to_string();
    assert!(error.contains("/f` has 6 bytes, but had at least"), "{error}");

    // Truncated while it is open.
    let dir = Dir::with("f", many_lines(20_000).as_bytes());
    let mut harness = Harness::new(dir.source());
    harness.step().unwrap();
    harness.step().unwrap();
    fs::File::options().write(true).open(dir.0.path().join("f")).unwrap().set_len(1000).unwrap();
    assert!(harness.run().unwrap_err().to_string().contains("truncated"));

    // Replaced by a longer one between checkpoint and restore.
    let dir = Dir::with("f", many_lines(5000).as_bytes());
    let mut harness = Harness::new(dir.source());
    harness.step().unwrap();
    harness.step().unwrap();
    dir.write("f", &[b'x'; 1_000_000]);
    let error = harness.crash().run().unwrap_err().to_string();
    assert!(error.contains("no longer has a line that starts at byte"), "{error}");
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let dir = Dir::with("f", b"x");
    let context = EnumeratorContext { parallelism: 1, clock: TestClock::new() };
    let missing = FileSource::text_lines(dir.0.path().join("nothing.txt"));
    let error = missing.create_enumerator(&context, None).err().unwrap().to_string();
    assert!(error.ends_with("/nothing.txt` does not exist"), "{error}");

    let mut harness = Harness::new(dir.source());
    harness.step().unwrap();
    fs::remove_file(dir.0.path().join("f")).unwrap();
    let error = harness.run().unwrap_err().to_string();
    assert!(error.starts_with("cannot open input file `") && error.ends_with("/f`"), "{error}");
}

#[test]
fn a_watching_source_waits_and_reads_new_files() {
    let dir = Dir::with("a", b"1\n");
    let mut harness = Harness::new(dir.source().monitor_continuously(Duration::from_secs(1)));
    assert_eq!(harness.source.boundedness(), Boundedness::ContinuousUnbounded);
    assert_eq!(harness.run().unwrap(), ["1"]);
    assert_eq!(harness.step().unwrap(), Step::Idle);
    dir.write("b", b"2\n3");
    let mut harness = harness.crash();
    assert_eq!(harness.run().unwrap(), [""; 0]);
    let mut out = Vec::new();
    harness.enumerator.wake(&mut out).unwrap();
    harness.obey(out);
    assert_eq!(harness.run().unwrap(), ["2", "3"]);
}

#[test]
fn an_empty_directory_ends_at_once() {
    let dir = Dir(tempfile::tempdir().unwrap());
    let mut harness = Harness::new(dir.source());
    harness.step().unwrap();
    assert_eq!(harness.step().unwrap(), Step::Finished);
    assert_eq!(harness.lines, [""; 0]);
}
