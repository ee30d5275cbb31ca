//! What is decided of a job is stored before anybody relies on it, so that the next leader goes on with it.
//!
//! ```text
//!  job's thread ──Bounds, End──▶ record ──▶ written by a thread of its own ──▶ job store
//!               ──Answer───────▶ waits until then ───────────────────────────▶ client
//! ```
//! The newest record is written, once for all that has come meanwhile. One thread at most writes, and there is none while nothing is to
//! be written. A store that does not answer holds up nothing else of the job: its checkpoints go on.

use super::records::{self, RunningRecord};
use crate::job::{Decision, KeepDecisions};
use flott_core::{Error, ErrorKind, id::JobId};
use flott_ha::{JobStore, StoreError};
use flott_rpc::client::JobReply;
use flott_runtime::panics::catching;
use std::{
    fmt, io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
};

/// Writes what is to be stored, until it is or there is no sense in it.
pub(super) struct Writing(Box<dyn FnOnce() + Send>);

impl Writing {
    pub(super) fn run(self) {
        (self.0)();
    }

    /// Lets it run in a thread of its own.
    ///
    /// # Errors
    /// The operating system does not give one.
    pub(super) fn run_aside(self) -> io::Result<()> {
        thread::Builder::new().name("flott-decisions".to_owned()).spawn(|| self.run()).map(drop)
    }
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Writing")
    }
}

/// What is to be stored.
struct Pending {
    record: RunningRecord,
    /// Whether the store may have an older one.
    unsaved: bool,
    /// Whether somebody writes, or is about to.
    writing: bool,
    /// Who is answered when it is stored.
    waiting: Vec<(mpsc::Sender<JobReply>, JobReply)>,
}

struct Decisions<R> {
    store: JobStore,
    id: JobId,
    pending: Mutex<Pending>,
    /// After a failed attempt: waits, and says whether there is to be another.
    again: R,
}

/// Keeps what is decided of the job `id` in its `record`; `start` lets somebody write it. After a failed attempt `again` waits, and says
/// whether there is to be another.
pub(super) fn keep(
    store: JobStore,
    id: JobId,
    record: RunningRecord,
    again: impl Fn() -> bool + Send + Sync + 'static,
    start: impl Fn(Writing) -> io::Result<()> + Send + 'static,
) -> KeepDecisions {
    let pending = Mutex::new(Pending { record, unsaved: false, writing: false, waiting: Vec::new() });
    let decisions = Arc::new(Decisions { store, id, pending, again });
    Box::new(move |decision| {
        if !decisions.note(decision) {
            return;
        }
        let writer = decisions.clone();
        if let Err(error) = start(Writing(Box::new(move || writer.write()))) {
            tracing::warn!(%error, job = %id, "what was decided of a job is not stored for the next JobManager: there is no thread for that");
            decisions.give_up();
        }
    })
}

impl<R: Fn() -> bool> Decisions<R> {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether somebody has to begin to write.
    fn note(&self, decision: Decision) -> bool {
        let pending = &mut *self.lock();
        match decision {
            Decision::Bounds(bounds) => pending.record.bounds = Some(bounds),
            Decision::End(end) => pending.record.end = Some(end),
            Decision::Answer(client, reply) if !pending.unsaved && !pending.writing => {
                // Whoever asked may be gone.
                let _ = client.send(reply);
                return false;
            }
            Decision::Answer(client, reply) => pending.waiting.push((client, reply)),
        }
        pending.unsaved = true;
        !mem::replace(&mut pending.writing, true)
    }

    /// Writes until there is nothing more, or no sense in it.
    fn write(&self) {
        loop {
            let (record, waiting) = {
                let pending = &mut *self.lock();
                if !pending.unsaved {
                    pending.writing = false;
                    return;
                }
                pending.unsaved = false;
                (pending.record.clone(), mem::take(&mut pending.waiting))
            };
            while let Err(error) = self.put(&record) {
                let fenced = error.kind() == ErrorKind::Invalid;
                tracing::warn!(%error, job = %self.id, "what was decided of a job is not stored for the next JobManager");
                if fenced || !(self.again)() {
                    return self.give_up();
                }
            }
            for (client, reply) in waiting {
                // Whoever asked may be gone.
                let _ = client.send(reply);
            }
        }
    }

    /// The next decision stores everything that was decided before, too. Nobody is told of what is not stored.
    fn give_up(&self) {
        let pending = &mut *self.lock();
        (pending.unsaved, pending.writing) = (true, false);
        pending.waiting.clear();
    }

    /// Of a job that has ended, the record of its end stays.
    fn put(&self, record: &RunningRecord) -> Result<(), Error> {
        let bytes = records::encode(record)?;
        let put = catching(|| self.store.replace_job(self.id, &bytes));
        let put = put.map_err(|panic| Error::new(ErrorKind::Internal, format!("the job store panicked: {}", panic.message)))?;
        put.map(drop).map_err(|error| {
            let kind = if matches!(error, StoreError::Fenced { .. }) { ErrorKind::Invalid } else { ErrorKind::Unavailable };
            Error::new(kind, "the job store does not take it").with_source(error)
        })
    }
}

#[cfg(test)]
#[path = "decisions_tests.rs"]
mod tests;
