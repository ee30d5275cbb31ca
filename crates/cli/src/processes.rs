//! The processes of a cluster.

use crate::job_manager_address;
use flott_cluster::{
    JobManager, JobManagerOptions,
    taskmanager::{self, TaskManagerOptions},
};
use flott_core::{
    Error,
    config::{Configuration, options},
};
use std::{path::PathBuf, process::ExitCode, thread};

/// Runs a JobManager until the process is ended.
pub(crate) fn job_manager(config: &Configuration) -> Result<ExitCode, Error> {
    let manager = JobManager::start(JobManagerOptions {
        bind: job_manager_address(config)?,
        folder: folder(config)?,
        heartbeat_interval: config.get(&options::HEARTBEAT_INTERVAL)?,
        heartbeat_timeout: config.get(&options::HEARTBEAT_TIMEOUT)?,
    })?;
    // Whoever starts it waits for this line.
    println!("JobManager at {}", manager.address());
    loop {
        thread::park();
    }
}

/// Runs a TaskManager until the process is ended.
pub(crate) fn task_manager(config: &Configuration) -> Result<ExitCode, Error> {
    let id = match config.get(&options::TASKMANAGER_RESOURCE_ID)? {
        Some(id) => id,
        None => format!("{}-{}", hostname(), std::process::id()),
    };
    taskmanager::run(&TaskManagerOptions {
        job_manager: job_manager_address(config)?,
        slots: config.get(&options::TASKMANAGER_NUMBER_OF_TASK_SLOTS)?,
        bind: config.get(&options::TASKMANAGER_BIND_HOST)?,
        folder: folder(config)?,
        id,
        heartbeat_interval: config.get(&options::HEARTBEAT_INTERVAL)?,
        heartbeat_timeout: config.get(&options::HEARTBEAT_TIMEOUT)?,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The folder for executables, which all processes of this user share: they are named by their content.
fn folder(config: &Configuration) -> Result<PathBuf, Error> {
    let base = config.get(&options::IO_TMP_DIRS)?.map_or_else(std::env::temp_dir, PathBuf::from);
    let user = std::env::var("USER").unwrap_or_else(|_| "user".to_owned()).replace('/', "_");
    Ok(base.join(format!("flott-{user}")).join("executables"))
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}
