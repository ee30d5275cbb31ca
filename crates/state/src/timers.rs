//! Timers: ordered by time, deduplicated by key and time, part of every snapshot.

use crate::{slots::Position, table::KeyedTable};
use flott_core::{
    BoxError, Key, Timestamp,
    context::RestoredState,
    key_group::KeyGroupRange,
    key_hash::key_hash,
    operator::{SnapshotProgress, SnapshotWriter},
    snapshot::StateKind,
};
use std::collections::BTreeSet;

/// The name of the state with the event-time timers.
pub const EVENT_TIME_TIMERS: &str = "timers/event-time";
/// The name of the state with the processing-time timers.
pub const PROCESSING_TIME_TIMERS: &str = "timers/processing-time";

/// A timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer<K> {
    /// When it was to fire, milliseconds since the epoch.
    pub timestamp: Timestamp,
    /// The key that it was registered for.
    pub key: K,
    /// The key's hash.
    pub hash: u64,
}

/// The timers of one subtask of an operator, for one kind of time.
///
/// A key has at most one timer for a time. Timers fire in the order of their times, those of one time in no particular order.
/// All methods panic if the key is not of this subtask's key groups.
#[derive(Debug)]
pub struct TimerQueue<K> {
    /// One entry for each timer, so key and time.
    table: KeyedTable<K, Timestamp>,
    order: BTreeSet<(Timestamp, Position)>,
}

/// The hash of a timer: the group of its key, another place for each time.
fn timer_hash(key_hash: u64, timestamp: Timestamp) -> u64 {
    let time = (timestamp as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    key_hash ^ time
}

impl<K: Key> TimerQueue<K> {
    fn new(name: &str, max_parallelism: u32, groups: KeyGroupRange) -> Self {
        let table = KeyedTable::new(name, StateKind::Timers, max_parallelism, groups);
        TimerQueue { table: table.with_hash(|key, timestamp| timer_hash(key_hash(key), *timestamp)), order: BTreeSet::new() }
    }

    /// Sets a timer of `key`, whose hash is `hash`; returns whether it was not there before.
    pub fn register(&mut self, hash: u64, key: &K, timestamp: Timestamp) -> bool {
        let hash = timer_hash(hash, timestamp);
        if self.find(hash, key, timestamp).is_some() {
            return false;
        }
        let at = self.table.insert_new(hash, key.clone(), timestamp);
        self.order.insert((timestamp, at))
    }

    /// Removes a timer of `key`, whose hash is `hash`; returns whether it was there.
    pub fn delete(&mut self, hash: u64, key: &K, timestamp: Timestamp) -> bool {
        let hash = timer_hash(hash, timestamp);
        let Some(at) = self.find(hash, key, timestamp) else { return false };
        self.table.take_at(at, hash);
        self.order.remove(&(timestamp, at))
    }

    /// Takes out the first timer that is due at `now`. A timer that is registered for a time already past is due at once.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Timer<K>> {
        let &(timestamp, at) = self.order.first()?;
        if timestamp > now {
            return None;
        }
        self.order.pop_first();
        let hash = key_hash(&self.table.entry_at(at)?.0);
        let (key, _) = self.table.take_at(at, timer_hash(hash, timestamp))?;
        Some(Timer { timestamp, key, hash })
    }

    /// When the next timer is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.order.first().map(|(timestamp, _)| *timestamp)
    }

    /// The number of timers.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are no timers.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn find(&self, hash: u64, key: &K, timestamp: Timestamp) -> Option<Position> {
        self.table.find_entry(hash, |other, at| *at == timestamp && other == key)
    }

    fn restored(&mut self) {
        self.order = self.table.positions().map(|(at, (_, timestamp))| (*timestamp, at)).collect();
    }
}

/// The timers of one subtask of an operator, without namespaces: one kind of timer for each kind of time.
#[derive(Debug)]
pub struct TimerService<K> {
    /// Those that fire by watermarks.
    pub event_time: TimerQueue<K>,
    /// Those that fire by the wall clock.
    pub processing_time: TimerQueue<K>,
}

impl<K: Key> TimerService<K> {
    /// The number of keyed states that the timers take in a snapshot.
    pub const STATES: u16 = 2;

    /// No timers, for the key groups `groups`.
    pub fn new(max_parallelism: u32, groups: KeyGroupRange) -> Self {
        TimerService {
            event_time: TimerQueue::new(EVENT_TIME_TIMERS, max_parallelism, groups),
            processing_time: TimerQueue::new(PROCESSING_TIME_TIMERS, max_parallelism, groups),
        }
    }

    /// Adds the timers of a snapshot. Those of times past meanwhile are due at once.
    ///
    /// # Errors
    /// They cannot be read, or are of another type of key.
    pub fn restore(&mut self, restored: &dyn RestoredState) -> Result<(), BoxError> {
        restored.keyed_blocks(&mut |meta, group, bytes| {
            let queue = match (meta.kind, meta.name.as_str()) {
                (StateKind::Timers, EVENT_TIME_TIMERS) => &mut self.event_time,
                (StateKind::Timers, PROCESSING_TIME_TIMERS) => &mut self.processing_time,
                _ => return Ok(()),
            };
            queue.table.restore_entries(meta, group, bytes, |kept, other| kept != other)?;
            Ok(())
        })?;
        self.event_time.restored();
        self.processing_time.restored();
        Ok(())
    }

    /// Begins a snapshot of the timers of this moment, as the operator's keyed states number `first_state` and the next, and
    /// announces them. Returns the number for the operator's next state. Takes no time that depends on the number of timers.
    ///
    /// A timer is stored as key, then time (`i64`).
    pub fn snapshot_begin(&mut self, first_state: u16, writer: &mut dyn SnapshotWriter) -> u16 {
        self.event_time.table.snapshot_begin(first_state, writer);
        self.processing_time.table.snapshot_begin(first_state + 1, writer);
        first_state + Self::STATES
    }

    /// Writes about `budget` timers and counts them down; see [`KeyedTable::snapshot_step`].
    ///
    /// # Errors
    /// A key refused to be serialised. The snapshot must be cancelled.
    pub fn snapshot_step(&mut self, budget: &mut usize, writer: &mut dyn SnapshotWriter) -> Result<SnapshotProgress, BoxError> {
        let event_time = self.event_time.table.snapshot_step(budget, writer)?;
        let processing_time = self.processing_time.table.snapshot_step(budget, writer)?;
        Ok(if event_time == SnapshotProgress::Done { processing_time } else { event_time })
    }

    /// Forgets an unfinished snapshot.
    pub fn snapshot_cancel(&mut self) {
        self.event_time.table.snapshot_cancel();
        self.processing_time.table.snapshot_cancel();
    }
}

#[cfg(test)]
mod tests;
