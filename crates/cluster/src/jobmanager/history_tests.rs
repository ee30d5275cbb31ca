//! What is remembered of attempts, failures and checkpoints, and for how long.

use super::*;
use flott_core::id::VertexId;
use flott_jobmanager::checkpoint::CheckpointFailure;
use flott_rpc::{
    inventory::{ReaderInventory, WorkerInventory},
    task::{SnapshotKind, TaskDeployment},
};

const SUBTASK: SubtaskId = SubtaskId { vertex: VertexId(0), index: 0 };

fn attempt(number: u32) -> AttemptId {
    AttemptId { subtask: SUBTASK, attempt: number }
}

#[test]
fn attempts_are_followed_from_deployment_to_end() {
    let mut history = JobHistory::default();
    history.action(
        &JobAction::Deploy(vec![TaskDeployment { attempt: attempt(0), slot: 3, restore: None, parallelism: Vec::new(), enumerator: 0 }]),
        10,
    );
    history.event(&JobEvent::Task(attempt(0), TaskReport::Running), 20);
    history.event(&JobEvent::Task(attempt(0), TaskReport::RequestSplit), 25);
    history.event(&JobEvent::SlotsLost { slots: vec![3], reason: String::new() }, 30);
    history.event(&JobEvent::Task(attempt(0), TaskReport::Canceled), 40);
    history.action(&JobAction::StatusChanged(JobStatus::Restarting), 45);
    history.action(
        &JobAction::Deploy(vec![TaskDeployment { attempt: attempt(1), slot: 4, restore: None, parallelism: Vec::new(), enumerator: 0 }]),
        50,
    );
    let attempts = &history.attempts[&SUBTASK];
    use TaskStatus::{Created, Deploying, Failed, Running};
    assert_eq!(attempts[0].entered, [(Created, 10), (Deploying, 10), (Running, 20), (Failed, 30)]);
    assert_eq!(attempts[1].entered, [(Created, 45), (Deploying, 50)]);
    assert_eq!((attempts[1].number, attempts[1].slot), (1, 4));
}

#[test]
fn tasks_that_go_on_under_a_new_leader_are_in_their_slots() {
    let task = |index, number, slot, state| TaskInventory {
        attempt: AttemptId { subtask: SubtaskId { index, ..SUBTASK }, attempt: number },
        slot,
        restored_from: None,
        parallelism: Vec::new(),
        restored_finished: false,
        enumerator: 0,
        state,
        reader: ReaderInventory::default(),
    };
    let mut history = JobHistory::default();
    let mut adopt = |tasks| {
        history.event(&JobEvent::Adopted(Box::new(WorkerInventory { tasks, ..WorkerInventory::default() })), 5);
    };
    adopt(vec![task(0, 2, 7, TaskState::Running), task(1, 0, 7, TaskState::EndOfData), task(2, 0, 8, TaskState::Ended(None))]);
    // Of another worker, which has one that was there before, and the first one once more.
    adopt(vec![task(0, 1, 3, TaskState::Running), task(1, 0, 7, TaskState::Running)]);
    assert_eq!(history.tasks_by_slot(), [(7, 2)].into());
    let numbers: Vec<u32> = history.attempts[&SUBTASK].iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2]);
    history.event(&JobEvent::SlotsLost { slots: vec![7], reason: String::new() }, 6);
    assert_eq!(history.tasks_by_slot(), [].into());
}

#[test]
fn the_last_savepoint_is_remembered_however_many_checkpoints_follow() {
    let mut history = JobHistory::default();
    for id in 1..300 {
        let kind = if id == 7 { SnapshotKind::Savepoint { folder: "saved".into() } } else { SnapshotKind::Checkpoint };
        history.action(&JobAction::Note(JobNote::CheckpointTriggered { checkpoint: CheckpointId(id), kind, tasks: 1 }), 0);
        let note = match id {
            9 => JobNote::CheckpointFailed { checkpoint: CheckpointId(id), reason: CheckpointFailure::TaskFailed, after: Duration::ZERO },
            _ => JobNote::CheckpointCompleted(CheckpointSummary {
                checkpoint: CheckpointId(id),
                location: String::new(),
                savepoint: id == 7,
                duration: Duration::ZERO,
                bytes: 0,
                longest_sync: Duration::ZERO,
                longest_step: Duration::ZERO,
                longest_alignment: Duration::ZERO,
                completed_at: 0,
            }),
        };
        history.action(&JobAction::Note(note), 0);
    }
    let ids: Vec<u64> = history.checkpoints.iter().map(|record| record.id.0).collect();
    assert_eq!(ids.len(), CHECKPOINTS);
    assert_eq!((ids[0], ids[96], ids[97], &ids[98..]), (299, 203, 202, &[9, 7][..]));
}

#[test]
fn failures_before_tasks_are_started_again_belong_together() {
    let other = AttemptId { subtask: SubtaskId { index: 1, ..SUBTASK }, attempt: 0 };
    let deploy = |attempt: AttemptId, slot| {
        JobAction::Deploy(vec![TaskDeployment { attempt, slot, restore: None, parallelism: Vec::new(), enumerator: 0 }])
    };
    let failed =
        |attempt, what: &str, along| JobAction::Note(JobNote::Failed { attempt, failure: TaskFailure::without_task("map", what), along });
    let mut history = JobHistory::default();
    for (at, action) in [
        (1, deploy(attempt(0), 3)),
        (1, deploy(other, 4)),
        (2, failed(Some(attempt(0)), "root", false)),
        (3, failed(Some(other), "neighbour", true)),
        (4, deploy(attempt(1), 5)),
        // The user cancels the job, and a task fails then.
        (5, failed(Some(attempt(1)), "on the way out", true)),
        (6, failed(None, "second", false)),
        (7, failed(Some(attempt(1)), "another region", false)),
    ] {
        history.action(&action, at);
    }
    let told = |record: &FailureRecord| (record.at, record.failure.causes[0].clone(), record.slot);
    assert_eq!(history.failures.iter().map(told).collect::<Vec<_>>(), [(6, "second".into(), None), (2, "root".into(), Some(3))]);
    assert_eq!(history.failures[1].along.iter().map(told).collect::<Vec<_>>(), [(3, "neighbour".into(), Some(4))]);
    assert_eq!(history.failures[0].along.iter().map(told).collect::<Vec<_>>(), [(7, "another region".into(), Some(5))]);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut history = JobHistory::default();
    for number in 0..1000 {
        let at = i64::from(number);
        history.action(
            &JobAction::Deploy(vec![TaskDeployment {
                attempt: attempt(number),
                slot: 0,
                restore: None,
                parallelism: Vec::new(),
                enumerator: 0,
            }]),
            at,
        );
        history.action(&JobAction::StatusChanged(if number % 2 == 0 { JobStatus::Running } else { JobStatus::Restarting }), at);
    }
    assert_eq!(history.attempts[&SUBTASK].len(), ATTEMPTS);
    for number in 0..1000 {
        history.keep_figures(attempt(number), AttemptFigures { task: [("n".to_owned(), i64::from(number))].into(), ..Default::default() });
    }
    let kept: Vec<i64> = history.figures().map(|figures| figures.task["n"]).collect();
    assert_eq!(kept, [996, 997, 998, 999]);
    let stored = super::super::records::encode(&history).unwrap();
    let again: JobHistory = super::super::records::decode(&stored).unwrap();
    assert_eq!(again.attempts, history.attempts);
    assert_eq!(history.entered, [(JobStatus::Running, 998), (JobStatus::Restarting, 999)]);
}
