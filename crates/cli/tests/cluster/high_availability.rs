//! Several JobManagers: one leads, and when it is killed or stopped, another takes over jobs that run.

use crate::processes::{Cluster, eventually, flott, job_program};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

struct JobManager {
    child: Child,
    rpc: String,
    rest: String,
}

impl JobManager {
    fn start(folder: &Path, rpc_port: &str) -> Self {
        JobManager::start_with(folder, rpc_port, &HIGH_AVAILABILITY)
    }

    fn start_with(folder: &Path, rpc_port: &str, options: &[&str]) -> Self {
        let mut command = flott(folder);
        command
            .args(options)
            .args([format!("-Djobmanager.rpc.port={rpc_port}"), "-Drest.port=0".to_owned(), "jobmanager".to_owned()])
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |what: &str| lines.next().unwrap().unwrap().strip_prefix(what).unwrap().to_owned();
        let (rest, rpc) = (address("REST at http").trim_start_matches('s').trim_start_matches("://").to_owned(), address("JobManager at "));
        JobManager { child, rpc, rest }
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it leads, by its REST server: the others send callers elsewhere.
    fn leads(&self) -> bool {
        Cluster::status_of(&self.rest, "/overview") == 200
    }
}

const HIGH_AVAILABILITY: [&str; 3] =
    ["-Dhigh-availability.type=file", "-Dhigh-availability.storageDir=shared", "-Dhigh-availability.lease-duration=600 ms"];

/// Two JobManagers and their TaskManagers. Ended when dropped.
struct Pair {
    managers: Vec<JobManager>,
    /// Its own JobManager is one of them only by its folder: TaskManagers and outputs are in there.
    task_managers: Vec<Child>,
    folder: tempfile::TempDir,
}

impl Pair {
    fn start(task_managers: &[u32]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let managers = vec![JobManager::start(folder.path(), "0"), JobManager::start(folder.path(), "0")];
        let mut pair = Pair { managers, task_managers: Vec::new(), folder };
        for (number, slots) in task_managers.iter().enumerate() {
            let child = pair
                .flott()
                .arg(format!("-Dtaskmanager.resource-id=tm{number}"))
                .arg(format!("-Dtaskmanager.numberOfTaskSlots={slots}"))
                .arg("taskmanager")
                .spawn()
                .unwrap();
            pair.task_managers.push(child);
        }
        pair
    }

    fn flott(&self) -> Command {
        let mut command = flott(self.folder.path());
        let addresses: Vec<&str> = self.managers.iter().map(|manager| manager.rpc.as_str()).collect();
        command.args(HIGH_AVAILABILITY).arg(format!("-Dhigh-availability.jobmanagers={}", addresses.join(",")));
        command
    }

    fn run(&self, options: &[&str], records: u64, rate: f64) -> Command {
        self.run_mode("plain", options, records, rate)
    }

    fn run_mode(&self, mode: &str, options: &[&str], records: u64, rate: f64) -> Command {
        let mut command = self.flott();
        command
            .args(["-Dexecution.checkpointing.interval=50 ms", "-Drestart-strategy.type=fixed-delay"])
            .args(["-Drestart-strategy.fixed-delay.delay=100 ms", "-Drestart-strategy.fixed-delay.attempts=100", "run"])
            .args(options)
            .arg(job_program())
            .args([mode, "counts", &records.to_string(), &rate.to_string()]);
        command
    }

    /// Runs `flott` with these arguments. Returns whether it succeeded, and what it said.
    fn ask(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.flott().args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr))
    }

    /// Kills the leader, and starts it again at the same address, as a supervisor would.
    fn replace_leader(&mut self, leader: usize) {
        self.managers[leader].kill();
        let port = self.managers[leader].rpc.rsplit(':').next().unwrap().to_owned();
        self.managers[leader] = JobManager::start(self.folder.path(), &port);
    }

    /// What the leader's REST server answers.
    fn get(&self, path: &str) -> serde_json::Value {
        let (status, body) = Cluster::answer_of(&self.managers[self.leader()].rest, path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The only job that has not ended, once there is one.
    fn running(&self) -> String {
        let mut job = None;
        eventually("a job runs", || {
            job = self.list().lines().find(|line| line.contains("(RUNNING)")).and_then(|line| line.split(' ').next()).map(str::to_owned);
            job.is_some()
        });
        job.unwrap()
    }

    /// The place of the one that leads, once there is one.
    fn leader(&self) -> usize {
        let mut found = None;
        eventually("a JobManager leads", || {
            found = self.managers.iter().position(JobManager::leads);
            found.is_some()
        });
        found.unwrap()
    }

    fn counts(&self) -> PathBuf {
        self.folder.path().join("counts")
    }

    fn lines(&self) -> usize {
        crate::processes::lines_in(&self.counts()).len()
    }

    fn list(&self) -> String {
        String::from_utf8(self.flott().args(["list", "-a"]).output().unwrap().stdout).unwrap()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for child in self.task_managers.iter_mut().chain(self.managers.iter_mut().map(|manager| &mut manager.child)) {
            // It may have ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const RECORDS: u64 = 10_000;

#[test]
fn a_job_goes_on_without_a_restart_while_its_job_managers_are_killed_and_its_client_gets_the_result() {
    let mut pair = Pair::start(&[1, 1]);
    let program = pair.run(&["-p", "2"], RECORDS, 2000.0).stdout(Stdio::piped()).spawn().unwrap();
    for _ in 0..3 {
        let before = pair.lines();
        eventually("counts are visible", || pair.lines() > before + 300);
        let leader = pair.leader();
        pair.managers[leader].kill();
        // The same address, as a supervisor would start it again.
        let port = pair.managers[leader].rpc.rsplit(':').next().unwrap().to_owned();
        pair.managers[leader] = JobManager::start(pair.folder.path(), &port);
    }
    let output = program.wait_with_output().unwrap();
    assert!(output.status.success());
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("the job is at its end after 0 restarts"), "{out}");
    crate::processes::assert_exact(&pair.counts(), RECORDS);
    let listed = pair.list();
    assert!(listed.contains("(FINISHED)"), "{listed}");
    // Finished stays finished, also for the next leader.
    let leader = pair.leader();
    pair.managers[leader].kill();
    pair.leader();
    let listed = pair.list();
    assert!(listed.contains("(FINISHED)"), "{listed}");
    crate::processes::assert_exact(&pair.counts(), RECORDS);
}

/// What happens to the first connection on which a job is submitted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Cut {
    BeforeTheRequest,
    BeforeTheAnswer,
}

/// Passes connections on to `address`, cuts the first one on which a job is submitted with an argument `mark`, and counts such
/// submissions that it passes on.
fn cutting_proxy(address: String, mark: String, cut: Cut, passed: Arc<AtomicU32>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    let is_over = Arc::new(AtomicBool::new(false));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, mut server) = (client.unwrap(), TcpStream::connect(&address).unwrap());
            let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let (asked, is_over, passed) = (Arc::new(AtomicBool::new(false)), is_over.clone(), passed.clone());
            let mark = mark.clone();
            let cut_answer = asked.clone();
            std::thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count @ 1..) = answers.read(&mut bytes) {
                    if cut_answer.load(Ordering::SeqCst) || back.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
                // One of the two may be closed already.
                let _ = (back.shutdown(Shutdown::Both), answers.shutdown(Shutdown::Both));
            });
            std::thread::spawn(move || {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count @ 1..) = client.read(&mut bytes) {
                    if bytes[..count].windows(mark.len()).any(|part| part == mark.as_bytes()) {
                        let is_first = !is_over.swap(true, Ordering::SeqCst);
                        if is_first && cut == Cut::BeforeTheRequest {
                            break;
                        }
                        asked.store(is_first, Ordering::SeqCst);
                        passed.fetch_add(1, Ordering::SeqCst);
                    }
                    if server.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
                let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
            });
        }
    });
    proxy
}

#[test]
fn a_job_is_submitted_once_although_the_connection_is_lost_with_the_request_or_the_answer() {
    let pair = Pair::start(&[1]);
    let leader = &pair.managers[pair.leader()].rpc;
    for cut in [Cut::BeforeTheRequest, Cut::BeforeTheAnswer] {
        let passed = Arc::new(AtomicU32::new(0));
        let output = format!("counts-{cut:?}");
        let proxy = cutting_proxy(leader.clone(), output.clone(), cut, passed.clone());
        let mut command = flott(pair.folder.path());
        command.args(HIGH_AVAILABILITY).arg(format!("-Dhigh-availability.jobmanagers={proxy},{proxy}"));
        command.args(["-Dexecution.checkpointing.interval=50 ms", "run"]).arg(job_program()).args(["plain", &output, "200", "1e6"]);
        assert!(command.status().unwrap().success(), "{cut:?}");
        crate::processes::assert_exact(&pair.folder.path().join(output), 200);
        assert_eq!(passed.load(Ordering::SeqCst), 1, "{cut:?}");
    }
    let listed = pair.list();
    assert_eq!(listed.matches("(FINISHED)").count(), 2, "{listed}");
}

#[test]
fn a_cluster_that_is_ended_ends_as_a_whole_and_the_next_in_its_place_begins_anew() {
    let mut pair = Pair::start(&[1]);
    assert!(pair.run(&["-d"], 10 * RECORDS, 1000.0).status().unwrap().success());
    eventually("counts are visible", || pair.lines() > 100);
    let leader = pair.leader();
    assert_eq!(Cluster::send_to(&pair.managers[leader].rest, "DELETE", "/cluster").0, 202);
    for child in pair.managers.iter_mut().map(|manager| &mut manager.child).chain(&mut pair.task_managers) {
        let mut ended = None;
        eventually("a process has ended", || {
            ended = child.try_wait().unwrap();
            ended.is_some()
        });
        assert!(ended.unwrap().success(), "{ended:?}");
    }
    eventually("no worker is left", || crate::processes::workers_in(pair.folder.path()).is_empty());
    let next = vec![JobManager::start(pair.folder.path(), "0"), JobManager::start(pair.folder.path(), "0")];
    pair.managers = next;
    let leader = pair.leader();
    assert!(pair.list().contains("No jobs."), "{}", pair.list());
    // Whoever leads after it is one of the new cluster.
    pair.managers[leader].kill();
    assert_ne!(pair.leader(), leader);
    assert!(pair.list().contains("No jobs."), "{}", pair.list());
}

#[test]
fn a_leader_that_was_stopped_and_wakes_up_does_no_harm() {
    let pair = Pair::start(&[2]);
    let records = 4 * RECORDS;
    let mut program = pair.run(&["-p", "2"], records, 3000.0).spawn().unwrap();
    for _ in 0..2 {
        let before = pair.lines();
        eventually("counts are visible", || pair.lines() > before + 300);
        let leader = pair.leader();
        pair.managers[leader].signal("-STOP");
        eventually("another one leads", || pair.managers[1 - leader].leads());
        let before = pair.lines();
        eventually("checkpoints are complete under the new leader", || pair.lines() > before + 300);
        pair.managers[leader].signal("-CONT");
        eventually("the old leader knows that it leads no more", || !pair.managers[leader].leads());
    }
    assert!(program.wait().unwrap().success());
    crate::processes::assert_exact(&pair.counts(), records);
}

#[test]
fn a_cluster_with_certificates_and_tokens_goes_on_under_the_next_leader() {
    let folder = tempfile::tempdir().unwrap();
    let printed = crate::security::init(folder.path(), &[]);
    let of_processes = printed.split("clients, which need").next().unwrap();
    let config: String = of_processes.lines().filter(|line| line.starts_with("security.")).map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.path().join("conf/config.yaml"), config).unwrap();
    let token = printed.lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["deployer", _, token] => Some(token.to_owned()),
        _ => None,
    });
    let token = token.unwrap();
    // Nobody takes the first one for gone because the machine is busy.
    let options = ["-Dhigh-availability.type=file", "-Dhigh-availability.storageDir=shared", "-Dhigh-availability.lease-duration=3 s"];
    let first = JobManager::start_with(folder.path(), "0", &options);
    let mut pair = Pair { managers: vec![first], task_managers: Vec::new(), folder };
    let list = |pair: &Pair| pair.flott().env("FLOTT_SECURITY_TOKEN", &token).args(["list"]).output().unwrap().status.success();
    eventually("the first one leads", || list(&pair));
    pair.managers.push(JobManager::start_with(pair.folder.path(), "0", &options));
    let task_manager = pair.flott().args(["-Dtaskmanager.numberOfTaskSlots=2", "taskmanager"]).spawn().unwrap();
    pair.task_managers.push(task_manager);
    let mut program = pair.run(&["-p", "2"], RECORDS, 1000.0);
    let program = program.env("FLOTT_SECURITY_TOKEN", &token).stdout(Stdio::piped()).spawn().unwrap();
    eventually("counts are visible", || pair.lines() > 300);
    pair.managers[0].kill();
    let before = pair.lines();
    eventually("checkpoints are complete under the new leader", || pair.lines() > before + 2000);
    let output = program.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("the job is at its end after 0 restarts"), "{out}");
    crate::processes::assert_exact(&pair.counts(), RECORDS);
    // Who has no token is refused by the next leader as well.
    assert!(!pair.flott().args(["list"]).output().unwrap().status.success());
}

#[test]
fn workers_that_die_together_with_the_leader_are_replaced_by_the_next() {
    let mut pair = Pair::start(&[1, 1]);
    let mut program = pair.run(&["-p", "2"], RECORDS, 2000.0).spawn().unwrap();
    eventually("counts are visible", || pair.lines() > 300);
    let leader = pair.leader();
    let worker = *crate::processes::workers_in(pair.folder.path()).first().expect("workers run");
    pair.managers[leader].kill();
    crate::processes::kill(worker);
    assert!(program.wait().unwrap().success());
    crate::processes::assert_exact(&pair.counts(), RECORDS);
}

#[test]
fn a_job_that_was_rescaled_keeps_its_parallelism_under_the_next_leader() {
    let mut pair = Pair::start(&[1, 1]);
    let program = pair.run(&["-p", "1"], RECORDS, 2000.0).stdout(Stdio::piped()).spawn().unwrap();
    eventually("counts are visible", || pair.lines() > 100);
    let job = pair.list().split(' ').next().unwrap().to_owned();
    let rescale = |arguments: &[&str]| {
        let output = pair.flott().arg("rescale").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
    };
    let said = rescale(&[&job, "-p", "2"]);
    assert!(said.contains("runs with parallelism 2, 2"), "{said}");
    let leader = pair.leader();
    pair.managers[leader].kill();
    pair.leader();
    let before = pair.lines();
    eventually("checkpoints are complete under the new leader", || pair.lines() > before + 300);
    let rescale = |arguments: &[&str]| String::from_utf8(pair.flott().arg("rescale").args(arguments).output().unwrap().stdout).unwrap();
    let said = rescale(&[&job]);
    assert!(said.contains("v0 : 2 (2..2)") && said.contains("v1 : 2 (2..2)"), "{said}");
    // It knows where tasks run that it has not started.
    let get = |path: &str| -> serde_json::Value {
        let (status, body) = Cluster::answer_of(&pair.managers[pair.leader()].rest, path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    };
    let vertex = get(&format!("/jobs/{job}"))["vertices"][1]["id"].as_str().unwrap().to_owned();
    let mut hosts: Vec<String> = get(&format!("/jobs/{job}/vertices/{vertex}"))["subtasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subtask| subtask["taskmanager-id"].as_str().unwrap().to_owned())
        .collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["tm0", "tm1"]);
    for task_manager in get("/taskmanagers")["taskmanagers"].as_array().unwrap() {
        // A reader without a split is at its end.
        assert!([1, 2].contains(&task_manager["assignedTasks"].as_u64().unwrap()), "{task_manager}");
    }
    let said = rescale(&[&job, "-p", "1"]);
    assert!(said.contains("runs with parallelism 1, 1"), "{said}");
    let output = program.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("the job is at its end after 0 restarts"), "{out}");
    crate::processes::assert_exact(&pair.counts(), RECORDS);
}

#[test]
fn a_parallelism_that_was_asked_for_and_has_no_slots_yet_is_known_to_the_next_leader() {
    let mut pair = Pair::start(&[1]);
    let mut program = pair.run(&["-p", "1"], 10 * RECORDS, 2000.0).stdout(Stdio::piped()).spawn().unwrap();
    eventually("counts are visible", || pair.lines() > 100);
    let job = pair.list().split(' ').next().unwrap().to_owned();
    let rescale = |pair: &Pair, arguments: &[&str]| {
        let output = pair.flott().arg("rescale").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr)
    };
    rescale(&pair, &[&job, "--detached", "-p", "1..2"]);
    let leader = pair.leader();
    pair.managers[leader].kill();
    pair.leader();
    let before = pair.lines();
    eventually("checkpoints are complete under the new leader", || pair.lines() > before + 300);
    let said = rescale(&pair, &[&job]);
    assert!(said.contains("v0 : 1 (1..2)") && said.contains("v1 : 1 (1..2)"), "{said}");
    let mut late = pair.flott();
    late.args(["-Dtaskmanager.resource-id=late", "-Dtaskmanager.numberOfTaskSlots=1", "taskmanager"]);
    pair.task_managers.push(late.spawn().unwrap());
    eventually("the slot that has come is used", || rescale(&pair, &[&job]).contains("v1 : 2 (1..2)"));
    pair.flott().args(["cancel", &job]).output().unwrap();
    program.wait().unwrap();
}

#[test]
fn top_shows_the_cluster_whichever_of_its_rest_servers_it_asks() {
    let pair = Pair::start(&[1]);
    let mut waiting = None;
    eventually("one sends callers to the other", || {
        waiting = pair.managers.iter().position(|manager| Cluster::status_of(&manager.rest, "/overview") == 307);
        waiting.is_some()
    });
    let waiting = waiting.unwrap();
    let (leader, other) = (1 - waiting, &pair.managers[waiting]);
    eventually("the TaskManager is there", || {
        Cluster::answer_of(&pair.managers[leader].rest, "/overview").1.contains("\"taskmanagers\":1")
    });
    let shown = |options: &[&str]| pair.flott().args(["top", "--once"]).args(options).output().unwrap();
    let of_leader = shown(&["-m", &pair.managers[leader].rest]);
    let of_other = shown(&["-m", &other.rest]);
    assert!(of_other.status.success(), "{}", String::from_utf8_lossy(&of_other.stderr));
    assert_eq!(String::from_utf8_lossy(&of_other.stdout), String::from_utf8_lossy(&of_leader.stdout));
    // Both are on one host, so that one port is given; whoever has it knows the leader.
    let port = other.rest.rsplit(':').next().unwrap();
    let found = shown(&[&format!("-Drest.port={port}")]);
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
}

#[test]
fn a_job_that_was_cancelled_ends_under_the_next_leader_although_its_task_still_sleeps() {
    let mut pair = Pair::start(&[1]);
    let mut program = pair.run_mode("sleep", &["-p", "1"], RECORDS, 200.0).stdout(Stdio::null()).spawn().unwrap();
    eventually("a task sleeps", || pair.folder.path().join("counts.sleeps").exists());
    let (job, leader) = (pair.running(), pair.leader());
    let said = pair.ask(&["cancel", &job]);
    pair.replace_leader(leader);
    assert_eq!(said, (true, format!("Cancelled job {job}.\n")));
    eventually("it is cancelled", || pair.list().contains(&format!("{job} : cluster-job (CANCELED)")));
    let shown = pair.get(&format!("/jobs/{job}"));
    for state in ["CANCELLING", "CANCELED"] {
        assert!(shown["timestamps"][state].as_i64().unwrap() > 0, "{shown}");
    }
    assert!(!program.wait().unwrap().success());
}

#[test]
fn a_cancellation_that_was_confirmed_is_not_forgotten_however_soon_the_leader_is_killed() {
    let mut pair = Pair::start(&[1]);
    for _ in 0..3 {
        let mut program = pair.run(&["-d", "-p", "1"], 100 * RECORDS, 2000.0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        program.wait().unwrap();
        let (job, leader) = (pair.running(), pair.leader());
        let (done, said) = pair.ask(&["cancel", &job]);
        pair.replace_leader(leader);
        assert!(done, "{said}");
        eventually("it is cancelled", || pair.list().contains(&format!("{job} : cluster-job (CANCELED)")));
    }
}

#[test]
fn whoever_stops_a_job_learns_of_its_savepoint_although_the_leader_is_killed_meanwhile() {
    let mut pair = Pair::start(&[1]);
    pair.run(&["-d", "-p", "1"], 100 * RECORDS, 2000.0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap().wait().unwrap();
    let job = pair.running();
    let mut tries = 0;
    let said = loop {
        tries += 1;
        let (leader, folder) = (pair.leader(), pair.folder.path().join(format!("sp{tries}")));
        let stop =
            pair.flott().args(["stop", "-p", &format!("sp{tries}"), &job]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("the savepoint is written", || {
            std::fs::read_dir(&folder).is_ok_and(|mut all| all.any(|one| one.unwrap().path().join("_metadata").exists()))
        });
        pair.replace_leader(leader);
        let output = stop.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            break said;
        }
        // The leader was killed before the savepoint was in the job's register.
        assert!(tries < 20 && said.contains(&format!("job {job} goes on")), "{said}");
    };
    let path = said.trim().strip_prefix("Savepoint completed. Path: ").unwrap().to_owned();
    assert!(Path::new(&path).join("_metadata").exists(), "{path}");
    assert!(pair.list().contains(&format!("{job} : cluster-job (FINISHED)")), "{}", pair.list());
    // The next leader knows it too, and the one after that.
    for _ in 0..2 {
        let told = pair.get(&format!("/jobs/{job}/checkpoints"));
        let told_path = told["latest"]["savepoint"]["external_path"].as_str().unwrap();
        assert_eq!(told_path.trim_start_matches("file:"), path, "{told}");
        assert!(told["counts"]["total"].as_u64().unwrap() > 0, "{told}");
        let leader = pair.leader();
        pair.replace_leader(leader);
    }
}

#[test]
fn commands_wait_while_no_job_manager_leads() {
    let mut pair = Pair::start(&[1]);
    pair.run(&["-d", "-p", "1"], 100 * RECORDS, 2000.0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap().wait().unwrap();
    let job = pair.running();
    for command in [&["savepoint", &job, "sp"][..], &["checkpoint", &job], &["stop", "-p", "sp", &job]] {
        let leader = pair.leader();
        pair.managers[leader].kill();
        let (done, said) = pair.ask(command);
        assert!(done && said.contains("completed. Path: "), "{command:?}: {said}");
        let port = pair.managers[leader].rpc.rsplit(':').next().unwrap().to_owned();
        pair.managers[leader] = JobManager::start(pair.folder.path(), &port);
    }
}
