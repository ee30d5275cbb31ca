//! The one place of this crate that reads the process's surroundings: file, environment and arguments.

use super::{configuration::Configuration, error::ConfigError};
use std::{env, ffi::OsString, fs, io, path::PathBuf};

/// The environment variable that names the directory of `config.yaml`.
pub const CONF_DIR_VARIABLE: &str = "FLOTT_CONF_DIR";

impl Configuration {
    /// The configuration of this process: `config.yaml` in the directory `$FLOTT_CONF_DIR`, or else in `./conf` if it is
    /// there; the environment; and the `-D` arguments. Other arguments are the program's own and not looked at.
    ///
    /// # Errors
    /// The file of `$FLOTT_CONF_DIR` cannot be read, or a value is not accepted.
    pub fn load() -> Result<Configuration, ConfigError> {
        // An argument that is no text can only matter to the program.
        let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
        Ok(Configuration::load_with_arguments(arguments)?.0)
    }

    /// As [`load`](Self::load), with arguments that do not include the program's name. Also returns those that are not
    /// `-D` arguments.
    ///
    /// # Errors
    /// As of [`load`](Self::load).
    pub fn load_with_arguments(arguments: impl IntoIterator<Item = String>) -> Result<(Configuration, Vec<String>), ConfigError> {
        let mut configuration = Configuration::new();
        let directory = env::var_os(CONF_DIR_VARIABLE).filter(|directory| !directory.is_empty());
        let path = PathBuf::from(directory.clone().unwrap_or_else(|| "conf".into())).join("config.yaml");
        match fs::read_to_string(&path) {
            Ok(text) => configuration.add_file(&path.display().to_string(), &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_none() => {}
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        }
        let variables: Result<Vec<_>, _> = env::vars_os().filter_map(flott_variable).collect();
        configuration.add_variables(variables?)?;
        let others = configuration.add_arguments(arguments)?;
        Ok((configuration, others))
    }
}

/// A variable as text, if it is one of Flott's.
fn flott_variable((name, value): (OsString, OsString)) -> Option<Result<(String, String), ConfigError>> {
    let name = name.into_string().ok().filter(|name| name.starts_with("FLOTT_") && name != CONF_DIR_VARIABLE)?;
    Some(match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(ConfigError::NotText { what: format!("environment variable `{name}`") }),
    })
}
