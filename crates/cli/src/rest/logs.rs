//! Logs, threads and memory of processes on this machine.

use flott_core::id::JobId;
use flott_rpc::control::TaskManagerInfo;
use flott_web::{ClusterError, Result, model};
use std::{
    fs,
    io::{Read, Seek, SeekFrom},
    path::Path,
    time::UNIX_EPOCH,
};

/// Bytes of a page of memory, as the system counts resident memory.
const PAGE_BYTES: f64 = 4096.0;

/// A TaskManager.
pub(super) fn task_manager(info: &TaskManagerInfo, free: u32, holders: &[JobId]) -> model::TaskManager {
    let held = info.slots.saturating_sub(free);
    let slot =
        |number: u32| model::Slot { job: (number < held).then(|| holders.first().copied()).flatten(), tasks: u32::from(number < held) };
    model::TaskManager {
        id: info.id.clone(),
        address: format!("flott://localhost/{}", info.id),
        data_port: None,
        last_heartbeat: None,
        slots: (0..info.slots).map(slot).collect(),
        hardware: model::Hardware { cpu_cores: info.cpu_cores, physical_memory: Some(info.memory_bytes), ..model::Hardware::default() },
        metrics: process_metrics(info.process),
    }
}

/// What a process uses. Resident memory stands where tools look for the heap.
pub(super) fn process_metrics(process: u32) -> model::Metrics {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok());
    let resident = pages.map(|pages| pages * PAGE_BYTES);
    let names = ["Status.JVM.Memory.Heap.Used", "Status.JVM.Memory.Heap.Committed"];
    resident.into_iter().flat_map(|bytes| names.map(|name| (name.to_owned(), bytes))).collect()
}

/// What the files of a process are called.
fn prefix(process: &model::Process) -> &'static str {
    match process {
        model::Process::JobManager => "flott-jobmanager",
        model::Process::TaskManager(_) => "flott-taskmanager",
    }
}

/// The log files of a process.
pub(super) fn list(folder: Option<&Path>, process: &model::Process) -> Result<Vec<model::LogFile>> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let unreadable = |error: std::io::Error| ClusterError::Failed(format!("cannot read the folder of logs: {error}"));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Some(metadata) = entry.metadata().ok().filter(fs::Metadata::is_file) else { continue };
        if !name.starts_with(prefix(process)) {
            continue;
        }
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let kind = match Path::new(&name).extension().and_then(|extension| extension.to_str()) {
            Some("log") => model::LogKind::Log,
            Some("out") => model::LogKind::Stdout,
            _ => model::LogKind::Other,
        };
        files.push(model::LogFile { size: metadata.len(), modified_at: modified.map_or(0, flott_core::time::millis), kind, name });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Part of a log file, which must be one that is listed.
pub(super) fn read(folder: Option<&Path>, process: &model::Process, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
    let missing = || ClusterError::NotFound(format!("there is no log file `{name}`"));
    let listed = list(folder, process)?;
    let file = listed.iter().find(|file| file.name == name).ok_or_else(missing)?;
    let folder = folder.ok_or_else(missing)?;
    let mut bytes = Vec::new();
    let read = fs::File::open(folder.join(&file.name)).and_then(|mut file| {
        file.seek(SeekFrom::Start(offset))?;
        file.take(length as u64).read_to_end(&mut bytes)
    });
    read.map_err(|error| ClusterError::Failed(format!("cannot read `{name}`: {error}")))?;
    Ok(bytes)
}

/// The threads of a process and what the system says of them.
pub(super) fn threads(process: u32) -> Result<Vec<model::ThreadInfo>> {
    let unreadable = |error: std::io::Error| ClusterError::Unavailable(format!("the threads of process {process} cannot be read: {error}"));
    let mut threads = Vec::new();
    for entry in fs::read_dir(format!("/proc/{process}/task")).map_err(unreadable)?.flatten() {
        // One may end meanwhile.
        let Ok(name) = fs::read_to_string(entry.path().join("comm")) else { continue };
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or_default().trim().to_owned();
        let wait = fs::read_to_string(entry.path().join("wchan")).unwrap_or_default();
        let name = name.trim().to_owned();
        threads.push(model::ThreadInfo { text: format!("\"{name}\" {state} {}", wait.trim_matches('0')), name });
    }
    Ok(threads)
}
