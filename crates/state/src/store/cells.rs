//! What the states of a store keep for a key, and how it is stored.

use crate::{
    blocks::{Run, TakeError, decode_value},
    index::mix,
};
use flott_core::{BoxError, Data, Key, codec, key_hash::key_hash};
use hashbrown::{HashTable, hash_table};

/// Where a column writes entries of one key group.
#[derive(Debug)]
pub(crate) struct EntrySink<'a> {
    pub(crate) run: &'a mut Run,
    pub(crate) state: usize,
    pub(crate) group: usize,
}

impl EntrySink<'_> {
    fn entry<K: Key>(&mut self, key: &K, value: impl FnOnce(&mut Vec<u8>) -> Result<(), BoxError>) -> Result<(), BoxError> {
        self.run.entry(self.state, self.group, |bytes| {
            codec::encode_into(key, bytes)?;
            value(bytes)
        })
    }
}

/// What a state keeps for a key.
pub(crate) trait Content: Sized + 'static {
    /// Writes it as one entry or several.
    fn write<K: Key>(&self, key: &K, sink: &mut EntrySink<'_>) -> Result<(), BoxError>;

    /// Adds the value of an entry to `cell`; returns the bytes behind it, or `None` if the entry is not the key's first of its kind.
    fn read<'b>(cell: &mut Option<Self>, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, TakeError>;
}

/// One value: of value, reducing and aggregating states.
#[derive(Debug)]
pub(crate) struct Single<T>(pub(crate) T);

impl<T: Data> Content for Single<T> {
    fn write<K: Key>(&self, key: &K, sink: &mut EntrySink<'_>) -> Result<(), BoxError> {
        sink.entry(key, |bytes| codec::encode_into(&self.0, bytes))
    }

    fn read<'b>(cell: &mut Option<Self>, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, TakeError> {
        let (value, rest) = decode_value(bytes)?;
        Ok(cell.replace(Single(value)).is_none().then_some(rest))
    }
}

/// A list, stored as one value.
#[derive(Debug)]
pub(crate) struct Many<T>(pub(crate) Vec<T>);

impl<T: Data> Content for Many<T> {
    fn write<K: Key>(&self, key: &K, sink: &mut EntrySink<'_>) -> Result<(), BoxError> {
        sink.entry(key, |bytes| codec::encode_into(&self.0, bytes))
    }

    fn read<'b>(cell: &mut Option<Self>, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, TakeError> {
        let (values, rest) = decode_value(bytes)?;
        Ok(cell.replace(Many(values)).is_none().then_some(rest))
    }
}

/// A key of a map, or something that looks it up without being one: `str` for `String`, `[T]` for `Vec<T>`.
pub trait MapKey<K>: serde::Serialize {
    /// Whether this is `key`.
    fn matches_key(&self, key: &K) -> bool;
}

impl<K: Key> MapKey<K> for K {
    fn matches_key(&self, key: &K) -> bool {
        self == key
    }
}

impl MapKey<String> for str {
    fn matches_key(&self, key: &String) -> bool {
        self == key
    }
}

impl<T: Data + Eq> MapKey<Vec<T>> for [T] {
    fn matches_key(&self, key: &Vec<T>) -> bool {
        self == key.as_slice()
    }
}

#[derive(Debug)]
struct MapEntry<K, V> {
    /// The lower half of the key's hash.
    hash: u32,
    key: K,
    value: V,
}

/// A map; each of its entries is stored as an entry: key, key of the map, value of the map.
#[derive(Debug)]
pub(crate) struct UserMap<K, V>(HashTable<MapEntry<K, V>>);

fn bits<Q: serde::Serialize + ?Sized>(key: &Q) -> u32 {
    key_hash(key) as u32
}

/// What hashbrown is given: it takes its place from the lower bits and its tag from the upper ones.
fn spread(hash: u32) -> u64 {
    (u64::from(mix(hash)) << 32) | u64::from(hash)
}

impl<K: Key, V: Data> UserMap<K, V> {
    pub(crate) fn new() -> Self {
        UserMap(HashTable::new())
    }

    pub(crate) fn get<Q: MapKey<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        let hash = bits(key);
        self.0.find(spread(hash), |entry| entry.hash == hash && key.matches_key(&entry.key)).map(|entry| &entry.value)
    }

    pub(crate) fn get_mut<Q: MapKey<K> + ?Sized>(&mut self, key: &Q) -> Option<&mut V> {
        let hash = bits(key);
        self.0.find_mut(spread(hash), |entry| entry.hash == hash && key.matches_key(&entry.key)).map(|entry| &mut entry.value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = bits(&key);
        let same = |entry: &MapEntry<K, V>| entry.hash == hash && entry.key == key;
        match self.0.entry(spread(hash), same, |entry| spread(entry.hash)) {
            hash_table::Entry::Occupied(mut entry) => Some(std::mem::replace(&mut entry.get_mut().value, value)),
            hash_table::Entry::Vacant(entry) => {
                entry.insert(MapEntry { hash, key, value });
                None
            }
        }
    }

    pub(crate) fn remove<Q: MapKey<K> + ?Sized>(&mut self, key: &Q) -> Option<V> {
        let hash = bits(key);
        let entry = self.0.find_entry(spread(hash), |entry| entry.hash == hash && key.matches_key(&entry.key)).ok()?;
        Some(entry.remove().0.value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|entry| (&entry.key, &entry.value))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<UK: Key, UV: Data> Content for UserMap<UK, UV> {
    fn write<K: Key>(&self, key: &K, sink: &mut EntrySink<'_>) -> Result<(), BoxError> {
        self.iter().try_for_each(|(map_key, value)| {
            sink.entry(key, |bytes| {
                codec::encode_into(map_key, bytes)?;
                codec::encode_into(value, bytes)
            })
        })
    }

    fn read<'b>(cell: &mut Option<Self>, bytes: &'b [u8]) -> Result<Option<&'b [u8]>, TakeError> {
        let (key, rest) = decode_value::<UK>(bytes)?;
        let (value, rest) = decode_value::<UV>(rest)?;
        Ok(cell.get_or_insert_with(UserMap::new).insert(key, value).is_none().then_some(rest))
    }
}
