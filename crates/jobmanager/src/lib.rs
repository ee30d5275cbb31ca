//! The JobManager's decisions about a job: scheduling, checkpoint coordination, failover. No I/O.
//!
//! [`JobMaster`] is a state machine: [`JobMaster::handle`] takes the time and a [`JobEvent`] and gives [`JobAction`]s. A shell turns
//! actions into messages and writes, and their answers into events; the rules that it keeps are in [`event`]. The same seed and
//! the same events give the same actions, so that whatever happened can be replayed.
//!
//! | module | decides |
//! | --- | --- |
//! | [`job_master`] | what follows from an event |
//! | [`checkpoint`] | when a checkpoint is taken, when it is complete, what follows its failure |
//! | `source` | which splits reach which reader when, and which go back |
//! | [`failover`], [`restart`], [`regions`] | what is started again after a failure, and when |
//! | [`restore`] | which state each subtask starts from |
//! | `requirements` | which parallelism a job may have, and has with so many slots |
//! | [`scheduler`] | which slot each subtask runs in |
//!
//! Invariants, which the simulation in the tests checks: numbers of checkpoints only go up; a subtask is deployed only when its
//! earlier attempt is gone; tasks and enumerators learn that a checkpoint is complete only after the storage has said so; what
//! was read and committed up to the end of the job is each record exactly once.
//!
//! What is not here: I/O, clocks, threads, randomness that is not seeded; processes and leadership.

pub mod checkpoint;
pub mod event;
mod execution_graph;
pub mod failover;
pub mod job_master;
pub mod ledger;
mod random;
pub mod regions;
mod requirements;
pub mod resource_manager;
pub mod restart;
pub mod restore;
pub mod scheduler;
mod source;

pub use event::{JobAction, JobEvent, JobNote, Now};
pub use job_master::JobMaster;
pub use restore::{RestoreError, RestoredSnapshot};

#[cfg(test)]
mod scale;
#[cfg(test)]
mod testing;
// What the benchmark of the coordinator shares with the tests names the crate as it does.
#[cfg(test)]
extern crate self as flott_jobmanager;
