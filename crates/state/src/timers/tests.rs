use super::*;
use crate::test_support::{Random, Stored};
use flott_core::key_group::{key_group_of, subtask_of_group};
use std::collections::BTreeSet;

const MAX_PARALLELISM: u32 = 8;

fn services(parallelism: u32) -> Vec<TimerService<String>> {
    (0..parallelism)
        .map(|index| TimerService::new(MAX_PARALLELISM, KeyGroupRange::of_subtask(index, parallelism, MAX_PARALLELISM)))
        .collect()
}

fn of<'a>(services: &'a mut [TimerService<String>], key: &str) -> &'a mut TimerService<String> {
    let group = key_group_of(key_hash(key), MAX_PARALLELISM);
    let index = subtask_of_group(group, MAX_PARALLELISM, services.len() as u32);
    &mut services[index as usize]
}

fn queue<'a>(services: &'a mut [TimerService<String>], key: &str, event: bool) -> &'a mut TimerQueue<String> {
    let service = of(services, key);
    if event { &mut service.event_time } else { &mut service.processing_time }
}

type Model = BTreeSet<(bool, Timestamp, String)>;

fn change(services: &mut [TimerService<String>], model: &mut Model, random: &mut Random, keys: u64, times: u64) {
    let (key, event) = (format!("key {}", random.below(keys)), random.below(2) == 0);
    let (hash, time) = (key_hash(&key), random.below(times) as Timestamp - 5);
    let queue = queue(services, &key, event);
    match random.below(5) {
        0 => assert_eq!(queue.delete(hash, &key, time), model.remove(&(event, time, key))),
        1 => {
            if let Some(timer) = queue.pop_due(time) {
                assert_eq!(timer.hash, key_hash(&timer.key));
                assert!(timer.timestamp <= time);
                assert!(model.remove(&(event, timer.timestamp, timer.key)), "a timer that is not there");
            }
        }
        _ => assert_eq!(queue.register(hash, &key, time), model.insert((event, time, key))),
    }
}

fn drain(services: &mut [TimerService<String>]) -> Model {
    let mut all = Model::new();
    for service in services {
        for (event, queue) in [(true, &mut service.event_time), (false, &mut service.processing_time)] {
            let mut last = Timestamp::MIN;
            while let Some(due) = queue.next_due() {
                assert_eq!(queue.pop_due(due - 1), None);
                let timer = queue.pop_due(due).unwrap();
                assert!(timer.timestamp == due && due >= last);
                last = due;
                assert!(all.insert((event, due, timer.key)), "fired twice");
            }
            assert!(queue.is_empty() && queue.table.is_empty());
        }
    }
    all
}

#[test]
fn timers_survive_snapshots_at_any_parallelism() {
    // Few times: many keys share one. Few keys: each has many times.
    for (seed, keys, times) in [(1, 500, 3), (2, 4, 600), (3, 60, 60), (4, 3000, 2)] {
        let mut random = Random::new(seed);
        let mut model = Model::new();
        let mut all = services(1);
        for parallelism in [3, 2, 1] {
            (0..3000).for_each(|_| change(&mut all, &mut model, &mut random, keys, times));
            let expected = model.clone();
            let mut parts: Vec<Stored> = all.iter().map(|_| Stored::default()).collect();
            for (service, part) in all.iter_mut().zip(&mut parts) {
                assert_eq!(service.snapshot_begin(0, part), TimerService::<String>::STATES);
            }
            (0..200).for_each(|_| change(&mut all, &mut model, &mut random, keys, times));
            for index in 0..parts.len() {
                while all[index].snapshot_step(&mut 50, &mut parts[index]).unwrap() == SnapshotProgress::More {
                    (0..20).for_each(|_| change(&mut all, &mut model, &mut random, keys, times));
                }
            }
            let stored = Stored::join(parts);
            let mut restored = services(parallelism);
            restored.iter_mut().for_each(|service| service.restore(&stored).unwrap());
            assert_eq!(drain(&mut all), model);
            assert_eq!(
                restored.iter().map(|service| service.event_time.len() + service.processing_time.len()).sum::<usize>(),
                expected.len()
            );
            (all, model) = (restored, expected);
        }
        assert_eq!(drain(&mut all), model);
    }
}

#[test]
fn a_timer_registered_while_timers_fire_is_due_too() {
    let mut timers = services(1).remove(0).event_time;
    let key = "a".to_owned();
    timers.register(key_hash(&key), &key, 10);
    assert_eq!(timers.pop_due(20).map(|timer| timer.timestamp), Some(10));
    assert!(timers.register(key_hash(&key), &key, 10));
    assert!(timers.register(key_hash(&key), &key, Timestamp::MAX));
    assert!(!timers.register(key_hash(&key), &key, 10));
    assert_eq!(timers.pop_due(20).map(|timer| timer.timestamp), Some(10));
    assert_eq!(timers.pop_due(Timestamp::MAX - 1), None);
    assert_eq!(timers.pop_due(Timestamp::MAX).map(|timer| timer.timestamp), Some(Timestamp::MAX));
}

#[test]
fn timers_of_another_type_of_key_are_refused() {
    let mut all = services(1);
    of(&mut all, "a").event_time.register(key_hash("a"), &"a".to_owned(), 1);
    let mut stored = Stored::default();
    all[0].snapshot_begin(0, &mut stored);
    all[0].snapshot_step(&mut 100, &mut stored).unwrap();
    let mut other = TimerService::<u64>::new(MAX_PARALLELISM, KeyGroupRange { start: 0, end: MAX_PARALLELISM });
    let message = other.restore(&stored).unwrap_err().to_string();
    assert!(message.contains(EVENT_TIME_TIMERS) && message.contains("timers state"), "{message}");
}
