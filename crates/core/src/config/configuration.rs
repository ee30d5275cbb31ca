//! The values of options, and where they come from.

use super::{
    error::ConfigError,
    file::parse_file,
    load::CONF_DIR_VARIABLE,
    option::{ConfigOption, OptionInfo},
    options::{self, Scope},
    origin::Origin,
    suggestion::nearest,
    value::ConfigValue,
};
use crate::secret::HIDDEN;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The values given to options.
///
/// A value may be given by several [origins](Origin): the stronger one wins, whatever the order in which they are added. From
/// weakest to strongest: the option's default, a configuration file, an environment variable, a command line argument, code.
/// Of two values of one strength the later wins, except that a file may give an option only once.
///
/// Values of secret options are given out by [`get`](Self::get) alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    values: BTreeMap<String, Value>,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(key, value, origin)| (key, (value, origin)))).finish()
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    text: String,
    origin: Origin,
}

impl Configuration {
    /// A configuration in which every option has its default.
    pub fn new() -> Self {
        Configuration::default()
    }

    /// The value of `option`.
    ///
    /// # Errors
    /// The value that was given is none for this option.
    pub fn get<T: ConfigValue>(&self, option: &ConfigOption<T>) -> Result<T, ConfigError> {
        let (text, origin) = match self.values.get(option.key()) {
            Some(value) => (value.text.as_str(), &value.origin),
            None => (option.default_text(), &Origin::Default),
        };
        option.parse(text).ok_or_else(|| wrong_value(&option.info(), text, origin))
    }

    /// Where the value of `key` was given.
    pub fn origin(&self, key: &str) -> Origin {
        self.values.get(key).map_or(Origin::Default, |value| value.origin.clone())
    }

    /// Gives `option` a value in code, which is stronger than all others. [`get`](Self::get) checks its range.
    #[track_caller]
    pub fn set<T: ConfigValue>(&mut self, option: &ConfigOption<T>, value: T) -> &mut Self {
        self.insert(option.key(), value.to_text(), Origin::code());
        self
    }

    /// Gives the option `key` the value that `value` is, unless a stronger origin than `origin` has given one.
    ///
    /// # Errors
    /// There is no such option, or the value is none for it.
    pub fn set_raw(&mut self, key: &str, value: &str, origin: Origin) -> Result<(), ConfigError> {
        let Some(option) = options::find(key) else {
            let suggestion = nearest(key, options::all().map(|option| option.key)).map(str::to_owned);
            return Err(ConfigError::UnknownKey { key: key.to_owned(), origin: origin.without_value(), suggestion });
        };
        if let (true, Origin::Argument(_)) = (option.is_secret(), &origin) {
            return Err(ConfigError::SecretArgument { key: key.to_owned(), variable: option.variable() });
        }
        if !option.accepts(value) {
            return Err(wrong_value(option, value, &origin));
        }
        self.insert(key, value.trim().to_owned(), origin);
        Ok(())
    }

    /// Adds the values of a configuration file: `text`, read from `path`. Keys that no option has are passed over and returned, as the
    /// errors that they would be as arguments: a file may be shared with another version.
    ///
    /// # Errors
    /// The text is no YAML mapping, gives an option twice, or [`set_raw`](Self::set_raw) refuses a value.
    pub fn add_file(&mut self, path: &str, text: &str) -> Result<Vec<ConfigError>, ConfigError> {
        let mut lines = BTreeMap::new();
        let mut unknown = Vec::new();
        for entry in parse_file(path, text)? {
            if entry.is_null && options::is_section(&entry.key) {
                continue;
            }
            if let Some(first_line) = lines.insert(entry.key.clone(), entry.line) {
                return Err(ConfigError::Duplicate { key: entry.key, path: path.to_owned(), first_line, line: entry.line });
            }
            match self.set_raw(&entry.key, &entry.value, Origin::File { path: path.to_owned(), line: entry.line }) {
                Err(error @ ConfigError::UnknownKey { .. }) => unknown.push(error),
                set => set?,
            }
        }
        Ok(unknown)
    }

    /// Adds the values of environment variables, given by name and value: those that begin with `FLOTT_`. Those of them that set no
    /// option are passed over and returned.
    ///
    /// # Errors
    /// The value of a variable is none for its option.
    pub fn add_variables<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Vec<ConfigError>, ConfigError> {
        let mut unknown = Vec::new();
        for (name, value) in variables {
            let name = name.as_ref();
            if !name.starts_with("FLOTT_") || name == CONF_DIR_VARIABLE {
                continue;
            }
            let Some(option) = options::all().find(|option| option.variable() == name) else {
                let names: Vec<String> = options::all().map(OptionInfo::variable).collect();
                let suggestion = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
                unknown.push(ConfigError::UnknownVariable { name: name.to_owned(), suggestion });
                continue;
            };
            self.set_raw(option.key, value.as_ref(), Origin::Variable(name.to_owned()))?;
        }
        Ok(unknown)
    }

    /// Adds the values of command line arguments: those of the form `-Dkey=value` or `-D key=value`, up to a `--`. Returns
    /// the others, in order.
    ///
    /// # Errors
    /// A `-D` has no value, or [`set_raw`](Self::set_raw) refuses it.
    pub fn add_arguments(&mut self, arguments: impl IntoIterator<Item = String>) -> Result<Vec<String>, ConfigError> {
        let mut arguments = arguments.into_iter();
        let mut others = Vec::new();
        while let Some(argument) = arguments.next() {
            if argument == "--" {
                others.push(argument);
                others.extend(arguments);
                break;
            }
            let Some(assignment) = argument.strip_prefix("-D") else {
                others.push(argument);
                continue;
            };
            let (assignment, argument) = if assignment.is_empty() {
                let assignment = arguments.next().unwrap_or_default();
                (assignment.clone(), format!("-D {assignment}"))
            } else {
                (assignment.to_owned(), argument)
            };
            let Some((key, value)) = assignment.split_once('=') else {
                return Err(ConfigError::MalformedArgument { argument });
            };
            self.set_raw(key.trim(), value, Origin::Argument(argument))?;
        }
        Ok(others)
    }

    /// Adds the values of `other`; of two values of one strength, those of `other` win.
    pub fn merge(&mut self, other: &Configuration) {
        for (key, value) in &other.values {
            self.insert(key, value.text.clone(), value.origin.clone());
        }
    }

    /// The values that were given, by key; defaults are not among them. In the place of a secret stands [`HIDDEN`].
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Origin)> {
        self.values.iter().map(|(key, value)| (key.as_str(), shown(options::find(key), &value.text), &value.origin))
    }

    /// Every option of `scope` with its value and where that was given, in the order of the reference; then what was given besides, by
    /// key. Secrets are hidden as in [`iter`](Self::iter); an option without value and default has the empty text.
    pub fn effective(&self, scope: Scope) -> Vec<(&str, &str, Origin)> {
        let of_scope = options::all().filter(|option| options::concerns(option.key, scope));
        let mut all: Vec<(&str, &str, Origin)> = of_scope
            .map(|option| match self.values.get(option.key) {
                Some(value) => (option.key, shown(Some(option), &value.text), value.origin.clone()),
                None => (option.key, option.default, Origin::Default),
            })
            .collect();
        let others = self.iter().filter(|(key, ..)| !options::concerns(key, scope));
        all.extend(others.map(|(key, value, origin)| (key, value, origin.clone())));
        all
    }

    /// What a job takes along to other processes: everything but what concerns the one that submits it, where `security.` is, and
    /// secrets, which would lie in the JobManagers' store.
    pub fn of_job(&self) -> Configuration {
        let secret = |key: &str| options::find(key).is_none_or(OptionInfo::is_secret);
        let values = self.values.iter().filter(|(key, _)| !key.starts_with("security.") && !secret(key));
        Configuration { values: values.map(|(key, value)| (key.clone(), value.clone())).collect() }
    }

    /// Says of values that come from environment variables where they were given before somebody put them there, by key.
    pub fn came_from(&mut self, origins: &BTreeMap<String, Origin>) {
        for (key, value) in &mut self.values {
            if let (Origin::Variable(_), Some(origin)) = (&value.origin, origins.get(key)) {
                value.origin = origin.clone();
            }
        }
    }

    fn insert(&mut self, key: &str, text: String, origin: Origin) {
        if self.values.get(key).is_none_or(|value| value.origin.strength() <= origin.strength()) {
            self.values.insert(key.to_owned(), Value { text, origin });
        }
    }
}

/// `value`, unless it is a secret.
fn shown<'a>(option: Option<&OptionInfo>, value: &'a str) -> &'a str {
    // Of what this version does not know it cannot be told.
    if option.is_none_or(OptionInfo::is_secret) { HIDDEN } else { value }
}

fn wrong_value(option: &OptionInfo, value: &str, origin: &Origin) -> ConfigError {
    ConfigError::WrongValue {
        key: option.key.to_owned(),
        value: shown(Some(option), value).to_owned(),
        origin: origin.clone(),
        expected: option.expected(),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
