//! Elements as text, for print and text sinks.
//!
//! Whatever implements `Serialize` can be printed; no `Display` is needed. Strings, numbers, `bool` and `char` are bare, tuples
//! `(the, 3)`, sequences `[a, b]`, maps `{k=v, k2=v2}`, structs `Click{user: ann, count: 3}`, tuple structs `Point(1, 2)`,
//! newtype structs what they hold, `None` is `null`, `Some(x)` is x, `()` is `()`, a variant of an enum is its name with its
//! fields as in a struct, bytes are `0x00ff`. The text is for people: it is not escaped and cannot be read back.

mod formatter;

use crate::error::{Error, ErrorKind};
use formatter::Formatter;
use serde::Serialize;

/// `value` as text, for messages: where its `Serialize` implementation fails, the text says so.
///
/// Sinks use [`format_into`], which returns the failure.
pub fn format_value<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = String::new();
    match value.serialize(Formatter(&mut text)) {
        Ok(()) => text,
        Err(error) => format!("<not printable: {error}>"),
    }
}

/// Appends `value` as text to `text`.
///
/// # Errors
/// The `Serialize` implementation of the type refused; `text` is as before.
#[inline]
pub fn format_into<T: Serialize + ?Sized>(value: &T, text: &mut String) -> Result<(), Error> {
    let before = text.len();
    value.serialize(Formatter(text)).map_err(|error| {
        text.truncate(before);
        Error::new(ErrorKind::User, format!("a `{}` cannot be printed", std::any::type_name::<T>())).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serializer;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Click {
        user: String,
        count: u32,
    }
    #[derive(Serialize)]
    struct UserId(u64);
    #[derive(Serialize)]
    struct Point(i32, i32);
    #[derive(Serialize)]
    struct Marker;
    #[derive(Serialize)]
    struct Sparse {
        #[serde(skip_serializing_if = "Option::is_none")]
        first: Option<u8>,
        second: Option<u8>,
    }
    #[derive(Serialize)]
    enum Event {
        Start,
        Text(String),
        Move(i32, i32),
        Click { user: String, at: Option<u8> },
    }
    struct Bytes(&'static [u8]);
    impl Serialize for Bytes {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }

    fn click() -> Click {
        Click { user: "ann".into(), count: 3 }
    }

    #[test]
    fn scalars_are_bare() {
        assert_eq!(format_value("the \"word\""), "the \"word\"");
        assert_eq!(format_value(&'ß'), "ß");
        assert_eq!(format_value(&true), "true");
        assert_eq!(format_value(&()), "()");
        assert_eq!(format_value(&UserId(7)), "7");
        assert_eq!(format_value(&Marker), "Marker");
        assert_eq!(format_value(&Bytes(&[0, 0xff, 0x1a])), "0x00ff1a");
        assert_eq!(format_value(&None::<u8>), "null");
        assert_eq!(format_value(&Some("x")), "x");
    }

    #[test]
    fn integers_print_as_the_standard_library_prints_them() {
        for shift in 0..64 {
            for offset in [-1i64, 0, 1] {
                let value = (1i64 << shift).wrapping_add(offset);
                assert_eq!(format_value(&value), value.to_string());
                assert_eq!(format_value(&(value as u64)), (value as u64).to_string());
            }
        }
        for value in [0u64, 9, 10, 99, 100, 101, 999, 1000, 12_345_678_901, u64::MAX] {
            assert_eq!(format_value(&value), value.to_string());
        }
        assert_eq!(format_value(&i64::MIN), i64::MIN.to_string());
        assert_eq!(format_value(&i8::MIN), "-128");
        assert_eq!(format_value(&u128::MAX), u128::MAX.to_string());
        assert_eq!(format_value(&i128::MIN), i128::MIN.to_string());
    }

    #[test]
    fn floats_keep_their_point_and_the_shortest_digits() {
        assert_eq!(format_value(&(1.0, 0.1f32, -2.5, 1e300, f64::NAN)), "(1.0, 0.1, -2.5, 1e300, NaN)");
    }

    #[test]
    fn compounds_nest() {
        assert_eq!(format_value(&("the", 3)), "(the, 3)");
        assert_eq!(format_value(&(("a", 1), vec!["x", "y"])), "((a, 1), [x, y])");
        assert_eq!(format_value(&BTreeMap::from([("k", 1), ("k2", 2)])), "{k=1, k2=2}");
        assert_eq!(format_value(&click()), "Click{user: ann, count: 3}");
        assert_eq!(format_value(&Point(1, -2)), "Point(1, -2)");
        assert_eq!(format_value(&Vec::<u8>::new()), "[]");
        assert_eq!(format_value(&BTreeMap::<u8, u8>::new()), "{}");
        assert_eq!(format_value(&[Some(click()), None]), "(Click{user: ann, count: 3}, null)");
    }

    #[test]
    fn a_field_that_serde_skips_leaves_no_comma() {
        assert_eq!(format_value(&Sparse { first: None, second: None }), "Sparse{second: null}");
        assert_eq!(format_value(&Sparse { first: Some(1), second: Some(2) }), "Sparse{first: 1, second: 2}");
    }

    #[test]
    fn variants_print_their_name_and_fields() {
        let events = vec![Event::Start, Event::Text("hi".into()), Event::Move(1, 2), Event::Click { user: "ann".into(), at: Some(4) }];
        assert_eq!(format_value(&events), "[Start, Text(hi), Move(1, 2), Click{user: ann, at: 4}]");
    }

    #[test]
    fn a_failure_is_returned_and_leaves_the_text_as_it_was() {
        let mut text = "before".to_owned();
        let error = format_into(&("a", Refuses), &mut text).expect_err("it refuses");
        assert_eq!(text, "before");
        assert_eq!(error.kind(), ErrorKind::User);
        assert!(error.to_string().contains("not today"), "{error}");
        assert_eq!(format_value(&("a", Refuses)), "<not printable: not today>");
    }
}
