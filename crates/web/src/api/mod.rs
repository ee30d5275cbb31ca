//! The handlers: each asks the cluster and writes what it says as Flink's JSON.

pub(crate) mod applications;
pub(crate) mod attempts;
pub(crate) mod bottleneck;
pub(crate) mod checkpoint_details;
pub(crate) mod checkpoints;
pub(crate) mod cluster;
pub(crate) mod collected;
pub(crate) mod executables;
pub(crate) mod flame_graph;
pub(crate) mod flow;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod metrics;
pub(crate) mod operations;
pub(crate) mod plan;
pub(crate) mod processes;
pub(crate) mod rescales;
pub(crate) mod rescaling;
pub(crate) mod run_request;
pub(crate) mod secrets;
pub(crate) mod states;
pub(crate) mod tap;
pub(crate) mod task_managers;
pub(crate) mod traffic;
pub(crate) mod vertices;
