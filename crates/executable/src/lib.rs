//! Reads what an executable is before it runs, and says what to do where it cannot.
//!
//! [`check`] answers whether a file is a job that runs on a [`Machine`]: that it is whole, an executable, for this processor and this C
//! library, and has the [manifest](flott_rpc::manifest) that every program with the crate `flott` carries, of a version that this one
//! understands. [`Executable::require`] compares it with what a configuration asks for, [`Executable::advice`] with how a job
//! should be built.
//!
//! Nothing here runs what it reads, trusts a length in it, or holds more than a few pieces of it in memory.
//!
//! What is not here: keeping and bringing executables (`flott-cluster`), and the manifest's text (`flott`).

mod advice;
mod elf;
mod executable;
mod machine;
mod require;
#[cfg(test)]
mod testing;

pub use elf::GlibcVersion;
pub use executable::{Executable, check, check_named};
pub use machine::Machine;
