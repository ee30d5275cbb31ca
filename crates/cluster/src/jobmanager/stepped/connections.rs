//! TaskManagers and workers that are connected to a stepped JobManager.

use super::{Sent, SteppedJobManager, threads::Thread};
use crate::{
    control::Link,
    host::WorkerNotice,
    jobmanager::{
        Registered,
        connections::{has_come_again, register, task_manager_lost},
    },
};
use flott_core::id::JobId;
use flott_rpc::control::{FromTaskManager, FromWorker, TaskManagerInfo, ToTaskManager, ToWorker, Welcome, WorkerInfo};
use std::sync::mpsc;

/// What is to go out over a connection.
pub(super) enum Outbox {
    TaskManager(mpsc::Receiver<ToTaskManager>),
    Worker(mpsc::Receiver<ToWorker>),
}

impl SteppedJobManager {
    /// A TaskManager introduces itself.
    pub fn task_manager(&mut self, connection: u64, info: TaskManagerInfo) -> Welcome {
        let state = &mut *self.shared.lock();
        if state.task_managers.get(&info.id).is_some_and(|known| known.info.incarnation != info.incarnation) {
            return Welcome::Refused(format!("there is a TaskManager `{}` already", info.id));
        }
        task_manager_lost(state, &info.id, None, &has_come_again(&info.id));
        if state.term.is_none() {
            return Welcome::NotLeader(None);
        }
        let (sender, sent) = mpsc::channel();
        self.outboxes.insert(connection, Outbox::TaskManager(sent));
        register(state, info, Link::to(sender), connection, None);
        Welcome::Accepted
    }

    /// A TaskManager says something.
    pub fn task_manager_said(&mut self, message: FromTaskManager) {
        if let FromTaskManager::WorkerEnded { job, worker, reason } = message
            && let Some(job) = self.shared.lock().jobs.get_mut(&job)
        {
            job.worker_lost(worker, &reason);
        }
    }

    /// The connection of a TaskManager is over.
    pub fn task_manager_gone(&mut self, id: &str, connection: u64, reason: &str) {
        task_manager_lost(&mut self.shared.lock(), id, Some(connection), reason);
    }

    /// A worker introduces itself.
    pub fn worker(&mut self, connection: u64, info: WorkerInfo) -> Welcome {
        let state = &mut *self.shared.lock();
        match state.refusal(&info) {
            Some(_) if state.term.is_none() => return Welcome::NotLeader(None),
            Some(reason) => return Welcome::Refused(reason),
            None if state.term.is_none() => return Welcome::NotLeader(None),
            None => {}
        }
        let (sender, sent) = mpsc::channel();
        self.outboxes.insert(connection, Outbox::Worker(sent));
        state.worker_connected(info, Link::to(sender));
        Welcome::Accepted
    }

    /// A worker says something.
    pub fn worker_said(&mut self, job: JobId, worker: u64, message: FromWorker) {
        if let Some(job) = self.shared.lock().jobs.get(&job) {
            job.notice(WorkerNotice::Said { worker, message });
        }
    }

    /// The connection of a worker is over: it must end, if it has not.
    pub fn worker_gone(&mut self, job: JobId, worker: u64) {
        self.shared.lock().stop_worker(job, worker);
    }

    /// A little later: nobody knows better why it is gone.
    pub fn worker_lost(&mut self, job: JobId, worker: u64, reason: &str) {
        if let Some(job) = self.shared.lock().jobs.get_mut(&job) {
            job.worker_lost(worker, reason);
        }
    }

    /// What is to be sent, by connection.
    pub fn take_sent(&mut self) -> Vec<(u64, Sent)> {
        let mut all = Vec::new();
        self.outboxes.retain(|connection, outbox| {
            let mut next = || match outbox {
                Outbox::TaskManager(sent) => sent.try_recv().map(Sent::TaskManager),
                Outbox::Worker(sent) => sent.try_recv().map(|message| Sent::Worker(Box::new(message))),
            };
            let over = loop {
                match next() {
                    Ok(sent) => all.push((*connection, sent)),
                    Err(error) => break error == mpsc::TryRecvError::Disconnected,
                }
            };
            if over {
                all.push((*connection, Sent::Closed));
            }
            !over
        });
        all
    }

    /// The TaskManagers with their slots: all of them, and those that jobs use.
    pub fn slots(&self) -> Vec<(String, u32, u32)> {
        let state = self.shared.lock();
        let of = |registered: &Registered| {
            let id = &registered.info.id;
            let of_thread = |thread: &Thread| -> u32 {
                let Some(job) = state.jobs.get(&thread.job) else { return 0 };
                let here = thread.thread.host.slots_in_use().filter(|(worker, _)| job.task_manager_of(*worker) == Some(id.as_str()));
                here.map(|(_, slots)| slots).sum()
            };
            (id.clone(), registered.info.slots, self.threads.values().map(of_thread).sum())
        };
        state.task_managers.values().map(of).collect()
    }

    /// For faults that are planted: slots are given away although it is not known which are free.
    pub fn serve_early(&mut self) {
        let state = &mut *self.shared.lock();
        let grants = state.resources.resume();
        state.grant(grants);
    }
}
