//! Checkpoint and savepoint storage of Flott.
//!
//! A checkpoint is a folder of immutable, checksummed state files, which tasks write ([`StateFiles`]), and a `_metadata` file
//! ([`CheckpointMetadata`]), which the job's coordinator writes when it has all acknowledgements ([`CheckpointStorage`]). It is
//! complete once it is in the job's register, the newest of the files `_completed.<n>`, each of which is made in one step by whoever is
//! first, and refuses whoever comes from an older term. A restore goes by registers; no listing of a directory decides anything.
//!
//! [`FileStorage`] implements both traits on a [`FileSystem`](files::FileSystem): the machine's own
//! ([`CheckpointDirectory::on_disk`]), one in memory, which is used when no directory is configured and by simulations, or
//! either of them with injected faults ([`files::Faulty`]). `docs/internals/snapshot-format.md` specifies the files.
//!
//! What is not here: when to take a checkpoint and how long to keep one (the coordinator's business), what the bytes of a block
//! mean (the state backend's), clocks and randomness.

mod directory;
mod error;
mod file_storage;
pub mod files;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod local_copies;
mod location;
mod metadata;
mod register;
mod storage;

/// The schemes of addresses that checkpoints can be kept at.
pub const SCHEMES: &[&str] = &["file"];

pub use directory::{CheckpointDirectory, FoundCheckpoints};
pub use error::StorageError;
pub use file_storage::FileStorage;
pub use local_copies::LocalCopies;
pub use location::{METADATA, REGISTER, SnapshotTarget, named_folder};
pub use metadata::{CheckpointMetadata, OperatorInfo, OperatorState, OperatorSubtaskState, SnapshotKind, VertexSnapshot};
pub use storage::{
    BlockReader, CheckpointStorage, CompletedCheckpoint, LoadedCheckpoint, Removal, StateFile, StateFileWriter, StateFiles, block_crc,
    extended_block_crc,
};
