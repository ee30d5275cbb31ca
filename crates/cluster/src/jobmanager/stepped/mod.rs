//! A JobManager without threads, sockets and clocks: whoever simulates a cluster brings it messages, and decides when each of its
//! jobs does something, when its storage answers, and when it leads.

mod connections;
mod shared;
mod steps;
mod threads;

use super::{
    SharedHistory, Term, decisions,
    jobs::{Job, JobParts},
    leadership::RECONCILIATION,
    records::{self, EndedRecord, RunningRecord},
    remote_host::RemoteHost,
    starting::{first_worker, store_new},
    worker_figures::WorkerFigures,
};
use crate::{
    job::{Ended, JobThread, KeepEnd},
    launch::{Launch, Term as StorageTerm, launch_in},
};
use connections::Outbox;
use flott_core::{Error, id::JobId, time::SharedClock};
use flott_ha::{
    JobStore,
    job_store::{EndedJob, RunningJob},
};
use flott_jobmanager::JobEvent;
use flott_rpc::client::JobOutcome;
use flott_storage::CheckpointDirectory;
use shared::Shared;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, mpsc},
};
pub use steps::{JobEnding, Prepared, Sent, Step, StorageStep, Submission};
use threads::{Thread, Wanted};

/// A JobManager whose every step somebody else takes.
pub struct SteppedJobManager {
    shared: Arc<Shared>,
    directory: CheckpointDirectory,
    keep_end: JobEnding,
    outboxes: BTreeMap<u64, Outbox>,
    threads: BTreeMap<u64, Thread>,
    next_thread: u64,
    /// Of threads that have ended.
    wanted: Vec<Wanted>,
}

impl fmt::Debug for SteppedJobManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SteppedJobManager").field("threads", &self.threads.keys()).finish_non_exhaustive()
    }
}

impl SteppedJobManager {
    /// One that does not lead. All jobs keep their checkpoints in `directory`.
    pub fn new(clock: SharedClock, directory: CheckpointDirectory, keep_end: JobEnding) -> Self {
        let shared = Arc::new(Shared { state: Mutex::default(), clock });
        SteppedJobManager {
            shared,
            directory,
            keep_end,
            outboxes: BTreeMap::new(),
            threads: BTreeMap::new(),
            next_thread: 0,
            wanted: Vec::new(),
        }
    }

    /// Its term, if it lets others in.
    pub fn epoch(&self) -> Option<u64> {
        self.shared.lock().term.as_ref().map(|term| term.epoch)
    }

    /// Prepares a job to be taken over in the term `epoch`.
    ///
    /// # Errors
    /// It cannot go on, or its storage does not answer.
    pub fn prepare(&self, epoch: u64, job: &RunningJob, seed: u64) -> Result<Prepared, Error> {
        let record: RunningRecord = records::decode(&job.bytes)?;
        let term = StorageTerm::Later(record.storage_epoch_of(epoch));
        let mut launch = launch_in(&self.directory, job.id, record.topology.clone(), record.settings.clone(), term, seed)?;
        record.hand_over(&mut launch.master);
        Ok(Prepared { id: job.id, record, launch })
    }

    /// Leads from now on, unless the term is over already. Returns the threads of the jobs that it takes over.
    pub fn lead(&mut self, store: JobStore, prepared: Vec<Prepared>, ended: Vec<EndedJob>, valid: bool) -> Vec<u64> {
        let epoch = store.epoch();
        {
            let state = &mut *self.shared.lock();
            state.resources.hold();
            state.recovering = prepared.iter().map(|prepared| prepared.id).collect();
            for job in ended {
                if let Ok(record) = records::decode::<EndedRecord>(&job.bytes) {
                    state.jobs.insert(job.id, Job::ended(record));
                }
            }
        }
        let mut threads = Vec::new();
        for Prepared { id, record, launch } in prepared.into_iter().filter(|_| valid) {
            let begin = JobEvent::Recover { last_checkpoint: launch.last_checkpoint, wait: RECONCILIATION };
            threads.push(self.run_job(&store, id, record, launch, begin));
        }
        let state = &mut *self.shared.lock();
        state.term = valid.then_some(Term { epoch, store: Some(store), leadership: None });
        state.serve_if_recovered();
        threads
    }

    /// Forgets everything: it is another's by now.
    pub fn step_down(&mut self) {
        let state = std::mem::take(&mut *self.shared.lock());
        state.jobs.values().for_each(Job::suspend);
    }

    /// Starts a job.
    ///
    /// # Errors
    /// As of production.
    pub fn submit(&mut self, submission: Submission) -> Result<u64, Error> {
        let Submission { id, program, topology, mut settings, seed } = submission;
        let (epoch, store) = {
            let state = self.shared.lock();
            let term = state.term.clone().ok_or_else(|| Error::invalid("it does not lead"))?;
            if state.jobs.contains_key(&id) {
                return Err(Error::invalid(format!("there is a job {id} already")));
            }
            (term.epoch, term.store.ok_or_else(|| Error::invalid("it has no job store"))?)
        };
        let launch = launch_in(&self.directory, id, topology.clone(), settings.clone(), StorageTerm::First, seed)?;
        if let (Some(restore), Some(from)) = (&mut settings.restore, &launch.restored_from) {
            restore.path.clone_from(from);
        }
        let token = String::new();
        let started = self.shared.clock.wall();
        let record = RunningRecord {
            program,
            topology,
            settings,
            started,
            token,
            storage_epoch: launch.epoch,
            leader_epoch: epoch,
            bounds: None,
            end: None,
        };
        store_new(&store, id, &record)?;
        let begin = JobEvent::Start { last_checkpoint: launch.last_checkpoint };
        Ok(self.run_job(&store, id, record, launch, begin))
    }

    fn run_job(&mut self, store: &JobStore, id: JobId, record: RunningRecord, launch: Launch, begin: JobEvent) -> u64 {
        let (writings, decided) = mpsc::channel();
        let write = move |writing| writings.send(writing).map_err(|error| std::io::Error::other(error.to_string()));
        let keep_decisions = decisions::keep(store.clone(), id, record.clone(), || false, write);
        let RunningRecord { program, topology, settings, started, token, .. } = record;
        let history = SharedHistory::default();
        let (messages, inbox) = mpsc::channel();
        let (storage, actions) = mpsc::channel();
        let ended = Arc::new(Ended::default());
        let figures = WorkerFigures::default();
        let keep_end: KeepEnd = {
            let (shared, keep_end) = (self.shared.clone(), self.keep_end.clone());
            let store = store.clone();
            Arc::new(move |outcome, overview| {
                let at = shared.clock.wall();
                let record = shared.lock().record_of_end(id, at, outcome, overview);
                let Some(record) = record.map(EndedRecord::into_stored) else { return false };
                keep_end(&store, id, &records::encode(&record).unwrap_or_default(), at)
            })
        };
        let thread = JobThread {
            host: RemoteHost::new(id, topology.clone(), self.shared.clone(), (figures.clone(), history.clone())),
            storage,
            master: launch.master,
            clock: self.shared.clock.clone(),
            ended: ended.clone(),
            requests: HashMap::new(),
            next_request: 0,
            history: Some(history.clone()),
            keep_end: Some(keep_end),
            decisions: Some(keep_decisions),
            end_decided: false,
        };
        history.created(started);
        history.found(&launch.completed, topology.parallelism().iter().sum());
        let parts = JobParts {
            topology,
            settings,
            program,
            token,
            started,
            messages: messages.clone(),
            ended,
            figures,
            history,
            first: thread.master.overview(),
            first_worker: first_worker(store.epoch()),
        };
        self.shared.lock().jobs.insert(id, Job::new(parts));
        self.next_thread += 1;
        let wanted = Wanted { thread: self.next_thread, job: id, epoch: launch.epoch, storage: launch.storage, actions, decided };
        let thread = Thread { job: id, thread, begin: Some(begin), messages, inbox, waiting: VecDeque::new(), wanted };
        self.threads.insert(self.next_thread, thread);
        self.next_thread
    }

    /// Whether it knows a job, and how that one has ended, if it has.
    pub fn outcome(&self, job: JobId) -> Option<Option<JobOutcome>> {
        self.shared.lock().jobs.get(&job).map(Job::outcome)
    }
}
