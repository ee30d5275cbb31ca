//! Writers that are killed at any moment: this test program starts itself as writers.

use flott_ha::{CoordinationStore, Expected, FileStore, Key, WriteOutcome};
use std::{
    collections::VecDeque,
    env,
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

const DIRECTORY: &str = "KILLED_WRITER_DIRECTORY";
const WRITERS: usize = 3;
const KILLS: usize = 60;

fn key() -> Key {
    Key::new("jobs/counter").unwrap()
}

fn read(store: &FileStore) -> (u64, Expected) {
    // An unreadable value would be an error here.
    match store.read(&key()).unwrap() {
        None => (0, Expected::Absent),
        Some(found) => (u64::from_le_bytes(found.bytes.try_into().unwrap()), Expected::Version(found.version)),
    }
}

/// What a writer process does until it is killed: count up, and print each number that it has written.
#[test]
#[ignore = "it is started by the other test"]
fn writer() {
    let Some(directory) = env::var_os(DIRECTORY) else { return };
    let store = FileStore::open(directory).unwrap();
    loop {
        let (value, expected) = read(&store);
        if let WriteOutcome::Written(_) = store.write(&key(), &(value + 1).to_le_bytes(), &expected).unwrap() {
            println!("wrote {}", value + 1);
            std::io::stdout().flush().unwrap();
        }
    }
}

fn start(directory: &Path) -> Child {
    let program = env::current_exe().unwrap();
    let mut command = Command::new(program);
    command.args(["--exact", "writer", "--ignored", "--nocapture"]).env(DIRECTORY, directory);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// What a writer says it has written, line by line.
struct Output(Lines<BufReader<ChildStdout>>);

impl Output {
    fn of(writer: &mut Child) -> Self {
        Output(BufReader::new(writer.stdout.take().unwrap()).lines())
    }
}

impl Iterator for Output {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        // A line that was cut off when the process died says nothing.
        self.0.by_ref().map_while(Result::ok).find_map(|line| line.rsplit_once("wrote ")?.1.parse().ok())
    }
}

#[test]
fn no_write_is_lost_or_done_twice_however_often_writers_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path()).unwrap();
    let mut writers: VecDeque<Child> = (0..WRITERS).map(|_| start(directory.path())).collect();
    let mut all = Vec::new();
    for kill in 0..KILLS {
        let mut victim = writers.pop_front().unwrap();
        let mut output = Output::of(&mut victim);
        // It dies some time after a write, which is at any point of a later one.
        all.extend(output.by_ref().take(1 + kill % 3));
        victim.kill().unwrap();
        victim.wait().unwrap();
        all.extend(output);
        writers.push_back(start(directory.path()));
    }
    for mut writer in writers {
        writer.kill().unwrap();
        writer.wait().unwrap();
        all.extend(Output::of(&mut writer));
    }
    let last = read(&store).0;
    all.sort_unstable();
    let count = all.len();
    all.dedup();
    assert_eq!(all.len(), count, "a number was written by two");
    assert!(all.last().is_some_and(|largest| *largest <= last), "a write that was reported is gone: {all:?}, found {last}");
    // What was done but not reported: at most one write of each writer that was killed.
    assert!(last - count as u64 <= (KILLS + WRITERS) as u64, "{count} of {last} writes were reported");
    println!("{last} writes by {} processes, {count} of them reported", KILLS + WRITERS);
    // The next writer is not kept from writing by anything that they have left.
    let (_, expected) = read(&store);
    assert!(matches!(store.write(&key(), &0u64.to_le_bytes(), &expected).unwrap(), WriteOutcome::Written(_)));
}
