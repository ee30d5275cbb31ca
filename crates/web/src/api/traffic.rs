//! What TaskManagers move and hold: the sum over their tasks, which are the ones that count.

use crate::{
    cluster::ClusterError,
    http::{answer::Refusal, call::Call},
    model::{Attempt, Metrics, TaskManager},
};
use flott_core::metrics::names;
use flott_rpc::figures::QueueFigures;
use std::collections::BTreeMap;

/// Bytes that the tasks of a TaskManager take in from other tasks a second. Not Flink's.
pub(crate) const BYTES_IN: &str = "numBytesInPerSecond";
/// Bytes that they send to other tasks a second. Not Flink's.
pub(crate) const BYTES_OUT: &str = "numBytesOutPerSecond";

/// What the tasks of a TaskManager do.
#[derive(Debug, Default)]
struct Traffic {
    /// Bytes a second, in and out; `None`: no task has told.
    rates: Option<[f64; 2]>,
    /// What waits for the tasks.
    waiting: QueueFigures,
    waiting_bytes: f64,
}

impl Traffic {
    fn add(&mut self, attempt: &Attempt) {
        let metric = |name: &str| attempt.metrics.get(name).copied();
        let rates = [BYTES_IN, BYTES_OUT].map(metric);
        if rates.iter().any(Option::is_some) {
            let sum = self.rates.unwrap_or_default();
            self.rates = Some([0, 1].map(|side| sum[side] + rates[side].unwrap_or(0.0)));
        }
        let Some(input) = attempt.buffers.map(|buffers| buffers.input) else { return };
        self.waiting = self.waiting.and(input);
        // What waits is like what has come before.
        if let (Some(bytes), Some(records)) = (metric(names::NUM_BYTES_IN), metric(names::NUM_RECORDS_IN).filter(|records| *records > 0.0))
        {
            self.waiting_bytes += (input.records as f64 * bytes / records).round();
        }
    }

    /// As metrics. Batches are what Flink calls segments. Memory is not set aside for them, nor for state: there is no total.
    fn metrics(&self) -> Metrics {
        let QueueFigures { batches, capacity, .. } = self.waiting;
        let known = [
            ("Status.Shuffle.Netty.UsedMemorySegments", batches as f64),
            ("Status.Shuffle.Netty.AvailableMemorySegments", capacity.saturating_sub(batches) as f64),
            ("Status.Shuffle.Netty.TotalMemorySegments", capacity as f64),
            ("Status.Shuffle.Netty.UsedMemory", self.waiting_bytes),
            ("Status.Shuffle.Netty.AvailableMemory", 0.0),
            ("Status.Shuffle.Netty.TotalMemory", 0.0),
            ("Status.Shuffle.Netty.RequestedMemoryUsage", (self.waiting.usage() * 100.0).round()),
            ("Status.Flink.Memory.Managed.Used", 0.0),
            ("Status.Flink.Memory.Managed.Total", 0.0),
        ];
        let rates = self.rates.into_iter().flat_map(|[bytes_in, bytes_out]| [(BYTES_IN, bytes_in), (BYTES_OUT, bytes_out)]);
        known.into_iter().chain(rates).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The TaskManagers, with their traffic among their metrics. One without tasks that have told any has no rates.
pub(crate) fn task_managers(call: &Call) -> Result<Vec<TaskManager>, Refusal> {
    let mut all = call.cluster().task_managers()?;
    let mut traffic: BTreeMap<String, Traffic> = all
        .iter()
        .map(|task_manager| {
            let nothing_runs = task_manager.slots.iter().all(|slot| slot.job.is_none());
            (task_manager.id.clone(), Traffic { rates: nothing_runs.then_some([0.0; 2]), ..Traffic::default() })
        })
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
        for attempt in job.vertices.iter().flat_map(|vertex| &vertex.subtasks).map(|subtask| &subtask.current) {
            let here = attempt.task_manager.as_ref().filter(|_| !attempt.status.is_terminal());
            if let Some(of_task_manager) = here.and_then(|id| traffic.get_mut(id)) {
                of_task_manager.add(attempt);
            }
        }
    }
    for task_manager in &mut all {
        if let Some(traffic) = traffic.get(&task_manager.id) {
            task_manager.metrics.extend(traffic.metrics());
        }
    }
    Ok(all)
}
