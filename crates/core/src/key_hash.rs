//! The hash that decides the key group of a key, and so where its state lives.
//!
//! [`key_hash`] is XXH3-64 with seed 0 over a specified encoding of the key, obtained through its `Serialize`. Savepoints
//! depend on it: **it never changes**. The full specification, with test vectors, is `docs/internals/key-hash.md`:
//!
//! - A key that is one string or one byte string is exactly its bytes.
//! - Every integer, `bool` (0, 1) and `char` (its scalar value) is 8 bytes, little-endian two's complement, so that widening
//!   an `i32` key to `i64` keeps its group; `u128` and `i128` are 16 bytes.
//! - `f32` and `f64` are the 8 bytes of an `f64`, with -0.0 as 0.0 and one NaN (`0x7ff8000000000000`).
//! - Newtype structs, references and boxes are what they hold: `UserId(u64)` hashes as the `u64`.
//! - Everything else is composite. Inside it, strings and byte strings are preceded by their length in bytes (`u32`); all
//!   lengths are little-endian and modulo 2³². `None` is the byte 0, `Some(x)` the byte 1 and x. An enum is the index of its
//!   variant (`u32`) and the variant's fields. Tuples, arrays and structs are their fields, without names; units are nothing.
//!   Sequences and maps are their length (`u32`) and elements; the entries of a map are sorted by their encoding, so that a
//!   `HashMap` works. A `HashSet` is a sequence of unspecified order and no key: use a `BTreeSet`.
//!
//! The type describes itself to `Serialize` as to a binary format (`is_human_readable` is false).

mod buffer;
mod encoder;

use crate::error::BoxError;
use buffer::Buffer;
use encoder::Encoder;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

/// The hash of a key whose `Serialize` implementation fails: that of no bytes.
const UNSERIALIZABLE: u64 = 0x2d06_8005_38d3_94c2;

/// The hash of a key; see the [module](self) for what is hashed.
///
/// A key whose `Serialize` implementation fails (a path that is no UTF-8, say) hashes to a fixed value. That is sound, as
/// equal keys still have one hash, and the failure itself is reported where the key is encoded: at an exchange or in state.
/// [`checked_key_hash`] reports it at once.
#[inline]
pub fn key_hash<K: Serialize + ?Sized>(key: &K) -> u64 {
    let mut buffer = Buffer::new();
    match key.serialize(Encoder::<true>(&mut buffer)) {
        Ok(hash) => hash,
        Err(_) => UNSERIALIZABLE,
    }
}

/// The hash of a key, as [`key_hash`] computes it.
///
/// # Errors
/// The `Serialize` implementation of the key refused.
pub fn checked_key_hash<K: Serialize + ?Sized>(key: &K) -> Result<u64, BoxError> {
    let mut buffer = Buffer::new();
    Ok(key.serialize(Encoder::<true>(&mut buffer))?)
}

/// XXH3-64 of `bytes`. Only the short case is inlined: the others are long.
#[inline]
fn hash_bytes(bytes: &[u8]) -> u64 {
    if bytes.len() <= 16 { xxh3_64(bytes) } else { hash_more_bytes(bytes) }
}

#[inline(never)]
fn hash_more_bytes(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

#[cfg(test)]
mod tests;
