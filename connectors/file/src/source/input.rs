//! The bytes of one split, in blocks.

use super::{
    compression::{Compression, decompress},
    error::FileSourceError as Error,
    split::FileSplit,
};
use std::{
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
};

/// Bytes that are read at a time.
pub(super) const BLOCK: usize = 256 * 1024;
/// Bytes that are read at first behind a split's end, to finish its last line.
const TAIL_BLOCK: usize = 4 * 1024;

enum Stream {
    Plain(File),
    Compressed(Box<dyn Read>),
}

/// An opened split: where its bytes come from, and how far they have been read.
pub(super) struct Input {
    stream: Stream,
    /// The offset of the next byte to read.
    offset: u64,
    /// How much to read next, behind the split's end.
    tail_block: usize,
    eof: bool,
}

impl Input {
    /// Opens the file of `split` one byte before its position: only that byte shows whether a line starts there.
    pub(super) fn open(split: &FileSplit) -> Result<Self, Error> {
        let failed = |source| Error::Open { path: split.path.clone(), source };
        let mut file = File::open(&split.path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        if length < split.end {
            return Err(Error::Truncated { path: split.path.clone(), expected: split.end, length });
        }
        let (stream, offset) = match split.compression {
            Compression::None => {
                let offset = split.position.saturating_sub(1);
                file.seek(SeekFrom::Start(offset)).map_err(failed)?;
                (Stream::Plain(file), offset)
            }
            compression => (Stream::Compressed(decompress(file, &split.path, compression)?), 0),
        };
        Ok(Input { stream, offset, tail_block: TAIL_BLOCK, eof: false })
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn eof(&self) -> bool {
        self.eof
    }

    /// Bytes up to the end of `split`; `None` for a compressed file, whose text ends where it ends.
    fn remaining(&self, split: &FileSplit) -> Option<u64> {
        match self.stream {
            Stream::Plain(_) => Some(split.end.saturating_sub(self.offset)),
            Stream::Compressed(_) => None,
        }
    }

    /// How many bytes to read next.
    pub(super) fn next_block(&mut self, split: &FileSplit) -> usize {
        match self.remaining(split) {
            None => BLOCK,
            Some(0) => {
                let block = self.tail_block;
                self.tail_block = (block * 2).min(BLOCK);
                block
            }
            Some(remaining) => usize::try_from(remaining).unwrap_or(BLOCK).min(BLOCK),
        }
    }

    /// Reads into `buffer`; 0 at the end of the file.
    pub(super) fn read(&mut self, buffer: &mut [u8], split: &FileSplit) -> Result<usize, Error> {
        let result = loop {
            let result = match &mut self.stream {
                Stream::Plain(file) => file.read(buffer),
                Stream::Compressed(stream) => stream.read(buffer),
            };
            match result {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let read = result.map_err(|source| Error::Read {
            path: split.path.clone(),
            compression: split.compression,
            offset: self.offset,
            source,
        })?;
        self.offset += read as u64;
        if read == 0 {
            self.eof = true;
            if self.remaining(split).is_some_and(|remaining| remaining > 0) {
                return Err(Error::Truncated { path: split.path.clone(), expected: split.end, length: self.offset });
            }
        }
        Ok(read)
    }
}
