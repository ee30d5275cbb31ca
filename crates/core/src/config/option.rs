//! The declaration of an option.

use super::value::ConfigValue;
use std::{fmt, marker::PhantomData};

/// An option: its key, the type of its value, its default.
#[derive(Debug)]
pub struct ConfigOption<T> {
    key: &'static str,
    default: &'static str,
    description: &'static str,
    range: Range,
    value: PhantomData<fn() -> T>,
}

/// The numbers that a value may be, both ends included; in the unit of its type.
#[derive(Debug, Clone, Copy)]
struct Range {
    least: f64,
    most: f64,
}

impl<T: ConfigValue> ConfigOption<T> {
    /// An option with the key `key`. `default` is written as a user would; the empty text is for an option of type
    /// `Option` that has none.
    pub const fn new(key: &'static str, default: &'static str, description: &'static str) -> Self {
        let range = Range { least: f64::NEG_INFINITY, most: f64::INFINITY };
        ConfigOption { key, default, description, range, value: PhantomData }
    }

    /// Accepts no number below `least`; milliseconds of a duration, bytes of a memory size.
    pub const fn at_least(mut self, least: u64) -> Self {
        self.range.least = least as f64;
        self
    }

    /// Accepts numbers from `least` to `most`.
    pub const fn between(mut self, least: u64, most: u64) -> Self {
        self.range = Range { least: least as f64, most: most as f64 };
        self
    }

    /// The key, such as `parallelism.default`.
    pub const fn key(&self) -> &'static str {
        self.key
    }

    /// The default as a user would write it; empty for none.
    pub const fn default_text(&self) -> &'static str {
        self.default
    }

    /// What the option does.
    pub const fn description(&self) -> &'static str {
        self.description
    }

    /// The option without the type of its value.
    pub const fn info(&self) -> OptionInfo {
        OptionInfo {
            key: self.key,
            default: self.default,
            description: self.description,
            range: self.range,
            magnitude_text: T::magnitude_text,
            form: T::form,
            accepts: accepts::<T>,
            secret: T::SECRET,
        }
    }

    /// The value that `text` is; `None` if it is none.
    pub(super) fn parse(&self, text: &str) -> Option<T> {
        parse_in(text, self.range)
    }
}

fn parse_in<T: ConfigValue>(text: &str, range: Range) -> Option<T> {
    T::parse(text.trim()).filter(|value| value.magnitude().is_none_or(|number| (range.least..=range.most).contains(&number)))
}

fn accepts<T: ConfigValue>(text: &str, range: Range) -> bool {
    parse_in::<T>(text, range).is_some()
}

/// An option of any type.
#[derive(Clone, Copy)]
pub struct OptionInfo {
    /// The key, such as `parallelism.default`.
    pub key: &'static str,
    /// The default as a user would write it; empty for none.
    pub default: &'static str,
    /// What the option does.
    pub description: &'static str,
    range: Range,
    magnitude_text: fn(f64) -> String,
    form: fn() -> String,
    accepts: fn(&str, Range) -> bool,
    secret: bool,
}

impl OptionInfo {
    /// Whether `text` is a value of this option.
    pub fn accepts(&self, text: &str) -> bool {
        (self.accepts)(text, self.range)
    }

    /// Whether its values must be shown nowhere.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// What a value looks like, for example "a whole number, at least 1".
    pub fn expected(&self) -> String {
        let form = (self.form)();
        let Range { least, most } = self.range;
        let text = self.magnitude_text;
        match (least.is_finite(), most.is_finite()) {
            (true, true) => format!("{form}, from {} to {}", text(least), text(most)),
            (true, false) => format!("{form}, at least {}", text(least)),
            (false, true) => format!("{form}, at most {}", text(most)),
            (false, false) => form,
        }
    }

    /// The environment variable that sets it, such as `FLOTT_PARALLELISM_DEFAULT`.
    pub fn variable(&self) -> String {
        format!("FLOTT_{}", self.key.to_ascii_uppercase().replace(['.', '-'], "_"))
    }
}

impl fmt::Debug for OptionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OptionInfo").field("key", &self.key).field("default", &self.default).finish_non_exhaustive()
    }
}
