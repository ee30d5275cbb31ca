//! What is stored of a job: a line of JSON, then the bytes that the JobManager gave.

use crate::{Key, StoreError};
use flott_core::Timestamp;
use serde::{Deserialize, Serialize};

/// The version of the form; a later one is refused.
const FORMAT: u32 = 1;

/// Whether a job is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum JobState {
    /// It is, also when its JobManager is gone.
    Running,
    /// It is not, ever again.
    Ended { ended_at: Timestamp },
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: u32,
    epoch: u64,
    #[serde(flatten)]
    state: JobState,
}

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JobRecord {
    /// The term of who wrote it.
    pub(super) epoch: u64,
    pub(super) state: JobState,
    pub(super) bytes: Vec<u8>,
}

impl JobRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let header = Header { format: FORMAT, epoch: self.epoch, state: self.state };
        let mut encoded = serde_json::to_vec(&header).expect("a header of numbers and words becomes JSON");
        encoded.push(b'\n');
        encoded.extend_from_slice(&self.bytes);
        encoded
    }

    pub(super) fn decode(key: &Key, encoded: &[u8]) -> Result<Self, StoreError> {
        let damaged = |problem: String| StoreError::Damaged { place: key.to_string(), problem };
        let end = encoded.iter().position(|byte| *byte == b'\n').ok_or_else(|| damaged("it has no header".to_owned()))?;
        let (header, bytes) = encoded.split_at(end);
        let header: Header = serde_json::from_slice(header).map_err(|error| damaged(format!("its header does not decode: {error}")))?;
        if header.format != FORMAT {
            return Err(damaged(format!("it has format version {}, and this release reads version {FORMAT}", header.format)));
        }
        Ok(JobRecord { epoch: header.epoch, state: header.state, bytes: bytes[1..].to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded_and_anything_else_is_damage() {
        let key = Key::new("jobs/1").unwrap();
        for state in [JobState::Running, JobState::Ended { ended_at: -5 }] {
            for bytes in [&b""[..], b"a\nb\0", &[0xff]] {
                let record = JobRecord { epoch: u64::MAX, state, bytes: bytes.to_vec() };
                assert_eq!(JobRecord::decode(&key, &record.encode()).unwrap(), record);
            }
        }
        let encoded = JobRecord { epoch: 3, state: JobState::Running, bytes: b"x".to_vec() }.encode();
        assert_eq!(encoded, b"{\"format\":1,\"epoch\":3,\"state\":\"running\"}\nx");
        for wrong in [
            &b""[..],
            b"x",
            b"{}\n",
            b"{\"format\":2,\"epoch\":3,\"state\":\"running\"}\n",
            b"{\"format\":1,\"epoch\":3,\"state\":\"x\"}\n",
        ] {
            assert!(JobRecord::decode(&key, wrong).unwrap_err().to_string().contains("jobs/1"));
        }
    }
}
