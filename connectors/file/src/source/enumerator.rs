//! Finds files and hands out their splits.

use super::{
    compression::Compression,
    error::FileSourceError,
    listing::{self, Files, Missing},
    split::FileSplit,
};
use flott_core::{
    BoxError,
    id::CheckpointId,
    source::{Assignment, SplitEnumerator},
};
use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
    time::Duration,
};

/// A file of which not every split has been handed out.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PendingFile {
    /// The file, absolute.
    pub path: String,
    /// Its length in bytes when it was listed.
    pub length: u64,
    /// Where its next split starts.
    pub next: u64,
}

/// What the enumerator remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileEnumeratorState {
    /// Files that are not handed out, or only in part.
    pub files: Vec<PendingFile>,
    /// Splits that were given back.
    pub returned: Vec<FileSplit>,
    /// Files that were ever listed, while paths are watched.
    pub seen: Vec<String>,
}

pub(super) struct FileEnumerator {
    paths: Vec<PathBuf>,
    split_bytes: u64,
    /// How often to look for new files; `None` ends with those that were there at the start.
    interval: Option<Duration>,
    files: VecDeque<PendingFile>,
    returned: VecDeque<FileSplit>,
    /// Splits of `files` that have not been handed out.
    left: u64,
    seen: BTreeSet<String>,
    /// Readers that have asked while nothing was there.
    waiting: BTreeSet<u32>,
    timer_set: bool,
}

impl FileEnumerator {
    /// Lists the input, or goes on from `restored`.
    pub(super) fn new(
        paths: Vec<PathBuf>,
        split_bytes: u64,
        interval: Option<Duration>,
        restored: Option<FileEnumeratorState>,
    ) -> Result<Self, FileSourceError> {
        let fresh = restored.is_none();
        let state = restored.unwrap_or_default();
        let mut enumerator = FileEnumerator {
            paths,
            split_bytes: split_bytes.max(1),
            interval,
            files: state.files.into(),
            returned: state.returned.into(),
            left: 0,
            seen: state.seen.into_iter().collect(),
            waiting: BTreeSet::new(),
            timer_set: false,
        };
        enumerator.left = enumerator.files.iter().map(|file| enumerator.splits_of(file)).sum();
        if fresh {
            let missing = if interval.is_some() { Missing::GlobMayWait } else { Missing::Fails };
            enumerator.add_files(listing::list(&enumerator.paths, missing)?);
        }
        Ok(enumerator)
    }

    /// Queues the files that are new. An empty one counts as new until there is something in it.
    fn add_files(&mut self, files: Files) {
        for (path, length) in files {
            if length == 0 || self.seen.contains(&path) {
                continue;
            }
            if self.interval.is_some() {
                self.seen.insert(path.clone());
            }
            let file = PendingFile { path, length, next: 0 };
            self.left += self.splits_of(&file);
            self.files.push_back(file);
        }
    }

    /// How many splits a file has left.
    fn splits_of(&self, file: &PendingFile) -> u64 {
        match Compression::of_path(&file.path) {
            Compression::None => file.length.saturating_sub(file.next).div_ceil(self.split_bytes),
            Compression::Gzip | Compression::Zstd => 1,
        }
    }

    fn next_split(&mut self) -> Option<FileSplit> {
        if let Some(split) = self.returned.pop_front() {
            return Some(split);
        }
        let file = self.files.front_mut()?;
        let compression = Compression::of_path(&file.path);
        let start = file.next;
        file.next = match compression {
            Compression::None => start.saturating_add(self.split_bytes).min(file.length),
            Compression::Gzip | Compression::Zstd => file.length,
        };
        let split = FileSplit::new(&file.path, compression, start, file.next);
        self.left = self.left.saturating_sub(1);
        if file.next == file.length {
            self.files.pop_front();
        }
        Some(split)
    }

    fn serve_waiting(&mut self, out: &mut Vec<Assignment<FileSplit>>) {
        while let Some(&subtask) = self.waiting.first() {
            let Some(split) = self.next_split() else { break };
            self.waiting.remove(&subtask);
            out.push(Assignment::Splits { subtask, splits: vec![split] });
        }
    }
}

impl SplitEnumerator<FileSplit, FileEnumeratorState> for FileEnumerator {
    fn add_reader(&mut self, subtask: u32, out: &mut Vec<Assignment<FileSplit>>) -> Result<(), BoxError> {
        // A restarted reader asks again.
        self.waiting.remove(&subtask);
        if let (Some(interval), false) = (self.interval, self.timer_set) {
            self.timer_set = true;
            out.push(Assignment::WakeAfter(interval));
        }
        Ok(())
    }

    fn request_split(&mut self, subtask: u32, out: &mut Vec<Assignment<FileSplit>>) -> Result<(), BoxError> {
        match self.next_split() {
            Some(split) => out.push(Assignment::Splits { subtask, splits: vec![split] }),
            None if self.interval.is_none() => out.push(Assignment::NoMoreSplits { subtask }),
            None => {
                self.waiting.insert(subtask);
            }
        }
        Ok(())
    }

    fn add_splits_back(&mut self, _subtask: u32, splits: Vec<FileSplit>, out: &mut Vec<Assignment<FileSplit>>) -> Result<(), BoxError> {
        self.returned.extend(splits);
        self.serve_waiting(out);
        Ok(())
    }

    fn wake(&mut self, out: &mut Vec<Assignment<FileSplit>>) -> Result<(), BoxError> {
        if let Some(interval) = self.interval {
            self.add_files(listing::list(&self.paths, Missing::Ignored)?);
            self.serve_waiting(out);
            out.push(Assignment::WakeAfter(interval));
        }
        Ok(())
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId) -> Result<FileEnumeratorState, BoxError> {
        Ok(FileEnumeratorState {
            files: self.files.iter().cloned().collect(),
            returned: self.returned.iter().cloned().collect(),
            seen: self.seen.iter().cloned().collect(),
        })
    }

    fn unassigned_splits(&self) -> Option<u64> {
        Some(self.left + self.returned.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn ask(enumerator: &mut FileEnumerator, subtask: u32) -> Vec<Assignment<FileSplit>> {
        let mut out = Vec::new();
        enumerator.request_split(subtask, &mut out).unwrap();
        out
    }

    fn range(assignments: &[Assignment<FileSplit>]) -> (u32, String, u64, u64) {
        let [Assignment::Splits { subtask, splits }] = assignments else { panic!("no split: {assignments:?}") };
        let name = splits[0].path.rsplit('/').next().unwrap().to_owned();
        (*subtask, name, splits[0].start, splits[0].end)
    }

    #[test]
    fn splits_are_handed_out_one_by_one_in_the_order_of_paths() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("b"), "12345").unwrap();
        fs::write(root.path().join("a.gz"), "not looked into").unwrap();
        fs::write(root.path().join("empty"), "").unwrap();
        let mut enumerator = FileEnumerator::new(vec![root.path().to_owned()], 4, None, None).unwrap();
        let mut out = Vec::new();
        enumerator.add_reader(0, &mut out).unwrap();
        assert_eq!((out.as_slice(), enumerator.unassigned_splits()), (&[][..], Some(3)));
        assert_eq!(range(&ask(&mut enumerator, 1)), (1, "a.gz".into(), 0, 15));
        assert_eq!(range(&ask(&mut enumerator, 0)), (0, "b".into(), 0, 4));
        assert_eq!(enumerator.unassigned_splits(), Some(1));

        // The state holds the rest, and a split that is given back comes first.
        let state = enumerator.snapshot(CheckpointId(1)).unwrap();
        let mut restored = FileEnumerator::new(vec!["/not/looked/at".into()], 4, None, Some(state)).unwrap();
        restored.add_splits_back(0, vec![FileSplit::new("/x", Compression::None, 7, 9)], &mut out).unwrap();
        assert_eq!((out.as_slice(), restored.unassigned_splits()), (&[][..], Some(2)));
        assert_eq!(range(&ask(&mut restored, 2)), (2, "x".into(), 7, 9));
        assert_eq!(range(&ask(&mut restored, 2)), (2, "b".into(), 4, 5));
        assert_eq!(restored.unassigned_splits(), Some(0));
        assert_eq!(ask(&mut restored, 2), [Assignment::NoMoreSplits { subtask: 2 }]);
    }

    #[test]
    fn a_watching_enumerator_finds_each_new_file_once_also_after_a_restore() {
        let root = tempfile::tempdir().unwrap();
        let second = Duration::from_secs(1);
        fs::write(root.path().join("a"), "1").unwrap();
        fs::write(root.path().join("growing"), "").unwrap();
        let mut enumerator = FileEnumerator::new(vec![root.path().to_owned()], 4, Some(second), None).unwrap();
        let mut out = Vec::new();
        enumerator.add_reader(0, &mut out).unwrap();
        enumerator.add_reader(1, &mut out).unwrap();
        assert_eq!(std::mem::take(&mut out), [Assignment::WakeAfter(second)]);
        assert_eq!(range(&ask(&mut enumerator, 0)).1, "a");
        assert_eq!(ask(&mut enumerator, 0), []);
        assert_eq!(ask(&mut enumerator, 1), []);

        fs::write(root.path().join("a"), "changed later").unwrap();
        fs::write(root.path().join("growing"), "2").unwrap();
        enumerator.wake(&mut out).unwrap();
        assert_eq!(range(&out[..1]), (0, "growing".into(), 0, 1));
        assert_eq!(out[1..], [Assignment::WakeAfter(second)]);

        let state = enumerator.snapshot(CheckpointId(1)).unwrap();
        fs::remove_file(root.path().join("growing")).unwrap();
        fs::write(root.path().join("b"), "3").unwrap();
        let mut restored = FileEnumerator::new(vec![root.path().to_owned()], 4, Some(second), Some(state)).unwrap();
        assert_eq!(ask(&mut restored, 1), []);
        out.clear();
        restored.wake(&mut out).unwrap();
        assert_eq!(range(&out[..1]), (1, "b".into(), 0, 1));
        assert_eq!(ask(&mut restored, 1), []);
    }

    #[test]
    fn a_restarted_reader_is_not_given_what_it_asked_for_before() {
        let root = tempfile::tempdir().unwrap();
        let mut enumerator = FileEnumerator::new(vec![root.path().to_owned()], 4, Some(Duration::from_secs(1)), None).unwrap();
        assert_eq!(ask(&mut enumerator, 0), []);
        let mut out = Vec::new();
        enumerator.add_reader(0, &mut out).unwrap();
        out.clear();
        enumerator.add_splits_back(0, vec![FileSplit::new("/x", Compression::None, 0, 1)], &mut out).unwrap();
        assert_eq!(out, []);
        assert_eq!(range(&ask(&mut enumerator, 0)).1, "x");
    }
}
