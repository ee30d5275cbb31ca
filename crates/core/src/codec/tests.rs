//! Our encoding against postcard's: the same bytes, and of any bytes the same values and the same refusals.

use super::{decode, decode_front, encode, encode_into};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Debug};

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// A number of 0 to 128 bits, each size as likely as the other.
    fn number(&mut self) -> u128 {
        let bits = self.below(129) as u32;
        let number = u128::from(self.next()) << 64 | u128::from(self.next());
        number.checked_shr(128 - bits).unwrap_or(0)
    }

    fn text(&mut self) -> String {
        (0..self.below(24)).map(|_| ['a', 'Z', '\0', '\u{7f}', 'é', '語', '🦀'][self.below(7) as usize]).collect()
    }

    fn list<T>(&mut self, of: fn(&mut Random) -> T) -> Vec<T> {
        (0..self.below(5)).map(|_| of(self)).collect()
    }
}

/// Both decode `bytes` to the same value with the same rest, or both refuse. Values are compared as encoded, since NaN equals nothing.
fn same_decoding<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    let ours = decode_front::<T>(bytes);
    let theirs = postcard::take_from_bytes::<T>(bytes);
    match (&ours, &theirs) {
        (Ok((ours, our_rest)), Ok((theirs, their_rest))) => {
            let (ours, theirs) = (postcard::to_allocvec(ours).unwrap(), postcard::to_allocvec(theirs).unwrap());
            assert_eq!((ours, our_rest), (theirs, their_rest), "of {bytes:?}");
        }
        (Err(_), Err(_)) => {}
        _ => panic!("{} of {bytes:?}: we say {ours:?}, postcard says {theirs:?}", std::any::type_name::<T>()),
    }
}

fn same<T: Serialize + DeserializeOwned + Debug>(value: &T) {
    let bytes = postcard::to_allocvec(value).unwrap();
    let mut ours = b"before".to_vec();
    encode_into(value, &mut ours).unwrap();
    assert_eq!(ours, [b"before", &bytes[..]].concat(), "of {value:?}");
    assert_eq!(postcard::to_allocvec(&decode::<T>(&bytes).unwrap()).unwrap(), bytes);
    for end in 0..=bytes.len() {
        same_decoding::<T>(&bytes[..end]);
    }
    // What is behind a value must not matter, and more of it lets more be read at once.
    for behind in [[0x00; 20], [0x41; 20], [0x80; 20], [0xff; 20]] {
        let mut flipped = [&bytes[..], &behind[..]].concat();
        same_decoding::<T>(&flipped);
        for bit in 0..bytes.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            same_decoding::<T>(&flipped);
            same_decoding::<T>(&flipped[..bytes.len()]);
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, Serialize, Deserialize)]
struct Wrapped(i64);

#[derive(Debug, Serialize, Deserialize)]
struct Pair(u8, String);

#[derive(Debug, Serialize, Deserialize)]
enum Kind {
    Unit,
    Newtype(Option<i16>),
    Tuple(u64, (), f32),
    Struct { name: String, wrapped: Wrapped, kinds: Vec<Kind> },
}

#[derive(Debug, Serialize, Deserialize)]
struct Nested {
    kind: Kind,
    nothing: Nothing,
    map: BTreeMap<String, Vec<u32>>,
    text: compact_str::CompactString,
    pair: Option<Box<Pair>>,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
    array: [i32; 3],
    borrowed: std::borrow::Cow<'static, str>,
    character: char,
    time: std::time::Duration,
}

fn kind(random: &mut Random) -> Kind {
    match random.below(5) {
        0 => Kind::Unit,
        1 => Kind::Newtype((random.below(2) == 0).then(|| random.number() as i16)),
        2 => Kind::Tuple(random.number() as u64, (), f32::from_bits(random.next() as u32)),
        _ => {
            let kinds = if random.below(4) == 0 { random.list(kind) } else { Vec::new() };
            Kind::Struct { name: random.text(), wrapped: Wrapped(random.number() as i64), kinds }
        }
    }
}

#[test]
fn every_number_is_written_and_read_as_by_postcard() {
    fn all(number: u128) {
        same(&(number as u8));
        same(&(number as u16));
        same(&(number as u32));
        same(&(number as u64));
        same(&number);
        same(&(number as usize));
        same(&(number as i8));
        same(&(number as i16));
        same(&(number as i32));
        same(&(number as i64));
        same(&(number as i128));
    }
    for bits in 0..128 {
        for difference in [-1, 0, 1] {
            all((1u128 << bits).wrapping_add_signed(difference));
            all((1u128 << bits).wrapping_add_signed(difference).wrapping_neg());
        }
    }
    let mut random = Random(1);
    (0..50).for_each(|_| all(random.number()));
    for value in
        [0.0, -0.0, 1.5, f64::MIN, f64::MAX, f64::EPSILON, f64::INFINITY, f64::NAN, -f64::NAN, f64::from_bits(0x7ff0_dead_beef_0001)]
    {
        same(&value);
        same(&(value as f32));
    }
    same(&f32::from_bits(0x7f80_1234));
    same(&(true, false));
}

#[test]
fn numbers_longer_than_needed_or_than_their_type_are_read_or_refused_as_by_postcard() {
    for length in 0..=22 {
        for last in 0..=0x81 {
            for first in [0x80, 0x81, 0xff] {
                let mut bytes = vec![first; length];
                bytes.push(last);
                for _ in 0..10 {
                    same_decoding::<u16>(&bytes);
                    same_decoding::<i16>(&bytes);
                    same_decoding::<u32>(&bytes);
                    same_decoding::<i32>(&bytes);
                    same_decoding::<u64>(&bytes);
                    same_decoding::<i64>(&bytes);
                    same_decoding::<u128>(&bytes);
                    same_decoding::<String>(&bytes);
                    same_decoding::<Vec<u8>>(&bytes);
                    same_decoding::<Kind>(&bytes);
                    bytes.push(last);
                }
            }
        }
    }
}

#[test]
fn texts_of_every_length_with_any_character_anywhere_are_written_and_read_as_by_postcard() {
    for length in 0..=40 {
        let text = "The quick brown fox jumps over the lazy dog"[..length].to_owned();
        same(&text);
        same(&compact_str::CompactString::from(&text));
        same(&(text.clone(), 1u64));
        for at in 0..length {
            for character in ["é", "語", "🦀"] {
                let text = [&text[..at], character, &text[at + 1..]].concat();
                let bytes = encode(&(&text, 7u8)).unwrap();
                assert_eq!(bytes, postcard::to_allocvec(&(&text, 7u8)).unwrap());
                assert_eq!(decode::<(String, u8)>(&bytes).unwrap(), (text, 7));
                for wrong in 1..bytes.len() {
                    let mut bytes = bytes.clone();
                    bytes[wrong] ^= 0x80;
                    same_decoding::<(String, u8)>(&bytes);
                    same_decoding::<String>(&bytes);
                }
            }
        }
    }
    for length in [127, 128, 300, 20_000] {
        let text = "a".repeat(length);
        let bytes = encode(&text).unwrap();
        assert_eq!(bytes, postcard::to_allocvec(&text).unwrap());
        assert_eq!(decode::<String>(&bytes).unwrap(), text);
    }
}

#[test]
fn characters_are_written_and_read_as_by_postcard() {
    for character in ['\0', 'a', '\u{7f}', '\u{80}', 'é', '\u{7ff}', '語', '\u{ffff}', '🦀', char::MAX] {
        same(&character);
        same(&(character, 'b'));
    }
    // None, two at once, one and a half, a surrogate.
    for bytes in [&[0][..], &[2, b'a', b'b'], &[3, b'a', 0xc3], &[3, 0xed, 0xa0, 0x80], &[5, b'a', b'b', b'c', b'd', b'e']] {
        same_decoding::<char>(bytes);
    }
}

#[test]
fn compound_values_are_written_and_read_as_by_postcard() {
    same(&());
    same(&Nothing);
    same(&(Some(()), None::<u8>, Some(Some(Wrapped(-3)))));
    same(&Ok::<u8, String>(1));
    same(&vec![Some(1u8), None]);
    let mut random = Random(2);
    for _ in 0..40 {
        same(&kind(&mut random));
        same(&serde_bytes::ByteBuf::from(random.list(|random| random.next() as u8)));
        same(&Nested {
            kind: kind(&mut random),
            nothing: Nothing,
            map: random.list(|random| (random.text(), random.list(|random| random.number() as u32))).into_iter().collect(),
            text: random.text().into(),
            pair: (random.below(2) == 0).then(|| Box::new(Pair(random.next() as u8, random.text()))),
            bytes: random.list(|random| random.next() as u8),
            array: [random.number() as i32, random.number() as i32, random.number() as i32],
            borrowed: random.text().into(),
            character: char::from_u32(random.below(0x3000) as u32).unwrap(),
            time: std::time::Duration::from_millis(random.number() as u64),
        });
    }
}

#[test]
fn any_bytes_are_read_or_refused_as_by_postcard() {
    let mut random = Random(3);
    for _ in 0..20_000 {
        // Small numbers are lengths and marks; others are refused early.
        let bytes: Vec<u8> =
            (0..random.below(40)).map(|_| if random.below(3) == 0 { random.next() as u8 } else { random.below(4) as u8 }).collect();
        same_decoding::<Nested>(&bytes);
        same_decoding::<Kind>(&bytes);
        same_decoding::<Vec<(String, Option<u64>)>>(&bytes);
        same_decoding::<BTreeMap<u16, (bool, char)>>(&bytes);
    }
}

#[test]
fn a_promised_length_is_not_allocated() {
    // 2^62 elements, of which one is there.
    let mut bytes = encode(&(1u64 << 62)).unwrap();
    bytes.push(1);
    for error in
        [decode::<Vec<u8>>(&bytes).unwrap_err(), decode::<Vec<[u64; 4]>>(&bytes).unwrap_err(), decode::<String>(&bytes).unwrap_err()]
    {
        assert!(error.to_string().starts_with("the input ends inside of"), "{error}");
    }
    decode::<BTreeMap<u64, u64>>(&bytes).unwrap_err();
}

#[test]
fn a_value_refused_says_why() {
    let refused = |error: crate::error::BoxError| error.to_string();
    assert_eq!(refused(decode::<bool>(&[2]).unwrap_err()), "`2` is no boolean: 0 or 1 was expected");
    assert_eq!(refused(decode::<Option<u8>>(&[7, 0]).unwrap_err()), "`7` is no mark of an option: 0 or 1 was expected");
    assert_eq!(refused(decode::<u16>(&[0xff, 0xff, 0x04]).unwrap_err()), "a number in the input is larger than its type");
    assert_eq!(refused(decode::<String>(&[3, b'a', b'b']).unwrap_err()), "the input ends inside of a text");
    assert_eq!(refused(decode::<String>(&[1, 0xff]).unwrap_err()), "a text in the input is not UTF-8");
    assert!(refused(decode::<Kind>(&[9]).unwrap_err()).contains("variant index"));
    assert_eq!(refused(decode::<u8>(&[1, 2]).unwrap_err()), "1 bytes behind the end of a value");
    assert!(refused(decode::<serde_json::Value>(&[1]).unwrap_err()).contains("cannot be decoded"));

    struct Endless;
    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(std::iter::from_fn(|| Some(1)))
        }
    }
    assert!(refused(encode(&Endless).unwrap_err()).contains("length is not known"));
    assert!(postcard::to_allocvec(&Endless).is_err());

    struct Shown;
    impl Serialize for Shown {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            assert!(!serializer.is_human_readable());
            serializer.collect_str(&format_args!("{}-{}", 1, "two"))
        }
    }
    assert_eq!(encode(&Shown).unwrap(), postcard::to_allocvec(&Shown).unwrap());
}
