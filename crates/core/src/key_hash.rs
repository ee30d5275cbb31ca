//! Stub.
/// Hash.
pub fn key_hash<K: serde::Serialize + ?Sized>(key: &K) -> u64 {
    xxhash_rust::xxh3::xxh3_64(&crate::codec::encode(key).unwrap_or_default())
}
