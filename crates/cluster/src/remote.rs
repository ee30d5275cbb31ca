//! Jobs on a cluster in other processes, as the program that submits them sees them.

use crate::{
    control::{answered, ask, ask_once, ask_within, exchange, find_leader, receive_reply, send_request},
    executables,
    launch::{random_u128, refuse_abort, root_paths},
};
use flott_core::{
    Error, ErrorKind,
    config::Configuration,
    id::{JobId, OperatorId},
};
use flott_graph::JobGraph;
use flott_rpc::{
    client::{JobOutcome, JobOverview, JobReply, JobRequest, OperatorReply},
    control::{ClientReply, ClientRequest, ExecutableId, JobSubmission, JobSummary, Program, Role},
    gateway::{JobExecutor, JobGateway, ResultsBy, TaskFigures},
    status::JobStatus,
};
use flott_security::{Connector, Stream};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long another JobManager may take to take over before whoever asks gives up.
const TAKEOVER: Duration = Duration::from_secs(30);
/// The pause before it is asked again.
const RETRY: Duration = Duration::from_millis(100);

/// How long one of several JobManagers may take to answer a question to an operator, for which it waits 2 s itself: it may have hung, or
/// its host may be gone, and another leads.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the only one may: there is nobody else to ask.
const ANSWER_OF_ONE: Duration = Duration::from_secs(30);

/// Bytes of an executable that are sent at once.
const CHUNK_BYTES: usize = 256 << 10;
/// How many of them may be unanswered.
const CHUNKS_UNDER_WAY: usize = 8;

/// Whether this program has submitted a job.
static EXECUTED: AtomicBool = AtomicBool::new(false);

/// Asks a JobManager, with a connection for each question.
#[derive(Debug, Clone)]
pub struct JobManagerClient {
    address: String,
    security: Connector,
}

fn of_operator(reply: ClientReply) -> Result<OperatorReply, Error> {
    match reply {
        ClientReply::Operator(reply) => Ok(reply),
        other => Err(unexpected(&other)),
    }
}

/// A request in words, after `whether the job`.
fn name_of(request: &JobRequest) -> &'static str {
    match request {
        JobRequest::TriggerCheckpoint => "has taken the checkpoint",
        JobRequest::TriggerSavepoint { .. } => "has taken the savepoint",
        JobRequest::StopWithSavepoint { .. } => "stops with the savepoint",
        JobRequest::Cancel => "is cancelled",
        JobRequest::Rescale(_) | JobRequest::RescaleTo { .. } => "takes another parallelism",
    }
}

fn unexpected(reply: &ClientReply) -> Error {
    Error::new(ErrorKind::Internal, format!("the JobManager answered something else than was asked: {reply:?}"))
}

impl JobManagerClient {
    /// For the JobManager at `address`, `host:port`, or for the one that leads of several, separated by commas. It is looked for with the
    /// first question.
    pub fn new(address: impl Into<String>) -> Self {
        JobManagerClient { address: address.into(), security: Connector::open() }
    }

    /// Connects as `security` does.
    #[must_use]
    pub fn with_security(self, security: Connector) -> Self {
        JobManagerClient { security, ..self }
    }

    /// A number for a job that is to be submitted.
    pub fn new_job() -> JobId {
        JobId(random_u128())
    }

    /// Whether several JobManagers may lead.
    fn has_several(&self) -> bool {
        self.address.contains(',')
    }

    fn ask(&self, request: &ClientRequest) -> Result<ClientReply, Error> {
        ask_once(&self.address, &self.security, request)
    }

    /// Asks something that changes nothing. While another JobManager takes over, it is asked again.
    fn look(&self, request: &ClientRequest) -> Result<ClientReply, Error> {
        self.look_with(|stream| ask(&stream, request))
    }

    /// As [`JobManagerClient::look`]; `ask` does it on the connection that it is given.
    fn look_with<R>(&self, mut ask: impl FnMut(Stream) -> Result<R, Error>) -> Result<R, Error> {
        let mut nobody_since = Instant::now();
        loop {
            let answer = find_leader(&self.address, &self.security, &Role::Client).and_then(|leader| {
                let answer = ask(leader.stream);
                // However often leaders change: as long as there are some, the question is worth asking.
                nobody_since = Instant::now();
                answer
            });
            match answer {
                Err(error) if error.kind() == ErrorKind::Unavailable && self.has_several() => {
                    if nobody_since.elapsed() > TAKEOVER {
                        return Err(error);
                    }
                    thread::sleep(RETRY);
                }
                other => return other,
            }
        }
    }

    /// Submits a job, which has the number `job`. If the JobManager is lost meanwhile, the next one is asked for the job, and given it if
    /// it does not have it.
    fn submit(&self, job: JobId, submission: JobSubmission) -> Result<(), Error> {
        let request = ClientRequest::Submit(Box::new(submission));
        let mut lost_since: Option<Instant> = None;
        loop {
            let is_there = || Ok(lost_since.is_some() && self.jobs()?.iter().any(|known| known.id == job));
            let submitted = match is_there() {
                Ok(true) => return Ok(()),
                Ok(false) => self.ask(&request),
                Err(error) => Err(error),
            };
            match submitted {
                Ok(ClientReply::Submitted(_)) => return Ok(()),
                Ok(other) => return Err(unexpected(&other)),
                Err(error) if error.kind() == ErrorKind::Unavailable && self.has_several() => {
                    if lost_since.get_or_insert_with(Instant::now).elapsed() > TAKEOVER {
                        return Err(error);
                    }
                    thread::sleep(RETRY);
                }
                // The leader that was lost to this program may still lead, and have it under way.
                Err(_) if lost_since.is_some() && self.overview(job).is_ok() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// All jobs, the newest last.
    ///
    /// # Errors
    /// Nobody answers.
    pub fn jobs(&self) -> Result<Vec<JobSummary>, Error> {
        match self.look(&ClientRequest::ListJobs)? {
            ClientReply::Jobs(jobs) => Ok(jobs),
            other => Err(unexpected(&other)),
        }
    }

    /// A job as it stands.
    ///
    /// # Errors
    /// There is none of this number, or nobody answers.
    pub fn overview(&self, job: JobId) -> Result<JobOverview, Error> {
        match self.look(&ClientRequest::Overview(job))? {
            ClientReply::Overview(overview) => Ok(*overview),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks something of a job and waits for the answer. While no JobManager leads, it waits for one. If the leader is lost before it has
    /// answered, a cancellation is asked for again, and of a stop with savepoint the next leader tells what became of it.
    ///
    /// # Errors
    /// There is none of this number, it has ended, nobody answers, or the JobManager was lost, so that the outcome is not known.
    pub fn request(&self, job: JobId, request: JobRequest) -> Result<JobReply, Error> {
        let asked = ClientRequest::Job(job, request.clone());
        let mut lost_since: Option<Instant> = None;
        loop {
            // What an error of the connection means is looked at below: then the request may have been heard.
            let answer = self.look_with(|stream| Ok(exchange(&stream, &asked)))?;
            let (lost, reason) = match answer {
                Ok(ClientReply::Job(reply)) => return Ok(reply),
                Ok(ClientReply::Failed(ErrorKind::Unavailable, reason)) if self.has_several() => (false, reason),
                Ok(other) => return Err(answered(other).map_or_else(|error| error, |other| unexpected(&other))),
                Err(error) if error.kind() == ErrorKind::Unavailable => (true, error.to_string()),
                Err(error) => return Err(error),
            };
            let unknown = || {
                let text = format!(
                    "nobody knows whether job {job} {}: {reason}; `flott list -a` shows the job, and if nothing has come of it, ask again",
                    name_of(&request)
                );
                Error::new(ErrorKind::Unavailable, if lost { text } else { reason.clone() })
            };
            match request {
                JobRequest::Cancel if self.has_several() => {
                    match self.overview(job)?.status {
                        // Whoever has done it: it is what was asked for.
                        JobStatus::Canceled => return Ok(JobReply::Accepted),
                        status if status.is_terminal() => {
                            return Err(Error::new(ErrorKind::Unavailable, format!("job {job} has ended: {status}")));
                        }
                        _ if lost_since.get_or_insert_with(Instant::now).elapsed() > TAKEOVER => return Err(unknown()),
                        _ => {}
                    }
                    thread::sleep(RETRY);
                }
                JobRequest::StopWithSavepoint { .. } if self.has_several() => return self.outcome_of_stop(job, &reason),
                _ => return Err(unknown()),
            }
        }
    }

    /// What became of a stop with savepoint whose answer was lost.
    fn outcome_of_stop(&self, job: JobId, lost: &str) -> Result<JobReply, Error> {
        loop {
            let JobOverview { status, stopped, .. } = self.overview(job)?;
            let failed = |text: String| Err(Error::new(ErrorKind::Unavailable, text));
            match (status, stopped) {
                (JobStatus::Finished, Some(taken)) => return Ok(JobReply::Snapshot(taken)),
                (status, Some(taken)) if status.is_terminal() => {
                    let (checkpoint, location) = (taken.checkpoint, taken.location);
                    return failed(format!(
                        "job {job} has ended, but not by the stop: {status}; savepoint {checkpoint} in `{location}` is complete, and what it \
                         contains may not be committed yet"
                    ));
                }
                (status, None) if status.is_terminal() => return failed(format!("job {job} has ended: {status}")),
                (JobStatus::Created | JobStatus::Reconciling, _) | (_, Some(_)) => thread::sleep(RETRY),
                (status, None) => {
                    return failed(format!(
                        "job {job} goes on ({status}): no savepoint with which it stops is complete, since its JobManager was lost: {lost}; if \
                         `flott list` still shows it in a moment, ask again"
                    ));
                }
            }
        }
    }

    /// Removes a savepoint that the JobManager knows.
    ///
    /// # Errors
    /// It knows none there, a job needs it, or nobody answers.
    pub fn dispose_savepoint(&self, path: &str) -> Result<(), Error> {
        match self.ask(&ClientRequest::DisposeSavepoint(path.to_owned()))? {
            ClientReply::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Waits for the end of a job.
    ///
    /// # Errors
    /// There is none of this number, or the JobManager is gone.
    pub fn wait(&self, job: JobId) -> Result<JobOutcome, Error> {
        match self.look(&ClientRequest::Wait(job))? {
            ClientReply::Ended(outcome) => Ok(*outcome),
            other => Err(unexpected(&other)),
        }
    }

    fn figures(&self, job: JobId) -> Result<Vec<TaskFigures>, Error> {
        match self.look(&ClientRequest::Figures(job))? {
            ClientReply::Figures(figures) => Ok(figures),
            other => Err(unexpected(&other)),
        }
    }

    /// Brings an executable to the JobManager, unless it has it.
    ///
    /// # Errors
    /// It cannot be read, or nobody answers.
    pub fn bring(&self, path: &Path) -> Result<ExecutableId, Error> {
        let unreadable = |error: io::Error| {
            Error::new(ErrorKind::Unavailable, format!("cannot read the program `{}`", path.display())).with_source(error)
        };
        let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
        if bytes > executables::MOST_BYTES {
            let (path, most) = (path.display(), executables::MOST_BYTES);
            return Err(Error::invalid(format!(
                "`{path}` has {bytes} bytes, more than the {most} that a cluster takes: strip it (`strip = true`)"
            )));
        }
        let id = executables::digest(path)?;
        self.look_with(|stream| bring_to(&stream, &id, File::open(path).map_err(unreadable)?, unreadable))?;
        Ok(id)
    }
}

/// Brings an executable to a JobManager, unless it has it. Some parts are under way at once: while the JobManager writes one, the next is
/// read.
fn bring_to(stream: &Stream, id: &ExecutableId, mut file: File, unreadable: impl Fn(io::Error) -> Error) -> Result<(), Error> {
    match ask(stream, &ClientRequest::HasExecutable(id.clone()))? {
        ClientReply::Is(true) => return Ok(()),
        ClientReply::Is(false) => {}
        other => return Err(unexpected(&other)),
    }
    let (mut unanswered, mut last) = (0, false);
    while !last || unanswered > 0 {
        if last || unanswered == CHUNKS_UNDER_WAY {
            match answered(receive_reply(stream)?)? {
                ClientReply::Done => unanswered -= 1,
                other => return Err(unexpected(&other)),
            }
            continue;
        }
        let mut bytes = Vec::with_capacity(CHUNK_BYTES);
        (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut bytes).map_err(&unreadable)?;
        last = bytes.is_empty();
        send_request(stream, &ClientRequest::PutExecutable(id.clone(), bytes))?;
        unanswered += 1;
    }
    Ok(())
}

/// Submits jobs to a cluster: this program is their client.
#[derive(Debug, Clone)]
pub struct RemoteCluster {
    client: JobManagerClient,
    executable: ExecutableId,
    configuration: Configuration,
    detached: bool,
    job: Option<JobId>,
}

impl RemoteCluster {
    /// For the JobManager at `job_manager`, `host:port`, which has this program as `executable`. Workers are started with
    /// `configuration`. If `detached`, the program ends when its job is submitted. Its job gets the number `job`.
    pub fn new(
        job_manager: impl Into<String>,
        executable: ExecutableId,
        configuration: Configuration,
        detached: bool,
        job: Option<JobId>,
    ) -> Self {
        RemoteCluster { client: JobManagerClient::new(job_manager), executable, configuration, detached, job }
    }

    /// Connects as `security` does.
    #[must_use]
    pub fn with_security(self, security: Connector) -> Self {
        RemoteCluster { client: self.client.with_security(security), ..self }
    }
}

impl JobExecutor for RemoteCluster {
    fn submit(&self, mut graph: JobGraph) -> Result<Arc<dyn JobGateway>, Error> {
        refuse_abort()?;
        if EXECUTED.swap(true, Ordering::Relaxed) {
            return Err(Error::invalid(
                "a program can execute one job on a cluster: its workers run `main` up to the first `execute`, and would run the first job \
                 again; start the program once for each job, for example with an argument that says which",
            ));
        }
        let no_folder = |error| Error::new(ErrorKind::Unavailable, "this program's working folder is gone").with_source(error);
        let program = Program {
            executable: self.executable.clone(),
            arguments: std::env::args().skip(1).collect(),
            // The token of whoever submits is not the job's.
            configuration: self.configuration.of_job(),
            folder: std::env::current_dir().map_err(no_folder)?,
        };
        root_paths(&mut graph.settings, &program.folder);
        // Its number is chosen here, so that it is known again if the answer is lost.
        let job = self.job.unwrap_or_else(JobManagerClient::new_job);
        let submission = JobSubmission { job: Some(job), program, topology: graph.topology(), settings: graph.settings };
        self.client.submit(job, submission)?;
        let submitted = format!("Job has been submitted with JobID {job}");
        if self.detached {
            // Scripts take the number from there. Whether anybody reads it does not matter to the job.
            let mut out = std::io::stdout().lock();
            let _ = writeln!(out, "{submitted}").and_then(|()| out.flush());
            std::process::exit(0);
        }
        // What the program prints from here on are results, with which nothing else is to be mixed.
        eprintln!("{submitted}");
        Ok(Arc::new(RemoteJob { client: self.client.clone(), job, asking: Mutex::default() }))
    }

    fn results(&self) -> ResultsBy {
        match self.detached {
            true => ResultsBy::Nothing(
                "`execute_and_collect` waits for results, and this program was started to submit its job alone (`-d`, or by REST): run it \
                 without `-d`, or end the stream in a sink",
            ),
            false => ResultsBy::Fetching,
        }
    }
}

/// A job on a cluster.
struct RemoteJob {
    client: JobManagerClient,
    job: JobId,
    /// The connection for questions to operators, which come often.
    asking: Mutex<Option<Stream>>,
}

impl JobGateway for RemoteJob {
    fn id(&self) -> JobId {
        self.job
    }

    fn overview(&self) -> Result<JobOverview, Error> {
        self.client.overview(self.job)
    }

    fn request(&self, request: JobRequest) -> Result<JobReply, Error> {
        self.client.request(self.job, request)
    }

    fn wait(&self) -> Result<JobOutcome, Error> {
        self.client.wait(self.job)
    }

    fn figures(&self) -> Result<Vec<TaskFigures>, Error> {
        self.client.figures(self.job)
    }

    fn ask_operator(&self, operator: OperatorId, body: Vec<u8>) -> Result<OperatorReply, Error> {
        let request = ClientRequest::AskOperator(self.job, operator, body);
        let limit = if self.client.has_several() { ANSWER } else { ANSWER_OF_ONE };
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(stream) = asking.take()
            && let Ok(reply) = ask_within(limit, &stream, &request)
        {
            *asking = Some(stream);
            return of_operator(reply);
        }
        // The connection is the first, or it broke, or nothing comes from there any more, or another JobManager leads: whoever asks is told
        // what the next one says.
        let (stream, reply) = self.client.look_with(|stream| ask_within(limit, &stream, &request).map(|reply| (stream, reply)))?;
        *asking = Some(stream);
        of_operator(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{receive, send};
    use flott_rpc::{
        client::SnapshotTaken,
        control::{Hello, Welcome},
    };
    use std::net::{TcpListener, TcpStream};

    const JOB: JobId = JobId(7);

    /// A JobManager that leads: on each of its connections it takes a request, and answers as it is told, or not.
    fn job_manager(answers: Vec<Option<ClientReply>>) -> (String, thread::JoinHandle<Vec<ClientRequest>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = move |answer: Option<ClientReply>| {
            let (stream, _): (TcpStream, _) = listener.accept().unwrap();
            receive::<Hello>(&stream).unwrap();
            send(&stream, &Welcome::Accepted).unwrap();
            let request = receive(&stream).unwrap();
            answer.into_iter().for_each(|answer| send(&stream, &answer).unwrap());
            request
        };
        (address, thread::spawn(move || answers.into_iter().map(serve).collect()))
    }

    fn overview(status: JobStatus, stopped: Option<SnapshotTaken>) -> Option<ClientReply> {
        Some(ClientReply::Overview(Box::new(JobOverview {
            id: JOB,
            name: String::new(),
            status,
            tasks: Vec::new(),
            checkpoints: Default::default(),
            restarts: 0,
            failures: Vec::new(),
            requirements: Vec::new(),
            slots_wanted: 0,
            rescales: Vec::new(),
            rescale_totals: Default::default(),
            stopped,
        })))
    }

    /// What `request` leads to, if there are two addresses for one who answers so.
    fn ask(request: JobRequest, answers: Vec<Option<ClientReply>>) -> Result<JobReply, String> {
        let (address, served) = job_manager(answers);
        let reply = JobManagerClient::new(format!("{address},{address}")).request(JOB, request);
        served.join().unwrap();
        reply.map_err(|error| error.to_string())
    }

    const STOP: JobRequest = JobRequest::StopWithSavepoint { directory: None, drain: false };

    #[test]
    fn who_stops_a_job_learns_from_the_next_leader_where_the_savepoint_is() {
        let taken = SnapshotTaken { checkpoint: flott_core::id::CheckpointId(3), location: "/sp/savepoint-3".into() };
        let answers = vec![
            None,
            overview(JobStatus::Reconciling, None),
            overview(JobStatus::Running, Some(taken.clone())),
            overview(JobStatus::Finished, Some(taken.clone())),
        ];
        assert_eq!(ask(STOP, answers), Ok(JobReply::Snapshot(taken.clone())));
        let error = ask(STOP, vec![None, overview(JobStatus::Running, None)]).unwrap_err();
        assert!(error.contains(&JOB.to_string()) && error.contains("goes on (RUNNING)") && error.contains("flott list"), "{error}");
        let error = ask(STOP, vec![None, overview(JobStatus::Canceled, Some(taken))]).unwrap_err();
        assert!(error.contains("not by the stop") && error.contains("/sp/savepoint-3"), "{error}");
    }

    #[test]
    fn a_cancellation_whose_answer_was_lost_is_asked_for_again() {
        let accepted = || Some(ClientReply::Job(JobReply::Accepted));
        assert_eq!(ask(JobRequest::Cancel, vec![None, overview(JobStatus::Running, None), accepted()]), Ok(JobReply::Accepted));
        assert_eq!(ask(JobRequest::Cancel, vec![None, overview(JobStatus::Canceled, None)]), Ok(JobReply::Accepted));
        let error = ask(JobRequest::Cancel, vec![None, overview(JobStatus::Finished, None)]).unwrap_err();
        assert!(error.contains("has ended: FINISHED"), "{error}");
    }

    #[test]
    fn an_error_says_of_which_job_nobody_knows_what_was_done_and_how_to_find_out() {
        for request in [JobRequest::TriggerCheckpoint, JobRequest::TriggerSavepoint { directory: None }] {
            let error = ask(request, vec![None]).unwrap_err();
            assert!(error.contains("nobody knows") && error.contains(&JOB.to_string()) && error.contains("`flott list -a`"), "{error}");
        }
        // What the JobManager says itself is known.
        let ended = || Some(ClientReply::Failed(ErrorKind::Unavailable, "it has ended".into()));
        assert_eq!(ask(JobRequest::TriggerCheckpoint, vec![ended()]).unwrap_err(), "it has ended");
    }
}
