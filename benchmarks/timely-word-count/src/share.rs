//! One worker's share of a file.

use std::fs::File;
use std::io::{BufRead, BufReader, Result, Seek, SeekFrom};
use std::path::Path;

/// The lines of a file that begin in one of several equal ranges of bytes.
pub struct Share {
    file: BufReader<File>,
    position: u64,
    end: u64,
}

impl Share {
    /// Share `index` of `shares`.
    pub fn open(path: &Path, index: u64, shares: u64) -> Result<Share> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let (start, end) = (size * index / shares, size * (index + 1) / shares);
        let mut share = Share { file: BufReader::with_capacity(1 << 20, file), position: start, end };
        if start > 0 {
            // A line belongs to the share that its first byte lies in; begin after the line feed at or after the byte before ours.
            share.file.seek(SeekFrom::Start(start - 1))?;
            share.position = start - 1 + share.file.skip_until(b'\n')? as u64;
        }
        Ok(share)
    }

    /// Reads the next line with its line feed into `line`, in place of what it held; false at the end.
    pub fn next_line(&mut self, line: &mut Vec<u8>) -> Result<bool> {
        line.clear();
        if self.position >= self.end {
            return Ok(false);
        }
        let read = self.file.read_until(b'\n', line)?;
        self.position += read as u64;
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn every_line_is_in_exactly_one_share_whatever_their_number() {
        let text = "one\ntwo\n\nfour\nfive is longer\nsix";
        let path = std::env::temp_dir().join(format!("timely-word-count-share-{}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        for shares in 1..=text.len() as u64 + 3 {
            let (mut all, mut line) = (Vec::new(), Vec::new());
            for index in 0..shares {
                let mut share = Share::open(&path, index, shares).unwrap();
                while share.next_line(&mut line).unwrap() {
                    all.extend_from_slice(&line);
                }
            }
            assert_eq!(String::from_utf8(all).unwrap(), text, "{shares} shares");
        }
        std::fs::remove_file(path).unwrap();
    }
}
