//! Looks where the threads of a child process are: time and again for flame graphs, once for thread dumps.
//!
//! A thread is stopped for some tens of microseconds, in which its registers and the upper end of its stack are copied; then it goes on
//! as if nothing had been. What the copy means is found out afterwards, from the unwind tables and the debug information of the
//! executable file, so that a program needs neither frame pointers nor any code for this, and nothing that is wrong in a stack can harm
//! it: memory of another process is read by a call that fails where there is none.
//!
//! What is here works with `ptrace` on Linux with the GNU C library on `x86_64` and `aarch64`. Elsewhere, and where the system does not
//! let a process look into its children (`kernel.yama.ptrace_scope` above 1, a filter of system calls), there are no samples and a
//! message says why.
//!
//! | module | what it does |
//! | --- | --- |
//! | `maps` | which files a process has in its memory, and where |
//! | `stop` | stops a thread, copies its stack, lets it go |
//! | `unwind` | return addresses from a copied stack |
//! | `symbols` | names of functions from addresses |
//! | `dump` | one look at each thread, with files and lines |
//! | `fold` | counts stacks that are the same |
//!
//! Never looked at is the first thread of a child: a stop of it would look like its end to whoever waits for the process. A process that
//! is to be looked at as a whole, and this one's own above all, is looked at by a child of it, which it allows to do so.

#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod dump;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod fold;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod maps;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sampler;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod stop;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod symbols;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod unwind;

#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use dump::stacks;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use sampler::sample;

/// Why there are no stacks on this platform.
#[cfg(not(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))))]
const NONE: &str = "stacks are taken on Linux with the GNU C library on x86_64 and aarch64 alone";

/// There are no samples on this platform.
#[cfg(not(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub fn sample(_: u32, _: &flott_rpc::observe::SampleRequest) -> flott_rpc::observe::StackSamples {
    flott_rpc::observe::StackSamples { message: Some(NONE.to_owned()), ..flott_rpc::observe::StackSamples::default() }
}

/// There are no stacks on this platform.
#[cfg(not(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub fn stacks(_: u32, threads: &[u32]) -> Vec<flott_rpc::observe::ThreadStack> {
    let none = |thread: &u32| flott_rpc::observe::ThreadStack { thread: *thread, frames: Vec::new(), missing: Some(NONE.to_owned()) };
    threads.iter().map(none).collect()
}
