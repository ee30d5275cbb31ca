//! What workers log and print, on its way to the TaskManager's files.

use super::observer::{Visible, WorkerOutput};
use crate::rolling::RollingFile;
use flott_core::id::JobId;
use std::{
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, OnceLock},
    thread,
};

/// Whose lines they are.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    job: JobId,
    worker: Arc<OnceLock<u64>>,
}

impl Tag {
    /// Of a process of `job`, whose number is not known as long as it stands by.
    pub(super) fn new(job: JobId) -> Self {
        Tag { job, worker: Arc::default() }
    }

    /// It is the worker `number` from now on.
    pub(super) fn is_worker(&self, number: u64) {
        self.worker.get_or_init(|| number);
    }

    fn prefix(&self) -> Vec<u8> {
        match self.worker.get() {
            Some(worker) => format!("[job {} worker {worker}] ", self.job).into_bytes(),
            None => format!("[job {} standby] ", self.job).into_bytes(),
        }
    }
}

/// The longest piece of a line that is written at once: memory is not the worker's to ask for.
const PIECE_BYTES: u64 = 64 << 10;

/// Lets a worker write to this process, if its output goes to files.
pub(super) fn capture(command: &mut Command, visible: &Visible) {
    if visible.output.is_some() {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
}

/// Writes what a worker says, until it is gone.
pub(super) fn follow(child: &mut Child, visible: &Visible, tag: Tag) -> io::Result<()> {
    let Some(WorkerOutput { log, out }) = visible.output.clone() else { return Ok(()) };
    if let Some(printed) = child.stdout.take() {
        thread::Builder::new().name("flott-out".to_owned()).spawn(move || copy(printed, &out, Vec::new))?;
    }
    if let Some(logged) = child.stderr.take() {
        thread::Builder::new().name("flott-log".to_owned()).spawn(move || copy(logged, &log, || tag.prefix()))?;
    }
    Ok(())
}

/// Copies line by line, each with the prefix of that moment before it, so that lines of several workers stay whole.
fn copy(from: impl Read, to: &RollingFile, prefix: impl Fn() -> Vec<u8>) {
    let mut from = BufReader::with_capacity(PIECE_BYTES as usize, from);
    let mut line = Vec::new();
    let mut begins = true;
    let mut lost = false;
    loop {
        line.clear();
        match (&mut from).take(PIECE_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let prefix = if begins { prefix() } else { Vec::new() };
        let written = to.write(&[&prefix, &line]);
        begins = line.ends_with(b"\n");
        match written {
            Ok(()) => lost = false,
            // A full disk must not stop the job: what it says is lost until there is room.
            Err(error) if !lost => {
                tracing::error!(%error, "what a worker says cannot be written and is lost");
                lost = true;
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rolling::Rotation;

    #[test]
    fn every_line_says_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let file = RollingFile::open(&path, Rotation { size: 1 << 30, old: 1 }).unwrap();
        let long = "x".repeat(PIECE_BYTES as usize + 10);
        copy(format!("one\n{long}\nlast").as_bytes(), &file, || b"[w] ".to_vec());
        copy(&b""[..], &file, || b"[w] ".to_vec());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("[w] one\n[w] {long}\n[w] last"));
    }
}
