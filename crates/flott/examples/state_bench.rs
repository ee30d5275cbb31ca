//! Many keys: update rate, memory for each key, checkpoints, and how long a task stands still for one. JSON on standard error.

use clap::Parser;
use flott::{connector::datagen::GeneratorSource, prelude::*};
use std::{error::Error, time::Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// Keys of 16 bytes, each with a value of 16 bytes.
    #[arg(long, default_value_t = 10_000_000)]
    keys: u64,
    /// Random updates, once every key is there.
    #[arg(long, default_value_t = 30_000_000)]
    updates: u64,
    /// Records a second; as fast as it goes if not given.
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, default_value_t = 1)]
    parallelism: u32,
    #[arg(long, default_value_t = 2000)]
    checkpoint_interval: u64,
    #[arg(long)]
    checkpoint_dir: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse_from(flott::program_arguments()?);
    let env = StreamExecutionEnvironment::get()?;
    env.set_parallelism(arguments.parallelism);
    env.enable_checkpointing(Duration::from_millis(arguments.checkpoint_interval));
    if let Some(dir) = arguments.checkpoint_dir {
        env.set(&options::CHECKPOINTING_DIR, Some(dir));
    }
    let keys = arguments.keys;
    // First every key once, then random ones. The key's two halves differ, so that all of its 16 bytes count.
    let mut source = GeneratorSource::new(keys + arguments.updates, move |index, random| {
        let key = if index < keys { index } else { random.below(keys) };
        ((key, !key), index)
    });
    if let Some(rate) = arguments.rate {
        source = source.records_per_second(rate);
    }
    env.from_source(source, WatermarkStrategy::no_watermarks(), "generator")
        .key_by(|(key, _)| *key)
        .fold((0u64, 0u64), |state: &mut (u64, u64), (_, value)| *state = (state.0 + 1, value))
        .name("state")
        .discard();
    let start = Instant::now();
    let before = resident_bytes()?;
    let client = env.execute_async("state")?;
    let (mut loaded, mut most, mut longest, mut checkpoints) = (None, 0, Duration::ZERO, Vec::new());
    while !client.status()?.is_terminal() {
        std::thread::sleep(Duration::from_millis(20));
        most = most.max(resident_bytes()?);
        let seen: i64 = client
            .figures()?
            .iter()
            .flat_map(|task| &task.operators)
            .filter(|(name, _)| name == "state")
            .map(|(_, figures)| figures["numRecordsIn"])
            .sum();
        if loaded.is_none() && seen >= keys as i64 {
            loaded = Some((start.elapsed(), resident_bytes()?));
        }
        if let Some(last) = client.overview()?.checkpoints.last
            && checkpoints.last().is_none_or(|(id, _, _)| *id != last.checkpoint)
        {
            longest = longest.max(last.longest_step).max(last.longest_sync);
            checkpoints.push((last.checkpoint, last.duration, last.bytes));
        }
    }
    client.wait()?;
    let (loaded_at, loaded_bytes) = loaded.unwrap_or((start.elapsed(), most));
    let update_seconds = (start.elapsed() - loaded_at).as_secs_f64();
    let durations: Vec<u128> = checkpoints.iter().map(|(_, duration, _)| duration.as_millis()).collect();
    eprintln!(
        "{{\"insert_per_s\":{:.0},\"update_per_s\":{:.0},\"bytes_per_key\":{:.1},\"peak_bytes\":{},\"checkpoint_ms\":{durations:?},\
         \"checkpoint_bytes\":{},\"longest_standstill_us\":{}}}",
        keys as f64 / loaded_at.as_secs_f64(),
        arguments.updates as f64 / update_seconds,
        (loaded_bytes - before) as f64 / keys as f64,
        most,
        checkpoints.last().map_or(0, |(_, _, bytes)| *bytes),
        longest.as_micros()
    );
    Ok(())
}

fn resident_bytes() -> Result<u64, Box<dyn Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split_whitespace().nth(1).ok_or("no resident size in statm")?.parse()?;
    Ok(pages * 4096)
}
