//! Where a savepoint goes.

use flott_core::id::{CheckpointId, JobId};
use flott_graph::settings::CheckpointSettings;
use flott_storage::SnapshotTarget;

/// The folder of a savepoint: below the directory that was asked for, or else the configured one.
///
/// # Errors
/// There is no such directory, or it cannot be used; as text, for the client.
pub(crate) fn folder(
    directory: Option<&str>,
    settings: &CheckpointSettings,
    job: JobId,
    epoch: u64,
    checkpoint: CheckpointId,
) -> Result<String, String> {
    let configured = || match &settings.savepoint_dir {
        Some(dir) => dir.to_str().map(str::to_owned).ok_or_else(|| format!("the path `{}` is not UTF-8", dir.display())),
        None => Err("no directory for savepoints is known: name one, or set `execution.checkpointing.savepoint-dir`".to_owned()),
    };
    let directory = directory.map_or_else(configured, |given| Ok(given.to_owned()))?;
    // Unique over the life of the job, since epochs and checkpoints only count up.
    let suffix = format!("{epoch:x}x{checkpoint}");
    match SnapshotTarget::savepoint(&directory, job, &suffix) {
        Ok(SnapshotTarget::Savepoint { folder }) => Ok(folder),
        Ok(SnapshotTarget::Checkpoint) => Err(format!("`{directory}` is no directory for savepoints")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flott_graph::settings::JobSettings;

    fn folder_of(directory: Option<&str>, settings: &CheckpointSettings) -> Result<String, String> {
        folder(directory, settings, JobId(0xabcdef << 104), 2, CheckpointId(17))
    }

    #[test]
    fn the_directory_that_was_asked_for_comes_before_the_configured_one() {
        let mut settings = JobSettings::default().checkpoints;
        settings.dir = Some("/c".into());
        assert!(folder_of(None, &settings).unwrap_err().contains("savepoint-dir"));
        settings.savepoint_dir = Some("/s".into());
        assert_eq!(folder_of(None, &settings).unwrap(), "/s/savepoint-abcdef-2x17");
        assert_eq!(folder_of(Some("/t"), &settings).unwrap(), "/t/savepoint-abcdef-2x17");
        assert!(folder_of(Some("s3://bucket"), &settings).is_err());
    }
}
