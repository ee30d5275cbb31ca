//! The program's own arguments, without those that are for Flott.

use flott_core::{
    Error,
    config::{ConfigError, Configuration},
};

/// The program's arguments, the program's name first, without the options (`-Dkey=value`) that
/// [`StreamExecutionEnvironment::get`](crate::StreamExecutionEnvironment::get) takes: for the program's own parser.
///
/// # Errors
/// An option is unknown or its value is none for it.
pub fn program_arguments() -> Result<Vec<String>, Error> {
    let mut all = std::env::args();
    let program = all.next().unwrap_or_default();
    let rest: Result<Vec<String>, ConfigError> = Configuration::new().add_arguments(all);
    Ok([program].into_iter().chain(rest?).collect())
}
