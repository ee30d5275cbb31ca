//! Whether output flows: finished files that were begun after some moment.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// Watches the folder of a file sink whose files are finished with every checkpoint.
#[derive(Debug)]
pub(super) struct Flow {
    folder: PathBuf,
    /// Files that were looked at and are older than the moment that is waited for.
    known: HashSet<OsString>,
}

impl Flow {
    pub(super) fn of(folder: PathBuf) -> Flow {
        Flow { folder, known: HashSet::new() }
    }

    /// Whether there is a finished file all of whose lines were written after `moment`. What a restarted job makes visible of
    /// before its failure does not count: those files were begun earlier.
    pub(super) fn since(&mut self, moment: SystemTime) -> bool {
        let Ok(folder) = fs::read_dir(&self.folder) else { return false };
        for entry in folder.flatten() {
            let name = entry.file_name();
            if !name.to_string_lossy().starts_with("part-") || self.known.contains(&name) {
                continue;
            }
            let begun = entry.metadata().and_then(|metadata| metadata.created());
            if begun.is_ok_and(|begun| begun > moment) {
                return true;
            }
            self.known.insert(name);
        }
        false
    }
}
