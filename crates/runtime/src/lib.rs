//! The data plane: tasks, the exchanges between them, barrier alignment.
//!
//! [`Task`] is a future that runs one subtask; [`wiring`] makes the exchanges of a set of tasks that start together. What a
//! task needs from outside comes in a [`TaskEnv`], so that a simulation runs the same code under virtual time.
//!
//! What is not here: threads, clocks, scheduling and the decisions of the JobManager. `flott-cluster` provides the
//! former, `flott-jobmanager` the latter; the two planes know each other's messages alone.

pub mod aligner;
mod chain;
mod element;
mod env;
pub mod gate;
mod latency;
mod mailbox;
mod metrics;
mod output;
pub mod panics;
mod remote;
mod restore;
mod snapshot;
mod tap;
mod task;
mod times;
mod upload;
pub mod valve;
pub mod wiring;

pub use element::{EARLY_BYTES, EncodedBatch, LatencyMarker, StreamElement};
pub use env::{Background, TaskEnv, TaskReporter};
pub use mailbox::{Mailbox, MailboxSender};
pub use metrics::TaskMetrics;
pub use remote::{ChannelKey, Elsewhere, RemoteChannels};
pub use tap::Tap;
pub use task::{Task, TaskSpec};
