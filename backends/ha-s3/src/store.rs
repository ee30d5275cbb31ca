//! The coordination store: what is asked of S3.

use crate::{
    S3Settings,
    client::{Answer, Call, CallError, Client, element},
    object::{Content, HEAD, Objects, decode},
    probe::{Abilities, Found, probe},
};
use flott_core::{Error, config::Configuration};
use flott_ha::{CoordinationStore, Expected, Key, RemoveOutcome, StoreError, Version, Versioned, WriteOutcome};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// How the name of an object with a value ends, so that `a` and `a/b` can both be there where objects are files.
const VALUE: &str = ".value";

/// A store in a bucket of S3. Clones are the same store.
#[derive(Clone)]
pub struct S3Store {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    objects: Objects,
    /// What the server can do, once that is known.
    abilities: Mutex<Option<Abilities>>,
}

/// An object, as it was found.
struct Object {
    content: Content,
    etag: String,
}

impl S3Store {
    /// The store that the configuration names. Nothing is asked of the server yet.
    ///
    /// # Errors
    /// The configuration is wrong or incomplete.
    pub fn open(configuration: &Configuration) -> Result<Self, Error> {
        Ok(S3Store::new(S3Settings::from_configuration(configuration)?))
    }

    /// The store with these settings. Nothing is asked of the server yet.
    pub fn new(settings: S3Settings) -> Self {
        S3Store { inner: Arc::new(Inner { client: Client::new(settings), objects: Objects::new(), abilities: Mutex::new(None) }) }
    }

    /// The same, as if the server did not honour conditions of removals: for tests.
    #[doc(hidden)]
    pub fn that_marks_removed(self) -> Self {
        *self.inner.abilities.lock().unwrap_or_else(PoisonError::into_inner) = Some(Abilities { removal: false });
        self
    }

    fn object(&self, key: &Key) -> String {
        format!("{}{key}{VALUE}", self.inner.client.settings().prefix)
    }

    fn error(&self, action: &'static str, key: &Key, error: CallError) -> StoreError {
        let (key, store, unknown) = (key.to_string(), format!("{self:?}"), matches!(error, CallError::Unknown(_)));
        let source = Box::new(error);
        match action {
            "write" | "remove" if unknown => StoreError::Unknown { action, key, store, source },
            _ => StoreError::NotDone { action, key, store, source },
        }
    }

    /// What the server can do. It is tried out before the first change.
    fn abilities(&self, action: &'static str, key: &Key) -> Result<Abilities, StoreError> {
        let mut known = self.inner.abilities.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(abilities) = *known {
            return Ok(abilities);
        }
        match probe(&self.inner.client, &self.inner.objects) {
            Ok(Found::Usable(abilities)) => Ok(*known.insert(abilities)),
            Ok(Found::Unusable(why)) => Err(StoreError::Invalid {
                message: format!("{self:?} cannot be used for high availability, since it does not honour conditions: {why}"),
            }),
            // The change itself was not begun.
            Err(CallError::NotDone(message) | CallError::Unknown(message)) => Err(self.error(action, key, CallError::NotDone(message))),
        }
    }

    fn find(&self, action: &'static str, key: &Key) -> Result<Option<Object>, StoreError> {
        let call = Call { method: "GET", object: &self.object(key), query: &[], condition: None, body: &[] };
        // A read changes nothing, whatever became of it.
        let failed = |message: String| self.error(action, key, CallError::NotDone(message));
        let answer = self.inner.client.ask(&call).map_err(|error| failed(error.to_string()))?;
        if answer.status == 404 {
            // A bucket that is not there is none in which a key is absent.
            return if answer.element("Code") == Some("NoSuchBucket") { Err(failed(self.inner.client.explain(&answer))) } else { Ok(None) };
        }
        let damaged = |problem: &str| StoreError::Damaged { place: format!("{self:?}{key}"), problem: problem.to_owned() };
        let etag = answer.etag.ok_or_else(|| damaged("it has no entity tag"))?;
        let content = decode(&answer.body).ok_or_else(|| damaged("it does not begin as a value does"))?;
        Ok(Some(Object { content, etag }))
    }

    /// Writes an object on a condition. Gives its tag; `None` if the condition does not hold.
    fn put(&self, action: &'static str, key: &Key, body: &[u8], condition: (&str, &str)) -> Result<Option<String>, StoreError> {
        let call = Call { method: "PUT", object: &self.object(key), query: &[], condition: Some(condition), body };
        let answer = self.inner.client.call(&call).map_err(|error| self.error(action, key, error))?;
        self.refuse_missing_bucket(action, key, &answer)?;
        match (answer.status, answer.etag) {
            (200..300, Some(etag)) => Ok(Some(etag)),
            (200..300, None) => Err(self.error(action, key, CallError::Unknown("the answer has no entity tag".to_owned()))),
            _ => Ok(None),
        }
    }

    fn refuse_missing_bucket(&self, action: &'static str, key: &Key, answer: &Answer) -> Result<(), StoreError> {
        if answer.status == 404 && answer.element("Code") == Some("NoSuchBucket") {
            return Err(self.error(action, key, CallError::NotDone(self.inner.client.explain(answer))));
        }
        Ok(())
    }
}

impl CoordinationStore for S3Store {
    fn read(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        let found = self.find("read", key)?;
        Ok(found.and_then(|Object { content, etag }| match content {
            Content::Value(bytes) => Some(Versioned { bytes, version: Version::new(etag) }),
            Content::Removed => None,
        }))
    }

    fn write(&self, key: &Key, bytes: &[u8], expected: &Expected) -> Result<WriteOutcome, StoreError> {
        self.abilities("write", key)?;
        let body = self.inner.objects.value(bytes);
        let mut written = match expected {
            Expected::Absent => self.put("write", key, &body, ("if-none-match", "*"))?,
            Expected::Version(version) => self.put("write", key, &body, ("if-match", version.as_str()))?,
        };
        if written.is_none()
            && *expected == Expected::Absent
            && let Some(Object { content: Content::Removed, etag }) = self.find("write", key)?
        {
            // It is not there, but is marked as removed.
            written = self.put("write", key, &body, ("if-match", &etag))?;
        }
        Ok(written.map_or(WriteOutcome::Conflict, |etag| WriteOutcome::Written(Version::new(etag))))
    }

    fn remove(&self, key: &Key, expected: &Version) -> Result<RemoveOutcome, StoreError> {
        let condition = ("if-match", expected.as_str());
        if !self.abilities("remove", key)?.removal {
            let marked = self.put("remove", key, &self.inner.objects.removed(), condition)?;
            return Ok(if marked.is_some() { RemoveOutcome::Removed } else { RemoveOutcome::Conflict });
        }
        let call = Call { method: "DELETE", object: &self.object(key), query: &[], condition: Some(condition), body: &[] };
        let answer = self.inner.client.call(&call).map_err(|error| self.error("remove", key, error))?;
        self.refuse_missing_bucket("remove", key, &answer)?;
        Ok(if (200..300).contains(&answer.status) { RemoveOutcome::Removed } else { RemoveOutcome::Conflict })
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>, StoreError> {
        let start = &self.inner.client.settings().prefix;
        let below = format!("{start}{prefix}/");
        let mut keys = Vec::new();
        let mut after = String::new();
        loop {
            let mut query = vec![("list-type", "2"), ("prefix", below.as_str())];
            if !after.is_empty() {
                query.push(("start-after", &after));
            }
            let call = Call { method: "GET", object: "", query: &query, condition: None, body: &[] };
            let failed = |message: String| self.error("list", prefix, CallError::NotDone(message));
            let answer = self.inner.client.ask(&call).map_err(|error| failed(error.to_string()))?;
            let text = String::from_utf8_lossy(&answer.body);
            if answer.status != 200 {
                return Err(failed(self.inner.client.explain(&answer)));
            }
            let mut last = None;
            for entry in text.split("<Contents>").skip(1) {
                let (Some(object), Some(size)) = (element(entry, "Key"), element(entry, "Size")) else { continue };
                last = Some(object.to_owned());
                let is_value = size.parse::<usize>().is_ok_and(|size| size >= HEAD);
                // What others have put there is none of ours.
                let key = object.strip_prefix(start).and_then(|object| object.strip_suffix(VALUE));
                keys.extend(key.and_then(|key| Key::new(key).ok()).filter(|_| is_value));
            }
            match last {
                Some(object) if element(&text, "IsTruncated") == Some("true") => after = object,
                _ => break,
            }
        }
        keys.sort();
        Ok(keys)
    }
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let S3Settings { endpoint, bucket, prefix, .. } = self.inner.client.settings();
        write!(f, "s3://{bucket}/{prefix} at {endpoint}")
    }
}
