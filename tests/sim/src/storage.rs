//! Performs storage actions, in their order, on real checkpoint storage in memory with faults.

use crate::{
    master::Link,
    plant::Plant,
    sim::{Seen, Sim, Term},
    world::{Happening, World},
};
use flott_core::id::CheckpointId;
use flott_jobmanager::{
    JobEvent,
    event::{CompletionOutcome, StorageReport},
};
use flott_rpc::task::SnapshotKind;
use flott_storage::{
    CheckpointDirectory, CheckpointMetadata, CheckpointStorage, FileStorage, Removal, SnapshotTarget, StorageError,
    files::{Fault, Faulty, FileSystem, MemoryFiles, Operation},
};
use std::{io, path::Path, sync::Arc, time::Duration};

/// Where all jobs have their checkpoints.
pub(crate) const DIRECTORY: &str = "/checkpoints";

/// Something that a JobMaster wants of its storage.
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
    /// A grace time after a term began: what crashes have left below this number.
    Sweep(CheckpointId),
}

fn target_of(kind: &SnapshotKind) -> SnapshotTarget {
    match kind {
        SnapshotKind::Checkpoint => SnapshotTarget::Checkpoint,
        SnapshotKind::Savepoint { folder } | SnapshotKind::StopWithSavepoint { folder, .. } => {
            SnapshotTarget::Savepoint { folder: folder.clone() }
        }
    }
}

/// The directory as jobs see it: operations fail, or their answers are lost.
pub(crate) fn faulty(sim: &Arc<Sim>, files: &MemoryFiles) -> CheckpointDirectory {
    let sim = sim.clone();
    let hook = move |operation: Operation, _: &Path| {
        if !sim.rare_fault(4) {
            return Fault::None;
        }
        sim.saw(Seen::StorageFault);
        let kind = sim.random().pick(&[io::ErrorKind::TimedOut, io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied]);
        let fault = match sim.random().below(3) {
            0 => Fault::Fail(kind),
            1 => Fault::Lost(kind),
            _ => Fault::Half(kind),
        };
        sim.trace(format_args!("fault {fault:?} of {operation:?}"));
        fault
    };
    CheckpointDirectory::new(Arc::new(Faulty::new(files.clone(), hook)), DIRECTORY).expect("the path is UTF-8")
}

/// The directory as it is.
pub(crate) fn honest(files: &MemoryFiles) -> CheckpointDirectory {
    CheckpointDirectory::new(Arc::new(files.clone()), DIRECTORY).expect("the path is UTF-8")
}

impl World {
    /// Hands an action to the storage, which is slow at times.
    pub(crate) fn store(&mut self, term: Term, action: StorageAction) {
        if self.sim.fault(3) {
            let slow = self.sim.random().millis(800);
            if let Some(master) = self.masters.get_mut(&term) {
                let now = self.sim.clock.now();
                let free = master.fifo.entry(Link::Storage).or_insert(now);
                *free = (*free).max(now) + slow;
            }
        }
        self.over(term, Link::Storage, Happening::Storage(term, action));
    }

    pub(crate) fn storage_performs(&mut self, term: Term, action: StorageAction) {
        let Some(master) = self.masters.get(&term) else { return };
        let (storage, mut epoch) = (master.storage.clone(), master.epoch);
        if self.sim.planted(Plant::OldMasterNotFenced) {
            let register = honest(&self.files).next_epoch().unwrap_or(1);
            epoch = epoch.max(register - 1);
        }
        self.sim.trace(format_args!("{term} storage {}", brief(&action)));
        let sim = self.sim.clone();
        let files = self.files.clone();
        let reports = perform(&sim, &files, &storage, epoch, action, |metadata| self.note_cut(metadata));
        self.check_registers();
        for report in reports {
            self.sim.trace(format_args!("{term} storage says {report:?}"));
            self.over(term, Link::StorageAnswers, Happening::ToMaster(term, JobEvent::Storage(report)));
        }
    }

    /// All memory is lost, and whatever was not made durable.
    pub(crate) fn power_fails(&mut self) {
        self.sim.saw(Seen::PowerFailed);
        self.sim.trace(format_args!("power fails"));
        self.files.power_failure();
        self.check_registers();
    }

    /// A moment at which a new term may look for what earlier ones left behind.
    pub(crate) fn sweep_later(&mut self, term: Term, below: CheckpointId) {
        let at = self.sim.clock.now() + Duration::from_millis(500);
        self.at(at, Happening::Sweep(term, below));
    }
}

/// Does what is wanted, on the storage of a job; `completed` hears of each checkpoint before anybody else.
pub(crate) fn perform(
    sim: &Sim,
    files: &MemoryFiles,
    storage: &FileStorage,
    epoch: u64,
    action: StorageAction,
    mut completed: impl FnMut(&CheckpointMetadata),
) -> Vec<StorageReport> {
    match action {
        StorageAction::Begin { checkpoint, kind } => match storage.begin(epoch, checkpoint, &target_of(&kind)) {
            Err(error) if error.is_fenced() => vec![StorageReport::Fenced(error.to_string())],
            begun => vec![StorageReport::Begun { checkpoint, outcome: begun.map_err(|error| error.to_string()) }],
        },
        StorageAction::Complete { metadata, kind } => {
            let metadata = if epoch == metadata.epoch { metadata } else { Arc::new(CheckpointMetadata { epoch, ..(*metadata).clone() }) };
            let outcome = match storage.complete(&target_of(&kind), &metadata) {
                Ok(done) => {
                    completed(&metadata);
                    CompletionOutcome::Complete(done)
                }
                Err(error) if error.is_fenced() => return vec![StorageReport::Fenced(error.to_string())],
                Err(error @ StorageError::Unconfirmed { .. }) => CompletionOutcome::Unknown(error.to_string()),
                Err(error) if sim.planted(Plant::FailedReportedComplete) => {
                    let last = honest(files).completed().ok().and_then(|found| found.checkpoints.into_iter().next());
                    last.map_or(CompletionOutcome::Failed(error.to_string()), CompletionOutcome::Complete)
                }
                Err(error) => CompletionOutcome::Failed(error.to_string()),
            };
            vec![StorageReport::Completed { checkpoint: metadata.checkpoint, outcome }]
        }
        StorageAction::Discard { checkpoint, kind } => removal_failed(storage.discard(epoch, checkpoint, &target_of(&kind))),
        StorageAction::Retain(keep) => {
            let removal = storage.retain(epoch, keep as usize);
            if sim.planted(Plant::DeleteRetained) && removal.as_ref().is_ok_and(|removal| !removal.subsumed.is_empty()) {
                delete_a_retained_file(files);
            }
            removed(removal)
        }
        StorageAction::DiscardAll => removed(storage.discard_all(epoch)),
        StorageAction::Sweep(below) => removed(storage.remove_unreferenced(epoch, below)),
    }
}

fn delete_a_retained_file(files: &MemoryFiles) {
    let kept = honest(files).completed().map(|found| found.checkpoints).unwrap_or_default();
    let of = |path: &Path| kept.iter().any(|kept| path.starts_with(kept.folder.trim_start_matches('/')));
    let is_state = |path: &Path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('_'));
    if let Some(path) = files.all_files().into_iter().find(|path| of(path) && is_state(path)) {
        // It was just found.
        let _ = files.remove_file(&path);
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

pub(crate) fn brief(action: &StorageAction) -> String {
    match action {
        StorageAction::Complete { metadata, kind } => format!("completes {} ({kind:?})", metadata.checkpoint),
        other => format!("{other:?}"),
    }
}
