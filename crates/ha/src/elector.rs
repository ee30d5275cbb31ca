//! The threads that drive a candidate: one decides, one waits for the store, so that a store that hangs keeps no leader in office.

use crate::{
    CoordinationStore, ElectionAction, ElectionEvent, ElectionSettings, LeaderElection, LeaseRecord, RevokeReason, election::perform,
};
use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What a candidate's process is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadershipEvent {
    /// It leads from now on.
    Granted {
        /// Its term.
        epoch: u64,
    },
    /// It leads no more.
    Revoked {
        /// The term that is over.
        epoch: u64,
        /// Why.
        reason: RevokeReason,
    },
    /// Another leader than before is seen, which may be this process; `None`: there is none.
    Observed(Option<LeaseRecord>),
}

/// Whether this process leads, for whoever is about to act. Cheap to ask, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Leadership(Arc<Mutex<Option<Term>>>);

#[derive(Debug, Clone, Copy)]
struct Term {
    epoch: u64,
    until: Instant,
}

impl Leadership {
    /// The term in which this process leads now; `None` if it does not, also when nobody has had the time to say so yet.
    pub fn epoch(&self) -> Option<u64> {
        let term = *self.lock();
        term.filter(|term| Instant::now() < term.until).map(|term| term.epoch)
    }

    /// Whether this process leads now, in the term `epoch`.
    pub fn is_leader_in(&self, epoch: u64) -> bool {
        self.epoch() == Some(epoch)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Term>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Message {
    Event(ElectionEvent),
    Stop,
}

/// A candidate at work. Dropped, it stops without a word: others wait for the lease to end.
#[derive(Debug)]
pub struct Elector {
    messages: Sender<Message>,
    decisions: JoinHandle<()>,
    leadership: Leadership,
    lease_duration: Duration,
}

impl Elector {
    /// Starts a candidate. `listener` is called on its thread, in order, and must not block: while it does, no lease is renewed.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        store: Arc<dyn CoordinationStore>,
        settings: ElectionSettings,
        listener: impl FnMut(LeadershipEvent) + Send + 'static,
    ) -> io::Result<Self> {
        let (messages, received) = channel();
        let (calls, called) = channel::<ElectionAction>();
        let leadership = Leadership::default();
        let answers = messages.clone();
        let answer = move || {
            for action in called {
                // If nobody is there to hear the answer, this thread is about to end as well.
                let answered = perform(store.as_ref(), &action).is_none_or(|event| answers.send(Message::Event(event)).is_ok());
                if !answered {
                    break;
                }
            }
        };
        thread::Builder::new().name("flott-ha-store".to_owned()).spawn(answer)?;
        let lease_duration = settings.lease_duration;
        let election = LeaderElection::new(settings);
        let mut decisions = Decisions { election, origin: Instant::now(), leadership: leadership.clone(), calls, listener };
        let decisions = thread::Builder::new().name("flott-ha".to_owned()).spawn(move || decisions.run(&received))?;
        Ok(Elector { messages, decisions, leadership, lease_duration })
    }

    /// Whether this process leads.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Gives up the lease, so that the next can lead at once, and ends. Returns when the store has it, or a lease's duration has gone
    /// by. The listener has heard of it by then.
    pub fn release(self) {
        let _ = self.messages.send(Message::Event(ElectionEvent::Release));
        let begun = Instant::now();
        // A store that hangs must not keep the process from ending: by then the lease has ended by itself.
        while !self.decisions.is_finished() && begun.elapsed() < self.lease_duration {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Elector {
    fn drop(&mut self) {
        // If the thread has ended, there is nothing to stop.
        let _ = self.messages.send(Message::Stop);
    }
}

struct Decisions<L> {
    election: LeaderElection,
    /// The candidate's time is counted from here.
    origin: Instant,
    leadership: Leadership,
    calls: Sender<ElectionAction>,
    listener: L,
}

impl<L: FnMut(LeadershipEvent)> Decisions<L> {
    fn run(&mut self, received: &Receiver<Message>) {
        let mut event = ElectionEvent::Wake;
        loop {
            let actions = self.election.handle(self.origin.elapsed(), event);
            self.publish();
            for action in actions {
                self.act(action);
            }
            if self.election.is_done() {
                return;
            }
            let message = match self.election.next_wake() {
                Some(wake) => received.recv_timeout(wake.saturating_sub(self.origin.elapsed())),
                None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            event = match message {
                Ok(Message::Event(event)) => event,
                Err(RecvTimeoutError::Timeout) => ElectionEvent::Wake,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            };
        }
        *self.leadership.lock() = None;
    }

    /// Before anybody is told: what is asked about leadership is never behind what was heard.
    fn publish(&self) {
        let term = self.election.epoch().zip(self.election.leader_until());
        *self.leadership.lock() = term.map(|(epoch, until)| Term { epoch, until: self.origin + until });
    }

    fn act(&mut self, action: ElectionAction) {
        match action {
            // The other thread lives as long as this one has its channel.
            ElectionAction::Read | ElectionAction::Write { .. } => drop(self.calls.send(action)),
            ElectionAction::Granted { epoch } => (self.listener)(LeadershipEvent::Granted { epoch }),
            ElectionAction::Revoked { epoch, reason } => (self.listener)(LeadershipEvent::Revoked { epoch, reason }),
            ElectionAction::Observed(record) => (self.listener)(LeadershipEvent::Observed(record)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    fn start(store: &MemoryStore, name: &str) -> (Elector, Receiver<LeadershipEvent>) {
        let (sender, events) = channel();
        let settings = ElectionSettings::new(name, format!("{name}:6123"), Duration::from_secs(20));
        let elector = Elector::start(Arc::new(store.clone()), settings, move |event| drop(sender.send(event))).unwrap();
        (elector, events)
    }

    #[test]
    fn the_next_leads_when_the_leader_releases_the_lease() {
        let store = MemoryStore::new();
        let (a, told_a) = start(&store, "a");
        assert!(matches!(told_a.recv().unwrap(), LeadershipEvent::Observed(Some(record)) if record.holder == "a"));
        assert_eq!(told_a.recv().unwrap(), LeadershipEvent::Granted { epoch: 1 });
        let leadership = a.leadership();
        assert!(leadership.is_leader_in(1) && !leadership.is_leader_in(2));
        a.release();
        assert_eq!(leadership.epoch(), None);
        assert_eq!(told_a.recv().unwrap(), LeadershipEvent::Revoked { epoch: 1, reason: RevokeReason::Released });
        let (b, told_b) = start(&store, "b");
        assert!(matches!(told_b.recv().unwrap(), LeadershipEvent::Observed(Some(_))));
        assert_eq!(told_b.recv().unwrap(), LeadershipEvent::Granted { epoch: 2 });
        // Dropped, it ends: the channel of its listener is closed.
        drop(b);
        assert!(told_b.recv().is_err());
    }

    #[test]
    fn a_standby_is_told_who_leads() {
        let store = MemoryStore::new();
        let (_a, told_a) = start(&store, "a");
        while told_a.recv().unwrap() != (LeadershipEvent::Granted { epoch: 1 }) {}
        let (b, told_b) = start(&store, "b");
        assert!(matches!(told_b.recv().unwrap(), LeadershipEvent::Observed(Some(record)) if record.address == "a:6123"));
        assert_eq!(b.leadership().epoch(), None);
    }
}
