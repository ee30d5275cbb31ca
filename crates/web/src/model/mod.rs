//! What the server has to know of a cluster: plain data, as Flott sees it. What a field leaves open (`None`, an empty list) the
//! server answers with Flink's empty value.

mod checkpoint;
mod executable;
mod job;
mod process;
mod rescale;
mod stacks;
mod tap;

pub use checkpoint::{
    Checkpoint, CheckpointConfig, CheckpointStatus, CheckpointTotals, Checkpoints, Restore, SubtaskCheckpoint, VertexCheckpoint,
};
pub use executable::{ClaimMode, Executable, Plan, Program, RunRequest};
pub use job::{Attempt, ExecutionConfig, Failure, Input, Job, JobSummary, Metrics, Subtask, Vertex, VertexBounds};
pub use process::{Hardware, JobManager, LogFile, LogKind, Process, Setting, Slot, TaskManager, ThreadInfo};
pub use rescale::{RescaleConfig, Rescales};
pub use stacks::{Stacks, TakenStack, TakenStacks};
pub use tap::{TapWanted, Tapped};
