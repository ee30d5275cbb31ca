//! What workers log and print, on its way to the TaskManager's files.

use super::observer::{Visible, WorkerOutput};
use crate::rolling::RollingFile;
use flott_core::id::JobId;
use std::{
    io::{self, BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    thread,
};

/// The longest piece of a line that is written at once: memory is not the worker's to ask for.
const PIECE_BYTES: u64 = 64 << 10;

/// Lets a worker write to this process, if its output goes to files.
pub(super) fn capture(command: &mut Command, visible: &Visible) {
    if visible.output.is_some() {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
}

/// Writes what a worker says, until it is gone.
pub(super) fn follow(child: &mut Child, visible: &Visible, job: JobId, worker: u64) -> io::Result<()> {
    let Some(WorkerOutput { log, out }) = visible.output.clone() else { return Ok(()) };
    let prefix = format!("[job {job} worker {worker}] ").into_bytes();
    if let Some(printed) = child.stdout.take() {
        thread::Builder::new().name("flott-out".to_owned()).spawn(move || copy(printed, &out, b""))?;
    }
    if let Some(logged) = child.stderr.take() {
        thread::Builder::new().name("flott-log".to_owned()).spawn(move || copy(logged, &log, &prefix))?;
    }
    Ok(())
}

/// Copies line by line, each with `prefix` before it, so that lines of several workers stay whole.
fn copy(from: impl Read, to: &RollingFile, prefix: &[u8]) {
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
        let written = to.write(&[if begins { prefix } else { b"" }, &line]);
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
        copy(format!("one\n{long}\nlast").as_bytes(), &file, b"[w] ");
        copy(&b""[..], &file, b"[w] ");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("[w] one\n[w] {long}\n[w] last"));
    }
}
