//! What tests of the JobManager share.

use flott_core::id::{SubtaskId, VertexId};
use flott_rpc::figures::TaskFigures;
use std::collections::BTreeMap;

/// The figures of a subtask of the first vertex, with a thread, that has counted nothing.
pub(super) fn figures(index: u32) -> TaskFigures {
    TaskFigures {
        subtask: SubtaskId { vertex: VertexId(0), index },
        name: "map".to_owned(),
        task: BTreeMap::new(),
        operators: Vec::new(),
        distributions: Vec::new(),
        edges: BTreeMap::new(),
        buffers: None,
        enumerators: Vec::new(),
        initialization: None,
        latencies: Vec::new(),
        accumulators: BTreeMap::new(),
        thread: Some(7),
        read_at_ms: 0,
    }
}
