//! The frame around the body of `_metadata` and `_completed`, the same in every format version:
//! magic, version, length, body, checksum. The checksum is looked at before a single byte of the body is.

use crate::{
    StorageError,
    files::{FileSystem, ReadFile},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{io, path::Path};

/// Before the body: magic (8 bytes), version (4), length of the body (8).
pub(crate) const HEAD: usize = 20;
/// Behind the body: CRC-32 of everything before.
const TAIL: usize = 4;

/// What kind of file a frame makes.
#[derive(Debug)]
pub(crate) struct FrameKind {
    /// The first eight bytes of the file.
    pub(crate) magic: &'static [u8; 8],
    /// The version that is written, and the latest that is read.
    pub(crate) version: u32,
}

/// A file's bytes, and their checksum, which identifies them.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) crc: u32,
}

/// What was read from a file.
#[derive(Debug)]
pub(crate) struct Opened<T> {
    pub(crate) content: T,
    pub(crate) crc: u32,
    pub(crate) bytes: u64,
}

/// The bytes of a file that holds `content`.
pub(crate) fn seal<T: Serialize>(kind: &FrameKind, content: &T) -> Result<Sealed, postcard::Error> {
    let mut bytes = Vec::with_capacity(1024);
    bytes.extend_from_slice(kind.magic);
    bytes.extend_from_slice(&kind.version.to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    let mut bytes = postcard::to_extend(content, bytes)?;
    let length = (bytes.len() - HEAD) as u64;
    bytes[12..HEAD].copy_from_slice(&length.to_le_bytes());
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    Ok(Sealed { bytes, crc })
}

/// Reads the file at `path`, whose content is the same in all versions; `None` if there is none.
pub(crate) fn open<T: DeserializeOwned>(kind: &FrameKind, files: &dyn FileSystem, path: &Path) -> Result<Option<Opened<T>>, StorageError> {
    open_as(kind, files, path, |_, body| postcard::take_from_bytes(body))
}

/// Reads the file at `path` with a decoder that is told the version; `None` if there is none.
pub(crate) fn open_as<T>(
    kind: &FrameKind,
    files: &dyn FileSystem,
    path: &Path,
    decode: impl FnOnce(u32, &[u8]) -> postcard::Result<(T, &[u8])>,
) -> Result<Option<Opened<T>>, StorageError> {
    let file = match files.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StorageError::io("open", path, error)),
    };
    let bytes = read_checked(kind, file.as_ref(), path)?;
    let version = u32::from_le_bytes(array(&bytes[8..12]));
    // It was never written.
    if version == 0 {
        return Err(StorageError::damaged(path, "it says format version 0"));
    }
    if version > kind.version {
        return Err(StorageError::NewerFormat { path: path.into(), found: version, supported: kind.version });
    }
    let (head, crc) = bytes.split_at(bytes.len() - TAIL);
    match decode(version, &head[HEAD..]) {
        Ok((content, [])) => Ok(Some(Opened { content, crc: u32::from_le_bytes(array(crc)), bytes: bytes.len() as u64 })),
        Ok((_, rest)) => Err(StorageError::damaged(path, format!("{} bytes follow its content", rest.len()))),
        Err(error) => Err(StorageError::damaged(path, format!("its content does not decode: {error}"))),
    }
}

/// All bytes of the file, once magic, length and checksum have turned out right.
fn read_checked(kind: &FrameKind, file: &dyn ReadFile, path: &Path) -> Result<Vec<u8>, StorageError> {
    let actual = file.len().map_err(|error| StorageError::io("read", path, error))?;
    if actual < (HEAD + TAIL) as u64 {
        return Err(StorageError::damaged(path, format!("it is cut off after {actual} bytes")));
    }
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, 0).map_err(|error| StorageError::io("read", path, error))?;
    if &head[..8] != kind.magic {
        return Err(StorageError::damaged(path, "it does not begin as such a file does"));
    }
    let length = u64::from_le_bytes(array(&head[12..HEAD]));
    if length.checked_add((HEAD + TAIL) as u64) != Some(actual) {
        return Err(StorageError::damaged(
            path,
            format!("it says that it has {length} bytes of content, but the file has {actual} in all"),
        ));
    }
    let size = usize::try_from(actual).map_err(|_| StorageError::damaged(path, format!("{actual} bytes do not fit into memory")))?;
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, 0).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => StorageError::damaged(path, "it became shorter while it was read"),
        _ => StorageError::io("read", path, error),
    })?;
    let (covered, stored) = bytes.split_at(size - TAIL);
    let crc = crc32fast::hash(covered);
    if crc != u32::from_le_bytes(array(stored)) {
        return Err(StorageError::damaged(path, "its checksum is wrong"));
    }
    Ok(bytes)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the slice was cut to this length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{MemoryFiles, write_file};

    const KIND: FrameKind = FrameKind { magic: b"FLOTTest", version: 3 };

    fn read(bytes: &[u8]) -> Result<Option<Opened<Vec<u32>>>, StorageError> {
        let files = MemoryFiles::new();
        write_file(&files, Path::new("f"), bytes).unwrap();
        open(&KIND, &files, Path::new("f"))
    }

    #[test]
    fn what_was_sealed_is_read_back() {
        let sealed = seal(&KIND, &vec![1u32, 70_000]).unwrap();
        let opened = read(&sealed.bytes).unwrap().unwrap();
        assert_eq!((opened.content, opened.crc, opened.bytes), (vec![1, 70_000], sealed.crc, sealed.bytes.len() as u64));
    }

    #[test]
    fn every_bit_counts_and_so_does_every_byte_of_the_length() {
        let sealed = seal(&KIND, &vec![1u32, 70_000, 3]).unwrap().bytes;
        for bit in 0..sealed.len() * 8 {
            let mut bytes = sealed.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(read(&bytes), Err(StorageError::Damaged { .. })), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(matches!(read(&sealed[..length]), Err(StorageError::Damaged { .. })), "cut to {length}");
        }
        assert!(matches!(read(&[&sealed[..], &[0]].concat()), Err(StorageError::Damaged { .. })));
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let later = seal(&FrameKind { magic: KIND.magic, version: 4 }, &0u8).unwrap().bytes;
        assert!(matches!(read(&later), Err(StorageError::NewerFormat { found: 4, supported: 3, .. })));
    }

    #[test]
    fn content_of_another_type_is_damage_even_if_its_checksum_is_right() {
        // A list that claims a trillion elements: refused without the memory for them.
        let wrong = seal(&KIND, &(1u64 << 40)).unwrap().bytes;
        assert!(matches!(read(&wrong), Err(StorageError::Damaged { .. })));
        let longer = seal(&KIND, &(vec![1u32], 5u8)).unwrap().bytes;
        assert!(read(&longer).unwrap_err().to_string().contains("1 bytes follow its content"));
    }
}
