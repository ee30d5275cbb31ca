//! What an executable says of itself, so that it can be checked before it runs.
//!
//! Whoever links the crate `flott` has this in the section [`SECTION`] of the executable: [`MAGIC`], then JSON, then zeros. Fields are
//! only ever added: a reader passes over what it does not know, and takes the default of what an older executable does not say.

use serde::{Deserialize, Serialize};

/// The section of the manifest.
pub const SECTION: &str = "flott_manifest";
/// The section with the machine code of a function that adds two numbers.
pub const ADD_PROBE: &str = "flott_probe_add";
/// The section with the machine code of a function that is like it, but cannot overflow.
pub const OR_PROBE: &str = "flott_probe_or";
/// What the section begins with.
pub const MAGIC: &str = "flott-manifest\n";
/// The longest manifest, bytes.
pub const MANIFEST_BYTES_MAX: usize = 2048;

/// What becomes of a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Panics {
    /// It fails its task.
    #[default]
    Unwind,
    /// It ends the process.
    Abort,
}

/// What an executable says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// The version of Flott that it was built with.
    pub version: String,
    /// Its [`PROTOCOL`](crate::control::PROTOCOL).
    pub protocol: u32,
    /// The state backends in it, by the names of `state.backend.type`.
    #[serde(default)]
    pub state_backends: Vec<String>,
    /// The storage that it can reach, by the schemes of addresses, such as `file`.
    #[serde(default)]
    pub storage_schemes: Vec<String>,
    /// The features of the crate `flott` that it was built with.
    #[serde(default)]
    pub features: Vec<String>,
    /// What becomes of a panic.
    #[serde(default)]
    pub panics: Panics,
    /// Whether it was built with debug assertions, as the profile `dev` does.
    #[serde(default)]
    pub debug_assertions: bool,
}
