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

/// Whether `key` is the beginning of keys, such as `execution.checkpointing`, and no key itself.
pub(super) fn is_section(key: &str) -> bool {
    find(key).is_none() && all().any(|option| option.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}
