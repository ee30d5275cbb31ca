//! Operations that take longer than a call: triggered, then asked about until they are done. What became of one is kept for a
//! while, so that whoever asks late, or triggers again with the id that he chose, finds it.
//!
//! ```text
//!  begin ──▶ in progress ── finish ──▶ done ── 5 minutes ──▶ forgotten
//! ```

use crate::cluster::ClusterError;
use flott_core::{id::JobId, time::SharedClock};
use flott_rpc::client::SnapshotTaken;
use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How long a result is kept.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);

/// How many operations may be in progress: each has a thread that waits for it.
const IN_PROGRESS_MAX: usize = 256;

/// The id of an operation: the client's, or one that is made for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TriggerId(pub(crate) u128);

impl fmt::Display for TriggerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Kinds of operations. Each has ids of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A checkpoint.
    Checkpoint,
    /// A savepoint, or stop with savepoint.
    Savepoint,
    /// The removal of a savepoint.
    Disposal,
    /// A change of parallelism.
    Rescaling,
}

/// Names an operation. One that belongs to no job has the id 0.
pub(crate) type Key = (Kind, JobId, TriggerId);

/// What came of an operation.
pub(crate) type Outcome = Result<Option<SnapshotTaken>, ClusterError>;

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    /// Not done yet.
    InProgress,
    /// Done.
    Done(Outcome),
}

/// The operations of a server.
pub(crate) struct Operations {
    clock: SharedClock,
    ids: RandomState,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    begun: u64,
    operations: HashMap<Key, (State, Duration)>,
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").finish_non_exhaustive()
    }
}

impl Operations {
    /// None yet. Results are kept by `clock`.
    pub(crate) fn new(clock: SharedClock) -> Self {
        Operations { clock, ids: RandomState::new(), known: Mutex::default() }
    }

    /// A new id. The standard library's hasher is seeded by the operating system, which suffices to keep servers apart.
    pub(crate) fn new_id(&self) -> TriggerId {
        let mut known = self.lock();
        known.begun += 1;
        let half = |part: u64| u128::from(self.ids.hash_one((known.begun, part)));
        TriggerId(half(0) << 64 | half(1))
    }

    /// Notes that an operation begins; `false`: it was begun before and must not be again.
    ///
    /// # Errors
    /// Too many are in progress.
    pub(crate) fn begin(&self, key: Key) -> Result<bool, ClusterError> {
        let now = self.clock.monotonic();
        let mut known = self.lock();
        known.operations.retain(|_, (state, since)| *state == State::InProgress || now.saturating_sub(*since) < KEPT_FOR);
        let in_progress = known.operations.values().filter(|(state, _)| *state == State::InProgress).count();
        match known.operations.entry(key) {
            Entry::Occupied(_) => Ok(false),
            Entry::Vacant(_) if in_progress >= IN_PROGRESS_MAX => {
                Err(ClusterError::Unavailable(format!("{in_progress} operations are in progress already; try again later")))
            }
            Entry::Vacant(place) => {
                place.insert((State::InProgress, now));
                Ok(true)
            }
        }
    }

    /// Notes what came of an operation.
    pub(crate) fn finish(&self, key: Key, outcome: Outcome) {
        let now = self.clock.monotonic();
        self.lock().operations.insert(key, (State::Done(outcome), now));
    }

    /// Where an operation stands; `None`: not known, or no longer.
    pub(crate) fn state(&self, key: Key) -> Option<State> {
        let now = self.clock.monotonic();
        let known = self.lock();
        let (state, since) = known.operations.get(&key)?;
        let forgotten = *state != State::InProgress && now.saturating_sub(*since) >= KEPT_FOR;
        (!forgotten).then(|| state.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::time::{Clock, Timestamp};
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        task::Waker,
    };

    #[derive(Default)]
    struct Seconds(AtomicU64);

    impl Clock for Seconds {
        fn wall(&self) -> Timestamp {
            0
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
        fn wake_at(&self, _: Duration, _: &Waker) {}
    }

    fn key(id: u128) -> Key {
        (Kind::Savepoint, JobId(1), TriggerId(id))
    }

    #[test]
    fn an_operation_begins_once_for_each_id() {
        let operations = Operations::new(Arc::new(Seconds::default()));
        assert!(operations.begin(key(7)).unwrap());
        assert!(!operations.begin(key(7)).unwrap());
        assert_eq!(operations.state(key(7)), Some(State::InProgress));
        operations.finish(key(7), Ok(None));
        assert!(!operations.begin(key(7)).unwrap());
        assert!(operations.begin((Kind::Checkpoint, JobId(1), TriggerId(7))).unwrap());
    }

    #[test]
    fn a_result_is_forgotten_five_minutes_after_the_end_but_not_before_the_end() {
        let clock = Arc::new(Seconds::default());
        let operations = Operations::new(Arc::clone(&clock) as SharedClock);
        assert!(operations.begin(key(7)).unwrap());
        clock.0.store(1000, Ordering::Relaxed);
        assert_eq!(operations.state(key(7)), Some(State::InProgress));
        operations.finish(key(7), Ok(None));
        clock.0.store(1299, Ordering::Relaxed);
        assert_eq!(operations.state(key(7)), Some(State::Done(Ok(None))));
        clock.0.store(1300, Ordering::Relaxed);
        assert_eq!(operations.state(key(7)), None);
        assert!(operations.begin(key(7)).unwrap());
    }

    #[test]
    fn too_many_at_once_are_refused() {
        let operations = Operations::new(Arc::new(Seconds::default()));
        for id in 0..IN_PROGRESS_MAX as u128 {
            assert!(operations.begin(key(id)).unwrap());
        }
        assert!(matches!(operations.begin(key(9999)), Err(ClusterError::Unavailable(_))));
        operations.finish(key(0), Ok(None));
        assert!(operations.begin(key(9999)).unwrap());
    }

    #[test]
    fn new_ids_differ() {
        let operations = Operations::new(Arc::new(Seconds::default()));
        assert_ne!(operations.new_id(), operations.new_id());
    }
}
