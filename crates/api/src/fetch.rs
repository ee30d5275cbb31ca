//! Fetches the results of a job that runs in other processes.

use flott_core::{Data, Error, ErrorKind, id::OperatorId};
use flott_operators::sink::fetch::FetchedResults;
use flott_rpc::{
    client::{JobEnd, OperatorReply},
    gateway::JobGateway,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Results that wait for the program, beyond which no more are asked for.
const MOST_WAITING: usize = 10_000;
/// The same, bytes.
const MOST_WAITING_BYTES: u64 = 8 << 20;
/// Bytes of results that are asked for at once.
const MOST_BYTES: u64 = 1 << 20;
/// The shortest and the longest pause before the sink is asked again that had nothing.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));
/// The same of a program that wants no more.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// The results of a job as they come.
pub(crate) struct Fetching<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// Each with the bytes that it had on its way.
    waiting: VecDeque<(T, u64)>,
    waiting_bytes: u64,
    /// No more come; an error that the job itself does not know of.
    end: Option<Result<(), Error>>,
    /// The program has dropped its results.
    dropped: bool,
}

impl<T> State<T> {
    fn new() -> Self {
        State { waiting: VecDeque::new(), waiting_bytes: 0, end: None, dropped: false }
    }

    fn add(&mut self, values: Vec<(T, u64)>) {
        self.waiting_bytes += values.iter().map(|(_, bytes)| bytes).sum::<u64>();
        self.waiting.extend(values);
    }

    fn take(&mut self) -> Option<T> {
        let (value, bytes) = self.waiting.pop_front()?;
        self.waiting_bytes -= bytes;
        Some(value)
    }

    /// The bytes of results to ask for.
    fn wanted_bytes(&self) -> u64 {
        let enough = self.waiting.len() >= MOST_WAITING || self.waiting_bytes >= MOST_WAITING_BYTES;
        if enough || self.dropped { 0 } else { MOST_BYTES }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Data> Fetching<T> {
    /// Begins to fetch from the operator `sink`.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(crate) fn start(gateway: Arc<dyn JobGateway>, sink: OperatorId) -> Result<Self, Error> {
        let shared = Arc::new(Shared { state: Mutex::new(State::new()), changed: Condvar::new() });
        let of_thread = shared.clone();
        let fetch = move || {
            let end = fetch(gateway.as_ref(), sink, &of_thread);
            of_thread.lock().end = Some(end);
            of_thread.changed.notify_all();
        };
        thread::Builder::new()
            .name("flott-results".to_owned())
            .spawn(fetch)
            .map_err(|error| Error::new(ErrorKind::Unavailable, "cannot start a thread that fetches results").with_source(error))?;
        Ok(Fetching(shared))
    }

    /// The next result; `None`: the job has ended.
    pub(crate) fn next(&mut self) -> Option<Result<T, Error>> {
        let mut state = self.0.lock();
        loop {
            if let Some(value) = state.take() {
                return Some(Ok(value));
            }
            if let Some(end) = &mut state.end {
                return std::mem::replace(end, Ok(())).err().map(Err);
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Fetching<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.dropped = true;
        state.waiting.clear();
        state.waiting_bytes = 0;
    }
}

/// Asks until the job has ended.
fn fetch<T: Data>(gateway: &dyn JobGateway, sink: OperatorId, shared: &Shared<T>) -> Result<(), Error> {
    let mut results = FetchedResults::<T>::default();
    let mut pause = PAUSE.0;
    // When the cluster answered last, and the longest time in which it did not, since the sink has answered.
    let mut heard = Instant::now();
    let mut unheard = Duration::ZERO;
    loop {
        // One that has enough still says that it is there.
        let (most_bytes, dropped) = {
            let state = shared.lock();
            (state.wanted_bytes(), state.dropped)
        };
        let reply = gateway.ask_operator(sink, results.request(most_bytes, dropped)?)?;
        unheard = unheard.max(heard.elapsed());
        heard = Instant::now();
        let body = match reply {
            OperatorReply::Answer(body) => {
                unheard = Duration::ZERO;
                Some(body)
            }
            OperatorReply::NotThere => None,
            OperatorReply::Ended => break,
        };
        let before = results.fetched();
        let values = match body {
            // Nothing that comes is wanted, and nothing is missing.
            Some(_) | None if dropped => Vec::new(),
            Some(body) => results.answer(&body)?,
            None => Vec::new(),
        };
        pause = if results.fetched() > before { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
        if !values.is_empty() {
            shared.lock().add(values);
            shared.changed.notify_all();
        }
        if results.fetched() == before || most_bytes == 0 {
            thread::sleep(if dropped { LONG_PAUSE } else { pause });
        }
    }
    let finished = gateway.wait()?.end == JobEnd::Finished;
    if !shared.lock().dropped {
        let values = results.end(finished, unheard)?;
        shared.lock().add(values);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, MOST_WAITING, MOST_WAITING_BYTES, State};

    #[test]
    fn no_more_is_asked_for_while_as_many_or_as_large_results_wait_as_may() {
        let mut state = State::new();
        assert_eq!(state.wanted_bytes(), MOST_BYTES);
        state.add(vec![("large", MOST_WAITING_BYTES - 1), ("small", 1)]);
        assert_eq!(state.wanted_bytes(), 0);
        assert_eq!(state.take(), Some("large"));
        assert_eq!(state.wanted_bytes(), MOST_BYTES);
        state.add(vec![("small", 1); MOST_WAITING]);
        assert_eq!(state.wanted_bytes(), 0);
        while state.take().is_some() {}
        assert_eq!((state.wanted_bytes(), state.waiting_bytes), (MOST_BYTES, 0));
        state.dropped = true;
        assert_eq!(state.wanted_bytes(), 0);
    }
}
