//! A worker: the process that runs tasks of one job for a TaskManager. It is the user's program, whose `execute` leads here.

mod log;

use crate::{
    background::BackgroundThreads,
    control::{Incoming, Link, connect, greet},
    enumerators,
    exchange::{ChannelFailure, ExchangeSettings, NetworkExchange},
    launch::{directory, no_thread, random_u128, refuse_abort, root_paths},
    tasks::{Figures, Mailboxes, Tasks},
    thread::SystemClock,
};
use flott_core::{
    Error,
    id::{AttemptId, JobId, SubtaskId},
    time::SharedClock,
};
use flott_graph::JobGraph;
use flott_jobmanager::JobEvent;
use flott_rpc::{
    control::{FromWorker, Role, ToWorker, WorkerInfo},
    gateway::{JobExecutor, JobGateway},
    task::{TaskCommand, TaskDeployment, TaskReport},
};
use flott_runtime::{Elsewhere, TaskEnv, TaskReporter};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::exit,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How often a worker sends its figures, which is also its sign of life.
const FIGURES_INTERVAL: Duration = Duration::from_secs(1);

/// How long the JobManager is given to hear why a channel broke.
const BROKEN_CHANNEL_DELAY: Duration = Duration::from_secs(1);

/// Exit code of a worker whose JobManager is gone.
const LOST_JOB_MANAGER: i32 = 3;

/// Runs tasks of one job. `execute` of a program that was started as a worker does not return.
#[derive(Debug, Clone)]
pub struct WorkerExecutor {
    /// Where the JobManager is, `host:port`.
    pub job_manager: String,
    /// The job.
    pub job: JobId,
    /// The number of this worker.
    pub worker: u64,
    /// The host on which records of other workers are taken.
    pub bind: String,
    /// The folder that the program was submitted from.
    pub folder: PathBuf,
    /// The secret that the workers of the job share.
    pub token: String,
}

impl JobExecutor for WorkerExecutor {
    fn submit(&self, graph: JobGraph) -> Result<Arc<dyn JobGateway>, Error> {
        refuse_abort()?;
        self.run(graph)
    }

    fn is_local(&self) -> bool {
        // What is built here is never run by anyone else.
        true
    }
}

impl WorkerExecutor {
    fn run(&self, mut graph: JobGraph) -> Result<Arc<dyn JobGateway>, Error> {
        if graph.settings.checkpoints.dir.is_none() {
            // Without a place that all processes see, state travels in the acknowledgement.
            graph.settings.checkpoints.inline_threshold_bytes = usize::MAX;
        }
        root_paths(&mut graph.settings, &self.folder);
        log::init();
        end_with_parent()?;
        let clock = SystemClock::default();
        let shared: SharedClock = Arc::new(clock);
        let (broken, broken_channels) = mpsc::channel();
        let exchange = self.exchange(&shared, broken)?;
        let data_address = exchange.address();
        let topology = graph.topology();
        let stream = connect(&self.job_manager)?;
        greet(&stream, Role::Worker(WorkerInfo { job: self.job, worker: self.worker, data_address, topology }))?;
        let link: Link<FromWorker> = Link::start(stream.try_clone().map_err(no_thread)?).map_err(no_thread)?;
        let mut incoming: Incoming<ToWorker> = Incoming::new(stream, None).map_err(no_thread)?;

        let storage = Arc::new(directory(&graph.settings)?.storage(self.job));
        let graph = Arc::new(graph);
        let figures = Figures::default();
        let env = TaskEnv {
            clock: shared.clone(),
            reporter: Arc::new(Reporter { link: Mutex::new(link.clone()), figures: figures.clone() }),
            background: Arc::new(BackgroundThreads::start(2).map_err(no_thread)?),
            storage,
            seed: random_u128() as u64,
        };
        let to_job_manager = Mutex::new(link.clone());
        let report = move |event: JobEvent| {
            if let JobEvent::Enumerator { vertex, after, report } = event {
                lock(&to_job_manager).send(FromWorker::Enumerator { vertex, after, report });
            }
        };
        let enumerators = enumerators::start(graph.clone(), shared, report).map_err(no_thread)?;
        let mut tasks = Tasks::new(graph, env, clock, figures.clone());
        fail_broken(broken_channels, tasks.mailboxes())?;
        send_figures(link.clone(), figures)?;
        loop {
            match incoming.next() {
                Ok(ToWorker::Deploy { here, region }) => {
                    let (attempts, peers) = elsewhere(&here, &region);
                    let channels = exchange.channels(&peers);
                    let elsewhere = Elsewhere { attempts: &attempts, channels: &channels };
                    for (attempt, reason) in tasks.deploy(here, Some(elsewhere)) {
                        exchange.forget(attempt);
                        link.send(FromWorker::TaskLost(attempt, reason));
                    }
                }
                Ok(ToWorker::Command(attempt, command)) => tasks.send(attempt, command),
                Ok(ToWorker::Enumerator { vertex, number, command }) => {
                    // The thread ends with this sender.
                    let _ = enumerators.send(enumerators::Command { vertex, number, command });
                }
                Ok(ToWorker::Stop) => {
                    tracing::info!("the job needs this worker no more");
                    end(0);
                }
                Err(error) => {
                    // Nobody would hear of what tasks do from here on: another worker may do the same already.
                    tracing::error!(%error, "the JobManager is gone; the worker ends");
                    end(LOST_JOB_MANAGER);
                }
            }
        }
    }
}

impl WorkerExecutor {
    fn exchange(&self, clock: &SharedClock, broken: mpsc::Sender<ChannelFailure>) -> Result<NetworkExchange, Error> {
        let unusable = || format!("cannot listen on `{}` for other workers", self.bind);
        let mut addresses = (self.bind.as_str(), 0).to_socket_addrs().map_err(|error| Error::invalid(unusable()).with_source(error))?;
        let listen = addresses.next().ok_or_else(|| Error::invalid(unusable()))?;
        let settings = ExchangeSettings::new(self.job, self.token.clone().into_bytes(), listen);
        let broken = Mutex::new(broken);
        // Whoever hears of it lives as long as the process.
        NetworkExchange::start(settings, clock.clone(), Arc::new(move |failure| drop(lock(&broken).send(failure.clone()))))
    }
}

/// The attempts of a region that run in other workers, and where those are.
fn elsewhere(here: &[TaskDeployment], region: &[(AttemptId, SocketAddr)]) -> (Vec<AttemptId>, BTreeMap<SubtaskId, SocketAddr>) {
    let others = region.iter().filter(|(attempt, _)| here.iter().all(|deployment| deployment.attempt != *attempt));
    (others.clone().map(|(attempt, _)| *attempt).collect(), others.map(|(attempt, at)| (attempt.subtask, *at)).collect())
}

/// Lets tasks fail whose channels broke. When the other end's process is gone, the JobManager hears of it by itself, knows the better
/// reason, and cancels these tasks before.
fn fail_broken(broken: mpsc::Receiver<ChannelFailure>, mailboxes: Mailboxes) -> Result<(), Error> {
    let fail = move || {
        while let Ok(first) = broken.recv() {
            thread::sleep(BROKEN_CHANNEL_DELAY);
            // A lost connection breaks many at once.
            for failure in [first].into_iter().chain(broken.try_iter()) {
                mailboxes.send(failure.attempt, TaskCommand::Fail(failure.to_string()));
            }
        }
    };
    thread::Builder::new().name("flott-broken".to_owned()).spawn(fail).map(|_| ()).map_err(no_thread)
}

/// Ends the process; what was printed is not lost.
fn end(code: i32) -> ! {
    // There is nobody to tell an error to.
    let _ = std::io::stdout().flush();
    exit(code)
}

/// The TaskManager holds the other end of standard input: when it ends, however that may be, this process does too.
fn end_with_parent() -> Result<(), Error> {
    let watch = || {
        let mut rest = [0; 64];
        while std::io::stdin().read(&mut rest).is_ok_and(|read| read > 0) {}
        tracing::error!("the TaskManager is gone; the worker ends");
        end(LOST_JOB_MANAGER);
    };
    thread::Builder::new().name("flott-parent".to_owned()).spawn(watch).map(|_| ()).map_err(no_thread)
}

fn send_figures(link: Link<FromWorker>, figures: Figures) -> Result<(), Error> {
    let send = move || {
        loop {
            link.send(FromWorker::Figures(figures.read()));
            thread::sleep(FIGURES_INTERVAL);
        }
    };
    thread::Builder::new().name("flott-figures".to_owned()).spawn(send).map(|_| ()).map_err(no_thread)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reporter {
    link: Mutex<Link<FromWorker>>,
    figures: Figures,
}

impl TaskReporter for Reporter {
    fn report(&self, attempt: AttemptId, report: TaskReport) {
        let link = lock(&self.link);
        if let TaskReport::Finished { .. } | TaskReport::Canceled | TaskReport::Failed(_) = report {
            // With these the job may be over, and nobody would ask for the last figures.
            link.send(FromWorker::Figures(self.figures.read()));
        }
        link.send(FromWorker::Task(attempt, report));
    }
}
