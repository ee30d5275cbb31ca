//! The serializer that writes the encoding of a key, and hashes it.

use super::{buffer::Buffer, hash_bytes};
use serde::ser::{self, Serialize};
use std::fmt::{self, Write};

/// What a `Serialize` implementation said against the key.
#[derive(Debug, thiserror::Error)]
#[error("the key cannot be serialised: {0}")]
#[expect(clippy::box_collection, reason = "one pointer, so that the result fits two registers")]
pub(super) struct EncodeError(Box<String>);

impl ser::Error for EncodeError {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Self {
        EncodeError(Box::new(message.to_string()))
    }
}

/// Writes one value. With `ROOT` it is the key itself and the result its hash, otherwise a part of it and the result 0.
pub(super) struct Encoder<'a, const ROOT: bool>(pub(super) &'a mut Buffer);

impl<'a, const ROOT: bool> Encoder<'a, ROOT> {
    #[inline]
    fn fixed(self, bytes: &[u8]) -> Result<u64, EncodeError> {
        if ROOT {
            return Ok(hash_bytes(bytes));
        }
        self.0.push(bytes);
        Ok(0)
    }

    #[inline]
    fn string(self, bytes: &[u8]) -> Result<u64, EncodeError> {
        if ROOT {
            return Ok(hash_bytes(bytes));
        }
        self.0.push_len(bytes.len());
        self.0.push(bytes);
        Ok(0)
    }

    #[inline]
    fn variant(self, index: u32) -> Compound<'a, ROOT> {
        self.0.push(&index.to_le_bytes());
        Compound(self.0)
    }
}

/// The fields of a tuple, struct or variant.
pub(super) struct Compound<'a, const ROOT: bool>(&'a mut Buffer);

impl<const ROOT: bool> Compound<'_, ROOT> {
    #[inline]
    fn part<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(Encoder::<false>(self.0)).map(drop)
    }

    #[inline]
    fn finish(self) -> Result<u64, EncodeError> {
        Ok(if ROOT { hash_bytes(self.0.bytes()) } else { 0 })
    }
}

/// The elements of a sequence, counted: the hint that `Serialize` gives is none.
pub(super) struct Sequence<'a, const ROOT: bool> {
    compound: Compound<'a, ROOT>,
    length_at: usize,
    count: usize,
}

/// The entries of a map.
pub(super) struct Map<'a, const ROOT: bool> {
    compound: Compound<'a, ROOT>,
    length_at: usize,
    starts: Vec<usize>,
}

macro_rules! integers {
    ($($method:ident($type:ty) as $wide:ty;)*) => {
        $(#[inline]
        fn $method(self, value: $type) -> Result<u64, EncodeError> {
            self.fixed(&<$wide>::from(value).to_le_bytes())
        })*
    };
}

impl<'a, const ROOT: bool> ser::Serializer for Encoder<'a, ROOT> {
    type Ok = u64;
    type Error = EncodeError;
    type SerializeSeq = Sequence<'a, ROOT>;
    type SerializeTuple = Compound<'a, ROOT>;
    type SerializeTupleStruct = Compound<'a, ROOT>;
    type SerializeTupleVariant = Compound<'a, ROOT>;
    type SerializeMap = Map<'a, ROOT>;
    type SerializeStruct = Compound<'a, ROOT>;
    type SerializeStructVariant = Compound<'a, ROOT>;

    integers! {
        serialize_bool(bool) as u64;
        serialize_i8(i8) as i64;
        serialize_i16(i16) as i64;
        serialize_i32(i32) as i64;
        serialize_i64(i64) as i64;
        serialize_u8(u8) as u64;
        serialize_u16(u16) as u64;
        serialize_u32(u32) as u64;
        serialize_u64(u64) as u64;
        serialize_i128(i128) as i128;
        serialize_u128(u128) as u128;
        serialize_char(char) as u64;
        serialize_f32(f32) as FloatBits;
        serialize_f64(f64) as FloatBits;
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<u64, EncodeError> {
        self.string(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Result<u64, EncodeError> {
        self.string(value)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<u64, EncodeError> {
        let length_at = self.0.len();
        if !ROOT {
            self.0.push_len(0);
        }
        write!(self.0, "{value}").map_err(|_| ser::Error::custom("its `Display` implementation failed"))?;
        if !ROOT {
            let len = self.0.len() - length_at - 4;
            self.0.patch_len(length_at, len);
        }
        Compound::<ROOT>(self.0).finish()
    }

    #[inline]
    fn serialize_none(self) -> Result<u64, EncodeError> {
        self.fixed(&[0])
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, EncodeError> {
        self.0.push(&[1]);
        let mut compound = Compound::<ROOT>(self.0);
        compound.part(value)?;
        compound.finish()
    }

    #[inline]
    fn serialize_unit(self) -> Result<u64, EncodeError> {
        self.fixed(&[])
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<u64, EncodeError> {
        self.fixed(&[])
    }

    #[inline]
    fn serialize_unit_variant(self, _name: &'static str, index: u32, _variant: &'static str) -> Result<u64, EncodeError> {
        self.fixed(&index.to_le_bytes())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<u64, EncodeError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<u64, EncodeError> {
        let mut compound = self.variant(index);
        compound.part(value)?;
        compound.finish()
    }

    #[inline]
    fn serialize_seq(self, _len: Option<usize>) -> Result<Sequence<'a, ROOT>, EncodeError> {
        let length_at = self.0.len();
        self.0.push_len(0);
        Ok(Sequence { compound: Compound(self.0), length_at, count: 0 })
    }

    #[inline]
    fn serialize_tuple(self, _len: usize) -> Result<Compound<'a, ROOT>, EncodeError> {
        Ok(Compound(self.0))
    }

    #[inline]
    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<Compound<'a, ROOT>, EncodeError> {
        Ok(Compound(self.0))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'a, ROOT>, EncodeError> {
        Ok(self.variant(index))
    }

    #[inline]
    fn serialize_map(self, _len: Option<usize>) -> Result<Map<'a, ROOT>, EncodeError> {
        let length_at = self.0.len();
        self.0.push_len(0);
        Ok(Map { compound: Compound(self.0), length_at, starts: Vec::new() })
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Compound<'a, ROOT>, EncodeError> {
        Ok(Compound(self.0))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Compound<'a, ROOT>, EncodeError> {
        Ok(self.variant(index))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The bits of a floating point number, equal for equal numbers and for all NaNs.
struct FloatBits(u64);

impl FloatBits {
    fn to_le_bytes(&self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

impl From<f64> for FloatBits {
    fn from(value: f64) -> Self {
        // Adding 0.0 turns -0.0 into 0.0.
        FloatBits(if value.is_nan() { 0x7ff8_0000_0000_0000 } else { (value + 0.0).to_bits() })
    }
}

impl From<f32> for FloatBits {
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}

macro_rules! fields {
    ($($trait:ident::$method:ident($($name:ident)?);)*) => {
        $(impl<const ROOT: bool> ser::$trait for Compound<'_, ROOT> {
            type Ok = u64;
            type Error = EncodeError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Result<(), EncodeError> {
                self.part(value)
            }

            #[inline]
            fn end(self) -> Result<u64, EncodeError> {
                self.finish()
            }
        })*
    };
}

fields! {
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field();
    SerializeStruct::serialize_field(_name);
    SerializeStructVariant::serialize_field(_name);
}

impl<const ROOT: bool> ser::SerializeSeq for Sequence<'_, ROOT> {
    type Ok = u64;
    type Error = EncodeError;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.count += 1;
        self.compound.part(value)
    }

    #[inline]
    fn end(self) -> Result<u64, EncodeError> {
        self.compound.0.patch_len(self.length_at, self.count);
        self.compound.finish()
    }
}

impl<const ROOT: bool> ser::SerializeMap for Map<'_, ROOT> {
    type Ok = u64;
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.starts.push(self.compound.0.len());
        self.compound.part(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.compound.part(value)
    }

    fn end(self) -> Result<u64, EncodeError> {
        self.compound.0.patch_len(self.length_at, self.starts.len());
        self.compound.0.sort_entries(&self.starts);
        self.compound.finish()
    }
}
