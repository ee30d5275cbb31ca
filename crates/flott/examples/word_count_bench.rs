//! The word count that the benchmark runs: results are discarded, figures come as JSON on standard error.

use clap::{Parser, ValueEnum};
use flott::prelude::*;
use std::error::Error;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    input: String,
    #[arg(long, default_value_t = 1)]
    parallelism: u32,
    #[arg(long, value_enum, default_value_t = Words::Compact)]
    words: Words,
    #[arg(long, default_value_t = 0)]
    checkpoint_interval: u64,
    #[arg(long)]
    checkpoint_dir: Option<String>,
    /// Count in slots of their own: on TaskManagers with one slot each every word crosses the network
    #[arg(long)]
    apart: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Words {
    String,
    Compact,
}

/// Which bytes make up words.
const WORD: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    table
};

/// Calls `emit` for each word of a line, lower-cased.
#[inline]
fn words(mut line: String, mut emit: impl FnMut(&str)) {
    line.make_ascii_lowercase();
    let bytes = line.as_bytes();
    let mut start = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !WORD[usize::from(*byte)] {
            if start < at {
                emit(&line[start..at]);
            }
            start = at + 1;
        }
    }
    if start < bytes.len() {
        emit(&line[start..]);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse_from(flott::program_arguments()?);
    let env = StreamExecutionEnvironment::get()?;
    env.set_parallelism(arguments.parallelism);
    if arguments.checkpoint_interval > 0 {
        env.enable_checkpointing(Duration::from_millis(arguments.checkpoint_interval));
    }
    if let Some(dir) = arguments.checkpoint_dir {
        env.set(&options::CHECKPOINTING_DIR, Some(dir));
    }
    let lines = env.read_text_file(&arguments.input);
    let group = if arguments.apart { "count" } else { "default" };
    match arguments.words {
        Words::String => {
            lines
                .flat_map(|line, out| words(line, |word| out.emit((word.to_owned(), 1u64))))
                .key_by_ref(|(word, _)| word.as_str())
                .sum(|(_, count)| count)
                .name("count")
                .slot_sharing_group(group)
                .discard();
        }
        Words::Compact => {
            lines
                .flat_map(|line, out| words(line, |word| out.emit((CompactString::new(word), 1u64))))
                .key_by_ref(|(word, _)| word)
                .sum(|(_, count)| count)
                .name("count")
                .slot_sharing_group(group)
                .discard();
        }
    }
    let client = env.execute_async("word-count")?;
    let result = client.wait()?;
    let figures = client.figures()?;
    let of = |name: &str, metric: &str| -> i64 {
        let operators = figures.iter().flat_map(|task| &task.operators).filter(|(operator, _)| operator.starts_with(name));
        operators.filter_map(|(_, figures)| figures.get(metric)).sum()
    };
    eprintln!(
        "{{\"words\":{},\"records_in\":{},\"checkpoints\":{}}}",
        of("count", "numRecordsIn"),
        of("Source", "numRecordsOut"),
        result.checkpoints.completed
    );
    Ok(())
}
