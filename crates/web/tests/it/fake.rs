//! A cluster with one running and one finished job.

use flott_core::{
    accumulator::AccumulatorValue,
    config::Origin,
    error::TaskFailure,
    id::{CheckpointId, JobId, OperatorId},
    metrics::HistogramFigures,
    time::{Clock, Timestamp},
};
use flott_rpc::{
    client::{ParallelismBounds, RescaleCause, RescaleState, RescaleSummary, RescaleTotals, SnapshotTaken},
    figures::{BufferFigures, Latency, QueueFigures},
    status::{JobStatus, TaskStatus},
    tap::{TapDirection, TapShown, TappedRecord},
    task::SubtaskCheckpointStats,
};
use flott_web::{Cluster, ClusterError, Options, Result, Server, model::*};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

/// The running job.
pub(crate) const RUNNING: JobId = JobId(0x2dc2_a1f6_c189_c316_60aa_fa26_51d3_7efa);
/// The finished job.
pub(crate) const FINISHED: JobId = JobId(0x5efb);
/// The id of the TaskManager.
pub(crate) const TASK_MANAGER: &str = "127.0.0.1:39749-12b466";
/// When everything happens.
pub(crate) const START: Timestamp = 1_795_326_712_911;
/// The first bytes of the log; the rest goes on with digits.
pub(crate) const LOG_BYTES: u64 = 1_000_000;

/// A clock that is set.
#[derive(Debug, Default)]
pub(crate) struct FixedClock(pub(crate) AtomicU64);

impl Clock for FixedClock {
    fn wall(&self) -> Timestamp {
        START + 30_000
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }
    fn wake_at(&self, _: Duration, _: &Waker) {}
}

/// The made-up cluster. What it is told is noted in `calls`.
pub(crate) struct Fake {
    /// Whether jobs have a directory for savepoints.
    pub(crate) savepoints: AtomicBool,
    pub(crate) calls: Mutex<Vec<String>>,
    pub(crate) executables: Mutex<Vec<(Executable, Vec<u8>)>>,
    /// Snapshots are not complete while it is shut.
    gate: Mutex<bool>,
    opened: Condvar,
}

impl Default for Fake {
    fn default() -> Self {
        Fake {
            savepoints: true.into(),
            calls: Mutex::default(),
            executables: Mutex::default(),
            gate: Mutex::default(),
            opened: Condvar::default(),
        }
    }
}

impl Fake {
    /// Shuts or opens the gate for snapshots.
    pub(crate) fn shut(&self, shut: bool) {
        *self.gate.lock().unwrap() = shut;
        self.opened.notify_all();
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    fn snapshot(&self, job: JobId) -> Result<SnapshotTaken> {
        drop(self.opened.wait_while(self.gate.lock().unwrap(), |shut| *shut).unwrap());
        if job == FINISHED {
            return Err(ClusterError::Conflict("the job has finished".to_owned()));
        }
        Ok(SnapshotTaken { checkpoint: CheckpointId(71), location: "file:///sp/savepoint-1".to_owned() })
    }
}

/// A server over a [`Fake`].
pub(crate) struct Served {
    pub(crate) fake: Arc<Fake>,
    pub(crate) clock: Arc<FixedClock>,
    server: Server,
}

impl Served {
    pub(crate) fn new() -> Self {
        Served::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> Self {
        let (fake, clock) = (Arc::new(Fake::default()), Arc::new(FixedClock::default()));
        let mut options = Options::new(Arc::clone(&clock) as Arc<dyn Clock>);
        options.tap = true;
        change(&mut options);
        let server = Server::bind("127.0.0.1:0", Arc::clone(&fake) as Arc<dyn Cluster>, options).unwrap();
        Served { fake, clock, server }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Ends the server.
    pub(crate) fn shutdown(self) {
        self.server.shutdown();
    }
}

/// An option as the command line gives it.
fn given(key: &str, value: &str) -> Setting {
    Setting { key: key.to_owned(), value: value.to_owned(), origin: Origin::Argument(format!("-D{key}={value}")) }
}

fn named(pairs: &[(&str, f64)]) -> Metrics {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn attempt(number: u32, records: f64) -> Attempt {
    Attempt {
        number,
        status: TaskStatus::Running,
        task_manager: Some(TASK_MANAGER.to_owned()),
        endpoint: Some("localhost:40805".to_owned()),
        entered: vec![
            (TaskStatus::Created, START + 100),
            (TaskStatus::Scheduled, START + 130),
            (TaskStatus::Deploying, START + 300),
            (TaskStatus::Initializing, START + 400),
            (TaskStatus::Running, START + 500),
        ],
        metrics: named(&[
            ("numRecordsIn", records),
            ("numRecordsInPerSecond", 125.0),
            ("numRecordsOut", 0.0),
            ("numBytesIn", records * 29.0),
            ("numBytesInPerSecond", 3625.0),
            ("numBytesOutPerSecond", 0.0),
            ("accumulateBusyTimeMs", 1167.0),
            ("accumulateIdleTimeMs", 35_242.0),
            ("currentInputWatermark", i64::MIN as f64),
            ("busyTimeMsPerSecond", 250.0),
            ("backPressuredTimeMsPerSecond", 300.0),
            ("idleTimeMsPerSecond", 450.0),
        ]),
        operator_metrics: ["Keyed Aggregation", "Map", "Sink: Writer"]
            .map(|name| (name.to_owned(), named(&[("numRecordsIn", records), ("numRecordsInPerSecond", 125.0)])))
            .to_vec(),
        histograms: Vec::new(),
        buffers: Some(BufferFigures {
            input: QueueFigures { batches: 3, capacity: 4, records: 500 },
            output: QueueFigures { batches: 0, capacity: 8, records: 0 },
        }),
        latencies: Vec::new(),
        accumulators: BTreeMap::from([("lines".to_owned(), AccumulatorValue::Long(records as i64))]),
    }
}

/// The id of the source vertex.
pub(crate) const SOURCE: OperatorId = OperatorId(0xbc76);
/// The id of the other vertex.
pub(crate) const COUNT: OperatorId = OperatorId(0x20ba_6b65_f974_81d5);

fn vertices() -> Vec<Vertex> {
    let subtasks = |id| {
        let spread = HistogramFigures { count: 9, p99: 40.0, ..HistogramFigures::default() };
        let latency = Latency { source: Some(SOURCE), source_subtask: None, operator: id, histogram: spread };
        let current = Attempt { histograms: vec![(1, "waiting".to_owned(), spread)], latencies: vec![latency], ..attempt(0, 362_448.0) };
        vec![Subtask { current, earlier: vec![] }, Subtask { current: attempt(1, 364_491.0), earlier: vec![attempt(0, 5.0)] }]
    };
    let vertex = |id: OperatorId, operators: &[&str], inputs| Vertex {
        id,
        name: operators.join(" -> "),
        operators: operators.iter().map(|name| (*name).to_owned()).collect(),
        operator_ids: (0..operators.len() as u64).map(|place| OperatorId(id.0 + place)).collect(),
        slot_sharing_group: None,
        parallelism: 2,
        max_parallelism: 128,
        inputs,
        subtasks: subtasks(id),
    };
    let input =
        Input { from: SOURCE, ship_strategy: "HASH".to_owned(), exchange: None, records: Some(726_944.0), records_rate: Some(250.0) };
    vec![vertex(SOURCE, &["Source: gen"], vec![]), vertex(COUNT, &["Keyed Aggregation", "Map", "Sink: Writer"], vec![input])]
}

fn no_job(job: JobId) -> ClusterError {
    ClusterError::NotFound(format!("Job {job} not found"))
}

impl Cluster for Fake {
    fn jobs(&self) -> Result<Vec<JobSummary>> {
        let summary = |id, name: &str, status, ended_at, task| JobSummary {
            id,
            name: name.to_owned(),
            status,
            batch: false,
            started_at: START,
            ended_at,
            changed_at: Some(START + 500),
            tasks: vec![task; 4],
        };
        Ok(vec![
            summary(RUNNING, "recovery", JobStatus::Running, None, TaskStatus::Running),
            summary(FINISHED, "word count", JobStatus::Finished, Some(START + 2043), TaskStatus::Finished),
        ])
    }

    fn job(&self, job: JobId) -> Result<Arc<Job>> {
        let summary = self.jobs()?.into_iter().find(|summary| summary.id == job).ok_or_else(|| no_job(job))?;
        Ok(Arc::new(Job {
            id: job,
            name: summary.name,
            status: summary.status,
            batch: false,
            started_at: START,
            ended_at: summary.ended_at,
            entered: vec![(JobStatus::Created, START + 100), (JobStatus::Running, START + 155)],
            max_parallelism: None,
            vertices: vertices(),
            config: ExecutionConfig {
                restart_strategy: "fixed delay".to_owned(),
                parallelism: Some(2),
                options: vec![given("s3.secret-key", "hunter2")],
            },
            restarts: 3,
            accumulators: BTreeMap::from([("lines".to_owned(), AccumulatorValue::Long(12))]),
            metrics: Metrics::new(),
            coordinator_metrics: BTreeMap::from([(COUNT, named(&[("coordinator.enumerator.unassignedSplits", 4.0)]))]),
        }))
    }

    fn checkpoints(&self, job: JobId) -> Result<Arc<Checkpoints>> {
        self.job(job)?;
        let subtask = |at: i64, bytes| {
            let stats = SubtaskCheckpointStats { alignment_us: 5000, sync_us: 8000, longest_step_us: 1, total_us: 80_000, bytes };
            Some(SubtaskCheckpoint { acknowledged_at: START + at, stats })
        };
        let checkpoint = |id: u64, status| Checkpoint {
            id: CheckpointId(id),
            status,
            savepoint: false,
            stops: false,
            triggered_at: START,
            duration: None,
            bytes: None,
            subtasks: None,
            vertices: vec![
                VertexCheckpoint { vertex: SOURCE, subtasks: vec![subtask(33, 265), subtask(20, 265)] },
                VertexCheckpoint { vertex: COUNT, subtasks: vec![subtask(99, 1_062_980), subtask(44, 1_060_330)] },
            ],
            location: Some(format!("file:///ckpt/chk-{id}")),
            discarded: id < 32,
        };
        let failed = CheckpointStatus::Failed { at: START + 7, reason: "expired".to_owned() };
        Ok(Arc::new(Checkpoints {
            totals: CheckpointTotals { restored: 0, completed: 12, failed: 1, in_progress: 0 },
            history: (21..=32)
                .rev()
                .map(|id| checkpoint(id, if id == 22 { failed.clone() } else { CheckpointStatus::Completed }))
                .collect(),
            restored: None,
            config: (job == RUNNING).then(|| CheckpointConfig {
                exactly_once: true,
                interval: Some(Duration::from_secs(1)),
                timeout: Duration::from_secs(600),
                min_pause: Duration::ZERO,
                max_concurrent: 1,
                tolerable_failures: 0,
                retained_on_cancellation: true,
                unaligned: false,
                state_backend: "memory".to_owned(),
                storage: "files".to_owned(),
            }),
        }))
    }

    fn failures(&self, job: JobId) -> Result<Vec<Failure>> {
        self.job(job)?;
        let failure = TaskFailure {
            operator: "count".to_owned(),
            subtask: 0,
            parallelism: 2,
            attempt: 1,
            causes: vec!["no such word".to_owned(), "disk full".to_owned()],
            location: Some("src/main.rs:7:3".to_owned()),
            panicked: true,
            unrecoverable: false,
        };
        let one = Failure::new(START, &failure, true);
        Ok(vec![Failure { concurrent: vec![one.clone()], ..one.clone() }, one])
    }

    fn cancel(&self, job: JobId) -> Result<()> {
        self.note(format!("cancel {job}"));
        if job == FINISHED {
            return Err(ClusterError::Conflict(format!("Job {job} has finished")));
        }
        self.job(job).map(drop)
    }

    fn checkpoint(&self, job: JobId) -> Result<SnapshotTaken> {
        self.note("checkpoint".to_owned());
        self.snapshot(job)
    }

    fn savepoint_directory(&self, job: JobId) -> Result<Option<String>> {
        self.job(job)?;
        Ok(self.savepoints.load(Ordering::Relaxed).then(|| "/configured".to_owned()))
    }

    fn savepoint(&self, job: JobId, directory: Option<&str>, cancel: bool) -> Result<SnapshotTaken> {
        self.note(format!("savepoint {directory:?} {cancel}"));
        self.snapshot(job)
    }

    fn stop(&self, job: JobId, directory: Option<&str>, drain: bool) -> Result<SnapshotTaken> {
        self.note(format!("stop {directory:?} {drain}"));
        self.snapshot(job)
    }

    fn requirements(&self, job: JobId) -> Result<Vec<VertexBounds>> {
        self.job(job)?;
        Ok(vec![(SOURCE, ParallelismBounds::exactly(2)), (COUNT, ParallelismBounds { lower: 1, upper: 4 })])
    }

    fn set_requirements(&self, job: JobId, requirements: &[VertexBounds]) -> Result<()> {
        self.job(job)?;
        self.note(format!("requirements {requirements:?}"));
        if requirements.iter().any(|(_, bounds)| bounds.upper > 128 && bounds.upper < u32::MAX) {
            return Err(ClusterError::BadRequest("parallelism exceeds its maximum".to_owned()));
        }
        Ok(())
    }

    fn rescale(&self, job: JobId, parallelism: u32) -> Result<()> {
        self.note(format!("rescale {parallelism}"));
        self.snapshot(job).map(drop)
    }

    fn rescales(&self, job: JobId) -> Result<Rescales> {
        self.job(job)?;
        let change = |number: u64, cause, state, ended: Option<i64>| RescaleSummary {
            number,
            reason: "other slots are there".to_owned(),
            cause,
            bounds: vec![ParallelismBounds::exactly(2), ParallelismBounds { lower: 1, upper: if number < 4 { 4 } else { 2 } }],
            from: vec![2, 2],
            to: vec![2, 3],
            checkpoint: None,
            started: START + 1000 * number as i64,
            taken_down: ended.map(|_| START + 1000 * number as i64 + 20),
            ended: ended.map(|after| START + 1000 * number as i64 + after),
            state,
        };
        let failed = RescaleState::Failed("no checkpoint could be taken".to_owned());
        Ok(Rescales {
            changes: vec![
                change(1, RescaleCause::Slots, RescaleState::Superseded, Some(10)),
                change(2, RescaleCause::Failover, RescaleState::Completed, Some(100)),
                change(3, RescaleCause::Slots, failed, Some(40)),
                change(4, RescaleCause::Requirements, RescaleState::TakingCheckpoint, None),
            ],
            totals: RescaleTotals { completed: 7, failed: 1, superseded: 1 },
            config: RescaleConfig {
                history: 10,
                reactive: true,
                wait_timeout: None,
                submission_stabilization: Duration::from_millis(500),
                executing_stabilization: Duration::from_secs(1),
                cooldown: Duration::from_secs(30),
                max_checkpoint_failures: 2,
            },
        })
    }

    fn dispose_savepoint(&self, location: &str) -> Result<()> {
        self.note(format!("dispose {location}"));
        Ok(())
    }

    fn task_managers(&self) -> Result<Vec<TaskManager>> {
        Ok(vec![TaskManager {
            id: TASK_MANAGER.to_owned(),
            host: "vm".to_owned(),
            address: "127.0.0.1:39749".to_owned(),
            data_port: Some(40805),
            last_heartbeat: Some(START),
            slots: vec![Slot { job: Some(RUNNING), tasks: 2 }, Slot::default()],
            hardware: Hardware { cpu_cores: 2, managed_memory: Some(1 << 30), process_memory: Some(3 << 30), ..Hardware::default() },
            metrics: named(&[("Status.JVM.CPU.Load", 0.138), ("Status.JVM.Memory.Heap.Used", 353_903_104.0)]),
        }])
    }

    fn job_manager(&self) -> Result<JobManager> {
        Ok(JobManager {
            arguments: vec!["jobmanager".to_owned(), "--token=hunter2".to_owned()],
            host: "vm".to_owned(),
            metrics: named(&[("Status.JVM.CPU.Load", 0.05), ("numBytesIn", 4096.0), ("numBytesOutPerSecond", 12.5)]),
        })
    }

    fn logs(&self, _: &Process) -> Result<Vec<LogFile>> {
        let file = |name: &str, size, kind| LogFile { name: name.to_owned(), size, modified_at: START, kind };
        Ok(vec![file("flott.log", LOG_BYTES, LogKind::Log), file("flott.out", 0, LogKind::Stdout)])
    }

    fn read_log(&self, _: &Process, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        assert_eq!(name, "flott.log");
        let end = LOG_BYTES.min(offset + length as u64);
        Ok((offset..end).map(|at| b'0' + (at % 10) as u8).collect())
    }

    fn configuration(&self, process: &Process) -> Result<Vec<Setting>> {
        Ok(match process {
            Process::JobManager => vec![given("rest.port", "0"), given("rest.password", "hunter2")],
            Process::TaskManager(id) => {
                vec![given("taskmanager.resource-id", id), given("s3.access-key", "hunter2"), given("rest.port", "0")]
            }
        })
    }

    fn threads(&self, _: &Process) -> Result<Vec<ThreadInfo>> {
        Ok(vec![ThreadInfo { name: "flott-job".to_owned(), text: "\"flott-job\" waiting".to_owned() }])
    }

    fn stacks(&self, job: JobId, vertex: OperatorId) -> Result<Stacks> {
        if job != RUNNING {
            return Ok(Stacks::Ended);
        }
        if vertex == SOURCE {
            return Ok(Stacks::Waiting);
        }
        let stack = |subtask, on_cpu, frames: &str, count| TakenStack {
            subtask,
            on_cpu,
            frames: frames.split(' ').map(str::to_owned).collect(),
            count,
        };
        let stacks = vec![stack(0, true, "drive process hash", 30), stack(0, false, "drive wait", 70), stack(1, true, "drive process", 5)];
        Ok(Stacks::Taken(Arc::new(TakenStacks { at: START, stacks, message: None })))
    }

    fn tap(&self, job: JobId, vertex: OperatorId, wanted: TapWanted) -> Result<Tapped> {
        if job != RUNNING {
            return Err(ClusterError::Conflict("the job has ended".to_owned()));
        }
        self.note(format!("{} {wanted:?}", vertex.0));
        let record = |subtask, direction, shown, value: &str| TappedRecord {
            subtask,
            operator: "count".to_owned(),
            direction,
            at: START,
            timestamp: (direction == TapDirection::In).then_some(5),
            shown,
            value: value.to_owned(),
            truncated: false,
        };
        let records = vec![
            record(0, TapDirection::In, TapShown::Masked, r#"{"a":1}"#),
            record(1, TapDirection::Out, TapShown::Clear, "7"),
            record(1, TapDirection::Out, TapShown::Hidden, ""),
        ];
        Ok(Tapped { records, missed: 2, message: None })
    }

    fn executables(&self) -> Result<Vec<Executable>> {
        Ok(self.executables.lock().unwrap().iter().map(|(executable, _)| executable.clone()).collect())
    }

    fn add_executable(&self, name: &str, file: &Path) -> Result<Executable> {
        let mut all = self.executables.lock().unwrap();
        let programs = vec![Program { name: "count".to_owned(), description: None }];
        let executable = Executable { id: format!("{}_{name}", all.len()), name: name.to_owned(), uploaded_at: START, programs };
        all.push((executable.clone(), std::fs::read(file).unwrap()));
        Ok(executable)
    }

    fn remove_executable(&self, executable: &str) -> Result<()> {
        self.executables.lock().unwrap().retain(|(known, _)| known.id != executable);
        Ok(())
    }

    fn plan(&self, _: &str, request: &RunRequest) -> Result<Plan> {
        self.note(format!("{request:?}"));
        let vertices = vertices().into_iter().map(|vertex| Vertex { subtasks: vec![], ..vertex }).collect();
        Ok(Plan { job: JobId(7), name: "planned".to_owned(), batch: false, vertices })
    }

    fn run(&self, _: &str, request: &RunRequest) -> Result<JobId> {
        self.note(format!("{request:?}"));
        Ok(request.job.unwrap_or(JobId(8)))
    }

    fn shut_down(&self) -> Result<()> {
        self.note("shut down".to_owned());
        Ok(())
    }
}
