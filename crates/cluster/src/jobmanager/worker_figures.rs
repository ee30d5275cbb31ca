//! What the workers of a job have last said of its tasks.

use super::{
    last_figures::AttemptFigures,
    rates::{Rates, TaskRates},
};
use flott_core::id::{AttemptId, SubtaskId, VertexId};
use flott_rpc::figures::{EnumeratorFigures, TaskFigures};
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
    enumerators: Vec<EnumeratorFigures>,
    rates: Rates,
}

impl WorkerFigures {
    /// Of a job that has ended.
    pub(super) fn of(tasks: Vec<TaskFigures>) -> Self {
        let gone = tasks.into_iter().map(|task| (task.subtask, task)).collect();
        WorkerFigures(Arc::new(Mutex::new(All { gone, ..All::default() })))
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker tells of its tasks, and of enumerators that it hosts.
    pub(super) fn report(&self, worker: u64, tasks: Vec<TaskFigures>, enumerators: Vec<EnumeratorFigures>) {
        let mut all = self.lock();
        let said = all.workers.entry(worker).or_default();
        said.rates.report(&tasks);
        (said.tasks, said.enumerators) = (tasks, enumerators);
    }

    /// The worker says no more: its tasks have finished, or are lost.
    pub(super) fn worker_gone(&self, worker: u64) {
        let all = &mut *self.lock();
        let tasks = all.workers.remove(&worker).into_iter().flat_map(|said| said.tasks);
        all.gone.extend(tasks.map(|task| (task.subtask, TaskFigures { thread: None, buffers: None, ..task })));
    }

    /// What workers have last said of the tasks for which `attempt_of` a subtask and its worker gives an attempt.
    pub(super) fn said(&self, attempt_of: impl Fn(SubtaskId, u64) -> Option<AttemptId>) -> Vec<(AttemptId, AttemptFigures)> {
        let all = self.lock();
        let tasks = all.workers.iter().flat_map(|(worker, said)| said.tasks.iter().map(move |task| (*worker, task)));
        tasks.filter_map(|(worker, task)| Some((attempt_of(task.subtask, worker)?, AttemptFigures::of(task)))).collect()
    }

    /// Forgets what has been said of subtasks: they are about to run anew, or the job does not have them any more.
    pub(super) fn forget(&self, which: impl Fn(SubtaskId) -> bool) {
        let all = &mut *self.lock();
        all.gone.retain(|subtask, _| !which(*subtask));
        all.workers.values_mut().for_each(|said| said.tasks.retain(|task| !which(task.subtask)));
    }

    /// What enumerators say of themselves, by the vertex of their source.
    pub(crate) fn enumerators(&self) -> BTreeMap<VertexId, EnumeratorFigures> {
        let all = self.lock();
        all.workers.values().flat_map(|said| &said.enumerators).map(|enumerator| (enumerator.vertex, *enumerator)).collect()
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
    use crate::jobmanager::testing;

    fn figures(index: u32, records: i64) -> TaskFigures {
        TaskFigures { task: BTreeMap::from([("numRecordsIn".to_owned(), records)]), ..testing::figures(index) }
    }

    fn assigns(unassigned_splits: u64) -> EnumeratorFigures {
        EnumeratorFigures { vertex: VertexId(0), unassigned_splits }
    }

    fn read(all: &WorkerFigures) -> Vec<(u32, i64)> {
        all.read().iter().map(|task| (task.subtask.index, task.task["numRecordsIn"])).collect()
    }

    #[test]
    fn what_a_task_did_is_known_although_its_worker_is_gone_until_it_runs_elsewhere() {
        let all = WorkerFigures::default();
        all.report(1, vec![figures(0, 10)], vec![assigns(5)]);
        all.report(2, vec![figures(1, 20)], vec![]);
        assert_eq!(all.enumerators(), [(VertexId(0), assigns(5))].into());
        all.worker_gone(1);
        assert_eq!(read(&all), [(0, 10), (1, 20)]);
        assert!(all.enumerators().is_empty(), "it is made anew elsewhere");
        assert_eq!(all.threads().len(), 1, "nobody can look at a thread that is not there");
        all.report(2, vec![figures(0, 3), figures(1, 25)], vec![]);
        assert_eq!(read(&all), [(0, 3), (1, 25)]);
    }

    #[test]
    fn subtasks_that_run_anew_or_are_no_more_are_forgotten() {
        let all = WorkerFigures::default();
        all.report(1, vec![figures(0, 10), figures(1, 20)], vec![]);
        all.worker_gone(1);
        all.report(2, vec![figures(2, 30)], vec![]);
        all.forget(|subtask| subtask.index > 0);
        assert_eq!(read(&all), [(0, 10)]);
    }
}
