//! What tasks had counted when they were last heard of: with each attempt of a job that runs, and with one that has ended.

use super::JobHistory;
use flott_core::{accumulator::AccumulatorValue, metrics::names};
use flott_rpc::figures::{Initialization, TaskFigures};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The most that is stored of the figures of a job that has ended, bytes. A coordination store is for small values.
const STORED_BYTES_MAX: usize = 512 << 10;

/// What is stored of each task if there are too many for more.
const NEEDED: [&str; 7] = [
    names::NUM_RECORDS_IN,
    names::NUM_RECORDS_OUT,
    names::NUM_BYTES_IN,
    names::NUM_BYTES_OUT,
    names::BUSY_TIME,
    names::IDLE_TIME,
    names::BACK_PRESSURED_TIME,
];

/// What a run of a subtask had counted when it was last heard of.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AttemptFigures {
    /// The task's own counters and gauges, by metric name.
    #[serde(default)]
    pub task: BTreeMap<String, i64>,
    /// Its accumulators.
    #[serde(default)]
    pub accumulators: BTreeMap<String, AccumulatorValue>,
    /// When it opened its operators.
    #[serde(default)]
    pub initialization: Option<Initialization>,
}

impl AttemptFigures {
    pub(super) fn of(figures: &TaskFigures) -> Self {
        AttemptFigures { task: figures.task.clone(), accumulators: figures.accumulators.clone(), initialization: figures.initialization }
    }
}

/// Figures that many read, as a field of what is stored.
pub(super) mod shared {
    use super::{Arc, AttemptFigures};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(figures: &Option<Arc<AttemptFigures>>, to: S) -> Result<S::Ok, S::Error> {
        figures.as_deref().serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<AttemptFigures>>, D::Error> {
        Ok(Option::<AttemptFigures>::deserialize(from)?.map(Arc::new))
    }
}

/// What is stored of the `figures` of a job's tasks, and of those in its `history`: less of each, the more tasks there are.
pub(super) fn to_store(mut figures: Vec<TaskFigures>, history: &mut JobHistory) -> Vec<TaskFigures> {
    for task in &mut figures {
        (task.thread, task.read_at_ms) = (None, 0);
        task.distributions.clear();
        task.latencies.clear();
        (task.buffers, task.enumerators) = (None, Vec::new());
    }
    let bytes = |figures: &[TaskFigures], history: &JobHistory| {
        let earlier: Vec<&AttemptFigures> = history.figures().collect();
        // What has no form in bytes takes all the room that there is.
        rmp_serde::to_vec_named(&(figures, earlier)).map_or(usize::MAX, |bytes| bytes.len())
    };
    let less: [fn(&mut Vec<TaskFigures>, &mut JobHistory); 4] = [
        |figures, _| figures.iter_mut().for_each(|task| task.operators.clear()),
        |_, history| history.forget_figures(),
        |figures, _| figures.iter_mut().for_each(|task| task.task.retain(|name, _| NEEDED.contains(&name.as_str()))),
        |figures, _| figures.clear(),
    ];
    for less in less {
        if bytes(&figures, history) <= STORED_BYTES_MAX {
            break;
        }
        less(&mut figures, history);
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobmanager::testing;

    fn figures(index: u32) -> TaskFigures {
        let counters = |most: usize| (0..most).map(|number| (format!("a.metric.of.the.program.{number}"), 1 << 40));
        TaskFigures {
            task: counters(20).chain([(names::NUM_RECORDS_IN.to_owned(), 7)]).collect(),
            operators: vec![("map".to_owned(), counters(30).collect())],
            read_at_ms: 5,
            ..testing::figures(index)
        }
    }

    #[test]
    fn less_is_stored_of_each_task_the_more_there_are() {
        let stored = |tasks: u32| to_store((0..tasks).map(figures).collect(), &mut JobHistory::default());
        let few = stored(10);
        assert_eq!((few[0].thread, few[0].operators.len(), few[0].task.len()), (None, 1, 21));
        let more = stored(500);
        assert_eq!((more.len(), more[0].operators.len(), more[0].task.len()), (500, 0, 21));
        let many = stored(2000);
        assert_eq!((many.len(), &many[0].task), (2000, &[(names::NUM_RECORDS_IN.to_owned(), 7)].into()));
        assert!(stored(100_000).is_empty());
    }
}
