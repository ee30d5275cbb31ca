//! The file of a version: magic (8 bytes), format version (4), length of the value (8), stamp (24), whether it is a value (1) or the
//! removal of one (0) (1), how many stamps follow (1), those of the versions before, newest first (24 each), value, CRC-32 of all before.
//! Numbers are little-endian.

use crate::Version;
use std::{fmt, str::FromStr};

const MAGIC: &[u8; 8] = b"FLOTTcoo";
const FORMAT: u32 = 2;
const HEAD: usize = 46;
const STAMP: usize = 24;
const TAIL: usize = 4;
/// How many versions before it a version remembers.
const REMEMBERED: usize = 32;

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
        Version::new(self.to_string())
    }

    fn bytes(self) -> [u8; STAMP] {
        let mut bytes = [0; STAMP];
        bytes[..16].copy_from_slice(&self.opened.to_le_bytes());
        bytes[16..].copy_from_slice(&self.number.to_le_bytes());
        bytes
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        Stamp { opened: u128::from_le_bytes(array(&bytes[..16])), number: u64::from_le_bytes(array(&bytes[16..STAMP])) }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}-{}", self.opened, self.number)
    }
}

impl FromStr for Stamp {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (opened, number) = text.split_once('-').ok_or(())?;
        let stamp = Stamp { opened: u128::from_str_radix(opened, 16).map_err(|_| ())?, number: number.parse().map_err(|_| ())? };
        if stamp.to_string() == text { Ok(stamp) } else { Err(()) }
    }
}

/// A version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// Who wrote it.
    pub(super) stamp: Stamp,
    /// Whom it followed, newest first.
    pub(super) before: Vec<Stamp>,
    /// The value; `None` if it was removed.
    pub(super) value: Option<Vec<u8>>,
}

impl Record {
    /// Whom a version follows that follows this one.
    pub(super) fn followed_by(&self) -> Vec<Stamp> {
        [self.stamp].into_iter().chain(self.before.iter().copied()).take(REMEMBERED).collect()
    }

    /// The bytes of a file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let value = self.value.as_deref().unwrap_or_default();
        let mut bytes = Vec::with_capacity(HEAD + self.before.len() * STAMP + value.len() + TAIL);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&self.stamp.bytes());
        bytes.push(u8::from(self.value.is_some()));
        bytes.push(self.before.len() as u8);
        self.before.iter().for_each(|stamp| bytes.extend_from_slice(&stamp.bytes()));
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    /// What is in a file, or what is wrong with it.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let length = bytes.len();
        if length < HEAD + TAIL {
            return Err(format!("it is cut off after {length} bytes"));
        }
        let (covered, crc) = bytes.split_at(length - TAIL);
        let (head, rest) = covered.split_at(HEAD);
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
        let Some((before, value)) = rest.split_at_checked(usize::from(head[45]) * STAMP).filter(|(_, value)| value.len() as u64 == said)
        else {
            return Err(format!("it says that it has {said} bytes of content, but there are {}", rest.len()));
        };
        Ok(Record {
            stamp: Stamp::of_bytes(&head[20..44]),
            before: before.chunks_exact(STAMP).map(Stamp::of_bytes).collect(),
            value: (head[44] == 1).then(|| value.to_vec()),
        })
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the slice was cut to this length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(number: u64) -> Stamp {
        Stamp { opened: 1 << 100, number }
    }

    #[test]
    fn every_bit_counts_and_so_does_every_byte_of_the_length() {
        let record = Record { stamp: stamp(7), before: vec![stamp(5), stamp(3)], value: Some(b"value".to_vec()) };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Ok(record));
        for bit in 0..bytes.len() * 8 {
            let mut wrong = bytes.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(Record::decode(&wrong).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(Record::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
        assert!(Record::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Record::decode(&[]).is_err());
    }

    #[test]
    fn a_version_remembers_so_many_before_it_and_a_removal_is_no_empty_value() {
        let mut record = Record { stamp: stamp(0), before: Vec::new(), value: Some(Vec::new()) };
        assert_eq!(Record::decode(&record.encode()), Ok(record.clone()));
        for number in 1..100 {
            record = Record { stamp: stamp(number), before: record.followed_by(), value: None };
        }
        assert_eq!(record.before.len(), REMEMBERED);
        assert_eq!((record.before[0], record.before[REMEMBERED - 1]), (stamp(98), stamp(99 - REMEMBERED as u64)));
        assert_eq!(Record::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn a_stamp_is_read_back_only_as_it_is_written() {
        let text = stamp(7).to_string();
        assert_eq!(text.parse(), Ok(stamp(7)));
        for wrong in ["", "1-7", &text[1..], &format!("{text}.tmp"), &text.replace('-', "")] {
            assert_eq!(wrong.parse::<Stamp>(), Err(()), "{wrong}");
        }
    }
}
