//! Several JobManagers of a cluster: one leads, the others wait.
//!
//! ```text
//!  standby ──Granted──▶ jobs read from the store, their storage's term begun, each in a thread that waits for its workers
//!     ▲                     ──▶ TaskManagers, workers and clients are let in
//!     └──Revoked── every connection closed, every thread of a job ended; nothing that runs is touched
//! ```

use super::{
    JobManager, Term,
    jobs::Job,
    records::{self, BegunRecord, EndedRecord, RunningRecord},
    starting::{Beginning, STORE_RETRY},
};
use crate::launch::{self, launch, no_thread};
use flott_core::{Error, ErrorKind, error::TaskFailure, id::JobId, time::Clock};
use flott_ha::{
    CoordinationStore, ElectionSettings, Elector, JobStore, Leadership, LeadershipEvent, LeaseRecord, StoreError, job_store::StoredJobs,
    read_end, write_end,
};
use flott_jobmanager::JobEvent;
use flott_rpc::control::ToTaskManager;
use std::{
    net::Shutdown,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How long a new leader waits for what still runs of its jobs. TaskManagers look for it ten times a second.
pub(super) const RECONCILIATION: Duration = Duration::from_secs(3);

/// What JobManagers need to stand in for each other.
#[derive(Debug, Clone)]
pub struct HighAvailability {
    /// What all of them reach.
    pub store: Arc<dyn CoordinationStore>,
    /// Who this one is, and how long things take.
    pub election: ElectionSettings,
    /// Where jobs that name no place keep their checkpoints; all JobManagers and TaskManagers must reach it.
    pub checkpoints: Option<PathBuf>,
}

/// This JobManager as one that may lead.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) high_availability: HighAvailability,
    leader: Mutex<Option<LeaseRecord>>,
    /// The term of the first leader that this process has seen, which may be itself: it belongs to the cluster that this one led.
    first_seen: OnceLock<u64>,
    /// Dropped, it would stop.
    elector: Mutex<Option<Elector>>,
}

impl JobManager {
    /// Stands for election: from now on this JobManager leads whenever the others let it.
    ///
    /// # Errors
    /// It stands already, or the operating system gives no thread.
    pub fn stand(&self, high_availability: HighAvailability) -> Result<(), Error> {
        let (store, settings) = (high_availability.store.clone(), high_availability.election.clone());
        let candidate = Candidate { high_availability, leader: Mutex::default(), first_seen: OnceLock::new(), elector: Mutex::default() };
        self.0.candidate.set(candidate).map_err(|_| Error::invalid("this JobManager stands for election already"))?;
        let (events, received) = mpsc::channel();
        // Whoever receives lives as long as the process.
        let listener = move |event| drop(events.send(event));
        let elector = Elector::start(store, settings, listener).map_err(no_thread)?;
        let (manager, leadership) = (self.clone(), elector.leadership());
        let follow = move || {
            for event in received {
                manager.leadership_changes(event, &leadership);
            }
        };
        thread::Builder::new().name("flott-leader".to_owned()).spawn(follow).map_err(no_thread)?;
        if let Some(candidate) = self.0.candidate.get() {
            *candidate.elector.lock().unwrap_or_else(PoisonError::into_inner) = Some(elector);
        }
        Ok(())
    }

    /// Lets another lead at once, before this process ends.
    pub fn retire(&self) {
        let elector = self.0.candidate.get().and_then(|candidate| candidate.elector.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(elector) = elector {
            elector.release();
        }
    }

    /// The JobManager that leads, as far as this one knows; `None` if it does itself, or nobody does.
    pub fn other_leader(&self) -> Option<LeaseRecord> {
        if self.lock().term.is_some() {
            return None;
        }
        let candidate = self.0.candidate.get()?;
        let leader = candidate.leader.lock().unwrap_or_else(PoisonError::into_inner).clone();
        leader.filter(|leader| leader.holder != candidate.high_availability.election.holder)
    }

    /// Whether this JobManager leads.
    pub fn leads(&self) -> bool {
        self.lock().term.is_some()
    }

    pub(super) fn leads_no_more(&self) -> Error {
        Error::new(ErrorKind::Unavailable, "this JobManager does not lead; another one does, or will in a moment")
    }

    fn leadership_changes(&self, event: LeadershipEvent, leadership: &Leadership) {
        match event {
            LeadershipEvent::Granted { epoch } => {
                tracing::info!(epoch, "this JobManager leads");
                self.lead(epoch, leadership);
            }
            LeadershipEvent::Revoked { epoch, reason } => {
                tracing::warn!(epoch, %reason, "this JobManager leads no more");
                self.step_down();
            }
            LeadershipEvent::Observed(leader) => {
                if let Some(candidate) = self.0.candidate.get() {
                    if let Some(leader) = &leader {
                        candidate.first_seen.get_or_init(|| leader.epoch);
                    }
                    *candidate.leader.lock().unwrap_or_else(PoisonError::into_inner) = leader;
                }
            }
        }
    }

    /// Takes over what the leader before has left.
    fn lead(&self, epoch: u64, leadership: &Leadership) {
        let Some(candidate) = self.0.candidate.get() else { return };
        let high_availability = &candidate.high_availability;
        let store = JobStore::new(high_availability.store.clone(), epoch, high_availability.election.holder.clone());
        let (cluster_end, StoredJobs { running, ended, damaged }) = loop {
            let end = read_end(high_availability.store.as_ref());
            if let (Ok(Some(end)), Some(first_seen)) = (&end, candidate.first_seen.get())
                && first_seen <= end
            {
                tracing::info!(term = end, "the cluster was ended while this JobManager waited: it ends, too");
                self.end_process();
                return;
            }
            match end.and_then(|end| Ok((end, store.recover()?))) {
                Ok(found) => break found,
                Err(StoreError::Fenced { .. }) => return,
                Err(error) => tracing::warn!(%error, "the job store does not answer"),
            }
            if !leadership.is_leader_in(epoch) {
                return;
            }
            thread::sleep(STORE_RETRY);
        };
        for error in damaged {
            tracing::error!(%error, "a job in the job store cannot be read; it does not run");
        }
        let running = running.into_iter().filter(|job| !ended_with_cluster(&store, cluster_end, job.id, &job.bytes)).collect::<Vec<_>>();
        let term = Term { epoch, store: Some(store), leadership: Some(leadership.clone()) };
        let mut beginnings = Vec::new();
        for job in &running {
            match self.prepare(&term, job.id, &job.bytes) {
                Ok(beginning) => beginnings.push(beginning),
                Err(error) => {
                    tracing::error!(%error, job = %job.id, "a job of the leader before cannot go on");
                    self.show_failed(job.id, &job.bytes, &error);
                }
            }
        }
        {
            let state = &mut *self.lock();
            state.resources.hold();
            state.recovering = beginnings.iter().map(|beginning| beginning.id).collect();
            for job in ended {
                // Of some, nothing but their end is known.
                match records::decode::<EndedRecord>(&job.bytes) {
                    Ok(record) => drop(state.jobs.insert(job.id, Job::ended(record))),
                    Err(error) => tracing::warn!(%error, job = %job.id, "what happened to a job that has ended is not known any more"),
                }
            }
        }
        for beginning in beginnings {
            let id = beginning.id;
            if let Err(error) = self.run_job(&term, beginning) {
                tracing::error!(%error, job = %id, "a job of the leader before cannot go on");
                self.lock().recovering.remove(&id);
            }
        }
        // From now on TaskManagers and workers are let in: the jobs that they ask for are there.
        let state = &mut *self.lock();
        state.term = Some(term).filter(Term::is_valid);
        state.serve_if_recovered();
    }

    /// Ends the whole cluster: notes it where other JobManagers find it, so that none takes over, and tells the TaskManagers to end. Jobs
    /// that run end with their workers, as if the only JobManager was gone: what checkpoints they have stay. The process is to end then.
    ///
    /// # Errors
    /// Other JobManagers cannot be told, since this one does not lead or the store does not answer: nothing has happened.
    pub fn end_cluster(&self) -> Result<(), Error> {
        let term = self.lock().term.clone().ok_or_else(|| self.leads_no_more())?;
        if let Some(candidate) = self.0.candidate.get() {
            let unknown = |error| Error::new(ErrorKind::Unavailable, "the other JobManagers cannot be told: try again").with_source(error);
            write_end(candidate.high_availability.store.as_ref(), term.epoch).map_err(unknown)?;
        }
        let state = self.lock();
        for task_manager in state.task_managers.keys() {
            state.tell(task_manager, ToTaskManager::End);
        }
        Ok(())
    }

    fn end_process(&self) {
        // The next who waits is to find out, too.
        self.retire();
        if let Some(end) = self.0.options.on_end {
            end();
        }
    }

    /// Shows a job that cannot go on here as failed. It stays in the store: another leader may be able to run it.
    fn show_failed(&self, id: JobId, bytes: &[u8], error: &Error) {
        let Ok(record) = records::decode::<RunningRecord>(bytes) else { return };
        let now = self.0.clock.wall();
        let failure = TaskFailure { causes: TaskFailure::causes_of(error), ..TaskFailure::without_task("job", "") };
        let record = EndedRecord::failed(id, BegunRecord::of(&record), now, failure);
        self.lock().jobs.insert(id, Job::ended(record));
    }

    /// Prepares a job to be taken over.
    ///
    /// # Errors
    /// It cannot go on.
    fn prepare(&self, term: &Term, id: JobId, bytes: &[u8]) -> Result<Beginning, Error> {
        let record: RunningRecord = records::decode(bytes)?;
        let storage_epoch = record.storage_epoch_of(term.epoch);
        let mut launch = loop {
            match launch(id, record.topology.clone(), record.settings.clone(), launch::Term::Later(storage_epoch)) {
                Ok(launch) => break launch,
                Err(error) if error.kind() == ErrorKind::Unavailable && term.is_valid() => {
                    tracing::warn!(%error, job = %id, "the checkpoint storage of a job does not answer; it is tried again");
                    thread::sleep(STORE_RETRY);
                }
                Err(error) => return Err(error),
            }
        };
        record.hand_over(&mut launch.master);
        let event = JobEvent::Recover { last_checkpoint: launch.last_checkpoint, wait: RECONCILIATION };
        tracing::info!(job = %id, "a job of the leader before is taken over");
        Ok(Beginning { id, record, launch, event, begun: None })
    }

    /// Forgets everything: it is another's by now.
    fn step_down(&self) {
        let state = std::mem::take(&mut *self.lock());
        for job in state.jobs.values() {
            job.suspend();
        }
        for peer in state.peers.values() {
            // It may be gone already.
            let _ = peer.shutdown(Shutdown::Both);
        }
    }
}

/// Whether a job has ended with the cluster that it ran in; it is forgotten then.
fn ended_with_cluster(store: &JobStore, cluster_end: Option<u64>, id: JobId, bytes: &[u8]) -> bool {
    let Some(end) = cluster_end else { return false };
    // What cannot be read is told of later.
    if !records::decode::<RunningRecord>(bytes).is_ok_and(|record| record.leader_epoch <= end) {
        return false;
    }
    tracing::info!(job = %id, term = end, "a job has ended with the cluster that it ran in");
    if let Err(error) = store.remove(id) {
        tracing::warn!(%error, job = %id, "it stays in the job store, and is passed over");
    }
    true
}
