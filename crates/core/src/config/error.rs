//! What can be wrong with a configuration.

use super::origin::Origin;
use crate::error::{Error, ErrorKind};
use std::path::PathBuf;

/// A configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No option has this key.
    #[error("unknown option `{key}` ({origin}){}", did_you_mean(suggestion.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// Where it is.
        origin: Origin,
        /// The nearest key that there is.
        suggestion: Option<String>,
    },
    /// A `FLOTT_` variable sets no option.
    #[error(
        "the environment variable `{name}` sets no option{}",
        did_you_mean(suggestion.as_deref())
    )]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The nearest variable that there is.
        suggestion: Option<String>,
    },
    /// A value has the wrong form.
    #[error("option `{key}` is `{value}` ({origin}), but must be {expected}")]
    WrongValue {
        /// The key of the option.
        key: String,
        /// The value.
        value: String,
        /// Where it is.
        origin: Origin,
        /// What it should look like.
        expected: String,
    },
    /// A secret is where everybody can read it.
    #[error(
        "option `{key}` is a secret and must not be an argument, which everybody on this machine can read; give it in the environment \
         variable `{variable}` or in a file"
    )]
    SecretArgument {
        /// The key of the option.
        key: String,
        /// The variable that sets it.
        variable: String,
    },
    /// One file gives two values.
    #[error("{path}:{line}: option `{key}` has a value already, in line {first_line}; remove one")]
    Duplicate {
        /// The key of the option.
        key: String,
        /// The file.
        path: String,
        /// The line of the first value.
        first_line: usize,
        /// The line of the second value.
        line: usize,
    },
    /// A file is not YAML, or no mapping of keys to values.
    #[error("{path}:{line}: {message}")]
    MalformedFile {
        /// The file.
        path: String,
        /// The line.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// An argument gives no value.
    #[error("argument `{argument}` is not of the form `-Dkey=value`")]
    MalformedArgument {
        /// The argument.
        argument: String,
    },
    /// A variable or argument is not text.
    #[error("{what} is not UTF-8")]
    NotText {
        /// Which.
        what: String,
    },
    /// A file cannot be read.
    #[error("cannot read the configuration file `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|suggestion| format!("; did you mean `{suggestion}`?")).unwrap_or_default()
}

impl From<ConfigError> for Error {
    fn from(error: ConfigError) -> Self {
        Error::new(ErrorKind::Invalid, "the configuration cannot be used").with_source(error)
    }
}
