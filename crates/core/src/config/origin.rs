//! Where a value comes from.

use crate::secret::HIDDEN;
use serde::{Deserialize, Serialize};
use std::{fmt, panic::Location};

/// Where a value was given. A stronger origin (further down) keeps its value whatever the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Nowhere: the option's default.
    Default,
    /// A configuration file.
    File {
        /// Its path.
        path: String,
        /// The line of the value, from 1.
        line: usize,
    },
    /// The environment variable of this name.
    Variable(String),
    /// The command line argument, as it was written.
    Argument(String),
    /// The program: file and line.
    Code(String),
}

impl Origin {
    /// The place of the caller.
    #[track_caller]
    pub fn code() -> Self {
        Origin::Code(crate::error::location_of(Location::caller()))
    }

    /// The same without the value of an argument: what nobody knows may be a secret.
    pub(super) fn without_value(self) -> Self {
        match self {
            Origin::Argument(argument) => Origin::Argument(match argument.split_once('=') {
                Some((key, _)) => format!("{key}={HIDDEN}"),
                None => argument,
            }),
            other => other,
        }
    }

    /// The larger, the stronger.
    pub(super) fn strength(&self) -> u8 {
        match self {
            Origin::Default => 0,
            Origin::File { .. } => 1,
            Origin::Variable(_) => 2,
            Origin::Argument(_) => 3,
            Origin::Code(_) => 4,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Variable(name) => write!(f, "environment variable `{name}`"),
            Origin::Argument(argument) => write!(f, "argument `{argument}`"),
            Origin::Code(location) => write!(f, "code at {location}"),
        }
    }
}
