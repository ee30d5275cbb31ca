//! Where snapshots lie: names of folders and files, and the paths that users give.

use crate::StorageError;
use flott_core::id::{CheckpointId, JobId};
use serde::{Deserialize, Serialize};
use std::path::{Component, Path, PathBuf};

/// The file that makes a folder a checkpoint.
pub const METADATA: &str = "_metadata";
/// How the names of the files in a job's folder begin that say which checkpoints are complete. A point and a number follow.
pub const REGISTER: &str = "_completed";
/// What the names of folders start with that wait for their removal.
pub(crate) const TRASH: &str = "trash-";
/// The longest name of a state file that is read or, before it is made unique, written.
const NAME_MAX: usize = 200;

/// Where the files of a snapshot go. The job's coordinator chooses it and tells the tasks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SnapshotTarget {
    /// To the job's folder below the checkpoint directory.
    Checkpoint,
    /// To a folder of the user's: see [`SnapshotTarget::savepoint`].
    Savepoint {
        /// The folder's full path.
        folder: String,
    },
}

impl SnapshotTarget {
    /// The target of a new savepoint of `job` below the directory `dir`: `<dir>/savepoint-<6 digits of the job>-<suffix>`.
    ///
    /// # Errors
    /// If `dir` is no usable path, or `suffix`, which is to make the name unique, has other characters than letters and digits.
    pub fn savepoint(dir: &str, job: JobId, suffix: &str) -> Result<Self, StorageError> {
        if suffix.is_empty() || !suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(invalid(suffix, "the suffix of a savepoint's folder consists of letters and digits"));
        }
        let job = job.to_string();
        let folder = parse_path(dir)?.join(format!("{SAVEPOINT}{}-{suffix}", &job[..6]));
        let folder = if folder.starts_with(crate::files::MEMORY) { folder } else { absolute(&folder, dir)? };
        Ok(SnapshotTarget::Savepoint { folder: text(&folder)? })
    }
}

/// How the names of the folders of savepoints begin.
pub(crate) const SAVEPOINT: &str = "savepoint-";

/// The name of a checkpoint's folder.
pub(crate) fn checkpoint_name(checkpoint: CheckpointId) -> String {
    format!("chk-{checkpoint}")
}

/// The checkpoint whose folder has this name.
pub(crate) fn parse_checkpoint_name(name: &str) -> Option<CheckpointId> {
    let number = name.strip_prefix("chk-")?.parse().ok()?;
    (checkpoint_name(CheckpointId(number)) == name).then_some(CheckpointId(number))
}

/// The name of the file with a version of the register.
pub(crate) fn register_name(version: u64) -> String {
    format!("{REGISTER}.{version}")
}

/// The version of the register that has this name. The file of the first release, which had but one, comes before all.
pub(crate) fn parse_register_name(name: &str) -> Option<u64> {
    if name == REGISTER {
        return Some(0);
    }
    let version = name.strip_prefix(REGISTER)?.strip_prefix('.')?.parse().ok()?;
    (version > 0 && register_name(version) == name).then_some(version)
}

/// How the names of files begin that may become a version of the register.
pub(crate) const REGISTER_TEMPORARY: &str = "_completed.tmp-";

/// The job whose folder has this name.
pub(crate) fn parse_job_name(name: &str) -> Option<JobId> {
    let id = JobId(u128::from_str_radix(name, 16).ok()?);
    (id.to_string() == name).then_some(id)
}

/// Whether `name` may be a state file: it stays in the folder, and is none of Flott's own.
pub(crate) fn is_state_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_MAX
        && !name.starts_with(['.', '_'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// A name for a state file that begins as `hint` does.
pub(crate) fn state_file_name(hint: &str, attempt: u32) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let mut name: String = hint.chars().take(NAME_MAX - 20).map(plain).collect();
    if name.is_empty() || name.starts_with(['.', '_']) {
        name.insert_str(0, "state");
    }
    if attempt > 0 {
        name = format!("{name}-{attempt}");
    }
    name
}

/// The path that a user means: as it is, or a `file:` URL.
///
/// # Errors
/// If it is empty, a URL of another kind, or a URL of another machine.
pub(crate) fn parse_path(given: &str) -> Result<PathBuf, StorageError> {
    if given.is_empty() {
        return Err(invalid(given, "it is empty"));
    }
    if let Some(rest) = given.strip_prefix("file:") {
        let path = match rest.strip_prefix("//") {
            // `file:///path` and `file://localhost/path`.
            Some(rest) => rest.strip_prefix("localhost").filter(|path| path.starts_with('/')).unwrap_or(rest),
            None => rest,
        };
        if !path.starts_with('/') {
            return Err(invalid(given, "a file URL has three slashes and then the full path, as in `file:///var/checkpoints`"));
        }
        return Ok(percent_decoded(path)
            .ok_or_else(|| invalid(given, "a `%` is followed by two hexadecimal digits that make up UTF-8"))?
            .into());
    }
    match given.split_once("://") {
        Some((scheme, _)) if !scheme.contains('/') => {
            Err(invalid(given, format!("`{scheme}` is no file system of this build; use a path or a `file://` URL")))
        }
        _ => Ok(given.into()),
    }
}

/// The folder that a user means by the path of a snapshot: the path itself or, if it is a `_metadata` file, its folder. Without a look at
/// the file system: a way that goes up or over a link is another path.
///
/// # Errors
/// If it is no path from the root, or a URL that this build cannot use.
pub fn named_folder(given: &str) -> Result<String, StorageError> {
    let path: PathBuf = parse_path(given)?.components().collect();
    if !path.is_absolute() {
        return Err(invalid(given, "give the full path, from the root"));
    }
    let folder = if path.file_name().is_some_and(|name| name == METADATA) { path.parent().unwrap_or(&path) } else { &path };
    text(folder)
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            decoded.push((digit(bytes.next())? * 16 + digit(bytes.next())?) as u8);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// The path as text, as registers and messages hold it.
pub(crate) fn text(path: &Path) -> Result<String, StorageError> {
    path.to_str().map(str::to_owned).ok_or_else(|| invalid(&path.to_string_lossy(), "it is not UTF-8; choose a directory whose name is"))
}

pub(crate) fn absolute(path: &Path, given: &str) -> Result<PathBuf, StorageError> {
    std::path::absolute(path).map_err(|error| invalid(given, error.to_string()))
}

/// How to find `folder` from `base`, the folder of a job: relative below the same directory, so that both can move together.
pub(crate) fn relative(folder: &Path, base: &Path) -> PathBuf {
    if let Ok(inside) = folder.strip_prefix(base) {
        return inside.into();
    }
    match base.parent().filter(|dir| *dir != Path::new("")).and_then(|dir| folder.strip_prefix(dir).ok()) {
        Some(beside) => Path::new("..").join(beside),
        None => folder.into(),
    }
}

/// The inverse of [`relative`].
pub(crate) fn resolve(path: &str, base: &Path) -> PathBuf {
    let mut resolved = base.to_owned();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => {
                resolved.pop();
            }
            component => resolved.push(component),
        }
    }
    resolved
}

fn invalid(path: &str, what: impl Into<String>) -> StorageError {
    StorageError::InvalidPath { path: path.to_owned(), what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_given_as_they_are_or_as_file_urls() {
        for (given, path) in [
            ("/var/chk", "/var/chk"),
            ("chk", "chk"),
            ("file:///var/chk", "/var/chk"),
            ("file:/var/chk", "/var/chk"),
            ("file://localhost/var/chk", "/var/chk"),
            ("file:///var/my%20chk%C3%A4", "/var/my chkä"),
            ("memory:", "memory:"),
        ] {
            assert_eq!(parse_path(given).unwrap(), Path::new(path), "{given}");
        }
        for given in ["", "s3://bucket/chk", "file://host/var", "file:var", "file:///a%2", "file:///%ff"] {
            assert!(matches!(parse_path(given), Err(StorageError::InvalidPath { .. })), "{given}");
        }
    }

    #[test]
    fn a_snapshot_is_named_by_its_folder_or_its_metadata() {
        for given in ["/s/savepoint-1", "/s/savepoint-1/", "/s/./savepoint-1/_metadata", "file:///s/savepoint-1"] {
            assert_eq!(named_folder(given).unwrap(), "/s/savepoint-1", "{given}");
        }
        assert_eq!(named_folder("/s/../savepoint-1").unwrap(), "/s/../savepoint-1", "what is not known is not resolved");
        for given in ["savepoint-1", "", "s3://bucket/savepoint-1"] {
            assert!(matches!(named_folder(given), Err(StorageError::InvalidPath { .. })), "{given}");
        }
    }

    #[test]
    fn names_of_folders_are_read_back_only_as_they_are_written() {
        assert_eq!(parse_checkpoint_name("chk-17"), Some(CheckpointId(17)));
        for name in ["chk-", "chk-017", "chk-+1", "chk-1x", "trash-chk-1", "17"] {
            assert_eq!(parse_checkpoint_name(name), None, "{name}");
        }
        assert_eq!(parse_job_name(&JobId(0xabc).to_string()), Some(JobId(0xabc)));
        assert_eq!(parse_job_name("abc"), None);
        assert_eq!([parse_register_name("_completed"), parse_register_name("_completed.17")], [Some(0), Some(17)]);
        for name in ["_completed.", "_completed.0", "_completed.017", "_completed.tmp-1", "_completed.lock", "completed.1"] {
            assert_eq!(parse_register_name(name), None, "{name}");
        }
    }

    #[test]
    fn state_file_names_stay_in_the_folder() {
        for hint in ["", "../../etc/passwd", "_metadata", ".hidden", "a b/ü", &"x".repeat(500)] {
            for attempt in [0, 1, 12_345] {
                let name = state_file_name(hint, attempt);
                assert!(is_state_file_name(&name), "{hint} gave {name}");
            }
        }
        assert_eq!(state_file_name("v2-0-op", 0), "v2-0-op");
        for name in ["..", "a/b", "/a", "_metadata", "", "a\\b", "ä"] {
            assert!(!is_state_file_name(name), "{name}");
        }
    }

    #[test]
    fn folders_below_one_directory_are_found_relative_to_each_other() {
        for (folder, relative_path) in [("/c/j1/chk-1", "chk-1"), ("/c/j2/chk-1", "../j2/chk-1"), ("/s/savepoint-1", "/s/savepoint-1")] {
            let found = relative(Path::new(folder), Path::new("/c/j1"));
            assert_eq!(found, Path::new(relative_path));
            assert_eq!(resolve(relative_path, Path::new("/c/j1")), Path::new(folder));
        }
    }

    #[test]
    fn a_savepoints_folder_names_the_job() {
        let job = JobId(0xabcdef << 104);
        let target = SnapshotTarget::savepoint("/save", job, "0f12").unwrap();
        assert_eq!(target, SnapshotTarget::Savepoint { folder: "/save/savepoint-abcdef-0f12".into() });
        assert!(SnapshotTarget::savepoint("/save", job, "../x").is_err());
    }
}
