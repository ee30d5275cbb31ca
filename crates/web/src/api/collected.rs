//! The metrics of one subtask, with what follows from them.

use crate::model::{Attempt, Metrics};
use flott_core::metrics::names;
use flott_rpc::figures::{BufferFigures, QueueFigures};

/// The metrics of a subtask and of its operators.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Collected {
    /// The task's own.
    pub(crate) task: Metrics,
    /// Those of its operators by name, in the order of the chain.
    pub(crate) operators: Vec<(String, Metrics)>,
}

/// The share of a second that a task may wait for others before it counts as held back, ms.
const HELD_BACK_MS: f64 = 100.0;

/// Task metrics that its first operator has too.
const OF_HEAD: [&str; 1] = [names::CURRENT_INPUT_WATERMARK];
/// Task metrics that its last operator has too.
const OF_TAIL: [&str; 1] = [names::CURRENT_OUTPUT_WATERMARK];

/// Shares of a second in ms, and the same as shares of 1 under names of our own: the former are often taken for percent.
const RATIOS: [(&str, &str); 3] =
    [("busyTimeMsPerSecond", "busy_ratio"), ("idleTimeMsPerSecond", "idle_ratio"), ("backPressuredTimeMsPerSecond", "backPressured_ratio")];

/// What waits in the channels of a task that does `task`, under the names that Flink has given to it over time.
fn buffer_metrics(buffers: &BufferFigures, task: &Metrics) -> Metrics {
    let mut metrics = Metrics::new();
    let sides = [("Input", "input", "in", buffers.input), ("Output", "output", "out", buffers.output)];
    for (group, queue, pool, figures) in sides {
        for prefix in ["buffers".to_owned(), format!("Shuffle.Netty.{group}.Buffers")] {
            metrics.insert(format!("{prefix}.{queue}QueueLength"), figures.batches as f64);
            metrics.insert(format!("{prefix}.{pool}PoolUsage"), figures.usage());
        }
    }
    if let Some(time) = time_to_consume(&buffers.input, task.get("numRecordsInPerSecond").copied()) {
        metrics.insert("estimatedTimeToConsumeBuffersMs".to_owned(), time);
    }
    metrics
}

/// How long a task needs for what waits at its input, ms; `None` for a source, and for one that takes nothing.
fn time_to_consume(input: &QueueFigures, rate: Option<f64>) -> Option<f64> {
    match (input.records, rate) {
        _ if input.capacity == 0 => None,
        (0, _) => Some(0.0),
        (waiting, Some(rate)) if rate > 0.0 => Some((waiting as f64 * 1000.0 / rate).round()),
        _ => None,
    }
}

impl Collected {
    /// The metrics of a subtask in a run.
    pub(crate) fn of(attempt: &Attempt) -> Self {
        let (mut task, mut operators) = (attempt.metrics.clone(), attempt.operator_metrics.clone());
        let copy = |task: &Metrics, names: &[&str], operator: Option<&mut (String, Metrics)>| {
            if let Some((_, metrics)) = operator {
                for name in names {
                    if let Some(value) = task.get(*name) {
                        metrics.entry((*name).to_owned()).or_insert(*value);
                    }
                }
            }
        };
        copy(&task, &OF_HEAD, operators.first_mut());
        copy(&task, &OF_TAIL, operators.last_mut());
        if let Some(held_back) = task.get("backPressuredTimeMsPerSecond").copied() {
            task.insert("isBackPressured".to_owned(), f64::from(u8::from(held_back > HELD_BACK_MS)));
            // All waiting is for room in a bounded channel, which is what Flink calls hard.
            task.insert("hardBackPressuredTimeMsPerSecond".to_owned(), held_back);
            task.insert("softBackPressuredTimeMsPerSecond".to_owned(), 0.0);
        }
        for (share, ratio) in RATIOS {
            if let Some(ms) = task.get(share).copied() {
                task.insert(ratio.to_owned(), ms / 1000.0);
            }
        }
        if let Some(buffers) = &attempt.buffers {
            task.extend(buffer_metrics(buffers, &task));
        }
        Collected { task, operators }
    }

    /// All of them as REST names them: those of operators behind the operator's name, histograms by their parts.
    pub(crate) fn by_name(self, attempt: &Attempt) -> Metrics {
        let mut all = self.task;
        let shown = super::metrics::identifier;
        for (operator, metrics) in &self.operators {
            all.extend(metrics.iter().map(|(name, value)| (format!("{}.{name}", shown(operator)), *value)));
        }
        for (place, name, histogram) in &attempt.histograms {
            let operator = self.operators.get(*place).map_or_else(String::new, |(operator, _)| shown(operator));
            all.extend(histogram.parts().map(|(part, value)| (format!("{operator}.{name}_{part}"), value)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_what_waits_is_that_at_the_rate_of_the_last_seconds() {
        let queue = |records| QueueFigures { batches: 1, capacity: 4, records };
        assert_eq!(time_to_consume(&queue(500), Some(250.0)), Some(2000.0));
        assert_eq!(time_to_consume(&queue(0), None), Some(0.0));
        assert_eq!(time_to_consume(&queue(5), Some(0.0)), None, "it may take for ever");
        assert_eq!(time_to_consume(&QueueFigures::default(), Some(1.0)), None, "a source has no input");
    }
}
