//! Values to bytes.

use super::error::{CodecError, Reason};
use serde::{Serialize, ser};
use std::fmt::{Display, Write};

/// Appends to a buffer what it is given.
pub(super) struct Serializer<'a>(pub(super) &'a mut Vec<u8>);

impl Serializer<'_> {
    /// Appends a number of any type but 128 bits: 7 bits a byte, the lowest first; the highest bit says that more follow.
    #[inline]
    fn number(&mut self, value: u64) {
        if value < 0x80 {
            self.0.push(value as u8);
        } else {
            append_long(self.0, value);
        }
    }

    #[inline]
    fn long_number(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Appends the length of `data`, and it. Most of what is encoded is a few bytes long: length and data as one number, then, so
    /// that there is one check of the capacity and no copy whose length the compiler does not know.
    #[inline]
    fn bytes(&mut self, data: &[u8]) {
        let length = data.len();
        if let (Some(first), Some(last), true) = (data.first_chunk::<4>(), data.last_chunk::<4>(), length < 8) {
            // Where they overlap they hold the same.
            let data = u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4));
            self.up_to_eight(data << 8 | length as u64, length + 1);
        } else if let (Some(first), Some(last), true) = (data.first_chunk::<8>(), data.last_chunk::<8>(), length < 16) {
            let data = u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << (8 * (length - 8));
            let end = self.0.len() + length + 1;
            self.0.extend_from_slice(&(data << 8 | length as u128).to_le_bytes());
            self.0.truncate(end);
        } else if let (Some(first), Some(last), true) = (data.first(), data.last(), length < 4) {
            let middle = length / 2;
            let data = u64::from(*first) | u64::from(data[middle]) << (8 * middle) | u64::from(*last) << (8 * (length - 1));
            self.up_to_eight(data << 8 | length as u64, length + 1);
        } else {
            self.number(length as u64);
            self.0.extend_from_slice(data);
        }
    }

    /// Appends the lowest `count` bytes of `data`.
    #[inline]
    fn up_to_eight(&mut self, data: u64, count: usize) {
        let end = self.0.len() + count;
        self.0.extend_from_slice(&data.to_le_bytes());
        self.0.truncate(end);
    }
}

/// Appends a number of 8 bits or more: the bits of all bytes are moved to their places at once.
#[inline(never)]
fn append_long(buffer: &mut Vec<u8>, value: u64) {
    let spread = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let spread = spread & 0x0000_3fff_0000_3fff | (spread & 0x0fff_c000_0fff_c000) << 2;
    let spread = spread & 0x007f_007f_007f_007f | (spread & 0x3f80_3f80_3f80_3f80) << 1;
    if value >> 56 == 0 {
        // The number of bits divided by 7, rounded up, without a division: exact for up to 64.
        let count = ((64 - value.leading_zeros()) * 9 + 64) as usize / 64;
        let more = 0x8080_8080_8080_8080 >> (8 * (9 - count));
        let end = buffer.len() + count;
        buffer.extend_from_slice(&(spread | more).to_le_bytes());
        buffer.truncate(end);
    } else {
        let [a, b, c, d, e, f, g, h] = (spread | 0x8080_8080_8080_8080).to_le_bytes();
        let last = (value >> 63) as u8;
        let end = buffer.len() + 9 + usize::from(last);
        buffer.extend_from_slice(&[a, b, c, d, e, f, g, h, (value >> 56) as u8 & 0x7f | last << 7, last]);
        buffer.truncate(end);
    }
}

impl ser::Serializer for Serializer<'_> {
    type Ok = ();
    type Error = CodecError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), CodecError> {
        self.serialize_u8(u8::from(value))
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<(), CodecError> {
        self.serialize_u8(value as u8)
    }

    #[inline]
    fn serialize_i16(self, value: i16) -> Result<(), CodecError> {
        self.serialize_u16((value << 1 ^ value >> 15) as u16)
    }

    #[inline]
    fn serialize_i32(self, value: i32) -> Result<(), CodecError> {
        self.serialize_u32((value << 1 ^ value >> 31) as u32)
    }

    #[inline]
    fn serialize_i64(self, value: i64) -> Result<(), CodecError> {
        self.serialize_u64((value << 1 ^ value >> 63) as u64)
    }

    #[inline]
    fn serialize_i128(self, value: i128) -> Result<(), CodecError> {
        self.serialize_u128((value << 1 ^ value >> 127) as u128)
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<(), CodecError> {
        self.0.push(value);
        Ok(())
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Result<(), CodecError> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Result<(), CodecError> {
        self.serialize_u64(value.into())
    }

    #[inline]
    fn serialize_u64(mut self, value: u64) -> Result<(), CodecError> {
        self.number(value);
        Ok(())
    }

    #[inline]
    fn serialize_u128(mut self, value: u128) -> Result<(), CodecError> {
        self.long_number(value);
        Ok(())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), CodecError> {
        self.0.extend_from_slice(&value.to_bits().to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), CodecError> {
        self.0.extend_from_slice(&value.to_bits().to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), CodecError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result<(), CodecError> {
        self.serialize_bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), CodecError> {
        self.bytes(value);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), CodecError> {
        self.serialize_u8(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), CodecError> {
        self.0.push(1);
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), CodecError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), CodecError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _name: &'static str, index: u32, _variant: &'static str) -> Result<(), CodecError> {
        self.serialize_u32(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Result<(), CodecError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), CodecError> {
        self.number(index.into());
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(mut self, length: Option<usize>) -> Result<Self, CodecError> {
        self.number(length.ok_or(Reason::UnknownLength)? as u64);
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _length: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        mut self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, CodecError> {
        self.number(index.into());
        Ok(self)
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self, CodecError> {
        self.serialize_seq(length)
    }

    #[inline]
    fn serialize_struct(self, _name: &'static str, _length: usize) -> Result<Self, CodecError> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        mut self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Self, CodecError> {
        self.number(index.into());
        Ok(self)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), CodecError> {
        let mut text = String::new();
        write!(text, "{value}").map_err(|_| Reason::Format)?;
        self.serialize_str(&text)
    }
}

/// What compound values are made of follows one another; nothing marks their ends.
macro_rules! follow {
    ($($of:ident $method:ident $(($key:ident))?),*) => { $(
        impl ser::$of for Serializer<'_> {
            type Ok = ();
            type Error = CodecError;
            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($key: &'static str,)? value: &T) -> Result<(), CodecError> {
                value.serialize(Serializer(self.0))
            }
            #[inline]
            fn end(self) -> Result<(), CodecError> {
                Ok(())
            }
        }
    )* };
}

follow!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field,
    SerializeStruct serialize_field(_key),
    SerializeStructVariant serialize_field(_key)
);

impl ser::SerializeMap for Serializer<'_> {
    type Ok = ();
    type Error = CodecError;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), CodecError> {
        key.serialize(Serializer(self.0))
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), CodecError> {
        value.serialize(Serializer(self.0))
    }

    #[inline]
    fn end(self) -> Result<(), CodecError> {
        Ok(())
    }
}
