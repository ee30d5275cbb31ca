//! What the workers of a job have last said of its tasks.

use super::rates::{Rates, TaskRates};
use flott_core::id::SubtaskId;
use flott_rpc::gateway::TaskFigures;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The figures of a job's tasks, as its workers have last sent them. Those of a worker that is gone stay until the task runs elsewhere:
/// a worker ends when its tasks have finished, while the job goes on.
#[derive(Debug, Clone, Default)]
pub(crate) struct WorkerFigures(Arc<Mutex<All>>);

#[derive(Debug, Default)]
struct All {
    workers: BTreeMap<u64, Said>,
    gone: BTreeMap<SubtaskId, TaskFigures>,
}

/// What a worker has said of its tasks.
#[derive(Debug, Default)]
struct Said {
    tasks: Vec<TaskFigures>,
    rates: Rates,
}

impl WorkerFigures {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn report(&self, worker: u64, tasks: Vec<TaskFigures>) {
        let mut all = self.lock();
        let said = all.workers.entry(worker).or_default();
        said.rates.report(&tasks);
        said.tasks = tasks;
    }

    /// The worker says no more: its tasks have finished, or are lost.
    pub(super) fn worker_gone(&self, worker: u64) {
        let all = &mut *self.lock();
        let tasks = all.workers.remove(&worker).into_iter().flat_map(|said| said.tasks);
        all.gone.extend(tasks.map(|task| (task.subtask, TaskFigures { thread: None, ..task })));
    }

    /// Forgets, of the workers that are gone, the subtasks that the job does not have any more.
    pub(super) fn keep(&self, there: impl Fn(SubtaskId) -> bool) {
        self.lock().gone.retain(|subtask, _| there(*subtask));
    }

    /// What tasks do each second; as of [`WorkerFigures::read`].
    pub(crate) fn rates(&self) -> BTreeMap<SubtaskId, TaskRates> {
        let all = self.lock();
        all.workers.values().flat_map(|said| said.rates.all()).map(|(subtask, rates)| (subtask, rates.clone())).collect()
    }

    /// The worker of each task that has a thread, and the thread's number; a subtask that has moved is with its newest worker.
    pub(crate) fn threads(&self) -> BTreeMap<SubtaskId, (u64, u32)> {
        let all = self.lock();
        let of_worker = all.workers.iter().flat_map(|(worker, said)| said.tasks.iter().map(move |task| (*worker, task)));
        of_worker.filter_map(|(worker, task)| Some((task.subtask, (worker, task.thread?)))).collect()
    }

    /// Those of the newest attempts; a subtask that has moved is with its newest worker.
    pub(crate) fn read(&self) -> Vec<TaskFigures> {
        let all = self.lock();
        let mut read = all.gone.clone();
        read.extend(all.workers.values().flat_map(|said| &said.tasks).map(|task| (task.subtask, task.clone())));
        read.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::id::VertexId;

    fn figures(index: u32, records: i64) -> TaskFigures {
        TaskFigures {
            subtask: SubtaskId { vertex: VertexId(0), index },
            name: "count".to_owned(),
            task: BTreeMap::from([("numRecordsIn".to_owned(), records)]),
            operators: Vec::new(),
            distributions: Vec::new(),
            latencies: Vec::new(),
            accumulators: BTreeMap::new(),
            thread: Some(7),
            read_at_ms: 0,
        }
    }

    fn read(all: &WorkerFigures) -> Vec<(u32, i64)> {
        all.read().iter().map(|task| (task.subtask.index, task.task["numRecordsIn"])).collect()
    }

    #[test]
    fn what_a_task_did_is_known_although_its_worker_is_gone_until_it_runs_elsewhere() {
        let all = WorkerFigures::default();
        all.report(1, vec![figures(0, 10)]);
        all.report(2, vec![figures(1, 20)]);
        all.worker_gone(1);
        assert_eq!(read(&all), [(0, 10), (1, 20)]);
        assert_eq!(all.threads().len(), 1, "nobody can look at a thread that is not there");
        all.report(2, vec![figures(0, 3), figures(1, 25)]);
        assert_eq!(read(&all), [(0, 3), (1, 25)]);
    }

    #[test]
    fn subtasks_that_the_job_does_not_have_any_more_are_forgotten() {
        let all = WorkerFigures::default();
        all.report(1, vec![figures(0, 10), figures(1, 20)]);
        all.worker_gone(1);
        all.keep(|subtask| subtask.index < 1);
        assert_eq!(read(&all), [(0, 10)]);
    }
}
