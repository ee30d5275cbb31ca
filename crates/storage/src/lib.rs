//! Checkpoint and savepoint storage of Flott.
