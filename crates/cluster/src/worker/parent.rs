//! What a worker hears of its TaskManager: that it lives, who leads, and, if it has stood by, which worker it is.

use super::{LOST_JOB_MANAGER, end, lock};
use crate::launch::no_thread;
use flott_core::Error;
use flott_rpc::control::Notice;
use flott_security::Stream;
use std::{
    io::BufRead,
    net::Shutdown,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// The pause before a JobManager that leads, but was not reached, is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// The TaskManager holds the other end of standard input: when it ends, however that may be, this process does too.
pub(super) struct Parent(Arc<Heard>);

#[derive(Default)]
struct Heard {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Which worker this is, and of which JobManager.
    begin: Option<(u64, String)>,
    /// Named, and not connected to yet.
    leader: Option<String>,
    /// The connection to the one before.
    serves: Option<Stream>,
}

impl State {
    /// The leader before has nothing to say any more, whether it knows that or not.
    fn leave(&mut self) {
        if let Some(stream) = self.serves.take() {
            // It may be gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Parent {
    /// Starts to listen.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn watch() -> Result<Self, Error> {
        let heard: Arc<Heard> = Arc::default();
        let hears = heard.clone();
        let watch = move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(Notice::Leader(address)) => {
                        let state = &mut *lock(&hears.state);
                        state.leader = Some(address);
                        state.leave();
                        hears.changed.notify_all();
                    }
                    Ok(Notice::Begin { worker, job_manager }) => {
                        lock(&hears.state).begin = Some((worker, job_manager));
                        hears.changed.notify_all();
                    }
                    Err(error) => tracing::warn!(%error, "the TaskManager said something unknown"),
                }
            }
            // Without a word: it has read what this process says, and a logger may panic or wait at a pipe that nobody reads.
            end(LOST_JOB_MANAGER);
        };
        thread::Builder::new().name("flott-parent".to_owned()).spawn(watch).map_err(no_thread)?;
        Ok(Parent(heard))
    }

    /// Which worker this is, and of which JobManager. Blocks until the TaskManager says so.
    pub(super) fn begins(&self) -> (u64, String) {
        let state = lock(&self.0.state);
        let mut state = self.0.changed.wait_while(state, |state| state.begin.is_none()).unwrap_or_else(PoisonError::into_inner);
        state.begin.take().expect("it was waited for")
    }

    /// This process hears a JobManager from now on, until the TaskManager names another.
    pub(super) fn serves(&self, stream: Stream) {
        let state = &mut *lock(&self.0.state);
        state.serves = Some(stream);
        if state.leader.is_some() {
            state.leave();
        }
    }

    /// The next JobManager. Blocks until the TaskManager names one.
    pub(super) fn next_leader(&self) -> String {
        let mut state = lock(&self.0.state);
        loop {
            if let Some(leader) = state.leader.take() {
                return leader;
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// After a pause, the JobManager that was not reached, or another if one was named meanwhile.
    pub(super) fn again(&self, leader: String) -> String {
        let state = lock(&self.0.state);
        let (mut state, _) =
            self.0.changed.wait_timeout_while(state, RETRY, |state| state.leader.is_none()).unwrap_or_else(PoisonError::into_inner);
        state.leader.take().unwrap_or(leader)
    }
}
