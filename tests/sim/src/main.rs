//! Runs seeds. See `cargo xtask sim --help`.

use clap::Parser;
use flott_sim::Plant;

#[derive(Debug, Parser)]
struct Args {
    #[arg(long, default_value_t = 300)]
    seeds: u64,
    #[arg(long, default_value_t = 0)]
    from: u64,
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long)]
    plant: Option<String>,
}

fn main() {
    let args = Args::parse();
    let plant = args.plant.as_deref().map(|name| Plant::of_name(name).unwrap());
    if let Some(seed) = args.seed {
        println!("{:#?}", flott_sim::run(seed, plant, true));
        return;
    }
    let mut seen = std::collections::BTreeMap::new();
    for seed in args.from..args.from + args.seeds {
        let run = flott_sim::run(seed, plant, false);
        if let Some(violation) = run.violation {
            println!("seed {seed}: {}", &violation[..violation.len().min(300)]);
        }
        for (what, times) in run.seen {
            *seen.entry(what).or_insert(0) += times;
        }
    }
    println!("{seen:?}");
}
