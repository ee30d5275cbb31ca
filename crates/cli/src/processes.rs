//! The processes of a cluster.

use crate::{bind_address, job_manager_addresses, rest::Rest};
use bytes::Bytes;
use flott_cluster::{
    HighAvailability, JobManager, JobManagerOptions, SystemClock,
    taskmanager::{self, TaskManagerOptions},
};
use flott_core::{
    Error, ErrorKind,
    config::{Configuration, HighAvailabilityType, options},
};
use flott_executable::Machine;
use flott_web::{Asset, Elsewhere, Options, Server};
use std::{
    net::ToSocketAddrs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
};

/// Runs a JobManager until the process is ended.
pub(crate) fn job_manager(config: &Configuration) -> Result<ExitCode, Error> {
    let store = crate::high_availability::open_store(config)?;
    let shared = crate::high_availability::shared_folder(config)?;
    let manager = JobManager::start(JobManagerOptions {
        bind: bind_address(config)?,
        folder: shared.as_ref().map_or_else(|| folder(config), |shared| Ok(shared.join("executables")))?,
        heartbeat_interval: config.get(&options::HEARTBEAT_INTERVAL)?,
        heartbeat_timeout: config.get(&options::HEARTBEAT_TIMEOUT)?,
        archive: config.get(&options::JOBMANAGER_ARCHIVE_FS_DIR)?.filter(|_| store.is_none()).map(PathBuf::from),
        elected: store.is_some(),
    })?;
    let rest = rest(config, &manager)?;
    // Whoever starts it waits for these lines.
    println!("REST at http://{}", rest.address());
    println!("JobManager at {}", manager.address());
    if let Some(store) = store {
        let election = flott_ha::election_settings(config, &manager.address().to_string(), &rest.address().to_string())?;
        manager.stand(HighAvailability { store, election, checkpoints: shared.map(|shared| shared.join("checkpoints")) })?;
    }
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
        upload_bytes_max: config.get(&options::REST_SERVER_MAX_CONTENT_LENGTH)?.0,
        upload_folder: uploads.parent().map_or_else(std::env::temp_dir, PathBuf::from),
        elsewhere: Some(elsewhere(manager.clone())),
        assets: Some(Arc::new(dashboard)),
        ..Options::new(Arc::new(SystemClock::default()))
    };
    let unusable = |error| {
        let text = format!("cannot listen on `{address}`: is another JobManager running there? Set `rest.port` to choose another port");
        Error::new(ErrorKind::Unavailable, text).with_source(error)
    };
    let local = address.to_socket_addrs().map_err(unusable)?.all(|address| address.ip().is_loopback());
    if !local {
        return Err(Error::invalid(format!(
            "`{address}` can be reached from other machines, which needs authentication and encryption; they are not there yet: set \
             `rest.bind-address` to a loopback address"
        )));
    }
    Server::bind(address.as_str(), Arc::new(Rest::new(manager.clone(), config.clone())?), options).map_err(unusable)
}

/// Where the REST server of the JobManager that leads is, if another one does.
fn elsewhere(manager: JobManager) -> Elsewhere {
    Arc::new(move || {
        let rest = manager.other_leader()?.rest_address;
        (!rest.is_empty()).then(|| format!("http://{rest}"))
    })
}

/// A file of the dashboard.
fn dashboard(path: &str) -> Option<Asset> {
    let file = flott_dashboard::file(path)?;
    let body = Bytes::from_static(file.gzip);
    Some(Asset { content_type: file.content_type, body, gzip: true, tag: Some(file.tag), immutable: file.immutable })
}

/// Runs a TaskManager until the process is ended.
pub(crate) fn task_manager(config: &Configuration) -> Result<ExitCode, Error> {
    let id = match config.get(&options::TASKMANAGER_RESOURCE_ID)? {
        Some(id) => id,
        None => format!("{}-{}", hostname(), std::process::id()),
    };
    taskmanager::run(&TaskManagerOptions {
        job_manager: job_manager_addresses(config)?,
        survives: config.get(&options::HIGH_AVAILABILITY_TYPE)? != HighAvailabilityType::None,
        slots: config.get(&options::TASKMANAGER_NUMBER_OF_TASK_SLOTS)?,
        bind: config.get(&options::TASKMANAGER_BIND_HOST)?,
        folder: folder(config)?,
        id,
        heartbeat_interval: config.get(&options::HEARTBEAT_INTERVAL)?,
        heartbeat_timeout: config.get(&options::HEARTBEAT_TIMEOUT)?,
        check: Some(check_executable),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// This machine may be another one than that to which the executable was brought.
fn check_executable(path: &Path, config: &Configuration) -> Result<(), Error> {
    flott_executable::check_named(path, "the executable", Machine::here())?.require(config)
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
