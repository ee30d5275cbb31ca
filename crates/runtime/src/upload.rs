//! Writes one state file in the background, in the order in which its bytes were handed over.

use crate::env::{Background, TaskEnv};
use flott_core::{BoxError, block_pool::BlockPool, id::CheckpointId};
use flott_rpc::task::{Barrier, SnapshotKind};
use flott_storage::{SnapshotTarget, StateFileWriter, StateFiles};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Waker,
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

/// Bytes that wait to be written from which on a task had better write no more: storage is slower than the task.
const MOST_WAITING_BYTES: usize = 16 << 20;

#[derive(Default)]
struct Waiting {
    chunks: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Who waits for fewer bytes.
    waker: Option<Waker>,
}

struct State {
    file: Mutex<File>,
    /// Apart from the file, so that a task never waits for a write when it hands bytes over.
    waiting: Mutex<Waiting>,
    /// Takes the memory of what was written.
    pool: Arc<BlockPool>,
}

impl State {
    fn next_chunk(&self) -> Option<Vec<u8>> {
        lock(&self.waiting).chunks.pop_front()
    }

    /// A chunk is no longer waiting.
    fn done(&self, chunk: Vec<u8>) {
        let waker = {
            let waiting = &mut *lock(&self.waiting);
            waiting.bytes -= chunk.len();
            if waiting.bytes <= MOST_WAITING_BYTES / 2 { waiting.waker.take() } else { None }
        };
        self.pool.put(chunk);
        waker.into_iter().for_each(Waker::wake);
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
            self.done(chunk);
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
    pub(crate) fn start(env: &TaskEnv, barrier: &Barrier, hint: String, pool: Arc<BlockPool>) -> Self {
        let (storage, checkpoint, target) = (env.storage.clone(), barrier.checkpoint, target_of(barrier));
        Upload::to(env.background.clone(), File::Planned { storage, checkpoint, target, hint }, pool)
    }

    fn to(background: Arc<dyn Background>, file: File, pool: Arc<BlockPool>) -> Self {
        Upload { state: Arc::new(State { file: Mutex::new(file), waiting: Mutex::default(), pool }), background }
    }

    /// Appends bytes. Errors come with [`Upload::finish`].
    pub(crate) fn append(&mut self, chunks: Vec<Vec<u8>>) {
        {
            let waiting = &mut *lock(&self.state.waiting);
            waiting.bytes += chunks.iter().map(Vec::len).sum::<usize>();
            waiting.chunks.extend(chunks);
        }
        let state = self.state.clone();
        self.background.run(Box::new(move || drop(state.drain())));
    }

    /// Whether storage is so far behind that nothing more should be appended for now.
    pub(crate) fn is_behind(&self) -> bool {
        lock(&self.state.waiting).bytes > MOST_WAITING_BYTES
    }

    /// Whether [`Upload::is_behind`]; if so, `waker` is woken when half of it is written.
    pub(crate) fn is_behind_until(&self, waker: &Waker) -> bool {
        let waiting = &mut *lock(&self.state.waiting);
        let behind = waiting.bytes > MOST_WAITING_BYTES;
        waiting.waker = behind.then(|| waker.clone());
        behind
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
            let left = std::mem::take(&mut lock(&state.waiting).chunks);
            left.into_iter().for_each(|chunk| state.done(chunk));
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

#[cfg(test)]
mod tests {
    use super::*;
    use flott_storage::{BlockReader, StateFile, StorageError};
    use std::sync::atomic::{AtomicBool, Ordering};

    type Work = Box<dyn FnOnce() + Send>;

    /// Keeps work until it is told to do it.
    #[derive(Default)]
    struct Held(Mutex<VecDeque<Work>>);

    impl Background for Held {
        fn run(&self, work: Work) {
            lock(&self.0).push_back(work);
        }
    }

    impl Held {
        fn release(&self) {
            while let Some(work) = { lock(&self.0).pop_front() } {
                work();
            }
        }
    }

    #[derive(Debug)]
    struct Discarding;

    #[derive(Debug)]
    struct Discarded(u64);

    impl StateFiles for Discarding {
        fn create_state_file(&self, _: CheckpointId, _: &SnapshotTarget, _: &str) -> Result<Box<dyn StateFileWriter>, StorageError> {
            Ok(Box::new(Discarded(0)))
        }
        fn open_blocks<'a>(&self, _: &str, _: &'a flott_core::snapshot::BlockData) -> Result<Box<dyn BlockReader + 'a>, StorageError> {
            unreachable!("nothing is read")
        }
        fn is_shared(&self, _: &SnapshotTarget) -> bool {
            true
        }
    }

    impl StateFileWriter for Discarded {
        fn append(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
            self.0 += bytes.len() as u64;
            Ok(())
        }
        fn position(&self) -> u64 {
            self.0
        }
        fn finish(self: Box<Self>) -> Result<StateFile, StorageError> {
            Ok(StateFile { name: "file".to_owned(), bytes: self.0 })
        }
        fn abandon(self: Box<Self>) {}
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_task_that_is_faster_than_its_storage_is_told_and_woken() {
        let background = Arc::new(Held::default());
        let pool = Arc::new(BlockPool::default());
        let mut upload = Upload::to(
            background.clone(),
            File::Planned {
                storage: Arc::new(Discarding),
                checkpoint: CheckpointId(1),
                target: SnapshotTarget::Checkpoint,
                hint: "counts".to_owned(),
            },
            pool.clone(),
        );
        let woken = Arc::new(Woken::default());
        upload.append(vec![vec![1; MOST_WAITING_BYTES]]);
        assert!(!upload.is_behind_until(&woken.clone().into()));
        upload.append(vec![vec![2; 100]]);
        assert!(upload.is_behind() && upload.is_behind_until(&woken.clone().into()));
        background.release();
        assert!(!upload.is_behind() && woken.0.load(Ordering::SeqCst));
        let memory = pool.take(100);
        assert_eq!((memory.len(), memory.capacity()), (0, 100), "what was written is used again");
        assert_eq!(upload.finish().unwrap(), ("file".to_owned(), MOST_WAITING_BYTES as u64 + 100));
    }
}
