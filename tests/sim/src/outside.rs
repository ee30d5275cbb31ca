//! The outside system, with transactions, and the sink that writes to it exactly once.

use crate::{
    plant::Plant,
    record::Out,
    sim::{Seen, Sim, hold},
};
use flott_core::{
    Batch, BoxError,
    id::CheckpointId,
    sink::{BoxWriter, CommitOutcome, Committer, Sink, SinkWriter, WriterContext},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// What the outside system holds. It outlives jobs.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    next: u64,
    open: BTreeMap<u64, Vec<Out>>,
    committed: BTreeMap<u64, Committed>,
}

/// A transaction that is visible.
#[derive(Debug)]
struct Committed {
    sink: String,
    /// The checkpoint that it was prepared for.
    checkpoint: u64,
    records: Vec<Out>,
}

impl Outside {
    /// What a transaction holds, committed or not.
    pub(crate) fn content(&self, transaction: u64) -> Option<&[Out]> {
        self.open.get(&transaction).or_else(|| self.committed.get(&transaction).map(|committed| &committed.records)).map(Vec::as_slice)
    }

    pub(crate) fn is_visible(&self, transaction: u64) -> bool {
        self.committed.contains_key(&transaction)
    }

    /// All that is visible of the sink `name`, up to what was prepared for checkpoint `last`.
    pub(crate) fn visible<'a>(&'a self, name: &'a str, last: u64) -> impl Iterator<Item = &'a Out> {
        self.committed.values().filter(move |committed| committed.sink == name && committed.checkpoint <= last).flat_map(|c| &c.records)
    }
}

/// Names a transaction that is complete but not visible yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Committable {
    pub(crate) transaction: u64,
    pub(crate) checkpoint: u64,
    sink: String,
}

/// A sink with two phases. `name` tells sinks apart.
pub(crate) struct SimSink {
    pub(crate) sim: Arc<Sim>,
    pub(crate) name: String,
}

impl Sink<Out> for SimSink {
    type Committable = Committable;
    /// How many records were written; shares of several writers are added.
    type WriterState = u64;

    fn create_writer(&self, _: &WriterContext, restored: Vec<u64>) -> Result<BoxWriter<Out, Committable, u64>, BoxError> {
        let written = restored.into_iter().sum();
        Ok(Box::new(Writer { sim: self.sim.clone(), name: self.name.clone(), written, transaction: None }))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<Committable>>>, BoxError> {
        Ok(Some(Box::new(SimCommitter(self.sim.clone()))))
    }
}

struct Writer {
    sim: Arc<Sim>,
    name: String,
    written: u64,
    transaction: Option<u64>,
}

impl SinkWriter<Out, Committable, u64> for Writer {
    fn write(&mut self, batch: Batch<Out>) -> Result<(), BoxError> {
        let mut outside = hold(&self.sim.outside);
        let transaction = *self.transaction.get_or_insert_with(|| {
            outside.next += 1;
            outside.next
        });
        self.written += batch.len() as u64;
        outside.open.entry(transaction).or_default().extend(batch.values);
        Ok(())
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        if self.sim.rare_fault(5) { Err("the outside system does not take it".into()) } else { Ok(()) }
    }

    fn prepare_commit(&mut self, checkpoint: CheckpointId) -> Result<Vec<Committable>, BoxError> {
        let transaction = self.transaction.take();
        Ok(transaction
            .map(|transaction| Committable { transaction, checkpoint: checkpoint.0, sink: self.name.clone() })
            .into_iter()
            .collect())
    }

    fn snapshot(&mut self, _: CheckpointId) -> Result<Vec<u64>, BoxError> {
        Ok(vec![self.written])
    }
}

struct SimCommitter(Arc<Sim>);

impl Committer<Committable> for SimCommitter {
    fn commit(&mut self, committable: &Committable) -> CommitOutcome {
        let sim = &self.0;
        if sim.fault(10) {
            sim.saw(Seen::CommitRetried);
            return CommitOutcome::Retry("the outside system does not answer".into());
        }
        let lost = sim.fault(10);
        let Committable { transaction, sink, .. } = committable;
        let mut outside = hold(&sim.outside);
        sim.trace(format_args!(
            "commit {transaction} of {sink}, prepared for {}{}",
            committable.checkpoint,
            if lost { ", answer lost" } else { "" }
        ));
        let outcome = match outside.open.remove(transaction) {
            Some(records) => {
                outside.committed.insert(*transaction, Committed { sink: sink.clone(), checkpoint: committable.checkpoint, records });
                CommitOutcome::Committed
            }
            None => match outside.committed.get_mut(transaction) {
                Some(Committed { records, .. }) => {
                    if sim.planted(Plant::CommitTwice) {
                        let again = records.clone();
                        records.extend(again);
                    }
                    CommitOutcome::AlreadyCommitted
                }
                None => {
                    sim.violation(format!("transaction {transaction} is to be committed, but was never written"));
                    CommitOutcome::AlreadyCommitted
                }
            },
        };
        if lost {
            sim.saw(Seen::CommitLost);
            return CommitOutcome::Retry("the answer was lost".into());
        }
        outcome
    }
}
