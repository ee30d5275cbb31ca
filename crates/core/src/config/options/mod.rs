//! The options that there are, one declaration each.
//!
//! `docs/config.md` is made from them.

use super::option::{ConfigOption, OptionInfo};

/// Declares options: `NAME: Type = "key", "default", "description";`, the default empty for none, and behind a comma
/// a restriction of its range.
macro_rules! options {
    ($($name:ident: $type:ty = $key:literal, $default:literal, $description:literal $(, $restrict:ident($($bound:literal),*))?;)*) => {
        $(
            #[doc = concat!("`", $key, "`: ", $description)]
            pub const $name: ConfigOption<$type> = ConfigOption::new($key, $default, $description)$(.$restrict($($bound),*))?;
        )*

        /// The options of this file, in the order of their declaration.
        pub(super) const ALL: &[OptionInfo] = &[$($name.info()),*];
    };
}

mod checkpointing;
mod cluster;
mod high_availability;
mod metrics;
mod pipeline;
mod restart;
mod scheduling;
mod security;

pub use checkpointing::*;
pub use cluster::*;
pub use high_availability::*;
pub use metrics::*;
pub use pipeline::*;
pub use restart::*;
pub use scheduling::*;
pub use security::*;

/// The options by subject, in the order of the reference.
pub(super) const SECTIONS: [(&str, &[OptionInfo]); 8] = [
    ("Programs", pipeline::ALL),
    ("Checkpoints, savepoints and recovery", checkpointing::ALL),
    ("Restarts", restart::ALL),
    ("Rescaling", scheduling::ALL),
    ("Cluster", cluster::ALL),
    ("High availability of the JobManager", high_availability::ALL),
    ("Security", security::ALL),
    ("Metrics, logs and flame graphs", metrics::ALL),
];

/// Every option.
pub fn all() -> impl Iterator<Item = &'static OptionInfo> + Clone {
    SECTIONS.iter().flat_map(|(_, options)| *options)
}

/// The option with the key `key`.
pub fn find(key: &str) -> Option<&'static OptionInfo> {
    all().find(|option| option.key == key)
}

/// Who reads an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A job, where its program is compiled and when it is started.
    Job,
    /// A JobManager, its REST server included.
    JobManager,
    /// A TaskManager.
    TaskManager,
}

/// Beginnings of the keys of options that jobs read.
const OF_JOBS: [&str; 10] = [
    "parallelism.",
    "pipeline.",
    "execution.",
    "restart-strategy.",
    "jobmanager.execution.",
    "jobmanager.scheduler",
    "jobmanager.adaptive-scheduler.",
    "scheduler-mode",
    "exchange.",
    "sink.",
];

/// The same of TaskManagers.
const OF_TASK_MANAGERS: [&str; 9] = [
    "taskmanager.",
    "jobmanager.rpc.",
    "heartbeat.",
    "io.tmp.dirs",
    "env.log.",
    "high-availability.",
    "s3.",
    "security.ssl.internal.",
    "execution.checkpointing.local-backup.",
];

/// Whether `scope` reads the option `key`. What clients alone read concerns none.
pub fn concerns(key: &str, scope: Scope) -> bool {
    let is_in = |beginnings: &[&str]| beginnings.iter().any(|beginning| key.starts_with(beginning));
    let local_backup = key.starts_with("execution.checkpointing.local-backup.");
    let of_job = (is_in(&OF_JOBS) && !local_backup) || key.starts_with("metrics.latency.");
    match scope {
        Scope::Job => of_job,
        Scope::TaskManager => is_in(&OF_TASK_MANAGERS),
        // What it is configured for holds for jobs that say nothing else.
        Scope::JobManager if key.contains("scheduler") => true,
        Scope::JobManager => {
            let of_clients = ["security.token", "security.token.file"].contains(&key);
            !of_job && !local_backup && !of_clients && !key.starts_with("taskmanager.") && find(key).is_some()
        }
    }
}

/// Whether `key` is the beginning of keys, such as `execution.checkpointing`, and no key itself.
pub(super) fn is_section(key: &str) -> bool {
    find(key).is_none() && all().any(|option| option.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}
