//! Threads of processes of this machine, as `/proc` and stacks tell of them.

use flott_rpc::observe::{ThreadInfo, ThreadStack};
use std::{collections::BTreeMap, fmt::Write, fs, io};

/// A thread as the kernel knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct KernelThread {
    id: u32,
    name: String,
    /// What it does, such as `S (sleeping)`.
    state: String,
    /// Where in the kernel it waits; empty if the kernel does not tell, or it does not.
    wait: String,
}

/// The threads of a process with their stacks: first what the system says of each, then what `stacks` finds out for those of these numbers.
///
/// # Errors
/// The process is gone, or the system does not tell.
pub fn threads(process: u32, stacks: impl FnOnce(&[u32]) -> Vec<ThreadStack>) -> io::Result<Vec<ThreadInfo>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/task"))?.flatten() {
        let read = |file: &str| fs::read_to_string(entry.path().join(file));
        // One may end meanwhile.
        let (Some(id), Ok(name)) = (entry.file_name().to_str().and_then(|id| id.parse().ok()), read("comm")) else { continue };
        let status = read("status").unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or_default().trim().to_owned();
        let wait = read("wchan").unwrap_or_default().trim().trim_matches('0').to_owned();
        threads.push(KernelThread { id, name: name.trim().to_owned(), state, wait });
    }
    let ids: Vec<u32> = threads.iter().map(|thread| thread.id).collect();
    let stacks: BTreeMap<u32, ThreadStack> = stacks(&ids).into_iter().map(|stack| (stack.thread, stack)).collect();
    let shown =
        |thread: KernelThread| ThreadInfo { text: text(&thread, stacks.get(&thread.id)), id: thread.id, name: thread.name, worker: None };
    Ok(threads.into_iter().map(shown).collect())
}

/// A thread as Java shows one, with what the kernel says in parentheses.
fn text(thread: &KernelThread, stack: Option<&ThreadStack>) -> String {
    let state = match thread.state.chars().next() {
        Some('R') => "RUNNABLE",
        Some('Z' | 'X') | None => "TERMINATED",
        Some(_) => "WAITING",
    };
    let words = thread.state.split_once('(').map_or("ended", |(_, words)| words.trim_end_matches(')'));
    let wait = if thread.wait.is_empty() { String::new() } else { format!(" in {}", thread.wait) };
    let mut text = format!("\"{}\" Id={} {state} ({words}{wait})", thread.name, thread.id);
    let missing = stack.map_or(Some("nobody has looked at it"), |stack| stack.missing.as_deref());
    if let Some(why) = missing {
        let _ = write!(text, "\n\t(no stack: {why})");
    }
    for frame in stack.map(|stack| stack.frames.as_slice()).unwrap_or_default() {
        let _ = write!(text, "\n\tat {frame}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_shown_with_its_state_and_its_calls() {
        let thread =
            |state: &str, wait: &str| KernelThread { id: 7, name: "map 1/2".to_owned(), state: state.to_owned(), wait: wait.to_owned() };
        let stack = ThreadStack { thread: 7, frames: vec!["park (a.rs:1)".to_owned(), "main".to_owned()], missing: None };
        let waits = text(&thread("S (sleeping)", "futex_wait"), Some(&stack));
        assert_eq!(waits, "\"map 1/2\" Id=7 WAITING (sleeping in futex_wait)\n\tat park (a.rs:1)\n\tat main\n");
        let denied = ThreadStack { thread: 7, frames: Vec::new(), missing: Some("it is not allowed".to_owned()) };
        assert_eq!(
            text(&thread("R (running)", ""), Some(&denied)),
            "\"map 1/2\" Id=7 RUNNABLE (running)\n\t(no stack: it is not allowed)\n"
        );
        assert_eq!(text(&thread("", ""), None), "\"map 1/2\" Id=7 TERMINATED (ended)\n\t(no stack: nobody has looked at it)\n");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn threads_have_names_and_those_that_were_looked_at_their_stacks() {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (ready, runs) = std::sync::mpsc::channel();
        // A thread takes its name itself, as the first thing that it does.
        let run = move || ready.send(()).is_ok() && stopped.recv().is_ok();
        let named = std::thread::Builder::new().name("count 1/2".to_owned()).spawn(run).unwrap();
        runs.recv().unwrap();
        let stacks = |ids: &[u32]| {
            let frames = |id: &u32| ThreadStack { thread: *id, frames: vec![format!("calls {id}")], missing: None };
            ids.iter().map(frames).collect()
        };
        let all = threads(std::process::id(), stacks).unwrap();
        let found = all.iter().find(|thread| thread.name == "count 1/2").unwrap();
        assert!(found.text.starts_with(&format!("\"count 1/2\" Id={} ", found.id)), "{found:?}");
        assert!(found.text.ends_with(&format!("\n\tat calls {}\n", found.id)), "{found:?}");
        drop(stop);
        named.join().unwrap();
    }
}
