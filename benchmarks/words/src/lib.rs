//! The rule that all programs of the word count follow: a word is a maximal run of ASCII letters, digits and underscores,
//! lower-cased.

/// For each byte: the byte that stands for it in a word, or 0 if it ends one.
const IN_WORD: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric() || b == b'_' {
            table[byte] = b.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Calls `found` with every word of `line`. `buffer` holds the word that is being put together; it is cleared first.
pub fn for_each_word(line: &[u8], buffer: &mut Vec<u8>, mut found: impl FnMut(&str)) {
    buffer.clear();
    let mut emit = |buffer: &mut Vec<u8>| {
        if !buffer.is_empty() {
            found(std::str::from_utf8(buffer).expect("words are ASCII"));
            buffer.clear();
        }
    };
    for &byte in line {
        match IN_WORD[usize::from(byte)] {
            0 => emit(buffer),
            byte => buffer.push(byte),
        }
    }
    emit(buffer);
}

#[cfg(test)]
mod tests {
    use super::for_each_word;

    fn words(line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for_each_word(line.as_bytes(), &mut b"old".to_vec(), |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn words_are_lower_case_runs_of_letters_digits_and_underscores() {
        assert_eq!(words("To be, or NOT_to be2 -- that's \"it\"."), ["to", "be", "or", "not_to", "be2", "that", "s", "it"]);
    }

    #[test]
    fn a_letter_that_is_not_ascii_ends_a_word() {
        assert_eq!(words("caféteria"), ["caf", "teria"]);
    }

    #[test]
    fn a_line_without_words_gives_none() {
        assert_eq!(words(" .,\t\r"), Vec::<String>::new());
        assert_eq!(words(""), Vec::<String>::new());
    }
}
