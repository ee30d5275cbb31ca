//! Values of options and their text.

use super::duration::{format_duration, parse_duration};
use std::time::Duration;

/// A type that an option can have.
pub trait ConfigValue: Sized {
    /// The words that mean "none" where the option is an `Option` of this type, besides the empty text.
    const NONE: &'static [&'static str] = &[];

    /// Whether values must be shown nowhere.
    const SECRET: bool = false;

    /// What a value looks like, for messages and the reference: "a whole number".
    fn form() -> String;

    /// The value that `text` is; `None` if it is none.
    fn parse(text: &str) -> Option<Self>;

    /// The value as [`parse`](Self::parse) reads it.
    fn to_text(&self) -> String;

    /// The value as a number, if it is one that an option may restrict: milliseconds, bytes.
    fn magnitude(&self) -> Option<f64> {
        None
    }

    /// A [`magnitude`](Self::magnitude) as the value that has it is written.
    fn magnitude_text(magnitude: f64) -> String {
        magnitude.to_string()
    }
}

impl ConfigValue for String {
    fn form() -> String {
        "a text".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

impl ConfigValue for bool {
    fn form() -> String {
        "`true` or `false`".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

macro_rules! numbers {
    ($($type:ty: $form:literal, $none:expr;)*) => {
        $(impl ConfigValue for $type {
            const NONE: &'static [&'static str] = $none;

            fn form() -> String {
                $form.to_owned()
            }

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }

            fn to_text(&self) -> String {
                self.to_string()
            }

            fn magnitude(&self) -> Option<f64> {
                Some(*self as f64)
            }
        })*
    };
}

numbers! {
    u32: "a whole number", &["none", "-1", "infinite"];
    u64: "a whole number", &["none", "-1", "infinite"];
    i64: "a whole number", &["none"];
}

impl ConfigValue for f64 {
    fn form() -> String {
        "a number such as `1.5`".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    fn to_text(&self) -> String {
        format!("{self:?}")
    }

    fn magnitude(&self) -> Option<f64> {
        Some(*self)
    }
}

impl ConfigValue for Duration {
    const NONE: &'static [&'static str] = &["none"];

    fn form() -> String {
        "a duration such as `10 s`, `500 ms` or `1 min` (a number alone is ms)".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        parse_duration(text)
    }

    fn to_text(&self) -> String {
        format_duration(*self)
    }

    fn magnitude(&self) -> Option<f64> {
        Some(self.as_secs_f64() * 1e3)
    }

    fn magnitude_text(magnitude: f64) -> String {
        format_duration(Duration::from_millis(magnitude as u64))
    }
}

impl<T: ConfigValue> ConfigValue for Option<T> {
    const SECRET: bool = T::SECRET;

    fn form() -> String {
        T::form()
    }

    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || T::NONE.iter().any(|none| none.eq_ignore_ascii_case(text)) {
            return Some(None);
        }
        T::parse(text).map(Some)
    }

    fn to_text(&self) -> String {
        self.as_ref().map(T::to_text).unwrap_or_default()
    }

    fn magnitude(&self) -> Option<f64> {
        self.as_ref().and_then(T::magnitude)
    }

    fn magnitude_text(magnitude: f64) -> String {
        T::magnitude_text(magnitude)
    }
}

/// `text` as a number and the unit behind it, in lower case.
pub(super) fn number_and_unit(text: &str) -> Option<(u64, String)> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim().to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_the_text_they_write() {
        fn check<T: ConfigValue + PartialEq + std::fmt::Debug>(value: T) {
            assert_eq!(T::parse(&value.to_text()), Some(value));
        }
        check(u32::MAX);
        check(-5i64);
        check(0.1f64);
        check(true);
        check("a b".to_owned());
        check(None::<u32>);
        check(Some(3u32));
        check(None::<Duration>);
        check(Some(Duration::from_millis(1500)));
    }

    #[test]
    fn none_has_flinks_words() {
        assert_eq!(Option::<u32>::parse("-1"), Some(None));
        assert_eq!(Option::<u32>::parse("Infinite"), Some(None));
        assert_eq!(Option::<Duration>::parse(""), Some(None));
        assert_eq!(Option::<String>::parse("none"), Some(Some("none".to_owned())));
        assert_eq!(Option::<u32>::parse("-2"), None);
    }

    #[test]
    fn other_text_is_no_value() {
        assert_eq!(u32::parse("1.5"), None);
        assert_eq!(u32::parse(""), None);
        assert_eq!(bool::parse("yes"), None);
        assert_eq!(bool::parse("TRUE"), Some(true));
        assert_eq!(f64::parse("NaN"), None);
    }
}
