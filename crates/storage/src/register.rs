//! The content of a job's register, and its rules: pure decisions, no files.

use crate::{frame::FrameKind, metadata::SnapshotKind};
use flott_core::id::{CheckpointId, JobId};
use serde::{Deserialize, Serialize};

/// How a register's file begins. The version goes up with any change to the types below.
pub(crate) const REGISTER_FRAME: FrameKind = FrameKind { magic: b"FLOTTreg", version: 2 };

/// Which checkpoints of a job are complete, and who may add to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Register {
    pub(crate) job: JobId,
    /// The latest term of a JobManager; older ones are refused.
    pub(crate) epoch: u64,
    /// The largest number of a complete checkpoint, whether it is still kept or not.
    pub(crate) last: Option<CheckpointId>,
    /// The largest number that any term before the current one has begun, as far as anything was there when this one began. Who led
    /// then may still be about to remove what is there under such a number, so that none of them is begun again.
    pub(crate) used: Option<CheckpointId>,
    /// Those that are kept, oldest first.
    pub(crate) entries: Vec<Entry>,
}

/// As it was in format version 1.
#[derive(Deserialize)]
struct RegisterOfVersion1 {
    job: JobId,
    epoch: u64,
    last: Option<CheckpointId>,
    entries: Vec<Entry>,
}

/// A complete checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The term in which it was added.
    pub(crate) epoch: u64,
    pub(crate) checkpoint: CheckpointId,
    pub(crate) kind: SnapshotKind,
    /// Its folder, from the folder of the job; a full path if it is in no folder beside.
    pub(crate) path: String,
    pub(crate) completed_at_ms: u64,
    pub(crate) bytes: u64,
    /// The checksum of its `_metadata`.
    pub(crate) metadata_crc: u32,
    /// The job that removes it in the end; a savepoint has none.
    pub(crate) owner: Option<JobId>,
}

/// Something was refused: the reader is behind what the register has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

impl Register {
    pub(crate) fn new(job: JobId) -> Self {
        Register { job, epoch: 0, last: None, used: None, entries: Vec::new() }
    }

    /// Decodes the body of a register of format version `version`; also returns what follows it.
    pub(crate) fn decode(version: u32, body: &[u8]) -> postcard::Result<(Self, &[u8])> {
        if version > 1 {
            return postcard::take_from_bytes(body);
        }
        let (RegisterOfVersion1 { job, epoch, last, entries }, rest) = postcard::take_from_bytes(body)?;
        Ok((Register { job, epoch, last, used: None, entries }, rest))
    }

    /// The number that the next checkpoint has at least.
    pub(crate) fn next(&self) -> CheckpointId {
        CheckpointId(self.last.max(self.used).map_or(1, |used| used.0.saturating_add(1)))
    }

    /// Where it stands, for messages.
    pub(crate) fn position(&self) -> String {
        match self.last {
            Some(last) => format!("term {}, checkpoint {last}", self.epoch),
            None => format!("term {}, no checkpoint", self.epoch),
        }
    }

    /// Lets a new term begin. It must be later than any before.
    pub(crate) fn begin_term(&mut self, epoch: u64) -> Result<(), Refused> {
        if epoch <= self.epoch {
            return Err(Refused);
        }
        self.epoch = epoch;
        Ok(())
    }

    /// Takes note that numbers up to `used` have been begun.
    pub(crate) fn note_used(&mut self, used: Option<CheckpointId>) {
        self.used = self.used.max(used);
    }

    /// Whether term `epoch` is the current one.
    pub(crate) fn admit(&self, epoch: u64) -> Result<(), Refused> {
        if epoch == self.epoch { Ok(()) } else { Err(Refused) }
    }

    /// Adds a complete checkpoint: of the current term, and with a number above all before. Adding the same one again
    /// changes nothing, so that a lost answer can be asked for again.
    pub(crate) fn complete(&mut self, entry: Entry) -> Result<(), Refused> {
        self.admit(entry.epoch)?;
        if self.last.is_some_and(|last| entry.checkpoint <= last) {
            return if self.entries.last() == Some(&entry) { Ok(()) } else { Err(Refused) };
        }
        self.last = Some(entry.checkpoint);
        self.entries.push(entry);
        Ok(())
    }

    /// Takes the oldest entries out, all but `keep`.
    pub(crate) fn subsume(&mut self, keep: usize) -> Vec<Entry> {
        let surplus = self.entries.len().saturating_sub(keep);
        self.entries.drain(..surplus).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(epoch: u64, checkpoint: u64) -> Entry {
        Entry {
            epoch,
            checkpoint: CheckpointId(checkpoint),
            kind: SnapshotKind::Checkpoint,
            path: format!("chk-{checkpoint}"),
            completed_at_ms: 5,
            bytes: 6,
            metadata_crc: 7,
            owner: Some(JobId(1)),
        }
    }

    #[test]
    fn terms_and_numbers_only_go_up() {
        let mut register = Register::new(JobId(1));
        register.begin_term(3).unwrap();
        assert_eq!(register.begin_term(3), Err(Refused));
        assert_eq!(register.complete(entry(2, 9)), Err(Refused));
        register.complete(entry(3, 9)).unwrap();
        register.complete(entry(3, 9)).unwrap();
        assert_eq!(register.entries.len(), 1);
        assert_eq!(register.complete(Entry { metadata_crc: 0, ..entry(3, 9) }), Err(Refused));
        assert_eq!(register.complete(entry(3, 8)), Err(Refused));
        assert_eq!(register.complete(entry(4, 10)), Err(Refused), "term 4 has not begun");
        register.begin_term(5).unwrap();
        register.complete(entry(5, 10)).unwrap();
        assert_eq!(register.complete(entry(4, 11)), Err(Refused));
        assert_eq!((register.epoch, register.last), (5, Some(CheckpointId(10))));
    }

    #[test]
    fn a_register_of_version_1_is_read() {
        let mut old = postcard::to_allocvec(&(JobId(1), 3u64, Some(CheckpointId(9)), vec![entry(3, 9)])).unwrap();
        old.push(77);
        let (register, rest) = Register::decode(1, &old).unwrap();
        assert_eq!(register, Register { job: JobId(1), epoch: 3, last: Some(CheckpointId(9)), used: None, entries: vec![entry(3, 9)] });
        assert_eq!(rest, [77]);
    }

    /// If this fails, registers of earlier releases cannot be read any more: give the format a new version, and keep a decoder.
    #[test]
    fn the_encoding_is_that_of_format_version_2() {
        let register =
            Register { job: JobId(1), epoch: 3, last: Some(CheckpointId(9)), used: Some(CheckpointId(10)), entries: vec![entry(3, 9)] };
        let sealed = crate::frame::seal(&REGISTER_FRAME, &register).unwrap();
        assert_eq!(sealed.bytes[20..27], [1, 3, 1, 9, 1, 10, 1]);
        assert_eq!(Register::decode(2, &sealed.bytes[20..sealed.bytes.len() - 4]).unwrap(), (register, &[][..]));
    }

    #[test]
    fn a_number_that_was_used_is_not_the_next() {
        let mut register = Register::new(JobId(1));
        assert_eq!(register.next(), CheckpointId(1));
        register.note_used(Some(CheckpointId(4)));
        register.note_used(None);
        register.note_used(Some(CheckpointId(2)));
        assert_eq!(register.next(), CheckpointId(5));
        register.complete(entry(0, 7)).unwrap();
        assert_eq!(register.next(), CheckpointId(8));
    }

    #[test]
    fn a_subsumed_checkpoint_cannot_come_back() {
        let mut register = Register::new(JobId(1));
        register.begin_term(1).unwrap();
        for checkpoint in 1..=4 {
            register.complete(entry(1, checkpoint)).unwrap();
        }
        assert_eq!(register.subsume(1), [entry(1, 1), entry(1, 2), entry(1, 3)]);
        assert_eq!(register.subsume(1), []);
        assert_eq!(register.complete(entry(1, 3)), Err(Refused));
        register.subsume(0);
        assert_eq!(register.complete(entry(1, 4)), Err(Refused));
    }
}
