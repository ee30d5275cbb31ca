//! A process that is killed again and again leaves, in the end, every result exactly once.

use crate::support::{DEADLINE, checkpointed_at, end_of, lines_in, start_from, text};
use flott::{connector::file::FileSink, prelude::*, snapshots::latest_checkpoint};
use std::{
    collections::HashMap,
    env, fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

/// Set in the process that is to be killed: the directory of its input, output and checkpoints.
const ROLE: &str = "TEST_KILLED_IN";
const KILLS: usize = 20;
const TEXT_BYTES: usize = 6_000_000;

/// The job of the process that is killed. As a test of its own it does nothing.
#[test]
fn the_process_that_is_killed() {
    let Some(dir) = env::var_os(ROLE) else { return };
    let dir = Path::new(&dir);
    let env = checkpointed_at(2, &dir.join("checkpoints"));
    if latest_checkpoint(&text(&dir.join("checkpoints"))).unwrap().is_some() {
        start_from(&env, "latest");
    }
    // Slow enough that all the kills find it at work, on whatever machine.
    let lines = AtomicUsize::new(0);
    let words = env.read_text_file(dir.join("text")).flat_map(move |line, out| {
        if lines.fetch_add(1, Ordering::Relaxed).is_multiple_of(20) {
            thread::park_timeout(Duration::from_millis(1));
        }
        line.split(' ').for_each(|word| out.emit((CompactString::new(word), 1u32)));
    });
    let counts = words.key_by_ref(|(word, _)| word).sum(|(_, count)| count).uid("count");
    counts.sink_to(FileSink::text(dir.join("counts")).part_bytes(300_000)).uid("write");
    end_of(&env.execute_async("killed").unwrap()).unwrap();
}

/// Xorshift, so that the moments of the kills are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

/// Words of which some are frequent and some rare.
fn make_text(random: &mut Random) -> String {
    let mut text = String::with_capacity(TEXT_BYTES + 100);
    while text.len() < TEXT_BYTES {
        for _ in 0..random.below(12) + 1 {
            let bits = random.below(14);
            let rank = random.below(1 << bits);
            text.push_str(&format!("word{rank} "));
        }
        text.pop();
        text.push('\n');
    }
    text
}

fn start(dir: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "kill::the_process_that_is_killed", "--nocapture"]).env(ROLE, dir);
    command.stdout(Stdio::null()).stderr(fs::OpenOptions::new().create(true).append(true).open(dir.join("stderr")).unwrap());
    command.spawn().unwrap()
}

/// Waits until the process has completed a checkpoint that is not `before`; false if it ended instead.
fn await_checkpoint(child: &mut Child, dir: &Path, before: Option<&String>) -> bool {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{}", fs::read_to_string(dir.join("stderr")).unwrap());
            return false;
        }
        if latest_checkpoint(&text(&dir.join("checkpoints"))).unwrap().as_ref() != before {
            return true;
        }
        assert!(start.elapsed() < DEADLINE, "no checkpoint: {}", fs::read_to_string(dir.join("stderr")).unwrap());
        thread::park_timeout(Duration::from_millis(1));
    }
}

#[test]
fn a_process_that_is_killed_twenty_times_counts_every_word_exactly_once() {
    let temporary = tempfile::tempdir().unwrap();
    let (dir, mut random) = (temporary.path(), Random(20_250_101));
    let input = make_text(&mut random);
    fs::write(dir.join("text"), &input).unwrap();
    let mut kills = 0;
    while kills < KILLS {
        let before = latest_checkpoint(&text(&dir.join("checkpoints"))).unwrap();
        let mut child = start(dir);
        if !await_checkpoint(&mut child, dir, before.as_ref()) {
            break;
        }
        thread::park_timeout(Duration::from_micros(random.below(40_000)));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        kills += 1;
    }
    assert_eq!(kills, KILLS, "the text is too short: the job has ended before");
    let status = start(dir).wait().unwrap();
    assert!(status.success(), "{}", fs::read_to_string(dir.join("stderr")).unwrap());
    assert_counts(&input, lines_in(&dir.join("counts")));
}

/// For each word every count from 1 to the number of its occurrences must be there once.
fn assert_counts(input: &str, lines: Vec<String>) {
    let mut expected: HashMap<&str, u32> = HashMap::new();
    input.split_whitespace().for_each(|word| *expected.entry(word).or_default() += 1);
    let mut counted: HashMap<String, Vec<u32>> = HashMap::new();
    for line in lines {
        let (word, count) = line.trim_matches(['(', ')']).split_once(", ").unwrap();
        counted.entry(word.to_owned()).or_default().push(count.parse().unwrap());
    }
    assert_eq!(counted.len(), expected.len());
    for (word, counts) in &mut counted {
        counts.sort_unstable();
        let expected = expected[word.as_str()];
        assert!(
            counts.iter().copied().eq(1..=expected),
            "`{word}` is there {expected} times, but has {} counts up to {:?}",
            counts.len(),
            counts.last()
        );
    }
}
