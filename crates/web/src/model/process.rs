//! The processes of a cluster.

use crate::model::Metrics;
use flott_core::{
    config::{Configuration, Origin, options::Scope},
    id::JobId,
    time::Timestamp,
};

/// A process of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// The one that answers.
    JobManager,
    /// A TaskManager, by its id.
    TaskManager(String),
}

/// An option with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The option's key.
    pub key: String,
    /// Its value; empty for none.
    pub value: String,
    /// Where the value was given.
    pub origin: Origin,
}

impl Setting {
    /// The options of `scope` in `configuration`, and others that were given there.
    pub fn all(configuration: &Configuration, scope: Scope) -> Vec<Setting> {
        let all = configuration.effective(scope).into_iter();
        all.map(|(key, value, origin)| Setting { key: key.to_owned(), value: value.to_owned(), origin }).collect()
    }
}

/// What is known of the JobManager.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobManager {
    /// Its command line, without the name of the program.
    pub arguments: Vec<String>,
    /// The name of its machine.
    pub host: String,
    /// Its metrics. The server adds those that follow from jobs and slots.
    pub metrics: Metrics,
}

/// A TaskManager.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TaskManager {
    /// Its id.
    pub id: String,
    /// The name of its machine.
    pub host: String,
    /// Where it is reached.
    pub address: String,
    /// The port for data.
    pub data_port: Option<u16>,
    /// When it was last heard of.
    pub last_heartbeat: Option<Timestamp>,
    /// Its slots.
    pub slots: Vec<Slot>,
    /// What it runs on.
    pub hardware: Hardware,
    /// Its metrics.
    pub metrics: Metrics,
}

/// A slot of a TaskManager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slot {
    /// The job that has it; `None`: free.
    pub job: Option<JobId>,
    /// Number of tasks in it.
    pub tasks: u32,
}

/// What a TaskManager runs on; memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hardware {
    /// Cores.
    pub cpu_cores: u32,
    /// Memory of the machine.
    pub physical_memory: Option<u64>,
    /// Memory that the process may use.
    pub process_memory: Option<u64>,
    /// The part of it that it does not use.
    pub free_memory: Option<u64>,
    /// The part of it that state may use.
    pub managed_memory: Option<u64>,
    /// The part of it for buffers between tasks.
    pub network_memory: Option<u64>,
}

/// What a log file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    /// The process's own log, the current file of it.
    Log,
    /// What the process printed.
    Stdout,
    /// Something else, such as an older file.
    Other,
}

/// A log file that a process shows. Nothing else can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Its name, without a folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub modified_at: Timestamp,
    /// What it holds.
    pub kind: LogKind,
}

/// A thread of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadInfo {
    /// Its name.
    pub name: String,
    /// What it does, for people.
    pub text: String,
}
