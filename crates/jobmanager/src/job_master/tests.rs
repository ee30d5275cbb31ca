use crate::{
    event::{JobAction, JobEvent, Now, StorageReport},
    restore::RestoredSnapshot,
    testing::{Harness, lost, millis, settings, topology},
};
use flott_core::{
    accumulator::AccumulatorValue,
    error::TaskFailure,
    exchange::PartitionKind::{Forward, Hash},
    id::{AttemptId, CheckpointId, SubtaskId, VertexId},
};
use flott_graph::settings::{FailoverSettings, JobSettings, RestartSettings, Retention};
use flott_rpc::{
    client::{JobEnd, JobRequest},
    inventory::{ReaderInventory, TaskInventory, TaskState, WorkerInventory},
    status::JobStatus,
    task::{EnumeratorReport, TaskReport},
};
use std::{collections::BTreeMap, time::Duration};

const NOTHING: [&str; 0] = [];
const SECOND: Duration = Duration::from_secs(1);

/// Two pipelines of a source and a sink each, which do not touch.
fn two_regions() -> Harness {
    Harness::running(topology(&[2, 2], &[(0, 1, Forward)]), settings(true))
}

/// Takes checkpoint 1 of [`two_regions`].
fn checkpoint(job: &mut Harness) {
    job.pass(millis(100));
    job.begun(1);
    job.state(0, 1);
    for (vertex, index) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        job.ack(vertex, index, 1, false);
    }
    job.complete(1);
}

fn assign(subtask: u32, split: u8) -> EnumeratorReport {
    EnumeratorReport::Assign { subtask, splits: vec![vec![split]] }
}

#[test]
fn enumerators_are_made_before_their_readers_which_are_announced_when_they_run() {
    let mut job = Harness::new(topology(&[1, 1], &[(0, 1, Hash)]), settings(false));
    assert_eq!(job.event(JobEvent::Start { last_checkpoint: None }), NOTHING);
    assert_eq!(job.event(JobEvent::Slots(vec![4])), ["v0: create None", "deploy v0/0#0 v1/0#0"]);
    assert_eq!(job.task(0, 0, TaskReport::Running), ["v0: reader 0"]);
    assert_eq!(job.task(0, 0, TaskReport::Running), NOTHING, "the same again");
    assert_eq!(job.task(0, 0, TaskReport::RequestSplit), ["v0: request 0"]);
}

#[test]
fn a_failed_task_takes_down_its_region_alone_and_gives_back_the_splits_since_the_checkpoint() {
    let mut job = two_regions();
    job.enumerator(0, assign(0, 1));
    checkpoint(&mut job);
    job.enumerator(0, assign(0, 2));
    job.enumerator(0, assign(1, 3));
    assert_eq!(job.fail(1, 0), ["v0/0#0: cancel"]);
    assert_eq!(job.job.status(), JobStatus::Restarting);
    assert_eq!(job.pass(SECOND), NOTHING, "v0/0#0 may still be alive");
    assert_eq!(job.task(0, 0, TaskReport::Canceled), ["v0: back from 0 [[2]]", "deploy v0/0#1 v1/0#1 from 1"]);
    assert_eq!(job.job.status(), JobStatus::Running);
}

#[test]
fn the_delay_counts_from_the_failure() {
    let mut job = two_regions();
    job.fail(1, 0);
    job.task(0, 0, TaskReport::Canceled);
    assert_eq!(job.pass(SECOND - millis(1)), NOTHING);
    assert_eq!(job.pass(millis(1)), ["deploy v0/0#1 v1/0#1"]);
}

#[test]
fn if_all_readers_restart_the_enumerator_starts_from_the_checkpoint_too() {
    let mut full = settings(true);
    full.failover = FailoverSettings::Full;
    let mut job = Harness::running(topology(&[2, 2], &[(0, 1, Forward)]), full);
    checkpoint(&mut job);
    job.enumerator(0, assign(0, 2));
    assert_eq!(job.lose(0, 0), ["v1/0#0: cancel", "v0/1#0: cancel", "v1/1#0: cancel"]);
    for (vertex, index) in [(0, 1), (1, 0)] {
        job.task(vertex, index, TaskReport::Canceled);
    }
    let shown = job.task(1, 1, TaskReport::Canceled);
    assert_eq!(shown, ["v0: create Some([9])", "deploy v0/0#1 v1/0#1 v0/1#1 v1/1#1 from 1"]);
}

#[test]
fn a_lost_attempt_restarts_at_once_the_first_time() {
    let mut job = two_regions();
    job.lose(0, 0);
    assert_eq!(job.task(1, 0, TaskReport::Canceled), ["deploy v0/0#1 v1/0#1"]);
    job.all_run();
    job.lose(0, 0);
    assert_eq!(job.task(1, 0, TaskReport::Canceled), NOTHING);
    assert_eq!(job.pass(SECOND), ["deploy v0/0#2 v1/0#2"]);
}

#[test]
fn what_an_earlier_attempt_says_is_not_heard() {
    let mut job = two_regions();
    let old = job.attempt(0, 0);
    job.lose(0, 0);
    job.task(1, 0, TaskReport::Canceled);
    job.all_run();
    for report in
        [TaskReport::RequestSplit, TaskReport::EndOfData, TaskReport::Canceled, TaskReport::Finished { accumulators: BTreeMap::new() }]
    {
        assert_eq!(job.event(JobEvent::Task(old, report)), NOTHING);
    }
    assert_eq!(job.event(JobEvent::AttemptLost(old, "again".into())), NOTHING);
    assert_eq!(job.event(JobEvent::AttemptLost(AttemptId { attempt: 9, ..old }, "never was".into())), NOTHING);
}

#[test]
fn a_task_that_does_not_end_is_killed_before_its_successor_is_deployed() {
    let mut job = two_regions();
    job.lose(0, 0);
    assert_eq!(job.pass(Duration::from_secs(180) - millis(1)), NOTHING);
    assert_eq!(job.pass(millis(1)), ["kill v1/0#0", "deploy v0/0#1 v1/0#1"]);
}

#[test]
fn a_task_that_finishes_before_its_last_checkpoint_has_failed() {
    let mut job = two_regions();
    assert_eq!(job.finished(0, 0), ["v1/0#0: cancel"]);
}

#[test]
fn without_a_restart_the_failure_ends_the_job() {
    let mut none = settings(true);
    none.restart = RestartSettings::None;
    let mut job = Harness::running(topology(&[1, 1], &[(0, 1, Hash)]), none);
    assert_eq!(job.fail(1, 0), ["v0/0#0: cancel"]);
    assert_eq!(job.job.status(), JobStatus::Failing);
    assert_eq!(job.task(0, 0, TaskReport::Canceled), ["ended: failed"]);
    let Some(JobEnd::Failed(failure)) = job.outcome.as_ref().map(|outcome| &outcome.end) else { panic!("{:?}", job.outcome) };
    assert_eq!(failure.causes, ["it failed"]);
    assert!(job.client(1, JobRequest::Cancel)[0].starts_with("reply 1: refused, the job has ended"));
    assert_eq!(job.job.next_wake(), None);
}

#[test]
fn a_failed_enumerator_restarts_all_readers_and_is_made_anew() {
    let mut job = two_regions();
    checkpoint(&mut job);
    let event = JobEvent::EnumeratorLost { vertex: VertexId(0), reason: "its host is gone".into() };
    assert_eq!(job.event(event).len(), 4, "all are cancelled");
    for (vertex, index) in [(0, 0), (1, 0), (0, 1)] {
        job.task(vertex, index, TaskReport::Canceled);
    }
    assert_eq!(job.task(1, 1, TaskReport::Canceled)[0], "v0: create Some([9])");
}

#[test]
fn splits_for_a_reader_that_has_ended_fail_the_enumerator_rather_than_be_lost() {
    let mut job = two_regions();
    job.task(0, 0, TaskReport::EndOfData);
    assert_eq!(job.enumerator(0, assign(0, 1)).len(), 4, "all are cancelled");
    let failure = &job.job.overview().failures[0];
    assert!(failure.to_string().contains("assigned 1 splits to reader 0"), "{failure}");
}

#[test]
fn cancelling_waits_for_the_tasks_and_keeps_the_checkpoints_unless_told_otherwise() {
    for (retention, discarded) in
        [(Retention::RetainOnCancellation, false), (Retention::DeleteOnCancellation, true), (Retention::Never, true)]
    {
        let mut with_retention = settings(true);
        with_retention.checkpoints.retention = retention;
        let mut job = Harness::running(topology(&[1, 1], &[(0, 1, Hash)]), with_retention);
        job.pass(millis(100));
        let shown = job.client(3, JobRequest::Cancel);
        assert_eq!(shown, ["reply 3: accepted", "v0/0#0: cancel", "v1/0#0: cancel", "discard 1"]);
        assert_eq!(job.job.status(), JobStatus::Cancelling);
        job.task(0, 0, TaskReport::Canceled);
        let shown = job.task(1, 0, TaskReport::Canceled);
        let expected: &[&str] = if discarded { &["discard all", "ended: canceled"] } else { &["ended: canceled"] };
        assert_eq!(shown, expected, "{retention:?}");
    }
}

#[test]
fn cancelling_does_not_wait_for_ever() {
    let mut job = two_regions();
    job.client(3, JobRequest::Cancel);
    job.task(0, 0, TaskReport::Canceled);
    assert_eq!(job.pass(Duration::from_secs(179)), NOTHING);
    assert_eq!(job.pass(SECOND), ["kill v0/1#0", "kill v1/0#0", "kill v1/1#0", "ended: canceled"]);
}

#[test]
fn cancelling_before_anything_runs_ends_at_once() {
    let mut job = Harness::new(topology(&[1], &[]), settings(true));
    job.event(JobEvent::Start { last_checkpoint: None });
    assert_eq!(job.client(3, JobRequest::Cancel), ["reply 3: accepted", "ended: canceled"]);
}

#[test]
fn a_cancelled_job_waits_for_the_storage_to_say_what_became_of_a_checkpoint() {
    let mut job = Harness::running(topology(&[1], &[]), settings(true));
    job.pass(millis(100));
    job.begun(1);
    job.state(0, 1);
    job.ack(0, 0, 1, false);
    job.client(3, JobRequest::Cancel);
    assert_eq!(job.task(0, 0, TaskReport::Canceled), NOTHING);
    assert_eq!(job.complete(1), ["v0: completed 1", "retain 2", "ended: canceled"]);
    assert_eq!(job.outcome.as_ref().map(|outcome| outcome.checkpoints.completed), Some(1));
}

#[test]
fn missing_slots_fail_the_job_with_how_many_there_are() {
    let mut none = settings(true);
    none.restart = RestartSettings::None;
    let mut job = Harness::new(topology(&[3], &[]), none);
    job.event(JobEvent::Start { last_checkpoint: None });
    job.event(JobEvent::Slots(vec![0]));
    assert_eq!(job.pass(Duration::from_secs(299)), NOTHING);
    assert_eq!(job.pass(SECOND).last().map(String::as_str), Some("ended: failed"));
    let failure = &job.job.overview().failures[0];
    assert!(failure.to_string().contains("needs 3 slots, 1 were there after 300 s"), "{failure}");
}

#[test]
fn slots_that_do_not_suffice_are_given_back_unless_tasks_run_in_them() {
    let yields = |job: &mut Harness, seconds: u64| {
        let end = job.now + SECOND * u32::try_from(seconds).unwrap();
        let mut yielded = Vec::new();
        while let Some(wake) = job.job.next_wake().filter(|wake| *wake <= end) {
            job.now = wake;
            let now = Now { monotonic: wake, wall: 0 };
            yielded.extend(job.job.handle(now, JobEvent::Tick).into_iter().filter_map(|action| match action {
                JobAction::YieldSlots { held, needed } => Some((held, needed)),
                _ => None,
            }));
        }
        job.now = end;
        yielded
    };
    let mut job = Harness::new(topology(&[3], &[]), settings(false));
    job.event(JobEvent::Start { last_checkpoint: None });
    job.event(JobEvent::Slots(vec![0, 1]));
    assert_eq!(yields(&mut job, 9), []);
    assert_eq!(yields(&mut job, 60), [(vec![0, 1], 3)]);
    // One came too late to be given back with the others.
    job.event(JobEvent::Slots(vec![2]));
    assert_eq!(yields(&mut job, 20), [(vec![2], 3)]);
    assert_eq!(job.event(JobEvent::Slots(vec![3, 4, 5])), ["v0: create None", "deploy v0/0#0 v0/1#0 v0/2#0"]);
    // Two regions run on while the third waits for a slot.
    job.all_run();
    job.event(lost([3]));
    assert_eq!(yields(&mut job, 100), []);
    job.event(JobEvent::Slots(vec![6]));
    assert_eq!(job.job.status(), JobStatus::Running);
}

#[test]
fn a_lost_slot_is_replaced() {
    let mut job = Harness::running(topology(&[1, 1], &[(0, 1, Hash)]), settings(true));
    assert_eq!(job.event(lost([0])), NOTHING, "nobody is left to be told");
    let failure = job.job.overview().failures[0].clone();
    assert_eq!(failure.causes, ["TaskManager `tm1` is gone: the connection was closed (it ran in slot 0)"]);
    assert_eq!(job.event(JobEvent::Slots(vec![20])), ["v0: create None", "deploy v0/0#1 v1/0#1"]);
}

#[test]
fn a_leader_that_was_replaced_touches_nothing() {
    let mut job = two_regions();
    checkpoint(&mut job);
    let shown = job.event(JobEvent::Storage(StorageReport::Fenced("term 2 has begun".into())));
    assert_eq!(shown.len(), 4, "all are cancelled");
    for (vertex, index) in [(0, 0), (1, 0), (0, 1)] {
        job.task(vertex, index, TaskReport::Canceled);
    }
    assert_eq!(job.task(1, 1, TaskReport::Canceled), ["ended: failed"]);
}

#[test]
fn accumulators_of_all_tasks_are_merged() {
    let mut job = Harness::running(topology(&[2], &[]), settings(false));
    job.task(0, 0, TaskReport::EndOfData);
    job.task(0, 1, TaskReport::EndOfData);
    job.begun(1);
    job.state(0, 1);
    job.ack(0, 0, 1, true);
    job.ack(0, 1, 1, true);
    job.complete(1);
    for index in 0..2 {
        let accumulators = [("n".to_owned(), AccumulatorValue::Long(20 + i64::from(index)))].into();
        job.task(0, index, TaskReport::Finished { accumulators });
    }
    assert_eq!(job.outcome.unwrap().accumulators["n"], AccumulatorValue::Long(41));
}

#[test]
fn a_finished_region_stays_finished_when_all_others_restart() {
    let mut job = Harness::running(topology(&[2], &[]), settings(true));
    job.task(0, 0, TaskReport::EndOfData);
    job.pass(millis(100));
    job.begun(1);
    job.state(0, 1);
    job.ack(0, 0, 1, true);
    job.ack(0, 1, 1, false);
    job.complete(1);
    job.finished(0, 0);
    assert_eq!(job.lose(0, 1), ["v0: create Some([9])", "deploy v0/1#1 from 1"]);
}

#[test]
fn a_restored_job_starts_from_its_snapshot_and_numbers_above_it() {
    let mut first = Harness::running(topology(&[2], &[]), settings(true));
    first.pass(millis(100));
    first.begun(1);
    first.state(0, 1);
    first.ack(0, 0, 1, false);
    first.ack(0, 1, 1, false);
    let metadata = std::sync::Arc::new(flott_storage::CheckpointMetadata { checkpoint: CheckpointId(50), ..first.metadata(1).clone() });
    let restored = RestoredSnapshot { metadata, location: "/s".into(), owned: false };
    let mut job = Harness::restored(topology(&[3], &[]), settings(true), Some(restored));
    job.event(JobEvent::Start { last_checkpoint: Some(CheckpointId(9)) });
    assert_eq!(job.event(JobEvent::Slots(vec![0, 1, 2])), ["v0: create Some([9])", "deploy v0/0#0 v0/1#0 v0/2#0 from 50"]);
    job.all_run();
    assert_eq!(job.pass(millis(100))[0], "begin 51");
    assert_eq!(job.lose(0, 2), ["discard 51", "deploy v0/2#1 from 50"]);
}

#[test]
fn the_reader_of_a_task_that_starts_as_finished_is_not_announced() {
    let mut job = Harness::running(topology(&[2, 1], &[(0, 1, Hash)]), settings(true));
    job.task(0, 0, TaskReport::EndOfData);
    job.pass(millis(100));
    job.begun(1);
    job.state(0, 1);
    job.ack(0, 0, 1, true);
    job.ack(0, 1, 1, false);
    job.ack(1, 0, 1, false);
    job.complete(1);
    job.finished(0, 0);
    job.lose(1, 0);
    assert_eq!(job.task(0, 1, TaskReport::Canceled), ["v0: create Some([9])", "deploy v0/0#1 v0/1#1 v1/0#1 from 1"]);
    assert_eq!(job.task(0, 0, TaskReport::Running), NOTHING, "it would be given splits that nobody reads");
    assert_eq!(job.task(0, 1, TaskReport::Running), ["v0: reader 1"]);
}

/// Tasks of vertex 0 as a worker tells of them, in a slot for each.
fn inventory(states: &[TaskState]) -> JobEvent {
    let task = |(index, state): (usize, &TaskState)| TaskInventory {
        attempt: AttemptId { subtask: SubtaskId { vertex: VertexId(0), index: index as u32 }, attempt: 4 },
        slot: index as u32,
        restored_from: None,
        parallelism: Vec::new(),
        restored_finished: false,
        enumerator: 0,
        state: state.clone(),
        reader: ReaderInventory::default(),
    };
    let tasks = states.iter().enumerate().map(task).collect();
    JobEvent::Adopted(Box::new(WorkerInventory { tasks, ..WorkerInventory::default() }))
}

#[test]
fn the_next_leader_goes_on_with_a_cancellation_and_starts_nothing_again() {
    let mut before = Harness::running(topology(&[3], &[]), settings(true));
    assert_eq!(before.job.decided_end(), None);
    before.client(1, JobRequest::Cancel);
    let end = before.job.decided_end().cloned().expect("it was asked for");
    let mut job = Harness::new(topology(&[3], &[]), settings(true));
    job.job.take_over_end(end);
    job.event(JobEvent::Recover { last_checkpoint: None, wait: SECOND });
    // One runs on, one was told to end and has not, and of the third nobody tells.
    job.event(inventory(&[TaskState::Running, TaskState::Canceling]));
    let attempt = |index| AttemptId { subtask: SubtaskId { vertex: VertexId(0), index }, attempt: 4 };
    assert_eq!(job.job.status(), JobStatus::Reconciling);
    let shown = job.pass(SECOND);
    assert!(shown.iter().any(|line| line.contains("cancel") && line.contains("v0/0#4")), "{shown:?}");
    assert!(!shown.iter().any(|line| line.contains("deploy") || line.contains("v0/1#4")), "{shown:?}");
    assert_eq!(job.job.status(), JobStatus::Cancelling);
    job.event(JobEvent::Task(attempt(0), TaskReport::Canceled));
    assert!(job.event(JobEvent::Task(attempt(1), TaskReport::Canceled)).contains(&"ended: canceled".to_owned()));
    assert_eq!(job.job.decided_end(), None, "its end is stored otherwise");
}

#[test]
fn a_cancelled_job_of_which_nothing_is_left_ends_under_the_next_leader() {
    let mut job = Harness::new(topology(&[2], &[]), settings(true));
    job.job.take_over_end(JobEnd::Canceled);
    job.event(JobEvent::Recover { last_checkpoint: None, wait: SECOND });
    assert_eq!(job.pass(SECOND).last().map(String::as_str), Some("ended: canceled"));
    assert_eq!(job.outcome.map(|outcome| outcome.end), Some(JobEnd::Canceled));
}

#[test]
fn a_job_that_was_failing_fails_under_the_next_leader_for_the_same_reason() {
    let mut before = Harness::running(topology(&[1], &[]), JobSettings { restart: RestartSettings::None, ..settings(true) });
    let failure = TaskFailure { unrecoverable: true, ..TaskFailure::without_task("map", "no such thing") };
    before.event(JobEvent::Failed(failure.clone()));
    let end = before.job.decided_end().cloned().expect("nothing starts it again");
    let mut job = Harness::new(topology(&[1], &[]), settings(true));
    job.job.take_over_end(end);
    job.event(JobEvent::Recover { last_checkpoint: None, wait: SECOND });
    assert_eq!(job.pass(SECOND).last().map(String::as_str), Some("ended: failed"));
    assert_eq!(job.outcome.clone().map(|outcome| outcome.end), Some(JobEnd::Failed(failure.clone())));
    assert_eq!(job.job.overview().failures, [failure]);
}
