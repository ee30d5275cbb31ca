//! A toy enumerator: hands out splits at once or on request, finds more as time goes by.

use crate::{
    job::{Split, numbers},
    random::Random,
};
use flott_rpc::task::{EnumeratorCommand, EnumeratorReport};
use std::collections::{BTreeSet, VecDeque};

#[derive(Debug, Clone)]
pub(crate) struct Enumerator {
    readers: u32,
    eager: bool,
    undiscovered: VecDeque<Split>,
    unassigned: VecDeque<Split>,
    waiting: BTreeSet<u32>,
}

impl Enumerator {
    /// All splits of a source.
    pub(crate) fn all(random: &mut Random) -> Vec<Split> {
        (0..1 + random.below(8)).map(|id| Split { id, next: 0, end: random.below(25) }).collect()
    }

    pub(crate) fn new(readers: u32, eager: bool, splits: &[Split], restored: Option<&[u8]>) -> Self {
        let mut enumerator = Enumerator {
            readers,
            eager,
            undiscovered: splits.iter().copied().collect(),
            unassigned: VecDeque::new(),
            waiting: BTreeSet::new(),
        };
        if let Some(state) = restored {
            let (found, splits) = Self::decode(state);
            enumerator.undiscovered = splits.iter().skip(found).copied().collect();
            enumerator.unassigned = splits.into_iter().take(found).collect();
        } else {
            enumerator.discover();
            enumerator.discover();
        }
        enumerator
    }

    fn decode(state: &[u8]) -> (usize, Vec<Split>) {
        (numbers(&state[..8])[0] as usize, state[8..].chunks_exact(24).map(Split::decode).collect())
    }

    /// The records that a state has not handed out.
    pub(crate) fn left_in(state: &[u8]) -> u64 {
        Self::decode(state).1.iter().map(Split::left).sum()
    }

    fn encode(&self) -> Vec<u8> {
        let mut state = (self.unassigned.len() as u64).to_le_bytes().to_vec();
        state.extend(self.unassigned.iter().chain(&self.undiscovered).flat_map(Split::encode));
        state
    }

    fn discover(&mut self) {
        self.unassigned.extend(self.undiscovered.pop_front());
    }

    pub(crate) fn wake(&mut self) -> Vec<EnumeratorReport> {
        self.discover();
        self.serve()
    }

    pub(crate) fn has_more(&self) -> bool {
        !self.undiscovered.is_empty()
    }

    fn serve(&mut self) -> Vec<EnumeratorReport> {
        let mut reports = Vec::new();
        while let Some(subtask) = self.waiting.first().copied() {
            if let Some(split) = self.unassigned.pop_front() {
                reports.push(EnumeratorReport::Assign { subtask, splits: vec![split.encode()] });
            } else if self.undiscovered.is_empty() {
                reports.push(EnumeratorReport::NoMoreSplits { subtask });
            } else {
                break;
            }
            self.waiting.remove(&subtask);
        }
        reports
    }

    pub(crate) fn handle(&mut self, command: EnumeratorCommand, random: &mut Random) -> Vec<EnumeratorReport> {
        match command {
            EnumeratorCommand::AddReader { subtask } => {
                assert!(subtask < self.readers);
                self.waiting.remove(&subtask);
                if self.eager
                    && let Some(split) = self.unassigned.pop_front()
                {
                    return vec![EnumeratorReport::Assign { subtask, splits: vec![split.encode()] }];
                }
                Vec::new()
            }
            EnumeratorCommand::RequestSplit { subtask } => {
                self.waiting.insert(subtask);
                self.serve()
            }
            EnumeratorCommand::AddSplitsBack { splits, .. } => {
                self.unassigned.extend(splits.iter().map(|split| Split::decode(split)));
                self.serve()
            }
            EnumeratorCommand::Snapshot { checkpoint } if random.percent(3) => {
                vec![EnumeratorReport::SnapshotFailed { checkpoint, reason: "simulated".into() }]
            }
            EnumeratorCommand::Snapshot { checkpoint } => vec![EnumeratorReport::Snapshot { checkpoint, state: self.encode() }],
            EnumeratorCommand::CheckpointCompleted(_) | EnumeratorCommand::Create { .. } => Vec::new(),
        }
    }
}
