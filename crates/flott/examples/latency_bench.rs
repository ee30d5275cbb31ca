//! Latency from source to sink: records at a fixed rate, keyed state, checkpoints every second. Percentiles as JSON on
//! standard error.

use clap::Parser;
use flott::{
    Batch,
    connector::datagen::GeneratorSource,
    prelude::*,
    sink::{BoxWriter, Committer, Sink, SinkWriter, WriterContext},
};
use std::{
    error::Error,
    sync::{Arc, Mutex},
    time::Instant,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// Records a second.
    #[arg(long, default_value_t = 100_000)]
    rate: u64,
    /// Seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Seconds at the beginning that do not count.
    #[arg(long, default_value_t = 3)]
    warmup: u64,
    #[arg(long, default_value_t = 10_000)]
    keys: u64,
    #[arg(long, default_value_t = 1)]
    parallelism: u32,
    #[arg(long, default_value_t = 1000)]
    checkpoint_interval: u64,
}

/// Nanoseconds that records took; each writer adds its own at its end.
type Latencies = Arc<Mutex<Vec<u64>>>;

struct LatencySink {
    start: Instant,
    warmup_ns: u64,
    all: Latencies,
}

struct LatencyWriter {
    start: Instant,
    warmup_ns: u64,
    own: Vec<u64>,
    all: Latencies,
}

impl Sink<(u64, u64, u64)> for LatencySink {
    type Committable = ();
    type WriterState = ();

    fn create_writer(&self, _: &WriterContext, _: Vec<()>) -> Result<BoxWriter<(u64, u64, u64), (), ()>, BoxError> {
        Ok(Box::new(LatencyWriter { start: self.start, warmup_ns: self.warmup_ns, own: Vec::new(), all: self.all.clone() }))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<()>>>, BoxError> {
        Ok(None)
    }
}

impl SinkWriter<(u64, u64, u64), (), ()> for LatencyWriter {
    fn write(&mut self, batch: Batch<(u64, u64, u64)>) -> Result<(), BoxError> {
        let now = self.start.elapsed().as_nanos() as u64;
        let warmup = self.warmup_ns;
        self.own
            .extend(batch.values.iter().filter(|(_, created, _)| *created >= warmup).map(|(_, created, _)| now.saturating_sub(*created)));
        Ok(())
    }

    fn flush(&mut self, end_of_input: bool) -> Result<(), BoxError> {
        if end_of_input {
            self.all.lock().map_err(|_| "another writer panicked")?.append(&mut self.own);
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse_from(flott::program_arguments()?);
    let env = StreamExecutionEnvironment::get()?;
    env.set_parallelism(arguments.parallelism);
    env.enable_checkpointing(Duration::from_millis(arguments.checkpoint_interval));
    let (start, keys, all) = (Instant::now(), arguments.keys, Latencies::default());
    let source = GeneratorSource::new(arguments.rate * arguments.seconds, move |index, _| {
        // Key, time of creation in ns, and a count that the state adds up.
        (index % keys, start.elapsed().as_nanos() as u64, 1u64)
    });
    env.from_source(source.records_per_second(arguments.rate as f64), WatermarkStrategy::no_watermarks(), "generator")
        .key_by(|(key, _, _)| *key)
        .fold((0u64, 0u64, 0u64), |state, (key, created, one)| *state = (key, created, state.2 + one))
        .name("count")
        .sink_to(LatencySink { start, warmup_ns: arguments.warmup * 1_000_000_000, all: all.clone() });
    let result = env.execute("latency")?;
    let mut all = all.lock().map_err(|_| "a writer panicked")?;
    all.sort_unstable();
    let percentile =
        |share: f64| all.get(((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1))).copied().unwrap_or(0) / 1000;
    eprintln!(
        "{{\"records\":{},\"p50_us\":{},\"p90_us\":{},\"p99_us\":{},\"p999_us\":{},\"max_us\":{},\"checkpoints\":{}}}",
        all.len(),
        percentile(0.5),
        percentile(0.9),
        percentile(0.99),
        percentile(0.999),
        percentile(1.0),
        result.checkpoints.completed
    );
    Ok(())
}
