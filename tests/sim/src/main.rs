//! Runs seeds of the simulation. `cargo xtask sim` is the short way here.

use clap::Parser;
use flott_sim::{Plant, Run, Seen, run, run_cluster};
use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// Simulates jobs in a world of faults, from seeds.
#[derive(Debug, Parser)]
#[command(name = "flott-sim")]
struct Args {
    /// Simulate whole clusters, with JobManagers that stand in for each other
    #[arg(long)]
    cluster: bool,
    /// How many seeds to run
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Replay this seed alone and print all that happens
    #[arg(long, conflicts_with_all = ["seeds", "from", "plants"])]
    seed: Option<u64>,
    /// Plant this fault
    #[arg(long, value_parser = plant, conflicts_with = "plants")]
    plant: Option<Plant>,
    /// Plant each fault in turn, until it is found; fail if one is not
    #[arg(long)]
    plants: bool,
    /// Go on after a plant is found, to learn how many seeds find it
    #[arg(long, requires = "plants")]
    rate: bool,
}

fn plant(name: &str) -> Result<Plant, String> {
    let known = || Plant::ALL.iter().map(|plant| plant.name()).collect::<Vec<_>>().join(", ");
    Plant::of_name(name).ok_or_else(|| format!("there is no such plant; there are {}", known()))
}

/// In so many seeds of clusters all that may happen has happened.
const ENOUGH_CLUSTERS: u64 = 200;

type Simulate = fn(u64, Option<Plant>, bool) -> Run;

/// What many runs came to.
#[derive(Default)]
struct Sum {
    runs: u64,
    violations: BTreeMap<u64, String>,
    seen: BTreeMap<Seen, (u64, u64)>,
    virtual_seconds: f64,
}

impl Sum {
    fn add(&mut self, seed: u64, run: Run) {
        self.runs += 1;
        self.virtual_seconds += run.time.as_secs_f64();
        self.violations.extend(run.violation.map(|violation| (seed, violation)));
        for (what, times) in run.seen {
            let (all, runs) = self.seen.entry(what).or_default();
            *all += times;
            *runs += 1;
        }
    }
}

/// Runs seeds on all cores; at `first` violation no further ones.
fn run_all(run: Simulate, from: u64, seeds: u64, plant: Option<Plant>, first: bool) -> Sum {
    let next = AtomicU64::new(from);
    let sum = Mutex::new(Sum::default());
    let lock = || sum.lock().unwrap_or_else(PoisonError::into_inner);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds || first && !lock().violations.is_empty() {
                        return;
                    }
                    let run = run(seed, plant, false);
                    lock().add(seed, run);
                }
            });
        }
    });
    sum.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= 300 { text.to_owned() } else { text.chars().take(300).chain("…".chars()).collect() }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let run: Simulate = if args.cluster { run_cluster } else { run };
    if args.plants {
        return all_plants(run, &args);
    }
    if let Some(seed) = args.seed {
        let run = run(seed, args.plant, true);
        println!("{run:#?}");
        return if run.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let start = Instant::now();
    let sum = run_all(run, args.from, args.seeds, args.plant, false);
    let took = start.elapsed().as_secs_f64();
    for (what, (times, runs)) in &sum.seen {
        println!("{:18} {times:>8} times in {runs:>6} runs", format!("{what:?}"));
    }
    for (seed, violation) in &sum.violations {
        println!("seed {seed}: {}", shortened(violation));
    }
    let rate = sum.runs as f64 / took;
    let speed = sum.virtual_seconds / took;
    println!("{} seeds in {took:.1} s ({rate:.0}/s), {:.0} s of virtual time: {speed:.0} in each", sum.runs, sum.virtual_seconds);
    let never: Vec<&Seen> = Seen::CLUSTER.iter().filter(|what| !sum.seen.contains_key(what)).collect();
    if args.cluster && args.plant.is_none() && args.seeds >= ENOUGH_CLUSTERS && !never.is_empty() {
        eprintln!("it has never happened: {never:?}");
        return ExitCode::FAILURE;
    }
    match sum.violations.first_key_value() {
        None => ExitCode::SUCCESS,
        Some((seed, _)) => {
            let mode = if args.cluster { " --cluster" } else { "" };
            eprintln!("{} of {} seeds failed; `cargo xtask sim{mode} --seed {seed}` replays the first one", sum.violations.len(), sum.runs);
            ExitCode::FAILURE
        }
    }
}

fn all_plants(run: Simulate, args: &Args) -> ExitCode {
    let mut missed = Vec::new();
    for plant in if args.cluster { Plant::CLUSTER } else { Plant::ALL } {
        let sum = run_all(run, args.from, args.seeds, Some(*plant), !args.rate);
        match sum.violations.first_key_value() {
            Some((seed, violation)) if args.rate => {
                let every = sum.runs as f64 / sum.violations.len() as f64;
                println!("{:26} first seed {seed:>4}, one seed in {every:>6.1}: {}", plant.name(), shortened(violation));
            }
            Some((seed, violation)) => println!("{:26} seed {seed:>4}: {}", plant.name(), shortened(violation)),
            None => {
                println!("{:26} not found", plant.name());
                missed.push(plant.name());
            }
        }
    }
    if missed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{} seeds did not find {}", args.seeds, missed.join(", "));
    ExitCode::FAILURE
}
