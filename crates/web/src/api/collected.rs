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
    /// The metrics of `attempt` and its operators as one map, as rates are added to it.
    pub(crate) fn flat(attempt: &Attempt) -> Metrics {
        let mut all = attempt.metrics.clone();
        for (place, (_, metrics)) in attempt.operator_metrics.iter().enumerate() {
            all.extend(metrics.iter().map(|(name, value)| (format!("{place}.{name}"), *value)));
        }
        all
    }

    /// Takes apart what [`Collected::flat`] has put together.
    pub(crate) fn of(attempt: &Attempt, flat: Metrics) -> Self {
        let mut task = Metrics::new();
        let mut operators: Vec<(String, Metrics)> =
            attempt.operator_metrics.iter().map(|(name, _)| (name.clone(), Metrics::new())).collect();
        for (name, value) in flat {
            let of_operator = name.split_once('.').and_then(|(place, rest)| Some((place.parse::<usize>().ok()?, rest)));
            match of_operator.and_then(|(place, rest)| Some((operators.get_mut(place)?, rest))) {
                Some(((_, metrics), rest)) => metrics.insert(rest.to_owned(), value),
                None => task.insert(name, value),
            };
        }
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
