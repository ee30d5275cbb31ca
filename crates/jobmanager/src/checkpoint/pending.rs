//! A checkpoint that is under way.
//!
//! ```text
//!  Preparing ──────────────▶ Triggered ───────▶ Acknowledged ─────▶ Finalizing ──────▶ complete
//!  a place for its files,    barriers flow,     waits while the     the storage has    (registered,
//!  the enumerators' states   tasks answer       storage is busy     the last word       tasks are told)
//!      │                         │                  │                 │      ▲ │
//!      └──── failure, time-out ──┴──────────────────┘                 │      └─┘ unknown: asked again
//!                  ▼                                                  ▼
//!               aborted ◀──────────────────────────────────────── refused
//! ```
//! Once it is finalizing it cannot be aborted any more: the register may have it already. Whoever must know waits.

use super::CheckpointFailure;
use crate::event::Now;
use flott_core::{
    id::{AttemptId, CheckpointId, SubtaskId, VertexId},
    snapshot::SubtaskSnapshot,
};
use flott_rpc::{
    client::RequestId,
    task::{SnapshotKind, SubtaskCheckpointStats},
};
use flott_storage::CheckpointMetadata;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    Checkpoint,
    Savepoint { directory: Option<String> },
    Stop { directory: Option<String>, drain: bool },
}

/// Why a checkpoint is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is time.
    Periodic,
    /// Input has ended: tasks wait for it to commit and finish.
    Final,
    /// The job's parallelism is about to change.
    Rescale,
    /// A client asked for it.
    Client { request: RequestId, wanted: Wanted },
}

/// How far a checkpoint is.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
    Preparing {
        begun: bool,
        enumerators: BTreeSet<VertexId>,
    },
    Triggered,
    Acknowledged,
    Finalizing {
        metadata: Arc<CheckpointMetadata>,
        /// How often the outcome was unknown.
        unknown: u32,
        /// When to ask again; `None` while an answer is awaited.
        retry_at: Option<Duration>,
    },
}

/// A task's part.
#[derive(Debug, Clone)]
pub(crate) struct Participant {
    pub(crate) attempt: AttemptId,
    pub(crate) acknowledged: Option<Acknowledgement>,
}

/// A task's answer. Once the metadata is made only the final state of tasks that finish is kept here.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledgement {
    pub(crate) snapshot: Option<Arc<SubtaskSnapshot>>,
    pub(crate) finished: bool,
    pub(crate) stats: SubtaskCheckpointStats,
    pub(crate) bytes: u64,
}

/// A checkpoint that is under way.
#[derive(Debug, Clone)]
pub(crate) struct PendingCheckpoint {
    pub(crate) id: CheckpointId,
    pub(crate) kind: SnapshotKind,
    pub(crate) cause: Cause,
    pub(crate) started: Now,
    pub(crate) phase: Phase,
    pub(crate) participants: BTreeMap<SubtaskId, Participant>,
    /// How many of them have answered.
    pub(crate) answered: usize,
    /// The states of the enumerators.
    pub(crate) enumerators: BTreeMap<VertexId, Vec<u8>>,
}

impl PendingCheckpoint {
    pub(crate) fn is_finalizing(&self) -> bool {
        matches!(self.phase, Phase::Finalizing { .. })
    }

    pub(crate) fn is_preparing(&self) -> bool {
        matches!(self.phase, Phase::Preparing { .. })
    }

    /// Whether everything is there that must be before barriers may flow.
    pub(crate) fn is_prepared(&self) -> bool {
        matches!(&self.phase, Phase::Preparing { begun: true, enumerators } if enumerators.is_empty())
    }

    /// Takes an answer. `false` if none was awaited.
    pub(crate) fn acknowledge(&mut self, attempt: AttemptId, snapshot: SubtaskSnapshot, stats: SubtaskCheckpointStats) -> bool {
        if !matches!(self.phase, Phase::Triggered) {
            return false;
        }
        match self.participants.get_mut(&attempt.subtask) {
            Some(participant) if participant.attempt == attempt && participant.acknowledged.is_none() => {
                let (finished, bytes) = (snapshot.finished, snapshot.bytes());
                participant.acknowledged = Some(Acknowledgement { snapshot: Some(Arc::new(snapshot)), finished, stats, bytes });
                self.answered += 1;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn all_acknowledged(&self) -> bool {
        self.answered == self.participants.len()
    }

    /// Whether the attempt still has to answer.
    pub(crate) fn waits_for(&self, attempt: AttemptId) -> bool {
        matches!(self.phase, Phase::Preparing { .. } | Phase::Triggered)
            && self.participants.get(&attempt.subtask).is_some_and(|task| task.attempt == attempt && task.acknowledged.is_none())
    }

    /// Whether, once complete, it may hold the final state of a task that is at the end of its data: its answer says so, or is awaited.
    pub(crate) fn may_cover(&self, attempt: AttemptId) -> bool {
        self.participants
            .get(&attempt.subtask)
            .is_some_and(|task| task.attempt == attempt && task.acknowledged.as_ref().is_none_or(|acknowledged| acknowledged.finished))
    }

    /// The failure of a checkpoint whose time is over.
    pub(crate) fn expired(&self) -> CheckpointFailure {
        let mut missing = Vec::new();
        match &self.phase {
            Phase::Preparing { begun, enumerators } => {
                missing.extend((!begun).then(|| "the storage".to_owned()));
                missing.extend(enumerators.iter().map(|vertex| format!("enumerator of {vertex}")));
            }
            _ => missing.extend(self.participants.values().filter(|task| task.acknowledged.is_none()).map(|task| task.attempt.to_string())),
        }
        CheckpointFailure::Expired { missing: missing.len(), first: missing.into_iter().next().unwrap_or_default() }
    }
}
