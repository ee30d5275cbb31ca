//! What a run costs: CPU time, wall time, memory; all read from Linux's `/proc`.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::{paths, process};

/// How often memory is looked at, and whether the program has ended.
const POLL: Duration = Duration::from_millis(10);
/// Daemons, which may have hundreds of threads, are looked at each so many times only.
const DAEMON_POLLS: u32 = 20;
/// Linux shows CPU time in ticks of 10 ms on every platform that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run cost.
#[derive(Debug)]
pub(super) struct Usage {
    /// User and system time of all processes, in seconds.
    pub(super) cpu_s: f64,
    /// From start to end, in seconds.
    pub(super) wall_s: f64,
    /// The peaks of all processes' resident memory, summed, in bytes.
    pub(super) peak_bytes: u64,
    /// What the program itself printed.
    pub(super) summary: Summary,
    /// Everything it printed to its standard output.
    pub(super) stdout: String,
    /// Further figures, in words.
    pub(super) note: String,
}

/// The line of JSON that a program prints at its end; other fields are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    pub(super) words: u64,
    /// Run time of the job without the client's, where the program knows it, in milliseconds.
    pub(super) job_ms: Option<u64>,
}

/// Runs a program to its end. The CPU time and memory of `daemons` (process ids), which work for it, are counted too, with those of their
/// children that have ended when `settled` returns: it waits for them, and its time does not count.
///
/// # Errors
/// When the program cannot be started, fails, or does not print its summary.
pub(super) fn run(command: &mut Command, name: &str, daemons: &[u32], settled: impl FnOnce() -> Result<()>) -> Result<Usage> {
    let logs = paths::create_dir(paths::bench()?.join("logs"))?;
    let (out, err) = (logs.join(format!("{name}.out")), logs.join(format!("{name}.err")));
    let create = |path: &PathBuf| File::create(path).map_err(Error::io("create", path));
    command.stdin(Stdio::null()).stdout(create(&out)?).stderr(create(&err)?);

    let before = cpu_ticks_of_children()? + cpu_ticks(daemons)?;
    let start = Instant::now();
    let mut child = command.spawn().map_err(process::start_error(command))?;
    let (mut peaks, mut polls) = (BTreeMap::new(), 0_u32);
    let status = loop {
        sample_memory(child.id(), &mut peaks);
        if polls % DAEMON_POLLS == 0 {
            daemons.iter().for_each(|daemon| sample_memory(*daemon, &mut peaks));
        }
        polls += 1;
        if let Some(status) = child.try_wait().map_err(process::start_error(command))? {
            break status;
        }
        std::thread::sleep(POLL);
    };
    let wall_s = start.elapsed().as_secs_f64();
    daemons.iter().for_each(|daemon| sample_memory(*daemon, &mut peaks));
    settled()?;
    let after = cpu_ticks_of_children()? + cpu_ticks(daemons)?;
    let stdout = std::fs::read_to_string(&out).map_err(Error::io("read", &out))?;
    let summary = summary(command, status, &stdout, &err)?;
    let cpu_s = (after - before) as f64 / TICKS_PER_SECOND;
    Ok(Usage { cpu_s, wall_s, peak_bytes: peaks.values().sum(), summary, stdout, note: String::new() })
}

/// The summary at the end of a program's output.
fn summary(command: &Command, status: ExitStatus, stdout: &str, err: &Path) -> Result<Summary> {
    let program = process::shown(command);
    if !status.success() {
        let detail = format!("; the end of `{}`:\n{}", err.display(), process::tail(err, 20));
        return Err(Error::Failed { program, status, detail });
    }
    let stderr = std::fs::read_to_string(err).map_err(Error::io("read", err))?;
    find_summary(stdout)
        .or_else(|| find_summary(&stderr))
        .ok_or_else(|| Error::other(format!("`{program}` printed no line of JSON with `words`; see `{}`", err.display())))
}

fn find_summary(text: &str) -> Option<Summary> {
    text.lines().rev().filter(|line| line.starts_with('{')).find_map(|line| serde_json::from_str(line).ok())
}

/// CPU time of all children of this program that have ended, and of theirs.
fn cpu_ticks_of_children() -> Result<u64> {
    let [_, _, user, system] = stat_ticks("self")?;
    Ok(user + system)
}

/// CPU time of running processes and of their children that have ended.
fn cpu_ticks(processes: &[u32]) -> Result<u64> {
    let mut sum = 0;
    for process in processes {
        sum += stat_ticks(&process.to_string())?.iter().sum::<u64>();
    }
    Ok(sum)
}

/// `utime`, `stime`, `cutime` and `cstime` of a process.
fn stat_ticks(process: &str) -> Result<[u64; 4]> {
    let path = Path::new("/proc").join(process).join("stat");
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    parse_stat(&text).ok_or_else(|| Error::other(format!("`{}` has an unknown form: {text}", path.display())))
}

fn parse_stat(text: &str) -> Option<[u64; 4]> {
    // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
    let (_, after_name) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let mut ticks = [0; 4];
    for (tick, field) in ticks.iter_mut().zip(fields.get(11..15)?) {
        *tick = field.parse().ok()?;
    }
    Some(ticks)
}

/// Notes the peak memory of a process and all its descendants. One that has just ended keeps what was seen last.
fn sample_memory(process: u32, peaks: &mut BTreeMap<u32, u64>) {
    let directory = Path::new("/proc").join(process.to_string());
    if let Some(peak) = std::fs::read_to_string(directory.join("status")).ok().and_then(|status| parse_peak(&status)) {
        peaks.insert(process, peak);
    }
    let Ok(threads) = std::fs::read_dir(directory.join("task")) else { return };
    for thread in threads.flatten() {
        let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            sample_memory(child, peaks);
        }
    }
}

/// Peak resident memory in bytes, from `/proc/PID/status`.
fn parse_peak(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_behind_a_name_with_spaces_and_parentheses() {
        let stat = "77 (a (odd) name) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        assert_eq!(parse_stat(stat), Some([11, 12, 13, 14]));
        assert_eq!(parse_stat("77 (short) S 1 2"), None);
    }

    #[test]
    fn peak_memory_is_read_in_bytes() {
        assert_eq!(parse_peak("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t  12 kB\n"), Some(12 * 1024));
        assert_eq!(parse_peak("Name:\tkernel thread\n"), None);
    }

    #[test]
    fn the_last_line_of_json_with_the_words_is_the_summary() {
        let summary = find_summary("{\"words\":1}\nlog {\n{\"words\":2,\"job_ms\":7,\"records_in\":3}\n{\"other\":1}\n").unwrap();
        assert_eq!((summary.words, summary.job_ms), (2, Some(7)));
        assert!(find_summary("nothing\n").is_none());
    }

    #[test]
    fn a_child_that_works_costs_cpu_time_and_memory_and_a_grandchild_is_counted() {
        let script = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo '{\"words\":5}'";
        let usage = run(Command::new("sh").args(["-c", script]), "test-child", &[], || Ok(())).unwrap();
        assert_eq!(usage.summary.words, 5);
        assert!(usage.cpu_s > 0.02 && usage.wall_s > 0.0 && usage.peak_bytes > 100_000, "{usage:?}");
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_the_end_of_what_it_said() {
        let error = run(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"]), "test-failure", &[], || Ok(())).unwrap_err();
        assert!(error.to_string().contains("no such luck"), "{error}");
    }
}
