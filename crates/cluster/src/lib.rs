//! Turns the libraries below into running processes.
//!
//! [`EmbeddedCluster`] runs jobs inside the program that wrote them: a thread for the job's decisions (`flott-jobmanager`),
//! one for each task (`flott-runtime`), one for the enumerators of sources, and a few for storage. [`exchange`] leads channels
//! to tasks in other processes.
//!
//! What is not here: decisions, and what tasks do.

mod background;
mod embedded;
mod enumerators;
pub mod exchange;
mod job;
mod restore;
mod storage_thread;
mod tasks;
mod thread;

pub use embedded::EmbeddedCluster;
pub use restore::LATEST;
pub use thread::SystemClock;
