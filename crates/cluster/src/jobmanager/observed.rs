//! What the JobManager knows and asks of TaskManagers and workers for people.

use super::JobManager;
use crate::host::WorkerNotice;
use flott_core::{
    Error, ErrorKind, Timestamp,
    id::{JobId, VertexId},
    time::Clock,
};
use flott_rpc::{
    control::{FromTaskManager, ToTaskManager},
    figures::ProcessFigures,
    observe::{Answer, Question},
    tap::{WorkerAnswer, WorkerQuestion},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

/// Tasks of a vertex in one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskThreads {
    /// The TaskManager.
    pub task_manager: String,
    /// The number of the worker.
    pub worker: u64,
    /// The subtasks, each with the number of its thread.
    pub threads: Vec<(u32, u32)>,
}

/// What the workers of a job have answered.
#[derive(Debug, Clone, Default)]
pub struct WorkerAnswers {
    /// The answers.
    pub answers: Vec<WorkerAnswer>,
    /// The number of those that have not answered in time.
    pub silent: usize,
    /// The number of those whose program is too old to be asked.
    pub unable: usize,
}

/// Who waits for answers of workers.
#[derive(Debug)]
struct WaitsForWorkers {
    job: JobId,
    asked: BTreeSet<u64>,
    answers: mpsc::Sender<WorkerAnswer>,
}

/// Questions and figures.
#[derive(Debug, Default)]
pub(super) struct Observed {
    next: AtomicU64,
    /// Who waits for which answer of which TaskManager.
    waiting: Mutex<HashMap<u64, (String, mpsc::Sender<Answer>)>>,
    /// The same of workers.
    waiting_for_workers: Mutex<HashMap<u64, WaitsForWorkers>>,
    figures: Mutex<BTreeMap<String, (Timestamp, ProcessFigures)>>,
}

impl Observed {
    /// A TaskManager has said something for people.
    pub(super) fn said(&self, task_manager: &str, message: FromTaskManager, now: Timestamp) {
        match message {
            FromTaskManager::Figures(figures) => {
                let mut all = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(task_manager.to_owned(), (now, figures));
            }
            FromTaskManager::Answer(number, answer) => {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                if waiting.get(&number).is_some_and(|(asked, _)| asked == task_manager)
                    && let Some((_, waits)) = waiting.remove(&number)
                {
                    // Whoever has asked may have gone.
                    let _ = waits.send(answer);
                }
            }
            FromTaskManager::WorkerEnded { .. } | FromTaskManager::Heartbeat => {}
        }
    }

    /// A worker has answered a question. Each answers once; what comes later is nobody's.
    fn answered(&self, number: u64, job: JobId, worker: u64, answer: WorkerAnswer) {
        let mut waiting = self.waiting_for_workers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waits) = waiting.get_mut(&number).filter(|waits| waits.job == job)
            && waits.asked.remove(&worker)
        {
            // Whoever has asked may have gone.
            let _ = waits.answers.send(answer);
        }
    }

    /// A TaskManager is gone.
    pub(super) fn lost(&self, task_manager: &str) {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).remove(task_manager);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (asked, _)| asked != task_manager);
    }
}

impl JobManager {
    /// Asks a TaskManager something and waits for the answer.
    ///
    /// # Errors
    /// There is no such TaskManager, or it does not answer within `timeout`.
    pub fn ask(&self, task_manager: &str, question: Question, timeout: Duration) -> Result<Answer, Error> {
        let observed = &self.0.observed;
        let link = self.lock().task_managers.get(task_manager).map(|known| known.link.clone());
        let link = link.ok_or_else(|| Error::invalid(format!("there is no TaskManager `{task_manager}`")))?;
        let number = observed.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = mpsc::channel();
        let waiting = || observed.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting().insert(number, (task_manager.to_owned(), answer));
        link.send(ToTaskManager::Ask(number, question));
        let answer = answered.recv_timeout(timeout);
        waiting().remove(&number);
        answer.map_err(|error| {
            let why = match error {
                mpsc::RecvTimeoutError::Timeout => format!("does not answer within {} ms", timeout.as_millis()),
                mpsc::RecvTimeoutError::Disconnected => "is gone".to_owned(),
            };
            Error::new(ErrorKind::Unavailable, format!("TaskManager `{task_manager}` {why}"))
        })
    }

    /// Asks all workers of a job something and waits for their answers, at most for `timeout`.
    ///
    /// # Errors
    /// There is no job of this number.
    pub fn ask_workers(&self, job: JobId, question: WorkerQuestion, timeout: Duration) -> Result<WorkerAnswers, Error> {
        let observed = &self.0.observed;
        let number = observed.next.fetch_add(1, Ordering::Relaxed);
        let waiting = || observed.waiting_for_workers.lock().unwrap_or_else(PoisonError::into_inner);
        let (answers, answered) = mpsc::channel();
        let mut all = WorkerAnswers::default();
        {
            let state = self.lock();
            let known = state.jobs.get(&job).ok_or_else(|| Error::invalid(format!("there is no job {job}")))?;
            let (workers, unable) = known.answering();
            (all.silent, all.unable) = (workers.len(), unable);
            waiting().insert(number, WaitsForWorkers { job, asked: workers.iter().copied().collect(), answers });
            known.notice(WorkerNotice::Ask { number, question, workers });
        }
        let deadline = self.0.clock.monotonic() + timeout;
        while all.silent > 0 {
            match answered.recv_timeout(deadline.saturating_sub(self.0.clock.monotonic())) {
                Ok(answer) => {
                    all.answers.push(answer);
                    all.silent -= 1;
                }
                Err(_) => break,
            }
        }
        waiting().remove(&number);
        Ok(all)
    }

    /// A worker has answered a question.
    pub(super) fn worker_answered(&self, number: u64, job: JobId, worker: u64, answer: WorkerAnswer) {
        self.0.observed.answered(number, job, worker, answer);
    }

    /// Where the tasks of a vertex run, as far as they have said so.
    ///
    /// # Errors
    /// There is no job of this number.
    pub fn task_threads(&self, job: JobId, vertex: VertexId) -> Result<Vec<TaskThreads>, Error> {
        let state = self.lock();
        let known = state.jobs.get(&job).ok_or_else(|| Error::invalid(format!("there is no job {job}")))?;
        let mut by_worker: BTreeMap<u64, TaskThreads> = BTreeMap::new();
        for (subtask, (worker, thread)) in known.threads().into_iter().filter(|(subtask, _)| subtask.vertex == vertex) {
            // A worker that is gone has no TaskManager.
            let Some(task_manager) = known.task_manager_of(worker) else { continue };
            let tasks = by_worker.entry(worker);
            let tasks = tasks.or_insert_with(|| TaskThreads { task_manager: task_manager.to_owned(), worker, threads: Vec::new() });
            tasks.threads.push((subtask.index, thread));
        }
        Ok(by_worker.into_values().collect())
    }

    /// What a TaskManager uses, with its workers, and when it said so.
    pub fn process_figures(&self, task_manager: &str) -> Option<(Timestamp, ProcessFigures)> {
        self.0.observed.figures.lock().unwrap_or_else(PoisonError::into_inner).get(task_manager).cloned()
    }

    /// A TaskManager has said something for people.
    pub(super) fn observe(&self, task_manager: &str, message: FromTaskManager) {
        self.0.observed.said(task_manager, message, self.0.clock.wall());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_that_was_asked_answers() {
        let observed = Observed::default();
        let (sender, answered) = mpsc::channel();
        observed.waiting.lock().unwrap().insert(7, ("tm0".to_owned(), sender));
        observed.said("tm1", FromTaskManager::Answer(7, Answer::Log(b"no".to_vec())), 0);
        observed.said("tm0", FromTaskManager::Answer(8, Answer::Log(b"no".to_vec())), 0);
        assert_eq!(answered.try_recv(), Err(mpsc::TryRecvError::Empty));
        observed.said("tm0", FromTaskManager::Answer(7, Answer::Log(b"yes".to_vec())), 0);
        assert_eq!(answered.try_recv(), Ok(Answer::Log(b"yes".to_vec())));
        assert!(observed.waiting.lock().unwrap().is_empty());
    }

    #[test]
    fn a_worker_answers_once_and_only_for_its_own_job() {
        let observed = Observed::default();
        let (answers, answered) = mpsc::channel();
        let asked = BTreeSet::from([0, 2]);
        observed.waiting_for_workers.lock().unwrap().insert(7, WaitsForWorkers { job: JobId(1), asked, answers });
        let answer = |number, job, worker, text: &str| observed.answered(number, JobId(job), worker, WorkerAnswer::Failed(text.to_owned()));
        answer(7, 2, 0, "another job");
        answer(7, 1, 1, "not asked");
        answer(8, 1, 0, "another question");
        answer(7, 1, 2, "yes");
        answer(7, 1, 2, "again");
        assert_eq!(answered.try_iter().collect::<Vec<_>>(), [WorkerAnswer::Failed("yes".to_owned())]);
    }

    #[test]
    fn nobody_waits_for_one_that_is_gone() {
        let observed = Observed::default();
        let (sender, answered) = mpsc::channel::<Answer>();
        observed.waiting.lock().unwrap().insert(7, ("tm0".to_owned(), sender));
        observed.said("tm0", FromTaskManager::Figures(ProcessFigures::default()), 5);
        assert_eq!(observed.figures.lock().unwrap()["tm0"].0, 5);
        observed.lost("tm0");
        assert_eq!(answered.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        assert!(observed.figures.lock().unwrap().is_empty());
    }
}
