//! How a record's key is had: by value, or by reference without a copy for each record.

use flott_core::{BoxError, Key, key_hash::key_hash};
use serde::Serialize;
use std::{borrow::Borrow, marker::PhantomData};

/// Gives the key of a record of `T`.
pub trait KeySelector<T>: Send + Sync + 'static {
    /// The owned key, as state keeps it.
    type Key: Key;
    /// What is compared and hashed: the key itself, or what it borrows as.
    type View: ?Sized;

    /// Calls `use_key` with the record's key.
    fn with_key<R>(&self, record: &T, use_key: impl FnOnce(&Self::View) -> R) -> R;

    /// Whether a kept key is this one.
    fn is(kept: &Self::Key, key: &Self::View) -> bool;

    /// The key, to be kept.
    fn own(key: &Self::View) -> Self::Key;

    /// The hash by which the record is partitioned.
    fn hash(&self, record: &T) -> u64;
}

/// A key that is made for each record.
pub struct ByValue<F, K> {
    select: F,
    key: PhantomData<fn() -> K>,
}

impl<F, K> std::fmt::Debug for ByValue<F, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByValue").finish_non_exhaustive()
    }
}

impl<F, K> ByValue<F, K> {
    /// Keys by what `select` returns.
    pub fn new(select: F) -> Self {
        ByValue { select, key: PhantomData }
    }
}

impl<T, K: Key, F: Fn(&T) -> K + Send + Sync + 'static> KeySelector<T> for ByValue<F, K> {
    type Key = K;
    type View = K;

    #[inline]
    fn with_key<R>(&self, record: &T, use_key: impl FnOnce(&K) -> R) -> R {
        use_key(&(self.select)(record))
    }
    #[inline]
    fn is(kept: &K, key: &K) -> bool {
        kept == key
    }
    fn own(key: &K) -> K {
        key.clone()
    }
    #[inline]
    fn hash(&self, record: &T) -> u64 {
        key_hash(&(self.select)(record))
    }
}

/// A key that is a part of the record.
pub struct ByRef<F, Q: ?Sized> {
    select: F,
    view: PhantomData<fn() -> Box<Q>>,
}

impl<F, Q: ?Sized> std::fmt::Debug for ByRef<F, Q> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByRef").finish_non_exhaustive()
    }
}

impl<F, Q: ?Sized> ByRef<F, Q> {
    /// Keys by what `select` points to.
    pub fn new<T>(select: F) -> Self
    where
        F: Fn(&T) -> &Q,
    {
        ByRef { select, view: PhantomData }
    }
}

impl<T, Q, F> KeySelector<T> for ByRef<F, Q>
where
    Q: ToOwned + Serialize + Eq + ?Sized + 'static,
    Q::Owned: Key,
    F: Fn(&T) -> &Q + Send + Sync + 'static,
{
    type Key = Q::Owned;
    type View = Q;

    #[inline]
    fn with_key<R>(&self, record: &T, use_key: impl FnOnce(&Q) -> R) -> R {
        use_key((self.select)(record))
    }
    #[inline]
    fn is(kept: &Q::Owned, key: &Q) -> bool {
        let kept: &Q = kept.borrow();
        kept == key
    }
    fn own(key: &Q) -> Q::Owned {
        key.to_owned()
    }
    #[inline]
    fn hash(&self, record: &T) -> u64 {
        key_hash((self.select)(record))
    }
}

/// The hashes of a batch, which a key partitioner has put there.
///
/// # Errors
/// The batch came by an edge that is not keyed.
pub(crate) fn check_hashes(values: usize, hashes: usize) -> Result<(), BoxError> {
    if values == hashes { Ok(()) } else { Err(format!("a keyed operator was given {values} records with {hashes} key hashes").into()) }
}
