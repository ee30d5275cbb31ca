//! From the configuration to what a job is run with.

use flott_core::{
    Error,
    config::{self as enums, Configuration, options},
    context::RuntimeMode,
};
use flott_graph::{
    GraphDefaults, StreamGraph,
    settings::{
        CheckpointMode, CheckpointSettings, ClaimMode, FailoverSettings, JobSettings, LatencySettings, RestartSettings, RestoreSettings,
        Retention, SchedulerSettings,
    },
};

/// What operators without a setting of their own get.
pub(crate) fn graph_defaults(config: &Configuration) -> Result<GraphDefaults, Error> {
    Ok(GraphDefaults {
        parallelism: config.get(&options::PARALLELISM_DEFAULT)?,
        max_parallelism: config.get(&options::PIPELINE_MAX_PARALLELISM)?,
        chaining: config.get(&options::PIPELINE_OPERATOR_CHAINING_ENABLED)?,
    })
}

/// What the job is run with.
pub(crate) fn job_settings(config: &Configuration, graph: &StreamGraph) -> Result<JobSettings, Error> {
    let mode = match config.get(&options::EXECUTION_RUNTIME_MODE)? {
        enums::RuntimeMode::Streaming => RuntimeMode::Streaming,
        enums::RuntimeMode::Batch => RuntimeMode::Batch,
        enums::RuntimeMode::Automatic if graph.is_bounded() => RuntimeMode::Batch,
        enums::RuntimeMode::Automatic => RuntimeMode::Streaming,
    };
    let mut checkpoints = checkpoint_settings(config)?;
    if mode == RuntimeMode::Batch {
        checkpoints.interval = None;
    }
    Ok(JobSettings {
        mode,
        restart: restart_settings(config, checkpoints.interval.is_some())?,
        checkpoints,
        failover: match config.get(&options::FAILOVER_STRATEGY)? {
            enums::FailoverStrategy::Region => FailoverSettings::Region,
            enums::FailoverStrategy::Full => FailoverSettings::Full,
        },
        restore: restore_settings(config)?,
        queue_batches: config.get(&options::EXCHANGE_QUEUE_BATCHES)? as usize,
        watermark_interval: config.get(&options::PIPELINE_AUTO_WATERMARK_INTERVAL)?,
        commit_retries: config.get(&options::SINK_COMMITTER_RETRIES)?,
        scheduler: SchedulerSettings::from_config(config)?,
        latency: latency_settings(config)?,
        options: config.of_job(),
    })
}

fn latency_settings(config: &Configuration) -> Result<Option<LatencySettings>, Error> {
    let interval = config.get(&options::METRICS_LATENCY_INTERVAL)?;
    let (granularity, history) = (config.get(&options::METRICS_LATENCY_GRANULARITY)?, config.get(&options::METRICS_LATENCY_HISTORY_SIZE)?);
    Ok((!interval.is_zero()).then_some(LatencySettings { interval, granularity, history }))
}

fn checkpoint_settings(config: &Configuration) -> Result<CheckpointSettings, Error> {
    Ok(CheckpointSettings {
        interval: config.get(&options::CHECKPOINTING_INTERVAL)?.filter(|interval| !interval.is_zero()),
        mode: match config.get(&options::CHECKPOINTING_MODE)? {
            enums::CheckpointingMode::ExactlyOnce => CheckpointMode::ExactlyOnce,
            enums::CheckpointingMode::AtLeastOnce => CheckpointMode::AtLeastOnce,
        },
        timeout: config.get(&options::CHECKPOINTING_TIMEOUT)?,
        min_pause: config.get(&options::CHECKPOINTING_MIN_PAUSE)?,
        max_concurrent: config.get(&options::CHECKPOINTING_MAX_CONCURRENT_CHECKPOINTS)?,
        tolerable_failures: config.get(&options::CHECKPOINTING_TOLERABLE_FAILED_CHECKPOINTS)?,
        num_retained: config.get(&options::CHECKPOINTING_NUM_RETAINED)?,
        retention: match config.get(&options::CHECKPOINTING_EXTERNALIZED_CHECKPOINT_RETENTION)? {
            enums::CheckpointRetention::RetainOnCancellation => Retention::RetainOnCancellation,
            enums::CheckpointRetention::DeleteOnCancellation => Retention::DeleteOnCancellation,
            enums::CheckpointRetention::NoExternalizedCheckpoints => Retention::Never,
        },
        dir: config.get(&options::CHECKPOINTING_DIR)?.map(Into::into),
        savepoint_dir: config.get(&options::CHECKPOINTING_SAVEPOINT_DIR)?.map(Into::into),
        inline_threshold_bytes: config.get(&options::CHECKPOINTING_DATA_INLINE_THRESHOLD)?.0 as usize,
    })
}

/// Without a choice: exponential delay if there are checkpoints to restart from, otherwise none, as in Flink.
fn restart_settings(config: &Configuration, checkpointing: bool) -> Result<RestartSettings, Error> {
    let default = if checkpointing { enums::RestartStrategyType::ExponentialDelay } else { enums::RestartStrategyType::None };
    Ok(match config.get(&options::RESTART_STRATEGY_TYPE)?.unwrap_or(default) {
        enums::RestartStrategyType::None => RestartSettings::None,
        enums::RestartStrategyType::FixedDelay => RestartSettings::FixedDelay {
            attempts: config.get(&options::RESTART_FIXED_DELAY_ATTEMPTS)?,
            delay: config.get(&options::RESTART_FIXED_DELAY_DELAY)?,
        },
        enums::RestartStrategyType::FailureRate => RestartSettings::FailureRate {
            max_failures: config.get(&options::RESTART_FAILURE_RATE_MAX_FAILURES)?,
            interval: config.get(&options::RESTART_FAILURE_RATE_INTERVAL)?,
            delay: config.get(&options::RESTART_FAILURE_RATE_DELAY)?,
        },
        enums::RestartStrategyType::ExponentialDelay => RestartSettings::ExponentialDelay {
            initial: config.get(&options::RESTART_EXPONENTIAL_INITIAL_BACKOFF)?,
            max: config.get(&options::RESTART_EXPONENTIAL_MAX_BACKOFF)?,
            multiplier: config.get(&options::RESTART_EXPONENTIAL_BACKOFF_MULTIPLIER)?,
            jitter: config.get(&options::RESTART_EXPONENTIAL_JITTER_FACTOR)?,
            reset_after: config.get(&options::RESTART_EXPONENTIAL_RESET_BACKOFF_THRESHOLD)?,
            attempts: config.get(&options::RESTART_EXPONENTIAL_ATTEMPTS)?,
        },
    })
}

fn restore_settings(config: &Configuration) -> Result<Option<RestoreSettings>, Error> {
    let Some(path) = config.get(&options::STATE_RECOVERY_PATH)? else { return Ok(None) };
    Ok(Some(RestoreSettings {
        path,
        claim: match config.get(&options::STATE_RECOVERY_CLAIM_MODE)? {
            enums::ClaimMode::NoClaim => ClaimMode::NoClaim,
            enums::ClaimMode::Claim => ClaimMode::Claim,
        },
        allow_non_restored_state: config.get(&options::STATE_RECOVERY_IGNORE_UNCLAIMED_STATE)?,
    }))
}
