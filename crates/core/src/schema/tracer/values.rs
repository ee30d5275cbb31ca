//! The values that are made up, in the order in which they are tried. The first suits nearly every type.

pub(super) const BOOLS: [bool; 2] = [true, false];
/// One first: a `NonZero` refuses zero.
pub(super) const SMALL: [u8; 3] = [1, 0, 2];
pub(super) const SMALL_I8: [i8; 3] = [1, 0, 2];
pub(super) const FLOATS: [f32; 3] = [1.0, 0.0, 0.5];
pub(super) const CHARS: [char; 3] = ['a', 'A', '1'];
/// Besides a word: what dates, times, addresses and identifiers accept.
pub(super) const STRINGS: [&str; 17] = [
    "a",
    "",
    "1",
    "1970-01-01T00:00:00Z",
    "1970-01-01T00:00:00",
    "1970-01-01",
    "00:00:00",
    "00000000-0000-0000-0000-000000000000",
    "127.0.0.1",
    "127.0.0.1:80",
    "http://localhost/",
    "a@localhost.localdomain",
    "/",
    "1.0.0",
    "UTC",
    "PT1S",
    "EUR",
];
/// Lengths.
pub(super) const BYTES: [usize; 9] = [0, 16, 1, 4, 8, 12, 20, 32, 64];
pub(super) const ZEROS: [u8; 64] = [0; 64];
