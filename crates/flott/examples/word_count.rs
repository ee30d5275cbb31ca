//! Counts the words of a text: Flink's first example, and Flott's.
//!
//!     cargo run --release --example word_count
//!     cargo run --release --example word_count -- --input some.txt --output counts --parallelism 2 \
//!         --checkpoint-interval 1000 --checkpoint-dir checkpoints
//!
//! A word is a run of ASCII letters, digits and underscores, lower-cased.

use clap::{Parser, ValueEnum};
use flott::{Progress, connector::file::FileSink, prelude::*, snapshots};
use std::{error::Error, path::PathBuf, time::Instant};

// Records own memory: a fast allocator is worth its two lines.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Counts words.
#[derive(Parser)]
struct Arguments {
    /// A text file, or a directory of them; without, four lines about a fox.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Where to write `(word, count)` lines, exactly once; without, they are printed.
    #[arg(long)]
    output: Option<PathBuf>,
    /// The number of subtasks of each operator.
    #[arg(long)]
    parallelism: Option<u32>,
    /// Time between checkpoints, ms.
    #[arg(long)]
    checkpoint_interval: Option<u64>,
    /// Where checkpoints are kept; without, in memory.
    #[arg(long)]
    checkpoint_dir: Option<String>,
    /// A checkpoint or savepoint to start from, or `latest`: the newest complete one in the checkpoint directory.
    #[arg(long)]
    from_savepoint: Option<String>,
    /// Running counts, or each word once.
    #[arg(long, value_enum, default_value_t = Mode::Streaming)]
    mode: Mode,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Streaming,
    Batch,
}

const FOX: [&str; 4] = [
    "The quick brown fox jumps over the lazy dog.",
    "The quick blue fox jumps over the lazy dog.",
    "The quick brown cat jumps over the lazy dog.",
    "The quick blue cat jumps over the lazy dog.",
];

fn tokenize(mut line: String, out: &mut Collector<(CompactString, u64)>) {
    line.make_ascii_lowercase();
    for word in line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty()) {
        out.emit((CompactString::new(word), 1));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse_from(flott::program_arguments()?);
    let env = StreamExecutionEnvironment::get()?;
    configure(&env, &arguments)?;

    let lines = match &arguments.input {
        Some(input) => env.read_text_file(input),
        None => env.from_data(FOX.map(str::to_owned)),
    };
    let counts = lines.flat_map(tokenize).name("tokenize").key_by_ref(|(word, _)| word).sum(|(_, count)| count).name("count").uid("count");
    match &arguments.output {
        Some(output) => counts.sink_to(FileSink::text(output)).name("write").uid("write"),
        None => counts.print().name("print"),
    };

    let start = Instant::now();
    let client = env.execute_async("word-count")?;
    let progress = if arguments.output.is_some() { Progress::show(&client) } else { Progress::show_beside_results(&client) };
    let result = client.wait();
    drop(progress);
    let result = result?;
    let words: i64 = client
        .figures()?
        .iter()
        .flat_map(|task| &task.operators)
        .filter(|(name, _)| name == "count")
        .map(|(_, figures)| figures["numRecordsIn"])
        .sum();
    eprintln!(
        "{words} words counted in {:.3} s; {} checkpoints, {} restarts",
        start.elapsed().as_secs_f64(),
        result.checkpoints.completed,
        result.restarts
    );
    Ok(())
}

fn configure(env: &StreamExecutionEnvironment, arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if let Some(parallelism) = arguments.parallelism {
        env.set_parallelism(parallelism);
    }
    if let Some(interval) = arguments.checkpoint_interval {
        env.enable_checkpointing(Duration::from_millis(interval));
    }
    if let Some(dir) = &arguments.checkpoint_dir {
        env.set(&options::CHECKPOINTING_DIR, Some(dir.clone()));
        if let (None, Some(latest)) = (&arguments.from_savepoint, snapshots::latest_checkpoint(dir)?) {
            eprintln!("starting afresh, although there is a checkpoint: {latest} (`--from-savepoint latest` goes on from it)");
        }
    }
    if let Some(path) = &arguments.from_savepoint {
        env.set(&options::STATE_RECOVERY_PATH, Some(path.clone()));
    }
    if let Mode::Batch = arguments.mode {
        env.set_runtime_mode(RuntimeMode::Batch);
    }
    Ok(())
}
