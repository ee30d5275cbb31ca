//! Cuts bytes into lines.

use memchr::memmem::Finder;

/// More bytes than allowed have come without a delimiter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The beginning of a line whose end has not come yet, and the rules of cutting.
pub(crate) struct LineSplitter {
    finder: Finder<'static>,
    /// A carriage return before the delimiter belongs to it.
    drop_carriage_return: bool,
    max_line_bytes: usize,
    /// Holds no whole line between two calls.
    rest: Vec<u8>,
}

impl LineSplitter {
    /// Cuts at `delimiter`, which is not empty.
    pub(crate) fn new(delimiter: &str, max_line_bytes: usize) -> Self {
        LineSplitter {
            finder: Finder::new(delimiter.as_bytes()).into_owned(),
            drop_carriage_return: delimiter == "\n",
            max_line_bytes,
            rest: Vec::new(),
        }
    }

    /// Gives the lines that end in `chunk` to `emit`.
    ///
    /// # Errors
    /// A line is longer than allowed; those before it were emitted.
    pub(crate) fn push(&mut self, chunk: &[u8], mut emit: impl FnMut(&[u8])) -> Result<(), TooLong> {
        // A delimiter may have begun at the end of what was there before, which has been searched up to that.
        let mut search = self.rest.len().saturating_sub(self.finder.needle().len() - 1);
        self.rest.extend_from_slice(chunk);
        let mut start = 0;
        while let Some(found) = self.finder.find(&self.rest[search..]) {
            let end = search + found;
            let mut line = &self.rest[start..end];
            if self.drop_carriage_return {
                line = line.strip_suffix(b"\r").unwrap_or(line);
            }
            if line.len() > self.max_line_bytes {
                return Err(TooLong);
            }
            emit(line);
            start = end + self.finder.needle().len();
            search = start;
        }
        self.rest.drain(..start);
        // What may still turn out to be the delimiter does not count.
        let allowed = self.max_line_bytes.saturating_add(self.finder.needle().len() - 1 + usize::from(self.drop_carriage_return));
        if self.rest.len() > allowed { Err(TooLong) } else { Ok(()) }
    }

    /// The input is at its end: what has no delimiter is a line as well.
    ///
    /// # Errors
    /// It is longer than allowed.
    pub(crate) fn take_rest(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let rest = std::mem::take(&mut self.rest);
        if rest.len() > self.max_line_bytes { Err(TooLong) } else { Ok(Some(rest).filter(|rest| !rest.is_empty())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(splitter: &mut LineSplitter, chunk: &str) -> Result<Vec<String>, TooLong> {
        let mut lines = Vec::new();
        splitter.push(chunk.as_bytes(), |line| lines.push(String::from_utf8(line.to_vec()).unwrap()))?;
        Ok(lines)
    }

    #[test]
    fn wherever_the_input_is_cut_the_lines_are_the_same() {
        for (delimiter, text, expected) in [
            ("\n", "one\r\ntwo\n\n\r\nth\rree\nlast\r", &["one", "two", "", "", "th\rree", "last\r"][..]),
            ("--", "a-b--c---d--", &["a-b", "c", "-d"]),
            ("aab", "aaab|aabaab", &["a", "|", ""]),
            ("é", "1é2éé3", &["1", "2", "", "3"]),
        ] {
            for first in 0..=text.len() {
                for second in first..=text.len() {
                    let mut splitter = LineSplitter::new(delimiter, 100);
                    let mut lines = Vec::new();
                    for chunk in [&text.as_bytes()[..first], &text.as_bytes()[first..second], &text.as_bytes()[second..]] {
                        splitter.push(chunk, |line| lines.push(line.to_vec())).unwrap();
                    }
                    lines.extend(splitter.take_rest().unwrap());
                    let lines: Vec<&str> = lines.iter().map(|line| std::str::from_utf8(line).unwrap()).collect();
                    assert_eq!(lines, expected, "{text:?} cut at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn the_rest_is_taken_once_and_an_empty_one_is_no_line() {
        let mut splitter = LineSplitter::new("\n", 100);
        assert_eq!(split(&mut splitter, "a\nb"), Ok(vec!["a".to_owned()]));
        assert_eq!(splitter.take_rest(), Ok(Some(b"b".to_vec())));
        assert_eq!(splitter.take_rest(), Ok(None));
        assert_eq!(split(&mut splitter, "c\n"), Ok(vec!["c".to_owned()]));
        assert_eq!(splitter.take_rest(), Ok(None));
    }

    #[test]
    fn a_line_of_the_longest_length_passes_and_one_byte_more_does_not() {
        let splitter = || LineSplitter::new("\n", 3);
        assert_eq!(split(&mut splitter(), "abc\r\n"), Ok(vec!["abc".to_owned()]));
        assert_eq!(split(&mut splitter(), "abcd\n"), Err(TooLong));
        let mut whole = splitter();
        assert_eq!(split(&mut whole, "abc\r"), Ok(vec![]));
        assert_eq!(split(&mut whole, "\n"), Ok(vec!["abc".to_owned()]));
        assert_eq!(split(&mut whole, "abc\r"), Ok(vec![]));
        assert_eq!(whole.take_rest(), Err(TooLong), "a carriage return without a delimiter is text");
        assert_eq!(split(&mut splitter(), "abcde"), Err(TooLong), "is not waited for to the end");
    }
}
