//! Workers that wait for work: their program has started, so that one of them takes the place of a worker that is gone at once.

use super::output::Tag;
use flott_core::{Error, ErrorKind, id::JobId};
use flott_rpc::control::{Notice, Program};
use std::{
    collections::HashMap,
    io::Write,
    process::Child,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A program that has started and was not told yet which worker it is.
#[derive(Debug)]
pub(super) struct Standby {
    pub(super) program: Program,
    /// The secret that the workers of its job share.
    pub(super) token: String,
    pub(super) child: Child,
    pub(super) tag: Tag,
}

/// At most one for each job. Those that are left are ended when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Standbys(Mutex<HashMap<JobId, Standby>>);

impl Standbys {
    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Standby>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one waits for `job`. One that has ended by itself is forgotten.
    pub(super) fn has(&self, job: JobId) -> bool {
        let mut all = self.lock();
        let Some(standby) = all.get_mut(&job) else { return false };
        match standby.child.try_wait() {
            Ok(None) => true,
            ended => {
                tracing::warn!(%job, ?ended, "the worker that stood by has ended; its output is in the TaskManager's log");
                all.remove(&job).into_iter().for_each(end);
                false
            }
        }
    }

    /// Keeps one that was started.
    pub(super) fn put(&self, job: JobId, standby: Standby) {
        self.lock().insert(job, standby).into_iter().for_each(end);
    }

    /// Makes the one that waits for `job` its worker `number`; `None` if there is none, or it is not what is wanted.
    pub(super) fn take(&self, job: JobId, number: u64, program: &Program, token: &str, job_manager: &str) -> Option<Child> {
        let mut standby = self.lock().remove(&job)?;
        if standby.program != *program || standby.token != token {
            end(standby);
            return None;
        }
        standby.tag.is_worker(number);
        let begin = Notice::Begin { worker: number, job_manager: job_manager.to_owned() };
        match begin_with(&mut standby.child, &begin) {
            Ok(()) => Some(standby.child),
            Err(error) => {
                tracing::warn!(%error, %job, "the worker that stood by has ended; another one is started");
                end(standby);
                None
            }
        }
    }

    /// Ends the one of `job`.
    pub(super) fn end(&self, job: JobId) {
        let standby = self.lock().remove(&job);
        standby.into_iter().for_each(end);
    }

    /// Ends all of them.
    pub(super) fn end_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        all.into_values().for_each(end);
    }
}

impl Drop for Standbys {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// Tells a program which worker it is from now on.
fn begin_with(child: &mut Child, begin: &Notice) -> Result<(), Error> {
    let internal = |text: String| Error::new(ErrorKind::Internal, text);
    if let Some(status) = child.try_wait().map_err(|error| internal(error.to_string()))? {
        return Err(internal(format!("it ended by itself: {status}")));
    }
    let notice = serde_json::to_string(begin).map_err(|error| internal(error.to_string()))? + "\n";
    let input = child.stdin.as_mut().ok_or_else(|| internal("it has no standard input".to_owned()))?;
    input.write_all(notice.as_bytes()).map_err(|error| internal(error.to_string()))
}

fn end(mut standby: Standby) {
    // It may have ended by itself.
    let _ = standby.child.kill();
    // Or else it would be a zombie.
    let _ = standby.child.wait();
}
