//! The one split of a socket.

use flott_core::{
    BoxError,
    id::CheckpointId,
    source::{Assignment, SourceSplit, SplitEnumerator},
};

/// The connection. A snapshot holds no position: there is none to go back to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SocketSplit {
    /// Host and port as the source had them when the split was made. A restored source reads from where it is told to itself.
    pub address: String,
}

impl SourceSplit for SocketSplit {
    fn split_id(&self) -> String {
        self.address.clone()
    }
}

/// What the enumerator remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SocketEnumeratorState {
    /// The split, unless a reader has it.
    pub unassigned: Option<SocketSplit>,
}

/// Gives the split to the first reader that comes.
pub(crate) struct SocketEnumerator(pub(crate) SocketEnumeratorState);

impl SplitEnumerator<SocketSplit, SocketEnumeratorState> for SocketEnumerator {
    fn add_reader(&mut self, subtask: u32, out: &mut Vec<Assignment<SocketSplit>>) -> Result<(), BoxError> {
        if let Some(split) = self.0.unassigned.take() {
            out.push(Assignment::Splits { subtask, splits: vec![split] });
        }
        self.request_split(subtask, out)
    }

    fn request_split(&mut self, subtask: u32, out: &mut Vec<Assignment<SocketSplit>>) -> Result<(), BoxError> {
        out.push(Assignment::NoMoreSplits { subtask });
        Ok(())
    }

    fn add_splits_back(
        &mut self,
        _subtask: u32,
        mut splits: Vec<SocketSplit>,
        _out: &mut Vec<Assignment<SocketSplit>>,
    ) -> Result<(), BoxError> {
        self.0.unassigned = splits.pop().or(self.0.unassigned.take());
        Ok(())
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId) -> Result<SocketEnumeratorState, BoxError> {
        Ok(self.0.clone())
    }

    fn unassigned_splits(&self) -> Option<u64> {
        Some(u64::from(self.0.unassigned.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(enumerator: &mut SocketEnumerator, subtask: u32) -> Vec<Assignment<SocketSplit>> {
        let mut out = Vec::new();
        enumerator.add_reader(subtask, &mut out).unwrap();
        out
    }

    #[test]
    fn the_first_reader_gets_the_split_and_keeps_it_until_it_is_given_back() {
        let split = SocketSplit { address: "localhost:1".to_owned() };
        let mut enumerator = SocketEnumerator(SocketEnumeratorState { unassigned: Some(split.clone()) });
        let given = |subtask| Assignment::Splits { subtask, splits: vec![split.clone()] };
        let end = |subtask| Assignment::NoMoreSplits { subtask };
        assert_eq!(add(&mut enumerator, 1), [given(1), end(1)]);
        assert_eq!(add(&mut enumerator, 0), [end(0)]);
        assert_eq!(enumerator.snapshot(CheckpointId(1)).unwrap(), SocketEnumeratorState::default());
        assert_eq!(add(&mut enumerator, 1), [end(1)]);

        let mut out = Vec::new();
        enumerator.add_splits_back(1, vec![split.clone()], &mut out).unwrap();
        assert_eq!(out, []);
        let mut restored = SocketEnumerator(enumerator.snapshot(CheckpointId(2)).unwrap());
        assert_eq!(add(&mut restored, 1), [given(1), end(1)]);
    }
}
