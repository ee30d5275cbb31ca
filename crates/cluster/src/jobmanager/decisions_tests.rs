//! What is decided of a job while its store answers, and while it does not.

use super::*;
use crate::{
    host::{TaskHost, WorkerNotice},
    job::{Ended, JobThread, Message},
    jobmanager::starting::store_new,
    launch::{Term, launch_in},
    storage_thread,
    thread::SystemClock,
};
use flott_core::{
    config::Configuration,
    context::RuntimeMode,
    id::{AttemptId, OperatorId, SubtaskId, VertexId},
};
use flott_graph::{JobTopology, OperatorTopology, VertexTopology, settings::JobSettings};
use flott_ha::{
    ElectionSettings, Elector, Key, LeadershipEvent, MemoryStore,
    memory::{Fault, Operation},
};
use flott_jobmanager::JobEvent;
use flott_rpc::{
    client::{JobEnd, JobRequest, ParallelismBounds},
    control::{ExecutableId, Program},
    status::JobStatus,
    task::{Barrier, EnumeratorCommand, SubtaskCheckpointStats, TaskCommand, TaskDeployment, TaskReport},
};
use flott_storage::CheckpointDirectory;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

const JOB: JobId = JobId(7);

/// A job in the store of a leader, whose writes fail while the switch is on.
struct Stored {
    jobs: JobStore,
    record: RunningRecord,
    fails: Arc<AtomicBool>,
    _leads: Elector,
}

impl Stored {
    fn new() -> Self {
        let (memory, fails) = (MemoryStore::new(), Arc::new(AtomicBool::new(false)));
        let (events, received) = mpsc::channel();
        let settings = ElectionSettings::new("one", "one:6123", Duration::from_secs(60));
        let elector = Elector::start(Arc::new(memory.clone()), settings, move |event| drop(events.send(event))).unwrap();
        let epoch = received.iter().find_map(|event| if let LeadershipEvent::Granted { epoch } = event { Some(epoch) } else { None });
        let on = fails.clone();
        let fault = move |operation, _: &Key| {
            if operation == Operation::Write && on.load(Ordering::SeqCst) { Fault::Before } else { Fault::None }
        };
        let jobs = JobStore::new(Arc::new(memory.with_faults(fault)), epoch.unwrap(), "one");
        let topology = JobTopology { name: "job".into(), mode: RuntimeMode::Streaming, vertices: Vec::new(), edges: Vec::new() };
        let program = Program {
            executable: ExecutableId("ab".repeat(32)),
            arguments: Vec::new(),
            configuration: Configuration::default(),
            folder: "/".into(),
        };
        let (settings, token) = (JobSettings::default(), String::new());
        let record =
            RunningRecord { program, topology, settings, started: 1, token, storage_epoch: 1, leader_epoch: 1, bounds: None, end: None };
        store_new(&jobs, JOB, &record).unwrap();
        Stored { jobs, record, fails, _leads: elector }
    }

    fn read(&self) -> RunningRecord {
        records::decode(&self.jobs.jobs().unwrap().running[0].bytes).unwrap()
    }
}

/// Writes at once, as long as it takes.
fn at_once(writing: Writing) -> io::Result<()> {
    writing.run();
    Ok(())
}

#[test]
fn who_is_told_that_a_job_is_cancelled_is_told_when_the_next_leader_will_know() {
    let stored = Stored::new();
    stored.fails.store(true, Ordering::SeqCst);
    let (attempts, fails) = (Arc::new(AtomicUsize::new(0)), stored.fails.clone());
    let counted = attempts.clone();
    // The store answers again after the third attempt.
    let again = move || {
        fails.store(counted.fetch_add(1, Ordering::SeqCst) < 2, Ordering::SeqCst);
        true
    };
    let (writings, begun) = mpsc::channel();
    let later = move |writing| writings.send(writing).map_err(|error| io::Error::other(error.to_string()));
    let keep = keep(stored.jobs.clone(), JOB, stored.record.clone(), again, later);
    let (client, answer) = mpsc::channel();
    let bounds = vec![ParallelismBounds { lower: 1, upper: 2 }];
    keep(Decision::Bounds(bounds.clone()));
    let writing = begun.try_recv().expect("somebody has to write");
    keep(Decision::End(JobEnd::Canceled));
    keep(Decision::Answer(client, JobReply::Accepted));
    assert!(begun.try_recv().is_err(), "there is somebody who writes");
    assert!(answer.try_recv().is_err(), "it is not stored");
    assert_eq!(stored.read().end, None);
    writing.run();
    assert_eq!(answer.try_recv(), Ok(JobReply::Accepted));
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    let end = Some(JobEnd::Canceled);
    assert_eq!(stored.read(), RunningRecord { end, bounds: Some(bounds), ..stored.record });
}

#[test]
fn nobody_is_told_what_is_not_stored_and_the_next_decision_stores_it_too() {
    let stored = Stored::new();
    let keep = keep(stored.jobs.clone(), JOB, stored.record.clone(), || false, at_once);
    stored.fails.store(true, Ordering::SeqCst);
    keep(Decision::End(JobEnd::Canceled));
    let answered = || {
        let (client, answer) = mpsc::channel();
        keep(Decision::Answer(client, JobReply::Accepted));
        answer.try_recv().ok()
    };
    assert_eq!(answered(), None);
    stored.fails.store(false, Ordering::SeqCst);
    assert_eq!(answered(), Some(JobReply::Accepted));
    assert_eq!(stored.read().end, Some(JobEnd::Canceled));
    // There is nothing new to be stored.
    stored.fails.store(true, Ordering::SeqCst);
    assert_eq!(answered(), Some(JobReply::Accepted));
    stored.fails.store(false, Ordering::SeqCst);
    // What has ended stays so.
    stored.jobs.mark_ended(JOB, b"history", 9).unwrap();
    keep(Decision::End(JobEnd::Canceled));
    assert!(stored.jobs.jobs().unwrap().running.is_empty());
}

#[test]
fn what_is_decided_while_there_is_no_thread_is_stored_with_the_next_decision() {
    let stored = Stored::new();
    let none = Arc::new(AtomicBool::new(true));
    let missing = none.clone();
    let start = move |writing| if missing.load(Ordering::SeqCst) { Err(io::Error::other("no thread")) } else { at_once(writing) };
    let keep = keep(stored.jobs.clone(), JOB, stored.record.clone(), || false, start);
    let answered = || {
        let (client, answer) = mpsc::channel();
        keep(Decision::Answer(client, JobReply::Accepted));
        answer.try_recv()
    };
    keep(Decision::End(JobEnd::Canceled));
    assert_eq!(answered(), Err(mpsc::TryRecvError::Disconnected), "whoever asked is told that there is no answer");
    none.store(false, Ordering::SeqCst);
    assert_eq!(answered(), Ok(JobReply::Accepted));
    assert_eq!(stored.read().end, Some(JobEnd::Canceled));
}

/// One task that does what it is told, but ends only when the test says so.
struct OneTask(mpsc::Sender<Message>);

impl TaskHost for OneTask {
    fn request_slots(&mut self, _: u32) -> Vec<JobEvent> {
        vec![JobEvent::Slots(vec![0])]
    }

    fn withdraw_slots(&mut self, _: u32) {}

    fn release_slots(&mut self, _: Vec<u32>) {}

    fn deploy(&mut self, deployments: Vec<TaskDeployment>) -> Vec<JobEvent> {
        deployments.into_iter().map(|deployment| JobEvent::Task(deployment.attempt, TaskReport::Running)).collect()
    }

    fn send(&mut self, attempt: AttemptId, command: TaskCommand) {
        if let TaskCommand::TriggerCheckpoint(Barrier { checkpoint, .. }) = command {
            let (snapshot, stats) = (Box::default(), SubtaskCheckpointStats::default());
            let report = TaskReport::CheckpointAcknowledged { checkpoint, snapshot, stats };
            self.0.send(Message::Event(JobEvent::Task(attempt, report))).unwrap();
        }
    }

    fn enumerator(&mut self, _: VertexId, _: u64, _: EnumeratorCommand) -> Vec<JobEvent> {
        Vec::new()
    }

    fn kill(&mut self, attempt: AttemptId) -> Result<Vec<JobEvent>, String> {
        Err(format!("{attempt} is not to be killed"))
    }

    fn job_ended(&mut self) {}

    fn recovered(&mut self) {}

    fn notice(&mut self, _: WorkerNotice) -> Vec<JobEvent> {
        Vec::new()
    }

    fn is_killed(&self, _: AttemptId) -> bool {
        false
    }
}

fn one_vertex() -> JobTopology {
    let operator = OperatorTopology {
        id: OperatorId::from_uid("map"),
        uid: None,
        name: "map".into(),
        description: None,
        location: String::new(),
        is_source: false,
        children: Vec::new(),
    };
    let vertex = VertexTopology {
        id: VertexId(0),
        name: "map".into(),
        parallelism: 1,
        max_parallelism: 128,
        fixed_parallelism: false,
        slot_sharing_group: "default".into(),
        operators: vec![operator],
    };
    JobTopology { name: "job".into(), mode: RuntimeMode::Streaming, vertices: vec![vertex], edges: Vec::new() }
}

#[test]
fn checkpoints_are_completed_while_the_store_does_not_take_what_was_decided() {
    const LONG: Duration = Duration::from_secs(60);
    let stored = Stored::new();
    // The pause after a failed attempt lasts as long as the test says.
    let ((failed, attempt_failed), (go, pause)) = (mpsc::channel(), mpsc::channel::<()>());
    let (failed, pause) = (Mutex::new(failed), Mutex::new(pause));
    let again = move || {
        failed.lock().unwrap().send(()).unwrap();
        pause.lock().unwrap().recv().is_ok()
    };
    let decisions = keep(stored.jobs.clone(), JOB, stored.record.clone(), again, Writing::run_aside);
    let launch = launch_in(&CheckpointDirectory::in_memory(), JOB, one_vertex(), JobSettings::default(), Term::First, 0).unwrap();
    let ((messages, inbox), ended) = (mpsc::channel(), Arc::new(Ended::default()));
    let to_job = messages.clone();
    let report = move |event| drop(to_job.send(Message::Event(event)));
    let job = JobThread {
        master: launch.master,
        clock: Arc::new(SystemClock::default()),
        host: OneTask(messages.clone()),
        storage: storage_thread::start(launch.storage, JOB, launch.epoch, report).unwrap(),
        ended: ended.clone(),
        requests: HashMap::new(),
        next_request: 0,
        history: None,
        keep_end: None,
        decisions: Some(decisions),
        end_decided: false,
    };
    thread::spawn(move || job.run(&inbox, JobEvent::Start { last_checkpoint: None }));
    let ask = |request| {
        let (reply, answer) = mpsc::channel();
        messages.send(Message::Request(request, reply)).unwrap();
        answer
    };
    stored.fails.store(true, Ordering::SeqCst);
    let bounds = vec![ParallelismBounds { lower: 1, upper: 2 }];
    let rescaled = ask(JobRequest::Rescale(bounds.clone()));
    attempt_failed.recv_timeout(LONG).unwrap();
    let taken = ask(JobRequest::TriggerCheckpoint).recv_timeout(LONG);
    assert!(matches!(taken, Ok(JobReply::Snapshot(_))), "{taken:?}");
    let canceled = ask(JobRequest::Cancel);
    // Whoever asks for the job is answered behind that.
    let (reply, overview) = mpsc::channel();
    messages.send(Message::Overview(reply)).unwrap();
    assert_eq!(overview.recv_timeout(LONG).unwrap().status, JobStatus::Cancelling);
    go.send(()).unwrap();
    attempt_failed.recv_timeout(LONG).unwrap();
    assert!(rescaled.try_recv().is_err() && canceled.try_recv().is_err(), "nothing is stored");
    stored.fails.store(false, Ordering::SeqCst);
    go.send(()).unwrap();
    assert_eq!(rescaled.recv_timeout(LONG), Ok(JobReply::Accepted));
    assert_eq!(canceled.recv_timeout(LONG), Ok(JobReply::Accepted));
    let record = stored.read();
    assert_eq!((record.bounds, record.end), (Some(bounds), Some(JobEnd::Canceled)));
    let attempt = AttemptId { subtask: SubtaskId { vertex: VertexId(0), index: 0 }, attempt: 0 };
    messages.send(Message::Event(JobEvent::Task(attempt, TaskReport::Canceled))).unwrap();
    assert_eq!(ended.wait().unwrap().end, JobEnd::Canceled);
}
