//! What a TaskManager lets people see: figures, log files, threads, stacks of tasks. A thread of its own answers, so that nobody else
//! waits for a disk.

use super::workers::Processes;
use crate::{control::Link, launch::no_thread, logs::LogFolder, process::ProcessWatch, rolling::RollingFile, threads::threads};
use flott_core::Error;
use flott_rpc::{
    control::FromTaskManager,
    observe::{Answer, MOST_LOG_BYTES, OptionValue, Question, SampleRequest, StackSamples, ThreadInfo, ThreadStack},
};
use std::{
    fmt, io,
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// How often figures are sent.
const FIGURES_INTERVAL: Duration = Duration::from_secs(1);

/// Looks where the threads of a process are.
pub trait StackSampler: Send + Sync {
    /// Takes the samples that are asked for of `process`, a child of this one. Blocks meanwhile.
    fn sample(&self, process: u32, request: &SampleRequest) -> StackSamples;

    /// Looks once at `threads` of `process`, which is this one or a child of it. Blocks meanwhile.
    fn stacks(&self, process: u32, threads: &[u32]) -> Vec<ThreadStack>;
}

/// What of a TaskManager can be seen.
#[derive(Clone, Default)]
pub struct Visible {
    /// Where its files are; `None`: it has none.
    pub logs: Option<Arc<LogFolder>>,
    /// What its workers log and what they print; `None`: they share its own standard output and error.
    pub output: Option<WorkerOutput>,
    /// Takes stacks; `None`: there are none.
    pub sampler: Option<Arc<dyn StackSampler>>,
    /// What it was started with, without secrets.
    pub configuration: Vec<OptionValue>,
}

/// Where what workers write goes to.
#[derive(Debug, Clone)]
pub struct WorkerOutput {
    /// What they log.
    pub log: RollingFile,
    /// What they print.
    pub out: RollingFile,
}

impl fmt::Debug for Visible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visible").field("logs", &self.logs).field("sampler", &self.sampler.is_some()).finish_non_exhaustive()
    }
}

/// Answers questions, and sends figures every now and then. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Observer {
    questions: mpsc::Sender<(u64, Question)>,
}

impl Observer {
    pub(super) fn start(link: Link<FromTaskManager>, workers: Processes, visible: Visible) -> Result<Self, Error> {
        let (questions, asked) = mpsc::channel();
        let (watch, sampling, dumps) = (ProcessWatch::default(), Arc::default(), Arc::default());
        let answering = Answering { link, workers, visible, watch, sampling, dumps };
        let run = move || answering.run(&asked);
        thread::Builder::new().name("flott-observer".to_owned()).spawn(run).map(|_| Observer { questions }).map_err(no_thread)
    }

    /// Answers `question` soon.
    pub(super) fn ask(&self, number: u64, question: Question) {
        // The thread ends with this sender alone.
        let _ = self.questions.send((number, question));
    }
}

struct Answering {
    link: Link<FromTaskManager>,
    workers: Processes,
    visible: Visible,
    watch: ProcessWatch,
    /// Whether somebody looks into workers: a thread can be stopped by one alone.
    sampling: Arc<Looking>,
    /// The questions that the dump of threads under way answers; empty: there is none.
    dumps: Arc<Mutex<Vec<u64>>>,
}

/// Who looks into workers. Samples are refused while others are taken, a dump waits for its turn.
#[derive(Default)]
struct Looking(Mutex<bool>, Condvar);

impl Looking {
    fn try_begin(&self) -> bool {
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !std::mem::replace(&mut *busy, true)
    }

    fn begin(&self) {
        let busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *self.1.wait_while(busy, |busy| *busy).unwrap_or_else(PoisonError::into_inner) = true;
    }

    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.1.notify_one();
    }
}

impl Answering {
    fn run(&self, asked: &mpsc::Receiver<(u64, Question)>) {
        let mut next = std::time::Instant::now();
        loop {
            match asked.recv_timeout(next.saturating_duration_since(std::time::Instant::now())) {
                Ok((number, question)) => self.answer(number, question),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    let processes: Vec<u32> = self.workers.list().iter().map(|(_, _, process)| *process).collect();
                    self.link.send(FromTaskManager::Figures(self.watch.read(&processes)));
                    next = std::time::Instant::now() + FIGURES_INTERVAL;
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn answer(&self, number: u64, question: Question) {
        let answer = match question {
            Question::Logs => of(self.visible.logs.as_ref().map_or(Ok(Vec::new()), |logs| logs.list()).map(Answer::Logs)),
            Question::ReadLog { name, offset, length } => self.read_log(&name, offset, length),
            Question::Configuration => Answer::Configuration(self.visible.configuration.clone()),
            Question::Threads => match self.threads(number) {
                Ok(()) => return,
                Err(reason) => Answer::Failed(reason),
            },
            Question::Sample(request) => match self.sample(number, request) {
                Ok(()) => return,
                Err(reason) => Answer::Failed(reason),
            },
        };
        self.link.send(FromTaskManager::Answer(number, answer));
    }

    fn read_log(&self, name: &str, offset: u64, length: u32) -> Answer {
        let length = length.min(MOST_LOG_BYTES) as usize;
        match self.visible.logs.as_ref().map_or(Ok(None), |logs| logs.read(name, offset, length)) {
            Ok(Some(bytes)) => Answer::Log(bytes),
            Ok(None) => Answer::Missing(format!("there is no log file `{name}`")),
            Err(error) => Answer::Failed(format!("cannot read `{name}`: {error}")),
        }
    }

    /// Looks at all threads on a thread of its own, which answers everybody who has asked meanwhile.
    fn threads(&self, number: u64) -> Result<(), String> {
        let mut asked = self.dumps.lock().unwrap_or_else(PoisonError::into_inner);
        asked.push(number);
        if asked.len() > 1 {
            return Ok(());
        }
        let (link, looking, dumps) = (self.link.clone(), self.sampling.clone(), self.dumps.clone());
        let (workers, sampler) = (self.workers.clone(), self.visible.sampler.clone());
        let run = move || {
            looking.begin();
            let dump = flott_runtime::panics::catching(|| dump(&workers, sampler.as_deref()));
            looking.end();
            let answer = match dump {
                Ok(Ok(threads)) => Answer::Threads(threads),
                Ok(Err(error)) => Answer::Failed(error.to_string()),
                Err(panic) => Answer::Failed(format!("the sampler panicked: {}", panic.message)),
            };
            for number in std::mem::take(&mut *dumps.lock().unwrap_or_else(PoisonError::into_inner)) {
                link.send(FromTaskManager::Answer(number, answer.clone()));
            }
        };
        thread::Builder::new().name("flott-dump".to_owned()).spawn(run).map(|_| ()).map_err(|error| {
            asked.clear();
            format!("cannot start a thread: {error}")
        })
    }

    /// Takes samples on a thread of their own, which answers.
    fn sample(&self, number: u64, request: SampleRequest) -> Result<(), String> {
        let sampler = self.visible.sampler.clone().ok_or("this TaskManager cannot look into its workers")?;
        let found = self.workers.list().into_iter().find(|(job, worker, _)| (*job, *worker) == (request.job, request.worker));
        let (_, _, process) = found.ok_or_else(|| format!("worker {} of job {} does not run here", request.worker, request.job))?;
        if !self.sampling.try_begin() {
            return Err("samples are being taken already: try again later".to_owned());
        }
        let (link, sampling) = (self.link.clone(), self.sampling.clone());
        let run = move || {
            // What is looked at is a program of users: nothing that is found there may end this process.
            let samples = flott_runtime::panics::catching(|| sampler.sample(process, &request));
            sampling.end();
            let answer = samples.map_or_else(|panic| Answer::Failed(format!("the sampler panicked: {}", panic.message)), Answer::Samples);
            link.send(FromTaskManager::Answer(number, answer));
        };
        thread::Builder::new().name("flott-sampler".to_owned()).spawn(run).map(|_| ()).map_err(|error| {
            self.sampling.end();
            format!("cannot start a thread: {error}")
        })
    }
}

/// The threads of this process and of its workers.
fn dump(workers: &Processes, sampler: Option<&dyn StackSampler>) -> io::Result<Vec<ThreadInfo>> {
    let stacks = |process: u32| move |threads: &[u32]| sampler.map(|sampler| sampler.stacks(process, threads)).unwrap_or_default();
    let own = std::process::id();
    let mut all = threads(own, stacks(own))?;
    for (job, worker, process) in workers.list() {
        // One that has just ended has no threads.
        let of_worker = threads(process, stacks(process)).unwrap_or_default().into_iter();
        all.extend(of_worker.map(|thread| {
            let (first, stack) = thread.text.split_once('\n').unwrap_or((&thread.text, ""));
            ThreadInfo { text: format!("{first}, worker {worker} of job {job}\n{stack}"), worker: Some((job, worker)), ..thread }
        }));
    }
    Ok(all)
}

fn of(result: io::Result<Answer>) -> Answer {
    result.unwrap_or_else(|error| Answer::Failed(error.to_string()))
}
