//! `/jobmanager`, and what JobManager and TaskManagers have in common: lists of logs, threads.

use crate::{
    api::{
        metrics::check_process,
        secrets::{shown, shown_origin},
    },
    http::{
        answer::{Handled, ok},
        call::Call,
        log_file::process,
    },
    model::{Process, Setting},
};
use flott_core::config::{Origin, options};
use schemars::JsonSchema;
use serde::Serialize;

/// An option: `origin` is not Flink's.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ConfigEntry<'a> {
    key: &'a str,
    value: &'a str,
    /// Where the value was given; `default` if nowhere.
    origin: String,
}

impl<'a> ConfigEntry<'a> {
    /// `settings` without secrets.
    pub(crate) fn all(settings: &'a [Setting]) -> Vec<Self> {
        let entry = |setting: &'a Setting| {
            // A default is no secret.
            let is_default = setting.origin == Origin::Default;
            let value = if is_default { &setting.value } else { shown(&setting.key, &setting.value) };
            ConfigEntry { key: &setting.key, value, origin: shown_origin(setting) }
        };
        settings.iter().map(entry).collect()
    }
}

/// `GET /jobmanager/config`, and in the same form `/jobmanager/configuration` and `/taskmanagers/:tm/configuration`, which Flink has not.
pub(crate) fn config(call: &Call) -> Handled {
    let process = process(call);
    check_process(call, &process)?;
    let mut settings = call.cluster().configuration(&process)?;
    // 0 stands for any port: this server knows which one it has.
    let port = settings.iter_mut().find(|setting| setting.key == options::REST_PORT.key() && setting.value == "0");
    if let Some(port) = port.filter(|_| process == Process::JobManager) {
        port.value = call.app.address.port().to_string();
    }
    ok(&ConfigEntry::all(&settings))
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
