//! The content of `_completed`, and its rules: pure decisions, no files.

use crate::{frame::FrameKind, metadata::SnapshotKind};
use flott_core::id::{CheckpointId, JobId};
use serde::{Deserialize, Serialize};

/// How a `_completed` file begins. The version goes up with any change to the types below.
pub(crate) const REGISTER_FRAME: FrameKind = FrameKind { magic: b"FLOTTreg", version: 1 };

/// Which checkpoints of a job are complete, and who may add to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Register {
    pub(crate) job: JobId,
    /// The latest term of a JobManager; older ones are refused.
    pub(crate) epoch: u64,
    /// The largest number of a complete checkpoint, whether it is still kept or not.
    pub(crate) last: Option<CheckpointId>,
    /// Those that are kept, oldest first.
    pub(crate) entries: Vec<Entry>,
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
        Register { job, epoch: 0, last: None, entries: Vec::new() }
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
