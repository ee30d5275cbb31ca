//! The taps of the tasks in this process.

use flott_core::id::SubtaskId;
use flott_graph::JobGraph;
use flott_rpc::tap::{TapRequest, TapSample};
use flott_runtime::Tap;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Records in one answer, of all tasks of this process.
const MOST_RECORDS: usize = 2000;

/// Bytes of text in one answer.
const MOST_BYTES: usize = 1 << 20;

/// How long a tap stays open at the most if nobody asks again.
const LONGEST_LEASE: Duration = Duration::from_secs(60);

/// The tap of the newest attempt of each subtask, shared with whoever asks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taps(Arc<Mutex<BTreeMap<SubtaskId, Tap>>>);

impl Taps {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SubtaskId, Tap>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new attempt of `subtask` is about to run; subtasks that the job does not have any more are forgotten.
    pub(crate) fn replace(&self, graph: &JobGraph, subtask: SubtaskId, tap: Tap) {
        let all = &mut *self.lock();
        all.retain(|subtask, _| subtask.index < graph.vertices[subtask.vertex.0 as usize].parallelism);
        all.insert(subtask, tap);
    }

    /// Goes on with the taps that are asked for and takes what they have seen.
    pub(crate) fn fetch(&self, request: &TapRequest, now: Duration) -> TapSample {
        let wanted = |subtask: &SubtaskId| subtask.vertex == request.vertex && request.subtask.is_none_or(|index| subtask.index == index);
        let until = now + Duration::from_millis(request.lease_ms.into()).min(LONGEST_LEASE);
        let taps: Vec<Tap> = self.lock().iter().filter(|(subtask, _)| wanted(subtask)).map(|(_, tap)| tap.clone()).collect();
        let mut all = TapSample::default();
        for sample in taps.iter().map(|tap| tap.fetch(until, request.per_second)) {
            all.records.extend(sample.records);
            all.missed += sample.missed;
        }
        all.records.sort_by_key(|record| record.at);
        let mut bytes = 0;
        let newest = all.records.iter().rev().take(MOST_RECORDS).take_while(|record| {
            bytes += record.value.len();
            bytes <= MOST_BYTES
        });
        let surplus = all.records.len() - newest.count();
        all.records.drain(..surplus);
        all.missed += surplus as u64;
        all
    }

    /// Closes taps that nobody asks for any more.
    pub(crate) fn expire(&self, now: Duration) {
        self.lock().values().for_each(|tap| tap.expire(now));
    }
}
