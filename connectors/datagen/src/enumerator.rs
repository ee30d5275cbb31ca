//! Hands out the splits.

use crate::split::GeneratorSplit;
use flott_core::{
    BoxError,
    id::CheckpointId,
    source::{Assignment, SplitEnumerator},
};
use std::collections::{BTreeSet, VecDeque};

/// What the enumerator remembers. That there is such a state means that the splits were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct GeneratorEnumeratorState {
    /// The splits that no reader has.
    pub unassigned: Vec<GeneratorSplit>,
}

/// Gives each reader its share of the splits when it comes. So splits are left only while readers are missing.
pub(crate) struct GeneratorEnumerator {
    unassigned: VecDeque<GeneratorSplit>,
    /// Readers that have not come yet, or were lost with splits.
    missing: BTreeSet<u32>,
    bounded: bool,
}

impl GeneratorEnumerator {
    pub(crate) fn new(splits: impl IntoIterator<Item = GeneratorSplit>, parallelism: u32, bounded: bool) -> Self {
        GeneratorEnumerator { unassigned: splits.into_iter().collect(), missing: (0..parallelism).collect(), bounded }
    }
}

impl SplitEnumerator<GeneratorSplit, GeneratorEnumeratorState> for GeneratorEnumerator {
    fn add_reader(&mut self, subtask: u32, out: &mut Vec<Assignment<GeneratorSplit>>) -> Result<(), BoxError> {
        // One that was known has its share. The last one takes all that is left: an endless split is never done, so nobody
        // would ask for another.
        let share = if self.missing.remove(&subtask) { self.unassigned.len().div_ceil(self.missing.len() + 1) } else { 0 };
        let splits: Vec<GeneratorSplit> = self.unassigned.drain(..share).collect();
        if !splits.is_empty() {
            out.push(Assignment::Splits { subtask, splits });
        }
        self.request_split(subtask, out)
    }

    fn request_split(&mut self, subtask: u32, out: &mut Vec<Assignment<GeneratorSplit>>) -> Result<(), BoxError> {
        if self.bounded {
            out.push(Assignment::NoMoreSplits { subtask });
        }
        Ok(())
    }

    fn add_splits_back(
        &mut self,
        subtask: u32,
        splits: Vec<GeneratorSplit>,
        _out: &mut Vec<Assignment<GeneratorSplit>>,
    ) -> Result<(), BoxError> {
        self.unassigned.extend(splits);
        self.missing.insert(subtask);
        Ok(())
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId) -> Result<GeneratorEnumeratorState, BoxError> {
        Ok(GeneratorEnumeratorState { unassigned: self.unassigned.iter().cloned().collect() })
    }

    fn unassigned_splits(&self) -> Option<u64> {
        Some(self.unassigned.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(parallelism: u32, end: Option<u64>) -> GeneratorEnumerator {
        GeneratorEnumerator::new(GeneratorSplit::divide(parallelism, end), parallelism, end.is_some())
    }

    /// The numbers of the splits that `subtask` gets when it comes, and whether they are the last.
    fn add(enumerator: &mut GeneratorEnumerator, subtask: u32) -> (Vec<u32>, bool) {
        let mut out = Vec::new();
        enumerator.add_reader(subtask, &mut out).unwrap();
        let last = out.last() == Some(&Assignment::NoMoreSplits { subtask });
        let splits = out.into_iter().flat_map(|assignment| match assignment {
            Assignment::Splits { subtask: to, splits } if to == subtask => splits,
            Assignment::NoMoreSplits { subtask: to } if to == subtask => Vec::new(),
            other => panic!("{other:?}"),
        });
        (splits.map(|split| split.number).collect(), last)
    }

    #[test]
    fn each_reader_gets_one_split_once() {
        let mut enumerator = fresh(3, Some(100));
        assert_eq!(add(&mut enumerator, 2), (vec![0], true));
        assert_eq!(add(&mut enumerator, 0), (vec![1], true));
        assert_eq!(add(&mut enumerator, 2), (vec![], true));
        assert_eq!(add(&mut enumerator, 1), (vec![2], true));
        assert_eq!(add(&mut enumerator, 1), (vec![], true));
    }

    #[test]
    fn readers_of_an_endless_source_are_never_told_that_there_is_no_more() {
        let mut enumerator = fresh(1, None);
        assert_eq!(add(&mut enumerator, 0), (vec![0], false));
        let mut out = Vec::new();
        enumerator.request_split(0, &mut out).unwrap();
        assert_eq!(out, []);
    }

    #[test]
    fn splits_that_lost_readers_give_back_go_out_again_when_they_return() {
        let mut enumerator = fresh(3, Some(100));
        for subtask in 0..3 {
            add(&mut enumerator, subtask);
        }
        let splits: Vec<GeneratorSplit> = GeneratorSplit::divide(3, Some(100)).collect();
        let mut out = Vec::new();
        enumerator.add_splits_back(0, vec![splits[0].clone()], &mut out).unwrap();
        enumerator.add_splits_back(2, vec![splits[2].clone()], &mut out).unwrap();
        assert_eq!((out, enumerator.unassigned_splits()), (vec![], Some(2)));
        assert_eq!(enumerator.snapshot(CheckpointId(1)).unwrap().unassigned, [splits[0].clone(), splits[2].clone()]);
        assert_eq!(add(&mut enumerator, 0), (vec![0], true));
        assert_eq!(add(&mut enumerator, 2), (vec![2], true));
        assert_eq!(add(&mut enumerator, 0), (vec![], true));
    }

    #[test]
    fn fewer_readers_share_all_restored_splits() {
        let mut before = fresh(5, None);
        add(&mut before, 0);
        let state = before.snapshot(CheckpointId(1)).unwrap();
        let mut enumerator = GeneratorEnumerator::new(state.unassigned, 2, false);
        assert_eq!(add(&mut enumerator, 1), (vec![1, 2], false));
        assert_eq!(add(&mut enumerator, 0), (vec![3, 4], false));
        assert_eq!(enumerator.snapshot(CheckpointId(2)).unwrap(), GeneratorEnumeratorState::default());
    }
}
