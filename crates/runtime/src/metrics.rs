//! The figures of a task, updated once a batch or when it waits.

use crate::{gate::ChannelWatch, latency::Latencies, times::Times};
use flott_core::{
    accumulator::Accumulators,
    id::SubtaskId,
    metrics::{Counter, Gauge, MetricGroup, names},
    time::{MAX_WATERMARK, MIN_WATERMARK, Timestamp},
};
use flott_rpc::figures::{BufferFigures, Distributions, Initialization, QueueFigures, TaskFigures};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The figures of one attempt.
#[derive(Debug, Clone)]
pub struct TaskMetrics {
    /// All figures of the task, by name.
    pub group: MetricGroup,
    /// The name and the figures of each operator, in the order of the chain.
    pub operators: Vec<(String, MetricGroup)>,
    /// The accumulators of the task.
    pub accumulators: Accumulators,
    thread: Arc<OnceLock<u32>>,
    opening: Arc<Opening>,
    /// Records sent into each edge that takes the task's output, with the edge's place in the graph; in the order of the outputs.
    pub(crate) edges: Vec<(u32, Counter)>,
    pub(crate) latencies: Latencies,
    /// Its input; `None` for a source.
    pub(crate) input: Option<ChannelWatch>,
    pub(crate) output: Vec<ChannelWatch>,
    pub(crate) records_in: Counter,
    pub(crate) records_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    pub(crate) watermark_in: Gauge,
    pub(crate) watermark_out: Gauge,
    /// The last watermark that the first operator has sent on, also where nothing leaves the task.
    pub(crate) head_watermark: Gauge,
    pub(crate) times: Times,
}

/// When a task has opened its operators.
#[derive(Debug, Default)]
struct Opening {
    /// The number of the attempt, the monotonic time and the time, ms since 1970.
    began: OnceLock<(u32, Duration, Timestamp)>,
    done: OnceLock<Duration>,
}

impl Opening {
    /// ms since it began.
    fn so_far(&self, now: Duration) -> u64 {
        self.began.get().map_or(0, |(_, began, _)| now.saturating_sub(*began).as_millis() as u64)
    }
}

impl TaskMetrics {
    /// For a task with these operators, that sends into these edges of the graph and starts at the monotonic time `now`.
    pub fn new(operators: impl IntoIterator<Item = String>, edges: impl IntoIterator<Item = usize>, now: Duration) -> Self {
        let group = MetricGroup::default();
        let (watermark_in, watermark_out) = (group.gauge(names::CURRENT_INPUT_WATERMARK), group.gauge(names::CURRENT_OUTPUT_WATERMARK));
        watermark_in.set(i64::MIN);
        watermark_out.set(i64::MIN);
        let head_watermark = Gauge::default();
        head_watermark.set(i64::MIN);
        TaskMetrics {
            operators: operators.into_iter().map(|name| (name, MetricGroup::default())).collect(),
            accumulators: Accumulators::default(),
            thread: Arc::default(),
            opening: Arc::default(),
            edges: edges.into_iter().map(|edge| (edge as u32, Counter::default())).collect(),
            latencies: Latencies::default(),
            input: None,
            output: Vec::new(),
            records_in: group.counter(names::NUM_RECORDS_IN),
            records_out: group.counter(names::NUM_RECORDS_OUT),
            bytes_in: group.counter(names::NUM_BYTES_IN),
            bytes_out: group.counter(names::NUM_BYTES_OUT),
            watermark_in,
            watermark_out,
            head_watermark,
            times: Times::new(now),
            group,
        }
    }

    /// The task runs on the thread that the operating system calls `number`.
    pub fn set_thread(&self, number: Option<u32>) {
        if let Some(number) = number {
            // A task has one thread from its beginning to its end.
            let _ = self.thread.set(number);
        }
    }

    /// The attempt begins to open its operators.
    pub(crate) fn opens(&self, attempt: u32, now: Duration, wall: Timestamp) {
        // Once in an attempt, which these figures are of.
        let _ = self.opening.began.set((attempt, now, wall));
    }

    /// Its operators are open.
    pub(crate) fn opened(&self, now: Duration) {
        let _ = self.opening.done.set(now);
    }

    fn initialization(&self) -> Option<Initialization> {
        let (attempt, began, since) = *self.opening.began.get()?;
        let took = self.opening.done.get().map(|done| done.saturating_sub(began).as_millis() as u64);
        Some(Initialization { attempt, since, took })
    }

    /// What waits in its channels.
    fn buffers(&self) -> BufferFigures {
        let output = self.output.iter().map(ChannelWatch::read).fold(QueueFigures::default(), QueueFigures::and);
        BufferFigures { input: self.input.as_ref().map(ChannelWatch::read).unwrap_or_default(), output }
    }

    /// How far the watermark of a source is behind the clock, ms.
    fn watermark_lag(&self, wall: Timestamp) -> Option<i64> {
        let watermark = self.head_watermark.get();
        let known = self.input.is_none() && watermark > MIN_WATERMARK && watermark < MAX_WATERMARK;
        known.then(|| wall.saturating_sub(watermark))
    }

    /// The figures of `subtask`, whose vertex is called `name`, at the monotonic time `now` and the time `wall`, ms since 1970.
    pub fn read(&self, subtask: SubtaskId, name: &str, now: Duration, wall: Timestamp) -> TaskFigures {
        let distributions = |group: &MetricGroup| Distributions { meters: group.read_meters(now), histograms: group.read_histograms() };
        let times = self.times.read(now);
        let times = [(names::BUSY_TIME, times.busy), (names::IDLE_TIME, times.idle), (names::BACK_PRESSURED_TIME, times.back_pressured)];
        let mut operators: Vec<_> = self.operators.iter().map(|(name, group)| (name.clone(), group.read())).collect();
        if let (Some((_, source)), Some(lag)) = (operators.first_mut(), self.watermark_lag(wall)) {
            source.insert(names::WATERMARK_LAG.to_owned(), lag);
        }
        let mut task = self.group.read();
        task.extend(times.map(|(name, time)| (name.to_owned(), time)));
        let initialization = self.initialization();
        let took = initialization.map_or(0, |opening| opening.took.unwrap_or_else(|| self.opening.so_far(now)));
        task.insert(names::INITIALIZATION_TIME.to_owned(), took as i64);
        TaskFigures {
            subtask,
            name: name.to_owned(),
            task,
            operators,
            distributions: self.operators.iter().map(|(_, group)| distributions(group)).collect(),
            edges: self.edges.iter().map(|(edge, records)| (*edge, records.get())).collect(),
            buffers: Some(self.buffers()),
            enumerators: Vec::new(),
            initialization,
            latencies: self.latencies.read(),
            accumulators: self.accumulators.snapshot(),
            thread: self.thread.get().copied(),
            read_at_ms: now.as_millis() as u64,
        }
    }
}
