//! State and sources at another parallelism than that of their snapshot.

use crate::support::{
    assert_exactly_once, await_checkpoints, checkpointed, counted, end_of, numbers, pairs_in, restarts, start_from, text,
};
use flott::connector::file::FileSink;

/// Runs the counting of numbers through snapshots at each parallelism in turn; the last run goes to the end.
fn through(parallelisms: &[u32], keys: u64) {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let records = 6000;
    let mut from: Option<String> = None;
    for (run, parallelism) in parallelisms.iter().enumerate() {
        let last = run + 1 == parallelisms.len();
        let env = checkpointed(*parallelism, &dir);
        restarts(&env, 0);
        if let Some(path) = &from {
            start_from(&env, path);
        }
        let rate = if last { 1e6 } else { 400.0 };
        counted(&numbers(&env, records, rate), keys).sink_to(FileSink::text(out.path()).part_bytes(500)).uid("files");
        let client = env.execute_async("rescaled").unwrap();
        if last {
            end_of(&client).unwrap();
        } else {
            await_checkpoints(&client, 2);
            from = Some(client.stop_with_savepoint(false, Some(&text(dir.path()))).unwrap().location);
            end_of(&client).unwrap();
        }
    }
    assert_exactly_once(&pairs_in(out.path()), keys, records);
}

#[test]
fn counts_are_exact_at_two_then_three_then_one_subtasks() {
    through(&[2, 3, 1], 100);
}

#[test]
fn counts_are_exact_from_one_to_eight_and_back() {
    through(&[1, 8, 2, 8, 1], 20);
}

#[test]
fn a_key_that_is_alone_finds_its_owner() {
    through(&[3, 8, 5], 1);
}
