use crate::{
    event::{CompletionOutcome, JobEvent, StorageReport},
    testing::{Harness, millis, settings, topology},
};
use flott_core::{
    context::RuntimeMode,
    exchange::PartitionKind::{Forward, Hash},
    id::CheckpointId,
};
use flott_graph::settings::JobSettings;
use flott_rpc::{
    client::JobRequest,
    task::{EnumeratorReport, TaskReport},
};

fn one(settings: JobSettings) -> Harness {
    Harness::running(topology(&[1], &[]), settings)
}

fn savepoint() -> JobRequest {
    JobRequest::TriggerSavepoint { directory: Some("/s".into()) }
}

fn stop() -> JobRequest {
    JobRequest::StopWithSavepoint { directory: Some("/s".into()), drain: false }
}

fn declined(checkpoint: u64) -> TaskReport {
    TaskReport::CheckpointDeclined { checkpoint: CheckpointId(checkpoint), reason: "no".into() }
}

const NOTHING: [&str; 0] = [];

#[test]
fn the_first_checkpoint_comes_one_interval_after_all_tasks_run() {
    let mut job = Harness::new(topology(&[1, 1], &[(0, 1, Hash)]), settings(true));
    job.event(JobEvent::Start { last_checkpoint: None });
    job.event(JobEvent::Slots(vec![0, 1]));
    job.task(0, 0, TaskReport::Running);
    assert_eq!(job.pass(millis(500)), NOTHING);
    job.task(1, 0, TaskReport::Running);
    assert_eq!(job.pass(millis(99)), NOTHING);
    assert_eq!(job.pass(millis(1)), ["begin 1", "v0: snapshot 1"]);
}

#[test]
fn barriers_wait_for_the_enumerators_and_the_storage_and_go_to_tasks_without_running_inputs() {
    let mut job = Harness::running(topology(&[1, 1, 1], &[(0, 2, Hash), (1, 2, Hash)]), settings(true));
    job.pass(millis(100));
    assert_eq!(job.state(1, 1), NOTHING);
    assert_eq!(job.begun(1), NOTHING);
    assert_eq!(job.state(0, 1), ["v0/0#0: barrier 1", "v1/0#0: barrier 1"]);
}

#[test]
fn splits_from_between_snapshot_and_barrier_follow_the_barrier() {
    let mut job = one(settings(true));
    job.pass(millis(100));
    let assign = |split| EnumeratorReport::Assign { subtask: 0, splits: vec![vec![split]] };
    assert_eq!(job.enumerator(0, assign(1)), ["v0/0#0: splits [[1]]"]);
    job.state(0, 1);
    assert_eq!(job.enumerator(0, assign(2)), NOTHING);
    assert_eq!(job.begun(1), ["v0/0#0: barrier 1", "v0/0#0: splits [[2]]"]);
    assert_eq!(job.enumerator(0, assign(3)), ["v0/0#0: splits [[3]]"]);
}

#[test]
fn held_splits_are_sent_if_the_checkpoint_fails_before_its_barrier() {
    let mut job = one(settings(true));
    job.pass(millis(100));
    job.state(0, 1);
    job.enumerator(0, EnumeratorReport::Assign { subtask: 0, splits: vec![vec![2]] });
    let shown = job.event(JobEvent::Storage(StorageReport::Begun { checkpoint: CheckpointId(1), outcome: Err("full".into()) }));
    assert_eq!(shown[..2], ["v0/0#0: splits [[2]]", "discard 1"]);
}

#[test]
fn only_the_word_of_the_storage_completes_a_checkpoint() {
    let mut job = Harness::running(topology(&[1, 1], &[(0, 1, Hash)]), settings(true));
    job.pass(millis(100));
    job.state(0, 1);
    job.begun(1);
    assert_eq!(job.ack(1, 0, 1, false), NOTHING);
    assert_eq!(job.ack(1, 0, 1, false), NOTHING, "the same answer again");
    assert_eq!(job.ack(0, 0, 1, false), ["complete 1"]);
    assert_eq!(job.metadata(1).operators.len(), 2);
    assert_eq!(job.metadata(1).operators[0].coordinator, Some(vec![9]));
    assert_eq!(job.complete(1), ["v0/0#0: completed 1", "v1/0#0: completed 1", "v0: completed 1", "retain 2"]);
    assert_eq!(job.complete(1), NOTHING, "the same word again");
}

#[test]
fn min_pause_counts_from_the_end_of_one_to_the_start_of_the_next() {
    let mut with_pause = settings(true);
    with_pause.checkpoints.min_pause = millis(80);
    let mut job = one(with_pause);
    job.pass(millis(100));
    job.pass(millis(70));
    job.checkpoint_of_one(1, false);
    assert_eq!(job.pass(millis(79)), NOTHING);
    assert_eq!(job.pass(millis(1))[0], "begin 2");
}

#[test]
fn no_more_than_max_concurrent_are_under_way_and_a_later_one_replaces_an_earlier() {
    let mut concurrent = settings(true);
    concurrent.checkpoints.max_concurrent = 2;
    let mut job = one(concurrent);
    for checkpoint in [1, 2] {
        assert_eq!(job.pass(millis(100))[0], format!("begin {checkpoint}"));
        job.begun(checkpoint);
        job.state(0, checkpoint);
    }
    assert_eq!(job.pass(millis(300)), NOTHING);
    assert_eq!(job.ack(0, 0, 2, false), ["complete 2"]);
    let shown = job.complete(2);
    assert_eq!(shown[..4], ["discard 1", "v0/0#0: completed 2", "v0: completed 2", "retain 2"]);
    assert_eq!(job.ack(0, 0, 1, false), ["discard 1"], "what came late goes, too");
}

#[test]
fn a_checkpoint_is_not_finalized_while_another_is() {
    let mut concurrent = settings(true);
    concurrent.checkpoints.max_concurrent = 2;
    let mut job = one(concurrent);
    for checkpoint in [1, 2] {
        job.pass(millis(100));
        job.begun(checkpoint);
        job.state(0, checkpoint);
    }
    assert_eq!(job.ack(0, 0, 1, false), ["complete 1"]);
    assert_eq!(job.ack(0, 0, 2, false), NOTHING);
    assert_eq!(job.complete(1).last().unwrap(), "complete 2");
}

#[test]
fn an_expired_checkpoint_is_aborted_everywhere_and_too_many_restart_the_job() {
    let mut short = settings(true);
    short.checkpoints.timeout = millis(50);
    short.checkpoints.tolerable_failures = 1;
    let mut job = one(short);
    job.pass(millis(100));
    job.begun(1);
    job.state(0, 1);
    assert_eq!(job.pass(millis(49)), NOTHING);
    assert_eq!(job.pass(millis(1)), ["v0/0#0: aborted 1", "discard 1"]);
    job.pass(millis(50));
    job.begun(2);
    job.state(0, 2);
    assert_eq!(job.pass(millis(50)), ["v0/0#0: aborted 2", "discard 2", "v0/0#0: cancel"]);
    let failures = job.job.overview().failures;
    assert!(failures[0].to_string().contains("2 checkpoints failed in a row, 1 are borne"), "{}", failures[0]);
}

#[test]
fn a_success_in_between_forgives_failures() {
    let mut tolerant = settings(true);
    tolerant.checkpoints.tolerable_failures = 1;
    let mut job = one(tolerant);
    for round in 0..5 {
        job.pass(millis(100));
        assert_eq!(job.task(0, 0, declined(2 * round + 1)), ["discard ".to_owned() + &(2 * round + 1).to_string()]);
        job.pass(millis(100));
        job.checkpoint_of_one(2 * round + 2, false);
    }
    assert_eq!(job.job.overview().restarts, 0);
    assert_eq!((job.job.overview().checkpoints.completed, job.job.overview().checkpoints.failed), (5, 5));
}

#[test]
fn a_savepoint_waits_neither_for_the_interval_nor_for_the_pause_but_for_the_one_under_way() {
    let mut with_pause = settings(true);
    with_pause.checkpoints.min_pause = millis(1_000);
    let mut job = one(with_pause);
    job.pass(millis(100));
    assert_eq!(job.client(5, savepoint()), NOTHING);
    assert_eq!(job.checkpoint_of_one(1, false).last().unwrap(), "v0: snapshot 2");
    job.begun(2);
    job.state(0, 2);
    job.ack(0, 0, 2, false);
    assert_eq!(job.complete(2), ["reply 5: snapshot 2"], "nothing is committed for a savepoint");
    job.lose(0, 0);
    assert!(job.job.checkpoints().latest().is_some_and(|latest| latest.metadata.checkpoint == CheckpointId(1)));
}

#[test]
fn a_failed_savepoint_is_told_and_does_not_count() {
    let mut job = one(settings(false));
    job.client(5, savepoint());
    let shown = job.task(0, 0, declined(1));
    assert_eq!(shown[0], "discard 1");
    assert!(shown[1].starts_with("reply 5: refused, checkpoint 1 failed: task v0/0#0 declined: no"), "{shown:?}");
    assert_eq!(job.job.overview().restarts, 0);
}

#[test]
fn a_savepoint_without_a_directory_is_refused() {
    let mut with_dir = settings(false);
    with_dir.checkpoints.dir = Some("/c".into());
    let mut job = one(with_dir);
    assert!(job.client(5, JobRequest::TriggerSavepoint { directory: None })[0].starts_with("reply 5: refused, no directory"));
}

#[test]
fn an_unknown_outcome_is_asked_for_again_until_it_is_known_and_a_restart_waits_for_it() {
    let mut job = Harness::running(topology(&[2], &[]), settings(true));
    job.pass(millis(100));
    job.begun(1);
    job.state(0, 1);
    job.ack(0, 0, 1, false);
    job.ack(0, 1, 1, false);
    let content = job.metadata(1).clone();
    assert_eq!(job.outcome_of(1, CompletionOutcome::Unknown("?".into())), NOTHING);
    assert_eq!(job.lose(0, 0), NOTHING, "whether it restarts from 1 is not known");
    assert_eq!(job.pass(millis(999)), NOTHING);
    assert_eq!(job.pass(millis(1)), ["complete 1"]);
    assert_eq!(*job.metadata(1), content);
    assert_eq!(job.complete(1), ["v0/1#0: completed 1", "v0: completed 1", "retain 2", "deploy v0/0#1 from 1"]);
}

#[test]
fn without_an_interval_the_end_of_input_takes_a_checkpoint_for_tasks_to_commit_and_finish() {
    let mut job = Harness::running(topology(&[1, 1], &[(0, 1, Hash)]), settings(false));
    assert_eq!(job.task(0, 0, TaskReport::EndOfData), NOTHING);
    assert_eq!(job.task(1, 0, TaskReport::EndOfData), ["begin 1", "v0: snapshot 1"]);
    job.begun(1);
    job.state(0, 1);
    job.ack(0, 0, 1, true);
    job.ack(1, 0, 1, true);
    job.complete(1);
    assert_eq!(job.finished(1, 0), NOTHING);
    assert_eq!(job.finished(0, 0), ["discard all", "ended: finished"]);
}

#[test]
fn without_an_interval_a_region_that_has_ended_does_not_wait_for_others() {
    let mut job = Harness::running(topology(&[2, 2], &[(0, 1, Forward)]), settings(false));
    job.task(0, 0, TaskReport::EndOfData);
    assert_eq!(job.task(1, 0, TaskReport::EndOfData)[0], "begin 1");
    let mut job = Harness::running(topology(&[2, 2], &[(0, 1, Forward)]), settings(true));
    job.task(0, 0, TaskReport::EndOfData);
    assert_eq!(job.task(1, 0, TaskReport::EndOfData), NOTHING, "the next periodic one will do");
}

#[test]
fn a_checkpoint_from_before_the_end_of_a_task_is_followed_by_another() {
    let mut job = one(settings(false));
    job.client(1, JobRequest::TriggerCheckpoint);
    job.begun(1);
    job.state(0, 1);
    job.task(0, 0, TaskReport::EndOfData);
    job.ack(0, 0, 1, false);
    let shown = job.complete(1);
    assert_eq!(shown[shown.len() - 2..], ["begin 2", "v0: snapshot 2"]);
}

#[test]
fn a_checkpoint_that_will_hold_the_end_of_a_task_is_enough() {
    let mut job = one(settings(false));
    job.client(1, JobRequest::TriggerCheckpoint);
    job.begun(1);
    job.state(0, 1);
    assert_eq!(job.task(0, 0, TaskReport::EndOfData), NOTHING);
    job.ack(0, 0, 1, true);
    job.complete(1);
    assert_eq!(job.finished(0, 0), ["discard all", "ended: finished"]);
}

#[test]
fn a_final_checkpoint_that_fails_is_tried_again_after_a_pause_and_not_for_ever() {
    let mut job = one(settings(false));
    job.task(0, 0, TaskReport::EndOfData);
    for (checkpoint, pause) in [(1, 1_000), (2, 2_000), (3, 4_000)] {
        job.task(0, 0, declined(checkpoint));
        assert_eq!(job.pass(millis(pause - 1)), NOTHING);
        assert_eq!(job.pass(millis(1))[0], format!("begin {}", checkpoint + 1));
    }
    assert_eq!(job.task(0, 0, declined(4)), ["discard 4", "v0/0#0: cancel"]);
}

#[test]
fn a_task_that_finishes_before_its_barrier_makes_room_for_another_checkpoint_at_once() {
    let mut job = Harness::running(topology(&[2], &[]), settings(true));
    job.task(0, 0, TaskReport::EndOfData);
    job.pass(millis(100));
    job.begun(1);
    job.state(0, 1);
    job.ack(0, 0, 1, true);
    job.ack(0, 1, 1, false);
    job.complete(1);
    job.pass(millis(100));
    job.begun(2);
    job.state(0, 2);
    assert_eq!(job.finished(0, 0), ["v0/1#0: aborted 2", "discard 2", "begin 3", "v0: snapshot 3"]);
    job.begun(3);
    assert_eq!(job.state(0, 3), ["v0/1#0: barrier 3"]);
    assert_eq!(job.ack(0, 1, 3, false), ["complete 3"]);
    let subtasks = &job.metadata(3).operators[0].subtasks;
    assert_eq!((subtasks[&0].finished, subtasks[&1].finished), (true, false), "the finished task takes part with its final state");
    assert_eq!(job.job.overview().checkpoints.failed, 0);
}

#[test]
fn numbers_go_on_above_what_the_storage_has_seen() {
    let mut job = Harness::new(topology(&[1], &[]), settings(true));
    job.event(JobEvent::Start { last_checkpoint: Some(CheckpointId(41)) });
    job.event(JobEvent::Slots(vec![0]));
    job.all_run();
    assert_eq!(job.pass(millis(100))[0], "begin 42");
}

#[test]
fn in_batch_mode_only_the_end_takes_a_checkpoint() {
    let mut batch = settings(true);
    batch.mode = RuntimeMode::Batch;
    let mut job = one(batch);
    assert_eq!(job.pass(millis(1_000)), NOTHING);
    assert!(job.client(1, savepoint())[0].starts_with("reply 1: refused, a job in batch mode"));
    assert_eq!(job.task(0, 0, TaskReport::EndOfData)[0], "begin 1");
}

#[test]
fn a_stop_ends_the_job_after_its_savepoint_and_then_answers() {
    let mut job = one(settings(true));
    assert_eq!(job.client(5, stop())[0], "begin 1");
    assert!(job.client(6, stop())[0].starts_with("reply 6: refused, the job is already being stopped"));
    assert_eq!(job.checkpoint_of_one(1, false), ["v0/0#0: completed 1", "v0: completed 1", "retain 2"]);
    assert_eq!(job.pass(millis(500)), NOTHING, "nothing more is taken");
    assert_eq!(job.finished(0, 0), ["reply 5: snapshot 1", "discard all", "ended: finished"]);
}

#[test]
fn a_stop_waits_until_nothing_else_is_under_way() {
    let mut concurrent = settings(true);
    concurrent.checkpoints.max_concurrent = 3;
    let mut job = one(concurrent);
    job.pass(millis(100));
    job.begun(1);
    job.state(0, 1);
    assert_eq!(job.client(5, stop()), NOTHING);
    assert_eq!(job.pass(millis(200)), NOTHING, "nor does anything else begin");
    job.ack(0, 0, 1, false);
    assert_eq!(job.complete(1).last().unwrap(), "v0: snapshot 2");
}

#[test]
fn a_stop_that_fails_lets_the_job_go_on() {
    let mut job = one(settings(true));
    job.client(5, stop());
    job.begun(1);
    job.state(0, 1);
    let shown = job.task(0, 0, declined(1));
    assert_eq!(shown[..2], ["v0/0#0: aborted 1", "discard 1"]);
    assert!(shown[2].starts_with("reply 5: refused"));
    assert_eq!(job.pass(millis(100))[0], "begin 2");
}

#[test]
fn a_failure_after_the_savepoint_of_a_stop_restarts_everything_from_it_and_tells_the_client() {
    let mut job = Harness::running(topology(&[2], &[]), settings(true));
    job.client(5, stop());
    job.begun(1);
    job.state(0, 1);
    job.ack(0, 0, 1, false);
    job.ack(0, 1, 1, false);
    job.complete(1);
    job.finished(0, 0);
    let shown = job.lose(0, 1);
    assert!(shown[0].starts_with("reply 5: refused, the job did not stop: savepoint 1 in `/chk-1` is complete"), "{shown:?}");
    assert_eq!(shown[1..], ["v0: create Some([9])", "deploy v0/0#1 v0/1#1 from 1"], "also the task that had ended for the stop");
}
