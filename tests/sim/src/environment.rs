//! What simulated tasks are given: their reports and background work go to the world.

use crate::{
    plant::Plant,
    sim::{Sim, Term, Work, hold},
};
use flott_core::{
    id::{AttemptId, CheckpointId},
    snapshot::BlockData,
};
use flott_rpc::task::TaskReport;
use flott_runtime::{Background, TaskEnv, TaskReporter};
use flott_storage::{
    BlockReader, FileStorage, SnapshotTarget, StateFile, StateFileWriter, StateFiles, StorageError,
    files::{FileSystem, MemoryFiles},
};
use std::{path::PathBuf, sync::Arc};

/// Of one attempt.
struct Post {
    sim: Arc<Sim>,
    term: Term,
    attempt: AttemptId,
}

impl TaskReporter for Post {
    fn report(&self, attempt: AttemptId, report: TaskReport) {
        hold(&self.sim.reports).push((self.term, attempt, report));
    }
}

impl Background for Post {
    fn run(&self, work: Work) {
        hold(&self.sim.works).push((self.term, self.attempt, work));
    }
}

/// The environment of an attempt.
pub(crate) fn environment(
    sim: &Arc<Sim>,
    term: Term,
    attempt: AttemptId,
    storage: &Arc<FileStorage>,
    files: &MemoryFiles,
    seed: u64,
) -> TaskEnv {
    let post = Arc::new(Post { sim: sim.clone(), term, attempt });
    let storage: Arc<dyn StateFiles> = if sim.planted(Plant::AckBeforeStored) {
        Arc::new(NotDurable { inner: storage.clone(), files: files.clone() })
    } else {
        storage.clone()
    };
    TaskEnv { clock: Arc::new(sim.clock.clone()), reporter: post.clone(), background: post, storage, seed }
}

/// State files that are not made durable before they are acknowledged: a plant.
#[derive(Debug)]
struct NotDurable {
    inner: Arc<FileStorage>,
    files: MemoryFiles,
}

impl StateFiles for NotDurable {
    fn create_state_file(
        &self,
        checkpoint: CheckpointId,
        target: &SnapshotTarget,
        hint: &str,
    ) -> Result<Box<dyn StateFileWriter>, StorageError> {
        let inner = self.inner.create_state_file(checkpoint, target, hint)?;
        Ok(Box::new(NotDurableFile { inner, files: self.files.clone(), target: target.clone(), bytes: Vec::new(), checkpoint }))
    }

    fn open_blocks<'a>(&self, folder: &str, data: &'a BlockData) -> Result<Box<dyn BlockReader + 'a>, StorageError> {
        self.inner.open_blocks(folder, data)
    }

    fn is_shared(&self, target: &SnapshotTarget) -> bool {
        self.inner.is_shared(target)
    }
}

#[derive(Debug)]
struct NotDurableFile {
    inner: Box<dyn StateFileWriter>,
    files: MemoryFiles,
    target: SnapshotTarget,
    checkpoint: CheckpointId,
    bytes: Vec<u8>,
}

impl StateFileWriter for NotDurableFile {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.bytes.extend_from_slice(bytes);
        self.inner.append(bytes)
    }

    fn position(&self) -> u64 {
        self.inner.position()
    }

    fn finish(self: Box<Self>) -> Result<StateFile, StorageError> {
        let file = self.inner.finish()?;
        // The file that was synced gives its place to one that was not.
        let suffix = match &self.target {
            SnapshotTarget::Checkpoint => format!("chk-{}/{}", self.checkpoint, file.name),
            SnapshotTarget::Savepoint { folder } => format!("{}/{}", folder.trim_start_matches('/'), file.name),
        };
        let path = self.files.all_files().into_iter().find(|path| path.to_string_lossy().ends_with(&suffix));
        let path: PathBuf = path.unwrap_or_default();
        let rewritten =
            self.files.remove_file(&path).and_then(|()| self.files.create_file(&path)).and_then(|mut new| new.write_all(&self.bytes));
        // It may be gone with its checkpoint.
        drop(rewritten);
        Ok(file)
    }

    fn abandon(self: Box<Self>) {
        self.inner.abandon();
    }
}
