//! The operator: follows the state machine of each key, tells wrong events, and reports now and then.

use super::{
    line::{Line, Why},
    machine::State,
    traffic::Event,
};
use flott::prelude::*;
use serde::{Deserialize, Serialize};

/// What is kept for each key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Basket {
    state: State,
    /// The number of events handled.
    handled: u64,
    /// Of the events since that of the last report.
    checksum: u64,
}

impl Basket {
    /// That of a key of which so many events were handled, the last of them with a report.
    pub(crate) fn at_report(state: State, handled: u64) -> Self {
        Basket { state, handled, checksum: 0 }
    }

    /// Handles the key's next event; the line that is to be emitted, if any.
    pub(crate) fn handle(&mut self, event: &Event, report_every: u64) -> Option<Line> {
        self.handled += 1;
        self.checksum = mixed(self.checksum, event);
        let next = self.state.after(event.action);
        self.state = next.unwrap_or(self.state);
        let due = report_is_due(event.key, self.handled, report_every);
        let (number, action) = (event.number, event.action);
        let line = match next {
            None => Some(self.line(event.key, Why::Alert { event: number, action })),
            Some(_) if due => Some(self.line(event.key, Why::Report { event: number, action })),
            Some(_) => None,
        };
        if due {
            self.checksum = 0;
        }
        line
    }

    /// What is said of key `key`.
    pub(crate) fn line(&self, key: u64, why: Why) -> Line {
        Line { key, why, handled: self.handled, state: self.state, checksum: self.checksum }
    }
}

/// Whether a key has a line for an event even if that is right. Keys take turns, so that lines come evenly.
pub(crate) fn report_is_due(key: u64, number: u64, report_every: u64) -> bool {
    number % report_every == key % report_every
}

/// The number of the last event before event `number` (from 1) with which a report was due; 0 if there is none.
pub(crate) fn last_report_before(key: u64, number: u64, report_every: u64) -> u64 {
    let (before, turn) = (number - 1, key % report_every);
    before.checked_sub(turn).map_or(0, |behind| before - behind % report_every)
}

/// The checksum with one event more. Other events, or the same in another order, come to another one.
fn mixed(checksum: u64, event: &Event) -> u64 {
    let event = event.number.wrapping_mul(16) ^ event.action as u64;
    let mixed = (checksum.rotate_left(25) ^ event).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

/// The keyed process function.
pub(crate) struct Follow {
    basket: ValueState<Basket>,
    report_every: u64,
}

impl Follow {
    pub(crate) fn open(context: &KeyedRuntimeContext<'_, u64>, report_every: u64) -> Result<Self, BoxError> {
        Ok(Follow { basket: context.value_state("basket")?, report_every })
    }
}

impl KeyedProcessFunction for Follow {
    type Key = u64;
    type In = Event;
    type Out = Line;

    fn process(&mut self, event: Event, context: &mut KeyedContext<'_, u64, Line>) -> Result<(), BoxError> {
        let handled = self.basket.update_with(Basket::default, |basket| {
            if let Some(line) = basket.handle(&event, self.report_every) {
                context.emit(line);
            }
            basket.handled
        });
        if handled == 1 {
            // Event time stands still up to the end of input.
            context.register_event_time_timer(Timestamp::MAX);
        }
        Ok(())
    }

    fn on_timer(&mut self, _: Timestamp, context: &mut KeyedContext<'_, u64, Line>) -> Result<(), BoxError> {
        let key = *context.current_key();
        if let Some(line) = self.basket.with(|basket| basket.map(|basket| basket.line(key, Why::End))) {
            context.emit(line);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Action;

    fn handle(basket: &mut Basket, number: u64, action: Action) -> Option<String> {
        basket.handle(&Event { key: 7, number, action }, 5).map(|line| line.to_string())
    }

    #[test]
    fn wrong_events_are_told_and_change_nothing_but_the_count() {
        let mut basket = Basket::default();
        assert_eq!(handle(&mut basket, 1, Action::Add), None);
        let alert = handle(&mut basket, 2, Action::Pay).unwrap();
        assert!(alert.starts_with("alert key=7 event=2 action=pay handled=2 state=filled checksum="), "{alert}");
        assert_eq!(handle(&mut basket, 3, Action::Order), None);
        assert_eq!((basket.state, basket.handled), (State::Ordered, 3));
    }

    #[test]
    fn every_so_many_events_a_report_is_due_and_the_checksum_begins_anew() {
        let mut basket = Basket::default();
        let lines: Vec<u64> = (1..=20).filter(|number| handle(&mut basket, *number, Action::Add).is_some()).collect();
        assert_eq!(lines, [2, 7, 12, 17]);
        let mut later = Basket::at_report(State::Filled, 17);
        for number in 18..=20 {
            handle(&mut later, number, Action::Add);
        }
        assert_eq!(later, basket);
    }

    #[test]
    fn the_last_report_is_found_from_any_event() {
        for every in 1..7 {
            for key in 0..15 {
                let mut last = 0;
                for number in 1..40 {
                    assert_eq!(last_report_before(key, number, every), last, "key {key}, event {number}, every {every}");
                    if report_is_due(key, number, every) {
                        last = number;
                    }
                }
            }
        }
    }

    #[test]
    fn the_checksum_depends_on_every_event_and_on_their_order() {
        let checksum = |events: &[(u64, Action)]| {
            let mut basket = Basket::at_report(State::Filled, 2);
            for (number, action) in events {
                handle(&mut basket, *number, *action);
            }
            basket.checksum
        };
        let all = [
            checksum(&[(3, Action::Add), (4, Action::Add)]),
            checksum(&[(4, Action::Add), (3, Action::Add)]),
            checksum(&[(3, Action::Add), (3, Action::Add)]),
            checksum(&[(3, Action::Add), (4, Action::Order)]),
            checksum(&[(3, Action::Add), (5, Action::Add)]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|other| one != other));
        }
    }
}
