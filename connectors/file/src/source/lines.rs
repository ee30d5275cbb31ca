//! Cuts the bytes of splits into lines.

use super::{
    InvalidUtf8,
    compression::Compression,
    error::FileSourceError as Error,
    input::{BLOCK, Input},
    split::FileSplit,
};
use flott_core::{batch::BATCH_RECORDS, metrics::Counter, source::ReaderOutput};

/// Lines that one call emits at the most.
const MAX_LINES: usize = BATCH_RECORDS / 2;
/// Bytes of text after which a call emits no further line.
const MAX_TEXT: usize = 64 * 1024;
/// Bytes that one call reads at the most while it finds no line's end.
const MAX_READ: usize = 1024 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What has to come before the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// Uncompressed text up to this offset that was read before the restore.
    Discard(u64),
    /// A line that belongs to the split before.
    OthersLine,
    /// The end of the line that was emitted last.
    LineEnd,
    /// Nothing: the next byte starts a line.
    Nothing,
}

/// The split that is being read.
struct Open {
    split: FileSplit,
    input: Input,
    lead: Lead,
}

/// How lines are read.
#[derive(Debug, Clone)]
pub(super) struct LineRules {
    pub(super) invalid_utf8: InvalidUtf8,
    pub(super) max_line_bytes: u64,
    /// Counts lines with invalid UTF-8 that were skipped or repaired.
    pub(super) errors: Counter,
}

/// Reads the lines of one split at a time through one buffer.
pub(super) struct LineReader {
    rules: LineRules,
    open: Option<Open>,
    buffer: Vec<u8>,
    /// Where the unread bytes are in `buffer`.
    start: usize,
    filled: usize,
    /// No line ends in `start..scanned`.
    scanned: usize,
    /// The ends of the lines that are about to be emitted; kept for its memory.
    ends: Vec<usize>,
}

impl LineReader {
    pub(super) fn new(rules: LineRules) -> Self {
        LineReader { rules, open: None, buffer: Vec::new(), start: 0, filled: 0, scanned: 0, ends: Vec::with_capacity(MAX_LINES) }
    }

    /// The split that is being read, with the position of the next line that was not emitted.
    pub(super) fn split(&self) -> Option<&FileSplit> {
        self.open.as_ref().map(|open| &open.split)
    }

    /// Starts to read `split`.
    pub(super) fn open(&mut self, split: FileSplit) -> Result<(), Error> {
        let input = Input::open(&split)?;
        (self.start, self.filled, self.scanned) = (0, 0, 0);
        let lead = match split.position {
            0 => Lead::Nothing,
            position if position - 1 > input.offset() => Lead::Discard(position - 1),
            position => Self::lead_at(&split, position),
        };
        self.open = Some(Open { split, input, lead });
        Ok(())
    }

    fn lead_at(split: &FileSplit, position: u64) -> Lead {
        if position == split.start { Lead::OthersLine } else { Lead::LineEnd }
    }

    /// Emits the next lines, or reads on a little if none has its end in the buffer. True when the split is at its end.
    ///
    /// # Errors
    /// The file cannot be read, has changed, or has a line that is not allowed.
    pub(super) fn advance(&mut self, output: &mut ReaderOutput<String>) -> Result<bool, Error> {
        let Some(mut open) = self.open.take() else { return Ok(true) };
        let mut read = 0;
        let ended = loop {
            if self.pass_lead(&mut open)? {
                if self.at_end(&open) {
                    break true;
                }
                self.find_lines(&open)?;
                if let Some(&last) = self.ends.last() {
                    self.emit_lines(&mut open, last, output)?;
                    break self.at_end(&open);
                }
                if open.input.eof() {
                    self.emit_unended_line(&mut open, output)?;
                    break true;
                }
            } else if open.input.eof() {
                break true;
            }
            if read >= MAX_READ {
                break false;
            }
            read += self.fill(&mut open)?;
        };
        if !ended {
            self.open = Some(open);
        }
        Ok(ended)
    }

    /// The offset in the file of the byte at `index` in the buffer.
    fn offset_of(&self, index: usize, open: &Open) -> u64 {
        open.input.offset() - (self.filled - index) as u64
    }

    /// Whether the next line belongs to the next split, or there is none.
    fn at_end(&self, open: &Open) -> bool {
        open.split.compression == Compression::None && self.offset_of(self.start, open) >= open.split.end
    }

    /// Skips what comes before the first line; false if more of it must be read.
    fn pass_lead(&mut self, open: &mut Open) -> Result<bool, Error> {
        loop {
            let unread = &self.buffer[self.start..self.filled];
            match open.lead {
                Lead::Nothing => return Ok(true),
                Lead::Discard(until) if open.input.offset() <= until => {
                    if open.input.eof() {
                        let (path, position) = (open.split.path.clone(), open.split.position);
                        return Err(Error::Changed { path, position });
                    }
                    self.start = self.filled;
                    self.scanned = self.start;
                    return Ok(false);
                }
                Lead::Discard(until) => {
                    self.start = self.filled - (open.input.offset() - until) as usize;
                    open.lead = Self::lead_at(&open.split, open.split.position);
                }
                Lead::OthersLine => {
                    let end = memchr::memchr(b'\n', unread);
                    self.start = end.map_or(self.filled, |end| self.start + end + 1);
                    if end.is_none() && !self.at_end(open) {
                        self.scanned = self.start;
                        return Ok(false);
                    }
                    open.lead = Lead::Nothing;
                }
                Lead::LineEnd => match unread.first() {
                    None if !open.input.eof() => return Ok(false),
                    Some(b'\n') => {
                        self.start += 1;
                        open.lead = Lead::Nothing;
                    }
                    _ => return Err(Error::Changed { path: open.split.path.clone(), position: open.split.position }),
                },
            }
            self.scanned = self.start;
        }
    }

    /// Finds the ends of the next lines that start in the split.
    fn find_lines(&mut self, open: &Open) -> Result<(), Error> {
        self.ends.clear();
        let beyond = match open.split.compression {
            Compression::None => usize::try_from(open.split.end - self.offset_of(self.start, open)).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        let stop = self.start.saturating_add(beyond.min(MAX_TEXT));
        for end in memchr::memchr_iter(b'\n', &self.buffer[self.scanned..self.filled]) {
            let end = self.scanned + end;
            self.ends.push(end);
            if self.ends.len() == MAX_LINES || end + 1 >= stop {
                return Ok(());
            }
        }
        self.scanned = self.filled;
        // The `\r` of the line's end, if there is one, does not count.
        if self.ends.is_empty() && (self.filled - self.start) as u64 > self.rules.max_line_bytes.saturating_add(1) {
            return Err(self.too_long(open, self.start));
        }
        Ok(())
    }

    fn too_long(&self, open: &Open, start: usize) -> Error {
        Error::LineTooLong {
            path: open.split.path.clone(),
            compression: open.split.compression,
            line_start: self.offset_of(start, open),
            max: self.rules.max_line_bytes,
        }
    }

    /// Emits the lines whose ends were found, the last of them at `last`.
    fn emit_lines(&mut self, open: &mut Open, last: usize, output: &mut ReaderOutput<String>) -> Result<(), Error> {
        let region = &self.buffer[self.start..=last];
        let first = self.start + self.byte_order_mark(open, region);
        // One look at the whole text is faster than one at each line. Which line is to blame matters only if it fails.
        match std::str::from_utf8(region) {
            Ok(text) if region.len() as u64 <= self.rules.max_line_bytes => {
                let base = self.start;
                let mut start = first - base;
                for &end in &self.ends {
                    let end = end - base;
                    let line = &text[start..end];
                    output.emit(line.strip_suffix('\r').unwrap_or(line).to_owned());
                    start = end + 1;
                }
            }
            _ => {
                let mut start = first;
                for &end in &self.ends {
                    let line = &self.buffer[start..end];
                    self.emit_checked(open, start, line.strip_suffix(b"\r").unwrap_or(line), output)?;
                    start = end + 1;
                }
            }
        }
        output.add_bytes((last + 1 - self.start) as u64);
        self.start = last + 1;
        self.scanned = self.start;
        open.split.position = self.offset_of(self.start, open);
        Ok(())
    }

    /// Emits what is left at the end of the file, a line without an end.
    fn emit_unended_line(&mut self, open: &mut Open, output: &mut ReaderOutput<String>) -> Result<(), Error> {
        let rest = &self.buffer[self.start..self.filled];
        let start = self.start + self.byte_order_mark(open, rest);
        let line = &self.buffer[start..self.filled];
        if !line.is_empty() {
            self.emit_checked(open, start, line, output)?;
        }
        output.add_bytes((self.filled - self.start) as u64);
        self.start = self.filled;
        self.scanned = self.start;
        open.split.position = open.input.offset();
        Ok(())
    }

    /// The length of the byte order mark that `unread` begins with, at the start of the file.
    fn byte_order_mark(&self, open: &Open, unread: &[u8]) -> usize {
        if self.offset_of(self.start, open) == 0 && unread.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 }
    }

    /// Emits `line`, which starts at `start` in the buffer, after a look at its length and encoding.
    fn emit_checked(&self, open: &Open, start: usize, line: &[u8], output: &mut ReaderOutput<String>) -> Result<(), Error> {
        if line.len() as u64 > self.rules.max_line_bytes {
            return Err(self.too_long(open, start));
        }
        let error = match std::str::from_utf8(line) {
            Ok(line) => {
                output.emit(line.to_owned());
                return Ok(());
            }
            Err(error) => error,
        };
        match self.rules.invalid_utf8 {
            InvalidUtf8::Fail => {
                let line_start = self.offset_of(start, open);
                let content = if line_start == 0 { Compression::of_content(line) } else { Compression::None };
                return Err(Error::InvalidUtf8 {
                    path: open.split.path.clone(),
                    compression: open.split.compression,
                    offset: line_start + error.valid_up_to() as u64,
                    line_start,
                    hint: match content {
                        Compression::None => "",
                        Compression::Gzip => " (the content looks like gzip, which is read if the name ends in `.gz`)",
                        Compression::Zstd => " (the content looks like zstd, which is read if the name ends in `.zst`)",
                    },
                });
            }
            InvalidUtf8::Skip => {}
            InvalidUtf8::Replace => output.emit(String::from_utf8_lossy(line).into_owned()),
        }
        self.rules.errors.add(1);
        Ok(())
    }

    /// Reads the next block behind the unread bytes; returns its length.
    fn fill(&mut self, open: &mut Open) -> Result<usize, Error> {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.filled -= self.start;
        self.scanned -= self.start;
        self.start = 0;
        let needed = self.filled + open.input.next_block(&open.split);
        if needed > self.buffer.len() {
            // A long line doubles the buffer, so that its bytes are moved a few times only.
            self.buffer.resize(needed.max(self.buffer.len() * 2).max(BLOCK), 0);
        } else if self.buffer.len() > 4 * BLOCK && needed <= 2 * BLOCK {
            self.buffer.truncate(2 * BLOCK);
            self.buffer.shrink_to_fit();
        }
        let read = open.input.read(&mut self.buffer[self.filled..needed], &open.split)?;
        self.filled += read;
        Ok(read)
    }
}
