//! What is decided of a job is stored before anybody relies on it, so that the next leader goes on with it.
//!
//! ```text
//!  job's thread ──Bounds, End──▶ record ──▶ written by the storage's thread ──▶ job store
//!               ──Answer───────▶ waits until then ────────────────────────────▶ client
//! ```
//! The newest record is written, once for all that has come meanwhile.

use super::records::{self, RunningRecord};
use crate::{
    job::{Decision, KeepDecisions},
    storage_thread::Work,
};
use flott_core::{Error, ErrorKind, id::JobId};
use flott_ha::{JobStore, StoreError};
use flott_rpc::client::JobReply;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
};

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

/// Keeps what is decided of the job `id` in its `record`. After a failed attempt `again` waits, and says whether there is to be another.
pub(super) fn keep(store: JobStore, id: JobId, record: RunningRecord, again: impl Fn() -> bool + Send + Sync + 'static) -> KeepDecisions {
    let pending = Mutex::new(Pending { record, unsaved: false, writing: false, waiting: Vec::new() });
    let decisions = Arc::new(Decisions { store, id, pending, again });
    Box::new(move |decision| {
        let writer = decisions.note(decision).then(|| decisions.clone())?;
        Some(Work::new(move || writer.write()))
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
                    let pending = &mut *self.lock();
                    (pending.unsaved, pending.writing) = (true, false);
                    pending.waiting.clear();
                    return;
                }
            }
            for (client, reply) in waiting {
                // Whoever asked may be gone.
                let _ = client.send(reply);
            }
        }
    }

    /// Of a job that has ended, the record of its end stays.
    fn put(&self, record: &RunningRecord) -> Result<(), Error> {
        let bytes = records::encode(record)?;
        self.store.put_job(self.id, &bytes).map(drop).map_err(|error| {
            let kind = if matches!(error, StoreError::Fenced { .. }) { ErrorKind::Invalid } else { ErrorKind::Unavailable };
            Error::new(kind, "the job store does not take it").with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobmanager::starting::store_new;
    use flott_core::{config::Configuration, context::RuntimeMode};
    use flott_graph::{JobTopology, settings::JobSettings};
    use flott_ha::{
        ElectionSettings, Elector, Key, LeadershipEvent, MemoryStore,
        memory::{Fault, Operation},
    };
    use flott_rpc::{
        client::{JobEnd, ParallelismBounds},
        control::{ExecutableId, Program},
    };
    use std::{
        sync::atomic::{AtomicBool, AtomicUsize, Ordering},
        time::Duration,
    };

    const JOB: JobId = JobId(7);

    /// A job in the store of a leader, whose writes fail while the switch is on.
    struct Stored {
        jobs: JobStore,
        record: RunningRecord,
        fails: Arc<AtomicBool>,
        _leads: Elector,
    }

    impl Stored {
        fn new() -> Self {
            let (memory, fails) = (MemoryStore::new(), Arc::new(AtomicBool::new(false)));
            let (events, received) = mpsc::channel();
            let settings = ElectionSettings::new("one", "one:6123", Duration::from_secs(60));
            let elector = Elector::start(Arc::new(memory.clone()), settings, move |event| drop(events.send(event))).unwrap();
            let epoch = received.iter().find_map(|event| if let LeadershipEvent::Granted { epoch } = event { Some(epoch) } else { None });
            let on = fails.clone();
            let fault = move |operation, _: &Key| {
                if operation == Operation::Write && on.load(Ordering::SeqCst) { Fault::Before } else { Fault::None }
            };
            let jobs = JobStore::new(Arc::new(memory.with_faults(fault)), epoch.unwrap(), "one");
            let topology = JobTopology { name: "job".into(), mode: RuntimeMode::Streaming, vertices: Vec::new(), edges: Vec::new() };
            let program = Program {
                executable: ExecutableId("ab".repeat(32)),
                arguments: Vec::new(),
                configuration: Configuration::default(),
                folder: "/".into(),
            };
            let (settings, token) = (JobSettings::default(), String::new());
            let record = RunningRecord {
                program,
                topology,
                settings,
                started: 1,
                token,
                storage_epoch: 1,
                leader_epoch: 1,
                bounds: None,
                end: None,
            };
            store_new(&jobs, JOB, &record).unwrap();
            Stored { jobs, record, fails, _leads: elector }
        }

        fn read(&self) -> RunningRecord {
            records::decode(&self.jobs.jobs().unwrap().running[0].bytes).unwrap()
        }
    }

    fn tell(keep: &KeepDecisions, decision: Decision) {
        if let Some(work) = keep(decision) {
            work.run();
        }
    }

    #[test]
    fn who_is_told_that_a_job_is_cancelled_is_told_when_the_next_leader_will_know() {
        let stored = Stored::new();
        stored.fails.store(true, Ordering::SeqCst);
        let (attempts, fails) = (Arc::new(AtomicUsize::new(0)), stored.fails.clone());
        let counted = attempts.clone();
        // The store answers again after the third attempt.
        let again = move || {
            fails.store(counted.fetch_add(1, Ordering::SeqCst) < 2, Ordering::SeqCst);
            true
        };
        let keep = keep(stored.jobs.clone(), JOB, stored.record.clone(), again);
        let (client, answer) = mpsc::channel();
        let bounds = vec![ParallelismBounds { lower: 1, upper: 2 }];
        let work = keep(Decision::Bounds(bounds.clone())).expect("somebody has to write");
        assert!(keep(Decision::End(JobEnd::Canceled)).is_none() && keep(Decision::Answer(client, JobReply::Accepted)).is_none());
        assert!(answer.try_recv().is_err(), "it is not stored");
        assert_eq!(stored.read().end, None);
        work.run();
        assert_eq!(answer.try_recv(), Ok(JobReply::Accepted));
        assert_eq!(attempts.load(Ordering::SeqCst), 3);
        let end = Some(JobEnd::Canceled);
        assert_eq!(stored.read(), RunningRecord { end, bounds: Some(bounds), ..stored.record });
    }

    #[test]
    fn nobody_is_told_what_is_not_stored_and_the_next_decision_stores_it_too() {
        let stored = Stored::new();
        let keep = keep(stored.jobs.clone(), JOB, stored.record.clone(), || false);
        stored.fails.store(true, Ordering::SeqCst);
        tell(&keep, Decision::End(JobEnd::Canceled));
        let answered = || {
            let (client, answer) = mpsc::channel();
            tell(&keep, Decision::Answer(client, JobReply::Accepted));
            answer.try_recv().ok()
        };
        assert_eq!(answered(), None);
        stored.fails.store(false, Ordering::SeqCst);
        assert_eq!(answered(), Some(JobReply::Accepted));
        assert_eq!(stored.read().end, Some(JobEnd::Canceled));
        // There is nothing new to be stored.
        stored.fails.store(true, Ordering::SeqCst);
        assert_eq!(answered(), Some(JobReply::Accepted));
        stored.fails.store(false, Ordering::SeqCst);
        // What has ended stays so.
        stored.jobs.mark_ended(JOB, b"history", 9).unwrap();
        tell(&keep, Decision::End(JobEnd::Canceled));
        assert!(stored.jobs.jobs().unwrap().running.is_empty());
    }
}
