//! Schemas: what a codec's bytes mean, stored beside them so that state can be checked and evolve.
//!
//! The codec writes fields without names, so bytes alone do not show that a type has changed. Its schema does: the structure
//! of the type, as its `Deserialize` asks for it, for example `(string, u64)` or
//! `Click{user: string, at: option<i64>, kind: enum Kind{View, Buy(u64)}}`.
//!
//! Names are those serde sees, so `#[serde(rename = "…")]` keeps the schema of a type whose Rust names change. Newtype structs,
//! references and boxes are what they hold. `^Node` stands for the `Node` it is part of. A type whose `Deserialize` cannot
//! be followed, because it accepts only particular values, is `opaque:` and its path.

mod shape;
mod tracer;

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
    /// The schema of `T`. Takes microseconds: keep it rather than ask again for every record.
    pub fn of<T: Data>() -> Schema {
        let description = tracer::describe::<T>().unwrap_or_else(|| format!("opaque:{}", std::any::type_name::<T>()));
        Schema { id: xxhash_rust::xxh3::xxh3_64(description.as_bytes()), description }
    }

    /// Whether bytes of the schema `stored` can be read as this one.
    ///
    /// # Errors
    /// They differ.
    pub fn compatibility(&self, stored: &Schema) -> Result<(), SchemaMismatch> {
        if self.id == stored.id && self.description == stored.description {
            return Ok(());
        }
        Err(SchemaMismatch {
            current: self.description.clone(),
            stored: stored.description.clone(),
            first_difference: shape::first_difference(&self.description, &stored.description),
        })
    }
}

/// Stored bytes are of another type than the program's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the type has changed{}\n  stored:  `{stored}`\n  program: `{current}`\nrestore the stored structure (a renamed struct, field or \
     variant keeps its stored name with `#[serde(rename = \"…\")]`), or start without this state",
    first_difference.as_ref().map(|path| format!(", first at `{path}`")).unwrap_or_default()
)]
pub struct SchemaMismatch {
    /// The description of the program's type.
    pub current: String,
    /// The description of the type whose bytes are stored.
    pub stored: String,
    /// The path of the first field that differs, such as `Order.items.price`, if it is inside one.
    pub first_difference: Option<String>,
}

#[cfg(test)]
mod tests;
