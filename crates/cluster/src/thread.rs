//! Threads that drive tasks, one for each, and the clock that they sleep by.

use flott_core::time::{Clock, Timestamp};
use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        SystemClock { start: Instant::now() }
    }
}

thread_local! {
    /// Until when the thread may sleep at the most.
    static DEADLINE: Cell<Option<Duration>> = const { Cell::new(None) };
}

impl Clock for SystemClock {
    fn wall(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => flott_core::time::millis(since),
            Err(before) => -flott_core::time::millis(before.duration()),
        }
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wake_at(&self, deadline: Duration, _: &Waker) {
        // The waker is that of the future which this thread drives, so that its own sleep is all that has to end.
        DEADLINE.set(Some(DEADLINE.get().map_or(deadline, |earlier| earlier.min(deadline))));
    }
}

const RUNNING: u8 = 0;
const WOKEN: u8 = 1;
const ASLEEP: u8 = 2;

struct ThreadWaker {
    thread: Thread,
    state: AtomicU8,
}

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(WOKEN, Ordering::SeqCst) == ASLEEP {
            self.thread.unpark();
        }
    }
}

/// Drives `future` to its end on this thread. `clock` is the one by which it asks to be woken.
pub(crate) fn drive<F: Future>(future: F, clock: &SystemClock) -> F::Output {
    let mut future = pin!(future);
    let state = Arc::new(ThreadWaker { thread: thread::current(), state: AtomicU8::new(RUNNING) });
    let waker = Waker::from(state.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        state.state.store(RUNNING, Ordering::SeqCst);
        DEADLINE.set(None);
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        sleep(&state, clock);
    }
}

/// Sleeps until somebody wakes the thread or its deadline has come.
fn sleep(state: &ThreadWaker, clock: &SystemClock) {
    if state.state.compare_exchange(RUNNING, ASLEEP, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        return;
    }
    while state.state.load(Ordering::SeqCst) == ASLEEP {
        match DEADLINE.get() {
            None => thread::park(),
            Some(deadline) => {
                let now = clock.monotonic();
                if now >= deadline {
                    return;
                }
                thread::park_timeout(deadline - now);
            }
        }
    }
}
