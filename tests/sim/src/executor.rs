//! Runs futures on one thread, each step chosen by the world.

use crate::sim::{Sim, Term, hold};
use flott_core::id::AttemptId;
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

type Woken = Arc<Mutex<BTreeSet<u64>>>;

struct Flag {
    id: u64,
    woken: Woken,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        hold(&self.woken).insert(self.id);
    }
}

struct Process {
    future: Pin<Box<dyn Future<Output = ()>>>,
    term: Term,
    attempt: AttemptId,
    waker: Waker,
    /// When it may go on, if it was woken.
    ready_at: Option<Duration>,
    /// User code that does not return.
    stuck: bool,
}

/// The futures of all attempts: tasks, and the relays that belong to them.
#[derive(Default)]
pub(crate) struct Executor {
    processes: BTreeMap<u64, Process>,
    woken: Woken,
    next: u64,
    /// Those whose process is stopped.
    paused: BTreeSet<Term>,
}

impl Executor {
    pub(crate) fn spawn(&mut self, term: Term, attempt: AttemptId, at: Duration, future: impl Future<Output = ()> + 'static) {
        self.next += 1;
        let waker = Waker::from(Arc::new(Flag { id: self.next, woken: self.woken.clone() }));
        let process = Process { future: Box::pin(future), term, attempt, waker, ready_at: Some(at), stuck: false };
        self.processes.insert(self.next, process);
    }

    /// Drops the futures of an attempt, wherever they stand.
    pub(crate) fn drop_attempt(&mut self, term: Term, attempt: AttemptId) {
        self.processes.retain(|_, process| (process.term, process.attempt) != (term, attempt));
    }

    /// Drops the futures of all attempts of a JobMaster.
    pub(crate) fn drop_term(&mut self, term: Term) {
        self.processes.retain(|_, process| process.term != term);
    }

    /// Stops all attempts of a process, or lets them go on.
    pub(crate) fn pause(&mut self, term: Term, paused: bool) {
        if paused {
            self.paused.insert(term);
        } else {
            self.paused.remove(&term);
        }
    }

    /// The attempt's user code does not return any more.
    pub(crate) fn stick(&mut self, term: Term, attempt: AttemptId) {
        for process in self.processes.values_mut().filter(|process| (process.term, process.attempt) == (term, attempt)) {
            process.stuck = true;
        }
    }

    /// Notes who was woken. Now and then it takes a while until a thread runs.
    pub(crate) fn collect(&mut self, sim: &Sim) {
        let now = sim.clock.now();
        for id in std::mem::take(&mut *hold(&self.woken)) {
            if let Some(process) = self.processes.get_mut(&id) {
                let mut random = sim.random();
                let stall = if random.percent(3) { random.millis(8) } else { Duration::ZERO };
                process.ready_at.get_or_insert(now + stall);
            }
        }
    }

    /// Who may go on now.
    pub(crate) fn ready(&self, now: Duration) -> Vec<u64> {
        self.waiting().filter(|(_, at)| *at <= now).map(|(id, _)| id).collect()
    }

    /// When the next one may go on.
    pub(crate) fn next_ready(&self) -> Option<Duration> {
        self.waiting().map(|(_, at)| at).min()
    }

    fn waiting(&self) -> impl Iterator<Item = (u64, Duration)> {
        let goes_on = |process: &Process| !process.stuck && !self.paused.contains(&process.term);
        self.processes.iter().filter(move |(_, process)| goes_on(process)).filter_map(|(id, process)| Some((*id, process.ready_at?)))
    }

    /// Lets one go on until it waits.
    pub(crate) fn poll(&mut self, id: u64, sim: &Sim) {
        let Some(process) = self.processes.get_mut(&id) else { return };
        process.ready_at = None;
        sim.trace(format_args!("run {} {}", process.term, process.attempt));
        let waker = process.waker.clone();
        if let Poll::Ready(()) = process.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            self.processes.remove(&id);
        }
    }
}
