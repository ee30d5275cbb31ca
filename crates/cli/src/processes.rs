//! The processes of a cluster.

use crate::{job_manager_address, rest::Rest};
use flott_cluster::{
    JobManager, JobManagerOptions, SystemClock,
    taskmanager::{self, TaskManagerOptions},
};
use flott_core::{
    Error, ErrorKind,
    config::{Configuration, options},
};
use flott_security::{Connector, Entrance, TlsIdentity, missing_for_rest, refuse_listen, server_config_for_rest};
use flott_web::{Options, Server};
use std::{net::ToSocketAddrs, path::PathBuf, process::ExitCode, sync::Arc, thread};

/// Runs a JobManager until the process is ended.
pub(crate) fn job_manager(config: &Configuration) -> Result<ExitCode, Error> {
    let manager = JobManager::start(JobManagerOptions {
        bind: job_manager_address(config)?,
        security: Entrance::from_configuration(config)?,
        folder: folder(config)?,
        heartbeat_interval: config.get(&options::HEARTBEAT_INTERVAL)?,
        heartbeat_timeout: config.get(&options::HEARTBEAT_TIMEOUT)?,
    })?;
    let rest = rest(config, &manager)?;
    // Whoever starts it waits for these lines.
    let scheme = if config.get(&options::SSL_REST_ENABLED)? { "https" } else { "http" };
    println!("REST at {scheme}://{}", rest.address());
    println!("JobManager at {}", manager.address());
    loop {
        thread::park();
    }
}

/// Starts the REST server.
fn rest(config: &Configuration, manager: &JobManager) -> Result<Server, Error> {
    let (host, port) = (config.get(&options::REST_BIND_ADDRESS)?, config.get(&options::REST_PORT)?);
    let address = format!("{host}:{port}");
    let uploads = folder(config)?;
    let options = Options {
        submit: config.get(&options::WEB_SUBMIT_ENABLE)?,
        tokens: manager.security().tokens().cloned(),
        tls: TlsIdentity::of_rest(config)?.as_ref().map(server_config_for_rest).transpose()?,
        upload_folder: uploads.parent().map_or_else(std::env::temp_dir, PathBuf::from),
        ..Options::new(Arc::new(SystemClock::default()))
    };
    let unusable = |error| {
        let text = format!("cannot listen on `{address}`: is another JobManager running there? Set `rest.port` to choose another port");
        Error::new(ErrorKind::Unavailable, text).with_source(error)
    };
    let missing = missing_for_rest(config)?;
    for address in address.to_socket_addrs().map_err(unusable)? {
        refuse_listen(address, "rest.bind-address", &missing)?;
    }
    Server::bind(address.as_str(), Arc::new(Rest::new(manager.clone(), config.clone())?), options).map_err(unusable)
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
        security: Connector::of_process(config)?,
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
