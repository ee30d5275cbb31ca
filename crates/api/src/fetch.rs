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
    waiting: VecDeque<T>,
    /// No more come; an error that the job itself does not know of.
    end: Option<Result<(), Error>>,
    /// The program has dropped its results.
    dropped: bool,
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
        let state = State { waiting: VecDeque::new(), end: None, dropped: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
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
            if let Some(value) = state.waiting.pop_front() {
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
        let (waiting, dropped) = {
            let state = shared.lock();
            (state.waiting.len(), state.dropped)
        };
        // One that has enough still says that it is there.
        let most_bytes = if waiting < MOST_WAITING && !dropped { MOST_BYTES } else { 0 };
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
            shared.lock().waiting.extend(values);
            shared.changed.notify_all();
        }
        if results.fetched() == before || most_bytes == 0 {
            thread::sleep(if dropped { LONG_PAUSE } else { pause });
        }
    }
    let finished = gateway.wait()?.end == JobEnd::Finished;
    if !shared.lock().dropped {
        let values = results.end(finished, unheard)?;
        shared.lock().waiting.extend(values);
    }
    Ok(())
}
