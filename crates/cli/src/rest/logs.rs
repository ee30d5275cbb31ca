//! Log files, threads and options of processes: of this one, and of TaskManagers, which are asked.

use crate::log::Files;
use flott_cluster::JobManager;
use flott_rpc::observe::{Answer, LogInfo, MOST_LOG_BYTES, OptionValue, Question};
use flott_web::{ClusterError, Result, model};
use std::{path::Path, time::Duration};

/// How long a TaskManager may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

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

/// The threads of a process and what the system says of them.
pub(super) fn threads(manager: &JobManager, process: &model::Process) -> Result<Vec<model::ThreadInfo>> {
    match process {
        model::Process::JobManager => {
            let unreadable = |error| ClusterError::Unavailable(format!("the threads cannot be read: {error}"));
            let threads = flott_cluster::threads(std::process::id()).map_err(unreadable)?.into_iter();
            Ok(threads.map(|(name, text)| model::ThreadInfo { text: format!("\"{name}\" {text}"), name }).collect())
        }
        model::Process::TaskManager(id) => match ask(manager, id, Question::Threads, TIMEOUT)? {
            Answer::Threads(threads) => {
                Ok(threads.into_iter().map(|thread| model::ThreadInfo { name: thread.name, text: thread.text }).collect())
            }
            other => Err(strange(&other)),
        },
    }
}
