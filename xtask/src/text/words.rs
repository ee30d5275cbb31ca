//! Made-up words.

use std::collections::HashSet;

use super::prng::Prng;

const ONSETS: [&str; 30] = [
    "b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "br", "ch", "cl", "dr", "fl", "gr", "pl", "pr", "sh",
    "st", "th", "tr", "j", "qu",
];
const VOWELS: [&str; 12] = ["a", "e", "i", "o", "u", "ea", "ou", "ai", "y", "ee", "io", "oa"];
const CODAS: [&str; 14] = ["", "", "", "n", "r", "s", "t", "l", "d", "m", "ng", "nt", "ck", "st"];

/// Shortest and longest word, in letters.
const LETTERS: std::ops::RangeInclusive<usize> = 2..=14;

/// `n` distinct lower-case words of 2 to 14 letters, the frequent ones (first) shorter than the rare ones, as in a natural
/// language; one in fifty holds a digit or an underscore.
pub(crate) fn distinct_words(n: usize, prng: &mut Prng) -> Vec<String> {
    let mut words = Vec::with_capacity(n);
    let mut seen = HashSet::with_capacity(n);
    while words.len() < n {
        // The mean grows with the number of bits of the rank: about 3 letters for the first ones, about 8 for rank 50 000; some
        // rare words are much longer.
        let bits = usize::BITS - words.len().leading_zeros();
        let tail = if bits > 11 && prng.below(4) == 0 { prng.below(7) } else { 0 };
        // The dozen words that make up a quarter of the text vary little, so that texts of all seeds have about as many words.
        let spread = if bits < 5 { 1 + prng.below(2) } else { prng.below(3) + prng.below(3) + tail };
        let length = (1 + bits * 8 / 25 + spread) as usize;
        let mut word = word(length.clamp(*LETTERS.start(), *LETTERS.end()), prng);
        while !seen.insert(word.clone()) {
            // Too few words of this length are left: a longer one.
            if word.len() == *LETTERS.end() {
                word = self::word(*LETTERS.end(), prng);
            } else {
                word.push(char::from(b'a' + prng.below(26) as u8));
            }
        }
        words.push(word);
    }
    words
}

/// One word of exactly `length` letters, of syllables.
fn word(length: usize, prng: &mut Prng) -> String {
    let mut pick = |from: &[&'static str]| from[prng.below(from.len() as u32) as usize];
    let mut word = String::new();
    if pick(&["", "", "v"]) == "v" {
        word.push_str(pick(&VOWELS));
    }
    while word.len() < length {
        word.push_str(pick(&ONSETS));
        word.push_str(pick(&VOWELS));
        word.push_str(pick(&CODAS));
    }
    word.truncate(length);
    match prng.below(100) {
        0 => word.replace_range(length - 1.., char::from(b'0' + prng.below(10) as u8).encode_utf8(&mut [0])),
        1 if length > 2 => word.replace_range(length / 2..=length / 2, "_"),
        _ => {}
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_thousand_words_are_distinct_lower_case_and_of_two_to_fourteen_letters() {
        let words = distinct_words(50_000, &mut Prng::new(42));
        assert_eq!(words.iter().collect::<HashSet<_>>().len(), 50_000);
        for word in &words {
            assert!(LETTERS.contains(&word.len()), "{word}");
            assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{word}");
        }
        let mean = |words: &[String]| words.iter().map(String::len).sum::<usize>() as f64 / words.len() as f64;
        assert!(mean(&words[..100]) < mean(&words[10_000..]) - 2.0);
        assert!(words.iter().any(|word| word.contains('_')) && words.iter().any(|word| word.contains(|c: char| c.is_ascii_digit())));
    }
}
