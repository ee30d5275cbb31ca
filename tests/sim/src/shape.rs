//! What a simulated job looks like and is run with: small and random.

use crate::{random::Random, source::SourceShape};
use flott_core::{
    config::{Configuration, LatencyGranularity},
    context::RuntimeMode,
    exchange::PartitionKind,
};
use flott_graph::settings::{
    CheckpointMode, CheckpointSettings, FailoverSettings, JobSettings, LatencySettings, RestartSettings, Retention, SchedulerSettings,
};
use std::time::Duration;

/// The job of a seed. It stays the same over all restarts but for its parallelism.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) sources: Vec<SourceShape>,
    /// Whether the second source has a pipeline of its own, so that the job consists of two that share nothing but checkpoints.
    pub(crate) apart: bool,
    /// Whether some records are doubled.
    pub(crate) flat_map: bool,
    /// The exchange from the sources to what follows them; `None`: forward or rebalance.
    pub(crate) upstream: Option<PartitionKind>,
    /// Whether sources and what follows them have the same parallelism, so that the order of splits is kept.
    pub(crate) ordered: bool,
    /// A sink of all records, as they are.
    pub(crate) plain: bool,
    /// A rolling count and sum of each key.
    pub(crate) counted: bool,
    /// Timers.
    pub(crate) buckets: bool,
    /// A broadcast.
    pub(crate) fan: bool,
    /// The exchange to sinks of keyed results; `None`: forward or rebalance.
    pub(crate) to_sink: Option<PartitionKind>,
    pub(crate) bucket_ms: i64,
    pub(crate) max_parallelism: u32,
    pub(crate) chaining: bool,
    pub(crate) watermarks: bool,
    pub(crate) idleness: Option<Duration>,
    pub(crate) settings: JobSettings,
}

/// How parallel the parts of a job are, in one of its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Widths {
    pub(crate) source: u32,
    pub(crate) upstream: u32,
    pub(crate) keyed: u32,
    pub(crate) sink: u32,
}

impl Shape {
    pub(crate) fn random(random: &mut Random) -> Self {
        let unbounded = random.percent(20);
        let count = if random.percent(35) { 2 } else { 1 };
        let sources: Vec<SourceShape> = (0..count).map(|number| source(number, unbounded && number + 1 == count, random)).collect();
        // Without a keyed exchange a job falls into several regions.
        let pointwise = random.percent(35);
        let counted = !pointwise && random.percent(80);
        let buckets = !pointwise && (!counted || random.percent(60));
        let mut settings = settings(random);
        if unbounded {
            settings.checkpoints.interval.get_or_insert(Duration::from_millis(50));
        }
        Shape {
            apart: sources.len() == 2 && random.percent(40),
            flat_map: random.percent(40),
            upstream: random.pick(&[None, None, None, Some(PartitionKind::Rebalance), Some(PartitionKind::Rescale)]),
            ordered: random.percent(50),
            plain: pointwise || random.percent(20),
            counted,
            buckets,
            fan: !pointwise && random.percent(25),
            to_sink: random.pick(&[None, None, Some(PartitionKind::Rebalance), Some(PartitionKind::Rescale)]),
            bucket_ms: random.between(5, 100) as i64,
            max_parallelism: random.pick(&[3, 4, 8, 128]),
            chaining: random.percent(70),
            watermarks: random.percent(80),
            idleness: random.percent(30).then(|| Duration::from_millis(random.between(1, 60))),
            settings,
            sources,
        }
    }

    pub(crate) fn widths(&self, random: &mut Random) -> Widths {
        let mut width = || random.between(1, 3) as u32;
        let (source, upstream, keyed, sink) = (width(), width(), width(), width());
        Widths { source, upstream: if self.ordered { source } else { upstream }, keyed, sink: if self.ordered { keyed } else { sink } }
    }

    /// Whether all records of a split and a key keep their order.
    pub(crate) fn keeps_order(&self) -> bool {
        self.ordered && self.upstream.is_none()
    }

    pub(crate) fn unbounded(&self) -> bool {
        self.sources.iter().any(|source| source.unbounded)
    }
}

fn source(number: u8, unbounded: bool, random: &mut Random) -> SourceShape {
    let splits = random.between(1, 7);
    SourceShape {
        number,
        splits: (0..splits).map(|_| random.between(1, 30) as u32).collect(),
        keys: random.between(1, 9) as u16,
        on_request: random.percent(60),
        found_first: random.between(0, splits) as u32,
        unbounded,
        pace_ms: random.between(1, 25),
        step_ms: random.between(1, 20) as i64,
    }
}

/// Markers change nothing but what people see of a job.
fn latency(queue_batches: usize) -> Option<LatencySettings> {
    let settings = LatencySettings { interval: Duration::from_millis(5), granularity: LatencyGranularity::Subtask, history: 8 };
    (queue_batches == 2).then_some(settings)
}

fn settings(random: &mut Random) -> JobSettings {
    let delay = random.millis(200);
    let restart = match random.below(4) {
        0 => RestartSettings::FixedDelay { attempts: random.between(1, 6) as u32, delay },
        1 => RestartSettings::ExponentialDelay {
            initial: delay,
            max: Duration::from_secs(2),
            multiplier: 1.5,
            jitter: 0.1,
            reset_after: Duration::from_secs(1),
            attempts: None,
        },
        _ => RestartSettings::FixedDelay { attempts: u32::MAX, delay },
    };
    let settings = JobSettings {
        mode: RuntimeMode::Streaming,
        checkpoints: CheckpointSettings {
            interval: random.percent(90).then(|| Duration::from_millis(random.between(5, 150))),
            mode: CheckpointMode::ExactlyOnce,
            timeout: Duration::from_millis(random.pick(&[60, 300, 2_000])),
            min_pause: if random.percent(50) { Duration::ZERO } else { random.millis(100) },
            max_concurrent: random.pick(&[1, 1, 1, 2]),
            tolerable_failures: random.pick(&[0, 2, 100]),
            num_retained: random.between(1, 3) as u32,
            retention: random.pick(&[Retention::RetainOnCancellation, Retention::RetainOnCancellation, Retention::DeleteOnCancellation]),
            dir: Some("/checkpoints".into()),
            savepoint_dir: Some("/savepoints".into()),
            inline_threshold_bytes: random.pick(&[0, 0, 64, 20 * 1024]),
        },
        restart,
        failover: random.pick(&[FailoverSettings::Region, FailoverSettings::Region, FailoverSettings::Full]),
        restore: None,
        queue_batches: random.between(1, 3) as usize,
        watermark_interval: if random.percent(40) { Duration::ZERO } else { random.millis(60) },
        commit_retries: 10,
        latency: None,
        scheduler: SchedulerSettings::default(),
        options: Configuration::default(),
    };
    // Decided without a random number, so that seeds go on meaning what they did.
    JobSettings { latency: latency(settings.queue_batches), ..settings }
}
