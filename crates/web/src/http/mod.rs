//! What all calls share: how one is taken apart, answered, refused, guarded.

pub(crate) mod answer;
pub(crate) mod asset;
pub(crate) mod call;
pub(crate) mod fields;
pub(crate) mod guard;
pub(crate) mod leader;
pub(crate) mod log_file;
pub(crate) mod range;
pub(crate) mod upload;
