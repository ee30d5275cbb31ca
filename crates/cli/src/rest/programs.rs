//! Runs uploaded programs in short-lived processes of their own: to learn their graph, or as clients that submit their job.

use flott_cluster::{JobManager, JobManagerClient, check_start};
use flott_core::{
    config::{ConfigError, Configuration, Origin, options},
    id::JobId,
};
use flott_executable::Machine;
use flott_graph::{JobTopology, VertexTopology};
use flott_rpc::{
    control::{ExecutableId, ORIGINS_VARIABLE, PART_VARIABLE, Part},
    handover::Handover,
};
use flott_security::{Caller, Issued, Role};
use flott_web::{ClusterError, Result, model};
use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How long a program may take to come to its `execute`.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to end when it has submitted its job, which it does by itself, before it is answered for without its end.
const TIME_TO_END: Duration = Duration::from_secs(1);
/// How much of the end of what a program prints is kept, bytes: a plan is one line.
const MOST_OUTPUT: usize = 16 << 20;

/// How many of the last lines of what it says tell why it failed.
const MOST_LINES: usize = 20;

/// The graph of a program.
pub(super) fn plan(manager: &JobManager, executable: &ExecutableId, request: &model::RunRequest) -> Result<model::Plan> {
    let finished = begin(manager, executable, request, &Part::Graph, None)?.wait(|| Submission::Not)?;
    let finished =
        finished.ok_or_else(|| ClusterError::Failed("the program has submitted a job where it was asked for its graph".to_owned()))?;
    let line = finished.out.lines().last().unwrap_or_default();
    let topology: JobTopology = serde_json::from_str(line).map_err(|_| finished.no_job())?;
    if let Some(path) = restored_path(request) {
        let folder = std::env::current_dir().map_err(|error| ClusterError::Failed(error.to_string()))?;
        let refused = |error| ClusterError::BadRequest(format!("it cannot start from `{path}`: {error}"));
        check_start(path, &folder, topology.clone(), lets_state_go(request)).map_err(refused)?;
    }
    let batch = topology.mode == flott_core::context::RuntimeMode::Batch;
    let vertices = topology.vertices.iter().map(|vertex| vertex_of(&topology, vertex)).collect();
    Ok(model::Plan { job: request.job.unwrap_or(JobId(0)), name: topology.name, batch, vertices })
}

/// What the job is to start from.
fn restored_path(request: &model::RunRequest) -> Option<&str> {
    let configured = || request.configuration.get(options::STATE_RECOVERY_PATH.key());
    request.savepoint.as_ref().or_else(configured).map(|path| path.trim()).filter(|path| !path.is_empty())
}

/// Whether state that no operator takes may be left out.
fn lets_state_go(request: &model::RunRequest) -> bool {
    let configured = request.configuration.get(options::STATE_RECOVERY_IGNORE_UNCLAIMED_STATE.key());
    request.allow_non_restored_state || configured.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// Runs a program until its job is submitted: then it has done what it was started for, and ends by itself.
pub(super) fn run(manager: &JobManager, executable: &ExecutableId, request: &model::RunRequest) -> Result<JobId> {
    let issued = credentials(manager)?;
    // Its number is chosen here, to see whether it was submitted.
    let job = request.job.unwrap_or_else(JobManagerClient::new_job);
    let was_there = manager.has_job(job);
    let part = Part::Client {
        job_manager: manager.address().to_string(),
        executable: executable.clone(),
        detached: true,
        job: Some(job),
        handover: issued.is_some(),
    };
    let mut running = begin(manager, executable, request, &part, issued.as_ref().map(|(handover, _)| handover))?;
    let submitted = || match (was_there, manager.has_job(job), manager.is_starting(job)) {
        (false, true, _) => Submission::Done,
        (_, _, true) => Submission::UnderWay,
        _ => Submission::Not,
    };
    match running.wait(submitted)? {
        Some(finished) if matches!(submitted(), Submission::Done) || finished.says(job) => Ok(job),
        Some(finished) => Err(finished.no_job()),
        None => {
            running.see_off(job, issued);
            Ok(job)
        }
    }
}

/// How far a program has come with its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Submission {
    /// Nobody has heard of it.
    Not,
    /// The JobManager is at it.
    UnderWay,
    /// The JobManager has it.
    Done,
}

/// What a program needs to submit its job to this cluster, if it asks who comes: a token that is known while the program runs.
fn credentials(manager: &JobManager) -> Result<Option<(Handover, Option<Issued>)>> {
    let Some(authority) = manager.security().authority() else { return Ok(None) };
    let caller = Caller { name: "program-run-by-rest".to_owned(), role: Role::Deployer };
    let issued = manager.security().tokens().map(|tokens| tokens.issue(caller)).transpose().map_err(|error| super::of(&error))?;
    let token = issued.as_ref().map(|issued| issued.token().clone());
    Ok(Some((Handover { token, authority: Some(authority.to_owned()), ..Handover::default() }, issued)))
}

/// What a program has printed.
struct Finished {
    status: ExitStatus,
    out: String,
    err: String,
}

impl Finished {
    /// Whether it says that it has submitted its job. Older programs say so on standard error.
    fn says(&self, job: JobId) -> bool {
        self.out.lines().chain(self.err.lines()).any(|line| line == format!("Job has been submitted with JobID {job}"))
    }

    fn no_job(&self) -> ClusterError {
        let lines: Vec<&str> = self.err.trim_end().lines().collect();
        let said = lines[lines.len().saturating_sub(MOST_LINES)..].join("\n");
        let ended = match self.status.success() {
            true => "the program ended without a job: it must call `execute`".to_owned(),
            false => format!("the program ended ({}) before it had a job", self.status),
        };
        // Why it failed is in its own words.
        ClusterError::BadRequest(if said.is_empty() { ended } else { format!("{said}\n\n{ended}") })
    }
}

fn begin(
    manager: &JobManager,
    executable: &ExecutableId,
    request: &model::RunRequest,
    part: &Part,
    handover: Option<&Handover>,
) -> Result<Running> {
    let failed = |error: &dyn std::fmt::Display| ClusterError::Failed(error.to_string());
    let path = manager.executable(executable).map_err(|error| super::of(&error))?;
    let path = path.ok_or_else(|| ClusterError::NotFound("the executable was removed: upload it again".to_owned()))?;
    let program = flott_executable::check_named(&path, "the executable", Machine::here()).map_err(|error| super::of(&error))?;
    let mut command = Command::new(path);
    command.args(&request.arguments).env(PART_VARIABLE, serde_json::to_string(part).map_err(|error| failed(&error))?);
    let claim = request.claim_mode.map(|mode| match mode {
        model::ClaimMode::Claim => "CLAIM",
        model::ClaimMode::NoClaim => "NO_CLAIM",
    });
    let own = [
        (options::PARALLELISM_DEFAULT.key(), request.parallelism.map(|parallelism| parallelism.to_string())),
        (options::STATE_RECOVERY_PATH.key(), request.savepoint.clone()),
        (options::STATE_RECOVERY_CLAIM_MODE.key(), claim.map(str::to_owned)),
        (options::STATE_RECOVERY_IGNORE_UNCLAIMED_STATE.key(), request.allow_non_restored_state.then(|| "true".to_owned())),
    ];
    let own = own.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?)));
    let (mut asked, mut origins) = (Configuration::new(), BTreeMap::new());
    for (key, value) in request.configuration.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(own) {
        let origin = Origin::Argument(format!("{key}={value} (REST)"));
        match asked.set_raw(key, value, origin.clone()) {
            Ok(()) => _ = origins.insert(key, origin),
            // As in a file: tools bring options of other versions.
            Err(unknown @ ConfigError::UnknownKey { .. }) => tracing::warn!(%unknown, "an option of a job that was asked for is ignored"),
            Err(error) => return Err(super::of(&error.into())),
        }
        command.envs(options::find(key).map(|option| (option.variable(), value)));
    }
    command.env(ORIGINS_VARIABLE, serde_json::to_string(&origins).map_err(|error| failed(&error))?);
    program.require(&asked).map_err(|error| super::of(&error))?;
    // Secrets of this process are none of the program's.
    for option in options::all().filter(|option| option.is_secret()) {
        command.env_remove(option.variable());
    }
    let input = if handover.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| {
        ClusterError::BadRequest(format!("the executable cannot be started here ({error}): it must be built for this platform"))
    })?;
    if let (Some(handover), Some(input)) = (handover, child.stdin.take()) {
        // A program that does not read it fails for want of it.
        let _ = handover.write(input);
    }
    let out = child.stdout.take().map(|out| Output::read(out, MOST_OUTPUT));
    let err = child.stderr.take().map(|err| Output::read(err, MOST_OUTPUT));
    Ok(Running { child, out, err })
}

/// A program that was started.
struct Running {
    child: Child,
    out: Option<Output>,
    err: Option<Output>,
}

impl Running {
    /// Waits until it has ended; `None`: it has submitted its job, and goes on nevertheless.
    fn wait(&mut self, submission: impl Fn() -> Submission) -> Result<Option<Finished>> {
        let start = Instant::now();
        let mut done = None;
        loop {
            if let Some(status) = self.child.try_wait().map_err(|error| ClusterError::Failed(error.to_string()))? {
                let text = |output: &Option<Output>| output.as_ref().map(Output::text).unwrap_or_default();
                return Ok(Some(Finished { status, out: text(&self.out), err: text(&self.err) }));
            }
            match submission() {
                Submission::Done if done.get_or_insert_with(Instant::now).elapsed() > TIME_TO_END => return Ok(None),
                Submission::Not if start.elapsed() > TIMEOUT => {
                    // It may have ended in between.
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    let seconds = TIMEOUT.as_secs();
                    return Err(ClusterError::BadRequest(format!("the program did not come to its `execute` within {seconds} s")));
                }
                _ => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Lets it go on, with the token that it has, and waits for its end elsewhere.
    fn see_off(mut self, job: JobId, issued: Option<(Handover, Option<Issued>)>) {
        tracing::info!(%job, process = self.child.id(), "the program of a job goes on although it has submitted it");
        let wait = move || {
            match self.child.wait() {
                Ok(status) => tracing::info!(%job, %status, "the program of a job has ended"),
                Err(error) => tracing::warn!(%job, %error, "nobody knows how the program of a job has ended"),
            }
            drop(issued);
        };
        if let Err(error) = thread::Builder::new().name("flott-program".to_owned()).spawn(wait) {
            tracing::warn!(%job, %error, "nobody waits for the end of the program of a job");
        }
    }
}

/// What a program prints, while it does. All of it is taken, so that the program can go on, and the last bytes are kept.
struct Output {
    kept: Arc<Mutex<Vec<u8>>>,
    most: usize,
    ended: mpsc::Receiver<()>,
}

impl Output {
    fn read(mut from: impl Read + Send + 'static, most: usize) -> Self {
        let (kept, (end, ended)) = (Arc::<Mutex<Vec<u8>>>::default(), mpsc::channel::<()>());
        let all = kept.clone();
        thread::spawn(move || {
            let mut piece = vec![0; 64 << 10];
            loop {
                match from.read(&mut piece) {
                    Ok(0) => break,
                    Ok(read) => keep(&mut all.lock().unwrap_or_else(PoisonError::into_inner), &piece[..read], most),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // What is cut short is judged by what there is of it.
                    Err(_) => break,
                }
            }
            drop(end);
        });
        Output { kept, most, ended }
    }

    /// What was printed, as far as it can be read. The program has ended: what it has started may hold its output open for long.
    fn text(&self) -> String {
        // Either way there is no more to wait for.
        let _ = self.ended.recv_timeout(TIME_TO_END);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept[kept.len().saturating_sub(self.most)..]).into_owned()
    }
}

/// Adds to what is kept, of which the last `most` bytes count.
fn keep(kept: &mut Vec<u8>, piece: &[u8], most: usize) {
    kept.extend_from_slice(piece);
    if kept.len() >= 2 * most {
        kept.drain(..kept.len() - most);
    }
}

/// A vertex without subtasks.
pub(super) fn vertex_of(topology: &JobTopology, vertex: &VertexTopology) -> model::Vertex {
    let head = |vertex: &VertexTopology| vertex.operators[0].id;
    let input = |edge: &flott_graph::EdgeTopology| model::Input {
        from: head(topology.vertex(edge.from)),
        ship_strategy: edge.kind.name().to_owned(),
        exchange: None,
        records: None,
        records_rate: None,
    };
    model::Vertex {
        id: head(vertex),
        name: vertex.name.clone(),
        operators: vertex.operators.iter().map(|operator| operator.name.clone()).collect(),
        operator_ids: vertex.operators.iter().map(|operator| operator.id).collect(),
        slot_sharing_group: Some(vertex.slot_sharing_group.clone()),
        parallelism: vertex.parallelism,
        max_parallelism: vertex.max_parallelism,
        inputs: topology.inputs(vertex.id).map(input).collect(),
        subtasks: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_has_failed_says_why_before_anything_else() {
        use std::os::unix::process::ExitStatusExt;
        let no_job = |code: i32, err: &str| {
            let finished = Finished { status: ExitStatus::from_raw(code << 8), out: String::new(), err: err.to_owned() };
            finished.no_job().to_string()
        };
        let failed = no_job(1, &format!("{}Error: there is no file `a.txt`\n", "starting\n".repeat(100)));
        assert!(failed.contains("Error: there is no file `a.txt`\n\nthe program ended (exit status: 1)"), "{failed}");
        assert!(!failed.contains("`execute`") && failed.lines().count() == 22, "{failed}");
        assert_eq!(no_job(0, ""), "the program ended without a job: it must call `execute`");
    }

    #[test]
    fn only_the_end_of_what_a_program_prints_is_kept() {
        let text = "0123456789".repeat(100_000);
        let end_of = |text: &str, most| Output::read(std::io::Cursor::new(text.to_owned().into_bytes()), most).text();
        assert_eq!(end_of(&text, 15), "567890123456789");
        assert_eq!(end_of(&text, 2_000_000), text);
        assert_eq!(end_of("", 10), "");
    }
}
