//! Options of snapshots: `execution.checkpointing.` and `execution.state-recovery.`.

use super::{
    super::{
        enums::{CheckpointRetention, CheckpointingMode, ClaimMode},
        memory_size::MemorySize,
    },
    ConfigOption, OptionInfo,
};
use std::time::Duration;

options! {
    CHECKPOINTING_INTERVAL: Option<Duration> = "execution.checkpointing.interval", "",
        "How often a checkpoint begins. None: no periodic checkpoints.", at_least(1);
    CHECKPOINTING_MODE: CheckpointingMode = "execution.checkpointing.mode", "EXACTLY_ONCE",
        "Whether a record counts exactly once in state after a failure, or at least once.";
    CHECKPOINTING_TIMEOUT: Duration = "execution.checkpointing.timeout", "10 min",
        "A checkpoint that takes longer is given up.", at_least(1);
    CHECKPOINTING_MIN_PAUSE: Duration = "execution.checkpointing.min-pause", "0 ms",
        "The least time between the end of a checkpoint and the beginning of the next.";
    CHECKPOINTING_MAX_CONCURRENT_CHECKPOINTS: u32 = "execution.checkpointing.max-concurrent-checkpoints", "1",
        "How many checkpoints may be in progress at once.", at_least(1);
    CHECKPOINTING_TOLERABLE_FAILED_CHECKPOINTS: u32 = "execution.checkpointing.tolerable-failed-checkpoints", "0",
        "How many checkpoints in a row may fail before the job does.";
    CHECKPOINTING_NUM_RETAINED: u32 = "execution.checkpointing.num-retained", "2",
        "How many completed checkpoints are kept. Flink keeps 1; Flott keeps 2, so that there is one to fall back to if the files of \
         the last are damaged.", at_least(1);
    CHECKPOINTING_DIR: Option<String> = "execution.checkpointing.dir", "",
        "The directory of checkpoints: a path or a `file://` address that every worker can reach.";
    CHECKPOINTING_SAVEPOINT_DIR: Option<String> = "execution.checkpointing.savepoint-dir", "",
        "The directory of savepoints for which none is named.";
    CHECKPOINTING_EXTERNALIZED_CHECKPOINT_RETENTION: CheckpointRetention =
        "execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION",
        "What becomes of the checkpoints of a job that ends. Flink deletes them by default; Flott keeps them when a job is cancelled or \
         fails.";
    CHECKPOINTING_LOCAL_BACKUP_ENABLED: bool = "execution.checkpointing.local-backup.enabled", "false",
        "Whether a TaskManager keeps copies of the state that its tasks store in the last checkpoints, below `io.tmp.dirs`: tasks that are \
         started again on it read those. Worth the disk where checkpoints are on another machine.";
    CHECKPOINTING_DATA_INLINE_THRESHOLD: MemorySize = "execution.checkpointing.data-inline-threshold", "20 kb",
        "State of a task that is smaller is stored in the metadata of the checkpoint rather than in a file of its own.",
        between(0, 1048576);
    STATE_RECOVERY_PATH: Option<String> = "execution.state-recovery.path", "",
        "The savepoint or retained checkpoint from which the job starts.";
    STATE_RECOVERY_CLAIM_MODE: ClaimMode = "execution.state-recovery.claim-mode", "NO_CLAIM",
        "Whether the snapshot from which the job starts stays as it is (`NO_CLAIM`), or belongs to the job, which deletes it when it is \
         no longer needed (`CLAIM`).";
    STATE_RECOVERY_IGNORE_UNCLAIMED_STATE: bool = "execution.state-recovery.ignore-unclaimed-state", "false",
        "Whether the job may start though the snapshot holds state of an operator that the job does not have; that state is lost.";
}
