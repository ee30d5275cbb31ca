//! `cargo xtask kill-test`: a word count whose process is killed again and again writes, in the end, every result exactly once.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::text::{self, Prng};
use crate::{paths, process};

/// What the program logs when a checkpoint is complete.
const COMPLETED: &str = "checkpoint completed";

/// Arguments of `cargo xtask kill-test`.
#[derive(Debug, clap::Args)]
pub(crate) struct KillTestArgs {
    /// Size of the text, for example 500MB or 64KiB
    #[arg(long, value_parser = text::parse_bytes, default_value = "500MB")]
    bytes: u64,
    /// How often the process is killed
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// Seed of the moments at which it is killed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A kill comes at most so many ms after the first checkpoint of a process
    #[arg(long, default_value_t = 200)]
    delay: u32,
}

/// Counts the words of a text by the example `word_count`, kills it, lets it go on, and checks its output.
///
/// # Errors
/// When a count is missing or there twice, or when the text is too short for so many kills.
pub(crate) fn run(args: &KillTestArgs) -> Result<()> {
    process::run(process::cargo().args(["build", "--release", "--package", "flott", "--example", "word_count"]))?;
    let directory = paths::bench()?.join("kill-test");
    paths::remove_dir(&directory)?;
    paths::create_dir(directory.clone())?;
    let job = Job { program: paths::target().join("release/examples/word_count"), directory };
    println!("making a text of {} bytes", args.bytes);
    text::write_file(&job.input(), args.bytes, text::DEFAULT_SEED)?;
    let start = Instant::now();
    let mut prng = Prng::new(args.seed);
    for kill in 0..args.kills {
        job.run_and_kill(kill > 0, Duration::from_micros(u64::from(prng.below(args.delay * 1000 + 1))), kill)?;
    }
    job.run_to_the_end(args.kills > 0)?;
    println!("killed {} times, at the end after {:.1} s; checking the output", args.kills, start.elapsed().as_secs_f64());
    let mut counts = Counts::of_words(&job.input())?;
    counts.take_output(&job.output())?;
    println!("each of the {} running counts of {} words is there exactly once", counts.check()?, counts.words.len());
    paths::remove_dir(&job.directory)
}

struct Job {
    program: PathBuf,
    directory: PathBuf,
}

impl Job {
    fn input(&self) -> PathBuf {
        self.directory.join("text.txt")
    }

    fn output(&self) -> PathBuf {
        self.directory.join("counts")
    }

    fn command(&self, goes_on: bool) -> Command {
        let mut command = process::tied_command(&self.program);
        command.arg("--input").arg(self.input()).arg("--output").arg(self.output());
        command.args(["--parallelism", "2", "--checkpoint-interval", "100", "--checkpoint-dir"]).arg(self.directory.join("checkpoints"));
        if goes_on {
            command.args(["--from-savepoint", "latest"]);
        }
        command.env("RUST_LOG", "info").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Kills the process `delay` after its first checkpoint.
    fn run_and_kill(&self, goes_on: bool, delay: Duration, number: u32) -> Result<()> {
        let mut command = self.command(goes_on);
        let mut child = command.stderr(Stdio::piped()).spawn().map_err(process::start_error(&command))?;
        let said = await_checkpoint(&mut child)?;
        if let Err(said) = said {
            let _ = child.wait();
            return Err(Error::other(format!("the process ended by itself before kill {}: make the text longer\n{said}", number + 1)));
        }
        std::thread::sleep(delay);
        child.kill().and_then(|()| child.wait()).map(drop).map_err(process::start_error(&command))
    }

    fn run_to_the_end(&self, goes_on: bool) -> Result<()> {
        process::run(self.command(goes_on).env("RUST_LOG", "warn"))
    }
}

/// Reads what the process logs up to its first checkpoint; everything it said if there was none. Goes on reading beside, so that
/// the process never waits for us.
fn await_checkpoint(child: &mut Child) -> Result<std::result::Result<(), String>> {
    let Some(stderr) = child.stderr.take() else { return Err(Error::other("the process has no standard error")) };
    let mut lines = BufReader::new(stderr).lines();
    let mut said = String::new();
    for line in lines.by_ref().map_while(std::result::Result::ok) {
        if line.contains(COMPLETED) {
            std::thread::spawn(move || lines.map_while(std::result::Result::ok).for_each(drop));
            return Ok(Ok(()));
        }
        said.push_str(&line);
        said.push('\n');
    }
    Ok(Err(said))
}

/// The running counts of every word: which must be there, and which are.
struct Counts {
    words: HashMap<Vec<u8>, Word>,
}

#[derive(Default)]
struct Word {
    occurrences: u64,
    /// A bit for each running count.
    seen: Vec<u64>,
    counts: u64,
}

impl Counts {
    /// What a plain loop counts.
    fn of_words(input: &Path) -> Result<Counts> {
        let mut words: HashMap<Vec<u8>, Word> = HashMap::new();
        for_lines(input, |line| {
            line.make_ascii_lowercase();
            for word in line.split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_')).filter(|word| !word.is_empty()) {
                match words.get_mut(word) {
                    Some(word) => word.occurrences += 1,
                    None => _ = words.insert(word.to_vec(), Word { occurrences: 1, ..Word::default() }),
                }
            }
            Ok(())
        })?;
        words.values_mut().for_each(|word| word.seen = vec![0; word.occurrences as usize / 64 + 1]);
        Ok(Counts { words })
    }

    /// Takes the finished part files in.
    fn take_output(&mut self, directory: &Path) -> Result<()> {
        for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
            let path = entry.map_err(Error::io("list", directory))?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-")) {
                for_lines(&path, |line| self.take(line).map_err(|what| Error::other(format!("`{}`: {what}", path.display()))))?;
            }
        }
        Ok(())
    }

    /// Takes a line such as `(the, 3)` in.
    fn take(&mut self, line: &[u8]) -> std::result::Result<(), String> {
        let shown = || String::from_utf8_lossy(line).into_owned();
        let parsed = || {
            let inner = line.strip_prefix(b"(")?.strip_suffix(b")")?;
            let comma = inner.iter().position(|byte| *byte == b',')?;
            let count: u64 = std::str::from_utf8(inner.get(comma + 2..)?).ok()?.parse().ok()?;
            Some((&inner[..comma], count))
        };
        let (word, count) = parsed().ok_or_else(|| format!("`{}` is no count of a word", shown()))?;
        let word = self.words.get_mut(word).ok_or_else(|| format!("`{}` counts a word that is not in the text", shown()))?;
        if count == 0 || count > word.occurrences {
            return Err(format!("`{}`, but the word is there {} times", shown(), word.occurrences));
        }
        let (place, bit) = ((count / 64) as usize, 1 << (count % 64));
        if word.seen[place] & bit != 0 {
            return Err(format!("`{}` is there twice", shown()));
        }
        word.seen[place] |= bit;
        word.counts += 1;
        Ok(())
    }

    /// The number of counts, if none is missing: none is there twice, and none is too large.
    fn check(&self) -> Result<u64> {
        for (name, word) in &self.words {
            if word.counts != word.occurrences {
                let name = String::from_utf8_lossy(name);
                return Err(Error::other(format!("`{name}` is there {} times, but has only {} counts", word.occurrences, word.counts)));
            }
        }
        Ok(self.words.values().map(|word| word.counts).sum())
    }
}

/// Calls `take` with each line, without its end.
fn for_lines(path: &Path, mut take: impl FnMut(&mut [u8]) -> Result<()>) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 20, File::open(path).map_err(Error::io("open", path))?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(Error::io("read", path))? == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        take(&mut line)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(output: &str) -> Result<u64> {
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("text");
        fs::write(&input, "To be, or\nnot to be\n").unwrap();
        fs::write(directory.path().join("part-0-0"), output).unwrap();
        fs::write(directory.path().join(".part-0-1.inprogress.1"), "(lost, 1)\n").unwrap();
        let mut counts = Counts::of_words(&input)?;
        counts.take_output(directory.path())?;
        counts.check()
    }

    #[test]
    fn every_count_must_be_there_once_in_any_order() {
        assert_eq!(checked("(to, 2)\n(be, 1)\n(or, 1)\n(not, 1)\n(to, 1)\n(be, 2)\n").unwrap(), 6);
    }

    #[test]
    fn what_is_missing_repeated_or_wrong_is_named() {
        let error = |output| checked(output).unwrap_err().to_string();
        assert!(error("(to, 1)\n(to, 2)\n(be, 1)\n(or, 1)\n(not, 1)\n").contains("`be` is there 2 times, but has only 1"));
        assert!(error("(to, 1)\n(to, 1)\n").contains("`(to, 1)` is there twice"));
        assert!(error("(to, 3)\n").contains("`(to, 3)`, but the word is there 2 times"));
        assert!(error("(where, 1)\n").contains("not in the text"));
        assert!(error("to 1\n").contains("no count of a word"));
    }
}
