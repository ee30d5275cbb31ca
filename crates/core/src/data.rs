//! What may travel in a stream and what may be a key.

use serde::{Serialize, de::DeserializeOwned};

/// An element of a stream or a value in state.
///
/// Implemented for every type that is `Clone + Send + Serialize + DeserializeOwned + 'static`. Elements are moved, not
/// serialised, inside a process; serialisation is what lets them cross to another process and be stored in a checkpoint.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel in a stream or be kept in state",
    label = "not stream data",
    note = "add `#[derive(Clone, Serialize, Deserialize)]` to the type, and own what it holds (`String` instead of `&str`, `Arc` instead of `Rc`)"
)]
pub trait Data: Clone + Send + Serialize + DeserializeOwned + 'static {}

impl<T> Data for T where T: Clone + Send + Serialize + DeserializeOwned + 'static {}

/// A key that a stream can be partitioned by.
///
/// Equality decides which records belong together; the partition is computed from a specified encoding of the key
/// (see [`crate::key_hash`]), so equal keys must serialise equally. Floating point numbers are no keys: they are not `Eq`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "not a key",
    note = "a key needs `#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]`; a reference becomes a key with `key_by_ref`, or clone it: `.key_by(|x| x.name.clone())`",
    note = "`f32` and `f64` have no total equality: key by an integer or a string instead"
)]
pub trait Key: Data + Eq {}

impl<T> Key for T where T: Data + Eq {}
