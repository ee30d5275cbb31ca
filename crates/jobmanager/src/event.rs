//! What happens to a job, and what the job wants done: the language between the [`JobMaster`](crate::JobMaster) and its shell.
//!
//! Rules that the shell keeps:
//! - It performs the actions of one call in their order, and before those of the next call. Commands to one attempt, and commands to
//!   one enumerator, arrive in the order in which they were given; so do their reports.
//! - Every attempt that was deployed ends with exactly one of `Finished`, `Canceled`, `Failed` or `AttemptLost`, unless it was
//!   killed. After [`JobAction::Kill`] the attempt is gone: it is not heard of and has no further effect outside.
//! - Every [`JobAction::BeginCheckpoint`] and [`JobAction::CompleteCheckpoint`] is answered, unless by [`StorageReport::Fenced`].
//!   Storage actions of one checkpoint are performed in their order.
//! - It sends [`JobEvent::Tick`] at the time of [`JobMaster::next_wake`](crate::JobMaster::next_wake). Early and needless ticks do no harm.

use crate::checkpoint::CheckpointFailure;
use flott_core::{
    error::TaskFailure,
    id::{AttemptId, CheckpointId, VertexId},
    time::Timestamp,
};
use flott_rpc::{
    client::{CheckpointSummary, JobOutcome, JobReply, JobRequest, ParallelismBounds, RequestId, RescaleSummary},
    inventory::WorkerInventory,
    status::JobStatus,
    task::{EnumeratorCommand, EnumeratorReport, SnapshotKind, TaskCommand, TaskDeployment, TaskReport},
};
use flott_storage::{CheckpointMetadata, CompletedCheckpoint};
use std::{sync::Arc, time::Duration};

/// The time of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Time since some fixed moment; never goes back. All decisions go by it.
    pub monotonic: Duration,
    /// Wall-clock time in ms since 1970; only ever shown.
    pub wall: Timestamp,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum JobEvent {
    /// Begin. Sent once, first.
    Start {
        /// The largest number of a checkpoint that the storage has seen of this job; new ones are numbered above it.
        last_checkpoint: Option<CheckpointId>,
    },
    /// Take over a job that another leader has started: in place of [`JobEvent::Start`].
    Recover {
        /// As of [`JobEvent::Start`].
        last_checkpoint: Option<CheckpointId>,
        /// How long workers are waited for.
        wait: Duration,
    },
    /// A worker tells a leader that takes over what it runs.
    Adopted(Box<WorkerInventory>),
    /// Time has passed.
    Tick,
    /// A task says something.
    Task(AttemptId, TaskReport),
    /// The process of an attempt, or the link to it, is gone: why.
    AttemptLost(AttemptId, String),
    /// Slots, by their numbers, that the job may use.
    Slots(Vec<u32>),
    /// Slots that are gone, with whatever ran in them.
    SlotsLost {
        /// Their numbers.
        slots: Vec<u32>,
        /// Why, in words that say what is gone.
        reason: String,
    },
    /// Something failed on which all tasks depend.
    Failed(TaskFailure),
    /// The enumerator of a source says something.
    Enumerator {
        /// The source's vertex.
        vertex: VertexId,
        /// The number of the last command that the enumerator had handled before it said so: tells what it could not know yet.
        after: u64,
        /// What it says.
        report: EnumeratorReport,
    },
    /// The process that hosts an enumerator is gone: why. Its readers are started again with it.
    EnumeratorLost {
        /// The source's vertex.
        vertex: VertexId,
        /// Why.
        reason: String,
    },
    /// The storage answers.
    Storage(StorageReport),
    /// A client wants something.
    Client {
        /// The number of the request, for the answer.
        request: RequestId,
        /// What it wants.
        body: JobRequest,
    },
}

/// From the checkpoint storage.
#[derive(Debug, Clone, PartialEq)]
pub enum StorageReport {
    /// The answer to [`JobAction::BeginCheckpoint`]: tasks may write; or why not.
    Begun {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Why not.
        outcome: Result<(), String>,
    },
    /// The answer to [`JobAction::CompleteCheckpoint`].
    Completed {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// What became of it.
        outcome: CompletionOutcome,
    },
    /// Something could not be removed: what, and why. The job goes on.
    DiscardFailed(String),
    /// Another leader has taken over the job: this one must stop, and touch nothing. Answers everything that is under way.
    Fenced(String),
}

/// What became of the completion of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub enum CompletionOutcome {
    /// It is complete and durable.
    Complete(CompletedCheckpoint),
    /// It is not complete and will never be: why.
    Failed(String),
    /// It may or may not be complete: why. It is asked for again until the answer is another.
    Unknown(String),
}

/// Something that the job wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum JobAction {
    /// The job wants this many slots more than it was given and has not lost.
    RequestSlots(u32),
    /// Of the slots that it wanted and was not given, the job has no use for so many.
    WithdrawSlots(u32),
    /// The job needs these slots no longer.
    ReleaseSlots(Vec<u32>),
    /// The job has waited in vain for more slots: it gives back those that do not suffice, and wants so many, all at once or none. What it
    /// wanted before counts no more.
    YieldSlots {
        /// Those that it gives back: nothing runs in them.
        held: Vec<u32>,
        /// How many it needs.
        needed: u32,
    },
    /// Start these tasks, a whole region or several: the exchanges between them are made anew.
    Deploy(Vec<TaskDeployment>),
    /// Tell a task something.
    Send(AttemptId, TaskCommand),
    /// End an attempt that does not answer to its cancellation, by force: its process is killed or its link cut for good.
    Kill(AttemptId),
    /// Tell the enumerator of a source something.
    Enumerator {
        /// The source's vertex.
        vertex: VertexId,
        /// The number of the command, counted up for each vertex.
        number: u64,
        /// What to tell it.
        command: EnumeratorCommand,
    },
    /// Make a place for the files of a checkpoint.
    BeginCheckpoint {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Why it is taken, and so where.
        kind: SnapshotKind,
    },
    /// Store the metadata, and register the checkpoint as complete. Asked for again, with the same content, if the outcome is unknown.
    CompleteCheckpoint {
        /// The content.
        metadata: Arc<CheckpointMetadata>,
        /// Why it was taken, and so where it is.
        kind: SnapshotKind,
    },
    /// Remove the files of a checkpoint that was aborted. May be asked for several times, since uploads may arrive late.
    DiscardCheckpoint {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Why it was taken, and so where it is.
        kind: SnapshotKind,
    },
    /// Keep so many of the newest complete checkpoints: take the others out of the register, then remove their files.
    RetainCheckpoints(u32),
    /// Remove all complete checkpoints of the job: it has ended. Savepoints stay.
    DiscardAllCheckpoints,
    /// Answer a client.
    Reply(RequestId, JobReply),
    /// The job's state is another.
    StatusChanged(JobStatus),
    /// Workers are no longer waited for: [`JobEvent::Adopted`] of any other has no effect but that its slots are released.
    Recovered,
    /// The job has ended; nothing follows.
    Ended(Box<JobOutcome>),
    /// For the log.
    Note(JobNote),
}

/// The snapshot that tasks start from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartedFrom {
    /// Its number.
    pub checkpoint: CheckpointId,
    /// Whether the user asked for it.
    pub savepoint: bool,
    /// Its folder; empty if it is kept in memory.
    pub location: String,
}

/// Something to log.
#[derive(Debug, Clone, PartialEq)]
pub enum JobNote {
    /// The job waits for slots, and they have not come within [`SLOT_SHORTAGE_AFTER`](crate::scheduler::SLOT_SHORTAGE_AFTER).
    WaitingForSlots {
        /// How many it needs.
        needed: u32,
        /// How many it has.
        available: u32,
    },
    /// Tasks were deployed.
    Deployed {
        /// How many.
        tasks: usize,
        /// What they start from.
        from: Option<StartedFrom>,
    },
    /// A checkpoint has begun.
    CheckpointTriggered {
        /// Its number.
        checkpoint: CheckpointId,
        /// Why it is taken.
        kind: SnapshotKind,
        /// The number of tasks that take part.
        tasks: usize,
    },
    /// A checkpoint is complete.
    CheckpointCompleted(CheckpointSummary),
    /// A checkpoint will not be complete.
    CheckpointFailed {
        /// Its number.
        checkpoint: CheckpointId,
        /// Why.
        reason: CheckpointFailure,
        /// The time since its trigger.
        after: Duration,
    },
    /// It is unknown whether the storage has completed a checkpoint; it is asked again.
    CheckpointUnconfirmed {
        /// Its number.
        checkpoint: CheckpointId,
        /// Why.
        reason: String,
        /// When it is asked again.
        retry_in: Duration,
    },
    /// Files of checkpoints could not be removed: why.
    DiscardFailed(String),
    /// Something failed.
    Failed {
        /// The attempt; `None`: it was no task.
        attempt: Option<AttemptId>,
        /// How.
        failure: TaskFailure,
        /// Whether what failed before has already led to a restart of this task, or to the end of the job.
        along: bool,
    },
    /// Tasks are being started again.
    Restarting {
        /// How many tasks.
        tasks: usize,
        /// Whether these are all of the job's.
        whole_job: bool,
        /// The time until then.
        delay: Duration,
        /// Why.
        cause: TaskFailure,
    },
    /// The parallelism of the job may be within other bounds from now on.
    Required(Vec<ParallelismBounds>),
    /// A change of the job's parallelism has begun, has come further, or has ended.
    Rescale(RescaleSummary),
    /// A new leader has taken over the job.
    Adopted {
        /// The tasks that go on.
        tasks: usize,
        /// Those that are gone.
        missing: usize,
        /// The number of subtasks of each vertex.
        parallelism: Vec<u32>,
    },
    /// A task did not end in time after it was told to, and was killed.
    Killed(AttemptId),
    /// A stop with savepoint succeeded in its savepoint, but not in its stop.
    StopFailed {
        /// The savepoint.
        checkpoint: CheckpointId,
        /// Its folder.
        location: String,
    },
    /// An accumulator had values of different kinds; those of this task are left out.
    AccumulatorMismatch {
        /// Its name.
        name: String,
        /// The task.
        attempt: AttemptId,
    },
}
