//! What stands between the thread that reads and the task that polls.

use crate::error::SocketSourceError;
use std::{
    collections::VecDeque,
    net::{Shutdown, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

/// How much may wait in a queue. When one of them is reached, nothing is read from the socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QueueLimits {
    pub(crate) records: usize,
    /// Of the lines' text.
    pub(crate) bytes: usize,
}

#[derive(Default)]
struct State {
    lines: VecDeque<String>,
    /// Of all `lines`.
    bytes: usize,
    /// Read from the socket and not reported yet.
    bytes_read: u64,
    /// The lines are the last ones; how it ended.
    ended: Option<Result<(), SocketSourceError>>,
    /// The reader is gone.
    closed: bool,
    /// The thread waits for room, and was not told of any.
    waits: bool,
    waker: Option<Waker>,
    stream: Option<TcpStream>,
}

/// A bounded queue of lines: one thread fills it, one task empties it.
pub(crate) struct LineQueue {
    state: Mutex<State>,
    /// There is room again, or the queue was closed.
    changed: Condvar,
    limits: QueueLimits,
}

/// Nobody takes lines any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// What the task got.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Lines went to the caller, and the number of bytes read since it was last told.
    Lines(u64),
    /// There are no lines and will be none.
    End(Result<(), SocketSourceError>),
}

impl LineQueue {
    pub(crate) fn new(limits: QueueLimits) -> Arc<Self> {
        Arc::new(LineQueue { state: Mutex::default(), changed: Condvar::new(), limits })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends `lines`, as soon as there is room for one. `bytes_read` is what was read from the socket for them.
    ///
    /// # Errors
    /// The reader is gone.
    pub(crate) fn push(&self, lines: &mut Vec<String>, bytes_read: u64) -> Result<(), Closed> {
        let mut state = self.lock();
        while !state.closed && (state.lines.len() >= self.limits.records || state.bytes >= self.limits.bytes) {
            state.waits = true;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waits = false;
        if state.closed {
            return Err(Closed);
        }
        state.bytes += lines.iter().map(String::len).sum::<usize>();
        state.bytes_read += bytes_read;
        if !lines.is_empty() {
            state.lines.extend(lines.drain(..));
            Self::wake(state);
        }
        Ok(())
    }

    /// No lines will follow. The first call decides.
    pub(crate) fn end(&self, result: Result<(), SocketSourceError>) {
        let mut state = self.lock();
        state.ended.get_or_insert(result);
        state.stream = None;
        Self::wake(state);
    }

    fn wake(mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Remembers the connection, to break it when the reader goes; `None` when it has ended.
    ///
    /// # Errors
    /// The reader is gone already.
    pub(crate) fn connected(&self, stream: Option<TcpStream>) -> Result<(), Closed> {
        let mut state = self.lock();
        state.stream = stream;
        if state.closed { Err(Closed) } else { Ok(()) }
    }

    /// Waits for `time`.
    ///
    /// # Errors
    /// The reader is gone.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Closed> {
        let start = Instant::now();
        let mut state = self.lock();
        while !state.closed {
            let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) else { return Ok(()) };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Err(Closed)
    }

    /// Gives up to `records` lines to `emit`. If there are none yet, the task will be woken.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>, records: usize, mut emit: impl FnMut(String)) -> Poll<Taken> {
        let mut state = self.lock();
        if state.lines.is_empty() {
            return match state.ended.take() {
                Some(result) => Poll::Ready(Taken::End(result)),
                None => {
                    state.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        let count = records.min(state.lines.len());
        let mut bytes = 0;
        for line in state.lines.drain(..count) {
            bytes += line.len();
            emit(line);
        }
        state.bytes -= bytes;
        if std::mem::take(&mut state.waits) {
            self.changed.notify_all();
        }
        Poll::Ready(Taken::Lines(std::mem::take(&mut state.bytes_read)))
    }

    /// The reader goes: what the thread waits for ends.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.lines.clear();
        state.waker = None;
        if let Some(stream) = state.stream.take() {
            // Fails if the peer has closed it already, which is as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    /// Sends `bytes` to the peer.
    #[cfg(test)]
    pub(crate) fn send(&self, bytes: &[u8]) {
        use std::io::Write;
        self.lock().stream.as_mut().expect("there is a connection").write_all(bytes).expect("the peer is there");
    }

    /// The number of lines, when the thread has come to wait for room.
    #[cfg(test)]
    pub(crate) fn len_when_full(&self) -> usize {
        let start = Instant::now();
        loop {
            let state = self.lock();
            if state.waits {
                return state.lines.len();
            }
            drop(state);
            assert!(start.elapsed() < Duration::from_secs(30), "the thread never waits");
            std::thread::yield_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, thread};

    fn take(queue: &LineQueue, records: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let _ = queue.poll_take(&mut Context::from_waker(Waker::noop()), records, |line| lines.push(line));
        lines
    }

    fn push(queue: &LineQueue, line: &str) -> Result<(), Closed> {
        queue.push(&mut vec![line.to_owned()], line.len() as u64)
    }

    #[test]
    fn a_full_queue_holds_up_the_thread_until_there_is_room() {
        for limits in [QueueLimits { records: 2, bytes: 1_000 }, QueueLimits { records: 1_000, bytes: 6 }] {
            let queue = LineQueue::new(limits);
            let filling = queue.clone();
            let thread = thread::spawn(move || (0..10).try_for_each(|number| push(&filling, &format!("{number:03}"))));
            let mut all = Vec::new();
            for _ in 0..8 {
                assert_eq!(queue.len_when_full(), 2);
                all.extend(take(&queue, 1));
            }
            thread.join().unwrap().unwrap();
            all.extend(take(&queue, 10));
            assert_eq!(all, (0..10).map(|number| format!("{number:03}")).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_beyond_the_bytes_passes_alone() {
        let queue = LineQueue::new(QueueLimits { records: 10, bytes: 4 });
        push(&queue, "longer than four").unwrap();
        assert_eq!(take(&queue, 10), ["longer than four"]);
    }

    #[test]
    fn closing_ends_a_thread_that_waits_for_room() {
        let queue = LineQueue::new(QueueLimits { records: 1, bytes: 1_000 });
        push(&queue, "a").unwrap();
        let filling = queue.clone();
        let thread = thread::spawn(move || push(&filling, "b"));
        assert_eq!(queue.len_when_full(), 1);
        queue.close();
        assert_eq!(thread.join().unwrap(), Err(Closed));
        assert_eq!(push(&queue, "c"), Err(Closed));
    }

    #[test]
    fn closing_ends_a_pause() {
        let queue = LineQueue::new(QueueLimits { records: 1, bytes: 1 });
        let (started, is_started) = mpsc::channel();
        let pausing = queue.clone();
        let thread = thread::spawn(move || {
            started.send(()).unwrap();
            pausing.pause(Duration::from_secs(3600))
        });
        is_started.recv().unwrap();
        queue.close();
        assert_eq!(thread.join().unwrap(), Err(Closed));
    }

    #[test]
    fn the_lines_come_before_the_end_and_the_first_end_counts() {
        let queue = LineQueue::new(QueueLimits { records: 10, bytes: 10 });
        push(&queue, "a").unwrap();
        queue.end(Err(SocketSourceError::EmptyDelimiter));
        queue.end(Ok(()));
        assert_eq!(take(&queue, 10), ["a"]);
        let end = queue.poll_take(&mut Context::from_waker(Waker::noop()), 10, |_| {});
        assert!(matches!(end, Poll::Ready(Taken::End(Err(SocketSourceError::EmptyDelimiter)))), "{end:?}");
    }
}
