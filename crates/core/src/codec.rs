//! The encoding of elements and state: that of postcard, whose wire format is frozen since its version 1.0, by a serializer and a
//! deserializer of our own. Most records are a few short fields, and what matters for those is that a field costs a few instructions.

mod deserializer;
mod error;
mod serializer;
#[cfg(test)]
mod tests;

use crate::error::BoxError;
use deserializer::Deserializer;
use serde::{Serialize, de::DeserializeOwned};
use serializer::Serializer;

/// Written into every snapshot and exchange description, so that another encoding can come later.
pub const CODEC: &str = "postcard/1";

/// Appends the encoding of `value` to `buffer`.
///
/// # Errors
/// The `Serialize` implementation of the type refused.
#[inline]
pub fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), BoxError> {
    Ok(value.serialize(Serializer(buffer))?)
}

/// The encoding of `value`.
///
/// # Errors
/// The `Serialize` implementation of the type refused.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, BoxError> {
    let mut buffer = Vec::new();
    encode_into(value, &mut buffer)?;
    Ok(buffer)
}

/// Reads a value from `bytes`, which must hold nothing else.
///
/// # Errors
/// The bytes are no encoding of `T`, or there are more of them.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BoxError> {
    let (value, rest) = decode_front(bytes)?;
    if !rest.is_empty() {
        return Err(format!("{} bytes behind the end of a value", rest.len()).into());
    }
    Ok(value)
}

/// Reads the values of a sequence, which must be all that `bytes` hold. `take` gets each and how many follow, no more than bytes are left:
/// no length in the input decides how much is allocated.
///
/// # Errors
/// As of [`decode`] for a `Vec<T>`.
pub fn decode_each<T: DeserializeOwned>(bytes: &[u8], mut take: impl FnMut(T, usize)) -> Result<(), BoxError> {
    let (count, rest): (usize, _) = decode_front(bytes)?;
    let mut deserializer = Deserializer { input: rest };
    for left in (0..count).rev() {
        let value = T::deserialize(&mut deserializer)?;
        take(value, left.min(deserializer.input.len()));
    }
    match deserializer.input.len() {
        0 => Ok(()),
        rest => Err(format!("{rest} bytes behind the end of a sequence").into()),
    }
}

/// Reads a value from the front of `bytes`; returns what is behind it.
///
/// # Errors
/// The bytes do not start with an encoding of `T`.
#[inline]
pub fn decode_front<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), BoxError> {
    let mut deserializer = Deserializer { input: bytes };
    let value = T::deserialize(&mut deserializer)?;
    Ok((value, deserializer.input))
}

/// How many bytes the encoding of `value` takes; 0 if it cannot be encoded.
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> usize {
    postcard::experimental::serialized_size(value).unwrap_or(0)
}
