//! Event time and the clock that is passed in.

use std::{sync::Arc, task::Waker, time::Duration};

/// Milliseconds since the Unix epoch. Arithmetic on timestamps saturates.
pub type Timestamp = i64;

/// "No watermark yet": smaller than every event's timestamp.
pub const MIN_WATERMARK: Timestamp = i64::MIN;

/// "End of input": fires every event-time timer.
pub const MAX_WATERMARK: Timestamp = i64::MAX;

/// A clock and alarm, passed to whatever needs time, so that a simulation can provide its own.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time, milliseconds since the Unix epoch. May jump in either direction.
    fn wall(&self) -> Timestamp;

    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;

    /// Wakes `waker` at the monotonic time `deadline`, or a little later. Only the calling task's own waker may be given.
    /// A wake-up may be early; who waits must look at the clock again.
    fn wake_at(&self, deadline: Duration, waker: &Waker);
}

/// A shared [`Clock`].
pub type SharedClock = Arc<dyn Clock>;

/// A duration as Flink counts it: whole milliseconds, saturating.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
