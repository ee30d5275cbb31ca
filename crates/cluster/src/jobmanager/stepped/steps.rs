//! What a stepped JobManager is given, and what it hands out.

use crate::{
    jobmanager::{decisions::Writing, records::RunningRecord},
    launch::Launch,
    storage_thread::{StorageAction, perform},
};
use flott_core::{
    Timestamp,
    id::{CheckpointId, JobId},
};
use flott_graph::{JobTopology, settings::JobSettings};
use flott_ha::JobStore;
use flott_jobmanager::JobEvent;
use flott_rpc::{
    client::JobOutcome,
    control::{Program, ToTaskManager, ToWorker},
};
use flott_storage::{CheckpointMetadata, FileStorage};
use std::{fmt, sync::Arc};

/// Makes sure that a job is not run again: where the jobs of its leader are, its number, what is kept of it, when it ended. `false`: another leads.
pub type JobEnding = Arc<dyn Fn(&JobStore, JobId, &[u8], Timestamp) -> bool + Send + Sync>;

/// Something that goes out over a connection.
#[derive(Debug)]
pub enum Sent {
    /// To a TaskManager.
    TaskManager(ToTaskManager),
    /// To a worker.
    Worker(Box<ToWorker>),
    /// Nothing follows: the connection is closed.
    Closed,
}

/// A job to run.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its number.
    pub id: JobId,
    /// The program.
    pub program: Program,
    /// Its graph.
    pub topology: JobTopology,
    /// What it is run with.
    pub settings: JobSettings,
    /// Decides what is random in it.
    pub seed: u64,
}

/// A job of the leader before that is ready to be taken over.
pub struct Prepared {
    pub(super) id: JobId,
    pub(super) record: RunningRecord,
    pub(super) launch: Launch,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Prepared {
    /// The checkpoint that it starts from.
    pub fn from(&self) -> Option<CheckpointId> {
        self.launch.master.checkpoints().latest().map(|latest| latest.metadata.checkpoint)
    }

    /// The job.
    pub fn job(&self) -> JobId {
        self.id
    }

    /// Its term in its storage.
    pub fn storage_epoch(&self) -> u64 {
        self.launch.epoch
    }
}

/// What a job's thread has done.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It goes on.
    Went,
    /// It has taken over: so many of all its tasks go on.
    Recovered {
        /// Those that go on.
        going_on: usize,
        /// All.
        all: usize,
    },
    /// It has ended.
    Ended(Box<JobOutcome>),
    /// It is another's.
    Suspended,
}

/// What a job wants of its storage.
#[derive(Debug)]
pub struct StorageStep {
    /// The thread that hears the answers.
    pub thread: u64,
    /// Its job.
    pub job: JobId,
    /// Its term in its storage.
    pub epoch: u64,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Checkpoints(Arc<FileStorage>, StorageAction),
    Decisions(Writing),
}

impl StorageStep {
    /// The same in another term.
    pub fn in_term(mut self, epoch: u64) -> Self {
        self.epoch = epoch;
        if let What::Checkpoints(_, StorageAction::Complete { metadata, .. }) = &mut self.what {
            *metadata = Arc::new(CheckpointMetadata { epoch, ..(**metadata).clone() });
        }
        self
    }

    /// Does it, and gives the answers.
    pub fn perform(self) -> Vec<JobEvent> {
        match self.what {
            What::Checkpoints(storage, action) => {
                perform(storage.as_ref(), self.epoch, action).into_iter().map(JobEvent::Storage).collect()
            }
            What::Decisions(writing) => {
                writing.run();
                Vec::new()
            }
        }
    }

    /// Whether it stores what was decided of the job, for which neither its checkpoints wait nor it for them.
    pub fn is_decision(&self) -> bool {
        matches!(self.what, What::Decisions(_))
    }
}
