//! The text that all sides read, made once and kept under `target/bench`.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::paths;
use crate::text::{self, TextStats};

/// Parts for a program that reads a file with one task only.
const PARTS: u64 = 8;

/// A text of made-up words.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) file: PathBuf,
    pub(super) stats: TextStats,
}

impl Input {
    /// The text of at most `bytes` bytes, from the cache if it is there.
    pub(super) fn of_size(bytes: u64) -> Result<Input> {
        let name = format!("words-{bytes}-v{}", text::VERSION);
        let (file, stats_file) = (paths::bench()?.join(format!("{name}.txt")), paths::bench()?.join(format!("{name}.json")));
        if let Some(stats) = cached(&file, &stats_file) {
            return Ok(Input { file, stats });
        }
        println!("making a text of {bytes} bytes");
        let unfinished = file.with_extension("unfinished");
        let stats = text::write_file(&unfinished, bytes, text::DEFAULT_SEED)?;
        let json = serde_json::to_string(&stats).expect("plain numbers always serialise");
        std::fs::write(&stats_file, json).map_err(Error::io("write", &stats_file))?;
        std::fs::rename(&unfinished, &file).map_err(Error::io("rename", &unfinished))?;
        Ok(Input { file, stats })
    }

    /// A directory with the same text in eight files of about equal size, split between lines. Flink's text format does not split
    /// a file, so that with a single one only one of its source tasks would read.
    pub(super) fn parts(&self) -> Result<PathBuf> {
        let directory = self.file.with_extension("parts");
        if directory.exists() {
            return Ok(directory);
        }
        let unfinished = self.file.with_extension("parts-unfinished");
        paths::remove_dir(&unfinished)?;
        paths::create_dir(unfinished.clone())?;
        write_parts(&self.file, &unfinished)?;
        std::fs::rename(&unfinished, &directory).map_err(Error::io("rename", &unfinished))?;
        Ok(directory)
    }
}

/// What the cached text holds, if it is there in full.
fn cached(file: &Path, stats_file: &Path) -> Option<TextStats> {
    let stats: TextStats = serde_json::from_slice(&std::fs::read(stats_file).ok()?).ok()?;
    (std::fs::metadata(file).ok()?.len() == stats.bytes).then_some(stats)
}

fn write_parts(file: &Path, directory: &Path) -> Result<()> {
    let mut input = BufReader::with_capacity(1 << 20, File::open(file).map_err(Error::io("open", file))?);
    let size = input.seek(SeekFrom::End(0)).map_err(Error::io("read", file))?;
    input.rewind().map_err(Error::io("read", file))?;
    let mut position = 0;
    for part in 1..=PARTS {
        let path = directory.join(format!("part-{part}.txt"));
        let mut output = BufWriter::with_capacity(1 << 20, File::create(&path).map_err(Error::io("create", &path))?);
        let length = (size * part / PARTS).saturating_sub(position);
        position += std::io::copy(&mut input.by_ref().take(length), &mut output).map_err(Error::io("write", &path))?;
        // On to the end of the line that the cut lies in.
        let mut rest = Vec::new();
        position += input.read_until(b'\n', &mut rest).map_err(Error::io("read", file))? as u64;
        output.write_all(&rest).and_then(|()| output.flush()).map_err(Error::io("write", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_the_text_in_order_and_end_with_whole_lines() {
        let directory = tempfile::tempdir().unwrap();
        for bytes in [0, 30, 5000, 100_000] {
            let file = directory.path().join("text");
            text::write_file(&file, bytes, 3).unwrap();
            write_parts(&file, directory.path()).unwrap();
            let mut joined = Vec::new();
            for part in 1..=PARTS {
                let part = std::fs::read(directory.path().join(format!("part-{part}.txt"))).unwrap();
                assert!(part.is_empty() || part.ends_with(b"\n"));
                joined.extend(part);
            }
            assert_eq!(joined, std::fs::read(&file).unwrap(), "{bytes}");
        }
    }

    #[test]
    fn a_cached_text_of_another_size_than_recorded_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let (file, stats_file) = (directory.path().join("text"), directory.path().join("stats"));
        let stats = text::write_file(&file, 5000, 3).unwrap();
        std::fs::write(&stats_file, serde_json::to_string(&stats).unwrap()).unwrap();
        assert_eq!(cached(&file, &stats_file), Some(stats));
        std::fs::write(&file, "cut short").unwrap();
        assert_eq!(cached(&file, &stats_file), None);
    }
}
