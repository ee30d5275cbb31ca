//! Gives complete files their final names.

use super::{
    disk::{look, remove_if_exists, rename_new, same_file, sync_dir},
    error::FileSinkError as Error,
    state::FileCommittable,
};
use flott_core::sink::{CommitOutcome, Committer};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

pub(super) struct FileCommitter;

impl Committer<FileCommittable> for FileCommitter {
    fn commit(&mut self, committable: &FileCommittable) -> CommitOutcome {
        match commit(committable) {
            Ok(true) => CommitOutcome::Committed,
            Ok(false) => CommitOutcome::AlreadyCommitted,
            Err(error) if may_pass(&error) => CommitOutcome::Retry(Box::new(error)),
            Err(error) => CommitOutcome::Failed(Box::new(error)),
        }
    }
}

/// Renames the pending file; false if that was done before.
fn commit(committable: &FileCommittable) -> Result<bool, Error> {
    let (from, to) = (Path::new(&committable.from), Path::new(&committable.to));
    let expected = committable.length;
    let occupied = || Error::Occupied { from: PathBuf::from(from), to: PathBuf::from(to) };
    let new = match (look(from)?, look(to)?) {
        (Some(pending), _) if pending.len() != expected => {
            return Err(Error::WrongLength { path: from.to_owned(), expected, found: pending.len() });
        }
        (Some(_), None) => match rename_new(from, to) {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(occupied()),
            Err(error) => return Err(Error::io("finish", from)(error)),
        },
        // A crash came in the middle of an earlier commit.
        (Some(pending), Some(finished)) if same_file(&pending, &finished) => {
            remove_if_exists(from).map_err(Error::io("remove", from))?;
            true
        }
        (Some(_), Some(_)) => return Err(occupied()),
        (None, Some(finished)) if finished.len() == expected => false,
        (None, Some(finished)) => return Err(Error::WrongLength { path: to.to_owned(), expected, found: finished.len() }),
        (None, None) => return Err(Error::Lost { from: from.to_owned(), to: to.to_owned() }),
    };
    if let Some(dir) = to.parent() {
        sync_dir(dir)?;
    }
    Ok(new)
}

/// Whether trying again may help.
fn may_pass(error: &Error) -> bool {
    let Error::Io { source, .. } = error else { return false };
    matches!(
        source.kind(),
        ErrorKind::Interrupted
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ResourceBusy
            | ErrorKind::StaleNetworkFileHandle
    )
}
