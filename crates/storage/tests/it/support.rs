//! Places to store checkpoints in, and checkpoints whose content can be told from their number.

use flott_core::{
    id::{CheckpointId, JobId, OperatorId},
    key_group::KeyGroupRange,
    schema::Schema,
    snapshot::{BlockData, BlockRef, KeyedSnapshot, KeyedStateMeta, OperatorSnapshot, StateKind, SubtaskSnapshot},
};
use flott_storage::{
    CheckpointDirectory, CheckpointMetadata, CheckpointStorage, CompletedCheckpoint, FileStorage, LoadedCheckpoint, OperatorInfo,
    SnapshotKind, SnapshotTarget, StorageError, VertexSnapshot, block_crc,
    files::{DiskFiles, Fault, Faulty, FileSystem, MemoryFiles, Operation},
};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tempfile::TempDir;

pub(crate) const JOB: JobId = JobId(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
pub(crate) const OTHER_JOB: JobId = JobId(0xfedc_ba98_7654_3210_fedc_ba98_7654_3210);
/// Subtasks of the checkpoints here, and key groups of each.
const PARALLELISM: u32 = 2;
const MAX_PARALLELISM: u32 = 8;

/// Where checkpoints and savepoints go in a test.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) directory: CheckpointDirectory,
    pub(crate) files: Arc<dyn FileSystem>,
    /// The directory's path.
    pub(crate) path: String,
    pub(crate) savepoints: String,
    _temporary: Option<TempDir>,
}

impl Place {
    fn below(name: &'static str, files: Arc<dyn FileSystem>, base: &Path, temporary: Option<TempDir>) -> Self {
        let path = base.join("checkpoints");
        let directory = CheckpointDirectory::new(files.clone(), &path).unwrap();
        let savepoints = base.join("savepoints").to_str().unwrap().to_owned();
        Place { name, directory, files, path: path.to_str().unwrap().to_owned(), savepoints, _temporary: temporary }
    }

    pub(crate) fn disk() -> Self {
        let temporary = TempDir::new().unwrap();
        let base = temporary.path().to_owned();
        Place::below("disk", Arc::new(DiskFiles), &base, Some(temporary))
    }

    pub(crate) fn memory(files: &MemoryFiles) -> Self {
        Place::below("memory", Arc::new(files.clone()), Path::new("/"), None)
    }

    pub(crate) fn storage(&self) -> FileStorage {
        self.directory.storage(JOB)
    }

    /// The same place, with faults.
    pub(crate) fn with_faults(&self, hook: impl Fn(Operation, &Path) -> Fault + Send + Sync + 'static) -> CheckpointDirectory {
        CheckpointDirectory::new(Arc::new(Faulty::new(SharedFiles(self.files.clone()), hook)), &self.path).unwrap()
    }

    pub(crate) fn savepoint(&self, suffix: &str) -> SnapshotTarget {
        SnapshotTarget::savepoint(&self.savepoints, JOB, suffix).unwrap()
    }

    /// The path of a file or folder of the job.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}/{JOB}/{name}", self.path)
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.files.stat(Path::new(path)).unwrap().is_some()
    }

    /// The names in the job's folder. Every version of the register that is there is `_completed`.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.files.list(Path::new(&self.at(""))).unwrap();
        let is_version = |name: &str| name.strip_prefix("_completed.").is_some_and(|version| version.parse::<u64>().is_ok());
        names.into_iter().map(|name| if is_version(&name) { "_completed".to_owned() } else { name }).collect()
    }

    /// The path of the job's register, which has one version.
    pub(crate) fn register(&self) -> String {
        self.register_of(JOB)
    }

    pub(crate) fn register_of(&self, job: JobId) -> String {
        let folder = format!("{}/{job}", self.path);
        let names = self.files.list(Path::new(&folder)).unwrap();
        let versions: Vec<String> = names.into_iter().filter(|name| name.starts_with("_completed")).collect();
        let [version] = &versions[..] else { panic!("{versions:?}") };
        format!("{folder}/{version}")
    }
}

/// Runs `test` in every kind of place.
pub(crate) fn everywhere(test: impl Fn(&Place)) {
    let plain = || (Place::disk(), Place::memory(&MemoryFiles::new()));
    let (disk, memory) = plain();
    let (below_disk, below_memory) = plain();
    let wrapped = |below: Place| {
        let directory = below.with_faults(|_, _| Fault::None);
        Place { name: "without faults", directory, ..below }
    };
    let in_memory = Place { name: "no directory", directory: CheckpointDirectory::in_memory(), path: "memory:".into(), ..Place::disk() };
    for place in [disk, memory, wrapped(below_disk), wrapped(below_memory), in_memory] {
        println!("{}", place.name);
        test(&place);
    }
}

/// Files that two directories see.
#[derive(Debug, Clone)]
struct SharedFiles(Arc<dyn FileSystem>);

macro_rules! delegate {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl FileSystem for SharedFiles {
            $(fn $name(&self, $($argument: $type),*) -> $result { self.0.$name($($argument),*) })*
        }
    };
}
delegate! {
    create_folder(path: &Path) -> std::io::Result<()>;
    create_file(path: &Path) -> std::io::Result<Box<dyn flott_storage::files::WriteFile>>;
    open(path: &Path) -> std::io::Result<Box<dyn flott_storage::files::ReadFile>>;
    stat(path: &Path) -> std::io::Result<Option<flott_storage::files::Stat>>;
    list(path: &Path) -> std::io::Result<Vec<String>>;
    rename(from: &Path, to: &Path) -> std::io::Result<()>;
    sync_folder(path: &Path) -> std::io::Result<()>;
    remove_file(path: &Path) -> std::io::Result<()>;
    remove_empty_folder(path: &Path) -> std::io::Result<()>;
    remove_folder(path: &Path) -> std::io::Result<()>;
    link(from: &Path, to: &Path) -> std::io::Result<()>;
    is_same_file(one: &Path, other: &Path) -> std::io::Result<bool>;
    absolute(path: &Path) -> std::io::Result<std::path::PathBuf>;
    unique_suffix() -> String;
    is_shared(path: &Path) -> bool;
}

/// A small generator of numbers that look random.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

/// The bytes of a block: of this term, checkpoint and key group.
fn block_bytes(epoch: u64, checkpoint: u64, group: u32) -> Vec<u8> {
    let mut random = Random(1 + epoch * 1_000_000 + checkpoint * 1000 + u64::from(group));
    (0..50 + group).map(|_| random.below(256) as u8).collect()
}

fn keyed(
    epoch: u64,
    checkpoint: u64,
    index: u32,
    mut put: impl FnMut(&[u8]) -> Result<(), StorageError>,
) -> Result<KeyedSnapshot, StorageError> {
    let schema = Schema { id: 1, description: "u64".into() };
    let states = vec![KeyedStateMeta { name: "s".into(), kind: StateKind::Value, codec: "c".into(), key: schema.clone(), value: schema }];
    let groups = KeyGroupRange::of_subtask(index, PARALLELISM, MAX_PARALLELISM);
    let (mut blocks, mut offset) = (Vec::new(), 0);
    for group in groups.start..groups.end {
        let bytes = block_bytes(epoch, checkpoint, group);
        put(&bytes)?;
        blocks.push(BlockRef { state: 0, group: group as u16, offset, len: bytes.len() as u32, crc: block_crc(&bytes) });
        offset += bytes.len() as u64;
    }
    Ok(KeyedSnapshot { max_parallelism: MAX_PARALLELISM, groups, states, blocks, data: BlockData::Inline(Vec::new()) })
}

/// Begins a snapshot and does what its tasks do. One operator has its state in files, another one inline.
pub(crate) fn pending(
    storage: &dyn CheckpointStorage,
    job: JobId,
    epoch: u64,
    checkpoint: u64,
    kind: SnapshotKind,
    target: &SnapshotTarget,
) -> Result<CheckpointMetadata, StorageError> {
    let id = CheckpointId(checkpoint);
    storage.begin(epoch, id, target)?;
    let mut subtasks = BTreeMap::new();
    for index in 0..PARALLELISM {
        let mut writer = storage.create_state_file(id, target, &format!("v0-{index}-op"))?;
        let mut in_file = keyed(epoch, checkpoint, index, |bytes| writer.append(bytes))?;
        let file = writer.finish()?;
        in_file.data = BlockData::File { name: file.name, bytes: file.bytes };
        let mut bytes = Vec::new();
        let mut inline = keyed(epoch, checkpoint, index, |block| {
            bytes.extend_from_slice(block);
            Ok(())
        })?;
        inline.data = BlockData::Inline(bytes);
        let snapshot =
            |operator, keyed| OperatorSnapshot { operator: OperatorId(operator), name: "op".into(), lists: Vec::new(), keyed: Some(keyed) };
        subtasks.insert(index, SubtaskSnapshot { operators: vec![snapshot(1, in_file), snapshot(2, inline)], finished: false });
    }
    let operators = [1, 2].map(|id| OperatorInfo { id: OperatorId(id), uid: None, name: "op".into() }).into();
    let vertex =
        VertexSnapshot { operators, parallelism: PARALLELISM, max_parallelism: MAX_PARALLELISM, coordinators: BTreeMap::new(), subtasks };
    let metadata = CheckpointMetadata {
        job,
        job_name: "job".into(),
        epoch,
        checkpoint: id,
        kind,
        completed_at_ms: 1_700_000_000_000 + checkpoint,
        operators: Vec::new(),
    };
    metadata.with_vertices([vertex])
}

/// Takes a checkpoint from beginning to end.
pub(crate) fn take(storage: &dyn CheckpointStorage, epoch: u64, checkpoint: u64) -> Result<CompletedCheckpoint, StorageError> {
    take_of(storage, JOB, epoch, checkpoint)
}

pub(crate) fn take_of(
    storage: &dyn CheckpointStorage,
    job: JobId,
    epoch: u64,
    checkpoint: u64,
) -> Result<CompletedCheckpoint, StorageError> {
    let metadata = pending(storage, job, epoch, checkpoint, SnapshotKind::Checkpoint, &SnapshotTarget::Checkpoint)?;
    storage.complete(&SnapshotTarget::Checkpoint, &metadata)
}

/// Reads every block of a checkpoint.
pub(crate) fn read_all(storage: &dyn CheckpointStorage, loaded: &LoadedCheckpoint) -> Result<(), StorageError> {
    let CheckpointMetadata { epoch, checkpoint, .. } = loaded.metadata;
    let (mut blocks, mut bytes) = (0, Vec::new());
    for subtask in loaded.metadata.operators.iter().flat_map(|operator| operator.subtasks.values()) {
        let keyed = subtask.snapshot.keyed.as_ref().unwrap();
        let reader = storage.open_blocks(&loaded.folder, &keyed.data)?;
        for block in &keyed.blocks {
            reader.read_block(block, &mut bytes)?;
            assert_eq!(bytes, block_bytes(epoch, checkpoint.0, u32::from(block.group)), "wrong bytes passed for right ones");
            blocks += 1;
        }
    }
    assert_eq!(blocks, 2 * MAX_PARALLELISM);
    Ok(())
}

/// The numbers of the complete checkpoints, newest first, each of which is read in full.
pub(crate) fn complete_and_sound(storage: &dyn CheckpointStorage) -> Vec<u64> {
    let completed = storage.completed().unwrap();
    for checkpoint in &completed {
        let loaded = storage.load_completed(checkpoint).unwrap();
        assert_eq!(loaded.metadata.checkpoint, checkpoint.checkpoint);
        read_all(storage, &loaded).unwrap();
    }
    completed.iter().map(|completed| completed.checkpoint.0).collect()
}
