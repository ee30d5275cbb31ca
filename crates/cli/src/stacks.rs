//! Stacks of this process's own threads. No process may stop its own: a child does it, this program again, which is allowed to.

use flott_rpc::observe::ThreadStack;
use std::{
    io::{Read, Write},
    process::{Child, Command, ExitCode, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

/// The first argument of the child; the second is the number of the process to look at, the others those of its threads.
const ARGUMENT: &str = "stacks-of-parent";

/// How long the child may take: most of it are the names of functions.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Looks at the parent of this process if that has started it to do so.
pub(crate) fn looks_at_parent() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    let mut numbers = arguments.filter_map(|number| number.parse().ok());
    let process: u32 = numbers.next()?;
    let threads: Vec<u32> = numbers.collect();
    // The end of the input says that this process may look.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    if !is_parent(process) {
        return Some(ExitCode::FAILURE);
    }
    let written = serde_json::to_vec(&flott_profile::stacks(process, &threads)).map(|text| std::io::stdout().write_all(&text));
    Some(if matches!(written, Ok(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether `process` has started this one and is still there.
#[cfg(unix)]
fn is_parent(process: u32) -> bool {
    std::os::unix::process::parent_id() == process
}

#[cfg(not(unix))]
fn is_parent(_: u32) -> bool {
    true
}

/// The stacks of `threads` of this process; where there is none, why. Blocks meanwhile.
pub(crate) fn own(threads: &[u32]) -> Vec<ThreadStack> {
    // Two at once would find each other's threads stopped.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    look(threads).unwrap_or_else(|why| {
        let none = |thread: &u32| ThreadStack { thread: *thread, frames: Vec::new(), missing: Some(why.clone()) };
        threads.iter().map(none).collect()
    })
}

fn look(threads: &[u32]) -> Result<Vec<ThreadStack>, String> {
    let program = if cfg!(target_os = "linux") {
        // Also if another version has taken the place of the file.
        "/proc/self/exe".into()
    } else {
        std::env::current_exe().map_err(|error| format!("this program's file is not known: {error}"))?
    };
    let mut child = Command::new(program)
        .arg(ARGUMENT)
        .args([std::process::id()].iter().chain(threads).map(u32::to_string))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start the process that looks at this one: {error}"))?;
    allow(Some(&child));
    let answer = answer(&mut child);
    allow(None);
    // It has ended, or is to end now.
    let _ = child.kill();
    let status = child.wait().map_err(|error| format!("the process that looks at this one is lost: {error}"))?;
    let answer = answer?;
    if !status.success() {
        return Err(format!("the process that looks at this one has failed: {status}"));
    }
    serde_json::from_slice(&answer).map_err(|error| format!("the process that looks at this one is not understood: {error}"))
}

/// Says to the child that it may begin, and reads what it finds.
fn answer(child: &mut Child) -> Result<Vec<u8>, String> {
    drop(child.stdin.take());
    let mut output = child.stdout.take().ok_or("the process that looks at this one has no output")?;
    let (sender, read) = mpsc::channel();
    let reading = move || {
        let mut text = Vec::new();
        let result = output.read_to_end(&mut text).map(|_| text);
        let _ = sender.send(result);
    };
    thread::Builder::new().name("flott-stacks".to_owned()).spawn(reading).map_err(|error| format!("cannot start a thread: {error}"))?;
    match read.recv_timeout(TIMEOUT) {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(format!("cannot read from the process that looks at this one: {error}")),
        Err(_) => Err(format!("the process that looks at this one has not answered within {TIMEOUT:?}")),
    }
}

/// Lets `child` alone look into this process where Yama asks for that. Where there is no Yama this fails, and nobody needs it.
#[cfg(target_os = "linux")]
fn allow(child: Option<&Child>) {
    use rustix::process::{PTracer, Pid, set_ptracer};
    let child = child.and_then(|child| Pid::from_raw(i32::try_from(child.id()).ok()?));
    let _ = set_ptracer(child.map_or(PTracer::None, PTracer::ProcessID));
}

#[cfg(not(target_os = "linux"))]
fn allow(_: Option<&Child>) {}
