//! A source whose records can be computed from their place, with an enumerator that hands out splits in several ways.

use crate::{record::Record, sim::Sim};
use flott_core::{
    BoxError,
    id::CheckpointId,
    source::{
        Assignment, Boundedness, EnumeratorContext, ReadStatus, ReaderContext, ReaderOutput, Source, SourceReader, SourceSplit,
        SplitEnumerator,
    },
    time::SharedClock,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// What a source is like.
#[derive(Debug, Clone)]
pub(crate) struct SourceShape {
    pub(crate) number: u8,
    /// The number of records of each split.
    pub(crate) splits: Vec<u32>,
    pub(crate) keys: u16,
    /// Whether readers ask for splits; otherwise each gets its share at once.
    pub(crate) on_request: bool,
    /// How many splits are there from the beginning; the others are found one after another.
    pub(crate) found_first: u32,
    /// Whether it never says that it has ended.
    pub(crate) unbounded: bool,
    /// The mean time between two polls that give something, ms.
    pub(crate) pace_ms: u64,
    /// Event time between two records of a split, ms.
    pub(crate) step_ms: i64,
}

impl SourceShape {
    /// A record.
    pub(crate) fn record(&self, split: u16, place: u32) -> Record {
        let mix = (u64::from(self.number) << 40 | u64::from(split) << 20 | u64::from(place)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        Record {
            source: self.number,
            split,
            place,
            copy: 0,
            key: (mix % u64::from(self.keys)) as u16,
            value: (mix >> 8) as i64 % 1000 - 300,
            time: i64::from(place) * self.step_ms + i64::from(split) * 7,
        }
    }

    pub(crate) fn split(&self, number: u16) -> SimSplit {
        SimSplit { source: self.number, number, position: 0 }
    }

    pub(crate) fn len(&self, split: u16) -> u32 {
        self.splits[usize::from(split)]
    }
}

/// A split, read up to `position`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SimSplit {
    pub(crate) source: u8,
    pub(crate) number: u16,
    pub(crate) position: u32,
}

impl SourceSplit for SimSplit {
    fn split_id(&self) -> String {
        format!("{}-{}", self.source, self.number)
    }
}

/// What an enumerator remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EnumeratorState {
    /// The first split that was not found yet.
    pub(crate) found: u16,
    /// Splits that are found and nobody's.
    pub(crate) free: Vec<SimSplit>,
}

pub(crate) struct SimSource {
    pub(crate) sim: Arc<Sim>,
    pub(crate) shape: SourceShape,
}

impl Source for SimSource {
    type Out = Record;
    type Split = SimSplit;
    type EnumeratorState = EnumeratorState;

    fn boundedness(&self) -> Boundedness {
        if self.shape.unbounded { Boundedness::ContinuousUnbounded } else { Boundedness::Bounded }
    }

    fn create_enumerator(
        &self,
        context: &EnumeratorContext,
        restored: Option<EnumeratorState>,
    ) -> Result<Box<dyn SplitEnumerator<SimSplit, EnumeratorState>>, BoxError> {
        if self.sim.rare_fault(20) {
            return Err("the splits cannot be listed".into());
        }
        let state = restored.unwrap_or_else(|| {
            let found = self.shape.found_first.min(self.shape.splits.len() as u32) as u16;
            EnumeratorState { found, free: (0..found).map(|number| self.shape.split(number)).collect() }
        });
        Ok(Box::new(Enumerator {
            sim: self.sim.clone(),
            shape: self.shape.clone(),
            parallelism: context.parallelism,
            state,
            readers: BTreeSet::new(),
            waiting: BTreeSet::new(),
            woken: false,
        }))
    }

    fn create_reader(&self, context: &ReaderContext) -> Result<Box<dyn SourceReader<Record, SimSplit>>, BoxError> {
        Ok(Box::new(Reader {
            sim: self.sim.clone(),
            shape: self.shape.clone(),
            clock: context.clock.clone(),
            splits: Vec::new(),
            no_more: false,
            asked: false,
            wants: false,
            not_before: Duration::ZERO,
        }))
    }
}

struct Enumerator {
    sim: Arc<Sim>,
    shape: SourceShape,
    parallelism: u32,
    state: EnumeratorState,
    readers: BTreeSet<u32>,
    waiting: BTreeSet<u32>,
    woken: bool,
}

type Assignments = Vec<Assignment<SimSplit>>;

impl Enumerator {
    fn all_found(&self) -> bool {
        usize::from(self.state.found) == self.shape.splits.len()
    }

    fn wake_later(&mut self, out: &mut Assignments) {
        if !self.all_found() && !self.woken {
            self.woken = true;
            out.push(Assignment::WakeAfter(self.sim.random().millis(40)));
        }
    }

    fn hand_out(&mut self, out: &mut Assignments) {
        if self.shape.on_request {
            for subtask in std::mem::take(&mut self.waiting) {
                if let Some(split) = self.state.free.pop() {
                    out.push(Assignment::Splits { subtask, splits: vec![split] });
                } else if self.all_found() && !self.shape.unbounded {
                    out.push(Assignment::NoMoreSplits { subtask });
                } else {
                    self.waiting.insert(subtask);
                }
            }
            return;
        }
        for subtask in self.readers.clone() {
            let (own, others) = self.state.free.drain(..).partition(|split| u32::from(split.number) % self.parallelism == subtask);
            self.state.free = others;
            if !Vec::is_empty(&own) {
                out.push(Assignment::Splits { subtask, splits: own });
            }
            if self.all_found() && !self.shape.unbounded {
                out.push(Assignment::NoMoreSplits { subtask });
                self.readers.remove(&subtask);
            }
        }
    }
}

impl SplitEnumerator<SimSplit, EnumeratorState> for Enumerator {
    fn add_reader(&mut self, subtask: u32, out: &mut Assignments) -> Result<(), BoxError> {
        self.waiting.remove(&subtask);
        self.readers.insert(subtask);
        self.hand_out(out);
        self.wake_later(out);
        Ok(())
    }

    fn request_split(&mut self, subtask: u32, out: &mut Assignments) -> Result<(), BoxError> {
        self.waiting.insert(subtask);
        self.hand_out(out);
        Ok(())
    }

    fn add_splits_back(&mut self, subtask: u32, splits: Vec<SimSplit>, out: &mut Assignments) -> Result<(), BoxError> {
        // It is about to come back, and gets its own then.
        self.readers.remove(&subtask);
        self.waiting.remove(&subtask);
        self.state.free.extend(splits);
        self.hand_out(out);
        Ok(())
    }

    fn wake(&mut self, out: &mut Assignments) -> Result<(), BoxError> {
        self.woken = false;
        if !self.all_found() {
            self.state.free.push(self.shape.split(self.state.found));
            self.state.found += 1;
        }
        self.hand_out(out);
        self.wake_later(out);
        Ok(())
    }

    fn snapshot(&mut self, _: CheckpointId) -> Result<EnumeratorState, BoxError> {
        if self.sim.rare_fault(10) { Err("the enumerator cannot say".into()) } else { Ok(self.state.clone()) }
    }
}

struct Reader {
    sim: Arc<Sim>,
    shape: SourceShape,
    clock: SharedClock,
    splits: Vec<SimSplit>,
    no_more: bool,
    /// A split was asked for and has not come.
    asked: bool,
    wants: bool,
    not_before: Duration,
}

impl SourceReader<Record, SimSplit> for Reader {
    fn poll_next(&mut self, _: &mut Context<'_>, output: &mut ReaderOutput<Record>) -> Poll<Result<ReadStatus, BoxError>> {
        let now = self.clock.monotonic();
        if now < self.not_before {
            return Poll::Pending;
        }
        if self.splits.is_empty() {
            if self.no_more {
                return Poll::Ready(Ok(ReadStatus::Finished));
            }
            self.wants |= self.shape.on_request && !self.asked;
            // Splits wake the task.
            return Poll::Pending;
        }
        if self.sim.rare_fault(3) {
            return Poll::Ready(Err("the split cannot be read".into()));
        }
        let (index, records, pause) = {
            let mut random = self.sim.random();
            (random.below(self.splits.len() as u64) as usize, random.between(1, 4), random.millis(2 * self.shape.pace_ms))
        };
        let split = &mut self.splits[index];
        let name: Arc<str> = split.split_id().into();
        output.start_split(&name);
        let len = self.shape.len(split.number);
        for _ in 0..records {
            if split.position < len {
                let record = self.shape.record(split.number, split.position);
                let time = record.time;
                output.emit_at(record, time);
                split.position += 1;
            }
        }
        if split.position >= len {
            output.finish_split(&name);
            self.splits.remove(index);
        }
        self.not_before = now + pause;
        Poll::Ready(Ok(ReadStatus::More))
    }

    fn next_wake(&self) -> Option<Duration> {
        (!self.splits.is_empty() || self.no_more || self.shape.on_request && !self.asked).then_some(self.not_before)
    }

    fn add_splits(&mut self, splits: Vec<SimSplit>) -> Result<(), BoxError> {
        self.splits.extend(splits);
        self.asked = false;
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more = true;
    }

    fn take_split_request(&mut self) -> bool {
        self.asked |= self.wants;
        std::mem::take(&mut self.wants)
    }

    fn snapshot(&mut self, _: CheckpointId) -> Result<Vec<SimSplit>, BoxError> {
        Ok(self.splits.clone())
    }
}
