//! The program as a process: killed again and again, it leaves an output that the checker proves, and in which it finds a fault.

use super::{Arguments, run};
use clap::Parser;
use flott::snapshots::latest_checkpoint;
use std::{
    env, fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

/// Set in the process that is to be the program: its arguments, a line each.
const ROLE: &str = "TEST_STATE_MACHINE";
const KILLS: usize = 8;
const EVENTS: &str = "200000";
/// Longer than anything here takes on a busy machine; reached only if something hangs.
const DEADLINE: Duration = Duration::from_secs(120);

/// The program. As a test of its own it does nothing.
#[test]
fn the_program() {
    let Ok(arguments) = env::var(ROLE) else { return };
    let code = run(&Arguments::parse_from(arguments.lines())).unwrap_or_else(|error| {
        eprintln!("{error}");
        9
    });
    std::process::exit(code.into());
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "tests::the_program", "--nocapture"]);
    command.env(ROLE, [&["state_machine"], arguments].concat().join("\n")).stdin(Stdio::null());
    command
}

/// A job that writes to `dir`.
struct Job<'a>(&'a Path);

impl Job<'_> {
    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    fn latest(&self) -> Option<String> {
        latest_checkpoint(&self.path("checkpoints")).unwrap()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }

    fn start(&self, parallelism: &str, rate: &str) -> Child {
        let (output, checkpoints) = (self.path("alerts"), self.path("checkpoints"));
        let mut arguments = vec!["--events", EVENTS, "--rate", rate, "--keys", "60", "--seed", "5", "--parallelism", parallelism];
        arguments.extend(["--output", &output, "--checkpoint-interval", "20", "--checkpoint-dir", &checkpoints]);
        if self.latest().is_some() {
            arguments.extend(["--from-savepoint", "latest"]);
        }
        let stderr = fs::OpenOptions::new().create(true).append(true).open(self.path("stderr")).unwrap();
        program(&arguments).stdout(Stdio::null()).stderr(stderr).spawn().unwrap()
    }

    /// Kills the process some time after its second checkpoint.
    fn kill(&self, mut child: Child, delay: Duration) {
        let start = Instant::now();
        let mut seen = vec![self.latest()];
        while seen.len() < 3 {
            assert!(child.try_wait().unwrap().is_none() && start.elapsed() < DEADLINE, "no checkpoint: {}", self.said());
            let latest = self.latest();
            if seen.last() != Some(&latest) {
                seen.push(latest);
            }
            thread::park_timeout(Duration::from_millis(1));
        }
        thread::park_timeout(delay);
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success(), "there are too few events: the job has ended before");
    }

    fn check(&self, more: &[&str]) -> Output {
        let output = self.path("alerts");
        program(&[&["--check", &output, "--keys", "60", "--seed", "5"], more].concat()).output().unwrap()
    }

    /// The number of events that the output proves.
    #[track_caller]
    fn proven(&self, more: &[&str]) -> u64 {
        let Output { status, stdout, stderr } = self.check(more);
        let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(status.code(), Some(0), "{stdout}{stderr}");
        let (_, proven) = stdout.split_once("prove that ").expect(&stdout);
        proven.split_once(" events").unwrap().0.parse().unwrap()
    }
}

#[test]
fn a_process_that_is_killed_again_and_again_loses_no_event_and_handles_none_twice() {
    let temporary = tempfile::tempdir().unwrap();
    let job = Job(temporary.path());
    let mut last = 0;
    for kill in 0..KILLS {
        let parallelism = ["2", "3", "1", "4"][kill % 4];
        job.kill(job.start(parallelism, "20000"), Duration::from_millis(kill as u64 * 13 % 40));
        let proven = job.proven(&[]);
        assert!(proven >= last, "{proven} events are proven, {last} were before");
        last = proven;
    }
    assert!(last > 0, "no output before the end");
    let status = job.start("2", "1e9").wait().unwrap();
    assert!(status.success(), "{}", job.said());
    assert_eq!(job.proven(&["--events", EVENTS]), 200_000);
    assert_faults_are_found(&job);
}

/// Plants faults in the output of a job that has ended well.
fn assert_faults_are_found(job: &Job<'_>) {
    let files = fs::read_dir(job.path("alerts")).unwrap().map(|entry| entry.unwrap().path());
    let file = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("part-")).min().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let key = first.split(' ').nth(1).unwrap().replace('=', " ");
    for planted in [rest.to_owned(), format!("{first}\n{text}"), text.replacen("handled=", "handled=1", 1)] {
        fs::write(&file, planted).unwrap();
        for more in [&[][..], &["--events", EVENTS]] {
            let Output { status, stdout, stderr } = job.check(more);
            let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
            assert_eq!(status.code(), Some(1), "{stdout}{stderr}");
            assert!(stderr.contains(&format!("{key}: ")) && stderr.contains("part-") && stderr.contains(", line "), "{stderr}");
        }
    }
}
