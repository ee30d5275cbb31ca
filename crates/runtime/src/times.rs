//! How a task spends its time: at work, without input, held back. What goes on counts as well as what is over, so that a task which
//! waits for minutes is seen to wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release},
    },
    time::Duration,
};

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitingFor {
    /// Input, a time or a command.
    Input = 1,
    /// Whoever takes its output.
    Output = 2,
}

/// It waits for nothing: it works.
const WORKS: u8 = 0;
/// It has come to its end.
const ENDED: u8 = 3;

/// The times of one attempt, which one thread writes and others read.
#[derive(Debug, Clone)]
pub(crate) struct Times(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Duration,
    /// What goes on: [`WORKS`], a [`WaitingFor`] or [`ENDED`].
    doing: AtomicU8,
    // Each up to when the task last noted one of them, ns.
    busy: AtomicU64,
    idle: AtomicU64,
    back_pressured: AtomicU64,
}

/// The times so far, ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimesSoFar {
    pub(crate) busy: i64,
    pub(crate) idle: i64,
    pub(crate) back_pressured: i64,
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos() as u64
}

impl Times {
    /// For a task that starts at the monotonic time `now`.
    pub(crate) fn new(now: Duration) -> Self {
        let zero = AtomicU64::default;
        Times(Arc::new(Shared { started: now, doing: AtomicU8::new(WORKS), busy: zero(), idle: zero(), back_pressured: zero() }))
    }

    /// The task has worked until now: what was no wait was work.
    pub(crate) fn worked(&self, now: Duration) {
        let times = &*self.0;
        let waited = times.idle.load(Relaxed) + times.back_pressured.load(Relaxed);
        times.busy.store(nanos(now.saturating_sub(times.started)).saturating_sub(waited), Relaxed);
    }

    /// The task begins to wait.
    pub(crate) fn begin_wait(&self, waiting: WaitingFor, now: Duration) {
        self.worked(now);
        // Whoever sees the wait has to see the work before it, too.
        self.0.doing.store(waiting as u8, Release);
    }

    /// The task goes on, after `time` in which it has waited.
    pub(crate) fn end_wait(&self, waiting: WaitingFor, time: Duration) {
        let waited = match waiting {
            WaitingFor::Input => &self.0.idle,
            WaitingFor::Output => &self.0.back_pressured,
        };
        waited.store(waited.load(Relaxed) + nanos(time), Relaxed);
        self.0.doing.store(WORKS, Release);
    }

    /// The task has come to its end: time goes on without it.
    pub(crate) fn ended(&self, now: Duration) {
        self.worked(now);
        self.0.doing.store(ENDED, Release);
    }

    /// The times at `now`, with that of what goes on.
    pub(crate) fn read(&self, now: Duration) -> TimesSoFar {
        let times = &*self.0;
        // Before the times: if it ends meanwhile, these have it already and nothing is left over.
        let doing = times.doing.load(Acquire);
        let [mut busy, mut idle, mut back_pressured] = [&times.busy, &times.idle, &times.back_pressured].map(|time| time.load(Relaxed));
        let ongoing = nanos(now.saturating_sub(times.started)).saturating_sub(busy + idle + back_pressured);
        match doing {
            ENDED => {}
            doing if doing == WaitingFor::Input as u8 => idle += ongoing,
            doing if doing == WaitingFor::Output as u8 => back_pressured += ongoing,
            _ => busy += ongoing,
        }
        let [busy, idle, back_pressured] = [busy, idle, back_pressured].map(|nanos| (nanos / 1_000_000) as i64);
        TimesSoFar { busy, idle, back_pressured }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(100);

    fn after(ms: u64) -> Duration {
        START + Duration::from_millis(ms)
    }

    fn at(times: &Times, ms: u64) -> [i64; 3] {
        let so_far = times.read(after(ms));
        [so_far.busy, so_far.idle, so_far.back_pressured]
    }

    #[test]
    fn a_wait_counts_while_it_lasts() {
        let times = Times::new(START);
        times.begin_wait(WaitingFor::Input, after(30));
        for second in 0..10 {
            assert_eq!(at(&times, 30 + 1000 * second), [30, 1000 * second as i64, 0]);
        }
        times.end_wait(WaitingFor::Input, Duration::from_secs(10));
        assert_eq!(at(&times, 10_030), [30, 10_000, 0]);
        times.begin_wait(WaitingFor::Output, after(10_050));
        assert_eq!(at(&times, 10_950), [50, 10_000, 900]);
        times.end_wait(WaitingFor::Output, Duration::from_secs(1));
        assert_eq!(at(&times, 11_050), [50, 10_000, 1000]);
    }

    #[test]
    fn work_on_a_long_batch_counts_while_it_lasts() {
        let times = Times::new(START);
        for second in 0..5 {
            assert_eq!(at(&times, 1000 * second), [1000 * second as i64, 0, 0]);
        }
        times.worked(after(5000));
        assert_eq!(at(&times, 5000), [5000, 0, 0]);
        assert_eq!(at(&times, 6000), [6000, 0, 0]);
    }

    #[test]
    fn a_task_that_has_ended_spends_no_more_time() {
        let times = Times::new(START);
        times.begin_wait(WaitingFor::Input, after(100));
        times.end_wait(WaitingFor::Input, Duration::from_millis(50));
        times.ended(after(170));
        assert_eq!(at(&times, 170), [120, 50, 0]);
        assert_eq!(at(&times, 90_000), [120, 50, 0]);
    }

    #[test]
    fn a_look_at_a_time_before_the_last_note_adds_nothing() {
        let times = Times::new(START);
        times.begin_wait(WaitingFor::Input, after(100));
        times.end_wait(WaitingFor::Input, Duration::from_millis(50));
        assert_eq!(at(&times, 120), [100, 50, 0]);
    }
}
