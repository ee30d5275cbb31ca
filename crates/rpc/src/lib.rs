//! What JobManager, TaskManagers and clients say to each other.
//!
//! Plain data only. Inside a process the messages are handed over as they are; the messages of one attempt keep their order
//! in each direction, and a link that loses one is broken: its attempt fails.
//!
//! What is not here: transport, and any decision.

pub mod client;
pub mod control;
pub mod figures;
pub mod gateway;
pub mod handover;
pub mod inventory;
pub mod manifest;
pub mod observe;
mod protocol;
pub mod status;
pub mod tap;
pub mod task;
