//! Schemas: what a codec's bytes mean, stored beside them so that state can be checked and evolve.

use crate::data::Data;
use serde::{Deserialize, Serialize};

/// The schema of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Hash of the description: two schemas with one id are the same.
    pub id: u64,
    /// The structure of the type, for people and for migration.
    pub description: String,
}

impl Schema {
    /// The schema of `T`.
    pub fn of<T: Data>() -> Schema {
        let description = std::any::type_name::<T>().to_owned();
        Schema { id: xxhash_rust::xxh3::xxh3_64(description.as_bytes()), description }
    }
}
