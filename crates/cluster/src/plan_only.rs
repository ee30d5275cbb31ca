//! A program that is only asked for its plan.

use flott_core::{Error, ErrorKind};
use flott_graph::{JobGraph, plan};
use flott_rpc::gateway::{JobExecutor, JobGateway};
use std::{io::Write, process::exit, sync::Arc};

/// Prints the first job that is executed, as JSON on standard output, and ends the program.
#[derive(Debug, Clone, Copy)]
pub enum PlanOnly {
    /// Its plan, as Flink's REST API gives it.
    Plan,
    /// Its graph, for another process of Flott.
    Graph,
}

impl JobExecutor for PlanOnly {
    fn submit(&self, graph: JobGraph) -> Result<Arc<dyn JobGateway>, Error> {
        let topology = graph.topology();
        match self {
            PlanOnly::Plan => println!("{:#}", plan::json(&topology, "")),
            PlanOnly::Graph => {
                let text = serde_json::to_string(&topology).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
                println!("{text}");
            }
        }
        // Nobody reads it if it cannot be written.
        let _ = std::io::stdout().flush();
        exit(0)
    }
}
