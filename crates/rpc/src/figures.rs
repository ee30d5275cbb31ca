//! Figures of tasks and processes, as they are sent every now and then to whoever shows them.

use flott_core::{
    accumulator::AccumulatorValue,
    id::{OperatorId, SubtaskId, VertexId},
    metrics::{HistogramFigures, MeterFigures},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The figures of a task, by metric name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskFigures {
    /// The subtask.
    pub subtask: SubtaskId,
    /// The name of its vertex.
    pub name: String,
    /// The task's own counters and gauges.
    pub task: BTreeMap<String, i64>,
    /// The counters and gauges of its operators, in the order of the chain.
    pub operators: Vec<(String, BTreeMap<String, i64>)>,
    /// The meters and histograms of its operators, in the order of the chain.
    #[serde(default)]
    pub distributions: Vec<Distributions>,
    /// Records that it has sent into each edge, by the edge's place in the graph. A copy for each receiver counts.
    #[serde(default)]
    pub edges: BTreeMap<u32, u64>,
    /// What waits in its channels; `None`: it does not tell.
    #[serde(default)]
    pub buffers: Option<BufferFigures>,
    /// Of the enumerators in its process; they are with one of the tasks there.
    #[serde(default)]
    pub enumerators: Vec<EnumeratorFigures>,
    /// When it has opened its operators; `None`: it has not begun to.
    #[serde(default)]
    pub initialization: Option<Initialization>,
    /// How long marks of sources were on their way to its operators.
    #[serde(default)]
    pub latencies: Vec<Latency>,
    /// Its accumulators so far.
    #[serde(default)]
    pub accumulators: BTreeMap<String, AccumulatorValue>,
    /// The number that the operating system has given to its thread.
    #[serde(default)]
    pub thread: Option<u32>,
    /// When they were read, ms of a clock of the worker's.
    #[serde(default)]
    pub read_at_ms: u64,
}

/// A task opens its operators, with the state that they are given: Flink's state `INITIALIZING`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initialization {
    /// Of which attempt.
    pub attempt: u32,
    /// When it began, ms since 1970 by the clock of the worker.
    pub since: i64,
    /// How long it took, ms; `None`: it is not done.
    pub took: Option<u64>,
}

/// What waits in the channels of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BufferFigures {
    /// In those that it reads from.
    pub input: QueueFigures,
    /// In those that it sends into: inside a process, the same that the receivers read from.
    pub output: QueueFigures,
}

/// What waits in some channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueFigures {
    /// Batches.
    pub batches: u64,
    /// Batches that there is room for.
    pub capacity: u64,
    /// Records in the batches.
    pub records: u64,
}

impl QueueFigures {
    /// Both together.
    #[must_use]
    pub fn and(self, other: QueueFigures) -> QueueFigures {
        QueueFigures {
            batches: self.batches + other.batches,
            capacity: self.capacity + other.capacity,
            records: self.records + other.records,
        }
    }

    /// The share of the room that is taken, 0 to 1.
    pub fn usage(&self) -> f64 {
        if self.capacity == 0 { 0.0 } else { (self.batches as f64 / self.capacity as f64).min(1.0) }
    }
}

/// What the enumerator of a source says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumeratorFigures {
    /// The source.
    pub vertex: VertexId,
    /// Splits that no reader has been given.
    pub unassigned_splits: u64,
}

/// What the meters and histograms of an operator say, by metric name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Distributions {
    /// Its meters.
    pub meters: BTreeMap<String, MeterFigures>,
    /// Its histograms.
    pub histograms: BTreeMap<String, HistogramFigures>,
}

/// How long the latency markers of a source were on their way to an operator of the subtask, ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The source; `None`: all of them together.
    pub source: Option<OperatorId>,
    /// The subtask of the source; `None`: all of them together.
    pub source_subtask: Option<u32>,
    /// The operator.
    pub operator: OperatorId,
    /// The times.
    pub histogram: HistogramFigures,
}

/// What a process uses, with the processes that it has started.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ProcessFigures {
    /// The name of its machine.
    #[serde(default)]
    pub host: String,
    /// Time on processors so far, ns.
    #[serde(default)]
    pub cpu_time_ns: u64,
    /// The share of all processors since the last look, 0 to 1.
    #[serde(default)]
    pub cpu_load: f64,
    /// Resident memory, bytes.
    #[serde(default)]
    pub resident_bytes: u64,
    /// Memory that there is for it: that of the machine, or of its control group. Bytes.
    #[serde(default)]
    pub memory_max_bytes: u64,
    /// Threads.
    #[serde(default)]
    pub threads: u64,
    /// Open files and connections.
    #[serde(default)]
    pub open_files: u64,
    /// Files and connections that a process may open.
    #[serde(default)]
    pub open_files_max: u64,
}

impl ProcessFigures {
    /// The figures under the names that Flink gives to those of a JVM. Resident memory stands where tools look for the heap; what only
    /// a JVM has is 0.
    pub fn metrics(&self) -> [(&'static str, f64); 17] {
        let (resident, most) = (self.resident_bytes as f64, self.memory_max_bytes as f64);
        [
            ("Status.JVM.CPU.Load", self.cpu_load),
            ("Status.JVM.CPU.Time", self.cpu_time_ns as f64),
            ("Status.JVM.Memory.Heap.Used", resident),
            ("Status.JVM.Memory.Heap.Committed", resident),
            ("Status.JVM.Memory.Heap.Max", most),
            ("Status.JVM.Memory.NonHeap.Used", 0.0),
            ("Status.JVM.Memory.NonHeap.Committed", 0.0),
            ("Status.JVM.Memory.NonHeap.Max", 0.0),
            ("Status.JVM.Memory.Metaspace.Used", 0.0),
            ("Status.JVM.Memory.Metaspace.Max", 0.0),
            ("Status.JVM.Threads.Count", self.threads as f64),
            ("Status.JVM.FileDescriptor.Open", self.open_files as f64),
            ("Status.JVM.FileDescriptor.Max", self.open_files_max as f64),
            ("Status.JVM.GarbageCollector.All.Count", 0.0),
            ("Status.JVM.GarbageCollector.All.Time", 0.0),
            ("Status.JVM.GarbageCollector.All.TimeMsPerSecond", 0.0),
            ("Status.JVM.ClassLoader.ClassesLoaded", 0.0),
        ]
    }
}

/// The accumulators of tasks, merged. A value of another kind than the first of its name is left out.
pub fn merged_accumulators(tasks: &[TaskFigures]) -> BTreeMap<String, AccumulatorValue> {
    let mut merged: BTreeMap<String, AccumulatorValue> = BTreeMap::new();
    for (name, value) in tasks.iter().flat_map(|task| &task.accumulators) {
        match merged.get_mut(name) {
            None => drop(merged.insert(name.clone(), *value)),
            Some(all) => *all = all.merge(*value).unwrap_or(*all),
        }
    }
    merged
}
