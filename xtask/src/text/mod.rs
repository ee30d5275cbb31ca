//! A text of made-up words with a Zipf distribution, as input of tests and benchmarks.

mod prng;
mod words;
mod zipf;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
pub(crate) use prng::Prng;
use zipf::Zipf;

/// Seed of the benchmarks' text.
pub(crate) const DEFAULT_SEED: u64 = 42;
/// Raise it when the same seed gives another text than before, so that cached texts are made anew.
pub(crate) const VERSION: u32 = 1;
/// Distinct words that a text is drawn from.
const DISTINCT: u32 = 50_000;

/// What a text holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TextStats {
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// Lines, each ended by a line feed.
    pub(crate) lines: u64,
    /// Words: maximal runs of ASCII letters, digits and underscores.
    pub(crate) words: u64,
}

/// Writes a text of at most `bytes` bytes (short of it by less than a line) to `path`.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_file(path: &Path, bytes: u64, seed: u64) -> Result<TextStats> {
    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut output = BufWriter::with_capacity(1 << 20, file);
    let stats = write(&mut output, bytes, seed).map_err(Error::io("write", path))?;
    output.flush().map_err(Error::io("write", path))?;
    Ok(stats)
}

/// Writes a text of at most `bytes` bytes.
///
/// # Errors
/// Those of `output`.
pub(crate) fn write(output: &mut impl Write, bytes: u64, seed: u64) -> std::io::Result<TextStats> {
    let mut prng = Prng::new(seed);
    let words = words::distinct_words(DISTINCT as usize, &mut prng);
    let zipf = Zipf::new(DISTINCT);
    let mut stats = TextStats::default();
    let mut line = Vec::with_capacity(256);
    let mut sentence_starts = true;
    loop {
        line.clear();
        let n = fill_line(&mut line, &words, &zipf, &mut prng, &mut sentence_starts);
        if stats.bytes + line.len() as u64 > bytes {
            return Ok(stats);
        }
        output.write_all(&line)?;
        stats.bytes += line.len() as u64;
        stats.lines += 1;
        stats.words += n;
    }
}

/// Appends one line of six to fourteen words, and rarely an empty one; gives the number of words.
fn fill_line(line: &mut Vec<u8>, words: &[String], zipf: &Zipf, prng: &mut Prng, sentence_starts: &mut bool) -> u64 {
    let shape = prng.below(900);
    let n = if shape == 899 { 0 } else { 6 + shape % 9 };
    for i in 0..n {
        if i > 0 {
            line.push(b' ');
        }
        let word = words[zipf.sample(prng)].as_bytes();
        let dice = prng.next();
        let (case, mark) = (dice & 0x3FF, (dice >> 10) & 0x3FF);
        if mark < 8 {
            line.push(b'"');
        }
        let start = line.len();
        line.extend_from_slice(word);
        match case {
            0..8 => line[start..].make_ascii_uppercase(),
            8..30 => line[start].make_ascii_uppercase(),
            _ if *sentence_starts => line[start].make_ascii_uppercase(),
            _ => {}
        }
        *sentence_starts = false;
        match mark {
            0..8 => line.push(b'"'),
            8..60 => line.push(b','),
            60..64 => line.push(b';'),
            64..70 => line.extend_from_slice(b" -"),
            70..130 => {
                line.push(if mark < 125 { b'.' } else { b'?' });
                *sentence_starts = true;
            }
            _ => {}
        }
    }
    line.push(b'\n');
    u64::from(n)
}

/// Reads a size such as `500MB` (500 000 000 bytes), `64KiB` (65 536 bytes) or `1000`.
///
/// # Errors
/// When the number or the unit is not known.
pub(crate) fn parse_bytes(text: &str) -> std::result::Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return Err(format!("`{unit}` is no unit of bytes; write for example 500MB or 64KiB")),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no size; write for example 500MB or 64KiB"))?;
    number.checked_mul(factor).ok_or_else(|| format!("`{text}` is more than 2^64 bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn text(bytes: u64, seed: u64) -> (Vec<u8>, TextStats) {
        let mut output = Vec::new();
        let stats = write(&mut output, bytes, seed).unwrap();
        (output, stats)
    }

    fn words_of(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        text.split(|b| !(b.is_ascii_alphanumeric() || *b == b'_')).filter(|word| !word.is_empty()).map(<[u8]>::to_ascii_lowercase)
    }

    #[test]
    fn the_same_seed_gives_the_same_text_and_another_seed_another() {
        assert_eq!(text(10_000, 1), text(10_000, 1));
        assert_ne!(text(10_000, 1).0, text(10_000, 2).0);
    }

    #[test]
    fn a_longer_text_begins_with_the_shorter_one() {
        let (short, long) = (text(10_000, 1).0, text(20_000, 1).0);
        assert!(long.starts_with(&short));
    }

    #[test]
    fn the_statistics_are_those_of_a_tokeniser() {
        let (text, stats) = text(2_000_000, 7);
        assert_eq!(stats.bytes, text.len() as u64);
        assert_eq!(stats.lines, text.iter().filter(|b| **b == b'\n').count() as u64);
        assert_eq!(stats.words, words_of(&text).count() as u64);
        assert!((1_999_800..=2_000_000).contains(&stats.bytes), "{stats:?}");
        assert!((9..=11).contains(&(stats.words / stats.lines)), "{stats:?}");
        let bytes_per_word = stats.bytes as f64 / stats.words as f64;
        assert!((6.0..6.5).contains(&bytes_per_word), "{bytes_per_word}");
    }

    #[test]
    fn words_are_among_the_distinct_ones_in_spite_of_capitals_and_punctuation() {
        let known: HashSet<String> = words::distinct_words(DISTINCT as usize, &mut Prng::new(7)).into_iter().collect();
        let (text, _) = text(500_000, 7);
        assert!(text.iter().any(u8::is_ascii_uppercase) && text.contains(&b'.'));
        assert!(words_of(&text).all(|word| known.contains(std::str::from_utf8(&word).unwrap())));
    }

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        assert_eq!(parse_bytes("500MB"), Ok(500_000_000));
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("17"), Ok(17));
        for bad in ["", "MB", "5 parsecs", "-1", "99999999999999GB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
