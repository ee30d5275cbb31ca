//! The suite for every store, run on those of this crate.
#![cfg(feature = "testing")]

use flott_ha::{CoordinationStore, FileStore, MemoryStore, testing::conformance};
use std::sync::Arc;

#[test]
fn the_store_in_memory_keeps_the_contract() {
    let store = MemoryStore::new();
    conformance(&|| Arc::new(store.clone()) as Arc<dyn CoordinationStore>);
}

#[test]
fn the_store_of_files_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    conformance(&|| Arc::new(FileStore::open(directory.path().join("ha")).unwrap()) as Arc<dyn CoordinationStore>);
}
