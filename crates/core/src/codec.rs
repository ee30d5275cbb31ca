//! The encoding of elements and state: postcard, whose wire format is frozen since its version 1.0.

use crate::error::BoxError;
use serde::{Serialize, de::DeserializeOwned};

/// Written into every snapshot and exchange description, so that another encoding can come later.
pub const CODEC: &str = "postcard/1";

/// Appends the encoding of `value` to `buffer`.
///
/// # Errors
/// The `Serialize` implementation of the type refused.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), BoxError> {
    struct Append<'a>(&'a mut Vec<u8>);
    impl postcard::ser_flavors::Flavor for Append<'_> {
        type Output = ();
        #[inline]
        fn try_push(&mut self, data: u8) -> postcard::Result<()> {
            self.0.push(data);
            Ok(())
        }
        #[inline]
        fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
            append(self.0, data);
            Ok(())
        }
        fn finalize(self) -> postcard::Result<()> {
            Ok(())
        }
    }
    postcard::serialize_with_flavor(value, Append(buffer))?;
    Ok(())
}

/// Appends `data`. Most of what is encoded is a few bytes long: copies of a length that the compiler knows need no call.
#[inline]
fn append(buffer: &mut Vec<u8>, data: &[u8]) {
    let end = buffer.len() + data.len();
    // The first and the last bytes; where they overlap, the last ones come again.
    if let (Some(first), Some(last), true) = (data.first_chunk::<8>(), data.last_chunk::<8>(), data.len() <= 16) {
        buffer.extend_from_slice(first);
        buffer.truncate(end - 8);
        buffer.extend_from_slice(last);
    } else if let (Some(first), Some(last), true) = (data.first_chunk::<4>(), data.last_chunk::<4>(), data.len() < 8) {
        buffer.extend_from_slice(first);
        buffer.truncate(end - 4);
        buffer.extend_from_slice(last);
    } else if data.len() < 4 {
        data.iter().for_each(|byte| buffer.push(*byte));
    } else {
        buffer.extend_from_slice(data);
    }
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
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if !rest.is_empty() {
        return Err(format!("{} bytes behind the end of a value", rest.len()).into());
    }
    Ok(value)
}

/// Reads a value from the front of `bytes`; returns what is behind it.
///
/// # Errors
/// The bytes do not start with an encoding of `T`.
pub fn decode_front<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), BoxError> {
    Ok(postcard::take_from_bytes(bytes)?)
}

/// How many bytes the encoding of `value` takes; 0 if it cannot be encoded.
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> usize {
    postcard::experimental::serialized_size(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_appended_whole() {
        let data: Vec<u8> = (1..=40).collect();
        for length in 0..=data.len() {
            let mut buffer = b"before".to_vec();
            append(&mut buffer, &data[..length]);
            append(&mut buffer, b"!");
            assert_eq!(buffer, [b"before", &data[..length], b"!"].concat());
        }
    }
}
