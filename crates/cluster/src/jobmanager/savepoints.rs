//! The removal of savepoints that nobody needs any more. A path that a client names is compared with those of the savepoints that are
//! known, and never used: what is removed is what this JobManager has found itself.

use super::{CheckpointEnd, JobHistory, JobManager};
use flott_core::{Error, ErrorKind, id::JobId};
use flott_graph::settings::{ClaimMode, JobSettings};
use flott_storage::{CheckpointDirectory, StorageError, named_folder};
use std::{collections::BTreeSet, path::Path, sync::Arc};

/// Why a savepoint was not removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DisposeError {
    /// It is none that this JobManager knows.
    #[error(
        "no savepoint is known at `{path}`: give the path that was told when it was taken; one that no job of this JobManager's history has \
         taken is found only in the directory that the JobManager's `execution.checkpointing.savepoint-dir` names; remove others by hand"
    )]
    Unknown {
        /// What was named.
        path: String,
    },
    /// It is a checkpoint.
    #[error(
        "`{path}` is a checkpoint of job {job}, and no savepoint: checkpoints are removed by their job, whose register names them; remove the \
         whole folder of the job by hand if nobody is to start from it any more"
    )]
    Checkpoint {
        /// Its folder.
        path: String,
        /// Whose it is.
        job: JobId,
    },
    /// A job needs it.
    #[error("job {job} {why} `{path}`: {what}")]
    InUse {
        /// Its folder.
        path: String,
        /// Who needs it.
        job: JobId,
        /// What for.
        why: &'static str,
        /// What to do.
        what: &'static str,
    },
    /// A job is just being started, perhaps from it.
    #[error("a job is being started, perhaps from this savepoint: try again in a moment")]
    Starting,
    /// This JobManager does not lead.
    #[error(transparent)]
    NotLeader(Error),
    /// It is not whole, or the storage does not answer.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<DisposeError> for Error {
    fn from(error: DisposeError) -> Self {
        match error {
            DisposeError::NotLeader(error) => error,
            DisposeError::Storage(error) => error.into(),
            DisposeError::Starting => Error::new(ErrorKind::Unavailable, DisposeError::Starting.to_string()),
            refused => Error::invalid(refused.to_string()),
        }
    }
}

/// A job as far as savepoints go.
struct Known {
    id: JobId,
    ended: bool,
    settings: Arc<JobSettings>,
    history: JobHistory,
}

impl JobManager {
    /// Removes a savepoint: the files that belong to it, then its folder if nothing else is in it. It must be one that a job of this
    /// JobManager has taken, or lie in a directory for savepoints that is configured, its own or that of a job.
    ///
    /// # Errors
    /// It is none of these, a job needs it, or the storage does not answer.
    pub fn dispose_savepoint(&self, named: &str) -> Result<(), DisposeError> {
        let path = named_folder(named)?;
        let (jobs, starting) = {
            let state = self.lock();
            if state.term.is_none() {
                return Err(DisposeError::NotLeader(self.leads_no_more()));
            }
            let known = state.jobs.iter().map(|(id, job)| Known {
                id: *id,
                ended: job.ended_at.is_some(),
                settings: job.settings.clone(),
                history: job.history.read(),
            });
            (known.collect::<Vec<_>>(), !state.starting.is_empty())
        };
        let found = match taken(&jobs, &path)? {
            Some(found) => found,
            None => self.listed(&jobs, &path)?,
        };
        if starting {
            return Err(DisposeError::Starting);
        }
        check_unused(&jobs, &found)?;
        directory_of(&found)?.dispose_savepoint(&found)?;
        tracing::info!(savepoint = %found, "a savepoint was removed");
        Ok(())
    }

    /// The savepoint in a configured directory whose folder is `path`, as the listing has it.
    fn listed(&self, jobs: &[Known], path: &str) -> Result<String, DisposeError> {
        let own = self.0.options.savepoints.as_deref();
        let of_jobs = jobs.iter().filter_map(|job| job.settings.checkpoints.savepoint_dir.as_deref());
        let directories: BTreeSet<String> = own.into_iter().chain(of_jobs).map(|dir| dir.to_string_lossy().into_owned()).collect();
        for directory in directories {
            // Of another file system than this build has nothing can be there.
            let Ok(directory) = CheckpointDirectory::on_disk(&directory) else { continue };
            if let Some(found) = directory.savepoints()?.into_iter().find(|folder| folder == path) {
                return Ok(found);
            }
        }
        Err(DisposeError::Unknown { path: path.to_owned() })
    }
}

/// The directory that a savepoint is in.
fn directory_of(folder: &str) -> Result<CheckpointDirectory, StorageError> {
    let parent = Path::new(folder).parent().and_then(Path::to_str).unwrap_or(folder);
    CheckpointDirectory::on_disk(parent)
}

/// The savepoint at `path` that a job has taken, as its history has it.
fn taken(jobs: &[Known], path: &str) -> Result<Option<String>, DisposeError> {
    for job in jobs {
        for record in &job.history.checkpoints {
            match &record.end {
                Some(CheckpointEnd::Completed(summary)) if summary.location == path => {
                    if record.savepoint {
                        return Ok(Some(summary.location.clone()));
                    }
                    return Err(DisposeError::Checkpoint { path: path.to_owned(), job: job.id });
                }
                _ => {}
            }
        }
    }
    Ok(None)
}

/// That no job needs the savepoint in `folder`.
fn check_unused(jobs: &[Known], folder: &str) -> Result<(), DisposeError> {
    for job in jobs.iter().filter(|job| !job.ended) {
        let (why, what) = match need(job, folder) {
            None => continue,
            Some(Need::Owns) => {
                ("owns", "it was started with the claim mode CLAIM, and removes it itself when a newer checkpoint has its place")
            }
            Some(Need::MayRestart) => {
                ("would go back after a failure to", "try again when it has taken a checkpoint of its own, or has ended")
            }
            Some(Need::EndsWith) => ("is just ending with", "try again when it has ended"),
        };
        return Err(DisposeError::InUse { path: folder.to_owned(), job: job.id, why, what });
    }
    Ok(())
}

/// What a job needs a savepoint for.
enum Need {
    /// It has claimed it.
    Owns,
    /// It has started from it and has no newer checkpoint.
    MayRestart,
    /// It stops with it.
    EndsWith,
}

fn need(job: &Known, folder: &str) -> Option<Need> {
    let started_from = job.settings.restore.as_ref().filter(|restore| named_folder(&restore.path).is_ok_and(|path| path == folder));
    if started_from.is_some_and(|restore| restore.claim == ClaimMode::Claim) {
        return Some(Need::Owns);
    }
    let last_restored = match &job.history.restore {
        Some(restore) => (restore.location == folder).then_some(restore.at),
        // It has not come so far.
        None => started_from.map(|_| i64::MIN),
    };
    let completed = job.history.checkpoints.iter().filter_map(|record| match &record.end {
        Some(CheckpointEnd::Completed(summary)) => Some((record, summary)),
        _ => None,
    });
    let mut completed = completed.peekable();
    if completed.peek().is_some_and(|(record, summary)| record.stops && summary.location == folder) {
        return Some(Need::EndsWith);
    }
    let restored_at = last_restored?;
    let newer = completed.any(|(record, summary)| !record.savepoint && summary.completed_at > restored_at);
    (!newer).then_some(Need::MayRestart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobmanager::{CheckpointRecord, RestoreRecord};
    use flott_core::id::CheckpointId;
    use flott_graph::settings::RestoreSettings;
    use flott_rpc::client::CheckpointSummary;

    const FOLDER: &str = "/saved/savepoint-abcdef-1";

    fn record(location: &str, savepoint: bool, at: i64) -> CheckpointRecord {
        let summary = CheckpointSummary {
            checkpoint: CheckpointId(1),
            location: location.to_owned(),
            savepoint,
            duration: std::time::Duration::ZERO,
            bytes: 0,
            longest_sync: std::time::Duration::ZERO,
            longest_step: std::time::Duration::ZERO,
            longest_alignment: std::time::Duration::ZERO,
            completed_at: at,
        };
        CheckpointRecord {
            id: CheckpointId(1),
            triggered_at: at,
            savepoint,
            stops: false,
            subtasks: 1,
            parallelism: Vec::new(),
            end: Some(CheckpointEnd::Completed(summary)),
            acknowledged: Arc::default(),
        }
    }

    fn job(restore: Option<(&str, ClaimMode)>, checkpoints: Vec<CheckpointRecord>) -> Known {
        let restore = restore.map(|(path, claim)| RestoreSettings { path: path.to_owned(), claim, allow_non_restored_state: false });
        let settings = Arc::new(JobSettings { restore, ..JobSettings::default() });
        let mut history = JobHistory::default();
        history.checkpoints.extend(checkpoints);
        Known { id: JobId(1), ended: false, settings, history }
    }

    #[test]
    fn only_a_savepoint_of_the_history_is_found_there() {
        let jobs = [job(None, vec![record("/c/chk-7", false, 5), record(FOLDER, true, 6)])];
        assert_eq!(taken(&jobs, FOLDER).unwrap().as_deref(), Some(FOLDER));
        assert!(matches!(taken(&jobs, "/c/chk-7"), Err(DisposeError::Checkpoint { job: JobId(1), .. })));
        for other in ["/saved", "/saved/savepoint-abcdef-10", "/saved/../saved/savepoint-abcdef-1", ""] {
            assert_eq!(taken(&jobs, other).unwrap(), None, "{other}");
        }
    }

    #[test]
    fn a_savepoint_that_a_job_has_claimed_or_may_go_back_to_is_needed() {
        let in_use = |job: Known| matches!(check_unused(&[job], FOLDER), Err(DisposeError::InUse { .. }));
        assert!(!in_use(job(None, vec![record(FOLDER, true, 6)])), "whoever has taken it does not need it");
        assert!(in_use(job(Some(("file:///saved/savepoint-abcdef-1/_metadata", ClaimMode::Claim)), vec![record("/c/chk-7", false, 9)])));
        let started = |checkpoints: Vec<CheckpointRecord>| {
            let mut job = job(Some((FOLDER, ClaimMode::NoClaim)), checkpoints);
            job.history.restore = Some(RestoreRecord { at: 5, checkpoint: CheckpointId(1), savepoint: true, location: FOLDER.to_owned() });
            job
        };
        assert!(in_use(started(Vec::new())));
        assert!(in_use(started(vec![record("/saved/savepoint-2", true, 7)])), "nobody goes back to a savepoint of one's own");
        assert!(!in_use(started(vec![record("/c/chk-7", false, 7)])));
        assert!(in_use(job(Some((FOLDER, ClaimMode::NoClaim)), Vec::new())), "it has not begun to run");
        assert!(!in_use(Known { ended: true, ..job(Some((FOLDER, ClaimMode::Claim)), Vec::new()) }));
        let stops = job(None, vec![CheckpointRecord { stops: true, ..record(FOLDER, true, 7) }]);
        assert!(in_use(stops), "it is about to end with it");
    }
}
