use super::*;
use crate::test_support::{Random, Stored};
use flott_core::{
    key_group::subtask_of_group,
    operator::{SnapshotProgress, SnapshotWriter},
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

type Table = KeyedTable<String, u64>;
type Model = HashMap<String, u64>;

const MAX_PARALLELISM: u32 = 8;

fn honest(key: &String, _: &u64) -> u64 {
    key_hash(key)
}

/// All keys collide in group and index.
fn colliding(_: &String, _: &u64) -> u64 {
    42
}

/// Two groups, few places.
fn crowded(key: &String, _: &u64) -> u64 {
    let hash = key_hash(key);
    (hash & (1 << 63)) | (hash & 3)
}

/// The subtasks of an operator.
struct Subtasks {
    tables: Vec<Table>,
    hash: fn(&String, &u64) -> u64,
}

impl Subtasks {
    fn new(parallelism: u32, hash: fn(&String, &u64) -> u64) -> Self {
        let groups = |index| KeyGroupRange::of_subtask(index, parallelism, MAX_PARALLELISM);
        let table = |index| Table::new("sums", StateKind::Reducing, MAX_PARALLELISM, groups(index)).with_hash(hash);
        Subtasks { tables: (0..parallelism).map(table).collect(), hash }
    }

    fn of(&mut self, key: &String) -> (&mut Table, u64) {
        let hash = (self.hash)(key, &0);
        let group = flott_core::key_group::key_group_of(hash, MAX_PARALLELISM);
        let index = subtask_of_group(group, MAX_PARALLELISM, self.tables.len() as u32);
        (&mut self.tables[index as usize], hash)
    }

    fn change(&mut self, model: &mut Model, random: &mut Random, keys: u64, growing: bool) {
        let key = format!("key {}", random.below(keys));
        let amount = random.below(1000);
        let (table, hash) = self.of(&key);
        match random.below(10) {
            0..4 if !growing => assert_eq!(table.remove(hash, |other| *other == key), model.remove_entry(&key)),
            4 => assert_eq!(table.get(hash, |other| *other == key), model.get(&key)),
            5 => assert_eq!(table.insert(hash, key.clone(), amount), model.insert(key, amount)),
            6 => match (table.entry(hash, |other| *other == key), model.get_mut(&key)) {
                (Entry::Occupied(mut entry), Some(expected)) => {
                    assert_eq!((entry.key(), entry.get()), (&key, &*expected));
                    *entry.get_mut() += 1;
                    *expected += 1;
                }
                (Entry::Vacant(entry), None) => {
                    entry.insert(key.clone(), amount);
                    model.insert(key, amount);
                }
                (entry, expected) => panic!("{entry:?}, but {expected:?}"),
            },
            _ => {
                *table.get_or_insert_with(hash, |other| *other == key, || (key.clone(), 0)) += amount;
                *model.entry(key).or_insert(0) += amount;
            }
        }
    }

    fn content(&self) -> Model {
        let all = || self.tables.iter().flat_map(Table::iter);
        let content: Model = all().map(|(key, value)| (key.clone(), *value)).collect();
        assert_eq!(content.len(), all().count());
        assert_eq!(content.len(), self.tables.iter().map(Table::len).sum::<usize>());
        content
    }
}

fn play(seed: u64, keys: u64, hash: fn(&String, &u64) -> u64, changes: usize) {
    let mut random = Random::new(seed);
    let mut model = Model::new();
    let mut subtasks = Subtasks::new(1, hash);
    for parallelism in [3, 2, 8, 1] {
        for round in 0..4 {
            let growing = (round + seed).is_multiple_of(2);
            (0..random.below(changes as u64)).for_each(|_| subtasks.change(&mut model, &mut random, keys, growing));
            if random.below(8) == 0 {
                subtasks.tables.iter_mut().for_each(|table| {
                    table.retain(|_, value| {
                        *value += 1;
                        *value % 3 != 0
                    })
                });
                model.retain(|_, value| {
                    *value += 1;
                    *value % 3 != 0
                });
            }
            // A snapshot, with changes between its steps; some are given up half-way.
            let expected = model.clone();
            let give_up = random.below(3) == 0 && round < 3;
            let mut parts: Vec<Stored> = subtasks.tables.iter().map(|_| Stored::default()).collect();
            (0..parts.len()).for_each(|index| subtasks.tables[index].snapshot_begin(0, &mut parts[index]));
            let mut open: Vec<usize> = (0..parts.len()).collect();
            while !open.is_empty() {
                (0..random.below(40)).for_each(|_| subtasks.change(&mut model, &mut random, keys, growing));
                let turn = random.below(open.len() as u64) as usize;
                let mut budget = random.below(300) as usize;
                let progress = subtasks.tables[open[turn]].snapshot_step(&mut budget, &mut parts[open[turn]]).unwrap();
                if progress == SnapshotProgress::Done {
                    open.swap_remove(turn);
                }
                if give_up && random.below(3) == 0 {
                    subtasks.tables.iter_mut().for_each(Table::snapshot_cancel);
                    open.clear();
                }
            }
            assert_eq!(subtasks.content(), model);
            if give_up {
                continue;
            }
            let stored = Stored::join(parts);
            let mut restored = Subtasks::new(parallelism, hash);
            restored.tables.iter_mut().for_each(|table| table.restore(&stored).unwrap());
            assert_eq!(restored.content(), expected, "seed {seed}, {parallelism} subtasks");
            if round == 3 {
                (model, subtasks) = (expected, restored);
            }
        }
    }
}

#[test]
fn a_snapshot_holds_the_content_of_its_beginning_at_any_parallelism() {
    (0..12).for_each(|seed| play(seed, 60, honest, 300));
    (12..18).for_each(|seed| play(seed, 4000, honest, 6000));
}

#[test]
fn keys_with_one_hash_are_told_apart() {
    (0..4).for_each(|seed| play(seed, 150, colliding, 400));
    (0..4).for_each(|seed| play(seed, 600, crowded, 1500));
}

#[test]
fn removing_and_adding_again_between_beginning_and_step_keeps_the_old_value() {
    let mut table = Subtasks::new(1, honest).tables.remove(0);
    let hash = key_hash("a");
    table.insert(hash, "a".to_owned(), 1);
    let mut stored = Stored::default();
    table.snapshot_begin(0, &mut stored);
    table.remove(hash, |key| key == "a");
    table.insert(hash, "a".to_owned(), 2);
    table.insert(key_hash("b"), "b".to_owned(), 3);
    assert_eq!(table.snapshot_step(&mut 1000, &mut stored).unwrap(), SnapshotProgress::Done);
    let mut restored = Subtasks::new(1, honest).tables.remove(0);
    restored.restore(&stored).unwrap();
    assert_eq!(restored.iter().collect::<Vec<_>>(), [(&"a".to_owned(), &1)]);
}

#[test]
fn a_step_writes_no_more_than_its_budget_and_a_segment() {
    let mut table = KeyedTable::<u64, u64>::new("t", StateKind::Value, 1, KeyGroupRange { start: 0, end: 1 });
    (0..6400u64).for_each(|key| assert_eq!(table.insert(key_hash(&key), key, key), None));
    let mut stored = Stored::default();
    table.snapshot_begin(3, &mut stored);
    let mut steps = 0;
    let mut budget = 100;
    while table.snapshot_step(&mut budget, &mut stored).unwrap() == SnapshotProgress::More {
        budget = 100;
        steps += 1;
    }
    assert_eq!(steps, 49, "four segments of 32 a step, and done with the fiftieth");
    assert!(stored.blocks.iter().all(|(state, _, bytes)| *state == 3 && bytes.len() < 16_500));
}

#[test]
fn blocks_have_room_for_their_last_entry() {
    let mut table = KeyedTable::<u64, String>::new("t", StateKind::Value, 1, KeyGroupRange { start: 0, end: 1 });
    (0..2000u64).for_each(|key| assert_eq!(table.insert(key_hash(&key), key, "x".repeat(1000)), None));
    let mut stored = Stored::default();
    table.snapshot_begin(0, &mut stored);
    table.snapshot_step(&mut { usize::MAX }, &mut stored).unwrap();
    assert_eq!(stored.blocks.len(), 134);
    assert!(stored.blocks.iter().all(|(_, _, bytes)| bytes.len() <= 16 << 10 && bytes.capacity() == 16 << 10));
}

#[test]
fn entries_without_bytes_are_kept() {
    let new = || KeyedTable::<(), ()>::new("t", StateKind::Value, 128, KeyGroupRange { start: 0, end: 128 });
    let mut table = new();
    table.insert(key_hash(&()), (), ());
    let mut stored = Stored::default();
    table.snapshot_begin(0, &mut stored);
    table.snapshot_step(&mut 1000, &mut stored).unwrap();
    let mut restored = new();
    restored.restore(&stored).unwrap();
    assert_eq!(restored.len(), 1);
}

/// Refuses to be serialised above a limit.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Fragile(u64);

impl Serialize for Fragile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            13 => Err(serde::ser::Error::custom("unlucky")),
            other => serializer.serialize_newtype_struct("Fragile", &other),
        }
    }
}

fn fragile(values: impl Iterator<Item = u64>) -> KeyedTable<u64, Fragile> {
    let mut table = KeyedTable::new("fragile", StateKind::Value, 1, KeyGroupRange { start: 0, end: 1 });
    values.for_each(|value| assert_eq!(table.insert(key_hash(&value), value, Fragile(value)), None));
    table
}

#[test]
fn a_value_that_refuses_fails_the_snapshot_but_not_the_table() {
    for touched_first in [false, true] {
        let mut table = fragile(0..100);
        let mut stored = Stored::default();
        table.snapshot_begin(0, &mut stored);
        if touched_first {
            // Written, and refused, by this change.
            table.insert(key_hash(&13u64), 13, Fragile(0));
        }
        let error = table.snapshot_step(&mut 1000, &mut stored).unwrap_err();
        assert!(error.to_string().contains("state `fragile`"), "{error}");
        assert_eq!(table.snapshot_step(&mut 1000, &mut stored).unwrap(), SnapshotProgress::Done);
        table.insert(key_hash(&13u64), 13, Fragile(0));
        let mut stored = Stored::default();
        table.snapshot_begin(0, &mut stored);
        assert_eq!(table.snapshot_step(&mut 1000, &mut stored).unwrap(), SnapshotProgress::Done);
        assert!(!stored.blocks.is_empty());
    }
}

fn small_snapshot() -> (Table, Stored) {
    let mut subtasks = Subtasks::new(1, honest);
    for number in 0..20u64 {
        let key = format!("key {number}");
        subtasks.of(&key).0.insert(key_hash(&key), key, number);
    }
    let mut stored = Stored::default();
    let mut table = subtasks.tables.remove(0);
    table.snapshot_begin(0, &mut stored);
    table.snapshot_step(&mut 1000, &mut stored).unwrap();
    (table, stored)
}

#[test]
fn another_type_of_value_is_refused_with_both_schemas() {
    let (_, stored) = small_snapshot();
    let mut other =
        KeyedTable::<String, (u64, bool)>::new("sums", StateKind::Reducing, MAX_PARALLELISM, KeyGroupRange { start: 0, end: 8 });
    let message = other.restore(&stored).unwrap_err().to_string();
    let both = [flott_core::schema::Schema::of::<u64>().description, flott_core::schema::Schema::of::<(u64, bool)>().description];
    assert!(message.contains("`sums`") && both.iter().all(|schema| message.contains(schema.as_str())), "{message}");
    let mut other = Table::new("sums", StateKind::Value, MAX_PARALLELISM, KeyGroupRange { start: 0, end: 8 });
    assert!(other.restore(&stored).unwrap_err().to_string().contains("reducing state"));
    let mut stored = stored;
    stored.states[0].codec = "other/9".to_owned();
    let mut same = Table::new("sums", StateKind::Reducing, MAX_PARALLELISM, KeyGroupRange { start: 0, end: 8 });
    assert!(same.restore(&stored).unwrap_err().to_string().contains("other/9"));
}

#[test]
fn damaged_blocks_are_errors_and_never_panics() {
    let (table, stored) = small_snapshot();
    let expected: Model = table.iter().map(|(key, value)| (key.clone(), *value)).collect();
    let mut random = Random::new(5);
    for _ in 0..3000 {
        let (_, group, bytes) = &stored.blocks[random.below(stored.blocks.len() as u64) as usize];
        let mut bytes = bytes.clone();
        match random.below(3) {
            0 => bytes.truncate(random.below(bytes.len() as u64) as usize),
            1 => bytes.push(random.next() as u8),
            _ => {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
        }
        let mut restored = Subtasks::new(1, honest).tables.remove(0);
        let result = restored.restore_block(&stored.states[0], *group, &bytes);
        // What is not noticed here (storage has checksums) must at least be entries of this group.
        if result.is_ok() {
            assert!(restored.iter().all(|(key, _)| restored.slots.key_group(key_hash(key)) == *group));
        }
    }
    let (_, group, bytes) = &stored.blocks[0];
    let mut restored = Subtasks::new(1, honest).tables.remove(0);
    restored.restore_block(&stored.states[0], *group, bytes).unwrap();
    assert!(restored.iter().all(|(key, value)| expected[key] == *value));
    assert!(matches!(restored.restore_block(&stored.states[0], *group, bytes), Err(crate::StateError::StoredTwice { .. })));
    let wrong = restored.restore_block(&stored.states[0], group ^ 1, bytes);
    assert!(matches!(wrong, Err(crate::StateError::WrongGroup { .. })), "{wrong:?}");
}

#[test]
fn a_new_snapshot_replaces_an_unfinished_one() {
    let (mut table, _) = small_snapshot();
    let mut lost = Stored::default();
    table.snapshot_begin(0, &mut lost);
    table.snapshot_step(&mut 3, &mut lost).unwrap();
    let mut stored = Stored::default();
    table.snapshot_begin(0, &mut stored as &mut dyn SnapshotWriter);
    table.snapshot_step(&mut 1000, &mut stored).unwrap();
    let mut restored = Subtasks::new(1, honest).tables.remove(0);
    restored.restore(&stored).unwrap();
    assert_eq!(restored.len(), 20);
}
