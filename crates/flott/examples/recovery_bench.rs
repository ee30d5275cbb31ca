//! What `cargo xtask bench recovery` kills: keyed state of 100 MB that changes all the time, and output that says when it was written.
//!
//! Each writer appends lines of its process's id and the time in ms since 1970 to a file, one each ms at most. The file is for
//! whoever measures: it is written as records come, and not exactly once.

use clap::Parser;
use flott::{
    Batch,
    connector::datagen::GeneratorSource,
    prelude::*,
    sink::{BoxWriter, Committer, Sink, SinkWriter, WriterContext},
};
use std::{
    error::Error,
    fs::File,
    io::Write,
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// Where to write the times.
    #[arg(long)]
    output: PathBuf,
    /// Records a second.
    #[arg(long, default_value_t = 50_000.0)]
    rate: f64,
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    /// Bytes of state for each key.
    #[arg(long, default_value_t = 1_000)]
    bytes: usize,
}

struct Times {
    path: PathBuf,
}

struct TimesWriter {
    file: File,
    last: u128,
}

impl Sink<u64> for Times {
    type Committable = ();
    type WriterState = ();

    fn create_writer(&self, _: &WriterContext, _: Vec<()>) -> Result<BoxWriter<u64, (), ()>, BoxError> {
        Ok(Box::new(TimesWriter { file: File::options().create(true).append(true).open(&self.path)?, last: 0 }))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<()>>>, BoxError> {
        Ok(None)
    }
}

impl SinkWriter<u64, (), ()> for TimesWriter {
    fn write(&mut self, _: Batch<u64>) -> Result<(), BoxError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        if now > self.last {
            self.last = now;
            // One call, so that lines of several writers stay whole.
            self.file.write_all(format!("{} {now}\n", std::process::id()).as_bytes())?;
        }
        Ok(())
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse_from(flott::program_arguments()?);
    let env = StreamExecutionEnvironment::get()?;
    let (keys, bytes) = (arguments.keys, arguments.bytes);
    env.from_source(
        GeneratorSource::unbounded(move |index, _| index % keys).records_per_second(arguments.rate),
        WatermarkStrategy::no_watermarks(),
        "generator",
    )
    .uid("generator")
    .key_by(|key| *key)
    .fold((0u64, Vec::new()), move |state: &mut (u64, Vec<u8>), key| {
        state.0 = key;
        state.1.resize(bytes, 0);
        if let Some(first) = state.1.first_mut() {
            *first = first.wrapping_add(1);
        }
    })
    .name("state")
    .uid("state")
    .map(|(key, _)| key)
    .sink_to(Times { path: arguments.output });
    env.execute("recovery")?;
    Ok(())
}
