//! A map for each key.

use super::{
    cells::{MapKey, UserMap},
    handle::Handle,
};
use flott_core::{Data, Key};
use std::fmt;

/// A map for each key. All methods mean the current key and panic if there is none. An empty map is the same as none.
/// Iteration has no particular order.
pub struct MapState<K, V>(pub(super) Handle<UserMap<K, V>>);

impl<K: Key, V: Data> MapState<K, V> {
    /// A copy of the value of `key`.
    pub fn get<Q: MapKey<K> + ?Sized>(&self, key: &Q) -> Option<V> {
        self.with(key, |value| value.cloned())
    }

    /// Calls `f` with the value of `key`. It may use other states.
    pub fn with<Q: MapKey<K> + ?Sized, R>(&self, key: &Q, f: impl FnOnce(Option<&V>) -> R) -> R {
        self.0.read(|kept| f(kept.and_then(|map| map.get(key))))
    }

    /// Sets the value of `key`; returns the one it had.
    pub fn put(&self, key: K, value: V) -> Option<V> {
        self.0.change(|cell| cell.get_or_insert_with(UserMap::new).insert(key, value))
    }

    /// Calls `f` with the value of `key`, which is made by `default` if there is none. It may use other states.
    pub fn update_with<R>(&self, key: K, default: impl FnOnce() -> V, f: impl FnOnce(&mut V) -> R) -> R {
        self.0.change(|cell| {
            let map = cell.get_or_insert_with(UserMap::new);
            match map.get_mut(&key) {
                Some(value) => f(value),
                None => {
                    let mut value = default();
                    let result = f(&mut value);
                    map.insert(key, value);
                    result
                }
            }
        })
    }

    /// Removes `key`; returns the value it had.
    pub fn remove<Q: MapKey<K> + ?Sized>(&self, key: &Q) -> Option<V> {
        let (value, empty) = self.0.change_existing(|map| (map.remove(key), map.len() == 0))?;
        if empty {
            self.0.take();
        }
        value
    }

    /// Whether `key` is there.
    pub fn contains<Q: MapKey<K> + ?Sized>(&self, key: &Q) -> bool {
        self.with(key, |value| value.is_some())
    }

    /// Calls `f` with each key and value. It may use other states.
    pub fn for_each(&self, mut f: impl FnMut(&K, &V)) {
        self.0.read(|kept| kept.into_iter().flat_map(UserMap::iter).for_each(|(key, value)| f(key, value)));
    }

    /// Copies of the keys.
    pub fn keys(&self) -> Vec<K> {
        self.0.read(|kept| kept.into_iter().flat_map(UserMap::iter).map(|(key, _)| key.clone()).collect())
    }

    /// Copies of the values.
    pub fn values(&self) -> Vec<V> {
        self.0.read(|kept| kept.into_iter().flat_map(UserMap::iter).map(|(_, value)| value.clone()).collect())
    }

    /// Copies of keys and values.
    pub fn entries(&self) -> Vec<(K, V)> {
        self.0.read(|kept| kept.into_iter().flat_map(UserMap::iter).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.read(|kept| kept.map_or(0, UserMap::len))
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes the map.
    pub fn clear(&self) {
        self.0.take();
    }
}

impl<K, V> fmt::Debug for MapState<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapState").field(&self.0.name()).finish()
    }
}

impl<K, V> Clone for MapState<K, V> {
    fn clone(&self) -> Self {
        MapState(self.0.clone())
    }
}
