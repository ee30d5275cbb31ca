//! Directories and names on disk that survive a crash.

use super::error::FileSinkError as Error;
use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// Creates `dir` and what is missing above it; `changed` takes the directories whose entries must be made durable.
pub(super) fn create_dir(dir: &Path, changed: &mut BTreeSet<PathBuf>) -> Result<(), Error> {
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => return Err(Error::NotADirectory { path: dir.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("create the output directory", dir)(error)),
    }
    let missing: Vec<&Path> = dir.ancestors().take_while(|path| !path.exists()).collect();
    fs::create_dir_all(dir).map_err(Error::io("create the output directory", dir))?;
    changed.extend(missing.iter().filter_map(|path| path.parent()).map(Path::to_owned));
    Ok(())
}

/// Makes the entries of a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(Error::io("write to disk the directory", dir))?;
    }
    Ok(())
}

/// The metadata of a file; `None` if there is none.
pub(super) fn look(path: &Path) -> Result<Option<fs::Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

/// Whether two names lead to the same file.
#[cfg(unix)]
pub(super) fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Whether two names lead to the same file: never known here.
#[cfg(not(unix))]
pub(super) fn same_file(_a: &fs::Metadata, _b: &fs::Metadata) -> bool {
    false
}

/// Renames `from` to `to`, never over an existing file: a second name is given, then the first one removed. A crash in
/// between leaves both names on one file.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => remove_if_exists(from),
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => Err(error),
        // A file system without hard links, or the reason why renaming fails as well.
        Err(_) => rename_unlinked(from, to),
    }
}

fn rename_unlinked(from: &Path, to: &Path) -> io::Result<()> {
    if to.try_exists()? {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}

/// Removes a file that may have gone already.
pub(super) fn remove_if_exists(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renaming_never_replaces_a_file_with_or_without_hard_links() {
        for rename in [rename_new, rename_unlinked] {
            let dir = tempfile::tempdir().unwrap();
            let (from, to) = (dir.path().join("from"), dir.path().join("to"));
            fs::write(&from, "new").unwrap();
            fs::write(&to, "old").unwrap();
            assert_eq!(rename(&from, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
            assert_eq!((fs::read(&from).unwrap(), fs::read(&to).unwrap()), (b"new".to_vec(), b"old".to_vec()));
            fs::remove_file(&to).unwrap();
            rename(&from, &to).unwrap();
            assert!(!from.exists());
            assert_eq!(fs::read(&to).unwrap(), b"new");
            assert_eq!(rename(&from, &dir.path().join("x")).unwrap_err().kind(), ErrorKind::NotFound);
        }
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "").unwrap();
        let mut changed = BTreeSet::new();
        assert!(matches!(create_dir(&path, &mut changed), Err(Error::NotADirectory { .. })));
        assert!(create_dir(&path.join("below"), &mut changed).unwrap_err().to_string().contains("/f/below`"));
        create_dir(&dir.path().join("a/b"), &mut changed).unwrap();
        assert_eq!(Vec::from_iter(changed), [dir.path().to_owned(), dir.path().join("a")]);
    }
}
