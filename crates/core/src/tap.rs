//! What a tap may show of records: their text, and what the job hides of it.

use crate::{codec::encoded_len, format::format_value};
use serde::Serialize;
use std::{any::Any, fmt, io, sync::Arc};

/// The longest text of a record, bytes.
pub const RECORD_TEXT_BYTES: usize = 4096;

/// Makes a record fit to be shown: gets a copy, of which it overwrites what nobody is to see.
#[derive(Clone)]
pub struct TapMask(Arc<Mask>);

/// Masks a record, and returns whether it is of the type that it is for.
type Mask = dyn Fn(&mut dyn Any) -> bool + Send + Sync;

impl TapMask {
    /// Masks records of `T` with `mask`.
    pub fn new<T: 'static>(mask: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        TapMask(Arc::new(move |record| record.downcast_mut().map(&mask).is_some()))
    }

    /// Masks `record`. Returns whether it is of the type that the mask is for.
    pub fn apply(&self, record: &mut dyn Any) -> bool {
        (self.0)(record)
    }

    /// Whether both are the same mask.
    pub fn is_same(&self, other: &TapMask) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for TapMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TapMask")
    }
}

/// What may be shown of the records of a stream.
#[derive(Debug, Clone)]
pub enum TapPolicy {
    /// What all masks, one after the other, leave of them; everything where there is none. Records that a mask does not fit are hidden.
    Masked(Vec<TapMask>),
    /// Nothing but that there are some.
    Hidden,
}

impl Default for TapPolicy {
    fn default() -> Self {
        TapPolicy::Masked(Vec::new())
    }
}

impl TapPolicy {
    /// Whether records are shown as they are.
    pub fn shows_all(&self) -> bool {
        matches!(self, TapPolicy::Masked(masks) if masks.is_empty())
    }

    /// That of a stream whose records come from one with this policy or from one with `other`.
    pub fn and(self, other: &TapPolicy) -> TapPolicy {
        match (self, other) {
            (TapPolicy::Masked(mut masks), TapPolicy::Masked(others)) => {
                let fresh: Vec<_> = others.iter().filter(|other| !masks.iter().any(|mask| mask.is_same(other))).cloned().collect();
                masks.extend(fresh);
                TapPolicy::Masked(masks)
            }
            _ => TapPolicy::Hidden,
        }
    }
}

/// A record as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordText {
    /// Compact JSON where the record can be written so; else as sinks print it.
    pub text: String,
    /// Whether it is only the beginning of the text.
    pub truncated: bool,
}

/// Takes bytes up to a limit and refuses the first one behind it, so that a large record is not written to its end.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.full |= bytes.len() > room;
        if self.full { Err(io::Error::other("enough")) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `record` as text of at most `limit` bytes.
pub fn record_text<T: Serialize + ?Sized>(record: &T, limit: usize) -> RecordText {
    let mut writer = Limited { bytes: Vec::with_capacity(limit.min(256)), limit, full: false };
    let written = serde_json::to_writer(&mut writer, record);
    if written.is_ok() || writer.full {
        return cut(writer.bytes, limit, writer.full);
    }
    // Such as a map whose keys are no texts.
    let bytes = encoded_len(record);
    if bytes > limit {
        return RecordText { text: format!("<a record of {bytes} bytes>"), truncated: true };
    }
    cut(format_value(record).into_bytes(), limit, false)
}

/// The text in `bytes`, of which the last character may be only half there.
fn cut(mut bytes: Vec<u8>, limit: usize, truncated: bool) -> RecordText {
    let truncated = truncated || bytes.len() > limit;
    bytes.truncate(limit);
    if let Err(error) = std::str::from_utf8(&bytes) {
        bytes.truncate(error.valid_up_to());
    }
    RecordText { text: String::from_utf8(bytes).expect("cut where it is valid"), truncated }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnyBatch, Batch};
    use std::collections::BTreeMap;

    #[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
    struct Payment {
        card: String,
        cents: u64,
    }

    fn payment() -> Payment {
        Payment { card: "4111-1111".to_owned(), cents: 250 }
    }

    fn shown(policy: &TapPolicy, batch: &AnyBatch) -> Option<String> {
        batch.tap(0, policy, 100).map(|shown| shown.text)
    }

    #[test]
    fn records_are_json_and_what_json_cannot_tell_is_printed() {
        let text = |value: RecordText| (value.text, value.truncated);
        assert_eq!(text(record_text(&payment(), 100)), (r#"{"card":"4111-1111","cents":250}"#.to_owned(), false));
        assert_eq!(text(record_text(&("a", 1), 100)), (r#"["a",1]"#.to_owned(), false));
        assert_eq!(text(record_text(&BTreeMap::from([((1, 2), 3)]), 100)), ("{(1, 2)=3}".to_owned(), false));
    }

    #[test]
    fn a_long_record_is_cut_between_two_characters() {
        let text = record_text(&"äää".repeat(1000), 10);
        assert_eq!((text.text.as_str(), text.truncated), ("\"ääää", true));
        assert_eq!(record_text("12345678", 10), RecordText { text: "\"12345678\"".to_owned(), truncated: false });
        let map = BTreeMap::from([((1, 2), "x".repeat(1000))]);
        let text = record_text(&map, 100);
        assert!(text.truncated && text.text.starts_with("<a record of 10"), "{text:?}");
    }

    #[test]
    fn a_mask_changes_what_is_shown_and_not_the_record() {
        let batch = AnyBatch::new(Batch::of(vec![payment()]));
        let mask = TapMask::new(|payment: &mut Payment| payment.card = "***".to_owned());
        assert_eq!(shown(&TapPolicy::Masked(vec![mask]), &batch).unwrap(), r#"{"card":"***","cents":250}"#);
        assert!(shown(&TapPolicy::default(), &batch).unwrap().contains("4111"));
        assert_eq!(batch.downcast::<Payment>().unwrap().values[0].card, "4111-1111");
    }

    #[test]
    fn records_of_another_type_than_the_mask_is_for_are_hidden() {
        let batch = AnyBatch::new(Batch::of(vec!["4111-1111".to_owned()]));
        let mask = TapMask::new(|payment: &mut Payment| payment.card.clear());
        assert_eq!(shown(&TapPolicy::Masked(vec![mask]), &batch), None);
        assert_eq!(shown(&TapPolicy::Hidden, &batch), None);
    }

    #[test]
    fn records_of_two_streams_go_through_the_masks_of_both() {
        let (card, cents) = (TapMask::new(|p: &mut Payment| p.card.clear()), TapMask::new(|p: &mut Payment| p.cents = 0));
        let both = TapPolicy::Masked(vec![card.clone()]).and(&TapPolicy::Masked(vec![card, cents]));
        assert!(matches!(&both, TapPolicy::Masked(masks) if masks.len() == 2));
        assert_eq!(shown(&both, &AnyBatch::new(Batch::of(vec![payment()]))).unwrap(), r#"{"card":"","cents":0}"#);
        assert!(matches!(both.and(&TapPolicy::Hidden), TapPolicy::Hidden));
    }
}
