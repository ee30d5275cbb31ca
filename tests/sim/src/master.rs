//! A JobMaster with all that belongs to it, and the performing of its actions: the simulated shell.

use crate::{
    enumerators::Host,
    environment::environment,
    executor::Executor,
    oracle,
    plant::Plant,
    relay::Relay,
    sim::{Seen, Term},
    start::Start,
    storage::StorageAction,
    tamper,
    world::{Happening, World},
};
use flott_core::{
    id::{AttemptId, CheckpointId, SubtaskId, VertexId},
    time::Clock,
};
use flott_graph::{JobGraph, JobTopology};
use flott_jobmanager::{
    JobAction, JobEvent, JobMaster, JobNote, Now,
    checkpoint::CheckpointFailure,
    event::{CompletionOutcome, StorageReport},
};
use flott_rpc::{
    client::{JobEnd, JobReply, JobRequest, RequestId},
    task::{EnumeratorCommand, SnapshotKind, TaskCommand, TaskDeployment, TaskReport},
};
use flott_runtime::{MailboxSender, Task, gate, wiring};
use flott_storage::FileStorage;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// Messages on one link arrive in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Link {
    ToTask(AttemptId),
    FromTask(AttemptId),
    ToEnumerator(VertexId),
    FromEnumerator(VertexId),
    Storage,
    StorageAnswers,
}

/// An attempt of which the JobMaster has not heard that it has ended.
pub(crate) struct Attempt {
    pub(crate) slot: u32,
    mailbox: Option<MailboxSender>,
    /// Its link is cut: nothing that it says arrives.
    pub(crate) cut: bool,
}

/// A JobMaster and what belongs to it.
pub(crate) struct Master {
    /// How it was started, and would be again.
    pub(crate) start: Start,
    pub(crate) epoch: u64,
    pub(crate) master: JobMaster,
    pub(crate) graph: Arc<JobGraph>,
    pub(crate) topology: JobTopology,
    pub(crate) storage: Arc<FileStorage>,
    pub(crate) hosts: BTreeMap<VertexId, Host>,
    pub(crate) attempts: BTreeMap<AttemptId, Attempt>,
    newest: BTreeMap<SubtaskId, AttemptId>,
    pub(crate) fifo: BTreeMap<Link, Duration>,
    next_slot: u32,
    pub(crate) lost_slots: BTreeSet<u32>,
    pub(crate) requests: BTreeMap<RequestId, JobRequest>,
    /// Checkpoints of which the storage has said that they are complete, or from which the job was started.
    pub(crate) complete: BTreeSet<CheckpointId>,
    /// Checkpoints that have begun.
    last_begun: Option<CheckpointId>,
    /// Checkpoints that have begun after the last fault: nothing can keep them from being completed.
    pub(crate) calm: BTreeSet<CheckpointId>,
    /// The savepoint that a client was told the job has stopped with, and whether it is drained.
    pub(crate) stopped: Option<(CheckpointId, String, bool)>,
    pub(crate) outcome: Option<JobEnd>,
    /// What plants remember.
    pub(crate) tamper: tamper::Memory,
}

impl Master {
    pub(crate) fn new(
        start: Start,
        epoch: u64,
        master: JobMaster,
        graph: Arc<JobGraph>,
        storage: Arc<FileStorage>,
        from: Option<CheckpointId>,
    ) -> Self {
        Master {
            start,
            epoch,
            master,
            topology: graph.topology(),
            graph,
            storage,
            hosts: BTreeMap::new(),
            attempts: BTreeMap::new(),
            newest: BTreeMap::new(),
            fifo: BTreeMap::new(),
            next_slot: 0,
            lost_slots: BTreeSet::new(),
            requests: BTreeMap::new(),
            complete: from.into_iter().collect(),
            last_begun: from,
            calm: BTreeSet::new(),
            stopped: None,
            outcome: None,
            tamper: tamper::Memory::default(),
        }
    }
}

impl World {
    /// Gives an event to a JobMaster and performs what it wants.
    pub(crate) fn tell(&mut self, term: Term, event: JobEvent) {
        let now = Now { monotonic: self.sim.clock.now(), wall: self.sim.clock.wall() };
        let Some(master) = self.masters.get_mut(&term) else { return };
        if master.outcome.is_some() {
            return;
        }
        let mut event = event;
        if let JobEvent::Storage(report) = &mut event
            && !self.heard_storage(term, report)
        {
            return;
        }
        let Some(master) = self.masters.get_mut(&term) else { return };
        if self.sim.is_verbose() {
            self.sim.trace(format_args!("{term} <- {}", brief(&event)));
        }
        for action in master.master.handle(now, event) {
            if self.sim.violated().is_some() {
                return;
            }
            self.perform(term, action);
        }
    }

    fn heard_storage(&mut self, term: Term, report: &mut StorageReport) -> bool {
        let Some(master) = self.masters.get_mut(&term) else { return false };
        match report {
            StorageReport::Fenced(_) => self.sim.saw(Seen::Fenced),
            StorageReport::Completed { checkpoint, outcome } => match outcome {
                CompletionOutcome::Complete(_) => _ = master.complete.insert(*checkpoint),
                CompletionOutcome::Failed(reason) => {
                    self.sim.saw(Seen::CompletionFailed);
                    if master.calm.contains(checkpoint) {
                        self.sim.violation(format!("checkpoint {checkpoint} is refused, although nothing has failed: {reason}"));
                    }
                }
                CompletionOutcome::Unknown(_) => self.sim.saw(Seen::Unconfirmed),
            },
            _ => {}
        }
        true
    }

    fn perform(&mut self, term: Term, action: JobAction) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        match action {
            // Those that are given back are nobody's for ever, and there are always more.
            JobAction::RequestSlots(count) | JobAction::YieldSlots { needed: count, .. } => {
                let slots = (master.next_slot..master.next_slot + count).collect();
                master.next_slot += count;
                self.sim.trace(format_args!("{term} wants {count} slots"));
                self.slots_come(term, slots);
            }
            // Nothing of it is taken over here: whoever leads next starts everything again.
            JobAction::ReleaseSlots(_) | JobAction::WithdrawSlots(_) => {}
            JobAction::Deploy(deployments) => self.deploy(term, deployments),
            JobAction::Send(attempt, command) => self.send(term, attempt, command),
            JobAction::Kill(attempt) => {
                self.sim.saw(Seen::Killed);
                self.sim.trace(format_args!("{term} kills {attempt}"));
                master.attempts.remove(&attempt);
                self.executor.drop_attempt(term, attempt);
            }
            JobAction::Enumerator { vertex, number, command } => {
                if let EnumeratorCommand::CheckpointCompleted(checkpoint) = &command
                    && !master.complete.contains(checkpoint)
                {
                    self.sim.violation(format!("the enumerator of {vertex} is told of checkpoint {checkpoint}, which is not complete"));
                }
                if let EnumeratorCommand::AddSplitsBack { .. } = &command {
                    self.sim.saw(Seen::SplitsBack);
                    if self.sim.planted(Plant::SplitsNotGivenBack) {
                        return;
                    }
                }
                self.over(term, Link::ToEnumerator(vertex), Happening::ToEnumerator(term, vertex, number, command));
            }
            JobAction::BeginCheckpoint { checkpoint, kind } => {
                if master.last_begun.is_some_and(|last| last >= checkpoint) {
                    self.sim.violation(format!("checkpoint {checkpoint} begins after {:?}", master.last_begun));
                }
                master.last_begun = Some(checkpoint);
                if !self.sim.faults() {
                    master.calm.insert(checkpoint);
                }
                self.store(term, StorageAction::Begin { checkpoint, kind });
            }
            JobAction::CompleteCheckpoint { metadata, kind } => {
                if self.sim.planted(Plant::CommitBeforeStored) && kind == SnapshotKind::Checkpoint {
                    let attempts: Vec<AttemptId> = master.attempts.keys().copied().collect();
                    for attempt in attempts {
                        self.send_now(term, attempt, TaskCommand::CheckpointCompleted(metadata.checkpoint));
                    }
                }
                self.store(term, StorageAction::Complete { metadata, kind });
            }
            JobAction::DiscardCheckpoint { checkpoint, kind } => {
                master.tamper.aborted.insert(checkpoint);
                self.store(term, StorageAction::Discard { checkpoint, kind });
            }
            JobAction::RetainCheckpoints(keep) => self.store(term, StorageAction::Retain(keep)),
            JobAction::DiscardAllCheckpoints => self.store(term, StorageAction::DiscardAll),
            JobAction::Reply(request, reply) => self.reply(term, request, reply),
            JobAction::StatusChanged(status) => self.sim.trace(format_args!("{term} is {status}")),
            JobAction::Ended(outcome) => {
                self.sim.trace(format_args!("{term} has ended: {:?}", outcome.end));
                if !master.requests.is_empty() {
                    self.sim.violation(format!("requests without an answer: {:?}", master.requests));
                }
                master.outcome = Some(outcome.end);
            }
            JobAction::Recovered => self.sim.violation("a job that was started takes over another"),
            JobAction::Note(note) => self.note(term, &note),
        }
    }

    fn note(&mut self, term: Term, note: &JobNote) {
        self.sim.trace(format_args!("{term} notes {note:?}"));
        match note {
            JobNote::CheckpointCompleted(summary) => self.sim.saw(if summary.savepoint { Seen::Savepoint } else { Seen::Checkpoint }),
            JobNote::CheckpointFailed { reason, .. } => {
                self.sim.saw(Seen::CheckpointFailed);
                match reason {
                    CheckpointFailure::Expired { .. } => self.sim.saw(Seen::CheckpointExpired),
                    CheckpointFailure::Declined { .. } => self.sim.saw(Seen::Declined),
                    _ => {}
                }
            }
            JobNote::Rescale(change) => self.note_rescale(change),
            JobNote::StopFailed { .. } => self.sim.saw(Seen::StopFailed),
            _ => {}
        }
    }

    fn reply(&mut self, term: Term, request: RequestId, reply: JobReply) {
        self.sim.trace(format_args!("{term} answers {request}: {reply:?}"));
        let Some(master) = self.masters.get_mut(&term) else { return };
        match (master.requests.remove(&request), reply) {
            (None, _) => self.sim.violation(format!("request {request} is answered twice")),
            (Some(JobRequest::StopWithSavepoint { drain, .. }), JobReply::Snapshot(taken)) => {
                master.stopped = Some((taken.checkpoint, taken.location, drain));
            }
            (Some(_), JobReply::Snapshot(taken)) if !master.complete.contains(&taken.checkpoint) => {
                self.sim.violation(format!("a client is given checkpoint {}, which is not complete", taken.checkpoint));
            }
            (Some(JobRequest::Rescale(bounds)), JobReply::Refused(reason)) => self.check_refusal(&bounds, &reason),
            (Some(_), _) => {}
        }
    }

    fn deploy(&mut self, term: Term, mut deployments: Vec<TaskDeployment>) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        if let Some(first) = deployments.first() {
            master.topology = master.topology.with_parallelism(&first.parallelism);
        }
        let all = deployments.len() == master.topology.vertices.iter().map(|vertex| vertex.parallelism as usize).sum::<usize>();
        for deployment in &mut deployments {
            let attempt = deployment.attempt;
            if let Some(earlier) = master.newest.insert(attempt.subtask, attempt)
                && (master.attempts.contains_key(&earlier) || earlier.attempt >= attempt.attempt)
            {
                self.sim.violation(format!("{attempt} is deployed while {earlier} may be alive"));
            }
            if let Some(restore) = &deployment.restore {
                if !master.complete.contains(&restore.checkpoint) {
                    self.sim.violation(format!("{attempt} starts from checkpoint {}, which is not complete", restore.checkpoint));
                }
                if restore.finished {
                    self.sim.saw(Seen::RestoredFinished);
                }
            }
            tamper::deployment(&self.sim, &master.topology, deployment);
        }
        if !all {
            self.sim.saw(Seen::PartlyFinished);
        }
        let now = self.sim.clock.now();
        let capacity = master.graph.settings.queue_batches;
        let seed = self.sim.random().next();
        let slots: BTreeMap<AttemptId, u32> = deployments.iter().map(|deployment| (deployment.attempt, deployment.slot)).collect();
        for mut spec in wiring::connect(&master.graph, &master.topology, deployments, now) {
            let attempt = spec.deployment.attempt;
            let slot = slots[&attempt];
            self.sim.trace(format_args!(
                "{term} starts {attempt} in {slot} from {:?}",
                spec.deployment.restore.as_ref().map(|r| (r.checkpoint, r.finished))
            ));
            if master.lost_slots.contains(&slot) {
                // Nobody hears of it until the JobMaster learns that the slot is gone.
                master.attempts.insert(attempt, Attempt { slot, mailbox: None, cut: true });
                continue;
            }
            master.attempts.insert(attempt, Attempt { slot, mailbox: Some(spec.mailbox.sender()), cut: false });
            let start = now + self.sim.random().delay();
            // Some receivers get their input by a network, others directly.
            if spec.gate.is_some() && (self.relays || self.sim.random().percent(30)) {
                let (to, senders) = gate::gate(spec.channel_inputs.len(), capacity);
                if let Some(from) = spec.gate.replace(to) {
                    let relay = Relay::new(self.sim.clone(), term, attempt, from, senders, self.leftovers.clone());
                    self.executor.spawn(term, attempt, start, relay.run());
                }
            }
            let env = environment(&self.sim, term, attempt, &master.storage, &self.files, seed);
            self.executor.spawn(term, attempt, start, Task::new(spec, env).run());
        }
    }

    fn send(&mut self, term: Term, attempt: AttemptId, command: TaskCommand) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        if !master.attempts.contains_key(&attempt) {
            self.sim.violation(format!("{attempt} has ended, but is told {command:?}"));
        }
        match &command {
            TaskCommand::CheckpointCompleted(checkpoint) if !master.complete.contains(checkpoint) => {
                self.sim.violation(format!("{attempt} is told that checkpoint {checkpoint} is complete; it is not"));
            }
            TaskCommand::TriggerCheckpoint(_) => master.tamper.early_splits = false,
            _ => {}
        }
        self.send_now(term, attempt, command);
    }

    pub(crate) fn send_now(&mut self, term: Term, attempt: AttemptId, command: TaskCommand) {
        self.sim.trace(format_args!("{term} tells {attempt} {}", name_of(&command)));
        self.over(term, Link::ToTask(attempt), Happening::ToTask(term, attempt, command));
    }

    /// A command arrives. One for an attempt that has ended is dropped.
    pub(crate) fn command_arrives(&mut self, term: Term, attempt: AttemptId, command: TaskCommand) {
        let Some(master) = self.masters.get(&term) else { return };
        let mut to = master.attempts.get(&attempt);
        if self.sim.planted(Plant::OldCommandArrives) && to.is_none() {
            to = master.newest.get(&attempt.subtask).and_then(|newest| master.attempts.get(newest));
        }
        if let Some(Attempt { mailbox: Some(mailbox), cut: false, .. }) = to {
            mailbox.send(command);
        }
    }

    /// A task has said something.
    pub(crate) fn reported(&mut self, term: Term, attempt: AttemptId, mut report: TaskReport) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        if master.attempts.get(&attempt).is_none_or(|attempt| attempt.cut) {
            return;
        }
        tamper::report(&self.sim, &mut master.tamper, attempt, &mut report);
        self.over(term, Link::FromTask(attempt), Happening::FromTask(term, attempt, report));
    }

    /// What a task has said arrives.
    pub(crate) fn report_arrives(&mut self, term: Term, attempt: AttemptId, report: TaskReport) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        let Some(state) = master.attempts.get(&attempt) else { return };
        if state.cut {
            return;
        }
        if matches!(report, TaskReport::Finished { .. } | TaskReport::Canceled | TaskReport::Failed(_)) {
            master.attempts.remove(&attempt);
            end_process(&mut self.executor, term, attempt);
        }
        self.tell(term, JobEvent::Task(attempt, report));
    }

    /// The JobMaster learns that an attempt is gone, unless it was heard to have ended before.
    pub(crate) fn loss_arrives(&mut self, term: Term, attempt: AttemptId) {
        let Some(master) = self.masters.get_mut(&term) else { return };
        if master.attempts.remove(&attempt).is_some() {
            self.tell(term, JobEvent::AttemptLost(attempt, "its process is gone".to_owned()));
        }
    }

    /// Checks what must always hold of the checkpoints that are kept.
    pub(crate) fn check_registers(&self) {
        oracle::registers(&self.sim, &self.files, &self.claimed);
    }
}

/// The relay of a task that has ended goes too; what it has not delivered was lost with the channel.
fn end_process(executor: &mut Executor, term: Term, attempt: AttemptId) {
    executor.drop_attempt(term, attempt);
}

fn name_of(command: &TaskCommand) -> String {
    match command {
        TaskCommand::AddSplits(splits) => format!("{} splits", splits.len()),
        other => format!("{other:?}"),
    }
}

fn brief(event: &JobEvent) -> String {
    match event {
        JobEvent::Task(attempt, TaskReport::CheckpointAcknowledged { checkpoint, snapshot, .. }) => {
            format!("{attempt} acknowledges {checkpoint}{}", if snapshot.finished { ", finished" } else { "" })
        }
        other => format!("{other:?}"),
    }
}
