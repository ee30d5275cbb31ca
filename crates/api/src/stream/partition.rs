//! How records are spread over the subtasks of the next operator.

use super::{DataStream, KeyedStream, Upstream};
use flott_core::{Data, Key, exchange::PartitionKind};
use flott_graph::EdgeFactory;
use flott_operators::{
    key::{ByRef, ByValue, KeySelector, KeyView},
    partition::{CustomEdge, KeyEdge},
};
use std::{marker::PhantomData, sync::Arc};

impl<T: Data> DataStream<T> {
    /// Groups records by the key that `key` returns for each; all records of a key go to one subtask.
    ///
    /// The key is made twice for each record. Where it is a part of the record, as a string field,
    /// [`key_by_ref`](DataStream::key_by_ref) spares the copies.
    pub fn key_by<K, F>(&self, key: F) -> KeyedStream<T, impl KeySelector<T, Key = K> + use<T, K, F>>
    where
        K: Key,
        F: Fn(&T) -> K + Send + Sync + 'static,
    {
        self.keyed(ByValue::new(key))
    }

    /// Groups records by a part of each, without a copy: `key_by_ref(|click| click.user.as_str())` keys by `String`.
    pub fn key_by_ref<Q, F>(&self, key: F) -> KeyedStream<T, impl KeySelector<T, Key = Q::Owned> + use<T, Q, F>>
    where
        F: Fn(&T) -> &Q + Send + Sync + 'static,
        Q: KeyView + ?Sized,
    {
        self.keyed(ByRef::new(key))
    }

    fn keyed<S: KeySelector<T>>(&self, selector: S) -> KeyedStream<T, S> {
        let selector = Arc::new(selector);
        let edge = Arc::new(KeyEdge::<T, S>::shared(selector.clone()));
        KeyedStream::new(self.repartitioned(PartitionKind::Hash, Some(edge)), selector)
    }

    fn repartitioned(&self, kind: PartitionKind, factory: Option<Arc<dyn EdgeFactory>>) -> DataStream<T> {
        let upstreams = self.upstreams.iter().map(|upstream| Upstream {
            place: upstream.place,
            kind: Some(kind),
            factory: factory.clone().unwrap_or_else(|| upstream.factory.clone()),
        });
        DataStream { env: self.env.clone(), upstreams: upstreams.collect(), operator: None, records: PhantomData }
    }

    /// Spreads records evenly over all subtasks, in turn.
    pub fn rebalance(&self) -> DataStream<T> {
        self.repartitioned(PartitionKind::Rebalance, None)
    }

    /// Spreads records in turn over the few subtasks that fall to each sender: less exchange than
    /// [`rebalance`](DataStream::rebalance), and a failure stays among them.
    pub fn rescale(&self) -> DataStream<T> {
        self.repartitioned(PartitionKind::Rescale, None)
    }

    /// Sends each record to a random subtask.
    pub fn shuffle(&self) -> DataStream<T> {
        self.repartitioned(PartitionKind::Shuffle, None)
    }

    /// Sends each record to every subtask.
    pub fn broadcast(&self) -> DataStream<T> {
        self.repartitioned(PartitionKind::Broadcast, None)
    }

    /// Sends all records to the first subtask.
    pub fn global(&self) -> DataStream<T> {
        self.repartitioned(PartitionKind::Global, None)
    }

    /// Sends records to the subtask of the same index. `execute` refuses it if the two operators differ in parallelism.
    pub fn forward(&self) -> DataStream<T> {
        self.repartitioned(PartitionKind::Forward, None)
    }

    /// Sends each record to the subtask that `partitioner` chooses for its key: it gets the key and the number of subtasks, and
    /// returns a number below that. Another number fails the task.
    pub fn partition_custom<K: 'static>(
        &self,
        partitioner: impl Fn(&K, usize) -> usize + Send + Sync + 'static,
        key: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> DataStream<T> {
        let edge = CustomEdge::<T, _>::new(move |record: &T, channels| partitioner(&key(record), channels));
        self.repartitioned(PartitionKind::Custom, Some(Arc::new(edge)))
    }

    /// The records of both streams. A stream united with itself has each record twice.
    pub fn union(&self, other: &DataStream<T>) -> DataStream<T> {
        if !self.env.is_same(&other.env) {
            self.env.mistake("a union of streams of two environments: build both streams with one".to_owned());
        }
        let upstreams = self.upstreams.iter().chain(&other.upstreams).cloned().collect();
        DataStream { env: self.env.clone(), upstreams, operator: None, records: PhantomData }
    }
}
