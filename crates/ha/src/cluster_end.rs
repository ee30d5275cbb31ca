//! The end of a whole cluster, told to JobManagers that wait, and to a later cluster in the same place.

use crate::{CoordinationStore, Expected, Key, StoreError, WriteOutcome};

/// The key of the last end.
const END: &str = "ended";
/// How often it is tried against others who write.
const ATTEMPTS: u32 = 20;

/// The term in which the cluster was ended last; `None`: it never was. Whoever has seen a leader of this term or of one before belongs
/// to a cluster that has ended, and so does every job that was submitted by then.
///
/// # Errors
/// The store does not answer, or what is there is damaged.
pub fn read_end(store: &dyn CoordinationStore) -> Result<Option<u64>, StoreError> {
    let Some(found) = store.read(&key())? else { return Ok(None) };
    decode(&found.bytes).map(Some)
}

/// Notes that the cluster has ended in the term `epoch`.
///
/// # Errors
/// The store does not answer, or what is there is damaged. Then the cluster goes on.
pub fn write_end(store: &dyn CoordinationStore, epoch: u64) -> Result<(), StoreError> {
    let key = key();
    let mut failure = None;
    for _ in 0..ATTEMPTS {
        let found = store.read(&key)?;
        // One that is later, or was done after all.
        if found.as_ref().map(|found| decode(&found.bytes)).transpose()?.is_some_and(|ended| ended >= epoch) {
            return Ok(());
        }
        let expected = found.map_or(Expected::Absent, |found| Expected::Version(found.version));
        match store.write(&key, epoch.to_string().as_bytes(), &expected) {
            Ok(WriteOutcome::Written(_)) => return Ok(()),
            Ok(WriteOutcome::Conflict) => {}
            Err(error) if error.is_unknown() => failure = Some(error),
            Err(error) => return Err(error),
        }
    }
    let (key, store) = (END.to_owned(), format!("{store:?}"));
    Err(failure.unwrap_or_else(|| StoreError::NotDone { action: "write", key, store, source: "it changes all the time".into() }))
}

fn key() -> Key {
    Key::new(END).expect("the name of the end is a key")
}

fn decode(bytes: &[u8]) -> Result<u64, StoreError> {
    let damaged = |problem: String| StoreError::Damaged { place: END.to_owned(), problem };
    let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
    text.trim().parse().map_err(|error| damaged(format!("`{text}` is no term: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[test]
    fn the_last_end_is_known_and_an_older_one_changes_nothing() {
        let store = MemoryStore::new();
        assert_eq!(read_end(&store).unwrap(), None);
        for (epoch, known) in [(3, 3), (7, 7), (5, 7), (7, 7)] {
            write_end(&store, epoch).unwrap();
            assert_eq!(read_end(&store).unwrap(), Some(known));
        }
        assert!(decode(b"soon").is_err());
    }
}
