//! The threads of jobs, which do one thing after the other when they are told to.

use super::{Step, SteppedJobManager, StorageStep, steps::What};
use crate::{
    host::TaskHost,
    job::{JobThread, Message, Over},
    jobmanager::{decisions::Writing, jobs::Job, remote_host::RemoteHost},
    storage_thread::StorageAction,
};
use flott_core::id::JobId;
use flott_jobmanager::JobEvent;
use flott_rpc::{
    client::{JobReply, JobRequest},
    control::ToTaskManager,
    status::TaskStatus,
};
use flott_storage::FileStorage;
use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
    time::Duration,
};

/// A job's thread, and what it would wait for.
pub(super) struct Thread {
    pub(super) job: JobId,
    pub(super) thread: JobThread<RemoteHost>,
    pub(super) begin: Option<JobEvent>,
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) inbox: mpsc::Receiver<Message>,
    pub(super) waiting: VecDeque<Message>,
    pub(super) wanted: Wanted,
}

/// What a job wants of its storage, which outlives its thread.
pub(super) struct Wanted {
    pub(super) thread: u64,
    pub(super) job: JobId,
    pub(super) epoch: u64,
    pub(super) storage: Arc<FileStorage>,
    pub(super) actions: mpsc::Receiver<StorageAction>,
    pub(super) decided: mpsc::Receiver<Writing>,
}

impl Wanted {
    fn take(&self) -> impl Iterator<Item = StorageStep> {
        let of_checkpoints = self.actions.try_iter().map(|action| What::Checkpoints(self.storage.clone(), action));
        let all = of_checkpoints.chain(self.decided.try_iter().map(What::Decisions));
        all.map(|what| StorageStep { thread: self.thread, job: self.job, epoch: self.epoch, what })
    }
}

impl SteppedJobManager {
    /// The threads that have something to do at `now`.
    pub fn ready(&mut self, now: Duration) -> Vec<u64> {
        let mut ready = Vec::new();
        for (number, thread) in &mut self.threads {
            thread.waiting.extend(thread.inbox.try_iter());
            let due = thread.thread.master.next_wake().is_some_and(|at| at <= now);
            if thread.begin.is_some() || !thread.waiting.is_empty() || due {
                ready.push(*number);
            }
        }
        ready
    }

    /// When the next thread has something to do, if nothing comes.
    pub fn next_wake(&self) -> Option<Duration> {
        self.threads.values().filter_map(|thread| thread.thread.master.next_wake()).min()
    }

    /// The job of a thread.
    pub fn job_of(&self, thread: u64) -> Option<JobId> {
        self.threads.get(&thread).map(|thread| thread.job)
    }

    /// Lets a thread do one thing.
    pub fn run(&mut self, number: u64) -> Step {
        let Some(Thread { job, thread, begin, waiting, .. }) = self.threads.get_mut(&number) else { return Step::Suspended };
        let job = *job;
        let recovering = self.shared.lock().recovering.contains(&job);
        let over = match (begin.take(), waiting.pop_front()) {
            (Some(event), message) => {
                message.into_iter().for_each(|message| waiting.push_front(message));
                thread.handle(event)
            }
            (None, Some(message)) => thread.take(message),
            (None, None) => thread.handle(JobEvent::Tick),
        };
        match over {
            None if recovering && !self.shared.lock().recovering.contains(&job) => {
                let tasks = thread.master.overview().tasks;
                let goes_on = |status: &TaskStatus| matches!(status, TaskStatus::Running | TaskStatus::Deploying | TaskStatus::Finished);
                Step::Recovered { going_on: tasks.iter().filter(|(_, status)| goes_on(status)).count(), all: tasks.len() }
            }
            None => Step::Went,
            Some(Over::Suspended) => {
                thread.ended.suspend();
                self.wanted.extend(self.threads.remove(&number).map(|thread| thread.wanted));
                Step::Suspended
            }
            Some(Over::Ended(outcome)) => {
                thread.host.job_ended();
                let overview = thread.master.overview();
                thread.ended.set((*outcome).clone(), overview);
                self.wanted.extend(self.threads.remove(&number).map(|thread| thread.wanted));
                self.job_ended(job);
                Step::Ended(outcome)
            }
        }
    }

    fn job_ended(&mut self, id: JobId) {
        let state = &mut *self.shared.lock();
        let grants = state.resources.job_ended(id);
        state.grant(grants);
        state.recovering.remove(&id);
        state.serve_if_recovered();
    }

    /// Some time after a job's end: its workers were told to end, and must have by now.
    pub fn stop_workers(&mut self, id: JobId) {
        let state = &mut *self.shared.lock();
        let workers = state.jobs.get_mut(&id).map(Job::take_workers).unwrap_or_default();
        for (worker, task_manager) in workers {
            state.tell(&task_manager, ToTaskManager::StopWorker { job: id, worker });
        }
    }

    /// What its jobs want of their storage.
    pub fn take_storage(&mut self) -> Vec<StorageStep> {
        let mut steps: Vec<StorageStep> = self.wanted.drain(..).flat_map(|wanted| wanted.take().collect::<Vec<_>>()).collect();
        steps.extend(self.threads.values().flat_map(|thread| thread.wanted.take()));
        steps
    }

    /// The term of a thread's job in its storage.
    pub fn storage_epoch(&self, thread: u64) -> Option<u64> {
        self.threads.get(&thread).map(|thread| thread.wanted.epoch)
    }

    /// Something has happened for a thread.
    pub fn tell(&mut self, number: u64, event: JobEvent) {
        if let Some(thread) = self.threads.get(&number) {
            // It holds the receiver itself.
            let _ = thread.messages.send(Message::Event(event));
        }
    }

    /// Asks something of a job; the answer comes later. `None`: there is no such job.
    pub fn request(&self, job: JobId, body: JobRequest) -> Option<mpsc::Receiver<JobReply>> {
        let (reply, answer) = mpsc::channel();
        let thread = self.threads.values().find(|thread| thread.job == job)?;
        thread.messages.send(Message::Request(body, reply)).ok().map(|()| answer)
    }
}
