//! Uploaded executables, which take the place of Flink's jars.

use crate::model::Vertex;
use flott_core::{id::JobId, time::Timestamp};
use std::collections::BTreeMap;

/// An executable that the cluster keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executable {
    /// Its id: unique, one path segment.
    pub id: String,
    /// The name under which it was uploaded.
    pub name: String,
    /// When.
    pub uploaded_at: Timestamp,
    /// Programs in it that can be named when it is run; empty: it is one.
    pub programs: Vec<Program>,
}

/// A program in an executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
}

/// Who owns the savepoint that a job starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimMode {
    /// The job: it may remove it.
    Claim,
    /// The user: the job does not depend on it after its first checkpoint.
    NoClaim,
}

/// How to run an executable, or to plan it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunRequest {
    /// The program in it (Flink's entry class).
    pub program: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The default parallelism.
    pub parallelism: Option<u32>,
    /// The id that the job must get.
    pub job: Option<JobId>,
    /// The savepoint to start from.
    pub savepoint: Option<String>,
    /// Whether state of the savepoint that no operator takes is left out.
    pub allow_non_restored_state: bool,
    /// Who owns the savepoint; `None`: as configured.
    pub claim_mode: Option<ClaimMode>,
    /// Options for the job.
    pub configuration: BTreeMap<String, String>,
}

/// The graph of a program that was not started.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The id that the job would have.
    pub job: JobId,
    /// The job's name.
    pub name: String,
    /// Whether its input is bounded and it would run stage by stage.
    pub batch: bool,
    /// Its vertices, sources first, without subtasks.
    pub vertices: Vec<Vertex>,
}
