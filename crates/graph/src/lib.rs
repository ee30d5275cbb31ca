//! The three graphs of a job.
//!
//! A program builds a [`StreamGraph`]: one node for each operator as written. [`StreamGraph::compile`] resolves parallelism,
//! gives operators their stable ids, joins them to chains and so makes the [`JobGraph`]: one vertex for each chain. Its
//! [`JobTopology`] is the part without closures, which the JobManager expands to the execution graph (one task for each
//! subtask). [`plan`] prints what was compiled as text, JSON and Graphviz.
//!
//! What is not here: running anything, and the typed API.

mod compile;
mod error;
mod job_graph;
pub mod plan;
pub mod settings;
mod stream_graph;
mod topology;

pub use compile::GraphDefaults;
pub use error::GraphError;
pub use job_graph::{ChainedOperator, JobEdge, JobGraph, JobVertex};
pub use stream_graph::{Chaining, EdgeFactory, NodeId, NodeKind, StreamEdge, StreamGraph, StreamNode, Tapping};
pub use topology::{EdgeTopology, JobTopology, OperatorTopology, VertexTopology};
