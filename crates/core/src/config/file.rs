//! Configuration files: YAML, as far as Flink's `config.yaml` uses it.

use super::error::ConfigError;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

/// The deepest nesting of sections.
const MAX_DEPTH: usize = 32;

/// One value of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileEntry {
    /// The whole key: `execution.checkpointing.interval`, however it is nested.
    pub(super) key: String,
    /// The value; empty for null. The elements of a list are joined by `;`.
    pub(super) value: String,
    /// The line of the key, from 1.
    pub(super) line: usize,
    /// Whether there is no value: null, or nothing.
    pub(super) is_null: bool,
}

/// The values in the text of the file `path`.
///
/// # Errors
/// The text is not YAML, or not a mapping of keys to values.
pub(super) fn parse_file(path: &str, text: &str) -> Result<Vec<FileEntry>, ConfigError> {
    let mut reader = Reader { path, parser: Parser::new_from_str(text), entries: Vec::new() };
    reader.document()?;
    Ok(reader.entries)
}

struct Reader<'a> {
    path: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    entries: Vec<FileEntry>,
}

impl<'a> Reader<'a> {
    fn malformed(&self, at: &Marker, message: impl Into<String>) -> ConfigError {
        ConfigError::MalformedFile { path: self.path.to_owned(), line: at.line(), message: message.into() }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), ConfigError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.malformed(error.marker(), format!("not YAML: {}", error.info()))),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<(), ConfigError> {
        let mut found = false;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if found => return Err(self.malformed(&span.start, "a second document")),
                Event::DocumentStart(_) => found = true,
                Event::MappingStart(..) => self.mapping("", 0)?,
                Event::Scalar(text, style, ..) if is_null(&text, style) => {}
                _ => return Err(self.malformed(&span.start, "expected `key: value`")),
            }
        }
    }

    /// The entries of a mapping whose start has been read.
    fn mapping(&mut self, section: &str, depth: usize) -> Result<(), ConfigError> {
        loop {
            let (event, span) = self.next()?;
            let line = span.start.line();
            let name = match event {
                Event::MappingEnd => return Ok(()),
                Event::Scalar(text, ..) => text,
                _ => return Err(self.malformed(&span.start, "a key must be a word")),
            };
            let key = if section.is_empty() { name.into_owned() } else { format!("{section}.{name}") };
            let (event, span) = self.next()?;
            match event {
                Event::Scalar(text, style, ..) => {
                    let is_null = is_null(&text, style);
                    let value = if is_null { String::new() } else { text.into_owned() };
                    self.entries.push(FileEntry { key, value, line, is_null });
                }
                Event::SequenceStart(..) => {
                    let value = self.sequence(&key)?;
                    self.entries.push(FileEntry { key, value, line, is_null: false });
                }
                Event::MappingStart(..) if depth < MAX_DEPTH => self.mapping(&key, depth + 1)?,
                Event::MappingStart(..) => return Err(self.malformed(&span.start, "sections are nested too deeply")),
                Event::Alias(_) => return Err(self.malformed(&span.start, "aliases (`*name`) are not supported: write the value")),
                _ => return Err(self.malformed(&span.start, format!("`{key}` has no value"))),
            }
        }
    }

    /// The elements of a list whose start has been read.
    fn sequence(&mut self, key: &str) -> Result<String, ConfigError> {
        let mut elements = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::SequenceEnd => return Ok(elements.join(";")),
                Event::Scalar(text, ..) => elements.push(text),
                _ => return Err(self.malformed(&span.start, format!("the list `{key}` may only hold plain values"))),
            }
        }
    }
}

fn is_null(text: &str, style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(String, String, usize)> {
        let entries = parse_file("config.yaml", text).expect("a good file");
        entries.into_iter().map(|entry| (entry.key, entry.value, entry.line)).collect()
    }

    fn message(text: &str) -> String {
        parse_file("config.yaml", text).expect_err("a bad file").to_string()
    }

    #[test]
    fn flat_and_nested_keys_are_one() {
        let text = "# a comment\nparallelism.default: 2\nexecution:\n  checkpointing:\n    interval: 10 s # behind\n    dir: 'file:///tmp/a#b'\n  runtime-mode: \"BATCH\"\nexecution.state-recovery:\n  path: x\n";
        let expected = [
            ("parallelism.default", "2", 2),
            ("execution.checkpointing.interval", "10 s", 5),
            ("execution.checkpointing.dir", "file:///tmp/a#b", 6),
            ("execution.runtime-mode", "BATCH", 7),
            ("execution.state-recovery.path", "x", 9),
        ];
        assert_eq!(entries(text), expected.map(|(key, value, line)| (key.to_owned(), value.to_owned(), line)));
    }

    #[test]
    fn lists_are_joined() {
        let list = |line| vec![("a".to_owned(), "x;y z".to_owned(), line)];
        assert_eq!(entries("a: [x, 'y z']"), list(1));
        assert_eq!(entries("\na:\n  - x\n  - y z\n"), list(2));
    }

    #[test]
    fn null_is_empty_and_its_word_in_quotes_is_a_word() {
        let parsed = parse_file("", "a:\nb: ~\nc: 'null'\nd: ''\n").expect("a good file");
        let values: Vec<_> = parsed.iter().map(|entry| (entry.value.as_str(), entry.is_null)).collect();
        assert_eq!(values, [("", true), ("", true), ("null", false), ("", false)]);
    }

    #[test]
    fn an_empty_file_has_no_entries() {
        for text in ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n"] {
            assert_eq!(entries(text), [], "{text:?}");
        }
    }

    #[test]
    fn what_is_no_mapping_is_refused_with_its_line() {
        assert_eq!(message("a: 1\nb: *x\n").split(": ").next(), Some("config.yaml:2"));
        assert_eq!(message("- a\n- b\n"), "config.yaml:1: expected `key: value`");
        assert_eq!(message("a: 1\nb:\n  - [1]\n"), "config.yaml:3: the list `b` may only hold plain values");
        assert_eq!(message("a: &x 1\nb: *x\n"), "config.yaml:2: aliases (`*name`) are not supported: write the value");
        assert_eq!(message("a: 1\n---\nb: 2\n"), "config.yaml:2: a second document");
        assert!(message("a: 1\nb: 'open\n").starts_with("config.yaml:"));
        assert!(message("a: {b: [\n").contains("not YAML"));
        assert!(message(&"a: {".repeat(100_000)).contains("too deeply"));
    }
}
