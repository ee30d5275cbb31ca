//! Jobs begin, and end.

use super::{
    JobManager, SharedHistory, State, Term,
    archive::Begun,
    decisions::{self, Writing},
    jobs::{Job, JobParts},
    records::{self, BegunRecord, EndedRecord, RunningRecord},
    remote_host::RemoteHost,
    worker_figures::WorkerFigures,
};
use crate::{
    job::{Ended, JobThread, KeepEnd, Message},
    launch::{self, Launch, launch, no_thread, random_u128},
    storage_thread,
};
use flott_core::{
    Error, ErrorKind, Timestamp,
    config::options,
    error::TaskFailure,
    id::JobId,
    time::{Clock, SharedClock},
};
use flott_graph::settings::{JobSettings, SchedulerMode};
use flott_ha::{JobStore, StoreError, job_store::PutOutcome};
use flott_jobmanager::JobEvent;
use flott_rpc::{
    client::{JobOutcome, JobOverview},
    control::{JobSubmission, ToTaskManager},
};
use flott_storage::CheckpointStorage;
use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// How long a worker may take to end when its job has ended.
const WORKER_END_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause before the job store is asked again.
pub(super) const STORE_RETRY: Duration = Duration::from_millis(200);

/// The number of the first worker of a job that a leader starts: above those of all leaders before.
pub(super) fn first_worker(epoch: u64) -> u64 {
    epoch.saturating_mul(1000)
}

/// Stores a new job for other JobManagers.
///
/// # Errors
/// It cannot be stored, or there was one of its number.
pub(super) fn store_new(store: &JobStore, id: JobId, record: &RunningRecord) -> Result<(), Error> {
    match store.put_job(id, &records::encode(record)?) {
        Ok(PutOutcome::Stored) => Ok(()),
        Ok(PutOutcome::HasEnded) => Err(Error::invalid(format!("there was a job {id} already"))),
        Err(error) => {
            if error.is_unknown()
                && let Err(error) = store.mark_ended(id, &[], record.started)
            {
                tracing::warn!(%error, job = %id, "a job that was not started may come to life with the next leader");
            }
            let text = format!("job {id} was not started, since it cannot be stored for other JobManagers");
            Err(Error::new(ErrorKind::Unavailable, text).with_source(error))
        }
    }
}

/// A job that is about to run.
pub(super) struct Beginning {
    pub(super) id: JobId,
    pub(super) record: RunningRecord,
    pub(super) launch: Launch,
    pub(super) event: JobEvent,
    /// That it runs, where nobody succeeds this JobManager.
    pub(super) begun: Option<Begun>,
}

impl State {
    /// What is kept of a job that ends; `None` if it is another leader's by now.
    pub(super) fn record_of_end(&mut self, id: JobId, at: Timestamp, outcome: &JobOutcome, overview: &JobOverview) -> Option<EndedRecord> {
        let job = self.jobs.get_mut(&id)?;
        job.set_ended(at);
        Some(EndedRecord {
            program: job.program.clone(),
            topology: (*job.topology).clone(),
            settings: (*job.settings).clone(),
            started: job.started,
            ended: at,
            history: job.history.read(),
            overview: overview.clone(),
            outcome: outcome.clone(),
            slots: job.slots_by_task_manager().clone(),
            figures: job.figures(),
        })
    }
}

/// What is kept of a job that ran when its JobManager ended, of which nobody knows when that was.
pub(super) fn record_of_abandoned(id: JobId, begun: BegunRecord, now: Timestamp) -> EndedRecord {
    let what = "the JobManager ended while the job ran, and its tasks with it";
    let cure = match &begun.settings.checkpoints.dir {
        None => "start it again; its checkpoints were kept in memory".to_owned(),
        Some(dir) => match own_checkpoint(id, &begun.settings) {
            Some(Ok(path)) => format!("start it again from its last checkpoint, `{path}`"),
            Some(Err(error)) => {
                format!("start it again from its last checkpoint in `{}`, which cannot be read now: {error}", dir.display())
            }
            None => format!("start it again; it has no checkpoint in `{}`", dir.display()),
        },
    };
    EndedRecord::failed(id, begun, now, TaskFailure::without_task("job", format!("{what}: {cure}")))
}

/// The path of the newest checkpoint of a job that nobody runs.
fn own_checkpoint(id: JobId, settings: &JobSettings) -> Option<Result<String, Error>> {
    let completed = launch::directory(settings).and_then(|directory| Ok(directory.storage(id).completed()?));
    let newest = completed.map(|all| all.into_iter().max_by_key(|completed| completed.checkpoint).map(|newest| newest.folder));
    newest.transpose()
}

impl JobManager {
    /// Starts a job.
    ///
    /// # Errors
    /// Its executable is not there, its number is taken, what it starts from does not fit, or this JobManager does not lead.
    pub fn submit(&self, submission: JobSubmission) -> Result<JobId, Error> {
        let id = submission.job.unwrap_or_else(|| JobId(random_u128()));
        let executable = &submission.program.executable;
        if !self.0.executables.has(executable) {
            return Err(Error::invalid(format!("executable {executable} was not brought before the job")));
        }
        let term = {
            let state = &mut *self.lock();
            let term = state.term.clone().ok_or_else(|| self.leads_no_more())?;
            // Of two at once, the second would take the storage from the first.
            if state.jobs.contains_key(&id) || !state.starting.insert(id) {
                return Err(Error::invalid(format!("there is a job {id} already")));
            }
            term
        };
        let started = self.start_job(id, &term, submission);
        self.lock().starting.remove(&id);
        started.map(|()| id)
    }

    fn start_job(&self, id: JobId, term: &Term, submission: JobSubmission) -> Result<(), Error> {
        let JobSubmission { mut program, topology, mut settings, .. } = submission;
        let of_storage = if term.store.is_some() { launch::Term::First } else { launch::Term::Only };
        if let (Some(_), None) = (&term.store, &settings.checkpoints.dir) {
            // What is kept in memory ends with this process, and the next leader could not go on from it.
            let dir = self.default_checkpoint_dir().ok_or_else(|| {
                Error::invalid("a job on several JobManagers needs `execution.checkpointing.dir`, a directory that all of them reach")
            })?;
            program.configuration.set(&options::CHECKPOINTING_DIR, Some(dir.to_string_lossy().into_owned()));
            settings.checkpoints.dir = Some(dir);
        }
        // What the cluster is configured for holds for jobs that say nothing else.
        if settings.scheduler.mode == SchedulerMode::Default && self.0.options.scheduler.mode != SchedulerMode::Default {
            settings.scheduler = self.0.options.scheduler.clone();
        }
        let launch = launch(id, topology.clone(), settings.clone(), of_storage)?;
        // It is to mean the same for the next leader, when there are newer ones.
        if let (Some(restore), Some(from)) = (&mut settings.restore, &launch.restored_from) {
            restore.path.clone_from(from);
        }
        let record = RunningRecord {
            program,
            topology,
            settings,
            started: self.0.clock.wall(),
            token: format!("{:032x}", random_u128()),
            storage_epoch: launch.epoch,
            leader_epoch: term.epoch,
            bounds: None,
            end: None,
        };
        if let Some(store) = &term.store {
            store_new(store, id, &record)?;
        }
        let archive = self.0.archive.as_ref().filter(|_| term.store.is_none());
        let begun = archive.and_then(|archive| archive.begin(id, &BegunRecord::of(&record)));
        let event = JobEvent::Start { last_checkpoint: launch.last_checkpoint };
        self.run_job(term, Beginning { id, record, launch, event, begun }).inspect_err(|_| {
            if let Some(archive) = archive {
                archive.runs_no_more(id);
            }
        })?;
        tracing::info!(job = %id, "job submitted");
        Ok(())
    }

    /// Starts the thread of a job.
    ///
    /// # Errors
    /// The operating system does not give one, or the term is over.
    pub(super) fn run_job(&self, term: &Term, beginning: Beginning) -> Result<(), Error> {
        let Beginning { id, record, launch, event, begun } = beginning;
        let keep_decisions = term.store.clone().map(|store| {
            let term = term.clone();
            let again = move || {
                thread::sleep(STORE_RETRY);
                term.is_valid()
            };
            decisions::keep(store, id, record.clone(), again, Writing::run_aside)
        });
        let RunningRecord { program, topology, settings, started, token, .. } = record;
        let history = SharedHistory::default();
        let (messages, inbox) = mpsc::channel();
        let ended = Arc::new(Ended::default());
        let figures = WorkerFigures::default();
        let clock: SharedClock = Arc::new(self.0.clock);
        let to_job = messages.clone();
        // A job that has ended hears no more.
        let report = move |event: JobEvent| drop(to_job.send(Message::Event(event)));
        let keep_end: KeepEnd = {
            let (manager, term) = (self.clone(), term.clone());
            Arc::new(move |outcome: &JobOutcome, overview: &JobOverview| manager.keep_end(&term, id, outcome, overview))
        };
        let thread = JobThread {
            host: RemoteHost::new(id, topology.clone(), Arc::new(self.clone()), (figures.clone(), history.clone())),
            storage: storage_thread::start(launch.storage, id, launch.epoch, report).map_err(no_thread)?,
            master: launch.master,
            clock,
            ended: ended.clone(),
            requests: HashMap::new(),
            next_request: 0,
            history: Some(history.clone()),
            keep_end: Some(keep_end.clone()),
            decisions: keep_decisions,
            end_decided: false,
        };
        history.created(started);
        history.found(&launch.completed, topology.parallelism().iter().sum());
        let first = thread.master.overview();
        let first_worker = first_worker(term.epoch);
        let parts =
            JobParts { topology, settings, program, token, started, messages, ended: ended.clone(), figures, history, first, first_worker };
        {
            let state = &mut *self.lock();
            if !term.is_valid() {
                return Err(self.leads_no_more());
            }
            state.jobs.insert(id, Job::new(parts));
        }
        let manager = self.clone();
        let run = move || {
            let overview = thread.master.overview();
            if let Err(panic) = flott_runtime::panics::catching(move || thread.run(&inbox, event)) {
                ended.set_panicked(&panic, overview);
                if let (Some(outcome), Some(overview)) = (ended.wait(), ended.overview()) {
                    keep_end(&outcome, &overview);
                }
            }
            if !ended.is_suspended() {
                manager.job_ended(id);
            }
            drop(begun);
        };
        thread::Builder::new().name("flott-job".to_owned()).spawn(run).map(|_| ()).map_err(no_thread)
    }

    /// Where jobs that name no place keep their checkpoints, if the next leader is to find them.
    fn default_checkpoint_dir(&self) -> Option<std::path::PathBuf> {
        self.0.candidate.get()?.high_availability.checkpoints.clone()
    }

    /// Notes the end of a job where the next leader, or this one after a restart, finds it. `false` if another leads.
    fn keep_end(&self, term: &Term, id: JobId, outcome: &JobOutcome, overview: &JobOverview) -> bool {
        let at = self.0.clock.wall();
        let record = self.lock().record_of_end(id, at, outcome, overview);
        let Some(record) = record.map(EndedRecord::into_stored) else { return false };
        let Some(store) = &term.store else {
            if let Some(archive) = &self.0.archive {
                archive.keep(id, &record);
            }
            return true;
        };
        let bytes = match records::encode(&record) {
            Ok(bytes) => bytes,
            Err(error) => {
                // Without it the job would be run again.
                tracing::error!(%error, job = %id, "the history of a job that has ended is lost");
                Vec::new()
            }
        };
        loop {
            match store.mark_ended(id, &bytes, at) {
                Ok(()) => return true,
                Err(StoreError::Fenced { .. }) => return false,
                Err(error) => tracing::warn!(%error, job = %id, "that a job has ended cannot be stored; it is tried again"),
            }
            if !term.is_valid() {
                return false;
            }
            thread::sleep(STORE_RETRY);
        }
    }

    fn job_ended(&self, id: JobId) {
        let (forgotten, store) = {
            let state = &mut *self.lock();
            if let Some(job) = state.jobs.get_mut(&id) {
                job.set_ended(job.ended_at.unwrap_or_else(|| self.0.clock.wall()));
                let workers = job.take_workers();
                let manager = self.clone();
                // They were told to end.
                let stop = move || {
                    thread::sleep(WORKER_END_TIMEOUT);
                    let state = manager.lock();
                    for (worker, task_manager) in workers {
                        state.tell(&task_manager, ToTaskManager::StopWorker { job: id, worker });
                    }
                };
                if let Err(error) = thread::Builder::new().name("flott-stop".to_owned()).spawn(stop) {
                    tracing::warn!(%error, "workers of an ended job may stay");
                }
            }
            let grants = state.resources.job_ended(id);
            state.grant(grants);
            state.recovering.remove(&id);
            state.serve_if_recovered();
            (state.forget_old_jobs(), state.term.as_ref().and_then(|term| term.store.clone()))
        };
        for old in forgotten {
            if let Some(archive) = &self.0.archive {
                archive.forget(old);
            }
            if let Some(store) = &store
                && let Err(error) = store.remove(old)
            {
                tracing::warn!(%error, job = %old, "an old job stays in the job store");
            }
        }
    }
}
