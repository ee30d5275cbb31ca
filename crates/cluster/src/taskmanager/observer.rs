//! What a TaskManager lets people see: figures, log files, threads, stacks of tasks. A thread of its own answers, so that nobody else
//! waits for a disk.

use super::workers::Processes;
use crate::{
    control::Link,
    launch::no_thread,
    logs::LogFolder,
    process::{ProcessWatch, threads},
    rolling::RollingFile,
};
use flott_core::Error;
use flott_rpc::{
    control::FromTaskManager,
    observe::{Answer, MOST_LOG_BYTES, OptionValue, Question, SampleRequest, StackSamples, ThreadInfo},
};
use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// How often figures are sent.
const FIGURES_INTERVAL: Duration = Duration::from_secs(1);

/// Looks where the threads of a process are.
pub trait StackSampler: Send + Sync {
    /// Takes the samples that are asked for of `process`, a child of this one. Blocks meanwhile.
    fn sample(&self, process: u32, request: &SampleRequest) -> StackSamples;
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
        let answering = Answering { link, workers, visible, watch: ProcessWatch::default(), sampling: Arc::default() };
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
    sampling: Arc<AtomicBool>,
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
            Question::Threads => of(self.threads().map(Answer::Threads)),
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

    fn threads(&self) -> io::Result<Vec<ThreadInfo>> {
        let named = |(name, text)| ThreadInfo { text: format!("\"{name}\" {text}"), name };
        let mut all: Vec<ThreadInfo> = threads(std::process::id())?.into_iter().map(named).collect();
        for (job, worker, process) in self.workers.list() {
            // One that has just ended has no threads.
            let of_worker = threads(process).unwrap_or_default().into_iter();
            all.extend(of_worker.map(|(name, text)| ThreadInfo { text: format!("\"{name}\" worker {worker} of job {job}: {text}"), name }));
        }
        Ok(all)
    }

    /// Takes samples on a thread of their own, which answers.
    fn sample(&self, number: u64, request: SampleRequest) -> Result<(), String> {
        let sampler = self.visible.sampler.clone().ok_or("this TaskManager cannot look into its workers")?;
        let found = self.workers.list().into_iter().find(|(job, worker, _)| (*job, *worker) == (request.job, request.worker));
        let (_, _, process) = found.ok_or_else(|| format!("worker {} of job {} does not run here", request.worker, request.job))?;
        if self.sampling.swap(true, Ordering::Acquire) {
            return Err("samples are being taken already: try again later".to_owned());
        }
        let (link, sampling) = (self.link.clone(), self.sampling.clone());
        let run = move || {
            // What is looked at is a program of users: nothing that is found there may end this process.
            let samples = flott_runtime::panics::catching(|| sampler.sample(process, &request));
            sampling.store(false, Ordering::Release);
            let answer = samples.map_or_else(|panic| Answer::Failed(format!("the sampler panicked: {}", panic.message)), Answer::Samples);
            link.send(FromTaskManager::Answer(number, answer));
        };
        thread::Builder::new().name("flott-sampler".to_owned()).spawn(run).map(|_| ()).map_err(|error| {
            self.sampling.store(false, Ordering::Release);
            format!("cannot start a thread: {error}")
        })
    }
}

fn of(result: io::Result<Answer>) -> Answer {
    result.unwrap_or_else(|error| Answer::Failed(error.to_string()))
}
