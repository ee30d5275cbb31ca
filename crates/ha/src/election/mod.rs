//! Who leads: a state machine without clock, thread or I/O.
//!
//! ```text
//!              lease free, or not renewed for its duration:
//!              Write(epoch + 1)                    Written in time: Granted
//!   standby ------------------------> taking over ----------------------------> leading --+
//!      ^  ^                               |                                      |  ^     | each third of the
//!      |  +---- Conflict, NotDone --------+                                      |  +-----+ duration: Write
//!      |                                                                         |
//!      +---- Revoked: another holder or epoch seen, or no renewal in time -------+
//!
//!   Release: Revoked, Write(released), and no more.
//! ```
//!
//! Time is the candidate's own monotonic clock. A candidate takes over after it has *seen* the same lease for the lease's whole
//! duration, counted from when it first saw it, which is after it was written. The leader counts from *before* it wrote, and stops a
//! margin earlier. So two never lead at once, whatever the store answers and however long it takes.
//!
//! A lease lasts as long as the settings say, or longer where the store is slow: each write of it says for how long. While it is not
//! known whether a write was seen that shortens the lease, the leader counts with the shorter one.
//!
//! At most one call of the store is under way. Every write of a candidate has a `renewals` of its own, so that a write of which
//! nobody knows whether it was done is told by reading.

mod lease;
mod pace;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

pub use lease::{ElectionSettings, LEASE_KEY, Lease, LeaseRecord, lease_key, read_lease, write_lease};

use crate::{CoordinationStore, Expected, StoreError, Version, WriteOutcome};
use pace::Pace;
use std::{fmt, time::Duration};

/// What a candidate is told.
#[derive(Debug)]
pub enum ElectionEvent {
    /// Time has passed: [`LeaderElection::next_wake`] has come.
    Wake,
    /// The answer to [`ElectionAction::Read`].
    Read(Result<Option<Lease>, StoreError>),
    /// The answer to [`ElectionAction::Write`].
    Write(Result<WriteOutcome, StoreError>),
    /// This process is about to end, and others should not wait.
    Release,
}

/// What a candidate wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElectionAction {
    /// Read the lease.
    Read,
    /// Write the lease.
    Write {
        /// What to write.
        record: LeaseRecord,
        /// When.
        expected: Expected,
    },
    /// This candidate leads from now on, as long as [`LeaderElection::is_leader`] says.
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
    /// Another leader than before is seen, which may be this candidate; `None`: there is none.
    Observed(Option<LeaseRecord>),
}

/// Why a term is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokeReason {
    /// The lease was not renewed in time: the store did not answer, or this process was stopped.
    Expired,
    /// Another leads.
    Superseded {
        /// Its term.
        epoch: u64,
        /// Who.
        holder: String,
    },
    /// Somebody has removed the lease.
    Removed,
    /// [`ElectionEvent::Release`].
    Released,
}

impl fmt::Display for RevokeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RevokeReason::Expired => {
                f.write_str("the lease was not renewed in time: the store did not answer, or this process was held up")
            }
            RevokeReason::Superseded { epoch, holder } => write!(f, "`{holder}` leads in epoch {epoch}"),
            RevokeReason::Removed => f.write_str("the lease was removed from the store"),
            RevokeReason::Released => f.write_str("it was released"),
        }
    }
}

/// A write that was asked for.
#[derive(Debug, Clone)]
struct Attempt {
    record: LeaseRecord,
    /// When it was asked for: before it can have happened.
    started: Duration,
}

/// A call under way.
#[derive(Debug)]
enum Call {
    Read,
    Write(Attempt),
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Read,
    Write,
    Nothing,
}

/// The lease as it was last seen.
#[derive(Debug)]
struct Seen {
    record: LeaseRecord,
    version: Version,
    /// When this write of it was first seen.
    since: Duration,
}

/// A term of this candidate's.
#[derive(Debug)]
struct Term {
    epoch: u64,
    /// The end of what the last renewal that was done has given.
    until: Duration,
}

/// A candidate.
#[derive(Debug)]
pub struct LeaderElection {
    settings: ElectionSettings,
    seen: Option<Seen>,
    term: Option<Term>,
    call: Option<Call>,
    /// What to do when no call is under way, and when.
    next: (Duration, Next),
    /// The last write of which nobody knows whether it was done.
    unknown: Option<Attempt>,
    /// The earliest end of all leases that writes may give of which nobody knows whether they were done.
    in_doubt_until: Option<Duration>,
    /// The number of writes asked for.
    writes: u64,
    pace: Pace,
    /// The largest epoch seen.
    highest_epoch: u64,
    /// The last epoch that was granted: never again.
    last_granted: u64,
    /// The leader that was last told of.
    observed: Option<(u64, String)>,
    /// Since `Release`: until when it is worth while to say so in the store.
    released_until: Option<Duration>,
}

impl LeaderElection {
    /// A candidate, which knows nothing and wants to look at once.
    pub fn new(settings: ElectionSettings) -> Self {
        LeaderElection {
            highest_epoch: settings.epoch_floor,
            settings,
            seen: None,
            term: None,
            call: None,
            next: (Duration::ZERO, Next::Read),
            unknown: None,
            in_doubt_until: None,
            writes: 0,
            pace: Pace::default(),
            last_granted: 0,
            observed: None,
            released_until: None,
        }
    }

    /// Takes in what happened at `now`, and says what is to be done. Nobody leads beyond its lease's end because nobody called this:
    /// ask [`is_leader`](Self::is_leader) with the current time before acting as a leader.
    pub fn handle(&mut self, now: Duration, event: ElectionEvent) -> Vec<ElectionAction> {
        let mut actions = Vec::new();
        match event {
            ElectionEvent::Wake => {}
            ElectionEvent::Read(result) => self.read_done(now, result, &mut actions),
            ElectionEvent::Write(result) => self.write_done(now, result, &mut actions),
            ElectionEvent::Release => self.release(now, &mut actions),
        }
        if self.term.is_some() && !self.is_leader(now) {
            self.revoke(RevokeReason::Expired, &mut actions);
            self.next = (now, Next::Read);
        }
        self.advance(now, &mut actions);
        actions
    }

    /// Whether this candidate leads at `now`.
    pub fn is_leader(&self, now: Duration) -> bool {
        self.leader_until().is_some_and(|until| now < until)
    }

    /// Until when it leads if it hears of no renewal; `None` if it does not.
    pub fn leader_until(&self) -> Option<Duration> {
        let until = self.term.as_ref()?.until;
        let under_way = match &self.call {
            Some(Call::Write(attempt)) => Some(self.end_of(attempt)),
            _ => None,
        };
        Some(under_way.into_iter().chain(self.in_doubt_until).fold(until, Duration::min))
    }

    /// Until when a write lets its writer lead.
    fn end_of(&self, attempt: &Attempt) -> Duration {
        attempt.started + self.settings.validity(attempt.record.duration())
    }

    /// Its term, if it leads as far as it knows: see [`is_leader`](Self::is_leader).
    pub fn epoch(&self) -> Option<u64> {
        self.term.as_ref().map(|term| term.epoch)
    }

    /// When [`ElectionEvent::Wake`] is due; `None` if only an answer can change something.
    pub fn next_wake(&self) -> Option<Duration> {
        let due = (self.call.is_none() && self.next.1 != Next::Nothing).then_some(self.next.0);
        [due, self.leader_until()].into_iter().flatten().min()
    }

    /// Whether it was released and nothing is left to do.
    pub fn is_done(&self) -> bool {
        self.call.is_none() && self.next.1 == Next::Nothing
    }

    fn read_done(&mut self, now: Duration, result: Result<Option<Lease>, StoreError>, actions: &mut Vec<ElectionAction>) {
        // An answer that nobody waits for says nothing.
        let Some(Call::Read) = self.call else { return };
        self.call = None;
        let Ok(lease) = result else {
            self.next = (now + self.settings.poll_interval, Next::Read);
            return;
        };
        self.see(now, lease, actions);
        let confirmed = match (&self.unknown, &self.seen) {
            (Some(attempt), Some(seen)) => attempt.record.is_same_write(&seen.record),
            _ => false,
        };
        if confirmed && let Some(attempt) = self.unknown.take() {
            // Those before it were on a condition that never holds again.
            self.in_doubt_until = None;
            self.confirm(now, &attempt, actions);
        } else {
            self.decide(now);
        }
    }

    fn write_done(&mut self, now: Duration, result: Result<WriteOutcome, StoreError>, actions: &mut Vec<ElectionAction>) {
        let Some(Call::Write(attempt)) = self.call.take_if(|call| matches!(call, Call::Write(_))) else { return };
        self.pace.wrote(now, now.saturating_sub(attempt.started), self.settings.slow_writes_count_for);
        match result {
            Ok(WriteOutcome::Written(version)) => {
                // Whatever was unknown came before, or can never come.
                self.unknown = None;
                self.in_doubt_until = None;
                self.see(now, Some(Lease { record: attempt.record.clone(), version }), actions);
                self.confirm(now, &attempt, actions);
            }
            Ok(WriteOutcome::Conflict) => self.next = (now, Next::Read),
            Err(StoreError::Unknown { .. }) => {
                // It may take effect at any time, also behind a later one of which nobody knows either.
                let end = self.end_of(&attempt);
                self.in_doubt_until = Some(self.in_doubt_until.map_or(end, |until| until.min(end)));
                self.unknown = Some(attempt);
                self.next = (now, Next::Read);
            }
            Err(_) => {
                let next = if self.term.is_some() { Next::Write } else { Next::Read };
                self.next = (now + self.settings.poll_interval, next);
            }
        }
    }

    /// Notes what the lease says.
    fn see(&mut self, now: Duration, lease: Option<Lease>, actions: &mut Vec<ElectionAction>) {
        let since = match (&self.seen, &lease) {
            (Some(seen), Some(lease)) if seen.record.is_same_write(&lease.record) => seen.since,
            _ => now,
        };
        self.seen = lease.map(|Lease { record, version }| Seen { record, version, since });
        let record = self.seen.as_ref().map(|seen| &seen.record);
        self.highest_epoch = self.highest_epoch.max(record.map_or(0, |record| record.epoch));
        if let Some(term) = &self.term {
            let reason = match record {
                Some(record) if record.epoch == term.epoch && record.holder == self.settings.holder => None,
                Some(record) => Some(RevokeReason::Superseded { epoch: record.epoch, holder: record.holder.clone() }),
                None => Some(RevokeReason::Removed),
            };
            if let Some(reason) = reason {
                self.revoke(reason, actions);
            }
        }
        let leader = self.seen.as_ref().map(|seen| &seen.record).filter(|record| !record.released);
        let observed = leader.map(|record| (record.epoch, record.holder.clone()));
        if observed != self.observed {
            actions.push(ElectionAction::Observed(leader.cloned()));
            self.observed = observed;
        }
    }

    /// A write of ours was done, and is what the lease says now.
    fn confirm(&mut self, now: Duration, attempt: &Attempt, actions: &mut Vec<ElectionAction>) {
        let (epoch, until) = (attempt.record.epoch, self.end_of(attempt));
        if self.released_until.is_none() {
            match &mut self.term {
                Some(term) => {
                    term.until = until;
                    self.next = (attempt.started + self.settings.renew_interval, Next::Write);
                    return;
                }
                // A term that is over does not begin again.
                None if epoch > self.last_granted && now < until => {
                    self.term = Some(Term { epoch, until });
                    self.last_granted = epoch;
                    self.next = (attempt.started + self.settings.renew_interval, Next::Write);
                    actions.push(ElectionAction::Granted { epoch });
                    return;
                }
                None => {}
            }
        }
        self.decide(now);
    }

    /// What follows from the lease as it was read or written just now.
    fn decide(&mut self, now: Duration) {
        let seen = self.seen.as_ref();
        let ours = seen.is_some_and(|seen| seen.record.holder == self.settings.holder);
        if let Some(until) = self.released_until {
            let open = ours && seen.is_some_and(|seen| !seen.record.released) && now < until;
            self.next = (now, if open { Next::Write } else { Next::Nothing });
            return;
        }
        if self.term.is_some() {
            // The lease is still ours, and the last write of it was not done: again.
            self.next = (now, Next::Write);
            return;
        }
        let free_at = match seen {
            // If it is ours, nobody else leads, and neither do we.
            Some(seen) if !ours && !seen.record.released => seen.since + seen.record.duration(),
            _ => now,
        };
        self.next = if now >= free_at { (now, Next::Write) } else { (free_at.min(now + self.settings.poll_interval), Next::Read) };
    }

    fn release(&mut self, now: Duration, actions: &mut Vec<ElectionAction>) {
        if self.released_until.is_some() {
            return;
        }
        self.released_until = Some(now + self.settings.lease_duration);
        let led = self.term.is_some();
        self.revoke(RevokeReason::Released, actions);
        // What is under way may turn out to have given us the lease.
        if self.call.is_none() {
            let next = if led {
                Next::Write
            } else if self.unknown.is_some() {
                Next::Read
            } else {
                Next::Nothing
            };
            self.next = (now, next);
        }
    }

    fn revoke(&mut self, reason: RevokeReason, actions: &mut Vec<ElectionAction>) {
        if let Some(Term { epoch, .. }) = self.term.take() {
            actions.push(ElectionAction::Revoked { epoch, reason });
        }
    }

    fn advance(&mut self, now: Duration, actions: &mut Vec<ElectionAction>) {
        let (due, next) = self.next;
        if self.call.is_some() || now < due {
            return;
        }
        if self.released_until.is_some_and(|until| now >= until) {
            self.next = (now, Next::Nothing);
            return;
        }
        match next {
            Next::Nothing => {}
            Next::Read => {
                self.call = Some(Call::Read);
                actions.push(ElectionAction::Read);
            }
            Next::Write => {
                let record = self.record();
                let expected = self.seen.as_ref().map_or(Expected::Absent, |seen| Expected::Version(seen.version.clone()));
                self.call = Some(Call::Write(Attempt { record: record.clone(), started: now }));
                actions.push(ElectionAction::Write { record, expected });
            }
        }
    }

    /// What to write: another sign of life, or the beginning of a term, or the end of all.
    fn record(&mut self) -> LeaseRecord {
        self.writes += 1;
        let released = self.released_until.is_some();
        let epoch = match &self.term {
            Some(term) => term.epoch,
            None if released => self.highest_epoch,
            None => self.highest_epoch + 1,
        };
        LeaseRecord {
            epoch,
            holder: self.settings.holder.clone(),
            renewals: self.writes,
            duration_ms: u64::try_from(self.pace.lease_duration(self.settings.lease_duration).as_millis()).unwrap_or(u64::MAX),
            address: self.settings.address.clone(),
            rest_address: self.settings.rest_address.clone(),
            released,
        }
    }
}

/// Does what an action wants of the store, and gives the event that it leads to; `None` for the other actions.
pub fn perform(store: &dyn CoordinationStore, action: &ElectionAction) -> Option<ElectionEvent> {
    match action {
        ElectionAction::Read => Some(ElectionEvent::Read(read_lease(store))),
        ElectionAction::Write { record, expected } => Some(ElectionEvent::Write(write_lease(store, record, expected))),
        ElectionAction::Granted { .. } | ElectionAction::Revoked { .. } | ElectionAction::Observed(_) => None,
    }
}
