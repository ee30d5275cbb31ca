//! The lease: what is stored, and how long things take.

use crate::{CoordinationStore, Expected, InvalidKey, Key, StoreError, Version, WriteOutcome};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The key of the lease.
pub const LEASE_KEY: &str = "leader";

/// The stored lease. A field that is missing is one that an older release does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// The term; each one's is larger than all before.
    pub epoch: u64,
    /// Whose it is: the id of a process's start, different after a restart.
    pub holder: String,
    /// Goes up with every write of the holder's: as long as it does, the holder is alive.
    pub renewals: u64,
    /// How long it lasts from the moment an observer sees it, in ms.
    pub duration_ms: u64,
    /// Where the leader takes TaskManagers, workers and clients: `host:port`.
    pub address: String,
    /// Where its REST server listens: `host:port`; empty if it has none.
    #[serde(default)]
    pub rest_address: String,
    /// Whether the holder has given it up.
    #[serde(default)]
    pub released: bool,
}

impl LeaseRecord {
    /// Whether both are the same write.
    pub fn is_same_write(&self, other: &LeaseRecord) -> bool {
        (self.epoch, &self.holder, self.renewals, self.released) == (other.epoch, &other.holder, other.renewals, other.released)
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.duration_ms)
    }

    /// The bytes to store.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record of numbers and texts becomes JSON")
    }

    /// The record that was stored.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the bytes are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| StoreError::Damaged { place: LEASE_KEY.to_owned(), problem: error.to_string() })
    }
}

/// A lease in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What it says.
    pub record: LeaseRecord,
    /// The write that it comes from.
    pub version: Version,
}

/// The key of the lease.
pub fn lease_key() -> Key {
    let key: Result<Key, InvalidKey> = Key::new(LEASE_KEY);
    key.expect("the name of the lease is a key")
}

/// The lease in `store`.
///
/// # Errors
/// The store does not answer, or the lease is damaged.
pub fn read_lease(store: &dyn CoordinationStore) -> Result<Option<Lease>, StoreError> {
    let Some(found) = store.read(&lease_key())? else { return Ok(None) };
    Ok(Some(Lease { record: LeaseRecord::decode(&found.bytes)?, version: found.version }))
}

/// Writes the lease if it is as `expected`.
///
/// # Errors
/// As for [`CoordinationStore::write`].
pub fn write_lease(store: &dyn CoordinationStore, record: &LeaseRecord, expected: &Expected) -> Result<WriteOutcome, StoreError> {
    store.write(&lease_key(), &record.encode(), expected)
}

/// Who a candidate is, and how long things take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ElectionSettings {
    /// The id of this start of the process: [`incarnation_id`](crate::incarnation_id).
    pub holder: String,
    /// Where it takes TaskManagers, workers and clients: `host:port`.
    pub address: String,
    /// Where its REST server listens: `host:port`; empty if it has none.
    pub rest_address: String,
    /// How long others wait for a sign of life before they take over.
    pub lease_duration: Duration,
    /// How often the leader gives one.
    pub renew_interval: Duration,
    /// How often the others look.
    pub poll_interval: Duration,
    /// How much earlier than others may take over the leader stops. It covers the difference in speed of two clocks: with a fifth of
    /// the duration, each may be wrong by 10 %.
    pub margin: Duration,
    /// How long a slow write of the store makes leases longer.
    pub slow_writes_count_for: Duration,
    /// Terms are larger than this: where older terms are known from elsewhere.
    pub epoch_floor: u64,
}

impl ElectionSettings {
    /// The lease duration unless another is given.
    pub const DEFAULT_LEASE_DURATION: Duration = Duration::from_secs(1);

    /// The settings of a candidate for leases of `lease_duration`: renewed each third of it, looked at each seventh, given up a fifth
    /// before its end.
    pub fn new(holder: impl Into<String>, address: impl Into<String>, lease_duration: Duration) -> Self {
        ElectionSettings {
            holder: holder.into(),
            address: address.into(),
            rest_address: String::new(),
            lease_duration,
            renew_interval: lease_duration / 3,
            poll_interval: lease_duration / 7,
            margin: lease_duration / 5,
            slow_writes_count_for: Duration::from_secs(60),
            epoch_floor: 0,
        }
    }

    /// How long after the start of a renewal for `duration` the leader leads: the margin grows with the duration.
    pub(super) fn validity(&self, duration: Duration) -> Duration {
        let share = duration.as_secs_f64() / self.lease_duration.as_secs_f64().max(f64::EPSILON);
        duration.saturating_sub(self.margin.mul_f64(share.max(1.0)))
    }
}
