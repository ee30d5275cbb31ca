//! What the tests of this crate share.

use crate::{
    JobAction, JobEvent, JobMaster, JobNote, Now, RestoredSnapshot,
    event::{CompletionOutcome, StorageReport},
};
use flott_core::{
    context::RuntimeMode,
    error::TaskFailure,
    exchange::PartitionKind,
    id::{AttemptId, CheckpointId, JobId, OperatorId, SubtaskId, VertexId},
    snapshot::SubtaskSnapshot,
};
use flott_graph::{
    EdgeTopology, JobTopology, OperatorTopology, VertexTopology,
    settings::{JobSettings, RestartSettings},
};
use flott_rpc::{
    client::{JobEnd, JobOutcome, JobReply, JobRequest},
    task::{EnumeratorCommand, EnumeratorReport, SubtaskCheckpointStats, TaskCommand, TaskReport},
};
use flott_storage::{CheckpointMetadata, CompletedCheckpoint};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// A job of vertices with one operator each; those without inputs are sources.
pub(crate) fn topology(parallelism: &[u32], edges: &[(u32, u32, PartitionKind)]) -> JobTopology {
    let vertex = |(number, parallelism): (usize, &u32)| {
        let uid = format!("op{number}");
        VertexTopology {
            id: VertexId(number as u32),
            name: uid.clone(),
            parallelism: *parallelism,
            max_parallelism: 128,
            fixed_parallelism: false,
            slot_sharing_group: "default".into(),
            operators: vec![OperatorTopology {
                id: OperatorId::from_uid(&uid),
                uid: Some(uid.clone()),
                name: uid,
                description: None,
                location: "test.rs:1".into(),
                is_source: edges.iter().all(|(_, to, _)| *to != number as u32),
                children: Vec::new(),
            }],
        }
    };
    let edge = |(from, to, kind): &(u32, u32, PartitionKind)| EdgeTopology {
        from: VertexId(*from),
        from_operator: 0,
        to: VertexId(*to),
        input: 0,
        kind: *kind,
    };
    JobTopology {
        name: "test".into(),
        mode: RuntimeMode::Streaming,
        vertices: parallelism.iter().enumerate().map(vertex).collect(),
        edges: edges.iter().map(edge).collect(),
    }
}

/// A job whose tasks and storage do what the test says. Actions are shown as short texts; notes, slots and the job's state are left out.
pub(crate) struct Harness {
    pub(crate) job: JobMaster,
    pub(crate) now: Duration,
    attempts: BTreeMap<SubtaskId, AttemptId>,
    asked: BTreeMap<CheckpointId, Arc<CheckpointMetadata>>,
    pub(crate) outcome: Option<JobOutcome>,
    pub(crate) notes: Vec<JobNote>,
    /// What the job has asked and given back of slots.
    pub(crate) slots: Vec<JobAction>,
}

/// The TaskManager of these slots is gone.
pub(crate) fn lost<const N: usize>(slots: [u32; N]) -> JobEvent {
    JobEvent::SlotsLost { slots: slots.to_vec(), reason: "TaskManager `tm1` is gone: the connection was closed".into() }
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Settings with an interval of 100 ms, if `interval`, and restarts after 1 s.
pub(crate) fn settings(interval: bool) -> JobSettings {
    let mut settings = JobSettings::default();
    settings.checkpoints.interval = interval.then(|| millis(100));
    settings.restart = RestartSettings::FixedDelay { attempts: 10, delay: Duration::from_secs(1) };
    settings
}

impl Harness {
    pub(crate) fn new(topology: JobTopology, settings: JobSettings) -> Self {
        Self::restored(topology, settings, None)
    }

    pub(crate) fn restored(topology: JobTopology, settings: JobSettings, restored: Option<RestoredSnapshot>) -> Self {
        let job = JobMaster::new(JobId(7), 1, topology, settings, restored, 0).unwrap();
        let (attempts, asked) = (BTreeMap::new(), BTreeMap::new());
        Harness { job, now: Duration::ZERO, attempts, asked, outcome: None, notes: Vec::new(), slots: Vec::new() }
    }

    /// A job of which all tasks run.
    pub(crate) fn running(topology: JobTopology, settings: JobSettings) -> Self {
        let mut harness = Self::new(topology, settings);
        harness.start();
        harness
    }

    pub(crate) fn start(&mut self) {
        self.event(JobEvent::Start { last_checkpoint: None });
        self.event(JobEvent::Slots((0..16).collect()));
        self.all_run();
    }

    /// All tasks that were deployed report that they run.
    pub(crate) fn all_run(&mut self) -> Vec<String> {
        let attempts: Vec<AttemptId> = self.attempts.values().copied().collect();
        attempts.into_iter().flat_map(|attempt| self.event(JobEvent::Task(attempt, TaskReport::Running))).collect()
    }

    pub(crate) fn event(&mut self, event: JobEvent) -> Vec<String> {
        let actions = self.job.handle(Now { monotonic: self.now, wall: 1_000 + self.now.as_millis() as i64 }, event);
        actions.into_iter().filter_map(|action| self.show(action)).collect()
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut shown = Vec::new();
        while let Some(wake) = self.job.next_wake().filter(|wake| *wake <= end) {
            self.now = wake;
            shown.extend(self.event(JobEvent::Tick));
        }
        self.now = end;
        shown
    }

    pub(crate) fn attempt(&self, vertex: u32, index: u32) -> AttemptId {
        self.attempts[&SubtaskId { vertex: VertexId(vertex), index }]
    }

    pub(crate) fn task(&mut self, vertex: u32, index: u32, report: TaskReport) -> Vec<String> {
        let attempt = self.attempt(vertex, index);
        self.event(JobEvent::Task(attempt, report))
    }

    pub(crate) fn fail(&mut self, vertex: u32, index: u32) -> Vec<String> {
        let failure = TaskFailure {
            operator: "toy".into(),
            subtask: index,
            parallelism: 1,
            attempt: 0,
            causes: vec!["it failed".into()],
            location: None,
            panicked: false,
            unrecoverable: false,
        };
        self.task(vertex, index, TaskReport::Failed(failure))
    }

    pub(crate) fn lose(&mut self, vertex: u32, index: u32) -> Vec<String> {
        let attempt = self.attempt(vertex, index);
        self.event(JobEvent::AttemptLost(attempt, "gone".into()))
    }

    pub(crate) fn finished(&mut self, vertex: u32, index: u32) -> Vec<String> {
        self.task(vertex, index, TaskReport::Finished { accumulators: BTreeMap::new() })
    }

    pub(crate) fn ack(&mut self, vertex: u32, index: u32, checkpoint: u64, finished: bool) -> Vec<String> {
        let snapshot = Box::new(SubtaskSnapshot { operators: Vec::new(), finished });
        let stats = SubtaskCheckpointStats::default();
        self.task(vertex, index, TaskReport::CheckpointAcknowledged { checkpoint: CheckpointId(checkpoint), snapshot, stats })
    }

    pub(crate) fn begun(&mut self, checkpoint: u64) -> Vec<String> {
        self.event(JobEvent::Storage(StorageReport::Begun { checkpoint: CheckpointId(checkpoint), outcome: Ok(()) }))
    }

    pub(crate) fn enumerator(&mut self, vertex: u32, report: EnumeratorReport) -> Vec<String> {
        self.event(JobEvent::Enumerator { vertex: VertexId(vertex), after: u64::MAX, report })
    }

    /// The enumerator of `vertex` gives its state, which is `[9]`.
    pub(crate) fn state(&mut self, vertex: u32, checkpoint: u64) -> Vec<String> {
        self.enumerator(vertex, EnumeratorReport::Snapshot { checkpoint: CheckpointId(checkpoint), state: vec![9] })
    }

    pub(crate) fn metadata(&self, checkpoint: u64) -> &CheckpointMetadata {
        &self.asked[&CheckpointId(checkpoint)]
    }

    pub(crate) fn complete(&mut self, checkpoint: u64) -> Vec<String> {
        let metadata = &self.asked[&CheckpointId(checkpoint)];
        let completed = CompletedCheckpoint {
            job: metadata.job,
            epoch: metadata.epoch,
            checkpoint: metadata.checkpoint,
            kind: metadata.kind,
            folder: format!("/chk-{checkpoint}"),
            completed_at_ms: 0,
            bytes: 0,
            metadata_crc: 0,
            owner: None,
        };
        self.outcome_of(checkpoint, CompletionOutcome::Complete(completed))
    }

    pub(crate) fn outcome_of(&mut self, checkpoint: u64, outcome: CompletionOutcome) -> Vec<String> {
        self.event(JobEvent::Storage(StorageReport::Completed { checkpoint: CheckpointId(checkpoint), outcome }))
    }

    /// Brings a checkpoint that was triggered, of a job with one task, to its completion.
    pub(crate) fn checkpoint_of_one(&mut self, checkpoint: u64, finished: bool) -> Vec<String> {
        self.begun(checkpoint);
        self.state(0, checkpoint);
        self.ack(0, 0, checkpoint, finished);
        self.complete(checkpoint)
    }

    pub(crate) fn client(&mut self, request: u64, body: JobRequest) -> Vec<String> {
        self.event(JobEvent::Client { request, body })
    }

    fn show(&mut self, action: JobAction) -> Option<String> {
        Some(match action {
            JobAction::Note(note) => {
                self.notes.push(note);
                return None;
            }
            JobAction::RequestSlots(_) | JobAction::WithdrawSlots(_) | JobAction::ReleaseSlots(_) | JobAction::YieldSlots { .. } => {
                self.slots.push(action);
                return None;
            }
            JobAction::StatusChanged(_) => return None,
            JobAction::Deploy(tasks) => {
                let mut shown = "deploy".to_owned();
                for task in &tasks {
                    self.attempts.insert(task.attempt.subtask, task.attempt);
                    shown += &format!(" {}", task.attempt);
                }
                if let Some(restore) = tasks.first().and_then(|task| task.restore.as_ref()) {
                    shown += &format!(" from {}", restore.checkpoint);
                }
                shown
            }
            JobAction::Send(attempt, command) => match command {
                TaskCommand::TriggerCheckpoint(barrier) => format!("{attempt}: barrier {}", barrier.checkpoint),
                TaskCommand::CheckpointCompleted(checkpoint) => format!("{attempt}: completed {checkpoint}"),
                TaskCommand::CheckpointAborted(checkpoint) => format!("{attempt}: aborted {checkpoint}"),
                TaskCommand::AddSplits(splits) => format!("{attempt}: splits {splits:?}"),
                TaskCommand::NoMoreSplits => format!("{attempt}: no more splits"),
                TaskCommand::Cancel => format!("{attempt}: cancel"),
                TaskCommand::Fail(reason) => format!("fail {attempt}: {reason}"),
                TaskCommand::Ask { operator, number, .. } => format!("ask {operator:?} of {attempt}: {number}"),
            },
            JobAction::Kill(attempt) => format!("kill {attempt}"),
            JobAction::Enumerator { vertex, command, .. } => match command {
                EnumeratorCommand::Create { restored, .. } => format!("{vertex}: create {restored:?}"),
                EnumeratorCommand::AddReader { subtask } => format!("{vertex}: reader {subtask}"),
                EnumeratorCommand::RequestSplit { subtask } => format!("{vertex}: request {subtask}"),
                EnumeratorCommand::AddSplitsBack { subtask, splits } => format!("{vertex}: back from {subtask} {splits:?}"),
                EnumeratorCommand::Snapshot { checkpoint } => format!("{vertex}: snapshot {checkpoint}"),
                EnumeratorCommand::CheckpointCompleted(checkpoint) => format!("{vertex}: completed {checkpoint}"),
            },
            JobAction::BeginCheckpoint { checkpoint, .. } => format!("begin {checkpoint}"),
            JobAction::CompleteCheckpoint { metadata, .. } => {
                let shown = format!("complete {}", metadata.checkpoint);
                self.asked.insert(metadata.checkpoint, metadata);
                shown
            }
            JobAction::DiscardCheckpoint { checkpoint, .. } => format!("discard {checkpoint}"),
            JobAction::RetainCheckpoints(keep) => format!("retain {keep}"),
            JobAction::DiscardAllCheckpoints => "discard all".into(),
            JobAction::Reply(request, reply) => match reply {
                JobReply::Accepted => format!("reply {request}: accepted"),
                JobReply::Snapshot(taken) => format!("reply {request}: snapshot {}", taken.checkpoint),
                JobReply::Refused(reason) => format!("reply {request}: refused, {reason}"),
            },
            JobAction::Recovered => "recovered".to_owned(),
            JobAction::Ended(outcome) => {
                let shown = match &outcome.end {
                    JobEnd::Finished => "ended: finished",
                    JobEnd::Canceled => "ended: canceled",
                    JobEnd::Failed(_) => "ended: failed",
                };
                self.outcome = Some(*outcome);
                shown.into()
            }
        })
    }
}
