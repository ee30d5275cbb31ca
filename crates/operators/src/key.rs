//! How a record's key is had: by value, or by reference without a copy for each record.

use compact_str::CompactString;
use flott_core::{BoxError, Key, key_hash::key_hash};
use serde::Serialize;
use std::marker::PhantomData;

/// Gives the key of a record of `T`.
pub trait KeySelector<T>: Send + Sync + 'static {
    /// The owned key, as user code sees it.
    type Key: Key;
    /// The key as a table keeps it that user code does not see; encoded as [`KeySelector::Key`] is.
    type Kept: Key;
    /// What is compared and hashed: the key itself, or what it borrows as.
    type View: ?Sized;

    /// Calls `use_key` with the record's key.
    fn with_key<R>(&self, record: &T, use_key: impl FnOnce(&Self::View) -> R) -> R;

    /// Whether a kept key is this one.
    fn is(kept: &Self::Kept, key: &Self::View) -> bool;

    /// The key, to be kept.
    fn keep(key: &Self::View) -> Self::Kept;

    /// The key, for user code.
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
    type Kept = K;
    type View = K;

    #[inline]
    fn with_key<R>(&self, record: &T, use_key: impl FnOnce(&K) -> R) -> R {
        use_key(&(self.select)(record))
    }
    #[inline]
    fn is(kept: &K, key: &K) -> bool {
        kept == key
    }
    fn keep(key: &K) -> K {
        key.clone()
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

/// What a record may lend as its key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key that is lent by the record",
    note = "`str`, slices and every type that is a key can; or make the key with `key_by`"
)]
pub trait KeyView: ToOwned<Owned: Key> + Serialize + Eq + 'static {
    /// How a table keeps it. A string is kept in place, where it is compared without following a pointer.
    type Kept: Key;

    /// Whether a kept key is this one.
    fn is_kept_as(&self, kept: &Self::Kept) -> bool;

    /// The key, to be kept.
    fn keep(&self) -> Self::Kept;
}

impl<K: Key> KeyView for K {
    type Kept = K;

    #[inline]
    fn is_kept_as(&self, kept: &K) -> bool {
        self == kept
    }
    fn keep(&self) -> K {
        self.clone()
    }
}

impl KeyView for str {
    type Kept = CompactString;

    #[inline]
    fn is_kept_as(&self, kept: &CompactString) -> bool {
        self == kept.as_str()
    }
    fn keep(&self) -> CompactString {
        CompactString::new(self)
    }
}

impl<T: Key> KeyView for [T] {
    type Kept = Vec<T>;

    #[inline]
    fn is_kept_as(&self, kept: &Vec<T>) -> bool {
        self == kept.as_slice()
    }
    fn keep(&self) -> Vec<T> {
        self.to_vec()
    }
}

impl<T, Q: KeyView + ?Sized, F: Fn(&T) -> &Q + Send + Sync + 'static> KeySelector<T> for ByRef<F, Q> {
    type Key = Q::Owned;
    type Kept = Q::Kept;
    type View = Q;

    #[inline]
    fn with_key<R>(&self, record: &T, use_key: impl FnOnce(&Q) -> R) -> R {
        use_key((self.select)(record))
    }
    #[inline]
    fn is(kept: &Q::Kept, key: &Q) -> bool {
        key.is_kept_as(kept)
    }
    fn keep(key: &Q) -> Q::Kept {
        key.keep()
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
