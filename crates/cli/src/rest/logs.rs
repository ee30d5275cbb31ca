//! Log files, threads and options of processes: of this one, and of TaskManagers, which are asked.

use crate::log::Files;
use flott_cluster::JobManager;
use flott_core::id::JobId;
use flott_rpc::observe::{Answer, LogInfo, MOST_LOG_BYTES, OptionValue, Question, ThreadInfo};
use flott_web::{ClusterError, Result, model};
use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
    time::Duration,
};

/// How long a TaskManager may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a TaskManager may take to look at all threads: most of it are the names of functions, of each executable.
const DUMP_TIMEOUT: Duration = Duration::from_secs(120);

fn shown(file: LogInfo) -> model::LogFile {
    let kind = match Path::new(&file.name).extension().and_then(|extension| extension.to_str()) {
        Some("log") => model::LogKind::Log,
        Some("out") => model::LogKind::Stdout,
        _ => model::LogKind::Other,
    };
    model::LogFile { name: file.name, size: file.size, modified_at: file.modified_at, kind }
}

/// What a TaskManager answers, if it can.
pub(super) fn ask(manager: &JobManager, task_manager: &str, question: Question, timeout: Duration) -> Result<Answer> {
    match manager.ask(task_manager, question, timeout).map_err(|error| super::of(&error))? {
        Answer::Missing(what) => Err(ClusterError::NotFound(what)),
        Answer::Failed(why) => Err(ClusterError::Failed(format!("TaskManager `{task_manager}`: {why}"))),
        answer => Ok(answer),
    }
}

/// The answer was to another question, which only a mistake in Flott can bring about.
pub(super) fn strange(answer: &Answer) -> ClusterError {
    ClusterError::Failed(format!("the TaskManager answered something else than was asked: {answer:.100?}"))
}

/// The log files of a process.
pub(super) fn list(manager: &JobManager, own: Option<&Files>, process: &model::Process) -> Result<Vec<model::LogFile>> {
    let files = match process {
        model::Process::JobManager => {
            let listed = own.map_or(Ok(Vec::new()), |files| files.folder.list());
            listed.map_err(|error| ClusterError::Failed(format!("cannot read the folder of logs: {error}")))?
        }
        model::Process::TaskManager(id) => match ask(manager, id, Question::Logs, TIMEOUT)? {
            Answer::Logs(files) => files,
            other => return Err(strange(&other)),
        },
    };
    Ok(files.into_iter().map(shown).collect())
}

/// Part of a log file, which must be one that is listed.
pub(super) fn read(
    manager: &JobManager,
    own: Option<&Files>,
    process: &model::Process,
    name: &str,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>> {
    match process {
        model::Process::JobManager => {
            let read = own.map_or(Ok(None), |files| files.folder.read(name, offset, length));
            let read = read.map_err(|error| ClusterError::Failed(format!("cannot read `{name}`: {error}")))?;
            read.ok_or_else(|| ClusterError::NotFound(format!("there is no log file `{name}`")))
        }
        model::Process::TaskManager(id) => {
            let length = u32::try_from(length).unwrap_or(u32::MAX).min(MOST_LOG_BYTES);
            let question = Question::ReadLog { name: name.to_owned(), offset, length };
            match ask(manager, id, question, TIMEOUT)? {
                Answer::Log(bytes) => Ok(bytes),
                other => Err(strange(&other)),
            }
        }
    }
}

/// The options of a TaskManager.
pub(super) fn options(manager: &JobManager, task_manager: &str) -> Result<Vec<model::Setting>> {
    let shown = |OptionValue { key, value, origin }| model::Setting { key, value, origin };
    match ask(manager, task_manager, Question::Configuration, TIMEOUT)? {
        Answer::Configuration(all) => Ok(all.into_iter().map(shown).collect()),
        other => Err(strange(&other)),
    }
}

/// The threads of a process with their stacks; those of tasks by the names of their tasks.
pub(super) fn threads(manager: &JobManager, process: &model::Process) -> Result<Vec<model::ThreadInfo>> {
    match process {
        model::Process::JobManager => {
            let unreadable = |error| ClusterError::Unavailable(format!("the threads cannot be read: {error}"));
            let threads = flott_cluster::threads(std::process::id(), crate::stacks::own).map_err(unreadable)?.into_iter();
            Ok(threads.map(|thread| model::ThreadInfo { name: thread.name, text: thread.text }).collect())
        }
        model::Process::TaskManager(id) => match ask(manager, id, Question::Threads, DUMP_TIMEOUT)? {
            Answer::Threads(threads) => {
                let workers: BTreeSet<(JobId, u64)> = threads.iter().filter_map(|thread| thread.worker).collect();
                let tasks: HashMap<u32, String> = workers.into_iter().flat_map(|(job, worker)| tasks(manager, id, job, worker)).collect();
                Ok(threads
                    .into_iter()
                    .map(|thread| with_task(&thread, tasks.get(&thread.id).filter(|_| thread.worker.is_some())))
                    .collect())
            }
            other => Err(strange(&other)),
        },
    }
}

/// The names of the tasks of a worker by the numbers of their threads, such as `Source: Lines (1/2)`.
fn tasks(manager: &JobManager, task_manager: &str, job: JobId, worker: u64) -> Vec<(u32, String)> {
    // A job that has just gone has no tasks.
    let Ok(details) = manager.details(job) else { return Vec::new() };
    let mut named = Vec::new();
    for vertex in &details.topology.vertices {
        let places = manager.task_threads(job, vertex.id).unwrap_or_default();
        let here = places.into_iter().filter(|place| place.worker == worker && place.task_manager == task_manager);
        let name = |index: u32| format!("{} ({}/{})", vertex.name, index + 1, vertex.parallelism);
        named.extend(here.flat_map(|place| place.threads).map(|(subtask, thread)| (thread, name(subtask))));
    }
    named
}

/// A thread as it is shown: the system cuts names to 15 bytes, that of its task says more.
fn with_task(thread: &ThreadInfo, task: Option<&String>) -> model::ThreadInfo {
    let rest = thread.text.strip_prefix(&format!("\"{}\"", thread.name));
    match task.zip(rest) {
        Some((task, rest)) => model::ThreadInfo { name: task.clone(), text: format!("\"{task}\"{rest}") },
        None => model::ThreadInfo { name: thread.name.clone(), text: thread.text.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_of_a_task_has_the_name_of_the_task() {
        let thread = ThreadInfo { name: "Map 1/2".to_owned(), text: "\"Map 1/2\" Id=7 WAITING\n\tat f\n".to_owned(), id: 7, worker: None };
        let task = "Map -> Filter (1/2)".to_owned();
        let shown = with_task(&thread, Some(&task));
        assert_eq!((shown.name, shown.text.as_str()), (task, "\"Map -> Filter (1/2)\" Id=7 WAITING\n\tat f\n"));
        assert_eq!(with_task(&thread, None).text, thread.text);
    }
}
