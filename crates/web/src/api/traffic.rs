//! What goes in and out of TaskManagers a second: the sum over their tasks, which are the ones that count.

use crate::{
    cluster::ClusterError,
    http::{answer::Refusal, call::Call},
    model::TaskManager,
};
use std::collections::BTreeMap;

/// Bytes that the tasks of a TaskManager take in from other tasks a second. Not Flink's.
pub(crate) const BYTES_IN: &str = "numBytesInPerSecond";
/// Bytes that they send to other tasks a second. Not Flink's.
pub(crate) const BYTES_OUT: &str = "numBytesOutPerSecond";

/// The TaskManagers, with their traffic among their metrics. One without tasks that have told any has none.
pub(crate) fn task_managers(call: &Call) -> Result<Vec<TaskManager>, Refusal> {
    let mut all = call.cluster().task_managers()?;
    let mut traffic: BTreeMap<String, [f64; 2]> = all
        .iter()
        .filter(|task_manager| task_manager.slots.iter().all(|slot| slot.job.is_none()))
        // Nothing runs there.
        .map(|task_manager| (task_manager.id.clone(), [0.0; 2]))
        .collect();
    let mut running: Vec<_> = all.iter().flat_map(|task_manager| task_manager.slots.iter().filter_map(|slot| slot.job)).collect();
    running.sort_unstable();
    running.dedup();
    for id in running {
        let job = match call.cluster().job(id) {
            Ok(job) => job,
            // It has gone meanwhile.
            Err(ClusterError::NotFound(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        for vertex in &job.vertices {
            for attempt in vertex.subtasks.iter().map(|subtask| &subtask.current) {
                let Some(task_manager) = attempt.task_manager.as_ref().filter(|_| !attempt.status.is_terminal()) else { continue };
                let rates = [BYTES_IN, BYTES_OUT].map(|rate| attempt.metrics.get(rate).copied());
                if rates.iter().any(Option::is_some) {
                    let sum = traffic.entry(task_manager.clone()).or_default();
                    *sum = [0, 1].map(|side| sum[side] + rates[side].unwrap_or(0.0));
                }
            }
        }
    }
    for task_manager in &mut all {
        if let Some([bytes_in, bytes_out]) = traffic.get(&task_manager.id) {
            task_manager.metrics.insert(BYTES_IN.to_owned(), *bytes_in);
            task_manager.metrics.insert(BYTES_OUT.to_owned(), *bytes_out);
        }
    }
    Ok(all)
}
