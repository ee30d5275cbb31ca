//! Options: one typed declaration each ([`options`]), and the values given to them ([`Configuration`]).
//!
//! Keys, forms and defaults are Flink's wherever the thing is the same. A value may be given, from weakest to strongest, by
//! `config.yaml`, an environment variable, a command line argument and code; see [`Configuration`]. Nothing is ignored: an
//! unknown key and a value of the wrong form are errors that say where they are written.

mod configuration;
mod duration;
mod enums;
mod error;
mod file;
mod load;
mod memory_size;
mod option;
pub mod options;
mod origin;
mod reference;
mod suggestion;
mod value;

pub use configuration::Configuration;
pub use duration::{format_duration, parse_duration};
pub use enums::{
    CheckpointRetention, CheckpointingMode, ClaimMode, FailoverStrategy, HighAvailabilityType, LatencyGranularity, RestartStrategyType,
    RuntimeMode, SchedulerExecutionMode, SchedulerType,
};
pub use error::ConfigError;
pub use load::{CONF_DIR_VARIABLE, Loaded};
pub use memory_size::MemorySize;
pub use option::{ConfigOption, OptionInfo};
pub use origin::Origin;
pub use reference::reference_markdown;
pub use value::ConfigValue;
