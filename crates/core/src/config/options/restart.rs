//! Options of restarts: `restart-strategy.`.

use super::{
    super::enums::{FailoverStrategy, RestartStrategyType},
    ConfigOption, OptionInfo,
};
use std::time::Duration;

options! {
    RESTART_STRATEGY_TYPE: Option<RestartStrategyType> = "restart-strategy.type", "",
        "When a failed job starts again; `off` and `disable` are `none`. Without a value: `exponential-delay` if checkpoints are on, \
         else `none`.";
    RESTART_FIXED_DELAY_ATTEMPTS: u32 = "restart-strategy.fixed-delay.attempts", "1",
        "How many times the job starts again before it fails for good.";
    RESTART_FIXED_DELAY_DELAY: Duration = "restart-strategy.fixed-delay.delay", "1 s",
        "The time before each restart.";
    RESTART_FAILURE_RATE_MAX_FAILURES: u32 = "restart-strategy.failure-rate.max-failures-per-interval", "1",
        "How many failures within the interval the job survives.", at_least(1);
    RESTART_FAILURE_RATE_INTERVAL: Duration = "restart-strategy.failure-rate.failure-rate-interval", "1 min",
        "The time over which failures are counted.", at_least(1);
    RESTART_FAILURE_RATE_DELAY: Duration = "restart-strategy.failure-rate.delay", "1 s",
        "The time before each restart.";
    RESTART_EXPONENTIAL_INITIAL_BACKOFF: Duration = "restart-strategy.exponential-delay.initial-backoff", "1 s",
        "The time before the first restart.", at_least(1);
    RESTART_EXPONENTIAL_MAX_BACKOFF: Duration = "restart-strategy.exponential-delay.max-backoff", "1 min",
        "The longest time before a restart.", at_least(1);
    RESTART_EXPONENTIAL_BACKOFF_MULTIPLIER: f64 = "restart-strategy.exponential-delay.backoff-multiplier", "1.5",
        "By how much the time before a restart grows with each failure.", at_least(1);
    RESTART_EXPONENTIAL_JITTER_FACTOR: f64 = "restart-strategy.exponential-delay.jitter-factor", "0.1",
        "The part of the time before a restart that is added or taken away at random, so that jobs do not start all at once.",
        between(0, 1);
    RESTART_EXPONENTIAL_RESET_BACKOFF_THRESHOLD: Duration = "restart-strategy.exponential-delay.reset-backoff-threshold", "1 h",
        "How long the job must run without failure for the time before a restart to be the initial one again.", at_least(1);
    RESTART_EXPONENTIAL_ATTEMPTS: Option<u32> = "restart-strategy.exponential-delay.attempts-before-reset-backoff", "infinite",
        "How many times the job starts again, counted from the last time it ran long enough, before it fails for good.";
    FAILOVER_STRATEGY: FailoverStrategy = "jobmanager.execution.failover-strategy", "region",
        "Whether all tasks start again when one fails (`full`), or those alone that exchange records with it (`region`).";
}
