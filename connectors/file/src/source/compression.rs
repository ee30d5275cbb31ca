//! Compressed input: which files are, and how they are read.

use super::error::FileSourceError;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
};

/// Compressed bytes that are read at a time.
const COMPRESSED_BLOCK: usize = 64 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Compression {
    /// Not at all: the file can be divided into splits.
    None,
    /// By gzip, one member or several.
    Gzip,
    /// By zstd, one frame or several.
    Zstd,
}

impl Compression {
    /// The compression that a file's extension names: `.gz`, `.zst`, in any case.
    pub fn of_path(path: &str) -> Self {
        match path.rsplit_once('.') {
            Some((_, extension)) if extension.eq_ignore_ascii_case("gz") => Compression::Gzip,
            Some((_, extension)) if extension.eq_ignore_ascii_case("zst") => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// The compression that a file's first bytes show.
    pub(super) fn of_content(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            // A frame, or a skippable frame before one.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    /// Says in a message of what an offset counts the bytes.
    pub(super) fn of_uncompressed(self) -> &'static str {
        if self == Compression::None { "" } else { " of its uncompressed text" }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compression::None => "nothing",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        })
    }
}

/// The uncompressed content of `file`, read from the start.
pub(super) fn decompress(file: File, path: &str, compression: Compression) -> Result<Box<dyn Read>, FileSourceError> {
    let mut file = BufReader::with_capacity(COMPRESSED_BLOCK, file);
    let start = file.fill_buf().map_err(|source| FileSourceError::Open { path: path.to_owned(), source })?;
    if Compression::of_content(start) != compression {
        return Err(FileSourceError::NotCompressed { path: path.to_owned(), compression });
    }
    Ok(match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
        Compression::Zstd => Box::new(ZstdReader::new(file).map_err(|source| FileSourceError::Open { path: path.to_owned(), source })?),
    })
}

/// Reads zstd frames one after the other, skips skippable ones, and checks the checksum where a frame has one.
struct ZstdReader<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> ZstdReader<R> {
    fn new(source: R) -> io::Result<Self> {
        let mut decoder = FrameDecoder::new();
        // The decoder limits the window, and with it its memory, only when it is used again; so it gets the header of an
        // empty frame first.
        decoder.reset(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0][..]).map_err(io::Error::other)?;
        Ok(ZstdReader { source, decoder, in_frame: false })
    }

    /// Begins the next frame; false at the end of the file.
    fn begin_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Ok(false)
    }

    fn check(&self) -> io::Result<()> {
        match self.decoder.get_checksum_from_data() {
            Some(stored) if self.decoder.get_calculated_checksum() != Some(stored) => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum of a zstd frame is wrong: the file is damaged"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.in_frame {
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    self.decoder
                        .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                }
                let read = self.decoder.read(out)?;
                if read > 0 || out.is_empty() {
                    return Ok(read);
                }
                self.check()?;
                self.in_frame = false;
            }
            if !self.begin_frame()? {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn read_all(compressed: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        ZstdReader::new(compressed)?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn several_zstd_frames_and_skippable_ones_are_one_text() {
        let mut compressed = compress_to_vec(&b"one\n"[..], CompressionLevel::Fastest);
        compressed.extend_from_slice(&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        compressed.extend(compress_to_vec(&b"two\n"[..], CompressionLevel::Fastest));
        assert_eq!(read_all(&compressed).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn damaged_zstd_is_an_error_not_wrong_text() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|n| n.to_le_bytes()).collect();
        let compressed = compress_to_vec(&text[..], CompressionLevel::Fastest);
        assert_eq!(read_all(&compressed).unwrap(), text);
        assert!(read_all(&compressed[..compressed.len() - 5]).is_err());
        let mut damaged = compressed;
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert!(read_all(&damaged).unwrap_err().to_string().contains("checksum"));
    }

    #[test]
    fn extensions_name_the_compression() {
        assert_eq!(Compression::of_path("/a.b/c.GZ"), Compression::Gzip);
        assert_eq!(Compression::of_path("/a/c.txt.zst"), Compression::Zstd);
        assert_eq!(Compression::of_path("/a/gz"), Compression::None);
    }
}
