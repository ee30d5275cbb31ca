//! Which files a source's paths name.

use super::error::FileSourceError as Error;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// Files by path, with their lengths in bytes; the order is the order in which they are read.
pub(super) type Files = BTreeMap<String, u64>;

/// What is an error when nothing is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Every path and glob must name something.
    Fails,
    /// A glob may match nothing yet, if the directory before its first wildcard exists.
    GlobMayWait,
    /// A file that was listed before may have gone.
    Ignored,
}

/// The regular files that `paths` name: files, directories with all below them, and globs.
///
/// # Errors
/// A path names nothing (see [`Missing`]), cannot be listed, or is not valid UTF-8.
pub(super) fn list(paths: &[PathBuf], missing: Missing) -> Result<Files, Error> {
    if paths.is_empty() {
        return Err(Error::NoPath);
    }
    let mut files = Files::new();
    for path in paths {
        let path = std::path::absolute(path).map_err(|source| Error::List { path: path.clone(), source })?;
        match fs::metadata(&path) {
            Ok(metadata) => add(&path, &metadata, missing, &mut files)?,
            Err(error) if is_absent(&error) => match path.to_str() {
                // A file whose name holds a wildcard's character was found above.
                Some(pattern) if pattern.contains(['*', '?', '[']) => add_glob(pattern, missing, &mut files)?,
                _ if missing == Missing::Ignored => {}
                _ => return Err(Error::Missing { path }),
            },
            Err(source) => return Err(Error::List { path, source }),
        }
    }
    Ok(files)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn add(path: &Path, metadata: &fs::Metadata, missing: Missing, files: &mut Files) -> Result<(), Error> {
    if metadata.is_dir() {
        add_directory(path, missing, files)
    } else if metadata.is_file() {
        add_file(path, metadata.len(), files)
    } else {
        Err(Error::NotAFile { path: path.to_owned() })
    }
}

fn add_file(path: &Path, length: u64, files: &mut Files) -> Result<(), Error> {
    let name = path.to_str().ok_or_else(|| Error::NotUtf8Path { path: path.to_owned() })?;
    files.insert(name.to_owned(), length);
    Ok(())
}

fn add_directory(directory: &Path, missing: Missing, files: &mut Files) -> Result<(), Error> {
    let failed = |path: &Path, source| Error::List { path: path.to_owned(), source };
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).map_err(|error| failed(&directory, error))? {
            let entry = entry.map_err(|error| failed(&directory, error))?;
            if is_hidden(&entry.file_name()) {
                continue;
            }
            let path = entry.path();
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                // Gone between the two looks; while a directory is watched that is nothing unusual.
                Err(error) if is_absent(&error) && missing != Missing::Fails => continue,
                Err(error) => return Err(failed(&path, error)),
            };
            if metadata.is_file() {
                add_file(&path, metadata.len(), files)?;
            } else if metadata.is_dir() && !leads_back(&path).map_err(|error| failed(&path, error))? {
                open.push(path);
            }
        }
    }
    Ok(())
}

/// Whether a directory is a symbolic link to one that it lies in: following it would never end.
fn leads_back(path: &Path) -> io::Result<bool> {
    if !fs::symlink_metadata(path)?.is_symlink() {
        return Ok(false);
    }
    let parent = path.parent().map(fs::canonicalize).transpose()?;
    let target = fs::canonicalize(path)?;
    Ok(parent.is_some_and(|parent| parent.starts_with(target)))
}

/// Files that are not, or not yet, input: in progress, temporary, markers.
fn is_hidden(name: &std::ffi::OsStr) -> bool {
    matches!(name.as_encoded_bytes().first(), Some(b'.' | b'_'))
}

fn add_glob(pattern: &str, missing: Missing, files: &mut Files) -> Result<(), Error> {
    let matches = glob::glob(pattern).map_err(|source| Error::Glob { pattern: pattern.to_owned(), source })?;
    let fixed: PathBuf = Path::new(pattern).components().take_while(|part| !has_wildcard(part)).collect();
    // Who spells a hidden name wants it.
    let spelled: Vec<u8> =
        Path::new(pattern).components().filter_map(|part| part.as_os_str().as_encoded_bytes().first().copied()).collect();
    let mut any = false;
    for found in matches {
        let path = found.map_err(|error| Error::List { path: error.path().to_owned(), source: error.into() })?;
        let hidden = path.components().skip(fixed.components().count()).any(|part| {
            is_hidden(part.as_os_str()) && part.as_os_str().as_encoded_bytes().first().is_none_or(|first| !spelled.contains(first))
        });
        if hidden {
            continue;
        }
        any = true;
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() || metadata.is_dir() => add(&path, &metadata, missing, files)?,
            Ok(_) => {}
            Err(error) if is_absent(&error) && missing != Missing::Fails => {}
            Err(source) => return Err(Error::List { path, source }),
        }
    }
    match missing {
        Missing::Fails if !any => Err(Error::NoMatch { pattern: pattern.to_owned() }),
        Missing::GlobMayWait if !any && !fixed.is_dir() => Err(Error::Missing { path: fixed }),
        _ => Ok(()),
    }
}

fn has_wildcard(part: &Component<'_>) -> bool {
    part.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &Files, root: &Path) -> Vec<String> {
        files.keys().map(|path| Path::new(path).strip_prefix(root).unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        root
    }

    #[test]
    fn directories_are_read_recursively_without_hidden_files() {
        let root = tree(&["b.txt", "a/c.txt", "a/.hidden", "_logs/x", "_SUCCESS", ".part-0-0.inprogress.1"]);
        let files = list(&[root.path().to_owned()], Missing::Fails).unwrap();
        assert_eq!(names(&files, root.path()), ["a/c.txt", "b.txt"]);
    }

    #[test]
    fn globs_match_files_and_directories_and_skip_hidden_ones_unless_spelled() {
        let root = tree(&["2024/a.log", "2025/b.log", "2025/b.txt", "2025/_tmp/c.log", "_old/d.log"]);
        let find = |pattern: &str| list(&[root.path().join(pattern)], Missing::Fails).map(|files| names(&files, root.path()));
        assert_eq!(find("*/*.log").unwrap(), ["2024/a.log", "2025/b.log"]);
        assert_eq!(find("**/*.log").unwrap(), ["2024/a.log", "2025/b.log"]);
        assert_eq!(find("202[5]").unwrap(), ["2025/b.log", "2025/b.txt"]);
        assert_eq!(find("_o*/*.log").unwrap(), ["_old/d.log"]);
    }

    #[test]
    fn a_path_named_twice_is_read_once() {
        let root = tree(&["a"]);
        let files = list(&[root.path().join("a"), root.path().join("./a"), root.path().join("?")], Missing::Fails).unwrap();
        assert_eq!(names(&files, root.path()), ["a"]);
    }

    #[test]
    fn what_names_nothing_is_an_error_that_names_it() {
        let root = tree(&["a"]);
        let error = list(&[root.path().join("none")], Missing::Fails).unwrap_err().to_string();
        assert!(error.ends_with("/none` does not exist"), "{error}");
        let error = list(&[root.path().join("*.gz")], Missing::Fails).unwrap_err().to_string();
        assert!(error.contains("/*.gz` matches no file"), "{error}");
        let error = list(&[root.path().join("[")], Missing::Fails).unwrap_err();
        assert!(matches!(error, Error::Glob { .. }), "{error}");
        assert!(matches!(list(&[], Missing::Fails), Err(Error::NoPath)));
    }

    #[test]
    fn a_watched_glob_may_wait_for_its_first_file_in_a_directory_that_exists() {
        let root = tree(&["a"]);
        assert!(list(&[root.path().join("*.gz")], Missing::GlobMayWait).unwrap().is_empty());
        let error = list(&[root.path().join("none/*.gz")], Missing::GlobMayWait).unwrap_err().to_string();
        assert!(error.ends_with("/none` does not exist"), "{error}");
    }

    #[test]
    fn an_empty_directory_is_no_error() {
        assert!(list(&[tempfile::tempdir().unwrap().path().to_owned()], Missing::Fails).unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_directory_above_is_not_followed() {
        let root = tree(&["a/x"]);
        std::os::unix::fs::symlink(root.path(), root.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink(root.path().join("a/x"), root.path().join("link")).unwrap();
        assert_eq!(names(&list(&[root.path().to_owned()], Missing::Fails).unwrap(), root.path()), ["a/x", "link"]);
    }
}
