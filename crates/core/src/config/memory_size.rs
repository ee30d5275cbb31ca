//! Sizes in memory and on disk, in Flink's forms.

use super::value::{ConfigValue, number_and_unit};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A number of bytes. Units are powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemorySize(pub u64);

/// The units from the largest to the smallest: the words for it and its bytes. The first word is the one written.
const UNITS: [(&[&str], u64); 5] = [
    (&["tb", "t", "tebibytes"], 1 << 40),
    (&["gb", "g", "gibibytes"], 1 << 30),
    (&["mb", "m", "mebibytes"], 1 << 20),
    (&["kb", "k", "kibibytes"], 1 << 10),
    (&["bytes", "b"], 1),
];

impl MemorySize {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.iter().find(|(_, unit)| self.0 > 0 && self.0.is_multiple_of(*unit)) {
            Some((names, unit)) => write!(f, "{} {}", self.0 / unit, names[0]),
            None => f.write_str("0 bytes"),
        }
    }
}

impl ConfigValue for MemorySize {
    const NONE: &'static [&'static str] = &["none"];

    fn form() -> String {
        "a size such as `20 kb`, `128 mb` or `1 gb` (a number alone is bytes)".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let unit = if unit.is_empty() { "b" } else { &unit };
        let (_, bytes) = UNITS.iter().find(|(names, _)| names.contains(&unit))?;
        number.checked_mul(*bytes).map(MemorySize)
    }

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn magnitude(&self) -> Option<f64> {
        Some(self.0 as f64)
    }

    fn magnitude_text(magnitude: f64) -> String {
        MemorySize(magnitude as u64).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_flinks_forms() {
        for (text, bytes) in [("128mb", 128 << 20), ("1 gb", 1 << 30), ("20 kb", 20_480), ("7", 7), ("3 B", 3), ("2 Tebibytes", 2 << 40)] {
            assert_eq!(MemorySize::parse(text), Some(MemorySize(bytes)), "{text}");
        }
        for text in ["", "mb", "1.5 gb", "-1", "1 pb", "18446744073709551615 kb"] {
            assert_eq!(MemorySize::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_written_in_its_largest_unit() {
        for text in ["1 tb", "128 mb", "20 kb", "1025 bytes", "0 bytes"] {
            assert_eq!(MemorySize::parse(text).expect("a size").to_string(), text);
        }
    }
}
