//! A program that is only asked for its plan.

use flott_core::Error;
use flott_graph::{JobGraph, plan};
use flott_rpc::gateway::{JobExecutor, JobGateway};
use std::{io::Write, process::exit, sync::Arc};

/// Prints the plan of the first job that is executed, as JSON on standard output, and ends the program.
#[derive(Debug, Clone, Copy)]
pub struct PlanOnly;

impl JobExecutor for PlanOnly {
    fn submit(&self, graph: JobGraph) -> Result<Arc<dyn JobGateway>, Error> {
        println!("{:#}", plan::json(&graph.topology(), ""));
        // Nobody reads it if it cannot be written.
        let _ = std::io::stdout().flush();
        exit(0)
    }
}
