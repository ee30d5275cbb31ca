//! What a job is run with, resolved from the configuration.

use flott_core::{
    Error,
    config::{Configuration, LatencyGranularity, SchedulerExecutionMode, SchedulerType, options},
    context::RuntimeMode,
};
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// Whether a record may take part in a checkpoint twice after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckpointMode {
    /// Inputs are aligned at barriers.
    ExactlyOnce,
    /// Inputs are not aligned: less waiting, duplicates after a failure.
    AtLeastOnce,
}

/// What becomes of the last checkpoints when the job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Retention {
    /// Kept if the job fails or is cancelled.
    RetainOnCancellation,
    /// Kept if the job fails.
    DeleteOnCancellation,
    /// Never kept.
    Never,
}

/// Checkpointing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointSettings {
    /// Time between the starts of two; `None`: only when asked for.
    pub interval: Option<Duration>,
    /// Alignment.
    pub mode: CheckpointMode,
    /// After which time an unfinished one is given up.
    pub timeout: Duration,
    /// Least time between the end of one and the start of the next.
    pub min_pause: Duration,
    /// How many may be under way at once.
    pub max_concurrent: u32,
    /// How many may fail one after another before the job does.
    pub tolerable_failures: u32,
    /// How many complete ones are kept.
    pub num_retained: u32,
    /// What becomes of them at the end.
    pub retention: Retention,
    /// The folder; `None`: kept in memory, lost with the process.
    pub dir: Option<PathBuf>,
    /// The folder of savepoints that are asked for without a path.
    pub savepoint_dir: Option<PathBuf>,
    /// Keyed state up to this many bytes is stored inside the metadata, not in a file of its own.
    pub inline_threshold_bytes: usize,
}

/// When a failed job is started again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RestartSettings {
    /// Never.
    None,
    /// A number of times.
    FixedDelay {
        /// How often.
        attempts: u32,
        /// Time before each restart.
        delay: Duration,
    },
    /// As long as failures are rare.
    FailureRate {
        /// How many failures in the interval are borne.
        max_failures: u32,
        /// The interval.
        interval: Duration,
        /// Time before each restart.
        delay: Duration,
    },
    /// Always, after growing times.
    ExponentialDelay {
        /// The first time.
        initial: Duration,
        /// The longest time.
        max: Duration,
        /// The factor from one to the next.
        multiplier: f64,
        /// The share of the time by which it is randomly lengthened or shortened.
        jitter: f64,
        /// After which time without a failure the first time is used again.
        reset_after: Duration,
        /// How many restarts without such a time in between; `None`: any number.
        attempts: Option<u32>,
    },
}

/// Which tasks are started again after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailoverSettings {
    /// Those that are connected with the failed one.
    Region,
    /// All.
    Full,
}

/// Who owns the snapshot that a job starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClaimMode {
    /// The user: the job never deletes it and never depends on it after its first checkpoint.
    NoClaim,
    /// The job: deleted when a newer one takes its place.
    Claim,
}

/// What a job starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestoreSettings {
    /// The snapshot's folder, or `latest`: the newest complete checkpoint under the checkpoint directory.
    pub path: String,
    /// Who owns it.
    pub claim: ClaimMode,
    /// Whether state that no operator claims is left behind silently.
    pub allow_non_restored_state: bool,
}

/// How the parallelism of a job follows the slots that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum SchedulerMode {
    /// The job runs with the parallelism that was asked for, and waits while slots are missing.
    #[default]
    Default,
    /// The job runs with less than what was asked for while there are fewer slots.
    Adaptive,
    /// The job runs with as many slots as there are, up to its maximum parallelism.
    Reactive,
}

/// Scheduling. Flink's `jobmanager.adaptive-scheduler.` options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SchedulerSettings {
    /// How the parallelism follows the slots.
    pub mode: SchedulerMode,
    /// How long slots are waited for before that counts as a failure; `None`: for ever.
    pub resource_wait_timeout: Option<Duration>,
    /// How long a job of which nothing runs waits for all slots that it wants when there are enough to run with fewer.
    pub submission_stabilization: Duration,
    /// How long a running job waits for all slots that it wants when there are enough for a change.
    pub executing_stabilization: Duration,
    /// The least time between two changes that nobody asked for.
    pub cooldown: Duration,
    /// How many checkpoints that are taken for a change may fail before it is made from an older one.
    pub max_checkpoint_failures: u32,
}

impl SchedulerSettings {
    /// As configured.
    ///
    /// # Errors
    /// An option has no value of its kind.
    pub fn from_config(config: &Configuration) -> Result<Self, Error> {
        let mode = match (config.get(&options::SCHEDULER_MODE)?, config.get(&options::JOBMANAGER_SCHEDULER)?) {
            (Some(SchedulerExecutionMode::Reactive), _) => SchedulerMode::Reactive,
            (None, SchedulerType::Adaptive) => SchedulerMode::Adaptive,
            (None, SchedulerType::Default) => SchedulerMode::Default,
        };
        let reactive = mode == SchedulerMode::Reactive;
        let defaults = SchedulerSettings::default();
        let or = |set: Option<Duration>, of_reactive: u64, otherwise: Duration| {
            set.unwrap_or(if reactive { Duration::from_millis(of_reactive) } else { otherwise })
        };
        let wait = config.get(&options::ADAPTIVE_RESOURCE_WAIT_TIMEOUT)?;
        Ok(SchedulerSettings {
            mode,
            resource_wait_timeout: if reactive { wait } else { wait.or(defaults.resource_wait_timeout) },
            submission_stabilization: or(config.get(&options::ADAPTIVE_SUBMISSION_STABILIZATION)?, 500, defaults.submission_stabilization),
            executing_stabilization: or(config.get(&options::ADAPTIVE_EXECUTING_STABILIZATION)?, 1000, defaults.executing_stabilization),
            cooldown: config.get(&options::ADAPTIVE_EXECUTING_COOLDOWN)?,
            max_checkpoint_failures: config.get(&options::ADAPTIVE_MAX_CHECKPOINT_FAILURES)?,
        })
    }
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        SchedulerSettings {
            mode: SchedulerMode::Default,
            resource_wait_timeout: Some(Duration::from_secs(300)),
            submission_stabilization: Duration::from_secs(10),
            executing_stabilization: Duration::from_secs(60),
            cooldown: Duration::from_secs(30),
            max_checkpoint_failures: 2,
        }
    }
}

/// Latency markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencySettings {
    /// How often each subtask of a source sends one.
    pub interval: Duration,
    /// What latencies are kept apart by.
    pub granularity: LatencyGranularity,
    /// How many are remembered for each.
    pub history: u32,
}

/// What a job is run with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobSettings {
    /// Streaming or batch.
    pub mode: RuntimeMode,
    /// Checkpointing.
    pub checkpoints: CheckpointSettings,
    /// Restarts.
    pub restart: RestartSettings,
    /// What is restarted.
    pub failover: FailoverSettings,
    /// What to start from.
    pub restore: Option<RestoreSettings>,
    /// Batches that a channel holds before its sender has to wait.
    pub queue_batches: usize,
    /// Time between periodic watermarks; zero: a watermark after each batch.
    pub watermark_interval: Duration,
    /// How often a commit is tried before the task fails.
    pub commit_retries: u32,
    /// How its parallelism follows the slots that there are.
    #[serde(default)]
    pub scheduler: SchedulerSettings,
    /// Latency markers; `None`: there are none.
    #[serde(default)]
    pub latency: Option<LatencySettings>,
    /// The options that the above was taken from, and where each was given, in code too: for people. Without secrets.
    #[serde(default)]
    pub options: Configuration,
}

impl Default for JobSettings {
    /// Flink's defaults; see `docs/config.md` for the two that differ.
    fn default() -> Self {
        JobSettings {
            mode: RuntimeMode::Streaming,
            checkpoints: CheckpointSettings {
                interval: None,
                mode: CheckpointMode::ExactlyOnce,
                timeout: Duration::from_secs(600),
                min_pause: Duration::ZERO,
                max_concurrent: 1,
                tolerable_failures: 0,
                num_retained: 2,
                retention: Retention::RetainOnCancellation,
                dir: None,
                savepoint_dir: None,
                inline_threshold_bytes: 20 * 1024,
            },
            restart: RestartSettings::None,
            failover: FailoverSettings::Region,
            restore: None,
            queue_batches: 8,
            watermark_interval: Duration::from_millis(200),
            commit_retries: 10,
            scheduler: SchedulerSettings::default(),
            latency: None,
            options: Configuration::new(),
        }
    }
}
