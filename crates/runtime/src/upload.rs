//! Writes one state file in the background, in the order in which its bytes were handed over.

use crate::env::{Background, TaskEnv};
use flott_core::BoxError;
use flott_core::id::CheckpointId;
use flott_rpc::task::{Barrier, SnapshotKind};
use flott_storage::{SnapshotTarget, StateFileWriter, StateFiles};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

enum File {
    /// Not created yet.
    Planned {
        storage: Arc<dyn StateFiles>,
        checkpoint: CheckpointId,
        target: SnapshotTarget,
        hint: String,
    },
    Open(Box<dyn StateFileWriter>),
    Failed(BoxError),
    Ended,
}

struct State {
    file: Mutex<File>,
    /// Apart from the file, so that a task never waits for a write when it hands bytes over.
    chunks: Mutex<VecDeque<Vec<u8>>>,
}

impl State {
    fn next_chunk(&self) -> Option<Vec<u8>> {
        lock(&self.chunks).pop_front()
    }

    /// Writes what is waiting.
    fn drain(&self) -> MutexGuard<'_, File> {
        let mut file = lock(&self.file);
        while let Some(chunk) = self.next_chunk() {
            if let File::Planned { storage, checkpoint, target, hint } = &*file {
                let created = storage.create_state_file(*checkpoint, target, hint);
                *file = match created {
                    Ok(writer) => File::Open(writer),
                    Err(error) => File::Failed(error.into()),
                };
            }
            if let File::Open(writer) = &mut *file
                && let Err(error) = writer.append(&chunk)
                && let File::Open(writer) = std::mem::replace(&mut *file, File::Failed(error.into()))
            {
                writer.abandon();
            }
        }
        file
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A state file that is being written.
pub(crate) struct Upload {
    state: Arc<State>,
    background: Arc<dyn Background>,
}

impl Upload {
    pub(crate) fn start(env: &TaskEnv, barrier: &Barrier, hint: String) -> Self {
        let (storage, checkpoint, target) = (env.storage.clone(), barrier.checkpoint, target_of(barrier));
        let file = File::Planned { storage, checkpoint, target, hint };
        let state = State { file: Mutex::new(file), chunks: Mutex::new(VecDeque::new()) };
        Upload { state: Arc::new(state), background: env.background.clone() }
    }

    /// Appends bytes. Errors come with [`Upload::finish`].
    pub(crate) fn append(&mut self, chunks: Vec<Vec<u8>>) {
        lock(&self.state.chunks).extend(chunks);
        let state = self.state.clone();
        self.background.run(Box::new(move || drop(state.drain())));
    }

    /// Ends the file; blocks until it is stored. Returns its name and length.
    pub(crate) fn finish(self) -> Result<(String, u64), BoxError> {
        let mut file = self.state.drain();
        match std::mem::replace(&mut *file, File::Ended) {
            File::Open(writer) => {
                let file = writer.finish()?;
                Ok((file.name, file.bytes))
            }
            File::Failed(error) => Err(error),
            File::Planned { .. } | File::Ended => Err("a state file without content was to be stored".into()),
        }
    }

    /// Gives the file up.
    pub(crate) fn abandon(self) {
        let state = self.state;
        self.background.run(Box::new(move || {
            lock(&state.chunks).clear();
            if let File::Open(writer) = std::mem::replace(&mut *lock(&state.file), File::Ended) {
                writer.abandon();
            }
        }));
    }
}

fn target_of(barrier: &Barrier) -> SnapshotTarget {
    match &barrier.kind {
        SnapshotKind::Checkpoint => SnapshotTarget::Checkpoint,
        SnapshotKind::Savepoint { folder } | SnapshotKind::StopWithSavepoint { folder, .. } => {
            SnapshotTarget::Savepoint { folder: folder.clone() }
        }
    }
}
