//! Stateful computation over data streams, as native Rust.
