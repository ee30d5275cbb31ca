//! A cluster of real processes on this machine, and what the tests ask of it.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// Longer than anything here takes on a busy machine; reached only if something hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// Keys of the job, as in the example.
const KEYS: u64 = 50;

/// Waits until `done` says so.
#[track_caller]
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < DEADLINE, "in vain waited until {what}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// A JobManager and TaskManagers. Ended when dropped.
pub(crate) struct Cluster {
    pub(crate) folder: tempfile::TempDir,
    job_manager: Child,
    port: String,
    pub(crate) rest: String,
    pub(crate) task_managers: BTreeMap<String, Child>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        Cluster::start_with(&[])
    }

    /// Starts a JobManager with options of its own.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        Cluster::start_all(tempfile::tempdir().unwrap(), Stdio::inherit(), options)
    }

    /// With the configuration `conf/config.yaml` of `folder`, if it is there. What the JobManager logs goes to `log`.
    pub(crate) fn start_in(folder: tempfile::TempDir, log: impl Into<Stdio>) -> Self {
        Cluster::start_all(folder, log, &[])
    }

    fn start_all(folder: tempfile::TempDir, log: impl Into<Stdio>, options: &[&str]) -> Self {
        let (job_manager, port, rest) = start_job_manager(folder.path(), log, options);
        Cluster { folder, job_manager, port, rest, task_managers: BTreeMap::new() }
    }

    /// Kills the JobManager with SIGKILL and starts another one in the same folder.
    pub(crate) fn restart_job_manager(&mut self, options: &[&str]) {
        self.job_manager.kill().unwrap();
        self.job_manager.wait().unwrap();
        (self.job_manager, self.port, self.rest) = start_job_manager(self.folder.path(), Stdio::inherit(), options);
    }

    pub(crate) fn with_task_managers(slots: &[u32]) -> Self {
        let mut cluster = Cluster::start();
        for (number, slots) in slots.iter().enumerate() {
            cluster.add_task_manager(&format!("tm{number}"), *slots);
        }
        cluster
    }

    pub(crate) fn add_task_manager(&mut self, id: &str, slots: u32) {
        self.add_task_manager_with(id, slots, &[]);
    }

    /// Starts a TaskManager with further options.
    pub(crate) fn add_task_manager_with(&mut self, id: &str, slots: u32, options: &[&str]) {
        let out = fs::File::create(self.path(&format!("{id}.out"))).unwrap();
        let child = self
            .flott()
            .arg(format!("-Dtaskmanager.resource-id={id}"))
            .arg(format!("-Dtaskmanager.numberOfTaskSlots={slots}"))
            .args(options)
            .arg("taskmanager")
            .stdout(out)
            .spawn()
            .unwrap();
        self.task_managers.insert(id.to_owned(), child);
    }

    /// Kills a TaskManager with SIGKILL.
    pub(crate) fn kill_task_manager(&mut self, id: &str) {
        let mut child = self.task_managers.remove(id).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The number of the JobManager's process.
    pub(crate) fn job_manager_process(&self) -> u32 {
        self.job_manager.id()
    }

    /// Where the REST server listens, `host:port`.
    pub(crate) fn rest_address(&self) -> &str {
        &self.rest
    }

    /// The port of the JobManager.
    pub(crate) fn port(&self) -> &str {
        &self.port
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `flott` with this cluster's address.
    pub(crate) fn flott(&self) -> Command {
        let mut command = flott(self.folder.path());
        command.arg(format!("-Djobmanager.rpc.port={}", self.port));
        command
    }

    /// Runs `flott` and gives what it printed.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        self.flott().args(arguments).output().unwrap()
    }

    /// Runs `flott`, which must succeed; gives what it printed.
    #[track_caller]
    pub(crate) fn say(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Calls the REST server; gives status and body.
    pub(crate) fn call(&self, method: &str, path: &str, content: (&str, &[u8])) -> (u16, serde_json::Value) {
        let (kind, body) = content;
        let (status, body) = self.send(method, path, &format!("Content-Type: {kind}\r\n"), body);
        (status, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}")))
    }

    /// Calls the REST server with further lines of the head; gives status and body.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.rest).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Gets what the REST server has at a path.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.call("GET", path, ("text/plain", b""));
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Submits the test's job; `options` are those of `flott run`.
    pub(crate) fn run(&self, options: &[&str], mode: &str, records: u64, rate: f64) -> Command {
        let mut command = self.flott();
        command
            .args(["-Dexecution.checkpointing.interval=50 ms", "-Dexecution.checkpointing.dir=checkpoints"])
            .args(["-Drestart-strategy.type=fixed-delay", "-Drestart-strategy.fixed-delay.delay=100 ms"])
            .args(["-Drestart-strategy.fixed-delay.attempts=100", "run"])
            .args(options)
            .arg(job_program())
            .args([mode, "counts", &records.to_string(), &rate.to_string()]);
        command
    }

    /// The only job that is listed.
    pub(crate) fn job(&self) -> String {
        let listed = self.say(&["list", "-a"]);
        listed.split(' ').next().unwrap().to_owned()
    }

    /// The status that a REST server answers with.
    pub(crate) fn status_of(rest: &str, path: &str) -> u16 {
        Self::answer_of(rest, path).0
    }

    /// As [`Cluster::status_of`], with the body.
    pub(crate) fn answer_of(rest: &str, path: &str) -> (u16, String) {
        Cluster::send_to(rest, "GET", path)
    }

    /// The answer of a REST server to a request without a body; status 0 if there is none.
    pub(crate) fn send_to(rest: &str, method: &str, path: &str) -> (u16, String) {
        let Ok(mut stream) = TcpStream::connect(rest) else { return (0, String::new()) };
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        let read = stream.write_all(head.as_bytes()).and_then(|()| stream.read_to_string(&mut answer));
        let parsed = read.ok().and_then(|_| Some((answer.split(' ').nth(1)?.parse().ok()?, answer.split_once("\r\n\r\n")?.1.to_owned())));
        parsed.unwrap_or_default()
    }

    /// The worker processes of a job whose program is this test's.
    pub(crate) fn workers(&self) -> Vec<u32> {
        workers_in(self.folder.path())
    }

    /// Lines that are visible, however often each.
    pub(crate) fn lines(&self) -> BTreeMap<(u64, u64), u32> {
        lines_in(&self.path("counts"))
    }

    /// Each running count of `records` numbers must be there exactly once.
    #[track_caller]
    pub(crate) fn assert_exact(&self, records: u64) {
        assert_exact(&self.path("counts"), records);
    }
}

/// Starts a JobManager; gives its port and where its REST server listens.
fn start_job_manager(folder: &Path, log: impl Into<Stdio>, options: &[&str]) -> (Child, String, String) {
    let mut command = flott(folder);
    command.args(["-Djobmanager.rpc.port=0", "-Drest.port=0"]).args(options).arg("jobmanager").stdout(Stdio::piped()).stderr(log);
    let mut job_manager = command.spawn().unwrap();
    let mut lines = BufReader::new(job_manager.stdout.take().unwrap()).lines();
    let mut address = |what: &str| {
        let line = lines.next().unwrap().unwrap();
        line.strip_prefix(what).unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    let rest = address("REST at http").trim_start_matches("s").trim_start_matches("://").to_owned();
    let port = address("JobManager at ").rsplit(':').next().unwrap().to_owned();
    (job_manager, port, rest)
}

/// The worker processes whose executable lies under a folder.
pub(crate) fn workers_in(folder: &Path) -> Vec<u32> {
    let mut workers = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let started_here = fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe.starts_with(folder));
        if started_here {
            workers.push(process);
        }
    }
    workers
}

/// Lines that are visible in a folder of output, however often each.
pub(crate) fn lines_in(folder: &Path) -> BTreeMap<(u64, u64), u32> {
    let mut lines = BTreeMap::new();
    let Ok(folder) = fs::read_dir(folder) else { return lines };
    for path in folder.map(|entry| entry.unwrap().path()) {
        if path.file_name().unwrap().to_string_lossy().starts_with("part-") {
            for line in fs::read_to_string(path).unwrap().lines() {
                let (key, count) = line.trim_matches(['(', ')']).split_once(", ").unwrap();
                *lines.entry((key.parse().unwrap(), count.parse().unwrap())).or_insert(0) += 1;
            }
        }
    }
    lines
}

/// Each running count of `records` numbers must be there exactly once.
#[track_caller]
pub(crate) fn assert_exact(folder: &Path, records: u64) {
    let lines = lines_in(folder);
    assert!(lines.values().all(|times| *times == 1), "a count is there twice");
    assert_eq!(lines.len() as u64, records);
    for key in 0..KEYS {
        assert!(lines.contains_key(&(key, records / KEYS)), "key {key} did not come to its end");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.task_managers.values_mut().chain([&mut self.job_manager]) {
            // It may have ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub(crate) fn kill(process: u32) {
    signal("-KILL", process);
}

pub(crate) fn signal(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// `flott` in a folder, which is its folder for temporary files, too.
pub(crate) fn flott(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flott"));
    command.current_dir(folder).env("FLOTT_IO_TMP_DIRS", folder).env_remove("FLOTT_CONF_DIR").stdin(Stdio::null());
    command
}

/// The example beside the program, which cargo builds together with the tests of the package.
pub(crate) fn job_program() -> PathBuf {
    example("cluster_job")
}

/// An example of this package.
pub(crate) fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_flott")).parent().unwrap().join("examples").join(name)
}

/// The example of the other package that proves its own output; built if it is not there.
pub(crate) fn state_machine() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let find = || {
        let path = Path::new(env!("CARGO_BIN_EXE_flott")).parent().unwrap().join("examples/state_machine");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "-q", "-p", "flott", "--example", "state_machine"]).current_dir(env!("CARGO_MANIFEST_DIR"));
        assert!(path.exists() || cargo.status().unwrap().success(), "the example cannot be built");
        path
    };
    BUILT.get_or_init(find).clone()
}
