//! The jobs of a cluster, as the leader of a term keeps them.
//!
//! A job is one value, `jobs/<id>`, with a state in it: that it ended is one conditional write of the same value, so that there is
//! never one record that says it runs and another that says it does not.
//!
//! Who writes has the lease before and after, and the value must not have changed in between. A change is reported as done only when
//! the lease was still there *after* it: then every later leader sees it. A new leader first rewrites what is running in its own term
//! ([`JobStore::recover`]), so that what an earlier leader is still about to write fails on its condition.

mod record;
#[cfg(test)]
mod tests;

use crate::{CoordinationStore, Expected, Key, RemoveOutcome, StoreError, Version, Versioned, WriteOutcome, election::read_lease};
use flott_core::{Timestamp, id::JobId};
use record::{JobRecord, JobState};
use std::sync::Arc;

/// Below which key jobs are.
const JOBS: &str = "jobs";
/// How often a change is tried when answers are lost or others change the same job.
const ATTEMPTS: usize = 5;

/// The jobs, for the leader of one term.
#[derive(Debug, Clone)]
pub struct JobStore {
    store: Arc<dyn CoordinationStore>,
    epoch: u64,
    holder: String,
}

/// A job that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningJob {
    /// Its id.
    pub id: JobId,
    /// What was given to [`JobStore::put_job`].
    pub bytes: Vec<u8>,
    /// The term in which it was last written.
    pub epoch: u64,
}

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedJob {
    /// Its id.
    pub id: JobId,
    /// What was given to [`JobStore::mark_ended`].
    pub bytes: Vec<u8>,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// All jobs.
#[derive(Debug, Default)]
pub struct StoredJobs {
    /// Those that are to run, by id.
    pub running: Vec<RunningJob>,
    /// Those that have ended, the last first.
    pub ended: Vec<EndedJob>,
    /// Why some could not be read: the damage of one must not keep the others from running.
    pub damaged: Vec<StoreError>,
}

/// How a job was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum PutOutcome {
    /// It is stored.
    Stored,
    /// It has ended, and stays so; nothing was done.
    HasEnded,
}

/// What a change makes of a job.
enum Change {
    Write(JobRecord),
    Remove,
    Leave,
}

/// How a change went.
#[derive(PartialEq, Eq)]
enum Changed {
    Done,
    Left,
}

impl JobStore {
    /// The jobs in `store`, for the leader `holder` of the term `epoch`: what the election granted.
    pub fn new(store: Arc<dyn CoordinationStore>, epoch: u64, holder: impl Into<String>) -> Self {
        JobStore { store, epoch, holder: holder.into() }
    }

    /// The term.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What a new leader begins with: all jobs, of which those that are to run are its own from now on. What an earlier leader has
    /// reported as done is in it, and what it has not can no longer be done.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if another leads; the store does not answer.
    pub fn recover(&self) -> Result<StoredJobs, StoreError> {
        self.check_lease()?;
        for key in self.store.list(&jobs_key())? {
            let Some(id) = job_id(&key) else { continue };
            let adopt = |found: Option<&JobRecord>| match found {
                Some(record) if record.state == JobState::Running => Change::Write(JobRecord { epoch: self.epoch, ..record.clone() }),
                _ => Change::Leave,
            };
            match self.change(id, "write", adopt) {
                // It is read again below, and reported there.
                Ok(_) | Err(StoreError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.jobs()
    }

    /// All jobs as they are stored now.
    ///
    /// # Errors
    /// The store does not answer.
    pub fn jobs(&self) -> Result<StoredJobs, StoreError> {
        let mut jobs = StoredJobs::default();
        for key in self.store.list(&jobs_key())? {
            let Some(id) = job_id(&key) else { continue };
            match self.load(&key) {
                // It was removed just now.
                Ok(None) => {}
                Ok(Some((JobRecord { epoch, state, bytes }, _))) => match state {
                    JobState::Running => jobs.running.push(RunningJob { id, bytes, epoch }),
                    JobState::Ended { ended_at } => jobs.ended.push(EndedJob { id, bytes, ended_at }),
                },
                Err(error @ StoreError::Damaged { .. }) => jobs.damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        jobs.ended.sort_by_key(|job| std::cmp::Reverse((job.ended_at, job.id)));
        Ok(jobs)
    }

    /// Stores a job that is to run, or replaces what is stored of it. A job that has ended stays as it is.
    ///
    /// After [`StoreError::Unknown`] the job may be stored later still: whoever gives it up calls [`mark_ended`](Self::mark_ended),
    /// not [`remove`](Self::remove).
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if another leads; the store does not answer; what is stored is damaged.
    pub fn put_job(&self, id: JobId, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        let put = |found: Option<&JobRecord>| match found {
            Some(JobRecord { state: JobState::Ended { .. }, .. }) => Change::Leave,
            _ => Change::Write(JobRecord { epoch: self.epoch, state: JobState::Running, bytes: bytes.to_vec() }),
        };
        let changed = self.change(id, "write", put)?;
        Ok(if changed == Changed::Done { PutOutcome::Stored } else { PutOutcome::HasEnded })
    }

    /// Replaces what is stored of a job that is to run. A job that has ended stays as it is, also if it was forgotten since.
    ///
    /// # Errors
    /// As for [`put_job`](Self::put_job).
    pub fn replace_job(&self, id: JobId, bytes: &[u8]) -> Result<PutOutcome, StoreError> {
        let replace = |found: Option<&JobRecord>| match found {
            Some(JobRecord { state: JobState::Running, .. }) => {
                Change::Write(JobRecord { epoch: self.epoch, state: JobState::Running, bytes: bytes.to_vec() })
            }
            _ => Change::Leave,
        };
        let changed = self.change(id, "write", replace)?;
        Ok(if changed == Changed::Done { PutOutcome::Stored } else { PutOutcome::HasEnded })
    }

    /// Stores that a job has ended, in place of what is stored of it: from now on no leader runs it. `bytes` are for history.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if another leads; the store does not answer; what is stored is damaged.
    pub fn mark_ended(&self, id: JobId, bytes: &[u8], ended_at: Timestamp) -> Result<(), StoreError> {
        let ended = JobRecord { epoch: self.epoch, state: JobState::Ended { ended_at }, bytes: bytes.to_vec() };
        self.change(id, "write", |_| Change::Write(ended.clone())).map(|_| ())
    }

    /// The jobs that have ended, the last first. Damaged ones are left out: see [`jobs`](Self::jobs).
    ///
    /// # Errors
    /// The store does not answer.
    pub fn ended(&self) -> Result<Vec<EndedJob>, StoreError> {
        Ok(self.jobs()?.ended)
    }

    /// Forgets a job altogether.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if another leads; the store does not answer; what is stored is damaged.
    pub fn remove(&self, id: JobId) -> Result<(), StoreError> {
        let remove = |found: Option<&JobRecord>| if found.is_some() { Change::Remove } else { Change::Leave };
        self.change(id, "remove", remove).map(|_| ())
    }

    /// Forgets jobs that have ended, all but the last `keep`. Returns how many.
    ///
    /// # Errors
    /// As for [`remove`](Self::remove).
    pub fn prune_ended(&self, keep: usize) -> Result<usize, StoreError> {
        let ended = self.jobs()?.ended;
        let surplus = ended.get(keep..).unwrap_or_default();
        surplus.iter().try_for_each(|job| self.remove(job.id))?;
        Ok(surplus.len())
    }

    /// Changes a job as `change` says of what is stored of it, which it may be asked several times.
    fn change(&self, id: JobId, action: &'static str, change: impl Fn(Option<&JobRecord>) -> Change) -> Result<Changed, StoreError> {
        let key = jobs_key().join(&id.to_string()).expect("the id of a job is a segment of a key");
        let mut failure = None;
        for _ in 0..ATTEMPTS {
            self.check_lease()?;
            let found = self.load(&key)?;
            let (record, version) = found.unzip();
            if let Some(JobRecord { epoch, .. }) = record
                && epoch > self.epoch
            {
                return Err(StoreError::Fenced { epoch: self.epoch, current: Some(epoch) });
            }
            let done = match (change(record.as_ref()), version) {
                (Change::Leave, _) => return Ok(Changed::Left),
                // An earlier attempt was done after all.
                (Change::Write(wanted), _) if record.as_ref() == Some(&wanted) => self.confirm(),
                (Change::Write(wanted), version) => self.write(&key, &wanted, version),
                (Change::Remove, Some(version)) => self.remove_version(&key, &version),
                (Change::Remove, None) => return Ok(Changed::Left),
            };
            match done {
                Ok(true) => return Ok(Changed::Done),
                // Somebody else has changed it meanwhile.
                Ok(false) => {}
                Err(error) if error.is_unknown() => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        let (key, store) = (key.to_string(), format!("{:?}", self.store));
        Err(failure.unwrap_or_else(|| StoreError::NotDone { action, key, store, source: "it changes all the time".into() }))
    }

    fn write(&self, key: &Key, record: &JobRecord, version: Option<Version>) -> Result<bool, StoreError> {
        let is_new = version.is_none();
        let expected = version.map_or(Expected::Absent, Expected::Version);
        let WriteOutcome::Written(version) = self.store.write(key, &record.encode(), &expected)? else { return Ok(false) };
        let confirmed = self.confirm();
        if is_new && record.state == JobState::Running && confirmed.as_ref().is_err_and(StoreError::is_fenced) {
            // Nobody was told that the job is there, and the new leader may have looked before: it would come to life with the leader
            // after that. If this fails, it does.
            let _ = self.store.remove(key, &version);
        }
        confirmed
    }

    fn remove_version(&self, key: &Key, version: &Version) -> Result<bool, StoreError> {
        match self.store.remove(key, version)? {
            RemoveOutcome::Removed => self.confirm(),
            RemoveOutcome::Conflict => Ok(false),
        }
    }

    /// After a change: it counts if the lease is still ours, since a later leader has not looked yet. If that cannot be found out,
    /// nobody knows whether the change counts.
    fn confirm(&self) -> Result<bool, StoreError> {
        match self.check_lease() {
            Ok(()) => Ok(true),
            Err(StoreError::NotDone { key, store, source, .. }) => Err(StoreError::Unknown { action: "write", key, store, source }),
            Err(error) => Err(error),
        }
    }

    fn check_lease(&self) -> Result<(), StoreError> {
        let lease = read_lease(self.store.as_ref())?.map(|lease| lease.record);
        match lease {
            Some(record) if record.epoch == self.epoch && record.holder == self.holder && !record.released => Ok(()),
            found => {
                Err(StoreError::Fenced { epoch: self.epoch, current: found.filter(|record| !record.released).map(|record| record.epoch) })
            }
        }
    }

    fn load(&self, key: &Key) -> Result<Option<(JobRecord, Version)>, StoreError> {
        let Some(Versioned { bytes, version }) = self.store.read(key)? else { return Ok(None) };
        Ok(Some((JobRecord::decode(key, &bytes)?, version)))
    }
}

fn jobs_key() -> Key {
    Key::new(JOBS).expect("the name of the jobs is a key")
}

fn job_id(key: &Key) -> Option<JobId> {
    let id = JobId(u128::from_str_radix(key.name(), 16).ok()?);
    (id.to_string() == key.name()).then_some(id)
}
