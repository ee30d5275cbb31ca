//! How a worker introduces itself to another.

use flott_core::{BoxError, codec, id::JobId};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What the connecting worker says.
#[derive(Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) job: JobId,
    pub(super) token: Vec<u8>,
    /// Where it can be reached, by which others know it.
    pub(super) address: SocketAddr,
}

impl Hello {
    pub(super) fn encode(&self) -> Result<Vec<u8>, BoxError> {
        codec::encode(self)
    }

    /// Reads what another worker says, and refuses who does not belong here.
    pub(super) fn check(bytes: &[u8], job: JobId, token: &[u8]) -> Result<Self, String> {
        let hello: Hello = codec::decode(bytes).map_err(|error| format!("this is no worker of a job: {error}"))?;
        if !flott_core::secret::same(&hello.token, token) {
            return Err("the token is wrong".to_owned());
        }
        if hello.job != job {
            return Err(format!("this worker belongs to job {job}, not to {}", hello.job));
        }
        Ok(hello)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_know_the_token_or_belongs_to_another_job_is_refused() {
        let hello = Hello { job: JobId(1), token: b"secret".to_vec(), address: "127.0.0.1:1".parse().unwrap() }.encode().unwrap();
        assert_eq!(Hello::check(&hello, JobId(1), b"secret").unwrap().address.port(), 1);
        for token in [&b"secreT"[..], b"secre", b"secret!", b""] {
            assert_eq!(Hello::check(&hello, JobId(1), token).err().unwrap(), "the token is wrong");
        }
        let reason = Hello::check(&hello, JobId(2), b"secret").err().unwrap();
        assert!(reason.contains("belongs to job 00000000000000000000000000000002"), "{reason}");
        assert!(Hello::check(b"nonsense", JobId(1), b"secret").is_err());
    }
}
