//! What JobManagers need to stand in for each other: a place that all of them reach, one leader at a time, and the jobs that a new
//! leader takes over.
//!
//! | module | answers |
//! | --- | --- |
//! | [`store`] | [`CoordinationStore`]: small values under keys, written on a condition only |
//! | [`memory`], [`file_store`] | such stores in memory and in a directory on shared storage |
//! | [`election`] | [`LeaderElection`]: who leads, decided without clock, thread or I/O |
//! | [`elector`] | the threads that drive it |
//! | [`retriever`] | [`LeaderRetriever`]: who leads, for those who do not want to |
//! | [`cluster_end`] | that the whole cluster was ended, for those who wait and those who come later |
//! | [`job_store`] | [`JobStore`]: the jobs, which only the leader changes |
//!
//! # Invariants
//! - A version of a key never comes again, not even after the key was removed.
//! - At no moment do two candidates lead, as long as their clocks differ in speed by less than the margin allows; wall clocks do not
//!   matter. Epochs only go up, and no two terms share one.
//! - A job that has ended is never found running again.
//!
//! Other stores are crates of their own: they pass the same tests (`testing`, a feature).

pub mod cluster_end;
pub mod election;
pub mod elector;
mod error;
pub mod file_store;
mod id;
pub mod job_store;
mod key;
pub mod memory;
mod open;
pub mod retriever;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use cluster_end::{read_end, write_end};
pub use election::{ElectionAction, ElectionEvent, ElectionSettings, LeaderElection, LeaseRecord, RevokeReason};
pub use elector::{Elector, Leadership, LeadershipEvent};
pub use error::StoreError;
pub use file_store::FileStore;
pub use id::incarnation_id;
pub use job_store::JobStore;
pub use key::{InvalidKey, Key};
pub use memory::MemoryStore;
pub use open::{cluster_id, election_settings, open_store};
pub use retriever::{Leader, LeaderRetriever};
pub use store::{CoordinationStore, Expected, RemoveOutcome, Version, Versioned, WriteOutcome};
