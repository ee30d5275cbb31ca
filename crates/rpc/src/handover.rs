//! What whoever starts a program tells it and nobody else: over its standard input, as the first line, in JSON. Arguments and
//! environment of a process can be read by others.

use flott_core::{Error, ErrorKind, config::Configuration, secret::Secret};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};

/// The first line of a program's standard input.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Handover {
    /// The options of the job; for a worker.
    #[serde(default)]
    pub configuration: Option<Configuration>,
    /// The secret that the workers of the job share, or the token of a client.
    #[serde(default, with = "flott_core::secret::in_message")]
    pub token: Option<Secret>,
    /// The certificate of the cluster's authority, PEM; without it connections are in clear.
    #[serde(default)]
    pub authority: Option<String>,
    /// The certificate to show, PEM; for a worker.
    #[serde(default)]
    pub certificate: Option<String>,
    /// The private key to it, PEM.
    #[serde(default, with = "flott_core::secret::in_message")]
    pub key: Option<Secret>,
}

impl Handover {
    /// Writes the line.
    ///
    /// # Errors
    /// The program takes none.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let mut line = serde_json::to_vec(self).map_err(io::Error::other)?;
        line.push(b'\n');
        to.write_all(&line)?;
        to.flush()
    }

    /// Reads the line, and nothing behind it.
    ///
    /// # Errors
    /// There is none, or it is something else.
    pub fn read(mut from: impl BufRead) -> Result<Self, Error> {
        let mut line = Vec::new();
        let unreadable = |error: &dyn std::fmt::Display| {
            // What the parser says of the line is kept out, since it could quote it.
            let text = format!("the first line of standard input, where a cluster tells a program its part, cannot be read{error}");
            Error::new(ErrorKind::Invalid, text)
        };
        from.read_until(b'\n', &mut line).map_err(|error| unreadable(&format_args!(": {error}")))?;
        serde_json::from_slice(&line).map_err(|_| unreadable(&""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_handover_is_one_line_and_shows_no_secret() {
        let secret = |text: &str| Some(Secret::new(text));
        let handover = Handover {
            token: secret("canary-token"),
            authority: Some("-----BEGIN\nCERTIFICATE-----\n".to_owned()),
            key: secret("canary\nkey"),
            ..Handover::default()
        };
        let mut bytes = Vec::new();
        handover.write(&mut bytes).unwrap();
        bytes.extend_from_slice(b"more");
        let mut rest = bytes.as_slice();
        assert_eq!(Handover::read(&mut rest).unwrap(), handover);
        let mut behind = String::new();
        rest.read_to_string(&mut behind).unwrap();
        assert_eq!(behind, "more");
        assert!(!format!("{handover:?}").contains("canary"));
    }

    #[test]
    fn what_is_no_handover_is_not_quoted() {
        for line in ["", "canary\n", "{\"token\": [\"canary\"]}\n"] {
            let error = Handover::read(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("standard input") && !error.contains("canary"), "{error}");
        }
        assert_eq!(Handover::read(&b"{\"newer\": 1}\n"[..]).unwrap(), Handover::default());
    }
}
