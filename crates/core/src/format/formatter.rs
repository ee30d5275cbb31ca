//! The serializer that writes text.

use serde::ser::{self, Serialize};
use std::fmt::{self, Write};

/// What a `Serialize` implementation said against being printed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct FormatError(String);

impl ser::Error for FormatError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        FormatError(message.to_string())
    }
}

impl From<fmt::Error> for FormatError {
    fn from(_: fmt::Error) -> Self {
        FormatError("its `Display` implementation failed".to_owned())
    }
}

type Done = Result<(), FormatError>;

/// Appends one value to the text.
pub(super) struct Formatter<'a>(pub(super) &'a mut String);

impl<'a> Formatter<'a> {
    #[inline]
    fn text(self, text: &str) -> Done {
        self.0.push_str(text);
        Ok(())
    }

    #[inline]
    fn parts(self, name: &str, open: char, close: char) -> Result<Parts<'a>, FormatError> {
        self.0.push_str(name);
        self.0.push(open);
        Ok(Parts { text: self.0, first: true, close })
    }

    /// The digits of `value`, two at a time: several times as fast as the formatting machinery.
    #[inline]
    fn digits(self, mut value: u64, negative: bool) -> Done {
        let mut digits = [0u8; 20];
        let mut start = digits.len();
        while value >= 100 {
            let pair = (value % 100) as usize * 2;
            value /= 100;
            start -= 2;
            digits[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        }
        if value >= 10 {
            let pair = value as usize * 2;
            start -= 2;
            digits[start..start + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        } else {
            start -= 1;
            digits[start] = b'0' + value as u8;
        }
        if negative {
            self.0.push('-');
        }
        self.0.push_str(std::str::from_utf8(&digits[start..]).expect("digits are ASCII"));
        Ok(())
    }
}

/// "00", "01", … "99".
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut value = 0;
    while value < 100 {
        pairs[value * 2] = b'0' + (value / 10) as u8;
        pairs[value * 2 + 1] = b'0' + (value % 10) as u8;
        value += 1;
    }
    pairs
};

/// The parts of a compound, separated by commas.
pub(super) struct Parts<'a> {
    text: &'a mut String,
    first: bool,
    close: char,
}

impl Parts<'_> {
    #[inline]
    fn separator(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.text.push_str(", ");
        }
    }

    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.separator();
        value.serialize(Formatter(self.text))
    }

    #[inline]
    fn named<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.separator();
        self.text.push_str(name);
        self.text.push_str(": ");
        value.serialize(Formatter(self.text))
    }

    #[inline]
    fn finish(self) -> Done {
        self.text.push(self.close);
        Ok(())
    }
}

macro_rules! integers {
    ($($signed:ident($signed_type:ty), $unsigned:ident($unsigned_type:ty);)*) => {
        $(
            #[inline]
            fn $signed(self, value: $signed_type) -> Done {
                self.digits(i64::from(value).unsigned_abs(), value < 0)
            }

            #[inline]
            fn $unsigned(self, value: $unsigned_type) -> Done {
                self.digits(u64::from(value), false)
            }
        )*
    };
}

macro_rules! displayed {
    ($($method:ident($type:ty) as $format:literal;)*) => {
        $(
            #[inline]
            fn $method(self, value: $type) -> Done {
                Ok(write!(self.0, $format, value)?)
            }
        )*
    };
}

impl<'a> ser::Serializer for Formatter<'a> {
    type Ok = ();
    type Error = FormatError;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    integers! {
        serialize_i8(i8), serialize_u8(u8);
        serialize_i16(i16), serialize_u16(u16);
        serialize_i32(i32), serialize_u32(u32);
        serialize_i64(i64), serialize_u64(u64);
    }

    // `Debug` keeps the point of a whole number.
    displayed! {
        serialize_i128(i128) as "{}";
        serialize_u128(u128) as "{}";
        serialize_f32(f32) as "{:?}";
        serialize_f64(f64) as "{:?}";
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Done {
        self.text(if value { "true" } else { "false" })
    }

    #[inline]
    fn serialize_char(self, value: char) -> Done {
        self.0.push(value);
        Ok(())
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Done {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.0.push_str("0x");
        for byte in value {
            for digit in [byte >> 4, byte & 15] {
                self.0.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        Ok(())
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Done {
        Ok(write!(self.0, "{value}")?)
    }

    #[inline]
    fn serialize_none(self) -> Done {
        self.text("null")
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Done {
        self.text("()")
    }

    #[inline]
    fn serialize_unit_struct(self, name: &'static str) -> Done {
        self.text(name)
    }

    #[inline]
    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Done {
        self.text(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(self, _name: &'static str, _index: u32, variant: &'static str, value: &T) -> Done {
        let mut parts = self.parts(variant, '(', ')')?;
        parts.part(value)?;
        parts.finish()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Parts<'a>, FormatError> {
        self.parts("", '[', ']')
    }

    #[inline]
    fn serialize_tuple(self, _len: usize) -> Result<Parts<'a>, FormatError> {
        self.parts("", '(', ')')
    }

    fn serialize_tuple_struct(self, name: &'static str, _len: usize) -> Result<Parts<'a>, FormatError> {
        self.parts(name, '(', ')')
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Parts<'a>, FormatError> {
        self.parts(variant, '(', ')')
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Parts<'a>, FormatError> {
        self.parts("", '{', '}')
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Parts<'a>, FormatError> {
        self.parts(name, '{', '}')
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Parts<'a>, FormatError> {
        self.parts(variant, '{', '}')
    }
}

macro_rules! compounds {
    ($($trait:ident::$method:ident($($name:ident)?) by $part:ident;)*) => {
        $(impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = FormatError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Done {
                self.$part($($name,)? value)
            }

            #[inline]
            fn end(self) -> Done {
                self.finish()
            }
        })*
    };
}

compounds! {
    SerializeSeq::serialize_element() by part;
    SerializeTuple::serialize_element() by part;
    SerializeTupleStruct::serialize_field() by part;
    SerializeTupleVariant::serialize_field() by part;
    SerializeStruct::serialize_field(name) by named;
    SerializeStructVariant::serialize_field(name) by named;
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = FormatError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.text.push('=');
        value.serialize(Formatter(self.text))
    }

    fn end(self) -> Done {
        self.finish()
    }
}
