//! The thread that performs a job's storage actions, in their order.

use flott_core::id::{CheckpointId, JobId};
use flott_jobmanager::{
    JobEvent,
    event::{CompletionOutcome, StorageReport},
};
use flott_rpc::task::SnapshotKind;
use flott_runtime::panics::catching;
use flott_storage::{CheckpointMetadata, CheckpointStorage, Removal, SnapshotTarget, StorageError};
use std::{
    sync::{Arc, mpsc},
    thread,
};

/// Something to do.
#[derive(Debug)]
pub(crate) enum StorageAction {
    Begin {
        checkpoint: CheckpointId,
        kind: SnapshotKind,
    },
    Complete {
        metadata: Arc<CheckpointMetadata>,
        kind: SnapshotKind,
    },
    Discard {
        checkpoint: CheckpointId,
        kind: SnapshotKind,
    },
    Retain(u32),
    DiscardAll,
    /// Says when everything before it was done.
    Flush(mpsc::Sender<()>),
}

/// Where a snapshot of this kind goes.
pub(crate) fn target_of(kind: &SnapshotKind) -> SnapshotTarget {
    match kind {
        SnapshotKind::Checkpoint => SnapshotTarget::Checkpoint,
        SnapshotKind::Savepoint { folder } | SnapshotKind::StopWithSavepoint { folder, .. } => {
            SnapshotTarget::Savepoint { folder: folder.clone() }
        }
    }
}

/// Starts the thread. It ends when the returned sender is dropped.
pub(crate) fn start(
    storage: Arc<dyn CheckpointStorage>,
    job: JobId,
    epoch: u64,
    report: impl Fn(JobEvent) + Send + 'static,
) -> std::io::Result<mpsc::Sender<StorageAction>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("flott-storage".to_owned()).spawn(move || {
        while let Ok(action) = receiver.recv() {
            let panicked = answer_of_a_panic(&action);
            let answers = catching(|| perform(storage.as_ref(), epoch, action)).unwrap_or_else(|panic| {
                tracing::error!(panic = %panic.message, at = panic.location, "a storage action panicked");
                vec![panicked]
            });
            for answer in answers {
                tracing::trace!(%job, ?answer, "storage");
                report(JobEvent::Storage(answer));
            }
        }
    })?;
    Ok(sender)
}

/// What the job is told if an action does not return: nobody knows how far it came.
fn answer_of_a_panic(action: &StorageAction) -> StorageReport {
    let reason = || "the storage panicked; see the log".to_owned();
    match action {
        StorageAction::Begin { checkpoint, .. } => StorageReport::Begun { checkpoint: *checkpoint, outcome: Err(reason()) },
        StorageAction::Complete { metadata, .. } => {
            StorageReport::Completed { checkpoint: metadata.checkpoint, outcome: CompletionOutcome::Unknown(reason()) }
        }
        StorageAction::Discard { .. } | StorageAction::Retain(_) | StorageAction::DiscardAll | StorageAction::Flush(_) => {
            StorageReport::DiscardFailed(reason())
        }
    }
}

/// Does it.
pub(crate) fn perform(storage: &dyn CheckpointStorage, epoch: u64, action: StorageAction) -> Vec<StorageReport> {
    match action {
        StorageAction::Begin { checkpoint, kind } => match storage.begin(epoch, checkpoint, &target_of(&kind)) {
            Err(error) if error.is_fenced() => vec![StorageReport::Fenced(error.to_string())],
            begun => vec![StorageReport::Begun { checkpoint, outcome: begun.map_err(|error| error.to_string()) }],
        },
        StorageAction::Complete { metadata, kind } => {
            let outcome = match storage.complete(&target_of(&kind), &metadata) {
                Ok(completed) => CompletionOutcome::Complete(completed),
                Err(error) if error.is_fenced() => return vec![StorageReport::Fenced(error.to_string())],
                Err(error @ StorageError::Unconfirmed { .. }) => CompletionOutcome::Unknown(error.to_string()),
                Err(error) => CompletionOutcome::Failed(error.to_string()),
            };
            vec![StorageReport::Completed { checkpoint: metadata.checkpoint, outcome }]
        }
        StorageAction::Discard { checkpoint, kind } => removal_failed(storage.discard(epoch, checkpoint, &target_of(&kind))),
        StorageAction::Retain(keep) => removed(storage.retain(epoch, keep as usize)),
        StorageAction::DiscardAll => removed(storage.discard_all(epoch)),
        StorageAction::Flush(done) => {
            // Whoever waits may have given up.
            let _ = done.send(());
            Vec::new()
        }
    }
}

fn removed(removal: Result<Removal, StorageError>) -> Vec<StorageReport> {
    match removal {
        Ok(removal) => removal.failed.into_iter().map(|error| StorageReport::DiscardFailed(error.to_string())).collect(),
        Err(error) => removal_failed(Err(error)),
    }
}

fn removal_failed(result: Result<(), StorageError>) -> Vec<StorageReport> {
    match result {
        Ok(()) => Vec::new(),
        Err(error) if error.is_fenced() => vec![StorageReport::Fenced(error.to_string())],
        Err(error) => vec![StorageReport::DiscardFailed(error.to_string())],
    }
}
