//! What user code gets: when it is opened, and with each record and timer.

use super::operator_state::{OperatorListState, OperatorStates};
use crate::collector::Collector;
use flott_core::{
    BoxError, Data, Key, Timestamp,
    accumulator::{AccumulatorValue, Accumulators},
    context::{OpenContext, OperatorInfo},
    id::CheckpointId,
    metrics::MetricGroup,
    snapshot::Redistribution,
    time::SharedClock,
};
use flott_state::{AggregateFunction, AggregatingState, KeyedStore, ListState, MapState, ReducingState, TimerService, ValueState};

/// What a function is made with: where it runs, and its operator state.
pub struct RuntimeContext<'a> {
    pub(super) open: &'a OpenContext<'a>,
    pub(super) states: &'a mut OperatorStates,
}

impl std::fmt::Debug for RuntimeContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuntimeContext").field("operator", &self.open.info).finish_non_exhaustive()
    }
}

impl RuntimeContext<'_> {
    /// Which instance of which operator this is.
    pub fn info(&self) -> &OperatorInfo {
        self.open.info
    }

    /// The snapshot that the job was restored from; `None` in a first run.
    pub fn restored_checkpoint(&self) -> Option<CheckpointId> {
        self.open.restored.map(|restored| restored.checkpoint())
    }

    /// The operator's metrics.
    pub fn metrics(&self) -> &MetricGroup {
        self.open.metrics
    }

    /// The job's accumulators: small sums that come back with the job's result.
    pub fn accumulators(&self) -> Accumulators {
        self.open.accumulators.clone()
    }

    /// A list whose items are spread evenly over the subtasks when the job is restored.
    ///
    /// # Errors
    /// The name is taken, or what was stored under it has another type.
    pub fn operator_list_state<T: Data>(&mut self, name: &str) -> Result<OperatorListState<T>, BoxError> {
        self.states.register(name, Redistribution::Split, self.open.restored)
    }

    /// A list of which every subtask gets the items of all when the job is restored.
    ///
    /// # Errors
    /// As [`RuntimeContext::operator_list_state`].
    pub fn union_list_state<T: Data>(&mut self, name: &str) -> Result<OperatorListState<T>, BoxError> {
        self.states.register(name, Redistribution::Union, self.open.restored)
    }
}

/// What a keyed function is made with: where it runs, its keyed state and its operator state.
///
/// Handles are kept in the function. They mean the key of the record or timer at hand, so they must not be used elsewhere.
pub struct KeyedRuntimeContext<'a, K> {
    pub(super) runtime: RuntimeContext<'a>,
    pub(super) store: &'a KeyedStore<K>,
}

impl<K> std::fmt::Debug for KeyedRuntimeContext<'_, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedRuntimeContext").field("runtime", &self.runtime).finish_non_exhaustive()
    }
}

impl<'a, K: Key> KeyedRuntimeContext<'a, K> {
    /// Where the function runs, and its operator state.
    pub fn runtime(&mut self) -> &mut RuntimeContext<'a> {
        &mut self.runtime
    }

    /// A state that keeps one value for each key.
    ///
    /// # Errors
    /// The name is taken, or what was stored under it is another kind or type of state.
    pub fn value_state<T: Data>(&self, name: &str) -> Result<ValueState<T>, BoxError> {
        Ok(self.store.value_state(name)?)
    }

    /// A state that keeps a list for each key.
    ///
    /// # Errors
    /// As [`KeyedRuntimeContext::value_state`].
    pub fn list_state<T: Data>(&self, name: &str) -> Result<ListState<T>, BoxError> {
        Ok(self.store.list_state(name)?)
    }

    /// A state that keeps a map for each key.
    ///
    /// # Errors
    /// As [`KeyedRuntimeContext::value_state`].
    pub fn map_state<MK: Key, MV: Data>(&self, name: &str) -> Result<MapState<MK, MV>, BoxError> {
        Ok(self.store.map_state(name)?)
    }

    /// A state that keeps one value for each key, made by `reduce` of the one it had and the one that is added.
    ///
    /// # Errors
    /// As [`KeyedRuntimeContext::value_state`].
    pub fn reducing_state<T: Data>(&self, name: &str, reduce: impl Fn(T, T) -> T + 'static) -> Result<ReducingState<T>, BoxError> {
        Ok(self.store.reducing_state(name, reduce)?)
    }

    /// A state that keeps an accumulator for each key.
    ///
    /// # Errors
    /// As [`KeyedRuntimeContext::value_state`].
    pub fn aggregating_state<F: AggregateFunction>(&self, name: &str, function: F) -> Result<AggregatingState<F>, BoxError> {
        Ok(self.store.aggregating_state(name, function)?)
    }
}

/// What a function gets with each record.
pub struct ProcessContext<'a, O> {
    pub(super) output: &'a mut Collector<O>,
    pub(super) timestamp: Option<Timestamp>,
    pub(super) watermark: Timestamp,
    pub(super) clock: &'a SharedClock,
    pub(super) accumulators: &'a Accumulators,
}

impl<O> std::fmt::Debug for ProcessContext<'_, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessContext").field("timestamp", &self.timestamp).field("watermark", &self.watermark).finish_non_exhaustive()
    }
}

impl<O: Data> ProcessContext<'_, O> {
    /// Emits a record, with the timestamp of the record or timer at hand.
    #[inline]
    pub fn emit(&mut self, value: O) {
        self.output.emit(value);
    }

    /// The timestamp of the record or timer at hand, ms since the epoch.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.timestamp
    }

    /// The watermark, ms since the epoch; [`MIN_WATERMARK`](flott_core::time::MIN_WATERMARK) before the first one.
    pub fn current_watermark(&self) -> Timestamp {
        self.watermark
    }

    /// The wall clock, ms since the epoch.
    pub fn current_processing_time(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Adds to the job's accumulator `name`.
    ///
    /// # Errors
    /// The accumulator is of another kind.
    pub fn accumulate(&self, name: &str, value: AccumulatorValue) -> Result<(), BoxError> {
        Ok(self.accumulators.add(name, value)?)
    }
}

/// What a keyed function gets with each record and timer.
pub struct KeyedContext<'a, K, O> {
    pub(super) process: ProcessContext<'a, O>,
    pub(super) key: &'a K,
    pub(super) hash: u64,
    pub(super) timers: &'a mut TimerService<K>,
}

impl<K: std::fmt::Debug, O> std::fmt::Debug for KeyedContext<'_, K, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyedContext").field("key", self.key).field("process", &self.process).finish_non_exhaustive()
    }
}

impl<'a, K, O> std::ops::Deref for KeyedContext<'a, K, O> {
    type Target = ProcessContext<'a, O>;

    fn deref(&self) -> &ProcessContext<'a, O> {
        &self.process
    }
}

impl<K, O> std::ops::DerefMut for KeyedContext<'_, K, O> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.process
    }
}

impl<K: Key, O: Data> KeyedContext<'_, K, O> {
    /// Emits a record, with the timestamp of the record or timer at hand.
    #[inline]
    pub fn emit(&mut self, value: O) {
        self.process.emit(value);
    }

    /// The timestamp of the record or timer at hand, ms since the epoch.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.process.timestamp
    }

    /// The key of the record or timer at hand.
    pub fn current_key(&self) -> &K {
        self.key
    }

    /// Calls [`on_timer`](super::KeyedProcessFunction::on_timer) for this key when the watermark reaches `timestamp`. A key has
    /// one timer for a time, however often it is registered.
    pub fn register_event_time_timer(&mut self, timestamp: Timestamp) {
        self.timers.event_time.register(self.hash, self.key, timestamp);
    }

    /// Calls [`on_timer`](super::KeyedProcessFunction::on_timer) for this key when the wall clock reaches `timestamp`, or, if
    /// the job does not run then, when it is restored.
    pub fn register_processing_time_timer(&mut self, timestamp: Timestamp) {
        self.timers.processing_time.register(self.hash, self.key, timestamp);
    }

    /// Removes a timer of this key.
    pub fn delete_event_time_timer(&mut self, timestamp: Timestamp) {
        self.timers.event_time.delete(self.hash, self.key, timestamp);
    }

    /// Removes a timer of this key.
    pub fn delete_processing_time_timer(&mut self, timestamp: Timestamp) {
        self.timers.processing_time.delete(self.hash, self.key, timestamp);
    }
}
