//! What the JobManager asks a TaskManager so that people can look into it: its log files, its threads, the stacks of its tasks.

use flott_core::{Timestamp, config::Origin, id::JobId};
use serde::{Deserialize, Serialize};

/// A question to a TaskManager. Each is answered, in any order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// Its log files.
    Logs,
    /// Part of one of them.
    ReadLog {
        /// A name that was listed; anything else is not found.
        name: String,
        /// The first byte.
        offset: u64,
        /// The number of bytes, at the most; at most [`MOST_LOG_BYTES`].
        length: u32,
    },
    /// The threads of the TaskManager and of its workers.
    Threads,
    /// Where threads of a worker are, time and again.
    Sample(SampleRequest),
    /// What it was started with.
    Configuration,
}

/// The longest part of a log file in one answer.
pub const MOST_LOG_BYTES: u32 = 1 << 20;

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// Its log files.
    Logs(Vec<LogInfo>),
    /// The bytes; fewer than were asked for only at the end of the file.
    Log(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The threads.
    Threads(Vec<ThreadInfo>),
    /// The stacks.
    Samples(StackSamples),
    /// Every option that it reads, and others that it was given.
    Configuration(Vec<OptionValue>),
    /// What was named is not there.
    Missing(String),
    /// It cannot be told: why.
    Failed(String),
}

/// An option of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionValue {
    /// Its key.
    pub key: String,
    /// Its value; empty for none, hidden if it is a secret.
    pub value: String,
    /// Where the value was given.
    pub origin: Origin,
}

/// A log file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogInfo {
    /// Its name, without a folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written, ms since 1970.
    pub modified_at: Timestamp,
}

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ThreadInfo {
    /// Its name.
    pub name: String,
    /// What it does, for people: begins with the name in quotation marks; behind the first line its stack, innermost call first.
    pub text: String,
    /// The number that the operating system has for it; 0 if it has not said.
    #[serde(default)]
    pub id: u32,
    /// The worker that it belongs to, if it is one's: its job and its number there.
    #[serde(default)]
    pub worker: Option<(JobId, u64)>,
}

/// Where a thread was at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ThreadStack {
    /// The thread, by the number of the operating system.
    pub thread: u32,
    /// Its calls, innermost first: a function, and file and line where they are known.
    pub frames: Vec<String>,
    /// Why there are none.
    #[serde(default)]
    pub missing: Option<String>,
}

/// Which threads are to be looked at, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleRequest {
    /// The job.
    pub job: JobId,
    /// The number of its worker.
    pub worker: u64,
    /// The threads, by the numbers of the operating system.
    pub threads: Vec<u32>,
    /// How often.
    pub samples: u32,
    /// Time between two looks, ms.
    pub interval_ms: u32,
    /// Frames of a stack that are kept, from the innermost on.
    pub depth: u32,
}

/// Where threads were.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StackSamples {
    /// The names of frames, each once.
    pub frames: Vec<String>,
    /// The stacks that were found.
    pub stacks: Vec<Stack>,
    /// Why there are none, or fewer than were wanted.
    #[serde(default)]
    pub message: Option<String>,
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// The thread.
    pub thread: u32,
    /// Whether it was running, or ready to.
    pub on_cpu: bool,
    /// Its frames, outermost first, as places in [`StackSamples::frames`].
    pub frames: Vec<u32>,
    /// How often it was found.
    pub count: u32,
}
