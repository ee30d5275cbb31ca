use super::*;
use serde::{Deserialize, Serializer};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct UserId(u64);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    country: String,
    zip: u32,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Marker;

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Shape {
    Empty,
    Circle(u32),
    Rectangle(u32, u32),
    Named { name: String },
}

struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

struct Displayed(&'static str);

impl Serialize for Displayed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

struct Vector {
    key: &'static str,
    hash: u64,
    /// The bytes that the specification says are hashed, in hexadecimal digits.
    encoding: &'static str,
    golden: u64,
}

macro_rules! vectors {
    ($($key:expr => $encoding:literal, $golden:literal;)*) => {
        vec![$(Vector { key: stringify!($key), hash: key_hash(&$key), encoding: $encoding, golden: $golden },)*]
    };
}

/// Never change a line: savepoints depend on them.
fn vectors() -> Vec<Vector> {
    vectors! {
        "" => "", 0x2d06_8005_38d3_94c2;
        "a" => "61", 0xe6c6_32b6_1e96_4e1f;
        "the" => "746865", 0xcb12_8363_1cf3_3d7d;
        "user-17" => "757365722d3137", 0x7d94_013a_7349_7c81;
        "a key of more than sixteen bytes" => "61206b6579206f66206d6f7265207468616e207369787465656e206279746573", 0x2725_8608_776b_c78a;
        Bytes(&[0x00, 0xff]) => "00ff", 0xa99b_043a_346c_8bf3;
        0u64 => "0000000000000000", 0xc77b_3abb_6f87_acd9;
        1u8 => "0100000000000000", 0x2fbc_5935_64db_792e;
        1i64 => "0100000000000000", 0x2fbc_5935_64db_792e;
        -1i32 => "ffffffffffffffff", 0x5111_c7e4_7d78_4413;
        123_456_789u32 => "15cd5b0700000000", 0x2719_6ab4_438f_6ad5;
        u64::MAX => "ffffffffffffffff", 0x5111_c7e4_7d78_4413;
        i64::MIN => "0000000000000080", 0x828f_2476_789a_0e5f;
        1u128 => "01000000000000000000000000000000", 0x26f2_a114_8cf5_2011;
        -1i128 => "ffffffffffffffffffffffffffffffff", 0x722a_202f_07a4_b313;
        true => "0100000000000000", 0x2fbc_5935_64db_792e;
        'ß' => "df00000000000000", 0x0cf3_0f0e_5e8e_0f5c;
        -0.0f64 => "0000000000000000", 0xc77b_3abb_6f87_acd9;
        1.5f32 => "000000000000f83f", 0x2561_a488_9ff6_3458;
        f64::NAN => "000000000000f87f", 0x0aa6_1dcf_a381_c167;
        () => "", 0x2d06_8005_38d3_94c2;
        Marker => "", 0x2d06_8005_38d3_94c2;
        UserId(7) => "0700000000000000", 0x8167_1e58_d6b5_96af;
        None::<u64> => "00", 0xc44b_dff4_074e_ecdb;
        Some(7u64) => "010700000000000000", 0xa37a_4d57_e745_7851;
        Some("a") => "010100000061", 0xb901_fd8f_0004_7977;
        ("the", 3u64) => "030000007468650300000000000000", 0xf795_afc6_85e5_8386;
        ("a", "bc") => "0100000061020000006263", 0x5892_a711_d107_e652;
        Place { country: "de".to_owned(), zip: 10115 } => "0200000064658327000000000000", 0x206f_a242_62bb_44b7;
        Shape::Empty => "00000000", 0x48b2_c926_16fc_193d;
        Shape::Circle(5) => "010000000500000000000000", 0xaf21_062c_6e20_9ee7;
        Shape::Rectangle(1, 2) => "0200000001000000000000000200000000000000", 0xf609_b974_8709_4b2a;
        Shape::Named { name: "x".to_owned() } => "030000000100000078", 0x38b0_ee67_8430_3b56;
        [1u16, 2] => "01000000000000000200000000000000", 0x07ee_86c2_8144_6bef;
        vec!["a", "b"] => "0200000001000000610100000062", 0xa550_3e1a_9714_e24d;
        BTreeMap::from([("b", 1u8), ("aa", 2)]) => "02000000010000006201000000000000000200000061610200000000000000", 0x9e8c_e59f_77c4_e58c;
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits")).collect()
}

#[test]
fn a_key_hashes_the_bytes_that_the_specification_says() {
    for vector in vectors() {
        assert_eq!(vector.hash, xxh3_64(&bytes_of(vector.encoding)), "{}", vector.key);
    }
}

#[test]
fn the_hashes_are_those_of_the_first_release() {
    for vector in vectors() {
        assert_eq!(vector.hash, vector.golden, "{} is now {:#018x}", vector.key, vector.hash);
    }
}

#[test]
fn long_strings_keep_their_hashes() {
    let golden = [
        (200, 0x50ef_124f_b1e4_de53),
        (240, 0x3e16_ca8a_0c6c_cb68),
        (241, 0x14da_9e5c_301a_6a1d),
        (1000, 0xc0a4_877b_962c_ba82),
        (5000, 0x8d85_67cb_c9ee_3d90),
    ];
    for (len, hash) in golden {
        assert_eq!(key_hash(&"x".repeat(len)), hash, "{len} bytes");
    }
}

#[test]
fn the_documentation_lists_every_vector() {
    let document = include_str!("../../../../docs/internals/key-hash.md");
    for vector in vectors() {
        let row = format!("| `{}` | `{}` | `{:016x}` |", vector.key, vector.encoding, vector.golden);
        assert!(document.contains(&row), "docs/internals/key-hash.md lacks the row\n{row}");
    }
}

#[test]
fn widening_an_integer_keeps_its_hash() {
    for value in [0i8, 1, -1, i8::MIN, i8::MAX] {
        let hash = key_hash(&value);
        assert_eq!(hash, key_hash(&i16::from(value)));
        assert_eq!(hash, key_hash(&i32::from(value)));
        assert_eq!(hash, key_hash(&i64::from(value)));
    }
    assert_eq!(key_hash(&200u8), key_hash(&200u64));
    assert_eq!(key_hash(&200u8), key_hash(&200i32));
}

#[test]
fn owned_borrowed_boxed_and_compact_strings_are_one_key() {
    let hash = key_hash("word");
    assert_eq!(hash, key_hash(&"word".to_owned()));
    assert_eq!(hash, key_hash(&compact_str::CompactString::from("word")));
    assert_eq!(hash, key_hash(&Box::<str>::from("word")));
    assert_eq!(hash, key_hash(&Displayed("word")));
    assert_eq!(key_hash(&("word", 1)), key_hash(&(Displayed("word"), 1)));
}

#[test]
fn parts_of_a_key_do_not_run_into_each_other() {
    assert_ne!(key_hash(&("ab", "c")), key_hash(&("a", "bc")));
    assert_ne!(key_hash(&(vec![1], vec![2, 3])), key_hash(&(vec![1, 2], vec![3])));
    assert_ne!(key_hash(&(None::<u8>, Some(1u8))), key_hash(&(Some(1u8), None::<u8>)));
}

#[test]
fn a_hash_map_hashes_the_same_in_every_order() {
    let entries: Vec<(u32, String)> = (0..50).map(|i| (i, format!("v{i}"))).collect();
    let hash = key_hash(&("x", entries.iter().cloned().collect::<BTreeMap<_, _>>()));
    for _ in 0..5 {
        assert_eq!(hash, key_hash(&("x", entries.iter().cloned().collect::<HashMap<_, _>>())));
    }
}

#[test]
fn a_key_may_be_longer_than_the_inline_buffer() {
    for len in 0..300usize {
        let text = "x".repeat(len);
        let mut expected = (len as u32).to_le_bytes().to_vec();
        expected.extend_from_slice(text.as_bytes());
        expected.extend_from_slice(&7u64.to_le_bytes());
        assert_eq!(key_hash(&(text, 7)), xxh3_64(&expected), "length {len}");
    }
}

#[test]
fn a_sequence_that_crosses_the_inline_buffer_gets_its_length() {
    let keys: Vec<String> = (0..20).map(|i| format!("key {i}")).collect();
    let mut expected = 20u32.to_le_bytes().to_vec();
    for key in &keys {
        expected.extend_from_slice(&(key.len() as u32).to_le_bytes());
        expected.extend_from_slice(key.as_bytes());
    }
    assert_eq!(key_hash(&keys), xxh3_64(&expected));
}

#[test]
fn equal_floats_inside_a_key_hash_equally() {
    assert_eq!(key_hash(&(0.0, 1)), key_hash(&(-0.0, 1)));
    assert_eq!(key_hash(&f64::NAN), key_hash(&-f64::NAN));
    assert_eq!(key_hash(&f32::NAN), key_hash(&f64::NAN));
}

#[test]
fn a_key_that_cannot_be_serialised_has_one_hash_and_a_message() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    assert_eq!(key_hash(&Refuses), UNSERIALIZABLE);
    assert_eq!(key_hash(&("a", Refuses)), xxh3_64(b""));
    let error = checked_key_hash(&Refuses).expect_err("it refuses");
    assert_eq!(error.to_string(), "the key cannot be serialised: not today");
}
