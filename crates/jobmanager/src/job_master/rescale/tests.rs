use crate::{
    event::{JobAction, JobEvent, JobNote},
    testing::{Harness, lost, millis, settings, topology},
};
use flott_core::{
    exchange::PartitionKind::Hash,
    id::{CheckpointId, VertexId},
};
use flott_graph::settings::{JobSettings, SchedulerMode};
use flott_rpc::{
    client::{JobRequest, ParallelismBounds, RescaleState},
    status::JobStatus,
    task::{EnumeratorReport, TaskReport},
};

const NOTHING: [&str; 0] = [];

/// A source and a keyed operator, one subtask each, in slot 0.
fn running(settings: JobSettings) -> Harness {
    Harness::running(topology(&[1, 1], &[(0, 1, Hash)]), settings)
}

fn exactly(parallelism: u32) -> JobRequest {
    JobRequest::Rescale(vec![ParallelismBounds::exactly(parallelism); 2])
}

/// Brings checkpoint `number` of all tasks to its completion; what follows that.
fn checkpoint(job: &mut Harness, number: u64, tasks: &[(u32, u32)]) -> Vec<String> {
    job.begun(number);
    job.state(0, number);
    for (vertex, index) in tasks {
        job.ack(*vertex, *index, number, false);
    }
    job.complete(number)
}

fn canceled(job: &mut Harness, tasks: &[(u32, u32)]) -> Vec<String> {
    tasks.iter().flat_map(|(vertex, index)| job.task(*vertex, *index, TaskReport::Canceled)).collect()
}

fn changes(job: &Harness) -> Vec<(Vec<u32>, RescaleState)> {
    job.job.overview().rescales.into_iter().map(|change| (change.to, change.state)).collect()
}

#[test]
fn a_change_waits_for_its_slots_takes_a_checkpoint_and_starts_all_tasks_from_it() {
    let mut job = running(settings(false));
    assert_eq!(job.client(5, exactly(2)), ["reply 5: accepted"]);
    assert_eq!(job.job.overview().slots_wanted, 1);
    assert_eq!(job.event(JobEvent::Slots(vec![20])), ["begin 1", "v0: snapshot 1"]);
    let shown = checkpoint(&mut job, 1, &[(0, 0), (1, 0)]);
    assert_eq!(shown[shown.len() - 2..], ["v0/0#0: cancel", "v1/0#0: cancel"], "{shown:?}");
    assert_eq!(job.job.status(), JobStatus::Restarting);
    let late = EnumeratorReport::Assign { subtask: 0, splits: vec![vec![7]] };
    assert_eq!(job.enumerator(0, late), NOTHING, "it is in no checkpoint: the enumerator that is made anew has it");
    let shown = canceled(&mut job, &[(0, 0), (1, 0)]);
    assert_eq!(shown, ["v0: create Some([9])", "deploy v0/0#1 v0/1#1 v1/0#1 v1/1#1 from 1"]);
    job.all_run();
    assert_eq!(changes(&job), [(vec![2, 2], RescaleState::Completed)]);
    assert_eq!((job.job.overview().restarts, job.job.status()), (0, JobStatus::Running));
    job.client(6, JobRequest::TriggerCheckpoint);
    checkpoint(&mut job, 2, &[(0, 0), (0, 1), (1, 0), (1, 1)]);
    assert_eq!(job.metadata(2).operators[1].parallelism, 2);
}

/// What the job has said of slots since it was asked last.
fn slots(job: &mut Harness) -> Vec<JobAction> {
    std::mem::take(&mut job.slots)
}

fn yields(held: &[u32], needed: u32) -> JobAction {
    JobAction::YieldSlots { held: held.to_vec(), needed }
}

#[test]
fn slots_that_are_too_few_for_a_change_are_given_back_and_all_that_it_lacks_wanted_at_once() {
    let mut job = running(settings(false));
    slots(&mut job);
    job.client(5, exactly(20));
    assert_eq!(slots(&mut job), [JobAction::RequestSlots(19)]);
    job.event(JobEvent::Slots(vec![20, 21, 22]));
    job.pass(millis(9_999));
    assert_eq!(slots(&mut job), []);
    assert_eq!(job.pass(millis(1)), NOTHING);
    assert_eq!(slots(&mut job), [yields(&[20, 21, 22], 19)]);
    assert_eq!((job.job.status(), job.job.overview().slots_wanted), (JobStatus::Running, 19));
    // One that was on its way.
    job.event(JobEvent::Slots(vec![23]));
    job.pass(millis(100_000));
    assert_eq!(slots(&mut job), [yields(&[23], 19)]);
    // One in which it runs is replaced whatever happens.
    job.event(lost([0]));
    assert_eq!(slots(&mut job), [JobAction::RequestSlots(1)]);
    assert!(job.event(JobEvent::Slots(vec![24])).last().unwrap().starts_with("deploy v0/0#1 v1/0#1"));
    job.all_run();
    // Nobody gives one slot to those who want nineteen at once.
    job.client(6, exactly(2));
    assert_eq!(slots(&mut job), [JobAction::WithdrawSlots(19), JobAction::RequestSlots(1)]);
    assert_eq!(job.event(JobEvent::Slots(vec![25])), ["begin 1", "v0: snapshot 1"]);
    job.pass(millis(20_000));
    assert_eq!(slots(&mut job), [], "it is of use as soon as the checkpoint is complete");
}

#[test]
fn a_job_waits_at_once_for_no_more_slots_than_those_from_which_on_each_is_of_use() {
    let mut job = running(settings(false));
    slots(&mut job);
    job.client(5, JobRequest::Rescale(vec![ParallelismBounds { lower: 4, upper: 8 }; 2]));
    job.event(JobEvent::Slots(vec![20, 21]));
    job.pass(millis(10_000));
    assert_eq!(slots(&mut job), [JobAction::RequestSlots(7), yields(&[20, 21], 3)]);
    job.event(JobEvent::Slots(vec![22, 23, 24]));
    assert_eq!(slots(&mut job), [JobAction::RequestSlots(4)]);
    job.pass(millis(60_000));
    checkpoint(&mut job, 1, &[(0, 0), (1, 0)]);
    assert!(canceled(&mut job, &[(0, 0), (1, 0)])[1].contains("v1/3#1"));
    assert_eq!(slots(&mut job), []);
}

#[test]
fn a_job_that_lacks_slots_to_run_as_it_did_waits_for_these_and_not_for_those_of_a_change() {
    let mut job = Harness::running(topology(&[2, 2], &[(0, 1, Hash)]), settings(false));
    job.client(5, exactly(20));
    slots(&mut job);
    job.event(lost([0, 1]));
    assert_eq!(slots(&mut job), [JobAction::RequestSlots(2)]);
    job.event(JobEvent::Slots(vec![30]));
    job.pass(millis(30_000));
    assert_eq!(slots(&mut job), [yields(&[30], 2)]);
    assert!(job.event(JobEvent::Slots(vec![31, 32])).last().unwrap().starts_with("deploy v0/0#1 v0/1#1"));
    assert_eq!(slots(&mut job), [JobAction::RequestSlots(18)], "of these each may be on its way");
}

#[test]
fn a_task_that_does_not_end_is_killed_and_the_change_goes_on() {
    let mut job = running(settings(false));
    job.event(JobEvent::Slots(vec![20]));
    job.client(5, exactly(2));
    job.event(JobEvent::Slots(vec![21]));
    checkpoint(&mut job, 1, &[(0, 0), (1, 0)]);
    canceled(&mut job, &[(0, 0)]);
    let shown = job.pass(millis(180_000));
    assert_eq!(shown[0], "kill v1/0#0");
    assert!(shown[2].starts_with("deploy v0/0#1 v0/1#1"), "{shown:?}");
}

#[test]
fn an_enumerator_that_speaks_of_a_reader_that_was_removed_is_not_heard() {
    let mut job = Harness::running(topology(&[2, 2], &[(0, 1, Hash)]), settings(false));
    job.client(5, exactly(1));
    checkpoint(&mut job, 1, &[(0, 0), (0, 1), (1, 0), (1, 1)]);
    // The new tasks lack their slot: the old enumerator is all there is.
    job.event(lost([0, 1]));
    let report = EnumeratorReport::Assign { subtask: 1, splits: vec![vec![7]] };
    let heard = JobEvent::Enumerator { vertex: VertexId(0), after: 1, report };
    assert_eq!(job.event(heard), NOTHING);
    assert!(job.job.overview().failures.iter().all(|failure| !failure.to_string().contains("nobody would read")));
    assert_eq!(job.event(JobEvent::Slots(vec![30])).last().unwrap(), "deploy v0/0#1 v1/0#1 from 1");
}

#[test]
fn without_any_checkpoint_to_go_on_from_the_change_is_given_up() {
    let mut job = running(settings(false));
    job.event(JobEvent::Slots(vec![20]));
    job.client(5, exactly(2));
    job.event(JobEvent::Slots(vec![21]));
    let declined = |checkpoint| TaskReport::CheckpointDeclined { checkpoint: CheckpointId(checkpoint), reason: "no".into() };
    assert_eq!(job.task(0, 0, declined(1)), ["discard 1"]);
    assert_eq!(job.pass(millis(1000)), ["begin 2", "v0: snapshot 2"]);
    job.task(0, 0, declined(2));
    let failed = changes(&job).pop().unwrap();
    assert!(matches!(&failed.1, RescaleState::Failed(reason) if reason.contains("declined: no")), "{failed:?}");
    assert_eq!((job.pass(millis(60_000)), job.job.status()), (vec![], JobStatus::Running), "it is not tried again by itself");
    assert_eq!(job.client(6, exactly(2))[1], "begin 3");
}

#[test]
fn a_failing_checkpoint_is_replaced_by_the_latest_complete_one() {
    let mut job = running(settings(false));
    job.client(4, JobRequest::TriggerCheckpoint);
    checkpoint(&mut job, 1, &[(0, 0), (1, 0)]);
    job.client(5, exactly(2));
    job.event(JobEvent::Slots(vec![21]));
    let declined = |checkpoint| TaskReport::CheckpointDeclined { checkpoint: CheckpointId(checkpoint), reason: "no".into() };
    job.task(0, 0, declined(2));
    job.pass(millis(1000));
    let shown = job.task(0, 0, declined(3));
    assert_eq!(shown.last().unwrap(), "v1/0#0: cancel");
    assert!(canceled(&mut job, &[(0, 0), (1, 0)])[1].ends_with("from 1"));
}

#[test]
fn what_cannot_be_is_refused_and_a_stop_comes_first() {
    let mut job = running(settings(false));
    assert!(job.client(5, exactly(129))[0].starts_with("reply 5: refused, parallelism 129"));
    job.client(6, JobRequest::StopWithSavepoint { directory: Some("/s".into()), drain: false });
    assert!(job.client(7, exactly(2))[0].contains("being stopped"));
}

#[test]
fn a_reactive_job_starts_with_what_there_is_grows_and_shrinks() {
    let mut reactive = settings(false);
    reactive.scheduler.mode = SchedulerMode::Reactive;
    reactive.scheduler.submission_stabilization = millis(500);
    reactive.scheduler.executing_stabilization = millis(1000);
    reactive.scheduler.cooldown = millis(0);
    reactive.scheduler.resource_wait_timeout = None;
    let mut job = Harness::new(topology(&[1, 1], &[(0, 1, Hash)]), reactive);
    job.event(JobEvent::Start { last_checkpoint: None });
    assert_eq!(job.event(JobEvent::Slots(vec![0, 1])), NOTHING, "more may come");
    let shown = job.pass(millis(500));
    assert_eq!(shown, ["v0: create None", "deploy v0/0#0 v0/1#0 v1/0#0 v1/1#0"]);
    job.all_run();
    assert_eq!(job.event(JobEvent::Slots(vec![2])), NOTHING);
    assert_eq!(job.pass(millis(999)), NOTHING);
    assert_eq!(job.pass(millis(1)), ["begin 1", "v0: snapshot 1"]);
    let all = [(0, 0), (0, 1), (1, 0), (1, 1)];
    checkpoint(&mut job, 1, &all);
    assert!(canceled(&mut job, &all)[1].starts_with("deploy v0/0#1 v0/1#1 v0/2#1"));
    job.all_run();
    let shown = job.event(lost([0, 2]));
    assert_eq!(shown, ["v0/1#1: cancel", "v1/1#1: cancel"]);
    canceled(&mut job, &[(0, 1), (1, 1)]);
    assert_eq!(job.pass(millis(500)), ["v0: create Some([9])", "deploy v0/0#2 v1/0#2 from 1"]);
    job.all_run();
    assert_eq!(changes(&job).last().unwrap(), &(vec![1, 1], RescaleState::Completed));
    assert!(job.notes.iter().any(|note| matches!(note, JobNote::Rescale(change) if change.reason == "slots are gone")));
}
