//! Deterministic simulation: real jobs, tasks, operators and checkpoint storage under virtual time and faults, from a seed.
//!
//! [`run`] builds a small random job and a world around it, lets things go wrong for a while, and checks that everything that
//! comes out is exactly once what a plain computation gives. The same seed gives the same run, to the last step.
//! `docs/internals/simulation.md` says what is simulated and how.

mod clock;
mod cluster;
mod enumerators;
mod environment;
mod executor;
mod faults;
mod graph;
mod master;
mod operators;
mod oracle;
mod outside;
mod plant;
mod random;
mod record;
mod relay;
mod rescale;
mod shape;
mod sim;
mod source;
mod start;
mod storage;
mod tamper;
mod world;

pub use plant::Plant;
pub use sim::Seen;
pub use world::Run;

/// Runs the world of a seed, with a planted fault if there is one. `verbose` prints the trace.
pub fn run(seed: u64, plant: Option<Plant>, verbose: bool) -> Run {
    caught(|| world::World::new(seed, plant, verbose).run())
}

/// As [`run`], a whole cluster: JobManagers that stand in for each other, TaskManagers, workers, connections, clients.
pub fn run_cluster(seed: u64, plant: Option<Plant>, verbose: bool) -> Run {
    caught(|| cluster::World::new(seed, plant, verbose).run())
}

fn caught(run: impl FnOnce() -> Run) -> Run {
    match flott_runtime::panics::catching(run) {
        Ok(run) => run,
        Err(panic) => Run {
            trace: 0,
            lines: 0,
            time: std::time::Duration::ZERO,
            seen: Default::default(),
            violation: Some(format!("panic: {} at {}", panic.message, panic.location.unwrap_or_default())),
        },
    }
}
