//! The coordination store: what is asked of etcd.

use crate::{
    EtcdSettings,
    client::{CallError, Client},
    message::{Compare, RangeRequest, RangeResponse, RequestOp, TxnRequest, TxnResponse, decode, encode},
};
use flott_core::{Error, config::Configuration};
use flott_ha::{CoordinationStore, Expected, Key, RemoveOutcome, StoreError, Version, Versioned, WriteOutcome};
use std::{fmt, sync::Arc};

/// The revision of a key that is not there.
const ABSENT: &str = "0";

/// A store in etcd. Clones are the same store.
#[derive(Clone)]
pub struct EtcdStore {
    client: Arc<Client>,
}

impl EtcdStore {
    /// The store that the configuration names. Nothing is asked of etcd yet.
    ///
    /// # Errors
    /// The configuration is wrong, or a file that it names cannot be read.
    pub fn open(configuration: &Configuration) -> Result<Self, Error> {
        Ok(EtcdStore::new(EtcdSettings::from_configuration(configuration)?)?)
    }

    /// The store with these settings. Nothing is asked of etcd yet.
    ///
    /// # Errors
    /// There is no endpoint, or a file cannot be read.
    pub fn new(settings: EtcdSettings) -> Result<Self, StoreError> {
        if settings.endpoints.is_empty() {
            return Err(StoreError::Invalid { message: "`high-availability.etcd.endpoints` names no address".to_owned() });
        }
        Ok(EtcdStore { client: Arc::new(Client::new(settings)?) })
    }

    /// The key in etcd, encoded.
    fn key(&self, key: &Key) -> String {
        encode(format!("{}{key}", self.client.settings().prefix).as_bytes())
    }

    fn error(&self, action: &'static str, key: &Key, error: CallError) -> StoreError {
        let (key, store, unknown) = (key.to_string(), format!("{self:?}"), matches!(error, CallError::Unknown(_)));
        let source = Box::new(error);
        match action {
            "write" | "remove" if unknown => StoreError::Unknown { action, key, store, source },
            _ => StoreError::NotDone { action, key, store, source },
        }
    }

    /// Does `operation` if `key` was last changed in `revision`. Gives the revision in which it was done.
    fn transact(&self, key: &Key, revision: &str, operation: RequestOp) -> Result<Option<String>, CallError> {
        let compare = Compare { key: self.key(key), target: "MOD", result: "EQUAL", mod_revision: revision.to_owned() };
        let request = TxnRequest { compare: [compare], success: [operation] };
        let answer: TxnResponse = self.client.change("/v3/kv/txn", &request)?;
        Ok(answer.succeeded.then_some(answer.header.revision))
    }
}

impl CoordinationStore for EtcdStore {
    fn read(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        let request = RangeRequest { key: self.key(key), range_end: None, keys_only: false };
        let answer: RangeResponse = self.client.ask("/v3/kv/range", &request).map_err(|error| self.error("read", key, error))?;
        let Some(found) = answer.kvs.into_iter().next() else { return Ok(None) };
        let damaged = || StoreError::Damaged { place: format!("{self:?}, {key}"), problem: "the answer is no base64".to_owned() };
        Ok(Some(Versioned { bytes: decode(&found.value).ok_or_else(damaged)?, version: Version::new(found.mod_revision) }))
    }

    fn write(&self, key: &Key, bytes: &[u8], expected: &Expected) -> Result<WriteOutcome, StoreError> {
        let revision = match expected {
            Expected::Absent => ABSENT,
            Expected::Version(version) => version.as_str(),
        };
        let put = RequestOp::RequestPut { key: self.key(key), value: encode(bytes) };
        let done = self.transact(key, revision, put).map_err(|error| self.error("write", key, error))?;
        Ok(done.map_or(WriteOutcome::Conflict, |revision| WriteOutcome::Written(Version::new(revision))))
    }

    fn remove(&self, key: &Key, expected: &Version) -> Result<RemoveOutcome, StoreError> {
        let delete = RequestOp::RequestDeleteRange { key: self.key(key) };
        let done = self.transact(key, expected.as_str(), delete).map_err(|error| self.error("remove", key, error))?;
        Ok(done.map_or(RemoveOutcome::Conflict, |_| RemoveOutcome::Removed))
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>, StoreError> {
        let start = &self.client.settings().prefix;
        // `0` follows `/`: the range is what begins with the prefix and `/`.
        let (from, to) = (encode(format!("{start}{prefix}/").as_bytes()), encode(format!("{start}{prefix}0").as_bytes()));
        let request = RangeRequest { key: from, range_end: Some(to), keys_only: true };
        let answer: RangeResponse = self.client.ask("/v3/kv/range", &request).map_err(|error| self.error("list", prefix, error))?;
        let key = |encoded: &str| Key::new(String::from_utf8(decode(encoded)?).ok()?.strip_prefix(start)?).ok();
        // What others have put there is none of ours.
        let mut keys: Vec<Key> = answer.kvs.iter().filter_map(|found| key(&found.key)).collect();
        keys.sort();
        Ok(keys)
    }
}

impl fmt::Debug for EtcdStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = self.client.settings();
        write!(f, "etcd at {}, below {}", settings.endpoints.join(";"), settings.prefix)
    }
}
