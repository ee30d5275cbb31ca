//! The embedded cluster: JobManager and tasks in this process.

use crate::{
    background::BackgroundThreads,
    enumerators,
    job::{Ended, JobThread, Message, ReportToJob},
    restore, storage_thread,
    tasks::{Figures, Tasks},
    thread::SystemClock,
};
use flott_core::{
    Error, ErrorKind,
    id::{CheckpointId, JobId},
    time::SharedClock,
};
use flott_graph::JobGraph;
use flott_jobmanager::{JobEvent, JobMaster};
use flott_rpc::{
    client::{JobOutcome, JobOverview, JobReply, JobRequest},
    gateway::{JobExecutor, JobGateway, TaskFigures},
};
use flott_runtime::{TaskEnv, panics::catching};
use flott_storage::{CheckpointDirectory, CheckpointStorage};
use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

/// Runs jobs in this process, each with a thread of its own for every task.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmbeddedCluster {
    clock: SystemClock,
}

impl JobExecutor for EmbeddedCluster {
    fn submit(&self, graph: JobGraph) -> Result<Arc<dyn JobGateway>, Error> {
        refuse_abort()?;
        let job = JobId(random_u128());
        let directory = match &graph.settings.checkpoints.dir {
            Some(dir) => CheckpointDirectory::on_disk(&dir.to_string_lossy())?,
            None => CheckpointDirectory::in_memory(),
        };
        let storage = Arc::new(directory.storage(job));
        let found = graph.settings.restore.as_ref().map(|settings| restore::find(settings, &directory, storage.as_ref())).transpose()?;
        let epoch = storage.next_epoch()?;
        let first_checkpoint = storage.begin_term(epoch)?;
        let restored = match (&graph.settings.restore, found) {
            (Some(settings), Some(loaded)) => Some(restore::take(settings, storage.as_ref(), epoch, loaded)?),
            _ => None,
        };
        if let Some(restored) = &restored {
            tracing::info!(checkpoint = %restored.metadata.checkpoint, location = restored.location, "starting from a snapshot");
        }
        let seed = random_u128() as u64;
        let master = JobMaster::new(job, epoch, graph.topology(), graph.settings.clone(), restored, seed)
            .map_err(|error| Error::invalid(error.to_string()))?;
        let last_checkpoint = first_checkpoint.0.checked_sub(1).map(CheckpointId);
        self.start(job, epoch, graph, master, storage, seed, last_checkpoint)
    }
}

impl EmbeddedCluster {
    #[allow(clippy::too_many_arguments, reason = "called once, with what was just prepared")]
    fn start(
        &self,
        job: JobId,
        epoch: u64,
        graph: JobGraph,
        master: JobMaster,
        storage: Arc<flott_storage::FileStorage>,
        seed: u64,
        last_checkpoint: Option<CheckpointId>,
    ) -> Result<Arc<dyn JobGateway>, Error> {
        let clock: SharedClock = Arc::new(self.clock);
        let graph = Arc::new(graph);
        let (messages, inbox) = mpsc::channel();
        let to_job = |messages: &mpsc::Sender<Message>| {
            let messages = messages.clone();
            // A job that has ended hears no more.
            move |event: JobEvent| drop(messages.send(Message::Event(event)))
        };
        let figures = Figures::default();
        let env = TaskEnv {
            clock: clock.clone(),
            reporter: Arc::new(ReportToJob(Mutex::new(messages.clone()))),
            background: Arc::new(BackgroundThreads::start(2).map_err(no_thread)?),
            storage: storage.clone(),
            seed,
        };
        let ended = Arc::new(Ended::default());
        let gateway = EmbeddedJob { job, messages: Mutex::new(messages.clone()), ended: ended.clone(), figures: figures.clone() };
        let job_thread = JobThread {
            master,
            tasks: Tasks::new(graph.clone(), env, self.clock, figures),
            enumerators: enumerators::start(graph, clock.clone(), to_job(&messages)).map_err(no_thread)?,
            storage: storage_thread::start(storage, job, epoch, to_job(&messages)).map_err(no_thread)?,
            clock,
            ended: ended.clone(),
            next_slot: 0,
            requests: HashMap::new(),
            next_request: 0,
            stuck: HashSet::new(),
        };
        // The JobMaster is made here, so that its errors are the caller's, and runs there.
        let overview = job_thread.master.overview();
        let job = move || {
            if let Err(panic) = catching(move || job_thread.run(&inbox, last_checkpoint)) {
                // Whoever waits for the job must not wait for ever.
                ended.set_panicked(&panic, overview);
            }
        };
        thread::Builder::new().name("flott-job".to_owned()).spawn(job).map_err(no_thread)?;
        Ok(Arc::new(gateway))
    }
}

/// A job in this process.
struct EmbeddedJob {
    job: JobId,
    messages: Mutex<mpsc::Sender<Message>>,
    ended: Arc<Ended>,
    figures: Figures,
}

impl EmbeddedJob {
    fn send(&self, message: Message) -> bool {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).send(message).is_ok()
    }
}

impl JobGateway for EmbeddedJob {
    fn id(&self) -> JobId {
        self.job
    }

    fn overview(&self) -> JobOverview {
        if let Some(overview) = self.ended.overview() {
            return overview;
        }
        let (reply, answer) = mpsc::channel();
        self.send(Message::Overview(reply));
        // No answer: the job has ended in between.
        answer.recv().ok().unwrap_or_else(|| {
            self.ended.wait();
            self.ended.overview().expect("is there when the job has ended")
        })
    }

    fn request(&self, request: JobRequest) -> Result<JobReply, Error> {
        let (reply, answer) = mpsc::channel();
        self.send(Message::Request(request, reply));
        answer.recv().map_err(|_| Error::new(ErrorKind::Unavailable, format!("job {} has ended", self.job)))
    }

    fn wait(&self) -> Result<JobOutcome, Error> {
        Ok(self.ended.wait())
    }

    fn figures(&self) -> Vec<TaskFigures> {
        self.figures.read()
    }
}

/// A panic must not end the process: it is to fail one task.
fn refuse_abort() -> Result<(), Error> {
    if cfg!(panic = "abort") {
        return Err(Error::invalid(
            "this program was built with `panic = \"abort\"`, so that a panic in one operator would end all tasks; remove that line from the \
             profile in its Cargo.toml, or set `panic = \"unwind\"`",
        ));
    }
    Ok(())
}

fn no_thread(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "cannot start a thread").with_source(error)
}

/// The standard library's hasher is seeded by the operating system: that is all the randomness that an id needs.
fn random_u128() -> u128 {
    let half = || u128::from(RandomState::new().hash_one(std::time::SystemTime::now()));
    (half() << 64) | half()
}
