//! The metrics of one subtask, with what follows from them.

use crate::model::{Attempt, Metrics};
use flott_core::metrics::names;

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
