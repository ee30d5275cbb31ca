//! What an object holds: a mark, a random number that makes its entity tag one of its own, and the value; or that there is none.

use flott_ha::incarnation_id;
use std::sync::atomic::{AtomicU64, Ordering};

/// Before a value: mark, 32 digits of the process's start, `-`, 16 digits of the number of its writes, end of line.
pub(crate) const HEAD: usize = MARK.len() + 32 + 1 + 16 + 1;
const MARK: &[u8] = b"FLOTT1 v ";
/// Instead of a value: shorter than any value, so that listings tell.
const REMOVED: &[u8] = b"FLOTT1 r ";

/// Makes objects that are all different.
#[derive(Debug)]
pub(crate) struct Objects {
    start: String,
    writes: AtomicU64,
}

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Value(Vec<u8>),
    /// The key was removed.
    Removed,
}

impl Objects {
    pub(crate) fn new() -> Self {
        Objects { start: incarnation_id(), writes: AtomicU64::new(0) }
    }

    fn number(&self) -> String {
        format!("{}-{:016x}", self.start, self.writes.fetch_add(1, Ordering::Relaxed))
    }

    /// An object with a value.
    pub(crate) fn value(&self, value: &[u8]) -> Vec<u8> {
        [MARK, self.number().as_bytes(), b"\n", value].concat()
    }

    /// An object that says that its key was removed.
    pub(crate) fn removed(&self) -> Vec<u8> {
        [REMOVED, self.number().as_bytes()].concat()
    }
}

/// What an object holds; `None` if it is none of ours.
pub(crate) fn decode(object: &[u8]) -> Option<Content> {
    if object.starts_with(REMOVED) && object.len() < HEAD {
        return Some(Content::Removed);
    }
    let (head, value) = object.split_at_checked(HEAD)?;
    (head.starts_with(MARK) && head.ends_with(b"\n")).then(|| Content::Value(value.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_is_another_object_each_time() {
        let objects = Objects::new();
        let (first, second) = (objects.value(b"x"), objects.value(b"x"));
        assert_ne!(first, second);
        assert_ne!(Objects::new().value(b"x"), Objects::new().value(b"x"));
        assert_eq!(decode(&first), Some(Content::Value(b"x".to_vec())));
        assert_eq!(decode(&objects.value(b"")), Some(Content::Value(Vec::new())));
        assert_eq!(decode(&objects.removed()), Some(Content::Removed));
        assert!(objects.removed().len() < HEAD && objects.value(b"").len() == HEAD);
        assert_eq!(decode(b""), None);
        assert_eq!(decode(b"{}"), None);
        assert_eq!(decode(&first[..20]), None);
    }
}
