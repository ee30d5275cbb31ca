//! Keyed state tables of Flott, in memory, with incremental copy-on-write snapshots.
