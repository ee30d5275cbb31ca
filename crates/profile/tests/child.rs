//! Samples of a real child process: this test's own program, started again.
#![cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]

use flott_core::id::JobId;
use flott_profile::{sample, stacks};
use flott_rpc::observe::{SampleRequest, StackSamples};
use std::{
    hint::black_box,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// In the environment of the child.
const CHILD: &str = "FLOTT_PROFILE_TEST_CHILD";

#[inline(never)]
fn burns_the_processor(rounds: u64) -> u64 {
    (0..rounds).fold(1, |hash: u64, step| black_box(hash.rotate_left(5) ^ step).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

#[inline(never)]
fn waits_for_ever(nothing: &mpsc::Receiver<()>) {
    while nothing.recv().is_err() {
        thread::park();
    }
}

fn own_number() -> String {
    std::fs::read_link("/proc/thread-self").unwrap().file_name().unwrap().to_string_lossy().into_owned()
}

/// What the child does: one thread works, one waits; it ends with its standard input.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let say = |name: &str| {
        let mut out = std::io::stderr();
        writeln!(out, "{name} {}", own_number()).unwrap();
    };
    thread::spawn(move || {
        say("busy");
        loop {
            black_box(burns_the_processor(10_000));
        }
    });
    let (_never, nothing) = mpsc::channel();
    thread::spawn(move || {
        say("idle");
        waits_for_ever(&nothing);
    });
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
    std::process::exit(7);
}

fn start() -> (Child, u32, u32) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut busy, mut idle) = (None, None);
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_once(' ') {
            Some(("busy", number)) => busy = number.parse().ok(),
            Some(("idle", number)) => idle = number.parse().ok(),
            _ => {}
        }
        if busy.is_some() && idle.is_some() {
            break;
        }
    }
    let (busy, idle) = (busy.unwrap(), idle.unwrap());
    // It says so shortly before.
    let stat = format!("/proc/{}/task/{idle}/stat", child.id());
    while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
        thread::sleep(Duration::from_millis(1));
    }
    (child, busy, idle)
}

fn request(threads: Vec<u32>, samples: u32) -> SampleRequest {
    SampleRequest { job: JobId(1), worker: 0, threads, samples, interval_ms: 1, depth: 100 }
}

/// The counts of a thread's samples whose stack has a function of this name.
fn with(samples: &StackSamples, thread: u32, function: &str) -> u32 {
    let named = |places: &[u32]| places.iter().any(|place| samples.frames[*place as usize].contains(function));
    samples.stacks.iter().filter(|stack| stack.thread == thread && named(&stack.frames)).map(|stack| stack.count).sum()
}

#[test]
fn a_busy_thread_and_a_waiting_one_are_told_apart_and_go_on() {
    let (mut child, busy, idle) = start();
    // On a thread that ends, as it is to be called.
    let process = child.id();
    let samples = thread::spawn(move || sample(process, &request(vec![busy, idle, process, u32::MAX], 50))).join().unwrap();
    assert_eq!(samples.message, None);
    assert_eq!(with(&samples, busy, "burns_the_processor"), 50, "{samples:#?}");
    assert_eq!(with(&samples, idle, "waits_for_ever"), 50, "{samples:#?}");
    assert!(samples.stacks.iter().filter(|stack| stack.thread == busy).all(|stack| stack.on_cpu), "{samples:#?}");
    #[cfg(target_arch = "x86_64")]
    assert!(samples.stacks.iter().filter(|stack| stack.thread == idle).all(|stack| !stack.on_cpu), "{samples:#?}");
    assert!(samples.stacks.iter().all(|stack| stack.thread == busy || stack.thread == idle), "the first thread is never looked at");
    assert!(samples.frames.iter().all(|name| !name.contains("__rust_begin_short_backtrace")), "{:#?}", samples.frames);
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn one_look_finds_functions_with_their_lines_or_says_why_not() {
    let (mut child, busy, idle) = start();
    let process = child.id();
    let found = thread::spawn(move || stacks(process, &[busy, idle, process, u32::MAX])).join().unwrap();
    let of = |thread: u32| found.iter().find(|stack| stack.thread == thread).unwrap();
    let calls = |thread: u32, function: &str| of(thread).frames.iter().any(|frame| frame.contains(function) && frame.contains("child.rs:"));
    assert!(calls(busy, "burns_the_processor (") && calls(idle, "waits_for_ever ("), "{found:#?}");
    assert!(of(idle).frames.iter().any(|frame| frame.contains("(library/std/src/")), "{found:#?}");
    let missing = |thread: u32| of(thread).missing.clone().unwrap();
    assert!(
        of(busy).missing.is_none() && missing(process).contains("first thread") && missing(u32::MAX).contains("has ended"),
        "{found:#?}"
    );
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn a_process_that_ends_meanwhile_is_no_harm() {
    let (mut child, busy, idle) = start();
    let process = child.id();
    let sampling = thread::spawn(move || sample(process, &request(vec![busy, idle], 2000)));
    thread::sleep(Duration::from_millis(100));
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    let samples = sampling.join().unwrap();
    assert!(samples.stacks.iter().map(|stack| stack.count).sum::<u32>() < 4000);
    let gone = sample(process, &request(vec![busy], 1));
    assert!(gone.stacks.is_empty() && gone.message.is_some(), "{gone:?}");
}

#[test]
fn a_process_that_is_nobodys_child_gives_no_samples() {
    // The first process of the system, or whatever is seen as it, is not ours.
    let samples = thread::spawn(|| sample(1, &request(vec![1], 1))).join().unwrap();
    assert!(samples.stacks.is_empty());
}
