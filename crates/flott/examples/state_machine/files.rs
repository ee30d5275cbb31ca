//! The part files as the checker reads them.

use std::{
    fmt,
    fs::{self, File},
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

/// Where a line is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// The file's place among all.
    pub(crate) file: usize,
    /// From 1.
    pub(crate) line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, line {}", self.path.display(), self.line)
    }
}

/// Why nothing is proven.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// The output is not that of the job.
    #[error("{}{}{what}", shown(place, ": "), shown(&key.map(|key| format!("key {key}")), ": "))]
    Contradiction { place: Option<Place>, key: Option<u64>, what: String },
    /// A file or directory cannot be read.
    #[error("cannot read `{}`", path.display())]
    Io { path: PathBuf, source: io::Error },
}

fn shown(what: &Option<impl fmt::Display>, behind: &str) -> String {
    what.as_ref().map_or_else(String::new, |what| format!("{what}{behind}"))
}

/// A contradiction that a line shows.
pub(crate) fn contradiction(place: &Place, key: Option<u64>, what: impl fmt::Display) -> CheckError {
    CheckError::Contradiction { place: Some(place.clone()), key, what: what.to_string() }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CheckError {
    move |source| CheckError::Io { path: path.to_owned(), source }
}

/// The finished part files in `dir`, about in the order in which they were written. Of those that come while the directory is
/// listed, some may be missing, also earlier ones than some that are there.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn part_files(dir: &Path) -> Result<Vec<PathBuf>, CheckError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error(dir))? {
        let path = entry.map_err(io_error(dir))?.path();
        files.extend(counter_and_subtask(&path).map(|place| (place, path)));
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

/// Those in the name of a finished file; `None` for other files.
fn counter_and_subtask(path: &Path) -> Option<(u64, u64)> {
    let (subtask, counter) = path.file_name()?.to_str()?.strip_prefix("part-")?.split_once('-')?;
    Some((counter.parse().ok()?, subtask.parse().ok()?))
}

/// Calls `take` with each line of the files, without its end.
///
/// # Errors
/// Those of `take`; a file cannot be read, or its last line has no end.
pub(crate) fn for_lines(files: &[PathBuf], mut take: impl FnMut(&Place, &str) -> Result<(), CheckError>) -> Result<(), CheckError> {
    let mut line = Vec::new();
    for (file, path) in files.iter().enumerate() {
        let mut place = Place { path: path.clone(), file, line: 0 };
        let mut input = BufReader::with_capacity(1 << 16, File::open(path).map_err(io_error(path))?);
        loop {
            line.clear();
            place.line += 1;
            if input.read_until(b'\n', &mut line).map_err(io_error(path))? == 0 {
                break;
            }
            if line.pop() != Some(b'\n') {
                return Err(contradiction(&place, None, "the line has no end"));
            }
            take(&place, &String::from_utf8_lossy(&line))?;
        }
    }
    Ok(())
}
