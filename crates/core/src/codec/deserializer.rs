//! Bytes to values. The input is not trusted: no length in it decides how much is allocated, and nothing in it makes a panic.

use super::error::{CodecError, Reason};
use serde::{
    Deserializer as _,
    de::{self, DeserializeSeed, IntoDeserializer, Visitor},
};

/// The highest bit of each of 8 bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Stands in the input.
pub(super) struct Deserializer<'de> {
    /// What was not read yet.
    pub(super) input: &'de [u8],
}

impl<'de> Deserializer<'de> {
    #[inline]
    fn byte(&mut self, of: &'static str) -> Result<u8, CodecError> {
        let (byte, rest) = self.input.split_first().ok_or(Reason::Ended(of))?;
        self.input = rest;
        Ok(*byte)
    }

    #[inline]
    fn array<const N: usize>(&mut self, of: &'static str) -> Result<[u8; N], CodecError> {
        let (array, rest) = self.input.split_first_chunk().ok_or(Reason::Ended(of))?;
        self.input = rest;
        Ok(*array)
    }

    #[inline]
    fn take(&mut self, length: usize, of: &'static str) -> Result<&'de [u8], CodecError> {
        let (taken, rest) = self.input.split_at_checked(length).ok_or(Reason::Ended(of))?;
        self.input = rest;
        Ok(taken)
    }

    /// A number of `BITS` bits, 64 at the most. It may be longer than needed, but not longer than the longest of its type.
    #[inline(always)]
    fn number<const BITS: u32>(&mut self) -> Result<u64, CodecError> {
        if let [byte, rest @ ..] = self.input
            && *byte < 0x80
        {
            self.input = rest;
            return Ok(u64::from(*byte));
        }
        let (value, rest) = long_number::<BITS>(self.input)?;
        self.input = rest;
        Ok(value)
    }

    fn number_of_128_bits(&mut self) -> Result<u128, CodecError> {
        let mut value = 0;
        for at in 0..19 {
            let byte = self.byte("a number")?;
            value |= u128::from(byte & 0x7f) << (7 * at);
            if byte < 0x80 {
                return if at == 18 && byte > 3 { Err(Reason::NumberTooLarge.into()) } else { Ok(value) };
            }
        }
        Err(Reason::NumberTooLarge.into())
    }

    #[inline(always)]
    fn length(&mut self, of: &'static str) -> Result<usize, CodecError> {
        // A length that this machine has no addresses for is longer than the input.
        usize::try_from(self.number::<{ usize::BITS }>()?).map_err(|_| Reason::Ended(of).into())
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'de [u8], CodecError> {
        let length = self.length("bytes")?;
        self.take(length, "bytes")
    }

    /// A text. Most are short and ASCII: of those the first 8 bytes are looked at at once, whatever is behind the text.
    #[inline(always)]
    fn text(&mut self) -> Result<&'de str, CodecError> {
        let length = self.length("a text")?;
        let input = self.input;
        let text = self.take(length, "a text")?;
        let ascii = if let (Some(first), true) = (input.first_chunk(), length <= 8) {
            // The number of the first byte that is not ASCII, or 8.
            (u64::from_le_bytes(*first) & HIGH).trailing_zeros() as usize / 8 >= length
        } else if let (Some(first), Some(last), true) = (text.first_chunk(), text.last_chunk(), length <= 16) {
            (u64::from_le_bytes(*first) | u64::from_le_bytes(*last)) & HIGH == 0
        } else {
            text.is_ascii()
        };
        if ascii {
            // SAFETY: all bytes are below 128, and such bytes are valid UTF-8, each a character. `ascii` holds for `text` alone: of the
            // bytes behind it that were loaded none counts, since the first one that is not ASCII is not before `length`.
            #[allow(unsafe_code)]
            return Ok(unsafe { std::str::from_utf8_unchecked(text) });
        }
        other_text(text)
    }
}

#[inline(never)]
fn other_text(text: &[u8]) -> Result<&str, CodecError> {
    Ok(std::str::from_utf8(text)?)
}

/// A number that takes several bytes, or whose input has ended; what is behind it. Where 8 bytes are left, all are read at once.
#[inline(never)]
fn long_number<const BITS: u32>(input: &[u8]) -> Result<(u64, &[u8]), CodecError> {
    if let Some((first, rest)) = input.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*first);
        let ends = !word & HIGH;
        // All bits up to the end of the last byte, which is the first without a mark that more follow; all, if there is none.
        let bytes = word & (ends ^ ends.wrapping_sub(1));
        let pairs = bytes & 0x007f_007f_007f_007f | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
        let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
        let value = fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4;
        if ends != 0 {
            let count = ends.trailing_zeros() / 8 + 1;
            return if count > BITS.div_ceil(7) || (BITS < 64 && value >> BITS != 0) {
                Err(Reason::NumberTooLarge.into())
            } else {
                Ok((value, &input[count as usize..]))
            };
        }
        return match rest {
            _ if BITS < 64 => Err(Reason::NumberTooLarge.into()),
            [byte @ ..0x80, rest @ ..] => Ok((value | u64::from(*byte) << 56, rest)),
            [byte, last @ ..2, rest @ ..] => Ok((value | u64::from(*byte & 0x7f) << 56 | u64::from(*last) << 63, rest)),
            [_, _, ..] => Err(Reason::NumberTooLarge.into()),
            _ => Err(Reason::Ended("a number").into()),
        };
    }
    let mut value = 0;
    for (at, byte) in input.iter().enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if at >= BITS.div_ceil(7) as usize || (BITS < 64 && value >> BITS != 0) {
            return Err(Reason::NumberTooLarge.into());
        }
        if *byte < 0x80 {
            return Ok((value, &input[at + 1..]));
        }
    }
    Err(Reason::Ended("a number").into())
}

/// A sequence, a tuple or a map of which some elements are left.
struct Elements<'a, 'de> {
    deserializer: &'a mut Deserializer<'de>,
    left: usize,
}

impl Elements<'_, '_> {
    /// No more than bytes are left, since what takes no bytes needs no memory either.
    #[inline]
    fn hint(&self) -> Option<usize> {
        Some(self.left.min(self.deserializer.input.len()))
    }
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    #[inline(always)]
    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.deserializer).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> de::MapAccess<'de> for Elements<'_, 'de> {
    type Error = CodecError;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, CodecError> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, CodecError> {
        seed.deserialize(&mut *self.deserializer)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> de::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = CodecError;

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CodecError> {
        Err(Reason::Undescribed.into())
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.byte("a boolean")? {
            0 => visitor.visit_bool(false),
            1 => visitor.visit_bool(true),
            other => Err(Reason::Boolean(other).into()),
        }
    }

    #[inline]
    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_i8(self.byte("a number")? as i8)
    }

    #[inline]
    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_i16(signed(self.number::<16>()?) as i16)
    }

    #[inline]
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_i32(signed(self.number::<32>()?) as i32)
    }

    #[inline]
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_i64(signed(self.number::<64>()?))
    }

    #[inline]
    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let value = self.number_of_128_bits()?;
        visitor.visit_i128((value >> 1) as i128 ^ -((value & 1) as i128))
    }

    #[inline]
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_u8(self.byte("a number")?)
    }

    #[inline]
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_u16(self.number::<16>()? as u16)
    }

    #[inline]
    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_u32(self.number::<32>()? as u32)
    }

    #[inline]
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_u64(self.number::<64>()?)
    }

    #[inline]
    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_u128(self.number_of_128_bits()?)
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_f32(f32::from_bits(u32::from_le_bytes(self.array("a number")?)))
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_f64(f64::from_bits(u64::from_le_bytes(self.array("a number")?)))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let length = self.length("a character")?;
        if length > 4 {
            return Err(Reason::Character(length).into());
        }
        // The first one counts if there are several; nothing writes that, but it has always been read.
        let text = std::str::from_utf8(self.take(length, "a character")?)?;
        visitor.visit_char(text.chars().next().ok_or(Reason::Character(0))?)
    }

    #[inline(always)]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_borrowed_str(self.text()?)
    }

    #[inline(always)]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_str(self.text()?)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_borrowed_bytes(self.bytes()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_bytes(self.bytes()?)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        match self.byte("an option")? {
            0 => visitor.visit_none(),
            1 => visitor.visit_some(self),
            other => Err(Reason::Option(other).into()),
        }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_newtype_struct(self)
    }

    #[inline(always)]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let left = self.length("a sequence")?;
        visitor.visit_seq(Elements { deserializer: self, left })
    }

    #[inline(always)]
    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, CodecError> {
        visitor.visit_seq(Elements { deserializer: self, left: length })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _name: &'static str, length: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_tuple(length, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, CodecError> {
        let left = self.length("a map")?;
        visitor.visit_map(Elements { deserializer: self, left })
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        visitor.visit_enum(self)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CodecError> {
        Err(Reason::Undescribed.into())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, CodecError> {
        Err(Reason::Undescribed.into())
    }
}

/// The number that was folded so that small ones of either sign are short.
#[inline]
fn signed(folded: u64) -> i64 {
    (folded >> 1) as i64 ^ -((folded & 1) as i64)
}

impl<'de> de::EnumAccess<'de> for &mut Deserializer<'de> {
    type Error = CodecError;
    type Variant = Self;

    #[inline]
    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), CodecError> {
        let index = self.number::<32>()? as u32;
        Ok((seed.deserialize(IntoDeserializer::<CodecError>::into_deserializer(index))?, self))
    }
}

impl<'de> de::VariantAccess<'de> for &mut Deserializer<'de> {
    type Error = CodecError;

    #[inline]
    fn unit_variant(self) -> Result<(), CodecError> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, CodecError> {
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_tuple(length, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, CodecError> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}
