//! The file of a value: magic (8 bytes), format version (4), length of the value (8), stamp (24), value, CRC-32 of all before.
//! Numbers are little-endian.

use crate::Version;

/// How the name of a value's file ends.
pub(super) const VALUE: &str = "value";
const MAGIC: &[u8; 8] = b"FLOTTcoo";
const FORMAT: u32 = 1;
const HEAD: usize = 44;
const TAIL: usize = 4;

/// Which write a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// The opened store that wrote it.
    pub(super) opened: u128,
    /// Its how manieth write.
    pub(super) number: u64,
}

impl Stamp {
    pub(super) fn version(self) -> Version {
        Version::new(format!("{:032x}-{}", self.opened, self.number))
    }
}

/// The bytes of a file.
pub(super) fn encode(stamp: Stamp, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + value.len() + TAIL);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&stamp.opened.to_le_bytes());
    bytes.extend_from_slice(&stamp.number.to_le_bytes());
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// What is in a file, or what is wrong with it.
pub(super) fn decode(bytes: &[u8]) -> Result<(Stamp, &[u8]), String> {
    let length = bytes.len();
    if length < HEAD + TAIL {
        return Err(format!("it is cut off after {length} bytes"));
    }
    let (covered, crc) = bytes.split_at(length - TAIL);
    let (head, value) = covered.split_at(HEAD);
    if &head[..8] != MAGIC {
        return Err("it does not begin as such a file does".to_owned());
    }
    if crc32fast::hash(covered) != u32::from_le_bytes(array(crc)) {
        return Err("its checksum is wrong".to_owned());
    }
    let format = u32::from_le_bytes(array(&head[8..12]));
    if format != FORMAT {
        return Err(format!("it has format version {format}, and this release reads version {FORMAT}"));
    }
    let said = u64::from_le_bytes(array(&head[12..20]));
    if said != value.len() as u64 {
        return Err(format!("it says that it has {said} bytes of content, but there are {}", value.len()));
    }
    let stamp = Stamp { opened: u128::from_le_bytes(array(&head[20..36])), number: u64::from_le_bytes(array(&head[36..44])) };
    Ok((stamp, value))
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the slice was cut to this length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_counts_and_so_does_every_byte_of_the_length() {
        let stamp = Stamp { opened: 1 << 100, number: 7 };
        let bytes = encode(stamp, b"value");
        assert_eq!(decode(&bytes), Ok((stamp, &b"value"[..])));
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&wrong).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "cut to {length}");
        }
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
        assert!(decode(&[]).is_err());
    }
}
