//! What flows through simulated jobs.

use serde::{Deserialize, Serialize};

/// Which record: source, split, place in the split, and which of its copies.
pub(crate) type RecordId = (u8, u16, u32, u8);

/// A record, as a source makes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) source: u8,
    pub(crate) split: u16,
    pub(crate) place: u32,
    pub(crate) copy: u8,
    pub(crate) key: u16,
    pub(crate) value: i64,
    /// Event time, ms.
    pub(crate) time: i64,
}

impl Record {
    pub(crate) fn id(&self) -> RecordId {
        (self.source, self.split, self.place, self.copy)
    }

    /// The second copy that a flat map makes of some records.
    pub(crate) fn twin(&self) -> Option<Record> {
        (self.value % 3 == 0).then(|| Record { copy: 1, ..self.clone() })
    }
}

/// What sinks are given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Out {
    /// A record as it is.
    Plain(RecordId),
    /// The state of a key after its `count`-th record, which was `last`.
    Counted { key: u16, count: u64, sum: i64, last: RecordId },
    /// A timer has fired: so many records of the key were in the bucket.
    Fired { key: u16, bucket: i64, count: u64 },
    /// A record that came after its bucket's timer.
    Late { key: u16, bucket: i64, id: RecordId },
    /// A record that was broadcast to `width` receivers, at receiver `at`.
    Copy { at: u32, width: u32, id: RecordId },
}
