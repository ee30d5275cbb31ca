//! What lies under a checkpoint directory.

use flott_core::Error;
use flott_storage::CheckpointDirectory;

/// The folder of the newest complete checkpoint under `directory`, of whatever job; `None` if there is none.
///
/// # Errors
/// The directory cannot be read.
pub fn latest_checkpoint(directory: &str) -> Result<Option<String>, Error> {
    let found = CheckpointDirectory::on_disk(directory)?.completed()?;
    Ok(found.checkpoints.into_iter().next().map(|checkpoint| checkpoint.folder))
}
