//! What tests of this crate share.

use crate::Executable;
use flott_rpc::{
    control::PROTOCOL,
    manifest::{Manifest, Panics},
};

/// An executable as it should be.
pub(crate) fn executable() -> Executable {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Executable {
        name: "my-job".to_owned(),
        architecture: "x86_64",
        glibc: None,
        manifest: Manifest {
            version: "0.1.0".to_owned(),
            protocol: PROTOCOL,
            state_backends: names(&["hashmap"]),
            storage_schemes: names(&["file"]),
            features: names(&["file"]),
            panics: Panics::Unwind,
            debug_assertions: false,
        },
        overflow_checks: Some(true),
        frame_pointers: Some(true),
        allocator: Some(true),
    }
}
