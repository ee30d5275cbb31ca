//! `/jobmanager`, and what JobManager and TaskManagers have in common: lists of logs, threads.

use crate::{
    api::{metrics::check_process, secrets::shown},
    http::{
        answer::{Handled, ok},
        call::Call,
        log_file::process,
    },
};
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
pub(crate) struct ConfigEntry<'a> {
    key: &'a str,
    value: &'a str,
}

/// `GET /jobmanager/config`
pub(crate) fn config(call: &Call) -> Handled {
    let job_manager = call.cluster().job_manager()?;
    let entries = job_manager.configuration.iter().map(|(key, value)| ConfigEntry { key, value: shown(key, value) });
    ok(&entries.collect::<Vec<_>>())
}

/// `GET /jobs/:job/jobmanager/config`
pub(crate) fn config_of_job(call: &Call) -> Handled {
    call.cluster().job(call.job()?)?;
    config(call)
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Environment {
    jvm: Jvm,
    classpath: [(); 0],
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Jvm {
    version: String,
    arch: &'static str,
    options: Vec<String>,
}

/// `GET /jobmanager/environment`: of a JVM in Flink, of which there is none.
pub(crate) fn environment(call: &Call) -> Handled {
    let arguments = call.cluster().job_manager()?.arguments;
    let options = arguments.iter().map(|argument| match argument.split_once('=') {
        Some((key, value)) => format!("{key}={}", shown(key.trim_start_matches("-D"), value)),
        None => argument.clone(),
    });
    let version = format!("none: Flott {} is a native program", env!("CARGO_PKG_VERSION"));
    ok(&Environment { jvm: Jvm { version, arch: std::env::consts::ARCH, options: options.collect() }, classpath: [] })
}

/// `GET /jobs/:job/jobmanager/environment`
pub(crate) fn environment_of_job(call: &Call) -> Handled {
    call.cluster().job(call.job()?)?;
    environment(call)
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Url {
    url: String,
}

/// `GET /jobs/:job/jobmanager/log-url` and `.../taskmanagers/:tm/log-url`
pub(crate) fn log_url(call: &Call) -> Handled {
    call.cluster().job(call.job()?)?;
    let page = match call.param("tm") {
        "" => "job-manager/logs".to_owned(),
        id => format!("task-manager/{id}/logs"),
    };
    ok(&Url { url: format!("{}/#/{page}", call.url()) })
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Logs {
    logs: Vec<Log>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Log {
    name: String,
    size: u64,
    mtime: i64,
}

/// `GET /jobmanager/logs` and `/taskmanagers/:tm/logs`
pub(crate) fn logs(call: &Call) -> Handled {
    let process = process(call);
    check_process(call, &process)?;
    let files = call.cluster().logs(&process)?.into_iter();
    ok(&Logs { logs: files.map(|file| Log { name: file.name, size: file.size, mtime: file.modified_at }).collect() })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ThreadDump {
    thread_infos: Vec<Thread>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Thread {
    thread_name: String,
    stringified_thread_info: String,
}

/// `GET /jobmanager/thread-dump` and `/taskmanagers/:tm/thread-dump`
pub(crate) fn thread_dump(call: &Call) -> Handled {
    let process = process(call);
    check_process(call, &process)?;
    let threads = call.cluster().threads(&process)?.into_iter();
    let threads = threads.map(|thread| Thread { thread_name: thread.name, stringified_thread_info: thread.text });
    ok(&ThreadDump { thread_infos: threads.collect() })
}
