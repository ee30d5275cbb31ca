//! Where the tasks of a vertex were, for flame graphs.

use flott_core::time::Timestamp;
use std::sync::Arc;

/// What is known of the stacks of a vertex's tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stacks {
    /// Nobody may look at them.
    Disabled,
    /// The tasks have ended.
    Ended,
    /// They are being taken: ask again.
    Waiting,
    /// They were taken.
    Taken(Arc<TakenStacks>),
}

/// Stacks that were taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TakenStacks {
    /// When the last one was.
    pub at: Timestamp,
    /// The stacks.
    pub stacks: Vec<TakenStack>,
    /// Why there are none, or fewer than were wanted.
    pub message: Option<String>,
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenStack {
    /// The subtask.
    pub subtask: u32,
    /// Whether its thread was running, or ready to.
    pub on_cpu: bool,
    /// The names of functions, outermost first.
    pub frames: Vec<String>,
    /// How often it was found.
    pub count: u32,
}
