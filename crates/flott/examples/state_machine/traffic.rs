//! The events, made up from a seed: any event of any key can be told without those before it.
//!
//! Event `index` of the source belongs to key `index % keys` and is that key's event `index / keys + 1`. The events of a key come
//! in cycles that begin and end with an empty basket; within a cycle they are a random walk through the machine, with wrong ones
//! in between.

use super::machine::{Action, State};
use flott::connector::datagen::Random;
use serde::{Deserialize, Serialize};

/// Events in a cycle. Telling an event costs half as many steps.
const CYCLE: u64 = 16;

/// Something that a customer does, or that is done for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// The customer.
    pub(crate) key: u64,
    /// The number of the event among those of its key, from 1.
    pub(crate) number: u64,
    pub(crate) action: Action,
}

/// What makes the events up.
#[derive(Debug, Clone)]
pub(crate) struct Traffic {
    seed: u64,
    keys: u64,
    /// Wrong ones among 2^32 events.
    errors: u64,
}

impl Traffic {
    /// Events of `keys` customers (at least 1), of which a share of `error_rate`, from 0 to 1, is wrong.
    pub(crate) fn new(seed: u64, keys: u64, error_rate: f64) -> Self {
        Traffic { seed, keys: keys.max(1), errors: (error_rate * (1u64 << 32) as f64) as u64 }
    }

    /// The number of keys.
    pub(crate) fn keys(&self) -> u64 {
        self.keys
    }

    /// The event at `index` of the source.
    pub(crate) fn event(&self, index: u64) -> Event {
        let (key, number) = (index % self.keys, index / self.keys + 1);
        let mut walk = self.walk_from_cycle(key, number);
        loop {
            let (at, action) = walk.step();
            if at == number {
                return Event { key, number, action };
            }
        }
    }

    /// How many of the first `events` of the source belong to `key`.
    pub(crate) fn events_of(&self, key: u64, events: u64) -> u64 {
        events / self.keys + u64::from(events % self.keys > key)
    }

    /// The events of a key behind event `number`; all of them for 0.
    pub(crate) fn walk_behind(&self, key: u64, number: u64) -> Walk<'_> {
        let mut walk = self.walk_from_cycle(key, number.max(1));
        while walk.done < number {
            walk.step();
        }
        walk
    }

    /// The events of a key from the first of the cycle that holds event `number`.
    fn walk_from_cycle(&self, key: u64, number: u64) -> Walk<'_> {
        let random = Random::new(self.seed, key);
        Walk { traffic: self, seed: random.clone().next_u64(), random, done: (number - 1) / CYCLE * CYCLE, state: State::Empty }
    }
}

/// The events of a key, one after the other.
pub(crate) struct Walk<'a> {
    traffic: &'a Traffic,
    /// The key's own seed.
    seed: u64,
    /// The numbers of this cycle.
    random: Random,
    /// The number of the last event.
    done: u64,
    state: State,
}

impl Walk<'_> {
    /// The state behind the last event.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// The next event: its number and what happens.
    pub(crate) fn step(&mut self) -> (u64, Action) {
        let place = self.done % CYCLE;
        if place == 0 {
            self.random = Random::new(self.seed, self.done / CYCLE);
        }
        self.done += 1;
        let left = CYCLE - 1 - place;
        let drawn = self.random.next_u64();
        let (error, choice) = (drawn >> 32, drawn & 0xffff_ffff);
        if error < self.traffic.errors && can_end(self.state, left) {
            return (self.done, nth(Action::ALL.into_iter().filter(|action| self.state.after(*action).is_none()), choice));
        }
        let right = self.state.transitions().iter().filter(|(_, next)| can_end(*next, left));
        let (action, next) = *nth(right, choice);
        self.state = next;
        (self.done, action)
    }
}

/// Whether exactly `left` right actions can lead from `state` to the empty basket.
fn can_end(state: State, left: u64) -> bool {
    if state == State::Empty { left != 1 } else { left > 0 }
}

/// One of the items, chosen by a number of 32 bits.
fn nth<I: Iterator<Item = T> + Clone, T>(mut items: I, choice: u64) -> T {
    let count = items.clone().count() as u64;
    items.nth(((choice * count) >> 32) as usize).expect("every state has right and wrong actions, and a way to end in time")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_walk_can_end_where_the_machine_says_so() {
        let mut ways = HashSet::from([State::Empty.name()]);
        for left in 0..40 {
            for state in State::ALL {
                assert_eq!(can_end(state, left), ways.contains(state.name()), "{state:?} with {left} left");
            }
            let leads = |state: &State| state.transitions().iter().any(|(_, next)| ways.contains(next.name()));
            ways = State::ALL.into_iter().filter(leads).map(State::name).collect();
        }
    }

    #[test]
    fn without_errors_each_key_follows_the_machine_and_ends_each_cycle_empty() {
        let traffic = Traffic::new(7, 10, 0.0);
        let mut states = [State::Empty; 10];
        let mut seen = HashSet::new();
        for index in 0..10 * 40 * CYCLE {
            let Event { key, number, action } = traffic.event(index);
            let state = &mut states[key as usize];
            *state = state.after(action).unwrap();
            seen.insert(action.name());
            assert!(number % CYCLE != 0 || *state == State::Empty);
        }
        assert_eq!(seen.len(), Action::ALL.len());
    }

    #[test]
    fn the_share_of_wrong_events_is_nearly_as_set() {
        for (rate, least, most) in [(0.0, 0.0, 0.0), (0.01, 0.008, 0.011), (0.3, 0.25, 0.3), (1.0, 0.8, 0.95)] {
            let traffic = Traffic::new(1, 50, rate);
            let mut wrong = 0;
            for key in 0..50 {
                let mut walk = traffic.walk_behind(key, 0);
                let mut state = State::Empty;
                for _ in 0..2_000 {
                    match state.after(walk.step().1) {
                        Some(next) => state = next,
                        None => wrong += 1,
                    }
                    assert_eq!(walk.state(), state);
                }
            }
            let share = f64::from(wrong) / 100_000.0;
            assert!((least..=most).contains(&share), "{share} at {rate}");
        }
    }

    #[test]
    fn an_event_is_the_same_whether_walked_to_or_looked_up() {
        let traffic = Traffic::new(3, 4, 0.1);
        for key in 0..4 {
            let mut walk = traffic.walk_behind(key, 0);
            for number in 1..=100 {
                let event = traffic.event((number - 1) * 4 + key);
                let (at, action) = walk.step();
                assert_eq!(event, Event { key, number, action });
                assert_eq!(at, number);
                let mut later = traffic.walk_behind(key, number);
                assert_eq!((later.state(), later.step().0), (walk.state(), number + 1));
            }
        }
    }

    #[test]
    fn seed_and_key_decide() {
        let actions = |seed, key| {
            let traffic = Traffic::new(seed, 9, 0.2);
            let mut walk = traffic.walk_behind(key, 0);
            (0..50).map(|_| walk.step().1.name()).collect::<Vec<_>>()
        };
        assert_eq!(actions(1, 2), actions(1, 2));
        assert_ne!(actions(1, 2), actions(1, 3));
        assert_ne!(actions(1, 2), actions(2, 2));
    }

    #[test]
    fn every_event_belongs_to_one_key() {
        let traffic = Traffic::new(0, 7, 0.0);
        for events in 0..30 {
            for key in 0..7 {
                let found = (0..events).map(|index| traffic.event(index)).filter(|event| event.key == key);
                assert!(found.map(|event| event.number).eq(1..=traffic.events_of(key, events)));
            }
        }
    }
}
