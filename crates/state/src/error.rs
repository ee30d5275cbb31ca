//! What can be wrong with keyed state.

use flott_core::{
    BoxError,
    key_group::KeyGroup,
    snapshot::{KeyedStateMeta, StateKind},
};

/// What can be wrong with keyed state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// A name was registered again, as something else.
    #[error(
        "state `{name}` is registered twice: first as {first}, then as {second}; give one of them another name, or register both alike"
    )]
    RegisteredTwice {
        /// The state's name.
        name: String,
        /// What it was first registered as.
        first: String,
        /// What it was then to be registered as.
        second: String,
    },
    /// The snapshot holds something else under this name.
    #[error(
        "state `{name}` is stored as {stored}, but the program declares it as {declared}; restore with the program that wrote it, \
         or give the new state another name"
    )]
    Mismatch {
        /// The state's name.
        name: String,
        /// What is stored.
        stored: String,
        /// What the program declares.
        declared: String,
    },
    /// A stored block cannot be read.
    #[error(
        "state `{name}`, key group {group}: entry {entry} of a stored block cannot be read; the snapshot is damaged or was written by an incompatible type"
    )]
    Unreadable {
        /// The state's name.
        name: String,
        /// The key group.
        group: KeyGroup,
        /// The entry, from 0.
        entry: usize,
        /// The cause.
        source: BoxError,
    },
    /// A stored key is not where its hash says.
    #[error(
        "state `{name}`: a key stored in key group {group} hashes to group {computed}; the snapshot was written with another maximum \
         parallelism or the key's `Serialize` has changed"
    )]
    WrongGroup {
        /// The state's name.
        name: String,
        /// Where it is stored.
        group: KeyGroup,
        /// Where it belongs.
        computed: KeyGroup,
    },
    /// A stored key comes twice.
    #[error(
        "state `{name}`, key group {group}: entry {entry} of a stored block is for a key that has been restored before; the snapshot is damaged"
    )]
    StoredTwice {
        /// The state's name.
        name: String,
        /// The key group.
        group: KeyGroup,
        /// The entry, from 0.
        entry: usize,
    },
    /// A key or value refused to be serialised.
    #[error("state `{name}`: a key or value cannot be serialised for the snapshot")]
    Unwritable {
        /// The state's name.
        name: String,
        /// The cause.
        source: BoxError,
    },
}

/// A state's description in a message.
pub(crate) fn describe(meta: &KeyedStateMeta) -> String {
    let kind = match meta.kind {
        StateKind::Value => "value",
        StateKind::List => "list",
        StateKind::Map => "map",
        StateKind::Reducing => "reducing",
        StateKind::Aggregating => "aggregating",
        StateKind::Timers => "timers",
    };
    format!("{kind} state of `{}` by key `{}` in codec `{}`", meta.value.description, meta.key.description, meta.codec)
}

/// Whether what is stored is what is declared.
pub(crate) fn check_meta(stored: &KeyedStateMeta, declared: &KeyedStateMeta) -> Result<(), StateError> {
    let same = stored.kind == declared.kind
        && stored.codec == declared.codec
        && stored.key.id == declared.key.id
        && stored.value.id == declared.value.id;
    match same {
        true => Ok(()),
        false => Err(StateError::Mismatch { name: declared.name.clone(), stored: describe(stored), declared: describe(declared) }),
    }
}
