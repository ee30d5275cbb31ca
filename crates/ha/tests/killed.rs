//! Writers that are killed at any moment: this test program starts itself as writers.

use flott_ha::{CoordinationStore, Expected, FileStore, Key, WriteOutcome};
use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
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

/// The numbers that a writer says it has written.
fn numbers(output: impl BufRead) -> Vec<u64> {
    // A line that was cut off when the process died says nothing.
    output.lines().map_while(Result::ok).filter_map(|line| line.rsplit_once("wrote ")?.1.parse().ok()).collect()
}

#[test]
fn no_write_is_lost_or_done_twice_however_often_writers_are_killed() {
    let directory = tempfile::tempdir().unwrap();
    let store = FileStore::open(directory.path()).unwrap();
    let mut writers: Vec<Child> = (0..WRITERS).map(|_| start(directory.path())).collect();
    let mut written = Vec::new();
    for kill in 0..KILLS {
        // Each is killed after the others have got some writes done, which is at any point of its own.
        let before = read(&store).0;
        while read(&store).0 < before + 1 + kill as u64 % 3 {
            std::hint::spin_loop();
        }
        let mut victim = writers.remove(0);
        victim.kill().unwrap();
        victim.wait().unwrap();
        written.push(numbers(BufReader::new(victim.stdout.take().unwrap())));
        writers.push(start(directory.path()));
    }
    for mut writer in writers {
        writer.kill().unwrap();
        writer.wait().unwrap();
        written.push(numbers(BufReader::new(writer.stdout.take().unwrap())));
    }
    let last = read(&store).0;
    let mut all = written.concat();
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
