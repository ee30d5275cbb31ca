//! The embedded cluster: JobManager and tasks in this process.

use crate::{
    background::BackgroundThreads,
    enumerators,
    host::LocalHost,
    job::{Ended, JobThread, Message, ReportToJob},
    launch::{Launch, Term, launch, no_thread, random_u128, refuse_abort},
    storage_thread,
    tasks::{Figures, Tasks},
    thread::SystemClock,
};
use flott_core::{Error, ErrorKind, id::JobId, time::SharedClock};
use flott_graph::JobGraph;
use flott_jobmanager::JobEvent;
use flott_rpc::{
    client::{JobOutcome, JobOverview, JobReply, JobRequest},
    gateway::{JobExecutor, JobGateway, ResultsBy, TaskFigures},
};
use flott_runtime::{TaskEnv, panics::catching};
use std::{
    collections::{HashMap, HashSet},
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
        let launch = launch(JobId(random_u128()), graph.topology(), graph.settings.clone(), Term::Only)?;
        self.start(graph, launch)
    }

    fn results(&self) -> ResultsBy {
        ResultsBy::Memory
    }
}

impl EmbeddedCluster {
    fn start(&self, graph: JobGraph, launch: Launch) -> Result<Arc<dyn JobGateway>, Error> {
        let Launch { job, epoch, master, storage, last_checkpoint, seed, .. } = launch;
        let clock: SharedClock = Arc::new(self.clock);
        let graph = Arc::new(graph);
        let (messages, inbox) = mpsc::channel();
        let to_job = |messages: &mpsc::Sender<Message>| {
            let messages = messages.clone();
            // A job that has ended hears no more.
            move |event: JobEvent| drop(messages.send(Message::Event(event)))
        };
        let figures = Figures::new(self.clock);
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
            host: LocalHost {
                enumerators: enumerators::start(graph.clone(), clock.clone(), figures.unassigned(), to_job(&messages))
                    .map_err(no_thread)?,
                tasks: Tasks::new(graph, env, self.clock, figures),
                next_slot: 0,
                stuck: HashSet::new(),
            },
            storage: storage_thread::start(storage, job, epoch, to_job(&messages)).map_err(no_thread)?,
            clock,
            ended: ended.clone(),
            requests: HashMap::new(),
            next_request: 0,
            history: None,
            keep_end: None,
            decisions: None,
            end_decided: false,
        };
        // The JobMaster is made here, so that its errors are the caller's, and runs there.
        let overview = job_thread.master.overview();
        let job = move || {
            if let Err(panic) = catching(move || job_thread.run(&inbox, JobEvent::Start { last_checkpoint })) {
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

    fn overview(&self) -> Result<JobOverview, Error> {
        if let Some(overview) = self.ended.overview() {
            return Ok(overview);
        }
        let (reply, answer) = mpsc::channel();
        self.send(Message::Overview(reply));
        if let Ok(overview) = answer.recv() {
            return Ok(overview);
        }
        // The job has ended in between.
        self.wait()?;
        self.ended.overview().ok_or_else(|| Error::new(ErrorKind::Internal, format!("job {} ended without a word", self.job)))
    }

    fn request(&self, request: JobRequest) -> Result<JobReply, Error> {
        let (reply, answer) = mpsc::channel();
        self.send(Message::Request(request, reply));
        answer.recv().map_err(|_| Error::new(ErrorKind::Unavailable, format!("job {} has ended", self.job)))
    }

    fn wait(&self) -> Result<JobOutcome, Error> {
        self.ended.wait().ok_or_else(|| Error::new(ErrorKind::Internal, format!("job {} was suspended", self.job)))
    }

    fn figures(&self) -> Result<Vec<TaskFigures>, Error> {
        Ok(self.figures.read())
    }
}
