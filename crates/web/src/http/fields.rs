//! The body of a call: a JSON object, read generously. Forms send numbers as strings and `null` for what was left empty; unknown
//! fields are for other versions.

use crate::http::answer::Refusal;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields of a body.
#[derive(Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads `body`; an empty one has no fields.
    pub(crate) fn parse(body: &[u8]) -> Result<Fields, Refusal> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Fields::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Fields(fields)),
            Ok(Value::Null) => Ok(Fields::default()),
            Ok(_) => Err(Refusal::bad_request("the body must be a JSON object")),
            Err(error) => Err(Refusal::bad_request(format!("the body is not JSON: {error}"))),
        }
    }

    /// All of them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }

    /// The first of `names` that is there and not null.
    fn get(&self, names: &[&'static str]) -> Option<(&'static str, &Value)> {
        names.iter().find_map(|name| self.0.get(*name).filter(|value| !value.is_null()).map(|value| (*name, value)))
    }

    /// A text; an empty one counts as absent.
    pub(crate) fn text(&self, names: &[&'static str]) -> Result<Option<String>, Refusal> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| wrong(name, value, "a text"))?;
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    /// One of `words`; an empty text counts as absent.
    pub(crate) fn word(&self, name: &'static str, words: &[&'static str]) -> Result<Option<&'static str>, Refusal> {
        let Some((name, value)) = self.get(&[name]) else { return Ok(None) };
        match value.as_str() {
            Some("") => Ok(None),
            given => match words.iter().find(|word| given.is_some_and(|given| word.eq_ignore_ascii_case(given))) {
                Some(word) => Ok(Some(word)),
                None => Err(wrong(name, value, &format!("one of `{}`", words.join("`, `")))),
            },
        }
    }

    /// Yes or no.
    pub(crate) fn boolean(&self, names: &[&'static str]) -> Result<Option<bool>, Refusal> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        match value {
            Value::Bool(value) => Ok(Some(*value)),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            _ => Err(wrong(name, value, "`true` or `false`")),
        }
    }

    /// A whole number.
    pub(crate) fn number(&self, names: &[&'static str]) -> Result<Option<u32>, Refusal> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let number = match value {
            Value::String(text) if text.trim().is_empty() => return Ok(None),
            Value::String(text) => text.trim().parse().ok(),
            _ => value.as_u64().and_then(|number| u32::try_from(number).ok()),
        };
        number.map(Some).ok_or_else(|| wrong(name, value, "a whole number"))
    }

    /// A list of texts.
    pub(crate) fn texts(&self, names: &[&'static str]) -> Result<Option<Vec<String>>, Refusal> {
        let Some((name, value)) = self.get(names) else { return Ok(None) };
        let Value::Array(values) = value else { return Err(wrong(name, value, "a list of texts")) };
        values.iter().map(|value| scalar(value).ok_or_else(|| wrong(name, value, "a text"))).collect::<Result<_, _>>().map(Some)
    }

    /// Texts by name.
    pub(crate) fn map(&self, names: &[&'static str]) -> Result<BTreeMap<String, String>, Refusal> {
        let Some((name, value)) = self.get(names) else { return Ok(BTreeMap::new()) };
        let Value::Object(values) = value else { return Err(wrong(name, value, "an object")) };
        let mut map = BTreeMap::new();
        for (key, value) in values.iter().filter(|(_, value)| !value.is_null()) {
            map.insert(key.clone(), scalar(value).ok_or_else(|| wrong(name, value, "a text"))?);
        }
        Ok(map)
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn wrong(name: &str, value: &Value, expected: &str) -> Refusal {
    Refusal::bad_request(format!("the field `{name}` must be {expected}, and is {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_may_be_strings_and_nulls_are_absent() {
        let fields = fields(r#"{"parallelism": "4", "other": 5, "flag": "TRUE", "path": null, "empty": "", "unknown": {}}"#);
        assert_eq!(fields.number(&["parallelism"]).unwrap(), Some(4));
        assert_eq!(fields.number(&["missing", "other"]).unwrap(), Some(5));
        assert_eq!(fields.number(&["empty"]).unwrap(), None);
        assert_eq!(fields.boolean(&["flag"]).unwrap(), Some(true));
        assert_eq!(fields.text(&["path"]).unwrap(), None);
        assert_eq!(fields.text(&["empty"]).unwrap(), None);
    }

    #[test]
    fn what_is_of_another_kind_is_refused_by_name() {
        let fields = fields(r#"{"parallelism": "four", "negative": -1, "flag": 1, "list": "a", "deep": [[]]}"#);
        assert!(fields.number(&["parallelism"]).unwrap_err().message.contains("`parallelism`"));
        assert!(fields.number(&["negative"]).is_err());
        assert!(fields.boolean(&["flag"]).is_err());
        assert!(fields.texts(&["list"]).is_err());
        assert!(fields.texts(&["deep"]).is_err());
        assert!(fields.text(&["negative"]).unwrap_err().message.contains("`negative`"));
        assert!(fields.word("list", &["B", "C"]).unwrap_err().message.contains("one of `B`, `C`"));
        assert!(fields.word("negative", &["B"]).is_err());
        assert_eq!(fields.word("list", &["A"]).unwrap(), Some("A"));
    }

    #[test]
    fn an_empty_body_has_no_fields_and_a_list_is_no_body() {
        assert!(Fields::parse(b" \n").unwrap().0.is_empty());
        assert!(Fields::parse(b"[]").is_err());
        assert!(Fields::parse(b"{").is_err());
    }
}
