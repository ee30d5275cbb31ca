//! What is stored of jobs, for the next leader and for history: MessagePack with the names of fields.

use super::{JobHistory, last_figures};
use flott_core::{
    Error, ErrorKind, Timestamp,
    error::TaskFailure,
    id::{JobId, SubtaskId},
};
use flott_graph::{JobTopology, settings::JobSettings};
use flott_jobmanager::JobMaster;
use flott_rpc::{
    client::{CheckpointCounts, JobEnd, JobOutcome, JobOverview, ParallelismBounds, RescaleTotals},
    control::Program,
    figures::TaskFigures,
    status::{JobStatus, TaskStatus},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// A job that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RunningRecord {
    pub(super) program: Program,
    pub(super) topology: JobTopology,
    pub(super) settings: JobSettings,
    /// When it was submitted, ms since 1970.
    pub(super) started: Timestamp,
    /// The secret that its workers share.
    pub(super) token: String,
    /// Its first term in its checkpoint storage, and the leader's at that time: with every leader the former goes up with the latter.
    pub(super) storage_epoch: u64,
    pub(super) leader_epoch: u64,
    /// What its parallelism may be, if somebody has asked for that since.
    #[serde(default)]
    pub(super) bounds: Option<Vec<ParallelismBounds>>,
    /// How it ends, if that is decided and its tasks have yet to.
    #[serde(default)]
    pub(super) end: Option<JobEnd>,
}

impl RunningRecord {
    /// Its term in its checkpoint storage under the leader of the term `epoch`.
    pub(super) fn storage_epoch_of(&self, epoch: u64) -> u64 {
        self.storage_epoch.saturating_add(epoch.saturating_sub(self.leader_epoch))
    }

    /// Tells the job's next master what was decided of it.
    pub(super) fn hand_over(&self, master: &mut JobMaster) {
        if let Some(bounds) = &self.bounds {
            master.take_over_bounds(bounds.clone());
        }
        if let Some(end) = &self.end {
            master.take_over_end(end.clone());
        }
    }
}

/// A job that runs, as far as it is needed to tell of it when its JobManager has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BegunRecord {
    pub(super) program: Program,
    pub(super) topology: JobTopology,
    pub(super) settings: JobSettings,
    /// When it was submitted, ms since 1970.
    pub(super) started: Timestamp,
}

impl BegunRecord {
    pub(super) fn of(running: &RunningRecord) -> Self {
        let RunningRecord { program, topology, settings, started, .. } = running.clone();
        BegunRecord { program, topology, settings, started }
    }
}

/// A job that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct EndedRecord {
    pub(super) program: Program,
    pub(super) topology: JobTopology,
    pub(super) settings: JobSettings,
    /// When it was submitted, and when it ended, ms since 1970.
    pub(super) started: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) history: JobHistory,
    pub(super) overview: JobOverview,
    pub(super) outcome: JobOutcome,
    /// The TaskManager of each slot that it has had.
    pub(super) slots: BTreeMap<u32, String>,
    /// What its tasks had counted; what an older release has stored has none.
    #[serde(default)]
    pub(super) figures: Vec<TaskFigures>,
}

impl EndedRecord {
    /// With as much of what its tasks had counted as is stored. Takes a moment where there are many.
    pub(super) fn into_stored(mut self) -> Self {
        self.figures = last_figures::to_store(self.figures, &mut self.history);
        self
    }

    /// Of a job of which nothing is known but that it has failed, which was at `now` or before.
    pub(super) fn failed(id: JobId, begun: BegunRecord, now: Timestamp, failure: TaskFailure) -> Self {
        let BegunRecord { program, topology, settings, started } = begun;
        let tasks = topology
            .vertices
            .iter()
            .flat_map(|vertex| (0..vertex.parallelism).map(|index| (SubtaskId { vertex: vertex.id, index }, TaskStatus::Created)));
        let overview = JobOverview {
            id,
            name: topology.name.clone(),
            status: JobStatus::Failed,
            tasks: tasks.collect(),
            checkpoints: CheckpointCounts::default(),
            restarts: 0,
            failures: vec![failure.clone()],
            requirements: Vec::new(),
            slots_wanted: 0,
            rescales: Vec::new(),
            rescale_totals: RescaleTotals::default(),
            stopped: None,
        };
        let history = JobHistory::never_run(started, now, failure.clone());
        let (end, accumulators) = (JobEnd::Failed(failure), BTreeMap::new());
        let outcome = JobOutcome { end, accumulators, restarts: 0, checkpoints: CheckpointCounts::default() };
        let (slots, figures) = (BTreeMap::new(), Vec::new());
        EndedRecord { program, topology, settings, started, ended: now, history, overview, outcome, slots, figures }
    }
}

/// A record as bytes.
///
/// # Errors
/// It has no form in bytes.
pub(super) fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, Error> {
    rmp_serde::to_vec_named(record).map_err(|error| Error::new(ErrorKind::Internal, "a job cannot be stored").with_source(error))
}

/// A record from its bytes.
///
/// # Errors
/// They are damaged, or another release has written them.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    rmp_serde::from_slice(bytes).map_err(|error| {
        Error::new(ErrorKind::Data, "what is stored of a job cannot be read: has another release written it?").with_source(error)
    })
}
