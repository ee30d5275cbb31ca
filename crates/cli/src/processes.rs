//! The processes of a cluster.

use crate::{bind_address, job_manager_addresses, log, rest::Rest};
use bytes::Bytes;
use flott_cluster::{
    HighAvailability, JobManager, JobManagerOptions, SystemClock, host_name,
    taskmanager::{self, StackSampler, TaskManagerOptions, Visible},
};
use flott_core::{
    Error, ErrorKind,
    config::{
        Configuration, HighAvailabilityType,
        options::{self, Scope},
    },
};
use flott_executable::Machine;
use flott_graph::settings::SchedulerSettings;
use flott_rpc::observe::{OptionValue, SampleRequest, StackSamples, ThreadStack};
use flott_security::{Connector, Entrance, TlsIdentity, missing_for_rest, refuse_listen, server_config_for_rest};
use flott_web::{Asset, Cluster, Elsewhere, Leading, Options, Server};
use std::{
    io::{self, Write},
    net::ToSocketAddrs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Once},
    thread,
    time::Duration,
};

/// The least time between signs of life: below, they would be a load.
const LEAST_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(10);

/// Runs a JobManager until the process is ended.
pub(crate) fn job_manager(config: &Configuration) -> Result<ExitCode, Error> {
    let logs = log::to_files(config, "flott-jobmanager")?;
    let _started = start_job_manager(config, logs)?;
    loop {
        thread::park();
    }
}

/// Ends this process at once: nothing of it is needed any more.
fn end_process() {
    std::process::exit(0);
}

/// The servers of a JobManager. They end when this is dropped.
pub(crate) struct Servers {
    _rest: Server,
    _metrics: Option<Server>,
}

/// Starts a JobManager with its REST server, and tells where they are.
///
/// # Errors
/// An address is taken, or the configuration is not one that works.
pub(crate) fn start_job_manager(config: &Configuration, logs: Option<log::Files>) -> Result<(JobManager, Servers), Error> {
    let store = crate::high_availability::open_store(config)?;
    let shared = crate::high_availability::shared_folder(config)?;
    let (heartbeat_interval, heartbeat_timeout) = heartbeat(config)?;
    let manager = JobManager::start(JobManagerOptions {
        bind: bind_address(config)?,
        security: Entrance::from_configuration(config)?,
        folder: shared.as_ref().map_or_else(|| folder(config), |shared| Ok(shared.join("executables")))?,
        heartbeat_interval,
        heartbeat_timeout,
        scheduler: SchedulerSettings::from_config(config)?,
        archive: config.get(&options::JOBMANAGER_ARCHIVE_FS_DIR)?.filter(|_| store.is_none()).map(PathBuf::from),
        savepoints: config.get(&options::CHECKPOINTING_SAVEPOINT_DIR)?.map(PathBuf::from),
        on_end: Some(end_process),
        elected: store.is_some(),
    })?;
    let uploads = config.get(&options::WEB_UPLOAD_DIR)?.map(PathBuf::from);
    let uploads = uploads.or_else(|| shared.as_ref().map(|shared| shared.join("uploads")));
    let (rest, metrics) = rest(config, &manager, (logs, uploads))?;
    // Whoever starts it waits for these lines.
    announce(&format!("REST at {}://{}", rest_scheme(config)?, rest.address()));
    announce(&format!("JobManager at {}", manager.address()));
    if let Some(store) = store {
        let election = flott_ha::election_settings(config, &manager.address().to_string(), &rest.address().to_string())?;
        manager.stand(HighAvailability { store, election, checkpoints: shared.map(|shared| shared.join("checkpoints")) })?;
    }
    Ok((manager, Servers { _rest: rest, _metrics: metrics }))
}

/// How addresses of the REST server begin: the same for all JobManagers of a cluster.
fn rest_scheme(config: &Configuration) -> Result<&'static str, Error> {
    Ok(if config.get(&options::SSL_REST_ENABLED)? { "https" } else { "http" })
}

/// Starts the REST server, and the one for Prometheus if there is one. It shows the logs and keeps what is uploaded where it is told.
fn rest(
    config: &Configuration,
    manager: &JobManager,
    logs_and_uploads: (Option<log::Files>, Option<PathBuf>),
) -> Result<(Server, Option<Server>), Error> {
    let (host, port) = (config.get(&options::REST_BIND_ADDRESS)?, config.get(&options::REST_PORT)?);
    let address = format!("{host}:{port}");
    let executables = folder(config)?;
    let allowed_hosts = config.get(&options::REST_ALLOWED_HOSTS)?.unwrap_or_default();
    let allowed_hosts = allowed_hosts.split(',').map(|host| host.trim().to_owned()).filter(|host| !host.is_empty()).collect();
    let options = Options {
        allowed_hosts,
        submit: config.get(&options::WEB_SUBMIT_ENABLE)?,
        tap: config.get(&options::REST_TAP_ENABLED)?,
        filter_label_values: config.get(&options::METRICS_REPORTER_PROM_FILTER_LABEL_VALUE_CHARACTERS)?,
        upload_bytes_max: config.get(&options::REST_SERVER_MAX_CONTENT_LENGTH)?.0,
        tokens: manager.security().tokens().cloned(),
        traffic: manager.traffic().clone(),
        tls: TlsIdentity::of_rest(config)?.as_ref().map(server_config_for_rest).transpose()?,
        upload_folder: executables.parent().map_or_else(std::env::temp_dir, PathBuf::from),
        elsewhere: Some(elsewhere(manager.clone(), rest_scheme(config)?)),
        assets: Some(Arc::new(dashboard)),
        time_zone,
        ..Options::new(Arc::new(SystemClock::default()))
    };
    let options = Options { revision: revision(&options.revision), ..options };
    let unusable = |error| {
        let text = format!("cannot listen on `{address}`: is another JobManager running there? Set `rest.port` to choose another port");
        Error::new(ErrorKind::Unavailable, text).with_source(error)
    };
    let missing = missing_for_rest(config)?;
    for address in address.to_socket_addrs().map_err(unusable)? {
        refuse_listen(address, "rest.bind-address", &missing)?;
    }
    let cluster = Arc::new(Rest::new(manager.clone(), config.clone(), logs_and_uploads)?);
    let metrics = metrics_server(config, &host, &cluster, &options)?;
    Ok((Server::bind(address.as_str(), cluster, options).map_err(unusable)?, metrics))
}

/// The zone of this process (`TZ`, or that of the machine), and its present distance from UTC in ms.
fn time_zone() -> (String, i64) {
    let now = jiff::Zoned::now();
    let (zone, offset) = (now.time_zone().iana_name(), now.offset());
    // A rule instead of a name has none; and where nothing is set it is UTC.
    (zone.map_or_else(|| offset.to_string(), str::to_owned), i64::from(offset.seconds()) * 1000)
}

/// What tools are told as `commit @ date`: the version, and when the file of this program was made.
fn revision(version: &str) -> String {
    let made = std::env::current_exe().and_then(|program| program.metadata()?.modified()).ok();
    match made.and_then(|made| jiff::Timestamp::try_from(made).ok()) {
        Some(made) => format!("{version} @ {}", made.strftime("%FT%TZ")),
        None => version.to_owned(),
    }
}

/// Starts the server for Prometheus on the first free port that it may have.
fn metrics_server(config: &Configuration, host: &str, cluster: &Arc<Rest>, options: &Options) -> Result<Option<Server>, Error> {
    let Some(ports) = config.get(&options::METRICS_REPORTER_PROM_PORT)? else { return Ok(None) };
    let (first, last) = ports.split_once('-').unwrap_or((&ports, &ports));
    let (Ok(first), Ok(last)) = (first.trim().parse::<u16>(), last.trim().parse::<u16>()) else {
        return Err(Error::invalid(format!("`metrics.reporter.prom.port` is `{ports}`: it must be a port or a range such as `9249-9260`")));
    };
    let mut error = std::io::Error::from(std::io::ErrorKind::InvalidInput);
    for port in first..=last {
        match Server::bind_metrics((host, port), Arc::clone(cluster) as Arc<dyn Cluster>, options.clone()) {
            Ok(server) => {
                tracing::info!(address = %server.address(), "metrics for Prometheus");
                return Ok(Some(server));
            }
            Err(failed) => error = failed,
        }
    }
    let text = format!("cannot listen on any port of `metrics.reporter.prom.port`, which is `{ports}`: choose another one");
    Err(Error::new(ErrorKind::Unavailable, text).with_source(error))
}

/// Looks into workers.
struct Sampler;

impl StackSampler for Sampler {
    fn sample(&self, process: u32, request: &SampleRequest) -> StackSamples {
        flott_profile::sample(process, request)
    }

    fn stacks(&self, process: u32, threads: &[u32]) -> Vec<ThreadStack> {
        if process == std::process::id() { crate::stacks::own(threads) } else { flott_profile::stacks(process, threads) }
    }
}

/// Which JobManager leads, and where its REST server is if it is another one.
fn elsewhere(manager: JobManager, scheme: &'static str) -> Elsewhere {
    Arc::new(move || {
        if manager.leads() {
            return Leading::Here;
        }
        let rest = manager.other_leader().map(|leader| leader.rest_address).filter(|rest| !rest.is_empty());
        rest.map_or(Leading::Nobody, |rest| Leading::At(format!("{scheme}://{rest}")))
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
    let logs = log::to_files(config, "flott-taskmanager")?;
    taskmanager::run(&TaskManagerOptions { registered: Some(print_registered), ..task_manager_options(config, logs)? })?;
    Ok(ExitCode::SUCCESS)
}

/// Whoever starts it waits for this line, once.
fn print_registered(job_manager: &str) {
    static PRINTED: Once = Once::new();
    PRINTED.call_once(|| announce(&format!("TaskManager registered at {job_manager}")));
}

/// Prints a line for whoever has started this process; it serves also those who do not read it.
fn announce(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Time between signs of life, and the silence after which a process counts as gone.
fn heartbeat(config: &Configuration) -> Result<(Duration, Duration), Error> {
    let (interval, timeout) = (config.get(&options::HEARTBEAT_INTERVAL)?, config.get(&options::HEARTBEAT_TIMEOUT)?);
    let text = if interval < LEAST_HEARTBEAT_INTERVAL {
        format!("`heartbeat.interval` is {interval:?}: set it to {LEAST_HEARTBEAT_INTERVAL:?} at least")
    } else if timeout <= interval {
        format!(
            "`heartbeat.interval` is {interval:?} and `heartbeat.timeout` {timeout:?}, so that processes that are well would count as gone: \
             set the timeout to a multiple of the interval"
        )
    } else {
        return Ok((interval, timeout));
    };
    Err(Error::invalid(text))
}

/// What a TaskManager is started with.
///
/// # Errors
/// The configuration is not one that works.
pub(crate) fn task_manager_options(config: &Configuration, logs: Option<log::Files>) -> Result<TaskManagerOptions, Error> {
    let id = match config.get(&options::TASKMANAGER_RESOURCE_ID)? {
        Some(id) => id,
        None => format!("{}-{}", host_name(), std::process::id()),
    };
    let visible = Visible {
        output: logs.as_ref().map(|files| files.output.clone()),
        logs: logs.map(|files| files.folder),
        sampler: Some(Arc::new(Sampler)),
        configuration: config
            .effective(Scope::TaskManager)
            .into_iter()
            .map(|(key, value, origin)| OptionValue { key: key.to_owned(), value: value.to_owned(), origin })
            .collect(),
    };
    let (heartbeat_interval, heartbeat_timeout) = heartbeat(config)?;
    Ok(TaskManagerOptions {
        visible,
        job_manager: job_manager_addresses(config)?,
        survives: config.get(&options::HIGH_AVAILABILITY_TYPE)? != HighAvailabilityType::None,
        slots: config.get(&options::TASKMANAGER_NUMBER_OF_TASK_SLOTS)?,
        bind: config.get(&options::TASKMANAGER_BIND_HOST)?,
        security: Connector::of_process(config)?,
        folder: folder(config)?,
        heartbeat_interval,
        heartbeat_timeout,
        standby: config.get(&options::TASKMANAGER_STANDBY_WORKER)?,
        copies: copies(config, &id)?,
        id,
        check: Some(check_executable),
        registered: None,
    })
}

/// The folder for copies of state, this TaskManager's own.
fn copies(config: &Configuration, id: &str) -> Result<Option<PathBuf>, Error> {
    if !config.get(&options::CHECKPOINTING_LOCAL_BACKUP_ENABLED)? {
        return Ok(None);
    }
    // An id is no path.
    let plain: String = id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect();
    Ok(Some(own_folder(config)?.join("state").join(plain)))
}

/// This machine may be another one than that to which the executable was brought.
fn check_executable(path: &Path, config: &Configuration) -> Result<(), Error> {
    flott_executable::check_named(path, "the executable", Machine::here())?.require(config)
}

/// The folder for executables, which all processes of this user share: they are named by their content.
fn folder(config: &Configuration) -> Result<PathBuf, Error> {
    Ok(own_folder(config)?.join("executables"))
}

/// This user's folder for temporary files.
fn own_folder(config: &Configuration) -> Result<PathBuf, Error> {
    let given = config.get(&options::IO_TMP_DIRS)?;
    if let Some(folders) = given.as_deref().filter(|folders| folders.contains([',', '|', ':'])) {
        return Err(Error::invalid(format!("`io.tmp.dirs` is `{folders}`: a list of folders is not supported, give one folder")));
    }
    let base = given.map_or_else(std::env::temp_dir, PathBuf::from);
    let user = std::env::var("USER").unwrap_or_else(|_| "user".to_owned()).replace('/', "_");
    Ok(base.join(format!("flott-{user}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_core::config::Origin;

    fn given(values: &[(&str, &str)]) -> Configuration {
        let mut config = Configuration::new();
        values.iter().for_each(|(key, value)| config.set_raw(key, value, Origin::Argument(String::new())).unwrap());
        config
    }

    #[test]
    fn signs_of_life_are_neither_a_load_nor_rarer_than_their_timeout() {
        let of = |interval, timeout| heartbeat(&given(&[("heartbeat.interval", interval), ("heartbeat.timeout", timeout)]));
        assert!(heartbeat(&Configuration::new()).is_ok() && of("10 ms", "11 ms").is_ok());
        for (interval, timeout) in [("0", "5 s"), ("9 ms", "5 s"), ("10 s", "5 s"), ("5 s", "5 s")] {
            let error = of(interval, timeout).unwrap_err().to_string();
            assert!(error.contains("set "), "{interval}, {timeout}: {error}");
        }
    }

    #[test]
    fn one_folder_is_taken_and_a_list_of_folders_refused() {
        assert!(own_folder(&given(&[("io.tmp.dirs", "/a")])).unwrap().starts_with("/a"));
        for list in ["/a,/b", "/a:/b", "/a|/b"] {
            let error = own_folder(&given(&[("io.tmp.dirs", list)])).unwrap_err().to_string();
            assert!(error.contains(list) && error.contains("give one folder"), "{error}");
        }
    }
}
