//! What jobs share with the JobManager that they run under.

use crate::jobmanager::{State, remote_host::Cluster};
use flott_core::{id::JobId, time::SharedClock};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What jobs share with the JobManager.
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) clock: SharedClock,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster for Shared {
    fn request_slots(&self, job: JobId, count: u32) {
        let state = &mut *self.lock();
        let grants = state.resources.request(job, count);
        state.grant(grants);
    }

    fn withdraw_slots(&self, job: JobId, count: u32) {
        self.lock().resources.withdraw(job, count);
    }

    fn retire_worker(&self, job: JobId, worker: u64) {
        if let Some(job) = self.lock().jobs.get_mut(&job) {
            job.retire_worker(worker);
        }
    }

    fn release_slots(&self, job: JobId, slots: &[u32]) {
        let state = &mut *self.lock();
        let grants = state.resources.release(job, slots);
        state.grant(grants);
    }

    fn yield_slots(&self, job: JobId, held: &[u32], needed: u32) {
        let state = &mut *self.lock();
        let grants = state.resources.yield_slots(job, held, needed);
        state.grant(grants);
    }

    fn stop_worker(&self, job: JobId, worker: u64) {
        self.lock().stop_worker(job, worker);
    }

    fn recovered(&self, job: JobId) {
        self.lock().recovered(job);
    }
}
