//! Values that nobody may read by accident: tokens, keys, passwords.

use crate::config::ConfigValue;
use std::fmt;

/// What stands where a secret would.
pub const HIDDEN: &str = "******";

/// A text that is shown nowhere: not by `Debug`, and it is neither `Display` nor `Serialize`. Comparing two takes as long wherever
/// they differ, so that nobody finds a secret character by character.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text itself. Whoever asks for it must neither print nor log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        same(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Secret {}

/// Whether both are the same; takes as long wherever they differ.
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |difference, (one, other)| std::hint::black_box(difference | (one ^ other)));
    one.len() == other.len() && difference == 0
}

impl ConfigValue for Secret {
    const SECRET: bool = true;

    fn form() -> String {
        "a text without spaces".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let plain = !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        plain.then(|| Secret::new(text))
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

/// For a field of a message that must carry a secret to another process: `#[serde(with = "flott_core::secret::in_message")]`.
pub mod in_message {
    use super::Secret;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the secret itself.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(serializer)
    }

    /// Reads what [`serialize`] writes.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(Secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Some(Secret::new("canary"));
        assert_eq!(format!("{secret:?}"), "Some(******)");
    }

    #[test]
    fn secrets_are_the_same_or_not() {
        for (one, other, expected) in [("a", "a", true), ("a", "b", false), ("a", "ab", false), ("", "", true), ("", "a", false)] {
            assert_eq!(Secret::new(one) == Secret::new(other), expected, "{one} {other}");
        }
    }

    #[test]
    fn what_has_spaces_is_no_secret_of_a_configuration() {
        assert!(Secret::parse("abc").is_some());
        for text in ["", "a b", "a\nb", "a\u{7}"] {
            assert!(Secret::parse(text).is_none(), "{text:?}");
        }
    }
}
