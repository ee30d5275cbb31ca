//! The one place of this crate that reads the process's surroundings: file, environment and arguments.

use super::{configuration::Configuration, error::ConfigError};
use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    path::PathBuf,
    sync::Once,
};

/// The environment variable that names the directory of `config.yaml`.
pub const CONF_DIR_VARIABLE: &str = "FLOTT_CONF_DIR";

/// A configuration, and what was given besides.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub configuration: Configuration,
    /// The arguments that are no `-D` arguments.
    pub arguments: Vec<String>,
    /// What the file and the environment set that no option is: it was passed over.
    pub unknown: Vec<ConfigError>,
}

impl Loaded {
    /// Tells whoever watches standard error what was passed over; once in a process, however often it loads its configuration.
    pub fn warn(&self) {
        static WARNED: Once = Once::new();
        WARNED.call_once(|| {
            for unknown in &self.unknown {
                // A program whose standard error nobody reads runs all the same.
                let _ = writeln!(io::stderr(), "flott: ignored: {unknown}");
            }
        });
    }
}

impl Configuration {
    /// The configuration of this process: `config.yaml` in the directory `$FLOTT_CONF_DIR`, or else in `./conf` if it is
    /// there; the environment; and the `-D` arguments. Other arguments are the program's own and not looked at. Of what file and
    /// environment set that no option is, standard error tells.
    ///
    /// # Errors
    /// The file of `$FLOTT_CONF_DIR` cannot be read, or a value is not accepted.
    pub fn load() -> Result<Configuration, ConfigError> {
        let loaded = Configuration::load_of_process()?;
        loaded.warn();
        Ok(loaded.configuration)
    }

    /// As [`load`](Self::load), without a word on standard error: for a program whose parent has told already.
    ///
    /// # Errors
    /// As of [`load`](Self::load).
    pub fn load_quietly() -> Result<Configuration, ConfigError> {
        Ok(Configuration::load_of_process()?.configuration)
    }

    fn load_of_process() -> Result<Loaded, ConfigError> {
        // An argument that is no text can only matter to the program.
        Configuration::load_with_arguments(env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()))
    }

    /// As [`load_quietly`](Self::load_quietly), with arguments that do not include the program's name.
    ///
    /// # Errors
    /// As of [`load`](Self::load).
    pub fn load_with_arguments(arguments: impl IntoIterator<Item = String>) -> Result<Loaded, ConfigError> {
        let mut configuration = Configuration::new();
        let mut unknown = Vec::new();
        let directory = env::var_os(CONF_DIR_VARIABLE).filter(|directory| !directory.is_empty());
        let path = PathBuf::from(directory.clone().unwrap_or_else(|| "conf".into())).join("config.yaml");
        match fs::read_to_string(&path) {
            Ok(text) => unknown.extend(configuration.add_file(&path.display().to_string(), &text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_none() => {}
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        }
        let variables: Result<Vec<_>, _> = env::vars_os().filter_map(flott_variable).collect();
        unknown.extend(configuration.add_variables(variables?)?);
        let arguments = configuration.add_arguments(arguments)?;
        Ok(Loaded { configuration, arguments, unknown })
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
