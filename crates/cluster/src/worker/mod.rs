//! A worker: the process that runs tasks of one job for a TaskManager. It is the user's program, whose `execute` leads here.

mod log;
mod parent;
pub(crate) mod session;
#[cfg(feature = "stepped")]
pub(crate) mod stepped;

use crate::{
    background::BackgroundThreads,
    control::{ConnectionError, Incoming, find_leader},
    enumerators,
    exchange::{self, ChannelFailure, ExchangeSettings, NetworkExchange},
    launch::{directory, no_thread, random_u128, refuse_abort, root_paths},
    taps::Taps,
    tasks::{Figures, Mailboxes, Tasks},
    thread::SystemClock,
};
use flott_core::{
    Error, ErrorKind,
    error::OUTPUT_CLOSED,
    id::{AttemptId, JobId, SubtaskId},
    secret::Secret,
    time::{Clock, SharedClock},
};
use flott_graph::JobGraph;
use flott_jobmanager::JobEvent;
use flott_rpc::{
    control::{FromWorker, Role, ToWorker, WorkerInfo},
    gateway::{JobExecutor, JobGateway},
    tap::{WorkerAnswer, WorkerQuestion},
    task::{TaskCommand, TaskDeployment, TaskReport},
};
use flott_runtime::{Elsewhere, TaskEnv, TaskReporter};
use flott_security::Connector;
use flott_storage::{LocalCopies, StateFiles};
use parent::Parent;
use session::Session;
use std::{
    collections::BTreeMap,
    io::Write,
    net::{SocketAddr, ToSocketAddrs},
    panic::{AssertUnwindSafe, catch_unwind},
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

/// How long it may take to notice that the TaskManager is gone.
const CLOSED_OUTPUT_DELAY: Duration = Duration::from_secs(2);

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
    pub token: Secret,
    /// What it shows other processes.
    pub security: Connector,
    /// Whether it goes on without a JobManager until its TaskManager names the next one.
    pub survives: bool,
    /// Whether it waits until its TaskManager says which worker it is, and of which JobManager.
    pub standby: bool,
    /// Where copies of the job's state are kept on this machine; none are without.
    pub copies: Option<PathBuf>,
}

impl JobExecutor for WorkerExecutor {
    fn submit(&self, graph: JobGraph) -> Result<Arc<dyn JobGateway>, Error> {
        refuse_abort()?;
        self.run(graph)
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
        let parent = Parent::watch()?;
        let clock = SystemClock::default();
        let shared: SharedClock = Arc::new(clock);
        let (broken, broken_channels) = mpsc::channel();
        let exchange = self.exchange(&shared, broken)?;
        let session = Session::default();
        let graph = Arc::new(graph);
        let figures = Figures::new(clock);
        let mut storage: Arc<dyn StateFiles> = Arc::new(directory(&graph.settings)?.storage(self.job));
        if let Some(copies) = self.copies.as_ref().filter(|_| graph.settings.checkpoints.dir.is_some()) {
            storage = Arc::new(LocalCopies::new(storage, copies));
        }
        let env = TaskEnv {
            clock: shared.clone(),
            reporter: Arc::new(Reporter { session: session.clone(), figures: figures.clone() }),
            background: Arc::new(BackgroundThreads::start(2).map_err(no_thread)?),
            storage,
            seed: random_u128() as u64,
        };
        let of_enumerators = session.clone();
        let report = move |event: JobEvent| {
            if let JobEvent::Enumerator { vertex, after, report } = event {
                of_enumerators.say(FromWorker::Enumerator { vertex, after, report });
            }
        };
        let enumerators = enumerators::start(graph.clone(), shared, figures.unassigned(), report).map_err(no_thread)?;
        let topology = graph.topology();
        let tasks = Tasks::new(graph, env, clock, figures.clone());
        fail_broken(broken_channels, tasks.mailboxes())?;
        send_figures(session.clone(), figures, (tasks.taps(), clock))?;
        let (job, data_address) = (self.job, exchange.address());
        let mut serving = Serving { exchange, session, tasks, enumerators };
        let (worker, mut leader) = if self.standby { parent.begins() } else { (self.worker, self.job_manager.clone()) };
        let mut first = true;
        loop {
            let inventory = serving.session.begin(!first);
            let info = WorkerInfo { job, worker, data_address, topology: topology.clone(), inventory, answers: true };
            match find_leader(&leader, &self.security, &Role::Worker(info)) {
                Ok(found) => {
                    let stream = found.stream;
                    parent.serves(stream.try_clone().map_err(no_thread)?);
                    serving.session.connected(stream.try_clone().map_err(no_thread)?).map_err(no_thread)?;
                    let incoming = Incoming::new(stream, None).map_err(no_thread)?;
                    let error = serving.serve(incoming);
                    serving.session.disconnected();
                    if !self.survives {
                        // Nobody would hear of what tasks do from here on: another worker may do the same already.
                        // The TaskManager, which reads the log, may be gone too, and a logger may panic because of that.
                        let _ = catch_unwind(AssertUnwindSafe(|| tracing::error!(%error, "the JobManager is gone; the worker ends")));
                        end(LOST_JOB_MANAGER);
                    }
                    tracing::warn!(%error, "the JobManager is gone; tasks go on until another one leads");
                    leader = parent.next_leader();
                }
                Err(error) if first || error.kind() != ErrorKind::Unavailable => return Err(error),
                Err(error) => {
                    serving.session.disconnected();
                    tracing::warn!(%error, "the JobManager was not reached");
                    leader = parent.again(leader);
                }
            }
            first = false;
        }
    }
}

/// What a worker works with.
struct Serving {
    exchange: NetworkExchange,
    session: Session,
    tasks: Tasks,
    enumerators: mpsc::Sender<enumerators::Command>,
}

impl Serving {
    /// Does what the JobManager says until it is gone; returns why.
    fn serve(&mut self, mut incoming: Incoming<ToWorker>) -> ConnectionError {
        loop {
            let message = match incoming.next() {
                Ok(message) => message,
                Err(error) => return error,
            };
            self.session.told(&message);
            match message {
                ToWorker::Deploy { here, region } => {
                    let (attempts, peers) = elsewhere(&here, &region);
                    let channels = self.exchange.channels(&peers);
                    let elsewhere = Elsewhere { attempts: &attempts, channels: &channels };
                    for (attempt, reason) in self.tasks.deploy(here, Some(elsewhere)) {
                        self.exchange.forget(attempt);
                        self.session.say(FromWorker::TaskLost(attempt, reason));
                    }
                }
                ToWorker::Command(attempt, command) => self.tasks.send(attempt, command),
                ToWorker::Enumerator { vertex, number, command } => {
                    // The thread ends with this sender.
                    let _ = self.enumerators.send(enumerators::Command { vertex, number, command });
                }
                ToWorker::Ask(number, question) => {
                    let answer = match question {
                        WorkerQuestion::Tap(request) => WorkerAnswer::Tapped(self.tasks.tap(&request)),
                    };
                    self.session.say(FromWorker::Answer(number, answer));
                }
                ToWorker::Stop => {
                    tracing::info!("the job needs this worker no more");
                    end(0);
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
        let token = self.token.expose().as_bytes().to_vec();
        let settings =
            ExchangeSettings { transport: exchange::transport(&self.security)?, ..ExchangeSettings::new(self.job, token, listen) };
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

/// Sends figures every now and then. Taps that nobody asks for are closed meanwhile, also those of tasks that have nothing to do.
fn send_figures(session: Session, figures: Figures, (taps, clock): (Taps, SystemClock)) -> Result<(), Error> {
    let send = move || {
        loop {
            taps.expire(clock.monotonic());
            session.say(FromWorker::Figures(figures.read()));
            thread::sleep(FIGURES_INTERVAL);
        }
    };
    thread::Builder::new().name("flott-figures".to_owned()).spawn(send).map(|_| ()).map_err(no_thread)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reporter {
    session: Session,
    figures: Figures,
}

impl TaskReporter for Reporter {
    fn report(&self, attempt: AttemptId, report: TaskReport) {
        if let TaskReport::Finished { .. } | TaskReport::Canceled | TaskReport::Failed(_) = report {
            if let TaskReport::Failed(failure) = &report
                && failure.causes.iter().any(|cause| cause.contains(OUTPUT_CLOSED))
            {
                // Most likely the TaskManager is gone, which reads it. Then this process ends before it says so, and no task is to blame.
                thread::sleep(CLOSED_OUTPUT_DELAY);
            }
            // With these the job may be over, and nobody would ask for the last figures.
            self.session.say(FromWorker::Figures(self.figures.read()));
        }
        self.session.say(FromWorker::Task(attempt, report));
    }
}
