use super::*;
use crate::{
    StateError,
    test_support::{Random, Stored},
};
use flott_core::{
    key_group::{key_group_of, subtask_of_group},
    operator::SnapshotProgress,
};
use std::collections::{BTreeMap, HashMap};

const MAX_PARALLELISM: u32 = 8;

struct Average;

impl AggregateFunction for Average {
    type In = u64;
    type Accumulator = (u64, u64);
    type Out = u64;
    fn create_accumulator(&self) -> (u64, u64) {
        (0, 0)
    }
    fn add(&self, value: u64, accumulator: &mut (u64, u64)) {
        *accumulator = (accumulator.0 + value, accumulator.1 + 1);
    }
    fn get_result(&self, accumulator: &(u64, u64)) -> u64 {
        accumulator.0 / accumulator.1
    }
    fn merge(&self, left: (u64, u64), right: (u64, u64)) -> (u64, u64) {
        (left.0 + right.0, left.1 + right.1)
    }
}

/// A store with a state of each kind.
struct Subtask {
    store: KeyedStore<String>,
    value: ValueState<u64>,
    list: ListState<String>,
    map: MapState<String, u64>,
    reducing: ReducingState<u64>,
    aggregating: AggregatingState<Average>,
}

/// What a key should have.
#[derive(Debug, Clone, Default, PartialEq)]
struct Kept {
    value: Option<u64>,
    list: Vec<String>,
    map: BTreeMap<String, u64>,
    reducing: Option<u64>,
    aggregating: Option<(u64, u64)>,
}

type Model = HashMap<String, Kept>;

fn subtasks(parallelism: u32, restored: Option<&Stored>) -> Vec<Subtask> {
    let subtask = |index| {
        let groups = KeyGroupRange::of_subtask(index, parallelism, MAX_PARALLELISM);
        let store = KeyedStore::new(MAX_PARALLELISM, groups, restored.map(|stored| stored as &dyn RestoredState)).unwrap();
        Subtask {
            value: store.value_state("value").unwrap(),
            list: store.list_state("list").unwrap(),
            map: store.map_state("map").unwrap(),
            reducing: store.reducing_state("reducing", |left, right| left + right).unwrap(),
            aggregating: store.aggregating_state("aggregating", Average).unwrap(),
            store,
        }
    };
    (0..parallelism).map(subtask).collect()
}

fn of<'a>(all: &'a [Subtask], key: &String) -> &'a Subtask {
    let group = key_group_of(key_hash(key), MAX_PARALLELISM);
    let subtask = &all[subtask_of_group(group, MAX_PARALLELISM, all.len() as u32) as usize];
    subtask.store.set_current_key(key_hash(key), key);
    subtask
}

fn change(all: &[Subtask], model: &mut Model, random: &mut Random, keys: u64) {
    let key = format!("key {}", random.below(keys));
    let states = of(all, &key);
    let kept = model.entry(key).or_default();
    for _ in 0..1 + random.below(3) {
        let (number, map_key) = (random.below(100), random.below(20).to_string());
        match random.below(16) {
            0 => (states.value.update(number), kept.value = Some(number)).0,
            1 => (states.value.clear(), kept.value = None).0,
            2 => {
                states.value.modify(|value| *value = value.map_or(Some(1), |value| (value % 2 == 1).then_some(value + 1)));
                kept.value = kept.value.map_or(Some(1), |value| (value % 2 == 1).then_some(value + 1));
            }
            3 => (states.list.add(map_key.clone()), kept.list.push(map_key)).0,
            4 => {
                let items = vec![map_key; number as usize % 3];
                states.list.add_all(items.clone());
                kept.list.extend(items);
            }
            5 => (states.list.update(Vec::new()), kept.list.clear()).0,
            6 => assert_eq!(states.list.take(), std::mem::take(&mut kept.list)),
            7 | 8 => assert_eq!(states.map.put(map_key.clone(), number), kept.map.insert(map_key, number)),
            9 | 10 => assert_eq!(states.map.remove(map_key.as_str()), kept.map.remove(&map_key)),
            11 => (states.map.clear(), kept.map.clear()).0,
            12 => (states.reducing.add(number), kept.reducing = Some(kept.reducing.unwrap_or(0) + number)).0,
            13 => {
                states.aggregating.add(number);
                let (sum, count) = kept.aggregating.unwrap_or_default();
                kept.aggregating = Some((sum + number, count + 1));
            }
            14 => {
                states.reducing.clear();
                states.aggregating.clear();
                (kept.reducing, kept.aggregating) = (None, None);
            }
            _ => {
                // Everything goes, and perhaps comes back under the same key at once.
                states.value.clear();
                states.list.clear();
                states.map.clear();
                states.reducing.clear();
                states.aggregating.clear();
                *kept = Kept::default();
            }
        }
    }
    assert_eq!(&read(states), kept);
}

fn read(states: &Subtask) -> Kept {
    let map: BTreeMap<String, u64> = states.map.entries().into_iter().collect();
    assert_eq!((map.len(), map.is_empty()), (states.map.len(), states.map.is_empty()));
    assert!(map.iter().all(|(key, value)| states.map.contains(key) && states.map.get(key.as_str()) == Some(*value)));
    let aggregating = states.aggregating.handle.read(|kept| kept.map(|accumulator| accumulator.0));
    assert_eq!(states.aggregating.get(), aggregating.map(|(sum, count)| sum / count));
    Kept { value: states.value.value(), list: states.list.get(), map, reducing: states.reducing.get(), aggregating }
}

fn content(all: &[Subtask]) -> Model {
    let mut content = Model::new();
    for states in all {
        states
            .store
            .for_each_key(|key| {
                assert_eq!(content.insert(key.clone(), read(states)), None);
                Ok(())
            })
            .unwrap();
    }
    content
}

fn without_empty(model: &Model) -> Model {
    model.iter().filter(|(_, kept)| **kept != Kept::default()).map(|(key, kept)| (key.clone(), kept.clone())).collect()
}

fn play(seed: u64, keys: u64, changes: u64) {
    let mut random = Random::new(seed);
    let mut model = Model::new();
    let mut all = subtasks(1, None);
    for parallelism in [3, 2, 8, 1] {
        for round in 0..3 {
            (0..random.below(changes)).for_each(|_| change(&all, &mut model, &mut random, keys));
            let expected = without_empty(&model);
            let give_up = round < 2 && random.below(2) == 0;
            let mut parts: Vec<Stored> = all.iter().map(|_| Stored::default()).collect();
            for (states, part) in all.iter().zip(&mut parts) {
                assert_eq!(states.store.snapshot_begin(0, part), 5);
            }
            let mut open: Vec<usize> = (0..parts.len()).collect();
            while !open.is_empty() {
                (0..random.below(20)).for_each(|_| change(&all, &mut model, &mut random, keys));
                let turn = random.below(open.len() as u64) as usize;
                let progress = all[open[turn]].store.snapshot_step(&mut (random.below(100) as usize), &mut parts[open[turn]]).unwrap();
                if progress == SnapshotProgress::Done {
                    open.swap_remove(turn);
                }
                if give_up && random.below(3) == 0 {
                    all.iter().for_each(|states| states.store.snapshot_cancel());
                    open.clear();
                }
            }
            assert_eq!(content(&all), without_empty(&model));
            assert_eq!(all.iter().map(|states| states.store.len()).sum::<usize>(), without_empty(&model).len(), "no key without state");
            if give_up {
                continue;
            }
            let restored = subtasks(parallelism, Some(&Stored::join(parts)));
            assert_eq!(content(&restored), expected, "seed {seed}, {parallelism} subtasks");
            if round == 2 {
                (model, all) = (expected, restored);
            }
        }
    }
}

#[test]
fn a_snapshot_holds_all_states_of_its_beginning_at_any_parallelism() {
    (0..8).for_each(|seed| play(seed, 40, 300));
    (8..10).for_each(|seed| play(seed, 2000, 6000));
}

fn store(restored: Option<&Stored>) -> KeyedStore<u64> {
    let groups = KeyGroupRange { start: 0, end: MAX_PARALLELISM };
    KeyedStore::new(MAX_PARALLELISM, groups, restored.map(|stored| stored as &dyn RestoredState)).unwrap()
}

fn stored(store: &KeyedStore<u64>) -> Stored {
    let mut stored = Stored::default();
    store.snapshot_begin(0, &mut stored);
    while store.snapshot_step(&mut 10, &mut stored).unwrap() == SnapshotProgress::More {}
    stored
}

fn set(store: &KeyedStore<u64>, key: u64) {
    store.set_current_key(key_hash(&key), &key);
}

#[test]
fn a_name_means_one_state() {
    let store = store(None);
    let first = store.value_state::<u64>("x").unwrap();
    let second = store.value_state::<u64>("x").unwrap();
    set(&store, 1);
    first.update(7);
    assert_eq!(second.value(), Some(7));
    for error in [store.value_state::<String>("x").unwrap_err(), store.reducing_state::<u64>("x", |left, _| left).unwrap_err()] {
        let message = error.to_string();
        assert!(message.contains("`x`") && message.contains("value state of"), "{message}");
        assert!(matches!(error, StateError::RegisteredTwice { .. }));
    }
    assert!(store.list_state::<u64>("x").unwrap_err().to_string().contains("list state of"));
}

#[test]
fn a_key_without_state_takes_no_slot() {
    let store = store(None);
    let (value, list) = (store.value_state::<u64>("v").unwrap(), store.list_state::<u64>("l").unwrap());
    for key in 0..1000 {
        set(&store, key);
        assert_eq!((value.value(), list.len()), (None, 0));
        value.modify(|value| assert_eq!(*value, None));
        list.add_all([]);
        value.clear();
    }
    assert_eq!(store.len(), 0);
    set(&store, 1);
    value.update(1);
    list.add(1);
    value.clear();
    set(&store, 2);
    assert_eq!(store.len(), 1);
    set(&store, 1);
    assert_eq!(list.get(), [1]);
    list.clear();
    value.update(5);
    set(&store, 1);
    assert_eq!((value.take(), store.len()), (Some(5), 1));
    store.clear_current_key();
    assert_eq!(store.len(), 0);
}

#[test]
fn a_state_registered_late_gets_what_was_stored_for_it_and_snapshots_keep_it_till_then() {
    let first = store(None);
    let (value, list) = (first.value_state::<u64>("v").unwrap(), first.list_state::<u64>("l").unwrap());
    for key in 0..500 {
        set(&first, key);
        value.update(key);
        list.add(key + 1);
    }
    // Nothing is registered: all is handed on as it came.
    let second = store(Some(&stored(&first)));
    assert_eq!(second.unclaimed(), ["v", "l"]);
    let third = store(Some(&stored(&second)));
    let value = third.value_state::<u64>("v").unwrap();
    assert_eq!(third.unclaimed(), ["l"]);
    set(&third, 7);
    value.update(1007);
    let fourth = store(Some(&stored(&third)));
    let list = fourth.list_state::<u64>("l").unwrap();
    let value = fourth.value_state::<u64>("v").unwrap();
    set(&fourth, 7);
    assert_eq!((value.value(), list.get()), (Some(1007), vec![8]));
    set(&fourth, 499);
    assert_eq!((value.value(), list.get(), fourth.len()), (Some(499), vec![500], 500));
    third.drop_unclaimed();
    assert_eq!(store(Some(&stored(&third))).unclaimed(), ["v"]);
}

#[test]
fn a_stored_state_of_another_type_is_refused_and_stays_unclaimed() {
    let first = store(None);
    let value = first.value_state::<u64>("v").unwrap();
    set(&first, 1);
    value.update(1);
    let second = store(Some(&stored(&first)));
    let message = second.value_state::<String>("v").unwrap_err().to_string();
    assert!(message.contains("`v`") && message.contains("u64"), "{message}");
    assert!(matches!(second.list_state::<u64>("v"), Err(StateError::Mismatch { .. })));
    assert_eq!(second.unclaimed(), ["v"]);
    assert!(second.value_state::<u64>("v").is_ok());
}

#[test]
fn a_state_registered_during_a_snapshot_is_not_part_of_it() {
    let store = store(None);
    let value = store.value_state::<u64>("v").unwrap();
    (0..300).for_each(|key| {
        set(&store, key);
        value.update(key);
    });
    let mut part = Stored::default();
    store.snapshot_begin(0, &mut part);
    let late = store.value_state::<u64>("late").unwrap();
    (0..300).for_each(|key| {
        set(&store, key);
        late.update(key);
        value.update(0);
    });
    while store.snapshot_step(&mut 10, &mut part).unwrap() == SnapshotProgress::More {}
    let restored = self::store(Some(&part));
    let value = restored.value_state::<u64>("v").unwrap();
    set(&restored, 299);
    assert_eq!((value.value(), restored.unclaimed().len(), restored.len()), (Some(299), 0, 300));
}

#[test]
fn states_may_be_used_inside_closures_of_others() {
    let store = store(None);
    let (left, right) = (store.value_state::<u64>("l").unwrap(), store.map_state::<String, u64>("r").unwrap());
    set(&store, 1);
    left.modify(|value| {
        right.put("a".to_owned(), 1);
        *value = right.get("a");
    });
    left.with(|value| right.update_with("a".to_owned(), || 0, |count| *count += value.copied().unwrap_or(0)));
    assert_eq!((left.value(), right.get("a")), (Some(1), Some(2)));
}

#[test]
#[should_panic(expected = "state `v` was used while there is no current key")]
fn use_without_a_key_says_so() {
    store(None).value_state::<u64>("v").unwrap().update(1);
}

#[test]
#[should_panic(expected = "state `v` was used inside a closure")]
fn use_inside_its_own_closure_says_so() {
    let store = store(None);
    let value = store.value_state::<u64>("v").unwrap();
    set(&store, 1);
    value.update(1);
    value.modify(|_| value.clear());
}

#[test]
fn damaged_blocks_are_errors_and_never_panics() {
    let first = store(None);
    let (map, list) = (first.map_state::<u64, String>("m").unwrap(), first.list_state::<u64>("l").unwrap());
    for key in 0..50 {
        set(&first, key);
        (0..5).for_each(|other| assert_eq!(map.put(other, key.to_string()), None));
        list.add_all(0..key);
    }
    let whole = stored(&first);
    let mut random = Random::new(3);
    let mut refused = 0;
    for _ in 0..2000 {
        let mut damaged = Stored { states: whole.states.clone(), blocks: whole.blocks.clone() };
        let (_, _, bytes) = &mut damaged.blocks[random.below(whole.blocks.len() as u64) as usize];
        match random.below(2) {
            0 => bytes.truncate(random.below(bytes.len() as u64) as usize),
            _ => {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
        }
        let second = store(Some(&damaged));
        let results = [second.map_state::<u64, String>("m").err(), second.list_state::<u64>("l").err()];
        refused += usize::from(results.iter().any(Option::is_some));
    }
    assert!(refused > 1000, "{refused}");
}
