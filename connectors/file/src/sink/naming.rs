//! Names of part files.

use super::error::FileSinkError as Error;
use std::path::{Component, Path, PathBuf};

/// How part files are named: `<prefix>-<subtask>-<counter><suffix>`.
#[derive(Debug, Clone)]
pub(super) struct PartNames {
    pub(super) prefix: String,
    pub(super) suffix: String,
}

impl PartNames {
    pub(super) fn check(&self) -> Result<(), Error> {
        match [&self.prefix, &self.suffix].into_iter().find(|part| part.contains(['/', '\0'])) {
            Some(part) => Err(Error::InvalidName { part: part.clone() }),
            None => Ok(()),
        }
    }

    /// The name of a finished file.
    pub(super) fn finished(&self, subtask: u32, counter: u64) -> String {
        format!("{}-{subtask}-{counter}{}", self.prefix, self.suffix)
    }

    /// The hidden name of the file that will be `finished`; `unique` differs between attempts.
    pub(super) fn in_progress(finished: &str, unique: u64) -> String {
        format!(".{finished}.inprogress.{unique:016x}")
    }

    /// The counter in the name of a file of `subtask`, finished or not; `None` for other files.
    pub(super) fn counter(&self, name: &str, subtask: u32) -> Option<u64> {
        let finished = match name.strip_prefix('.').and_then(|name| name.rsplit_once(".inprogress.")) {
            Some((finished, _)) => finished,
            None => name,
        };
        let rest = finished.strip_prefix(&self.prefix)?.strip_prefix('-')?;
        let counter = rest.strip_prefix(&subtask.to_string())?.strip_prefix('-')?.strip_suffix(&self.suffix)?;
        counter.parse().ok()
    }
}

/// The directory of a bucket.
pub(super) fn bucket_dir(dir: &Path, bucket: &str) -> Result<PathBuf, Error> {
    if Path::new(bucket).components().all(|part| matches!(part, Component::Normal(_))) {
        Ok(if bucket.is_empty() { dir.to_owned() } else { dir.join(bucket) })
    } else {
        Err(Error::InvalidBucket { bucket: bucket.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_in_finished_and_hidden_names_of_the_same_subtask() {
        let names = PartNames { prefix: "part".into(), suffix: ".txt".into() };
        assert_eq!(names.finished(1, 7), "part-1-7.txt");
        let hidden = PartNames::in_progress("part-1-7.txt", 255);
        assert_eq!(hidden, ".part-1-7.txt.inprogress.00000000000000ff");
        assert_eq!(names.counter("part-1-7.txt", 1), Some(7));
        assert_eq!(names.counter(&hidden, 1), Some(7));
        for other in ["part-1-7", "part-11-7.txt", "part-1-.txt", "part-1-x.txt", "other", "part-1-1-7.txt", ".txt"] {
            assert_eq!(names.counter(other, 1), None, "{other}");
        }
    }

    #[test]
    fn buckets_stay_below_the_directory() {
        let dir = Path::new("/out");
        assert_eq!(bucket_dir(dir, "").unwrap(), dir);
        assert_eq!(bucket_dir(dir, "day=1/hour=2").unwrap(), Path::new("/out/day=1/hour=2"));
        for bucket in ["/etc", "../x", "a/../../x", "./a"] {
            assert!(bucket_dir(dir, bucket).unwrap_err().to_string().contains(bucket));
        }
    }
}
