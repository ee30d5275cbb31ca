//! Keys of a coordination store.

use std::{fmt, str::FromStr};

/// The longest segment of a key, in bytes. With what a file system adds, a segment is a file's name.
const SEGMENT_MAX: usize = 128;
/// The longest key, in bytes.
const KEY_MAX: usize = 512;

/// A key: segments of letters, digits, `-` and `_`, joined by `/`, such as `jobs/4f2a`. No segment is empty, so that a key is a path
/// in a file system or an object store as it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

/// A text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no key: a key has segments of 1 to {SEGMENT_MAX} letters, digits, `-` and `_`, joined by `/`, {KEY_MAX} bytes in all")]
pub struct InvalidKey {
    /// The text.
    pub text: String,
}

impl Key {
    /// The key `text`.
    ///
    /// # Errors
    /// It is none.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let valid = text.split('/').all(|segment| (1..=SEGMENT_MAX).contains(&segment.len()) && segment.bytes().all(plain));
        if valid && text.len() <= KEY_MAX { Ok(Key(text)) } else { Err(InvalidKey { text }) }
    }

    /// The key of the segment `segment` below this one.
    ///
    /// # Errors
    /// `segment` is none, or the key becomes too long.
    pub fn join(&self, segment: &str) -> Result<Self, InvalidKey> {
        Key::new(format!("{}/{segment}", self.0))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments.
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Whether this key is below `prefix`: `jobs/1` is below `jobs`, `jobs` and `jobs-old/1` are not.
    pub fn is_below(&self, prefix: &Key) -> bool {
        self.0.strip_prefix(&prefix.0).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Key::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_can_be_a_path_wherever_it_ends_up() {
        for text in ["leader", "jobs/00ff/job", "a-b_C/9"] {
            assert_eq!(Key::new(text).unwrap().as_str(), text);
        }
        for text in
            ["", "/", "a/", "/a", "a//b", "..", "a/../b", "a.b", "ä", "a b", "a\0", "a\\b", "a\n", &"x".repeat(129), &"x/".repeat(300)]
        {
            assert!(Key::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn below_means_whole_segments() {
        let jobs = Key::new("jobs").unwrap();
        assert!(jobs.join("1").unwrap().is_below(&jobs));
        assert!(!jobs.is_below(&jobs));
        assert!(!Key::new("jobs-old/1").unwrap().is_below(&jobs));
        assert!(jobs.join("a/b").unwrap().is_below(&jobs));
        assert_eq!(jobs.join("a").unwrap().name(), "a");
    }
}
