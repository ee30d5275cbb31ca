//! `loop-word-count --input FILE [--output FILE]`: counts words in one loop over one hash map of owned words. Every word's new
//! count is computed and discarded, as the pipelines do it; `--output` gets the final counts, a line `word count` each, sorted.

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let (input, output) = arguments()?;
    let (counts, words) = count(&input)?;
    if let Some(output) = output {
        write_counts(&output, &counts)?;
    }
    eprintln!("{{\"words\":{words},\"distinct\":{}}}", counts.len());
    Ok(())
}

fn arguments() -> Result<(PathBuf, Option<PathBuf>), Box<dyn Error>> {
    let (mut input, mut output) = (None, None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().map(PathBuf::from);
        match name.to_str() {
            Some("--input") => input = value,
            Some("--output") => output = value,
            _ => return Err(format!("unknown argument `{}`; use --input FILE [--output FILE]", name.display()).into()),
        }
    }
    Ok((input.ok_or("--input FILE is missing")?, output))
}

/// Counts of all words of a file, and their sum.
fn count(input: &Path) -> Result<(HashMap<String, u64>, u64), Box<dyn Error>> {
    let file = File::open(input).map_err(|error| format!("cannot open `{}`: {error}", input.display()))?;
    let mut lines = BufReader::with_capacity(1 << 20, file);
    let mut counts: HashMap<String, u64> = HashMap::new();
    let (mut line, mut buffer, mut words) = (Vec::new(), Vec::new(), 0);
    while lines.read_until(b'\n', &mut line)? > 0 {
        words::for_each_word(&line, &mut buffer, |word| {
            let count = counts.entry_ref(word).or_insert(0);
            *count += 1;
            words += 1;
            black_box((word, *count));
        });
        line.clear();
    }
    Ok((counts, words))
}

fn write_counts(output: &Path, counts: &HashMap<String, u64>) -> Result<(), Box<dyn Error>> {
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_unstable();
    let file = File::create(output).map_err(|error| format!("cannot create `{}`: {error}", output.display()))?;
    let mut file = BufWriter::new(file);
    for (word, count) in sorted {
        writeln!(file, "{word} {count}")?;
    }
    file.flush()?;
    Ok(())
}
