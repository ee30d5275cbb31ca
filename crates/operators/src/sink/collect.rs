//! Brings results back into the program.
//!
//! With checkpoints, a result is handed over when the checkpoint that it belongs to is complete, so that a failure neither
//! loses nor repeats one. Without checkpoints there is no recovery to repeat anything: results are handed over at once.

use flott_core::{
    Batch, BoxError, Data,
    id::CheckpointId,
    sink::{CommitOutcome, Committer, Sink, SinkWriter, WriterContext},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

/// Results that belong to one checkpoint of one subtask.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Collected<T: Serialize + DeserializeOwned> {
    /// Subtask and checkpoint, and a number of the attempt's own.
    id: (u32, u64, u64),
    values: Vec<T>,
}

impl<T: Serialize + DeserializeOwned> std::fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Collected({:?}, {} values)", self.id, self.values.len())
    }
}

/// Sends results to a [`CollectedResults`].
pub struct CollectSink<T> {
    results: Arc<Mutex<mpsc::Sender<Message<T>>>>,
    /// The commits that were handed over: a commit is repeated after a recovery.
    seen: Arc<Mutex<HashSet<(u32, u64, u64)>>>,
    at_once: bool,
}

impl<T> std::fmt::Debug for CollectSink<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CollectSink").field("at_once", &self.at_once).finish_non_exhaustive()
    }
}

/// The results of a job, in the order in which they come, up to [`EndOfResults::send`].
#[derive(Debug)]
pub struct CollectedResults<T> {
    receiver: mpsc::Receiver<Message<T>>,
    end: mpsc::Sender<Message<T>>,
}

#[derive(Debug)]
enum Message<T> {
    Value(T),
    End,
}

/// Tells a [`CollectedResults`] that no more results come.
#[derive(Debug)]
pub struct EndOfResults<T>(mpsc::Sender<Message<T>>);

impl<T> EndOfResults<T> {
    /// Ends the results behind those that were sent.
    pub fn send(self) {
        // Whoever has dropped the results does not wait for their end.
        let _ = self.0.send(Message::End);
    }
}

impl<T> CollectedResults<T> {
    /// What to call when the job has ended.
    pub fn end(&self) -> EndOfResults<T> {
        EndOfResults(self.end.clone())
    }
}

impl<T> Iterator for CollectedResults<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        match self.receiver.recv() {
            Ok(Message::Value(value)) => Some(value),
            Ok(Message::End) | Err(_) => None,
        }
    }
}

impl<T: Data> CollectSink<T> {
    /// A sink and the results that it will bring. `at_once`: without waiting for checkpoints.
    pub fn new(at_once: bool) -> (Self, CollectedResults<T>) {
        let (sender, receiver) = mpsc::channel();
        let sink = CollectSink { results: Arc::new(Mutex::new(sender.clone())), seen: Arc::default(), at_once };
        (sink, CollectedResults { receiver, end: sender })
    }

    fn sender(&self) -> mpsc::Sender<Message<T>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T: Data> Sink<T> for CollectSink<T> {
    type Committable = Collected<T>;
    type WriterState = ();

    fn create_writer(&self, context: &WriterContext, _: Vec<()>) -> Result<Box<dyn SinkWriter<T, Collected<T>, ()>>, BoxError> {
        let at_once = self.at_once.then(|| self.sender());
        Ok(Box::new(CollectWriter { at_once, subtask: context.subtask, seed: context.seed, values: Vec::new() }))
    }

    fn create_committer(&self, _: &WriterContext) -> Result<Option<Box<dyn Committer<Collected<T>>>>, BoxError> {
        Ok(Some(Box::new(CollectCommitter { results: self.sender(), seen: self.seen.clone() })))
    }
}

struct CollectWriter<T> {
    at_once: Option<mpsc::Sender<Message<T>>>,
    subtask: u32,
    seed: u64,
    values: Vec<T>,
}

impl<T: Data> SinkWriter<T, Collected<T>, ()> for CollectWriter<T> {
    fn write(&mut self, batch: Batch<T>) -> Result<(), BoxError> {
        match &self.at_once {
            // A program that has dropped its results wants no more of them; the job goes on.
            Some(results) => drop(batch.values.into_iter().try_for_each(|value| results.send(Message::Value(value)))),
            None => self.values.extend(batch.values),
        }
        Ok(())
    }

    fn flush(&mut self, _: bool) -> Result<(), BoxError> {
        Ok(())
    }

    fn prepare_commit(&mut self, checkpoint: CheckpointId) -> Result<Vec<Collected<T>>, BoxError> {
        if self.values.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Collected { id: (self.subtask, checkpoint.0, self.seed), values: std::mem::take(&mut self.values) }])
    }
}

struct CollectCommitter<T> {
    results: mpsc::Sender<Message<T>>,
    seen: Arc<Mutex<HashSet<(u32, u64, u64)>>>,
}

impl<T: Data> Committer<Collected<T>> for CollectCommitter<T> {
    fn commit(&mut self, committable: &Collected<T>) -> CommitOutcome {
        if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(committable.id) {
            return CommitOutcome::AlreadyCommitted;
        }
        // As above: nobody may be there to take them.
        drop(committable.values.iter().cloned().try_for_each(|value| self.results.send(Message::Value(value))));
        CommitOutcome::Committed
    }
}
